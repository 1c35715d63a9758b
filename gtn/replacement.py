"""Replacement: graphs take the place of arcs, one by one or by label (a grammar of graphs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtn.batch import GraphBatch, assemble, gather
from gtn.data import ArcData, Sources
from gtn.errors import GraphError, SymbolError, counted
from gtn.graph import Graph, check_graph
from gtn.indexes import LARGEST, check_counts
from gtn.product.failure import check_reads_none, with_ends
from gtn.rational.joining import in_one_dtype, joined_tables
from gtn.rational.operations import with_labels
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = ["replace"]

Int32s = NDArray[np.int32]

_ROOT = -1
"""Stands for the graph itself where its parts are numbered."""


def replace(
    g: Graph,
    parts: Graph | Mapping[int | str, Graph],
    *,
    suffixes: tuple[str, str] | None = None,
) -> Graph:
    """Return the graph in which graphs replace arcs: graph i of a batch arc i, or by label.

    An epsilon arc leads to each start of a replacing graph; it has the penalty of the replaced arc
    plus the start penalty, and the data of the replaced arc. An epsilon arc with the final penalty
    leads from each final.

    With a batch, every arc is replaced. Labels and symbols are those of the batch; those of ``g``
    are dropped (a segmenter in a field graph).

    With a mapping, an arc that reads and writes one of its labels is replaced by the graph of that
    label; other arcs stay. Labels within these graphs are replaced, too (a grammar, as with
    OpenFst's ``fstreplace``). Symbol tables are merged; numbers are those of the merged table, in
    which the labels of ``g`` stay.

    Args:
        g: a graph (or a batch) with A arcs.
        parts: a batch of A graphs, or a mapping from labels or symbols to single graphs.
        suffixes: two endings for keys of arc data that ``g`` and the batch share. With a mapping,
            the data of all graphs are joined by key, as by :func:`gtn.union`.

    Returns:
        A graph (or a batch) with ``sources`` in ``g`` and, if ``parts`` is a batch, in that. O(N +
        A) of the result, times the depth to which labels are nested.

    Raises:
        GraphError: not one graph per arc; a label whose graph contains that label, itself or by
            other labels; an arc with such a label on one side only; a failure arc in a graph whose
            labels are replaced; more nodes or arcs than are numbered; a batch as a value, or
            ``suffixes``, with a mapping.
        SymbolError: a symbol or label that is not in the merged table; graphs with a table beside
            graphs without.
        DataError: a key of arc data on both sides, and no suffixes; different fills of one key.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 0, 0.5)], final=1)
    >>> replace(g, gtn.GraphBatch.from_graphs([gtn.string("ab")]))
    Graph: 5 nodes, 4 arcs, start 0, final 1
      0 -> 2  ε  0.5
      2 -> 3  a  0
      3 -> 4  b  0
      4 -> 1  ε  0

    A grammar of dates, in which symbols stand for graphs:

    >>> digit = gtn.from_arcs([(0, 1, d) for d in "0123456789"], final=1)
    >>> twice = gtn.string(["DIGIT", "DIGIT"])
    >>> date = gtn.string(["TWO", ".", "TWO", ".", "TWO", "TWO"])
    >>> dates = replace(date, {"TWO": twice, "DIGIT": digit})
    >>> tried = gtn.strings(["24.12.1998", "24.12.98"], symbols=dates.isymbols)
    >>> gtn.forward_penalty(tried @ dates)
    tensor([0., inf])

    A symbol that would be in its own graph is written out to the depth needed. Brackets nested at
    most twice:

    >>> rule = gtn.from_arcs([(0, 1, "("), (1, 2, "INSIDE"), (2, 0, ")")], final=0)
    >>> nested = gtn.string("")
    >>> for depth in range(2):
    ...     nested = replace(rule, {"INSIDE": nested})
    >>> tried = gtn.strings(["(())()", "((()))", "(("], symbols=nested.isymbols)
    >>> gtn.forward_penalty(tried @ nested)
    tensor([0., inf, inf])
    """
    if isinstance(parts, Mapping):
        if suffixes is not None:
            raise GraphError("suffixes are for a batch; with a mapping, arc data are joined by key")
        return _by_label(g, parts)
    check_graph(g, parts)
    if parts.topology.batch_size != g.num_arcs:
        raise GraphError(
            f"{counted(parts.topology.batch_size, 'graph')} cannot replace "
            f"{counted(g.num_arcs, 'arc')}; give one graph per arc, or a mapping from labels"
        )
    made = _replaced(g, np.arange(g.num_arcs, dtype=np.int32), parts)
    from_g, from_parts = made.sources
    data = g.data.take(from_g).merged(parts.data.take(from_parts), suffixes)
    return made._with(isymbols=parts.isymbols, osymbols=parts.osymbols, data=data)


def _by_label(g: Graph, parts: Mapping[int | str, Graph]) -> Graph:
    """Return the graph in which labels are replaced, first those within the replacing graphs."""
    check_graph(g, *parts.values())
    names = list(parts)
    for name, graph in parts.items():
        if graph.topology.is_batch:
            raise GraphError(f"{name!r} stands for a batch; a label stands for a single graph")
    given = in_one_dtype([g, *parts.values()])
    whats = ["the graph", *(f"the graph of {name!r}" for name in names)]
    sides = joined_tables(given, "match", whats)
    (isymbols, ilabels), (osymbols, olabels) = sides
    tables = isymbols, osymbols
    root, *single = (
        with_labels(graph, reads, None if reads is writes else writes, *tables)
        for graph, reads, writes in zip(given, ilabels, olabels, strict=True)
    )
    keys = [_label(name, isymbols) for name in names]
    if len(set(keys)) < len(keys):
        raise GraphError("a label stands for one graph, but is given both as symbol and as number")
    written = [_on_other_side(key, *tables) for key in keys]
    graphs = {_ROOT: root, **dict(enumerate(single))}
    arcs: dict[int, Int32s] = {}  # that are replaced, of each graph that is needed
    which: dict[int, NDArray[np.int64]] = {}  # by the graph of which name
    waiting = [_ROOT]
    while waiting:
        i = waiting.pop()
        if i in arcs:
            continue
        graph = graphs[i]
        reads, writes = _positions(graph.ilabels, keys), _positions(graph.olabels, written)
        if not np.array_equal(reads, writes):
            arc = int(np.argmax(reads != writes))
            raise GraphError(
                f"arc {arc} of {whats[i + 1]} ({graph.symbol_pair(arc)}) has "
                f"{names[max(reads[arc], writes[arc])]!r} on one side only; an arc that is "
                "replaced has it on both"
            )
        arcs[i] = np.flatnonzero(reads >= 0).astype(np.int32)
        which[i] = reads[arcs[i]]
        if len(arcs[i]):
            check_reads_none(graph, whats[i + 1])  # a replaced label would not stop it backing off
        waiting += np.unique(which[i]).tolist()
    order = _innermost_first(which, names)
    _check_sizes(order, graphs, which)
    for i in order:
        if len(arcs[i]):
            graphs[i] = _with_parts(graphs[i], arcs[i], which[i], graphs)
    return graphs[_ROOT]


def _innermost_first(which: Mapping[int, Any], names: Sequence[int | str]) -> list[int]:
    """Return all graphs, each after those in it, given by the numbers of the names in each."""
    try:
        return list(
            TopologicalSorter({i: set(k.tolist()) for i, k in which.items()}).static_order()
        )
    except CycleError as error:
        chain = " has ".join(repr(names[k]) for k in reversed(error.args[1]))
        raise GraphError(
            f"the graph of {chain} in it: replacing has no end; write it out to the depth needed"
        ) from None


def _check_sizes(
    order: Sequence[int], graphs: Mapping[int, Graph], which: Mapping[int, NDArray[np.int64]]
) -> None:
    """Check that all nodes and arcs can be numbered, before memory is taken for any graph.

    If each of n labels has the next twice, there are 2^n graphs.
    """
    nodes, arcs = {}, {}
    for i in order:
        graph = graphs[i]
        nodes[i], arcs[i] = graph.num_nodes, graph.num_arcs - len(which[i])
        used, counts = np.unique(which[i], return_counts=True)
        for k, count in zip(used.tolist(), counts.tolist(), strict=True):
            nodes[i] += count * nodes[k]
            arcs[i] += count * (arcs[k] + len(graphs[k].starts) + len(graphs[k].finals))
        check_counts(nodes[i], arcs[i])


def _with_parts(
    graph: Graph, arcs: Int32s, which: NDArray[np.int64], parts: Mapping[int, Graph]
) -> Graph:
    """Return the graph in which some arcs are the parts that ``which`` names; with all data."""
    used, place = np.unique(which, return_inverse=True)
    batch = GraphBatch.from_graphs([parts[i] for i in used.tolist()])[place]
    done = _replaced(graph, arcs, batch)
    from_graph, from_batch = (sources.index for sources in done.sources)
    data = ArcData.concatenate([graph.data, batch.data], [graph.num_arcs, batch.num_arcs])
    later = np.where(from_batch >= 0, from_batch + np.int32(graph.num_arcs), from_graph)
    return done._with(data=data.take(Sources(later)), sources=done.sources[:1])


def _label(name: int | str, table: SymbolTable | None) -> int:
    """Return the label that a name stands for.

    Raises:
        SymbolError: a symbol without a table; a symbol or label that is not in it.
        GraphError: neither a symbol nor a label, 0 to 2^31 - 1.
    """
    if isinstance(name, str):
        if table is None:
            raise SymbolError(f"{name!r} is a symbol, but the graphs have no input symbols")
        if name not in table:
            raise SymbolError(f"{name!r} is in no graph: the input symbols of all are {table!r}")
        return table.label(name)
    is_number = isinstance(name, int | np.integer) and not isinstance(name, bool)
    if not is_number or not 0 <= name <= LARGEST:
        raise GraphError(
            f"{name!r} cannot be replaced: it is neither a symbol nor a label, an integer from 0 "
            f"to {LARGEST}"
        )
    if table is not None:
        table.symbol(name)  # raises where it has none
    return int(name)


def _on_other_side(label: int, isymbols: SymbolTable | None, osymbols: SymbolTable | None) -> int:
    """Return the output label of the same symbol; -2 where there is none."""
    if isymbols is None or osymbols is None or isymbols == osymbols:
        return label
    symbol = isymbols.symbol(label)
    return osymbols.label(symbol) if symbol in osymbols else -2


def _positions(labels: Int32s, keys: Sequence[int]) -> NDArray[np.int64]:
    """Return the position of each label among the keys, or -1."""
    if not len(keys):
        return np.full(len(labels), -1)
    order = np.argsort(keys)
    found = np.asarray(keys)[order]
    place = np.minimum(np.searchsorted(found, labels), len(keys) - 1)
    return np.where(found[place] == labels, order[place], -1)


def _replaced(g: Graph, arcs: Int32s, batch: Graph) -> Graph:
    """Return the graph in which the graphs of a batch replace some arcs, in their order.

    It has the symbol tables of ``g``, sources in both, and no data.
    """
    batch = with_ends(batch)
    outer, inner = g.topology, batch.topology
    is_kept = np.ones(g.num_arcs, dtype=np.bool_)
    is_kept[arcs] = False
    kept = np.flatnonzero(is_kept).astype(np.int32)
    check_counts(
        outer.num_nodes + inner.num_nodes,
        len(kept) + len(inner.starts) + inner.num_arcs + len(inner.finals),
    )
    # Each graph of the result has its nodes from g first, then those of the replacing graphs.
    shift = inner.node_offsets[np.searchsorted(arcs, outer.arc_offsets)]
    outside = np.arange(outer.num_nodes, dtype=np.int32)
    outside += shift[outer.graph_of_nodes(outside)]
    inside = np.arange(inner.num_nodes, dtype=np.int32)
    inside += outer.node_offsets[outer.arc_graph[arcs] + 1][inner.graph_of_nodes(inside)]

    entry, leave = (arcs[inner.graph_of_nodes(ends)] for ends in (inner.starts, inner.finals))
    owner = np.concatenate([kept, entry, arcs[inner.arc_graph], leave])
    order = np.argsort(owner, kind="stable")
    counts = len(kept), len(entry), inner.num_arcs, len(leave)

    def joined(*parts: Any) -> Int32s:
        """Return values of kept arcs, entries, inner arcs and exits as those of all arcs."""
        columns = [np.broadcast_to(part, n) for part, n in zip(parts, counts, strict=True)]
        return np.concatenate(columns)[order].astype(np.int32)

    is_acceptor = inner.is_acceptor and (outer.is_acceptor or not len(kept))
    topology = Topology(
        outer.num_nodes + inner.num_nodes,
        joined(
            outside[outer.src[kept]],
            outside[outer.src[entry]],
            inside[inner.src],
            inside[inner.finals],
        ),
        joined(
            outside[outer.dst[kept]],
            inside[inner.starts],
            inside[inner.dst],
            outside[outer.dst[leave]],
        ),
        joined(outer.ilabels[kept], EPSILON, inner.ilabels, EPSILON),
        None if is_acceptor else joined(outer.olabels[kept], EPSILON, inner.olabels, EPSILON),
        starts=outside[outer.starts],
        finals=outside[outer.finals],
        node_offsets=outer.node_offsets + shift,
        arc_offsets=np.searchsorted(owner[order], outer.arc_offsets),
        is_batch=outer.is_batch,
        check=False,
    )
    from_g = Sources(joined(kept, entry, -1, -1))
    from_batch = Sources(joined(-1, -1, np.arange(inner.num_arcs), -1))
    penalties = (
        gather(g.penalties, from_g.index)
        + gather(batch.penalties, from_batch.index)
        + gather(batch.start_penalties, joined(-1, np.arange(len(entry)), -1, -1))
        + gather(batch.final_penalties, joined(-1, -1, -1, np.arange(len(leave))))
    )
    return assemble(
        topology,
        penalties,
        g.start_penalties.to(penalties.dtype),
        g.final_penalties.to(penalties.dtype),
        isymbols=g.isymbols,
        osymbols=g.osymbols,
        sources=(from_g, from_batch),
    )
