"""Words looked up in a lexicon one by one: the cost of a call with little to do."""

from __future__ import annotations

from typing import Any, NamedTuple

import gtn
from benchmarks.case import Answer, Case, Entrant, Race
from benchmarks.graphs import words
from benchmarks.peers.openfst import openfst
from grammars.lexicon import lexicon

_TABLE = gtn.SymbolTable("abcdefghijklmnopqrstuvwxyz")


class _Inputs(NamedTuple):
    asked: list[str]
    known: tuple[str, ...]
    graph: gtn.Graph


def _inputs(known: int, asked: int) -> _Inputs:
    found = words(known)
    every = max(1, known // asked)
    return _Inputs(list(found[::every][:asked]), found, lexicon(found, symbols=_TABLE))


def _answer(texts: list[str]) -> Answer:
    return {f"word {i}": float(len(text)) for i, text in enumerate(texts)}


def _entrants(inputs: _Inputs) -> list[Entrant]:
    def ours(graph: gtn.Graph) -> list[str]:
        found = (gtn.string(word, symbols=_TABLE) @ graph for word in inputs.asked)
        return [gtn.path_text(gtn.viterbi_path(one)) for one in found]

    def together(graph: gtn.Graph) -> list[str]:
        found = gtn.strings(inputs.asked, symbols=_TABLE) @ graph
        return list(gtn.path_text(gtn.viterbi_path(found)))

    def theirs(pynini: Any, graph: Any) -> list[str]:
        found = (pynini.accep(word) @ graph for word in inputs.asked)
        return [pynini.shortestpath(one).string() for one in found]

    def machine() -> list[Any]:
        import pynini

        graph = pynini.string_map(inputs.known).optimize()
        return [graph.arcsort("ilabel")]

    # The large graph is laid out once, just as it is sorted once for OpenFst.
    return [
        Entrant("gtn", ours, lambda: (inputs.graph,), _answer),
        Entrant("gtn, all in one call", together, lambda: (inputs.graph,), _answer),
        *openfst(theirs, machine, _answer),
    ]


LOOK_UP = Case(
    "look-up",
    "Look words up in a lexicon, each with its best path and its text",
    {
        "full": {"known": 25_000, "asked": 100},
        "quick": {"known": 5_000, "asked": 100},
        "smallest": {"known": 50, "asked": 5},
    },
    _inputs,
    (Race("one by one", _entrants, per=("word", lambda inputs: len(inputs.asked))),),
)
