"""Numba functions on arrays; they know neither graphs nor torch.

Every kernel takes and returns arrays, is compiled at first use and cached on disk
(``cache=True``), and releases the interpreter lock (``nogil=True``). A kernel calls jitted
functions of its own file only, because a cached kernel is not rebuilt when another file changes.
"""
