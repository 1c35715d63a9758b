"""Many check-sized problems at once: a training step's graphs, without its network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

import gtn
from benchmarks.case import Answer, Case, Entrant, Goal, Race
from benchmarks.graphs import fresh
from grammars.amounts import amounts

CLASSES = 96
_AMOUNT = "1250"


class _Inputs(NamedTuple):
    large: gtn.GraphBatch  # recognition graphs
    small: gtn.GraphBatch  # recognition graphs of one segment
    grammar: gtn.Graph
    arcs: int  # of the interpretation graphs, without and with the target


def _inputs(problems: int, nodes: int) -> _Inputs:
    grammar = amounts().double()
    large, small = (recognized(problems, n, grammar) for n in (nodes, 2))
    target = gtn.string(_AMOUNT, symbols=grammar.osymbols).double()
    constrained = gtn.compose(large, gtn.compose(grammar, target))
    return _Inputs(
        large, small, grammar, gtn.compose(large, grammar).num_arcs + constrained.num_arcs
    )


def recognized(problems: int, nodes: int, grammar: gtn.Graph) -> gtn.GraphBatch:
    """Return recognition graphs: segments of one to three pieces of ink, each of 96 classes."""
    src, dst = (
        np.array(ends)
        for ends in zip(*((i, j) for i in range(nodes) for j in range(i + 1, min(i + 4, nodes))))
    )
    table = grammar.isymbols
    assert table is not None
    known = [table.symbol(label) for label in table.labels]
    others = [chr(c) for c in range(0x100, 0x200) if chr(c) not in known]
    symbols = gtn.SymbolTable([*known, *others][:CLASSES])
    segments = gtn.GraphBatch.from_graphs(
        [
            gtn.Graph.from_arrays(
                src, dst, np.zeros(len(src), dtype=np.int32), final=nodes - 1
            ).double()
        ]
        * problems
    )
    drawn = np.random.default_rng(0).uniform(0, 5, (segments.num_arcs, CLASSES))
    read = gtn.expand(segments, torch.from_numpy(drawn), symbols=symbols)
    assert isinstance(read, gtn.GraphBatch)
    return read


def loss(recognition: gtn.Graph, grammar: gtn.Graph, targets: gtn.Graph) -> Any:
    """Return the discriminative forward losses of a batch, summed, and their gradient (eq. 17)."""
    correct = gtn.compose(recognition, gtn.compose(grammar, targets))
    every = gtn.compose(recognition, grammar)
    value = (gtn.forward_penalty(correct) - gtn.forward_penalty(every)).sum()
    value.backward()
    return value.detach(), recognition.penalties.grad


def by_criterion(recognition: gtn.Graph, grammar: gtn.Graph, texts: list[str]) -> Any:
    """Return the same loss by the module, which also makes acceptors of the texts."""
    value = gtn.nn.DiscriminativeForwardLoss(grammar, reduction="sum")(recognition, texts)
    value.backward()
    return value.detach(), recognition.penalties.grad


def one_by_one(recognition: gtn.GraphBatch, grammar: gtn.Graph, texts: list[str]) -> Any:
    """Return the same loss by the module, problem by problem."""
    criterion = gtn.nn.DiscriminativeForwardLoss(grammar)
    value = torch.stack([criterion(g, t) for g, t in zip(recognition, texts, strict=True)]).sum()
    value.backward()
    return value.detach(), recognition.penalties.grad


def _answer(result: Any) -> Answer:
    value, gradient = result
    return {"loss": float(value), "gradient": float(gradient.square().sum())}


def _entrants_of(batch: gtn.GraphBatch, grammar: gtn.Graph, target: str) -> list[Entrant]:
    texts = [target] * len(batch)
    acceptor = gtn.string(target, symbols=grammar.osymbols).double()
    targets = gtn.GraphBatch.from_graphs([acceptor] * len(batch))

    def prepare() -> tuple[Any, ...]:
        penalties = batch.penalties.clone().requires_grad_()
        return fresh(batch).with_penalties(penalties), fresh(grammar), fresh(targets)

    def prepare_texts() -> tuple[Any, ...]:
        return *prepare()[:2], texts

    return [
        Entrant("gtn", loss, prepare, _answer),
        Entrant("gtn, two threads", loss, prepare, _answer, threads=2),
        Entrant("gtn.nn.DiscriminativeForwardLoss", by_criterion, prepare_texts, _answer),
        Entrant("the same, problem by problem", one_by_one, prepare_texts, _answer),
    ]


def _large(inputs: _Inputs) -> list[Entrant]:
    return _entrants_of(inputs.large, inputs.grammar, _AMOUNT)


def _small(inputs: _Inputs) -> list[Entrant]:
    return _entrants_of(inputs.small, inputs.grammar, "7")


CHECK_BATCH = Case(
    "check-batch",
    "Check-sized problems at once: segmentation graphs, 96 classes, grammar of amounts; "
    "compose, both forward penalties, backward",
    {
        "full": {"problems": 64, "nodes": 12},
        "quick": {"problems": 16, "nodes": 12},
        "smallest": {"problems": 2, "nodes": 6},
    },
    _inputs,
    (
        Race(
            "12 nodes",
            _large,
            per=("interpretation arc", lambda inputs: inputs.arcs),
            goals=(Goal("gtn, two threads, ns per interpretation arc", at_most=100),),
        ),
        Race(
            "2 nodes",
            _small,
            per=("problem", lambda inputs: len(inputs.small)),
            goals=(Goal("gtn, ns per problem", at_most=20_000),),
        ),
    ),
)
