"""Growth of time and memory over four decades of size, with fitted exponents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import gtn
from benchmarks.case import Case, Figures, Goal, Outcome
from benchmarks.cases.ctc import by_frames, problem
from benchmarks.cases.forward import forward_backward, with_gradient
from benchmarks.graphs import fresh, letter_lattice, lexicon, sparse_graph
from benchmarks.memory import Workload, cost

__all__ = ["GROWTH", "exponent"]


def compose_lexicon(words: int) -> Workload:
    """Compose 12 frames with the closure of ``words`` words; work is arcs in and out."""
    pair = letter_lattice(12), lexicon(words)
    read = pair[0].num_arcs + pair[1].num_arcs
    return Workload(
        gtn.compose, lambda: tuple(map(fresh, pair)), lambda result: read + result.num_arcs
    )


def forward(nodes: int) -> Workload:
    """Run forward and backward on a random acyclic graph; work is its arcs."""
    graph = sparse_graph(nodes, 4 * nodes)
    return Workload(forward_backward, lambda: (with_gradient(graph),), lambda _: graph.num_arcs)


def ctc(frames: int) -> Workload:
    """Compute CTC of 28 classes and 5 labels over ``frames`` frames; work is frames."""
    emissions, targets = problem(1, frames, 28, 5)
    return Workload(
        by_frames, lambda: (emissions.clone().requires_grad_(), targets), lambda _: frames
    )


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of log(value) over log(size), by least squares.

    >>> round(exponent([1, 10, 100], [3, 30, 300]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _measure(workload: Callable[..., Workload], argument: str) -> Callable[[Any], Outcome]:
    def measure(sizes: Mapping[str, Sequence[int]]) -> Outcome:
        values = sizes[argument]
        points = []
        for value in values:
            rounds = 3 if value == values[-1] else 9
            found = cost(workload, {argument: values[0]}, {argument: value}, rounds)
            points.append({"work": found.work, "ms": found.milliseconds, "MB": found.megabytes})
        upper = points[len(points) // 2 :]
        fits = {
            "exponent of time": ("ms", points),
            # Small problems take mostly fixed time, and memory that the allocator already holds.
            "exponent of time, larger half": ("ms", upper),
            "exponent of memory, from 1 MB": ("MB", [p for p in points if p["MB"] >= 1]),
        }
        figures = {
            name: exponent([p["work"] for p in chosen], [p[key] for p in chosen])
            for name, (key, chosen) in fits.items()
            if len(chosen) > 1
        }
        return Outcome(figures=figures, points=points)

    return measure


_GOALS = (
    Goal("exponent of time", at_most=1.05),
    Goal("exponent of memory, from 1 MB", at_most=1.05),
)

GROWTH = Case(
    "growth",
    "Growth of time and peak memory with the work",
    {
        "full": {
            "words": (10, 100, 1_000, 10_000, 100_000),
            "nodes": (100, 1_000, 10_000, 100_000, 1_000_000),
            "frames": (10, 100, 1_000, 10_000, 100_000),
        },
        "quick": {
            "words": (30, 300, 3_000),
            "nodes": (1_000, 10_000, 100_000),
            "frames": (100, 1_000, 10_000),
        },
        "smallest": {
            "words": (10, 30),
            "nodes": (50, 200),
            "frames": (10, 40),
        },
    },
    dict,
    (
        Figures("compose with a lexicon", _measure(compose_lexicon, "words"), _GOALS),
        Figures("forward and backward", _measure(forward, "nodes"), _GOALS),
        Figures("CTC", _measure(ctc, "frames"), _GOALS),
    ),
)
