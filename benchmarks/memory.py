"""What a piece of work costs in a process of its own: time, and peak memory beyond its inputs.

The processes are forked from one that has imported the library and nothing else has run in it.
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
    """Something to do, at one size."""

    run: Callable[..., Any]
    prepare: Callable[[], Sequence[Any]]
    work: Callable[[Any], float]  # how much there was to do, of the result


class Cost(NamedTuple):
    """Of one workload: how much there was to do, the least processor time, the peak memory."""

    work: float
    milliseconds: float
    megabytes: float


def cost(
    workload: Callable[..., Workload],
    warm_up: Mapping[str, Any],
    size: Mapping[str, Any],
    repetitions: int,
) -> Cost:
    """Return what a workload of a size costs, after one of the size ``warm_up``.

    Memory is the most that is resident while it runs once, less what was before, when all that
    making the inputs has left free had been given back.

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
    """Let the C library give back what it holds free (glibc): work in it would cost no memory."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _forget_peak() -> None:
    """Count the peak from here on (Linux)."""
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def _from_status(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6
