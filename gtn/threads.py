"""Threads over the problems of a batch: kernels release the interpreter lock, slices run at once.

The calling thread works along with ``torch.get_num_threads() - 1`` others of a pool that is made
anew after a fork. A kernel writes the results of a problem to places of their own, so one thread
and many give the same bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count as counting
from typing import Any, TypeVar

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
    results: list[Any] = [None] * slices
    turn = counting()

    def work() -> None:
        while (i := next(turn)) < slices:
            results[i] = task(count * i // slices, count * (i + 1) // slices)

    others = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        for other in others:
            if not other.cancel():  # it has begun
                other.result()
    return results


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gtn")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
