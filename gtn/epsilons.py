"""Removal of epsilons: the same strings and penalties without arcs that neither read nor write."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gtn.arguments import whole_number
from gtn.batch import assemble, gather
from gtn.data import Sources
from gtn.errors import CyclicGraphError, GraphError
from gtn.graph import Graph, check_graph, check_penalties
from gtn.indexes import LARGEST, ArcIndex, frozen, grouped
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
        TypeError: ``max_arcs`` is not a whole number.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, None, 1.0), (0, 2, 7, 0.5), (1, 2, 8, 2.0)], final=2)
    >>> remove_epsilon(g)
    Graph: 2 nodes, 2 arcs, start 0, final 1
      0 -> 1  7  0.5
      0 -> 1  8  3
    """
    check_graph(graph)
    return without_epsilons(graph, semiring, min(whole_number(max_arcs, "max_arcs"), LARGEST))[0]


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
    found = closures(frozen(roots), t.dst, *_by_source(t, silent), max_arcs)
    ways, too_many = _Closures(*found[:-1]), found[-1]
    out_offsets, out_arcs = _by_source(t, speaking)
    counts = np.diff(out_offsets)[ways.nodes if not too_many else ways.nodes[:0]]
    if too_many or counts.sum(dtype=np.int64) > max_arcs:
        raise GraphError(
            f"removing {len(silent)} epsilons makes more than {max_arcs} arcs, or follows more; "
            "let fewer nodes be joined by them (determinize or minimize what they join), or allow "
            "more with max_arcs"
        )
    arcs64, starts64, finals64 = float64_penalties(graph)
    try:
        distances, finals = _distances(t, ways, part.finals, arcs64, finals64, semiring)
    except CyclicGraphError:
        _name_cycle(graph, silent, semiring)
        raise
    # The arcs of each place leave its root.
    place = np.repeat(np.arange(len(ways.nodes), dtype=np.int32), counts)
    within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    arcs = out_arcs[out_offsets[ways.nodes[place]] + within]
    order = np.argsort(arcs, kind="stable")  # as before, where nothing was removed
    place, arcs = place[order], arcs[order]
    number = np.cumsum(is_root, dtype=np.int32) - np.int32(1)
    node_offsets = np.r_[np.int32(0), number + np.int32(1)][t.node_offsets]
    topology = Topology(
        len(roots),
        ways.roots()[place],
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
        as_given(gather(distances, finals + np.int32(len(ways.nodes))), graph),
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data=graph.data.take(sources),
        sources=(sources,),
    )
    return made, roots


class _Closures(NamedTuple):
    """What each root reaches by epsilons: places, numbered root by root, each root first.

    offsets: where the places of each root begin, ``[R + 1]``.
    nodes: the node of each place.
    src, dst, followed: of each epsilon, the places that it leaves and enters, and its number.
    """

    offsets: NDArray[np.int64]
    nodes: Int32s
    src: Int32s
    dst: Int32s
    followed: Int32s

    def roots(self) -> NDArray[np.int64]:
        """Return the root of each place."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def _distances(
    t: Topology,
    ways: _Closures,
    is_end: NDArray[np.bool_],
    arcs64: Tensor,
    finals64: Tensor,
    semiring: Semiring,
) -> tuple[Tensor, Int32s]:
    """Return distances from the roots, of each place and then of each root's end; and the finals.

    The finals are the roots that reach an end: one of those that are marked among the finals of
    the graph.
    """
    places, count = len(ways.nodes), len(ways.offsets) - 1
    final_of = np.full(t.num_nodes, -1, dtype=np.int32)
    final_of[t.finals[is_end]] = np.flatnonzero(is_end)
    ends = np.flatnonzero(final_of[ways.nodes] >= 0)
    roots = ways.roots()[ends]
    # One graph of all closures; the ends of each lead to one additional node.
    walk = Topology(
        places + count,
        np.concatenate((ways.src, ends)),
        np.concatenate((ways.dst, places + roots)),
        np.zeros(len(ways.src) + len(ends), dtype=np.int32),
        starts=ways.offsets[:-1],
        finals=np.empty(0, dtype=np.int32),
        check=False,
    )
    penalties = torch.cat(
        (gather(arcs64, ways.followed), gather(finals64, final_of[ways.nodes[ends]]))
    )
    distances = distances_float64(Graph(walk, penalties, check=False), "forward", semiring)
    finals = np.flatnonzero(np.bincount(roots, minlength=count)).astype(np.int32)
    return distances, finals


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
