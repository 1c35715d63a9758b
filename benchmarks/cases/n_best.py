"""The best hundred paths of a lattice."""

from __future__ import annotations

from typing import Any

import torch

import gtn
from benchmarks.case import Answer, Case, Entrant, Race
from benchmarks.graphs import fresh, sparse_graph
from benchmarks.peers.openfst import machine, openfst

COUNT = 100


def _answer(penalties: list[float]) -> Answer:
    return {f"path {i}": p for i, p in enumerate(sorted(penalties))}


def _ours(paths: Any) -> Answer:
    total: torch.Tensor = gtn.viterbi_penalty(paths)
    return _answer(total.tolist())


def _entrants(graph: gtn.Graph) -> list[Entrant]:
    return [
        Entrant("gtn", lambda g: gtn.n_best(g, COUNT), lambda: (fresh(graph),), _ours),
        *openfst(
            lambda pynini, fst: pynini.shortestpath(fst, nshortest=COUNT),
            lambda: [machine(graph)],
            lambda fst: _answer([float(w) for w in fst.paths().weights()]),
        ),
    ]


N_BEST = Case(
    "n-best",
    "Best 100 paths of a random acyclic graph",
    {
        "full": {"nodes": 12_500, "arcs": 50_000},
        "quick": {"nodes": 12_500, "arcs": 50_000},
        "smallest": {"nodes": 30, "arcs": 120},
    },
    sparse_graph,
    (Race("best paths", _entrants),),
)
