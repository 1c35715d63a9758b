"""Difference and complement: what an acceptor does not accept."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtn.batch import assemble, rearranged, traced
from gtn.data import ArcData, Sources
from gtn.determinization.determinization import check_unweighted, determinize
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_graph
from gtn.indexes import ArcIndex
from gtn.kernels.difference import Side, avoid
from gtn.optimization import connect
from gtn.product import common_length, in_common_tables, relabelled, relabelling
from gtn.product.failure import check_left, check_reads_none
from gtn.symbols import BACK_OFF, EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = ["complement", "difference"]

Int32s = NDArray[np.int32]
_INSTEAD = "the acceptor of all strings, composed with this graph, follows it"


def difference(a: Graph, b: Graph, *, symbols: str = "match", max_nodes: int = 1_000_000) -> Graph:
    """Return the paths of ``a`` whose strings ``b`` does not accept, ``a - b``.

    ``b`` is determinized and walked beside ``a``; where it cannot go on, the rest of ``a`` stays.
    Each remaining path of ``a`` is there once, with its penalty. O(A log D) for A arcs of the
    product, whatever the alphabet. The ``sources`` are the arcs of ``a``.

    Args:
        a: graph or batch; of a transducer, its output strings count.
        b: acceptor or batch of acceptors, unweighted: all penalties are zero. A single graph goes
            with each graph of a batch.
        symbols: ``"match"`` compares symbols, so operands may have different tables; ``"ignore"``
            compares labels as integers.
        max_nodes: how many nodes the deterministic form of ``b`` may have.

    Raises:
        GraphError: ``b`` is not an acceptor or has a penalty, naming the arc; failure arcs in
            either; batches of different lengths; too many nodes.
        SymbolError: a table on one side and none on the other.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, "x", 1.0), (0, 1, "y", 2.0)], final=1)
    >>> difference(a, gtn.string("x"))
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  y  2
    """
    check_graph(a, b)
    _check_acceptor(b, "the second operand of a difference")
    check_unweighted(b, "the second operand of a difference")
    if symbols == "match":
        check_reads_none(a, "a", _INSTEAD)
        check_left(a, "a")
        check_reads_none(b, "the second operand of a difference", _INSTEAD)
        a, b = in_common_tables(a, b)
    relabel = relabelling(a.osymbols, b.isymbols, symbols)
    least = determinize(b, semiring="boolean", max_nodes=max_nodes).topology
    if relabel is not None:
        least = least.relabelled(relabelled(least.ilabels, relabel), None)
    t = a.topology
    graphs = common_length(t, least)
    pairs, arcs, starts, node_offsets, arc_offsets = avoid(
        _side(t, t.olabels, t.outgoing),
        _side(least, least.ilabels, least.outgoing_by_ilabel),
        graphs,
        t.num_nodes,
    )
    final_of = t.final_of_nodes
    accepts = np.zeros(least.num_nodes + 1, dtype=np.bool_)  # the last: accepts nothing more
    accepts[least.finals] = True
    finals = np.flatnonzero((final_of[pairs[0]] >= 0) & ~accepts[pairs[1]])
    by_node = np.argsort(starts[0])
    topology = Topology(
        pairs.shape[1],
        arcs[0],
        arcs[1],
        *t.labels_of(arcs[2]),
        starts=starts[0, by_node],
        finals=finals,
        node_offsets=node_offsets,
        arc_offsets=arc_offsets,
        is_batch=t.is_batch or least.is_batch,
        check=False,
    )
    whole = rearranged(a, topology, arcs[2], starts[1, by_node], final_of[pairs[0, finals]])
    return traced(connect(whole), whole)


def complement(
    graph: Graph,
    *,
    alphabet: SymbolTable | Iterable[int | str] | None = None,
    max_nodes: int = 1_000_000,
) -> Graph:
    """Return the deterministic acceptor of all strings that an acceptor does not accept.

    Unweighted: all penalties must be zero, and are zero in the result. The result has nodes times
    labels arcs, which :func:`difference` does without. Its arcs have no sources. On a batch, graph
    by graph.

    Args:
        graph: acceptor or batch of acceptors; cycles, epsilons, several starts are fine.
        alphabet: what strings are made of: a symbol table, symbols, or labels. Unless given, all
            symbols of the graph's table; without one, the labels that the graph has. Symbols that
            the graph's table lacks get new labels, as in composition. The symbol of failure arcs,
            ``gtn.BACK_OFF``, is in no string.
        max_nodes: how many nodes the deterministic form may have.

    Raises:
        GraphError: not an acceptor; a penalty; failure arcs; a label that the alphabet lacks; too
            many nodes.
        SymbolError: a label of the alphabet that the graph's table lacks; a symbol, and the graph
            has no table.

    >>> import gtn
    >>> complement(gtn.string([0]), alphabet=[0, 1])
    Graph: 3 nodes, 6 arcs, start 0, final 0, 2
      0 -> 1  0  0
      0 -> 2  1  0
      1 -> 2  0  0
      1 -> 2  1  0
      2 -> 2  0  0
      2 -> 2  1  0
    """
    check_graph(graph)
    _check_acceptor(graph, "a complement")
    check_unweighted(graph, "what a complement is taken of")
    check_reads_none(graph, "what a complement is taken of", _INSTEAD)
    table, labels = _alphabet(graph, alphabet)
    least = determinize(graph, semiring="boolean", max_nodes=max_nodes).topology
    lacking = ~np.isin(least.ilabels, labels)
    if lacking.any():
        label = int(least.ilabels[np.argmax(lacking)])
        shown = str(label) if table is None else repr(table.symbol(label))
        raise GraphError(f"the graph accepts strings with {shown}, which the alphabet lacks")
    # Each graph gets one more node, at which everything is accepted.
    graphs = np.arange(least.batch_size)
    node_offsets = least.node_offsets + np.arange(least.batch_size + 1)
    owner = np.repeat(np.arange(least.batch_size), np.diff(node_offsets))
    sinks = node_offsets[1:] - 1
    nodes = np.arange(least.num_nodes, dtype=np.int32)
    number = nodes + least.graph_of_nodes(nodes)
    dst = np.repeat(sinks[owner][:, None], len(labels), axis=1)
    dst[number[least.src], np.searchsorted(labels, least.ilabels)] = number[least.dst]
    is_final = np.ones(node_offsets[-1], dtype=np.bool_)
    is_final[number[least.finals]] = False
    starts = sinks.copy()
    starts[least.graph_of_nodes(least.starts)] = number[least.starts]
    topology = Topology(
        int(node_offsets[-1]),
        np.repeat(np.arange(node_offsets[-1]), len(labels)),
        dst.reshape(-1),
        np.tile(labels, len(dst)),
        starts=starts,
        finals=np.flatnonzero(is_final),
        node_offsets=node_offsets,
        arc_offsets=node_offsets * len(labels),
        is_batch=least.is_batch,
        check=False,
    )
    zero = graph.penalties.new_zeros
    whole = assemble(
        topology,
        zero(topology.num_arcs),
        zero(len(graphs)),
        zero(len(topology.finals)),
        isymbols=table,
        osymbols=table,
    )
    made = connect(whole)
    nothing = Sources(np.full(made.num_arcs, -1, dtype=np.int32))
    return made._with(sources=(nothing,), data=ArcData())


def _alphabet(
    graph: Graph, alphabet: SymbolTable | Iterable[int | str] | None
) -> tuple[SymbolTable | None, Int32s]:
    """Return a table that extends the graph's by the alphabet, and the alphabet's sorted labels."""
    table = graph.isymbols
    if alphabet is None:
        alphabet = table if table is not None else graph.ilabels[graph.ilabels != EPSILON].tolist()
    given: list[Any] = [item for item in alphabet if item != BACK_OFF]
    if isinstance(alphabet, SymbolTable) and table is None:
        return alphabet, np.unique(alphabet.encode(given))
    if table is not None:
        new = dict.fromkeys(item for item in given if isinstance(item, str) and item not in table)
        table = table.merged(SymbolTable(list(new)))
    labels = []
    for item in given:
        if isinstance(item, str):
            if table is None:
                raise SymbolError(f"symbol {item!r} of the alphabet: the graph has no table")
            item = table.label(item)
        elif table is not None:
            table.symbol(item)  # raises where there is none
        try:
            label = index(item)
        except TypeError:
            raise GraphError(f"the alphabet has {item!r}; labels are integers >= 0") from None
        if label < 0:
            raise GraphError(f"the alphabet has {label}; labels are >= 0, and epsilon is not one")
        labels.append(label)
    return table, np.unique(np.array(labels, dtype=np.int32))


def _check_acceptor(graph: Graph, what: str) -> None:
    if graph.isymbols != graph.osymbols:
        raise GraphError(
            f"{what} is an acceptor, but has different input and output symbols; project it first"
        )
    if not graph.topology.is_acceptor:
        arc = int(np.argmax(graph.ilabels != graph.olabels))
        raise GraphError(
            f"{what} is an acceptor, but arc {arc} reads and writes {graph.symbol_pair(arc)}; "
            "project it first"
        )


def _side(t: Topology, labels: Int32s, by_node: ArcIndex) -> Side:
    return Side(*by_node, labels, t.dst, t.starts, t.start_offsets)
