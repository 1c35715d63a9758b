"""Composition whose answer is empty: memory must follow what is reached, not nodes x nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import gtn
from benchmarks.case import OURS, Case, Figures, Goal, Outcome, Race
from benchmarks.cases.composing import Pair, composers, question
from benchmarks.graphs import fresh
from benchmarks.memory import Workload, cost
from benchmarks.peers import openfst


def too_short(length: int, nodes: int) -> Pair:
    """Return a chain, and a graph whose every path has more arcs: many lead back, one on."""
    rng = np.random.default_rng(0)
    along = np.arange(nodes - 1)
    back = rng.integers(1, nodes, 2 * nodes)
    src, dst = np.concatenate((along, back)), np.concatenate((along + 1, rng.integers(0, back)))
    labels = np.concatenate((along % 2, rng.integers(0, 2, len(back))))
    return _pair(length, 2, src, dst, labels, nodes)


def unmatched(length: int, nodes: int) -> Pair:
    """Return a chain, and a graph whose every path has a label that the chain does not write.

    One node in a hundred is reached before that label, in all frames.
    """
    rng = np.random.default_rng(0)
    before = max(nodes // 100, 2)
    src, dst = rng.integers(0, before, (2, 4 * before))
    rest = np.arange(before, nodes)
    src = np.concatenate((np.arange(before), src, rest - 1, rest))
    dst = np.concatenate((np.roll(np.arange(before), 1), dst, rest, rest))
    labels = np.where((src < before) & (dst >= before), 1, 0)
    return _pair(length, 1, src, dst, labels, nodes)


def _pair(length: int, classes: int, src: Any, dst: Any, labels: Any, nodes: int) -> Pair:
    chain = gtn.linear(torch.zeros(length, classes, dtype=torch.float64))
    penalties = torch.zeros(len(src), dtype=torch.float64)
    return chain, gtn.Graph.from_arrays(src, dst, labels, penalties=penalties, final=nodes - 1)


KINDS: dict[str, Callable[..., Pair]] = {"too short": too_short, "no such label": unmatched}


def ours(kind: str, **size: int) -> Workload:
    """Return our composition as a workload."""
    pair = KINDS[kind](**size)
    return Workload(gtn.compose, lambda: tuple(map(fresh, pair)), lambda _: size["nodes"])


def theirs(kind: str, **size: int) -> Workload:
    """Return OpenFst's composition as a workload."""
    import pynini

    a, b = KINDS[kind](**size)
    operands = openfst.machine(a, sort="olabel"), openfst.machine(b, sort="ilabel")
    return Workload(pynini.compose, lambda: operands, lambda _: size["nodes"])


class _Inputs:
    def __init__(self, **size: int) -> None:
        self.size = size
        self.pairs = {kind: make(**size) for kind, make in KINDS.items()}


def _tasks(kind: str) -> tuple[Race, Figures]:
    def memory(inputs: _Inputs) -> Outcome:
        small: dict[str, Any] = {"kind": kind, "length": 4, "nodes": 10}
        workloads = {OURS: ours} | ({openfst.NAME: theirs} if openfst.present() else {})
        return Outcome(
            figures={
                f"{name}, peak extra memory (MB)": cost(
                    workload, small, inputs.size | {"kind": kind}, 1
                ).megabytes
                for name, workload in workloads.items()
            }
        )

    return (
        Race(
            kind,
            lambda inputs: composers(inputs.pairs[kind]),
            lambda inputs: question(inputs.pairs[kind]),
        ),
        Figures(
            f"{kind}, memory", memory, goals=(Goal("gtn, peak extra memory (MB)", at_most=20),)
        ),
    )


EMPTY_ANSWER = Case(
    "empty-answer",
    "Compose a chain with a graph of which no path fits: the answer is empty",
    {
        "full": {"length": 1_000, "nodes": 20_000},
        "quick": {"length": 1_000, "nodes": 5_000},
        "smallest": {"length": 10, "nodes": 20},
    },
    _Inputs,
    tuple(task for kind in KINDS for task in _tasks(kind)),
)
