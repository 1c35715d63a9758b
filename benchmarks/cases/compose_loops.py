"""Composition of a chain with nodes of many looping arcs: where matching is most of the work."""

from __future__ import annotations

from typing import NamedTuple

import gtn
from benchmarks.case import Case, Entrant, Goal, Question, Race
from benchmarks.cases.composing import Pair, composers, planned, question
from benchmarks.graphs import dense_loops


class _Inputs(NamedTuple):
    pair: Pair
    arcs: int


def _inputs(frames: int, classes: int, nodes: int, arcs: int) -> _Inputs:
    pair = dense_loops(frames, classes, nodes, arcs)
    return _Inputs(pair, gtn.compose(*pair).num_arcs)


def _entrants(inputs: _Inputs) -> list[Entrant]:
    ours, *theirs = composers(inputs.pair)
    return [ours, planned(inputs.pair), *theirs]


def _question(inputs: _Inputs) -> Question:
    return question(inputs.pair)


COMPOSE_LOOPS = Case(
    "compose-loops",
    "Compose a chain with nodes of as many arcs to themselves as to the next",
    {
        "full": {"frames": 100, "classes": 20, "nodes": 50, "arcs": 500},
        "quick": {"frames": 100, "classes": 20, "nodes": 50, "arcs": 500},
        "smallest": {"frames": 8, "classes": 4, "nodes": 3, "arcs": 10},
    },
    _inputs,
    (
        Race(
            "compose",
            _entrants,
            _question,
            per=("arc out", lambda inputs: inputs.arcs),
            goals=(Goal("OpenFst / gtn", at_least=4),),
        ),
    ),
)
