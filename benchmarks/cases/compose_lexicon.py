"""Composition of a lattice of letters with a lexicon: what a reader of words does per line."""

from __future__ import annotations

from typing import NamedTuple

import gtn
from benchmarks.case import Case, Entrant, Goal, Question, Race
from benchmarks.cases.composing import Pair, composers, planned, question
from benchmarks.graphs import letter_lattice, lexicon, shuffled


class _Inputs(NamedTuple):
    ordered: Pair
    unordered: Pair
    arcs: int


def _inputs(frames: int, words: int) -> _Inputs:
    pair = letter_lattice(frames), lexicon(words)
    unordered = shuffled(pair[0], 1), shuffled(pair[1], 2)
    return _Inputs(pair, unordered, gtn.compose(*pair).num_arcs)


def _entrants(inputs: _Inputs) -> list[Entrant]:
    ours, *theirs = composers(inputs.ordered)
    unsorted = composers(inputs.unordered, name="gtn, unsorted input", theirs=False)
    return [ours, *unsorted, planned(inputs.ordered), *theirs]


def _question(inputs: _Inputs) -> Question:
    return question(inputs.ordered)


COMPOSE_LEXICON = Case(
    "compose-lexicon",
    "Compose a lattice of 26 letters a frame with the closure of a lexicon",
    {
        "full": {"frames": 12, "words": 25_000},
        "quick": {"frames": 12, "words": 5_000},
        "smallest": {"frames": 5, "words": 50},
    },
    _inputs,
    (
        Race(
            "compose",
            _entrants,
            _question,
            per=("arc out", lambda inputs: inputs.arcs),
            goals=(
                Goal("OpenFst / gtn", at_least=10),
                Goal("Facebook's gtn / gtn", at_least=2),
                Goal("gtn, unsorted input / gtn", at_most=1.2),
            ),
        ),
    ),
)
