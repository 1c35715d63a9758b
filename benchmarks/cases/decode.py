"""Decoding a line of text with a lexicon: the best path of a composition that is not built."""

from __future__ import annotations

from typing import Any, NamedTuple

import gtn
from benchmarks.case import Answer, Case, Entrant, Goal, Race
from benchmarks.cases.composing import Pair
from benchmarks.graphs import fresh, lexicon, spoken
from benchmarks.peers.openfst import least, machine, openfst

BEAM = 8.0


class _Inputs(NamedTuple):
    large: Pair
    small: Pair  # its whole composition takes less than seconds


def _inputs(frames: int, words: int, few_words: int) -> _Inputs:
    large, small = ((spoken(frames, n), lexicon(n)) for n in (words, few_words))
    return _Inputs(large, small)


def pruned(lattice: gtn.Graph, words: gtn.Graph) -> gtn.Graph:
    """Return the best path found with a beam."""
    return gtn.viterbi_path(lattice, words, beam=BEAM)


def whole(lattice: gtn.Graph, words: gtn.Graph) -> gtn.Graph:
    """Return the best path of the whole composition."""
    return gtn.viterbi_path(gtn.compose(lattice, words))


def _answer(path: Any) -> Answer:
    return {"penalty": float(gtn.viterbi_penalty(path))}


def _beam(pair: Pair) -> list[Entrant]:
    lattice, words = pair
    return [
        Entrant("gtn", pruned, lambda: (fresh(lattice), fresh(words)), _answer),
        Entrant("gtn, lexicon at hand", pruned, lambda: (fresh(lattice), words), _answer),
    ]


def _against_whole(pair: Pair) -> list[Entrant]:
    lattice, words = pair
    return [
        *_beam(pair),
        Entrant("gtn, whole composition", whole, lambda: (fresh(lattice), words), _answer),
        *openfst(
            lambda pynini, a, b: pynini.shortestpath(pynini.compose(a, b)),
            lambda: [machine(lattice, sort="olabel"), machine(words, sort="ilabel")],
            lambda fst: {"penalty": least(fst)},
            name="OpenFst, whole composition",
        ),
    ]


DECODE = Case(
    "decode",
    "Decode frames of 26 letters with any sequence of words, beam of 8 nats",
    {
        "full": {"frames": 60, "words": 25_000, "few_words": 2_000},
        "quick": {"frames": 60, "words": 25_000, "few_words": 500},
        "smallest": {"frames": 15, "words": 40, "few_words": 40},
    },
    _inputs,
    (
        Race(
            "best path",
            lambda inputs: _beam(inputs.large),
            goals=(Goal("gtn", at_most=20),),
        ),
        Race("best path, few words", lambda inputs: _against_whole(inputs.small)),
    ),
)
