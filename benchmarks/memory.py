"""Measure work in a process of its own: its time, and its peak memory beyond its inputs.

The processes are forked from one that has imported the library and run nothing else.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

__all__ = ["Cost", "Workload", "cost"]


class Workload(NamedTuple):
    """Work to do, at one size."""

    run: Callable[..., Any]
    prepare: Callable[[], Sequence[Any]]
    work: Callable[[Any], float]  # amount of work, from the result


class Cost(NamedTuple):
    """Cost of one workload: amount of work, least processor time, peak memory."""

    work: float
    milliseconds: float
    megabytes: float


def cost(
    workload: Callable[..., Workload],
    warm_up: Mapping[str, Any],
    size: Mapping[str, Any],
    repetitions: int,
) -> Cost:
    """Return the cost of a workload of a size, after one of the size ``warm_up``.

    Memory is the peak resident memory of one run, less that before it, after the memory left free
    by making the inputs was given back.

    Args:
        workload: a function at the top of its module.
    """
    context = multiprocessing.get_context("forkserver")
    _preload()
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_cost, workload, warm_up, size, repetitions).result()


@cache
def _preload() -> None:
    multiprocessing.get_context("forkserver").set_forkserver_preload(["benchmarks.cases"])


def _cost(
    workload: Callable[..., Workload],
    warm_up: Mapping[str, Any],
    size: Mapping[str, Any],
    repetitions: int,
) -> Cost:
    torch.set_num_threads(1)
    small = workload(**warm_up)
    small.run(*small.prepare())
    work = workload(**size)
    inputs = work.prepare()
    gc.collect()
    _give_back()
    before = _resident()
    _forget_peak()
    result = work.run(*inputs)
    peak = _peak()
    amount = float(work.work(result))
    times = []
    del result
    for _ in range(repetitions):
        inputs = work.prepare()
        began = time.process_time()
        made = work.run(*inputs)
        times.append(1000 * (time.process_time() - began))
        del made
    return Cost(amount, min(times), max(0.0, peak - before))


_STATUS = Path("/proc/self/status")


def _resident() -> float:
    return _from_status("VmRSS") if _STATUS.exists() else _peak()


def _peak() -> float:
    if _STATUS.exists():
        return _from_status("VmHWM")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1e6 if sys.platform == "darwin" else 1e3)


def _give_back() -> None:
    """Make the C library (glibc) give back free memory, in which work would seem to cost none."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _forget_peak() -> None:
    """Restart the count of peak memory (Linux)."""
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def _from_status(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6
