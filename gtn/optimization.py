"""Optimization: connect and sort nodes, keeping all paths and their penalties."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import rearranged
from gtn.graph import Graph, check_graph
from gtn.product.failure import FailureArcs, failure_label
from gtn.tensors import as_mask
from gtn.topology import Topology

__all__ = ["connect", "finite", "finite_part", "only_arcs", "topsort"]

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]


def connect(graph: Graph) -> Graph:
    """Return the graph without the nodes and arcs that lie on no path from start to final.

    Nodes and arcs keep their order. Arcs of any penalty count, infinity included. At a node with
    a failure arc (``gtn.BACK_OFF``), an arc that leads nowhere forbids its label, so it stays. On
    a batch, graph by graph. O(N + A).

    Raises:
        GraphError: failure arcs that cannot be followed, such as two at one node; names them.

    >>> import gtn
    >>> connect(gtn.Graph.from_arcs([(0, 1, 7), (0, 2, 8), (3, 2, 9)], final=2))
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  8  0
    """
    check_graph(graph)
    t = graph.topology
    if t.is_connected:
        return rearranged(graph, t, _all(t.num_arcs), _all(len(t.starts)), _all(len(t.finals)))
    return only_arcs(graph, np.ones(t.num_arcs, dtype=np.bool_))


def only_arcs(graph: Graph, arcs: Mask) -> Graph:
    """Return the graph of some of its arcs, ``bool [A]``, connected: O(N + A)."""
    t = graph.topology
    starts, finals = (np.ones(len(n), dtype=np.bool_) for n in (t.starts, t.finals))
    return _part(graph, Finite(t.only(arcs, starts, finals).on_paths, arcs, starts, finals))[0]


class Finite(NamedTuple):
    """Which nodes lie on a path of finite penalty, and which arcs and ends are not forbidden."""

    nodes: Mask
    arcs: Mask
    starts: Mask
    finals: Mask


def finite(graph: Graph) -> Finite:
    """Return which arcs and ends have finite penalties, and which nodes lie on paths of them."""
    arcs, starts, finals = (
        as_mask(penalties.detach() != torch.inf)
        for penalties in (graph.penalties, graph.start_penalties, graph.final_penalties)
    )
    return Finite(graph.topology.only(arcs, starts, finals).on_paths, arcs, starts, finals)


def finite_part(graph: Graph) -> tuple[Graph, Int32s]:
    """Return the graph of its paths of finite penalty, connected, and its nodes' old numbers."""
    return _part(graph, finite(graph))


def _part(graph: Graph, part: Finite) -> tuple[Graph, Int32s]:
    t, kept = graph.topology, part.nodes
    label = failure_label(graph, None)
    stays = part.arcs
    if label is not None:  # arcs that lead nowhere or are forbidden still forbid their labels
        forbids = (kept & (FailureArcs.of(t, label).arcs >= 0))[t.src]
        kept, stays = kept.copy(), stays | forbids
        kept[t.dst[forbids]] = True
    arcs = np.flatnonzero(kept[t.src] & kept[t.dst] & stays).astype(np.int32)
    number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    starts = np.flatnonzero(kept[t.starts] & part.starts).astype(np.int32)
    finals = np.flatnonzero(kept[t.finals] & part.finals).astype(np.int32)
    before = np.r_[np.int32(0), number + 1]  # how many nodes are kept before each
    topology = Topology(
        int(before[-1]),
        number[t.src[arcs]],
        number[t.dst[arcs]],
        *t.labels_of(arcs),
        starts=number[t.starts[starts]],
        finals=number[t.finals[finals]],
        node_offsets=before[t.node_offsets],
        arc_offsets=np.searchsorted(arcs, t.arc_offsets),
        is_batch=t.is_batch,
        check=False,
    )
    return rearranged(graph, topology, arcs, starts, finals), np.flatnonzero(kept).astype(np.int32)


def topsort(graph: Graph) -> Graph:
    """Return the graph with its nodes renumbered so that every arc goes to a larger number.

    Nodes keep their numbers if every arc does so already. Arcs are sorted by source node; those of
    one node keep their order. On a batch, graph by graph. O(N + A).

    Raises:
        CyclicGraphError: naming the nodes of a cycle.

    >>> import gtn
    >>> topsort(gtn.Graph.from_arcs([(1, 0, 7), (2, 1, 8)], start=2, final=0))
    Graph: 3 nodes, 2 arcs, start 0, final 2
      0 -> 1  8  0
      1 -> 2  7  0
    """
    check_graph(graph)
    t = graph.topology
    order = t.order
    owner = t.graph_of_nodes(order)
    order, owner = order[np.argsort(owner, kind="stable")], np.sort(owner)
    changed = np.zeros(t.batch_size, dtype=np.bool_)
    changed[t.arc_graph[t.src > t.dst]] = True
    order = np.where(changed[owner], order, _all(t.num_nodes))
    number = np.empty(t.num_nodes, dtype=np.int32)
    number[order] = _all(t.num_nodes)
    src = number[t.src]
    arcs, starts, finals = (
        np.argsort(numbers, kind="stable").astype(np.int32)
        for numbers in (src, number[t.starts], number[t.finals])
    )
    topology = Topology(
        t.num_nodes,
        src[arcs],
        number[t.dst[arcs]],
        *t.labels_of(arcs),
        starts=number[t.starts[starts]],
        finals=number[t.finals[finals]],
        node_offsets=t.node_offsets,
        arc_offsets=t.arc_offsets,
        is_batch=t.is_batch,
        check=False,
    )
    return rearranged(graph, topology, arcs, starts, finals)


def _all(count: int) -> Int32s:
    return np.arange(count, dtype=np.int32)
