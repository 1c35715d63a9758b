"""Threads over the problems of a batch: kernels release the interpreter lock, slices run at once.

The pool has ``torch.get_num_threads()`` threads and is made anew after a fork. A kernel writes the
results of a problem to places of their own, so one thread and many give the same bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

__all__ = ["in_slices"]

Result = TypeVar("Result")
_SLICES = 4  # for each thread, so that one with short problems can take another


def in_slices(task: Callable[[int, int], Result], count: int) -> list[Result]:
    """Return ``task(first, last)`` of the slices of ``range(count)``, in order.

    An exception of a task is raised here.

    >>> in_slices(lambda first, last: last - first, 1)
    [1]
    """
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        return [task(0, count)]
    slices = min(count, _SLICES * threads)
    bounds = [count * i // slices for i in range(slices + 1)]
    return list(_pool(torch.get_num_threads()).map(task, bounds[:-1], bounds[1:]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gtn")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
