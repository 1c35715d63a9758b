"""Removal of epsilons: the same strings and penalties without arcs that neither read nor write."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble, gather
from gtn.data import Sources
from gtn.errors import CyclicGraphError, GraphError
from gtn.graph import Graph, check_graph, check_penalties
from gtn.indexes import ArcIndex, frozen, grouped
from gtn.kernels.epsilons import closures
from gtn.optimization import finite, finite_part
from gtn.paths.distance import Semiring, distances_float64
from gtn.product.failure import check_reads_none
from gtn.symbols import EPSILON
from gtn.tensors import as_given, as_index, float64_penalties
from gtn.topology import Topology

__all__ = ["remove_epsilon", "without_epsilons"]

Int32s = NDArray[np.int32]


def remove_epsilon(
    graph: Graph, *, semiring: Semiring = "log", max_arcs: int = 50_000_000
) -> Graph:
    """Return the graph without arcs that neither read nor write; penalties of strings stay.

    Where epsilon arcs lead from node p to node q, the arcs of q also leave p, with the shortest
    distance from p to q added: minus log of the sum over all ways (log), or the least
    (tropical). Cycles of epsilons are summed exactly. Nodes that only epsilon arcs enter, other
    than starts, are dropped, and so is what lies on no path of finite penalty. The remaining nodes
    keep their order; arcs have the order of their sources. Value and derivatives of any order are
    exact: the distances are functions of the penalties of the epsilon arcs.

    An arc of the result has one source, the arc that reads or writes, and its data. Arcs made
    from different arcs stay apart, even if parallel. Linear in the size of the result plus, for
    each of its nodes, the epsilon arcs reached from it. On a batch, graph by graph.

    Args:
        graph: graph or batch; arcs that read or write something stay.
        semiring: ``"log"`` or ``"tropical"``.
        max_arcs: how many arcs the result may have, and how many epsilon arcs may be followed:
            where epsilons join m ends to n beginnings, m times n arcs arise.

    Raises:
        DivergentGraphError: log, and a cycle of epsilons that lies on a path of finite penalty
            has an infinite sum.
        NegativeCycleError: tropical, and such a cycle has a negative penalty.
        GraphError: a NaN or -inf penalty; an unknown semiring; too many arcs; failure arcs
            beside epsilons.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, None, 1.0), (0, 2, 7, 0.5), (1, 2, 8, 2.0)], final=2)
    >>> remove_epsilon(g)
    Graph: 2 nodes, 2 arcs, start 0, final 1
      0 -> 1  7  0.5
      0 -> 1  8  3
    """
    check_graph(graph)
    return without_epsilons(graph, semiring, max_arcs)[0]


def without_epsilons(
    graph: Graph, semiring: Semiring, max_arcs: int = 50_000_000
) -> tuple[Graph, Int32s]:
    """Return what :func:`remove_epsilon` does, and the old numbers of its nodes."""
    if semiring not in ("log", "tropical"):
        raise GraphError(f"semiring={semiring!r}; it is 'log' or 'tropical'")
    check_penalties(graph.penalties, graph.num_arcs, "arc")
    t = graph.topology
    is_silent = (t.ilabels == EPSILON) & (t.olabels == EPSILON)
    if not is_silent.any():
        return finite_part(graph)
    check_reads_none(graph, "the graph")  # failure arcs would stand beside arcs of other nodes
    part = finite(graph)
    on_path = part.nodes[t.src] & part.nodes[t.dst] & part.arcs
    silent = np.flatnonzero(is_silent & on_path).astype(np.int32)
    speaking = np.flatnonzero(~is_silent & on_path).astype(np.int32)
    starts = np.flatnonzero(part.nodes[t.starts] & part.starts).astype(np.int32)
    # The nodes that stay: starts, and nodes entered by an arc that reads or writes.
    is_root = np.zeros(t.num_nodes, dtype=np.bool_)
    is_root[t.starts[starts]] = is_root[t.dst[speaking]] = True
    roots = np.flatnonzero(is_root).astype(np.int32)
    silent_offsets, silent_arcs = _by_source(t, silent)
    place_offsets, nodes, src, dst, followed, too_many = closures(
        frozen(roots), t.dst, silent_offsets, silent_arcs, max_arcs
    )
    out_offsets, out_arcs = _by_source(t, speaking)
    counts = np.diff(out_offsets)[nodes if not too_many else nodes[:0]]
    if too_many or counts.sum(dtype=np.int64) > max_arcs:
        raise GraphError(
            f"removing {len(silent)} epsilons makes more than {max_arcs} arcs, or follows more; "
            "let fewer nodes be joined by them (determinize or minimize what they join), or allow "
            "more with max_arcs"
        )
    final_of = np.full(t.num_nodes, -1, dtype=np.int32)
    final_of[t.finals[part.finals]] = np.flatnonzero(part.finals)
    root_of = np.repeat(np.arange(len(roots)), np.diff(place_offsets))
    ends = np.flatnonzero(final_of[nodes] >= 0)
    finals = np.flatnonzero(np.bincount(root_of[ends], minlength=len(roots))).astype(np.int32)
    # One graph of all closures; the ends of each lead to one additional node.
    arcs64, starts64, finals64 = float64_penalties(graph)
    walk = Topology(
        len(nodes) + len(roots),
        np.concatenate((src, ends)),
        np.concatenate((dst, len(nodes) + root_of[ends])),
        np.zeros(len(src) + len(ends), dtype=np.int32),
        starts=place_offsets[:-1],
        finals=np.empty(0, dtype=np.int32),
        check=False,
    )
    penalties = torch.cat((gather(arcs64, followed), gather(finals64, final_of[nodes[ends]])))
    ways = Graph(walk, penalties, check=False)
    try:
        distances = distances_float64(ways, "forward", semiring)
    except CyclicGraphError:
        _name_cycle(graph, silent, semiring)
        raise
    # The arcs of each place leave its root.
    place = np.repeat(np.arange(len(nodes), dtype=np.int32), counts)
    within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    arcs = out_arcs[out_offsets[nodes[place]] + within]
    order = np.argsort(arcs, kind="stable")  # as before, where nothing was removed
    place, arcs = place[order], arcs[order]
    number = np.cumsum(is_root, dtype=np.int32) - np.int32(1)
    node_offsets = np.r_[np.int32(0), number + np.int32(1)][t.node_offsets]
    new_src = root_of[place]
    topology = Topology(
        len(roots),
        new_src,
        number[t.dst[arcs]],
        *t.labels_of(arcs),
        starts=number[t.starts[starts]],
        finals=finals,
        node_offsets=node_offsets,
        arc_offsets=np.searchsorted(arcs, t.arc_offsets),
        is_batch=t.is_batch,
        check=False,
    )
    sources = Sources(arcs)
    made = assemble(
        topology,
        as_given(gather(distances, place) + gather(arcs64, arcs), graph),
        as_given(gather(starts64, starts), graph),
        as_given(gather(distances, finals + np.int32(len(nodes))), graph),
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data=graph.data.take(sources),
        sources=(sources,),
    )
    return made, roots


def _by_source(t: Topology, arcs: Int32s) -> ArcIndex:
    """Return some of the arcs, grouped by their source node."""
    offsets, order = grouped(frozen(t.src[arcs]), t.num_nodes)
    return ArcIndex(offsets, frozen(arcs[order]))


def _name_cycle(graph: Graph, silent: Int32s, semiring: Semiring) -> Any:
    """Raise the error about the cycles of epsilons, with the numbers of the graph."""
    t = graph.topology
    everywhere = np.arange(t.num_nodes, dtype=np.int32)
    penalties = torch.full((t.num_arcs,), torch.inf, dtype=torch.float64)
    index = as_index(silent)
    penalties[index] = graph.penalties.detach().cpu().double()[index]
    walk = Topology(
        t.num_nodes, t.src, t.dst, t.ilabels, starts=everywhere, finals=t.finals, check=False
    )
    distances_float64(Graph(walk, penalties, check=False), "forward", semiring)
