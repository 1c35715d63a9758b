"""The best path of large acyclic graphs."""

from __future__ import annotations

from typing import Any

import gtn
from benchmarks.case import Answer, Case, Entrant, Question, Race
from benchmarks.cases.forward import NAMED, Choice
from benchmarks.cases.large_graphs import SIZES, Graphs, graphs, parallel, sparse
from benchmarks.graphs import fresh
from benchmarks.peers.openfst import least, machine, openfst
from benchmarks.peers.process import as_arrays


def _answer(path: Any) -> Answer:
    return {"penalty": float(gtn.viterbi_penalty(path))}


def _race(choice: Choice) -> Race:
    def entrants(inputs: Graphs) -> list[Entrant]:
        graph = choice(inputs)
        return [
            Entrant("gtn", gtn.viterbi_path, lambda: (fresh(graph),), _answer),
            *openfst(
                lambda pynini, fst: pynini.shortestpath(fst),
                lambda: [machine(graph)],
                lambda path: {"penalty": least(path)},
            ),
        ]

    def question(inputs: Graphs) -> Question:
        return Question("viterbi_path", as_arrays("a", choice(inputs)))

    per_arc = ("arc", lambda inputs: choice(inputs).num_arcs)
    return Race(f"best path, {NAMED[choice]}", entrants, question, per_arc)


VITERBI = Case(
    "viterbi",
    "Best path of a random acyclic graph, and of a chain with parallel arcs",
    SIZES,
    graphs,
    (_race(sparse), _race(parallel)),
)
