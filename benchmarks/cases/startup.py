"""Start-up: the import, and the first use with a cold and a warm cache of compiled kernels."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from benchmarks.case import Case, Figures, Goal, Outcome

_PROGRAM = """
import json, time
began = time.perf_counter()
import torch
torch_there = time.perf_counter()
import gtn
gtn_there = time.perf_counter()
used = gtn_there
if USE:
    a = gtn.linear(torch.rand(4, 3, requires_grad=True))
    b = gtn.closure(gtn.union(gtn.string([0, 1]), gtn.string([2])))
    gtn.forward_penalty(gtn.compose(a, b)).backward()
    used = time.perf_counter()
print(json.dumps([torch_there - began, gtn_there - torch_there, used - gtn_there]))
"""
_NAMES = ("import torch (s)", "import gtn after it (s)", "first use, {} cache (s)")


def _seconds(cache: str, use: bool) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.replace("USE", str(use))],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[float] = json.loads(done.stdout)
    return found


def _measure(size: Any) -> Outcome:
    torch_, gtn_, cold = ([] for _ in range(3))  # type: list[float], list[float], list[float]
    warm: list[float] = []
    with tempfile.TemporaryDirectory() as cache:
        for row in [_seconds(cache, True) for _ in range(size["cold"])]:
            torch_.append(row[0])
            gtn_.append(row[1])
            cold.append(row[2])
        warm_cache = cache if size["cold"] else os.environ.get("NUMBA_CACHE_DIR", "")
        for _ in range(size["warm"]):
            row = _seconds(warm_cache, True)
            torch_.append(row[0])
            gtn_.append(row[1])
            warm.append(row[2])
    figures = dict(zip(_NAMES, map(statistics.median, (torch_, gtn_))))
    for kind, times in (("cold", cold[:1]), ("warm", warm)):
        if times:
            figures[_NAMES[2].format(kind)] = statistics.median(times)
    return Outcome(figures=figures)


STARTUP = Case(
    "start-up",
    "Start-up: imports, and first use (compose, forward, backward) in a new process",
    {
        "full": {"cold": 1, "warm": 5},
        "quick": {"cold": 0, "warm": 2},
        "smallest": {"cold": 0, "warm": 1},
    },
    dict,
    (
        Figures(
            "seconds",
            _measure,
            goals=(
                Goal("import gtn after it (s)", at_most=0.3),
                Goal("first use, warm cache (s)", at_most=0.5),
            ),
        ),
    ),
)
