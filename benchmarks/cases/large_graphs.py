"""The two large graphs for sums over paths and for best paths."""

from __future__ import annotations

import gtn
from benchmarks.graphs import parallel_arcs, sparse_graph

__all__ = ["SIZES", "Graphs", "graphs", "parallel", "sparse"]

Graphs = tuple[gtn.Graph, gtn.Graph]

SIZES = {
    "full": {"nodes": 100_000, "arcs": 400_000, "length": 100, "parallel": 20_000},
    "quick": {"nodes": 100_000, "arcs": 400_000, "length": 100, "parallel": 2_000},
    "smallest": {"nodes": 100, "arcs": 400, "length": 5, "parallel": 20},
}
"""Sizes of a random acyclic graph, and of a chain with parallel arcs."""


def graphs(nodes: int, arcs: int, length: int, parallel: int) -> Graphs:
    """Return a random acyclic graph and a chain with parallel arcs."""
    return sparse_graph(nodes, arcs), parallel_arcs(length, parallel)


def sparse(inputs: Graphs) -> gtn.Graph:
    """Return the random graph."""
    return inputs[0]


def parallel(inputs: Graphs) -> gtn.Graph:
    """Return the chain."""
    return inputs[1]
