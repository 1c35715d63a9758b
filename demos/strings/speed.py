"""Time the reading of lines: one pass against window by window, and long lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from demos.figures import machine
from demos.strings.reader import StringReader
from recognizers.datasets.mnist import BACKGROUND
from recognizers.lenet import LeNet5
from recognizers.sdnn import SpaceDisplacementNetwork, multiply_adds_of

__all__ = ["WIDTHS", "measure"]

WIDTHS = (100, 200, 400, 800, 1600)
REPEATS = 30
ONE_BY_ONE = 10


def measure(reader: StringReader) -> dict[str, Any]:
    """Return milliseconds of processor time for lines of several widths, on one thread.

    For each width, ``lines`` has the time of the whole reading (network, transducer, best path,
    confidence): the median and the least of 30, and the median per pixel column. ``sweep`` has the
    time of LeNet-5 on a line 400 pixels wide, in one pass and window by window.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {
            "machine": machine(),
            "network": reader.settings["network"],
            "lines": [_line(reader, width) for width in WIDTHS],
            "sweep": _sweep(),
        }
    finally:
        torch.set_num_threads(threads)


def _line(reader: StringReader, width: int) -> dict[str, float]:
    rng = np.random.default_rng(width)
    image = ((rng.random((32, width)) < 0.2) * 255).astype(np.uint8)
    times = _times(lambda: reader.read([image]), REPEATS)
    median = float(np.median(times))
    network = _times(lambda: reader.output([image]), REPEATS)
    return {
        "width": width,
        "ms": median,
        "least_ms": min(times),
        "network_ms": float(np.median(network)),
        "us_per_column": 1000 * median / width,
    }


def _sweep() -> dict[str, float]:
    sdnn = SpaceDisplacementNetwork(LeNet5()).eval()
    line = torch.full((1, 1, 32, 400), BACKGROUND)
    windows = sdnn.windows(line).flatten(0, 1)
    with torch.no_grad():
        swept = _times(lambda: sdnn(line), REPEATS)
        together = _times(lambda: sdnn.by_windows(line), REPEATS)
        one_by_one = _times(lambda: [sdnn.network(window[None]) for window in windows], ONE_BY_ONE)
    return {
        "windows": len(windows),
        "multiply_adds": multiply_adds_of(sdnn, line),
        "multiply_adds_by_windows": multiply_adds_of(sdnn.network, windows),
        "ms": float(np.median(swept)),
        "ms_by_windows": float(np.median(together)),
        "ms_one_by_one": float(np.median(one_by_one)),
    }


def _times(call: Callable[[], object], repeats: int) -> list[float]:
    """Return milliseconds of processor time of ``repeats`` calls, after two warm-up calls."""
    with torch.no_grad():
        call(), call()
        found = []
        for _ in range(repeats):
            began = time.process_time()
            call()
            found.append(1000 * (time.process_time() - began))
    return found
