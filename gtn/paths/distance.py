"""Shortest distances: from the start to each node, or from each node to the end."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.paths.ways import least_ways
from gtn.product.failure import check_reads_none
from gtn.scoring.recursion import AcyclicSums, as_shares, path_sums, potentials, solve
from gtn.tensors import as_array, as_given, as_index, float64_penalties
from gtn.topology import Topology

__all__ = ["Semiring", "distances_float64", "shortest_distance"]

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]
Direction = Literal["forward", "backward"]
Semiring = Literal["log", "tropical"]


def shortest_distance(
    graph: Graph, direction: Direction = "forward", semiring: Semiring = "log"
) -> torch.Tensor:
    """Return, for each node, the sum over (or the least of) all ways from the start to it.

    In the log semiring, minus the logarithm of the sum of exp(-penalty) over all ways: the forward
    potentials of eq. 13. In the tropical one, the least penalty of a way: eq. 10. O(N + A) on
    acyclic graphs; exact on graphs with cycles. Start penalties count, final ones do not; with
    ``"backward"``, the reverse.

    Args:
        graph: a graph or a batch.
        direction: ``"forward"``, ways from a start to the node; ``"backward"``, ways from the
            node to a final.
        semiring: ``"log"`` or ``"tropical"``.

    Returns:
        ``[N]`` in nats, in the penalties' dtype; ``inf``, with gradient zero, for nodes without a
        way. Differentiable to any order; tropical distances along one tree of least ways (on
        ties the start, then the lowest arc).

    Raises:
        DivergentGraphError: log, and the sum at a reachable node is infinite; the message names
            the component that does not converge.
        NegativeCycleError: tropical, and a reachable cycle has a negative penalty.
        GraphError: a NaN or -inf penalty, or a failure arc; the message names the arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 2, 8, 0.5), (2, 1, 9, 0.25)], final=1)
    >>> shortest_distance(g, semiring="tropical")
    tensor([0.0000, 0.7500, 0.5000])
    >>> shortest_distance(g, "backward", "tropical")
    tensor([0.7500, 0.0000, 0.2500])
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    return as_given(distances_float64(graph, direction, semiring), graph)


def distances_float64(graph: Graph, direction: Direction, semiring: Semiring) -> torch.Tensor:
    """Return the shortest distances in float64 on the CPU, for differences before rounding."""
    if direction not in ("forward", "backward"):
        raise GraphError(f"direction={direction!r}; it is 'forward' or 'backward'")
    if semiring not in ("log", "tropical"):
        raise GraphError(f"semiring={semiring!r}; it is 'log' or 'tropical'")
    arcs, starts, finals = float64_penalties(graph)
    backward = direction == "backward"
    topology, seeds = graph.topology, starts
    if backward:
        topology, seeds = topology.reversed, finals
    if semiring == "log":
        return potentials(path_sums(topology, arcs, seeds), arcs, seeds)
    ends = as_array(starts), as_array(finals)
    _, entry = least_ways(graph.topology, as_array(arcs), *ends, backward=backward, everywhere=True)
    return _along_tree(topology, entry, arcs, seeds)


def _along_tree(
    topology: Topology, entry: Int32s, arcs: torch.Tensor, seeds: torch.Tensor
) -> torch.Tensor:
    """Return the least penalty of a way to each node, a sum along the tree of least ways.

    Args:
        entry: the arc by which the least way enters each node; -1 if it begins there or is none.
    """
    origin = np.full(topology.num_nodes, -1, dtype=np.int32)
    origin[topology.starts] = np.arange(len(topology.starts))
    roots = np.flatnonzero((entry < 0) & (origin >= 0)).astype(np.int32)
    inner = np.flatnonzero(entry >= 0).astype(np.int32)
    own = arcs.new_full((topology.num_nodes,), torch.inf)
    own = own.index_copy(0, as_index(roots), seeds.index_select(0, as_index(origin[roots])))
    own = own.index_copy(0, as_index(inner), arcs.index_select(0, as_index(entry[inner])))
    reached = own.isfinite()
    none = np.zeros(len(inner), dtype=np.int32)
    tree = Topology(
        topology.num_nodes,
        topology.src[entry[inner]],
        inner,
        none,
        starts=none[:0],
        finals=none[:0],
        check=False,
    )
    ones = torch.ones(len(inner), dtype=torch.float64)
    sums = _TreeSums(tree, as_array(ones))
    found = solve(sums, ones, torch.where(reached, own, 0.0))
    return torch.where(reached, found, torch.inf)


class _TreeSums(AcyclicSums):
    """The linear solve along a tree whose arcs all have the share 1: sums from its roots."""

    def __init__(self, tree: Topology, ones: Float64s) -> None:
        self.topology = tree
        self._sums = as_shares(tree, ones)
