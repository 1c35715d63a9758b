"""Sums over all paths of large acyclic graphs, and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gtn
from benchmarks.case import Answer, Case, Entrant, Goal, Question, Race
from benchmarks.cases.large_graphs import SIZES, Graphs, graphs, parallel, sparse
from benchmarks.graphs import fresh
from benchmarks.peers.openfst import machine, openfst
from benchmarks.peers.process import as_arrays

Choice = Callable[[Graphs], gtn.Graph]


def forward_backward(graph: gtn.Graph) -> Any:
    """Return the forward penalty after its backward pass."""
    penalty = gtn.forward_penalty(graph)
    penalty.backward()
    return penalty.detach()


def with_gradient(graph: gtn.Graph) -> gtn.Graph:
    """Return the graph, fresh, with penalties that need a gradient."""
    return fresh(graph).with_penalties(graph.penalties.clone().requires_grad_())


def _total(penalty: Any) -> Answer:
    return {"penalty": float(penalty)}


def _forward(choice: Choice) -> Race:
    def entrants(inputs: Graphs) -> list[Entrant]:
        graph = choice(inputs)
        return [
            Entrant("gtn", gtn.forward_penalty, lambda: (fresh(graph),), _total),
            *openfst(
                lambda pynini, fst: pynini.shortestdistance(fst),
                lambda: [machine(graph, "log64")],
                lambda distances: {"penalty": float(distances[int(graph.finals[0])])},
            ),
        ]

    def question(inputs: Graphs) -> Question:
        return Question("forward", as_arrays("a", choice(inputs)))

    goals = (Goal("OpenFst / gtn", at_least=10),) if choice is sparse else ()
    return Race(f"forward, {NAMED[choice]}", entrants, question, _per_arc(choice), goals)


def _forward_backward(choice: Choice) -> Race:
    def entrants(inputs: Graphs) -> list[Entrant]:
        graph = choice(inputs)
        values = -graph.penalties.numpy()
        return [
            Entrant("gtn", forward_backward, lambda: (with_gradient(graph),), _total),
            Entrant("numpy.exp of as many values", np.exp, lambda: (values,)),
        ]

    def question(inputs: Graphs) -> Question:
        return Question("forward_backward", as_arrays("a", choice(inputs)))

    goals = (Goal("gtn / numpy.exp of as many values", at_most=25),) if choice is sparse else ()
    name = f"forward and backward, {NAMED[choice]}"
    return Race(name, entrants, question, _per_arc(choice), goals)


def _per_arc(choice: Choice) -> tuple[str, Callable[[Graphs], float]]:
    return "arc", lambda inputs: choice(inputs).num_arcs


NAMED: dict[Choice, str] = {sparse: "random graph", parallel: "parallel arcs"}

FORWARD = Case(
    "forward",
    "Sum over all paths of a random acyclic graph, and of a chain with parallel arcs",
    SIZES,
    graphs,
    tuple(race(choice) for choice in (sparse, parallel) for race in (_forward, _forward_backward)),
)
