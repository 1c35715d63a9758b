"""A lexicon made small: union of all words, determinized and minimized."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

import gtn
from benchmarks.case import Answer, Case, Entrant, Race
from benchmarks.graphs import fresh, words
from benchmarks.peers.openfst import arcs, machine, openfst


class _Inputs(NamedTuple):
    plain: gtn.Graph
    weighted: gtn.Graph  # a penalty on the first arc of each word


def _inputs(count: int) -> _Inputs:
    """Return a chain for each word, all from node 0, without and with penalties."""
    texts = words(count)
    lengths = np.array([len(w) for w in texts])
    last = np.cumsum(lengths)
    first = last - lengths
    labels = np.frombuffer("".join(texts).encode(), dtype=np.uint8).astype(np.int32) - 97
    dst = np.arange(1, len(labels) + 1)
    src = dst - 1
    src[first] = 0
    plain = gtn.Graph.from_arrays(
        src, dst, labels, penalties=torch.zeros(len(src), dtype=torch.float64), final=last
    )
    penalties = torch.zeros(len(src), dtype=torch.float64)
    ranks = torch.arange(2, count + 2, dtype=torch.float64)
    penalties[torch.from_numpy(first)] = (ranks.log2() * 4).round() / 4
    return _Inputs(plain, plain.with_penalties(penalties))


def _entrants_of(graph: gtn.Graph, semiring: Any) -> list[Entrant]:
    def ours(g: gtn.Graph) -> gtn.Graph:
        return gtn.minimize(gtn.determinize(g, semiring=semiring), semiring=semiring)

    def theirs(pynini: Any, fst: Any) -> Any:
        return pynini.determinize(fst).minimize()

    def answer(g: gtn.Graph) -> Answer:
        return {"nodes": g.num_nodes, "arcs": g.num_arcs}

    return [
        Entrant("gtn", ours, lambda: (fresh(graph),), answer),
        *openfst(
            theirs,
            lambda: [machine(graph)],
            lambda fst: {"nodes": fst.num_states(), "arcs": arcs(fst)},
        ),
    ]


DETERMINIZE = Case(
    "determinize",
    "Determinize and minimize the union of words",
    {"full": {"count": 25_000}, "quick": {"count": 5_000}, "smallest": {"count": 60}},
    _inputs,
    (
        Race("without penalties", lambda inputs: _entrants_of(inputs.plain, "boolean")),
        Race("with penalties", lambda inputs: _entrants_of(inputs.weighted, "tropical")),
    ),
)
