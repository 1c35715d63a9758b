"""Make the JSON of a run: the machine, and a row for each race and measurement."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.case import Case, Figures, Goal, Outcome, Race
from benchmarks.race import ratio

__all__ = ["machine", "row"]

_PACKAGES = ("numpy", "numba", "torch", "pynini")


def machine() -> dict[str, Any]:
    """Return the machine and versions, on which the figures depend."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **versions,
    }


def row(case: Case, size: str, task: Race | Figures, outcome: Outcome) -> dict[str, Any]:
    """Return the row of one race or measurement; ratios are to the first entrant."""
    ours = next(iter(outcome.times), "")
    found = [_goal(goal, outcome) for goal in task.goals]
    return {
        "case": case.name,
        "title": case.title,
        "size": {name: _listed(value) for name, value in case.sizes[size].items()},
        "task": task.name,
        "entrants": [
            {
                "name": name,
                "ratio": _rounded(ratio(outcome, name, ours)),
                "ms": _rounded(statistics.median(times)),
                "least ms": _rounded(min(times)),
                "rounds": len(times),
            }
            for name, times in outcome.times.items()
        ],
        "figures": {name: _rounded(value) for name, value in outcome.figures.items()},
        "goals": [goal for goal in found if goal is not None],
        "points": [{k: _rounded(v) for k, v in point.items()} for point in outcome.points],
    }


def _goal(goal: Goal, outcome: Outcome) -> dict[str, Any] | None:
    """Return the outcome of a goal, or None if something that it names is absent."""
    first, _, second = goal.quantity.partition(" / ")
    if goal.quantity in outcome.figures:
        value = outcome.figures[goal.quantity]
    elif first in outcome.times and second in outcome.times:
        value = ratio(outcome, first, second)
    elif first in outcome.times and not second:
        value = statistics.median(outcome.times[first])
    else:
        return None
    unit = " ms" if goal.quantity in outcome.times else ""
    return {"goal": f"{goal}{unit}", "found": _rounded(value), "reached": goal.reached(value)}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _rounded(value: float) -> float:
    """Round a number to four digits: more would be noise."""
    return float(f"{value:.4g}")


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines: Mapping[str, str] = {}
    if known.is_file():
        pairs = (line.partition(":") for line in known.read_text().splitlines())
        lines = {key.strip(): value.strip() for key, _, value in pairs}
    return lines.get("model name") or platform.processor() or sys.platform
