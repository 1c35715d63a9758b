"""Kernels as plain Python, over arrays that refuse negative indexes.

A kernel that numba compiles reads and writes beyond its arrays without an error; told to check
indexes, it still lets an index of -1 wrap around. In an interpreted kernel numpy checks the upper
end and :class:`Checked` the lower one. It also saves compiling, which took longer than all of this.

After ``numba.njit = interpreted``, whatever is imported has such kernels; this needs a process of
its own.
"""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

compiled: set[str] = set()
ran: set[str] = set()


class Checked(np.ndarray):
    """An array that refuses negative indexes, as do all arrays made from it."""

    def __getitem__(self, index: Any) -> Any:
        if index.__class__ not in WHOLE or index < 0:
            refuse_negative(index)
        return read(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if index.__class__ not in WHOLE or index < 0:
            refuse_negative(index)
        write(self, index, value)


# Kernels index tens of millions of times, nearly always by a whole number: this case comes first.
WHOLE = frozenset((int, np.int32, np.int64, np.uint64))
read, write = np.ndarray.__getitem__, np.ndarray.__setitem__


def refuse_negative(index: Any) -> None:
    for part in index if index.__class__ is tuple else (index,):
        if part.__class__ in WHOLE:
            negative = part < 0
        elif part.__class__ is slice:
            negative = (part.start or 0) < 0 or (part.stop or 0) < 0
        else:
            negative = not isinstance(part, np.ndarray) and part < 0
        if negative:
            raise IndexError(f"negative index {index}")


def each_array(value: Any, kind: type[np.ndarray]) -> Any:
    """Return a value with its arrays, also those in tuples, viewed as this kind of array."""
    if isinstance(value, np.ndarray):
        return value.view(kind)
    if isinstance(value, tuple):
        parts = [each_array(part, kind) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def checked_numpy() -> SimpleNamespace:
    """Return numpy as kernels see it, where functions that make arrays make checked ones."""

    def checked(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*of: Any, **options: Any) -> Any:
            return each_array(function(*each_array(of, np.ndarray), **options), Checked)

        return call

    names = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    for name, value in names.items():
        if callable(value) and not isinstance(value, type | np.ufunc):
            names[name] = checked(value)
    return SimpleNamespace(**names)


def interpreted(*given: Callable[..., Any], **options: Any) -> Any:
    """Replace ``numba.njit``: note that a kernel ran, and run it as plain Python."""

    def decorate(kernel: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{kernel.__module__}.{kernel.__name__}"
        compiled.add(name)
        kernel.__globals__["np"] = numpy

        @functools.wraps(kernel)
        def run(*arguments: Any) -> Any:
            ran.add(name)
            outermost = not running
            if not outermost:
                return kernel(*arguments)
            running.append(name)
            try:
                return each_array(kernel(*each_array(arguments, Checked)), np.ndarray)
            finally:
                running.pop()

        return run

    return decorate(given[0]) if given else decorate


running: list[str] = []  # the kernel that was called from outside, if any
numpy = checked_numpy()
