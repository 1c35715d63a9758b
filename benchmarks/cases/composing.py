"""Entrants that compose two graphs, shared by several cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gtn
from benchmarks.case import OURS, Answer, Entrant, Question
from benchmarks.graphs import fresh
from benchmarks.peers.openfst import arcs, least, machine, openfst
from benchmarks.peers.process import as_arrays

__all__ = ["Pair", "composers", "planned", "question"]

Pair = tuple[gtn.Graph, gtn.Graph]


def composed(result: gtn.Graph) -> Answer:
    """Return the size of a composition and the least penalty of its paths."""
    answer = {"arcs": float(result.num_arcs)}
    if result.num_arcs:
        answer["penalty"] = float(gtn.viterbi_penalty(result))
    return answer


def composers(pair: Pair, *, name: str = OURS, theirs: bool = True) -> list[Entrant]:
    """Return our entrant on fresh topologies, and OpenFst on machines sorted beforehand."""
    a, b = pair
    ours = Entrant(name, gtn.compose, lambda: (fresh(a), fresh(b)), composed)
    if not theirs:
        return [ours]
    return [ours, *openfst(_composed_there, lambda: _machines(pair), _answer)]


def planned(pair: Pair, name: str = f"{OURS}, plan at hand") -> Entrant:
    """Return our entrant with the structure already built, as from the second epoch on."""
    plan = gtn.ComposePlan(pair[0].topology, pair[1].topology)
    return Entrant(name, plan, lambda: pair, composed)


def question(pair: Pair) -> Question:
    """Return the same task for peers in other interpreters."""
    return Question("compose", as_arrays("a", pair[0]) | as_arrays("b", pair[1]))


def _machines(pair: Pair) -> Sequence[Any]:
    return machine(pair[0], sort="olabel"), machine(pair[1], sort="ilabel")


def _composed_there(pynini: Any, a: Any, b: Any) -> Any:
    return pynini.compose(a, b)


def _answer(fst: Any) -> Answer:
    count = float(arcs(fst))
    return {"arcs": count, "penalty": least(fst)} if count else {"arcs": count}
