"""Threads over the problems of a batch: kernels release the interpreter lock and run in parallel.

The calling thread works along with ``torch.get_num_threads() - 1`` others, which are started when
first needed, and again after a fork. A kernel writes the results of each problem to separate
places, so one thread and many give the same bits.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from itertools import count as counting
from queue import SimpleQueue
from typing import Any, TypeVar

import torch

__all__ = ["in_slices"]

Result = TypeVar("Result")
_PATIENCE = 2e-4  # seconds; waking a thread takes as long as a small problem


def in_slices(task: Callable[[int, int], Result], count: int) -> list[Result]:
    """Return ``task(first, last)`` for slices of ``range(count)``, in order.

    An exception in a task is raised here.

    >>> in_slices(lambda first, last: last - first, 1)
    [1]
    """
    threads = min(torch.get_num_threads(), count) if count > 1 else 1
    if threads <= 1:
        return [task(0, count)]
    cuts = _cuts(count, threads)
    slices = len(cuts) - 1
    results: list[Any] = [None] * slices
    errors: list[BaseException] = []
    turn, ended, all_ended = counting(), counting(1), threading.Lock()
    all_ended.acquire()

    def work() -> None:
        while (i := next(turn)) < slices:
            try:
                results[i] = task(cuts[i], cuts[i + 1])
            except BaseException as error:
                errors.append(error)
            if next(ended) == slices:
                all_ended.release()

    for queue in _queues(threads - 1):
        queue.put(work)
    work()
    patience = time.perf_counter() + _PATIENCE
    while not all_ended.acquire(blocking=False):
        if time.perf_counter() > patience:
            all_ended.acquire()
            break
        time.sleep(0)  # the others need the lock of the interpreter
    if errors:
        raise errors[0]
    return results


def _cuts(count: int, threads: int) -> list[int]:
    """Return the bounds of slices, of decreasing size, so that all threads end together."""
    cuts, least = [0], max(1, count // (8 * threads))
    while cuts[-1] < count:
        cuts.append(min(count, cuts[-1] + max(least, (count - cuts[-1]) // (3 * threads))))
    return cuts


class _Workers:
    """The other threads, each waiting for work at its own queue, so that no other one wakes."""

    def __init__(self) -> None:
        self.queues: list[SimpleQueue[Callable[[], None]]] = []
        self.lock = threading.Lock()

    def start(self, threads: int) -> None:
        """Start threads until there are at least so many."""
        with self.lock:
            for n in range(len(self.queues), threads):
                queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
                threading.Thread(
                    target=_worker, args=(queue,), name=f"gtn_{n}", daemon=True
                ).start()
                self.queues.append(queue)


def _worker(queue: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        queue.get()()


_workers = _Workers()


def _queues(threads: int) -> list[SimpleQueue[Callable[[], None]]]:
    if len(_workers.queues) < threads:
        _workers.start(threads)
    return _workers.queues[:threads]


def _forget() -> None:
    global _workers
    _workers = _Workers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
