"""Unweighted determinization and minimization of acceptors and transducers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gtn.batch import assemble
from gtn.data import Sources
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.kernels.determinization import (
    breadth_first_blocks,
    coarsest_partition,
    subset_construction,
)
from gtn.kernels.reachability import group_by
from gtn.optimization import connect
from gtn.symbols import EPSILON
from gtn.topology import ArcIndex, Topology, frozen

__all__ = ["determinize", "minimize"]

Int32s = NDArray[np.int32]


def determinize(graph: Graph, *, max_nodes: int = 10_000_000) -> Graph:
    """Return the deterministic graph that accepts the same strings, by subset construction.

    For acceptors and for transducers, whose pairs of labels count as one symbol each: the result
    has one start at most, at every node one arc per pair of labels at most, no arc that neither
    reads nor writes, and every node is on a path. Nodes are numbered breadth first from the
    start, arcs go in the order of nodes and labels. On a batch, graph by graph.

    The penalties have to be zero, those of the result are. Several arcs become one: the
    ``sources`` of an arc are all arcs with its labels that leave its subset of nodes, and its
    data are read with a ``reduce``, as in ``g.data.column("time").values(reduce="min")``.

    Args:
        graph: acceptor or transducer; cycles, epsilons, several starts are fine.
        max_nodes: how many nodes the result may have; there can be as many as subsets of nodes.

    Raises:
        GraphError: a penalty that is not zero, naming the arc, start or final; too many nodes.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, "a"), (0, 2, "a"), (1, 3, "b"), (2, 3, "c")], final=3)
    >>> determinize(g)
    Graph: 3 nodes, 3 arcs, start 0, final 2
      0 -> 1  a  0
      1 -> 2  b  0
      1 -> 2  c  0
    >>> determinize(g).sources[0].of(0)
    array([0, 1], dtype=int32)
    """
    _check_unweighted(graph, "determinize")
    t = graph.topology
    symbols = symbols_of(t)
    out = _outgoing(t, symbols)
    final = np.zeros(t.num_nodes, dtype=np.bool_)
    final[t.finals] = True
    node_offsets, src, dst, numbers, offsets, index, is_final, too_many = subset_construction(
        symbols.of_arc,
        t.dst,
        out.offsets,
        out.arcs,
        t.starts,
        frozen(np.searchsorted(t.starts, t.node_offsets).astype(np.int32)),
        frozen(final),
        frozen(t.accessible & t.coaccessible),
        max_nodes,
    )
    if too_many:
        raise GraphError(
            f"the deterministic graph has more than {max_nodes} nodes, from {t.num_nodes}; "
            "allow more with max_nodes"
        )
    return _result(
        graph,
        symbols,
        numbers,
        Sources(index, offsets),
        src=src,
        dst=dst,
        starts=node_offsets[:-1][np.diff(node_offsets) > 0],
        finals=np.flatnonzero(is_final),
        node_offsets=node_offsets,
    )


def minimize(graph: Graph) -> Graph:
    """Return the deterministic graph with the fewest nodes that accepts the same strings.

    For unweighted graphs that are deterministic (pairs of labels count as one symbol each), in
    O(A log A) (Valmari 2012). The result is a canonical form: two graphs that accept the same
    strings have the same arrays after ``minimize(determinize(g))``, because nodes are numbered
    breadth first from the start and arcs go in the order of nodes and labels. On a batch, graph
    by graph. Merged arcs keep the list of their sources, as in :func:`determinize`.

    Raises:
        GraphError: a penalty that is not zero, or a graph that is not deterministic, naming what
            makes it so.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, "a"), (0, 2, "b"), (1, 3, "c"), (2, 4, "c")], final=[3, 4])
    >>> minimize(g)
    Graph: 3 nodes, 3 arcs, start 0, final 2
      0 -> 1  a  0
      0 -> 1  b  0
      1 -> 2  c  0
    """
    _check_unweighted(graph, "minimize")
    _check_deterministic(graph)
    trim = connect(graph)
    t = trim.topology
    if t.num_nodes == 0:
        return trim
    symbols = symbols_of(t)
    out = _outgoing(t, symbols)
    final = np.zeros(t.num_nodes, dtype=np.int32)
    final[t.finals] = 1
    nodes = np.arange(t.num_nodes, dtype=np.int32)
    # The first partition: by graph of the batch, and whether a node is final.
    first = (2 * t.graph_of_nodes(nodes) + final).astype(np.int32)
    by_group = _without_empty(group_by(frozen(first), 2 * t.batch_size, frozen(nodes)))
    by_symbol = _without_empty(_by_symbol(t, symbols))
    block = coarsest_partition(
        t.src, t.incoming.offsets, t.incoming.arcs, by_group[1], by_group[0], *by_symbol[::-1]
    )
    number = breadth_first_blocks(frozen(block), t.starts, t.dst, out.offsets, out.arcs)
    merged = frozen(number[block])
    num_nodes = int(merged.max()) + 1
    # All arcs by new source and symbol: runs of equal ones become one arc.
    src = frozen(merged[t.src])
    order = group_by(src, num_nodes, _by_symbol(t, symbols)[1])[1]
    keys = np.stack((src[order], symbols.of_arc[order]))
    heads = np.flatnonzero(np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)])[: len(order)]
    leaders = order[heads]
    # Blocks are numbered graph by graph: those before a node are as many as the largest says.
    node_offsets = np.maximum.accumulate(np.r_[np.int32(-1), merged])[t.node_offsets] + 1
    return _result(
        graph,
        symbols,
        symbols.of_arc[leaders],
        trim.sources[0].then(Sources(order, np.r_[heads, len(order)].astype(np.int32))),
        src=merged[t.src[leaders]],
        dst=merged[t.dst[leaders]],
        starts=merged[t.starts],
        finals=np.unique(merged[t.finals]),
        node_offsets=node_offsets,
    )


class Symbols(NamedTuple):
    """Pairs of labels as numbers, in the order of input label, then output label."""

    of_arc: Int32s  # [A], -1 where both labels are epsilon
    ilabels: Int32s  # of each symbol
    olabels: Int32s


def symbols_of(t: Topology) -> Symbols:
    if t.is_acceptor:
        keys = t.ilabels.astype(np.int64) + 1
        base = 1
    else:
        base = int(t.olabels.max(initial=-1)) + 2
        keys = (t.ilabels.astype(np.int64) + 1) * base + (t.olabels.astype(np.int64) + 1)
    pairs, of_arc = np.unique(keys, return_inverse=True)
    shift = 1 if len(pairs) and pairs[0] == 0 else 0
    pairs = pairs[shift:]
    ilabels = (pairs // base - 1).astype(np.int32)
    olabels = ilabels if t.is_acceptor else (pairs % base - 1).astype(np.int32)
    return Symbols(frozen((of_arc - shift).astype(np.int32)), ilabels, olabels)


def _by_symbol(t: Topology, symbols: Symbols) -> ArcIndex:
    """Return arcs by symbol, counted from -1, within a symbol in their order."""
    arcs = frozen(np.arange(t.num_arcs, dtype=np.int32))
    offsets, order = group_by(frozen(symbols.of_arc + np.int32(1)), len(symbols.ilabels) + 1, arcs)
    return ArcIndex(frozen(offsets), frozen(order))


def _outgoing(t: Topology, symbols: Symbols) -> ArcIndex:
    """Return arcs by source node, within a node by symbol."""
    offsets, arcs = group_by(t.src, t.num_nodes, _by_symbol(t, symbols).arcs)
    return ArcIndex(frozen(offsets), frozen(arcs))


def _without_empty(groups: Any) -> tuple[Int32s, Int32s]:
    offsets, members = groups
    full = np.r_[True, np.diff(offsets) > 0]
    return frozen(offsets[full]), frozen(members)


def _result(
    graph: Graph,
    symbols: Symbols,
    numbers: Int32s,
    sources: Sources,
    *,
    src: Int32s,
    dst: Int32s,
    starts: Any,
    finals: Any,
    node_offsets: Int32s,
) -> Graph:
    """Return the unweighted graph of arrays, whose arcs are grouped by node."""
    t = graph.topology
    batch = t.is_batch
    topology = Topology(
        int(node_offsets[-1]),
        src,
        dst,
        symbols.ilabels[numbers],
        None if t.is_acceptor else symbols.olabels[numbers],
        starts=starts,
        finals=finals,
        node_offsets=node_offsets if batch else None,
        arc_offsets=np.searchsorted(src, node_offsets) if batch else None,
        check=False,
    )
    zero = graph.penalties.new_zeros
    return assemble(
        topology,
        zero(topology.num_arcs),
        zero(len(topology.starts)),
        zero(len(topology.finals)),
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data=graph.data.take(sources),
        sources=(sources,),
    )


def _check_unweighted(graph: Graph, verb: str) -> None:
    for what, penalties in (
        ("arc", graph.penalties),
        ("start", graph.start_penalties),
        ("final", graph.final_penalties),
    ):
        wrong = (penalties.detach() != 0).nonzero()
        if len(wrong):
            first = int(wrong[0])
            raise GraphError(
                f"{what} {first} has penalty {penalties.detach()[first].item():g}; this {verb} is "
                "unweighted: all penalties have to be zero, as with_penalties makes them"
            )


def _check_deterministic(graph: Graph) -> None:
    problem = nondeterminism(graph.topology)
    if problem is not None:
        raise GraphError(f"{problem}: the graph is not deterministic; determinize it first")


def nondeterminism(t: Topology) -> str | None:
    """Return why a graph is not deterministic, its pairs of labels being symbols, or None."""
    graphs = t.graph_of_nodes(t.starts)
    twice = np.flatnonzero(np.diff(graphs) == 0)
    if len(twice):
        return f"nodes {t.starts[twice[0]]} and {t.starts[twice[0] + 1]} are both starts"
    symbols = symbols_of(t)
    if (symbols.of_arc < 0).any():
        return f"arc {int(np.argmax(symbols.of_arc == EPSILON))} neither reads nor writes"
    arcs = _outgoing(t, symbols).arcs
    src, numbers = t.src[arcs], symbols.of_arc[arcs]
    twice = np.flatnonzero((src[1:] == src[:-1]) & (numbers[1:] == numbers[:-1]))
    if len(twice):
        one, other = arcs[twice[0]], arcs[twice[0] + 1]
        return f"arcs {one} and {other} leave node {t.src[one]} with the same labels"
    return None
