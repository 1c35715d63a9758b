"""Rational operations: union, concatenation, closure, reversal, inversion and projection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from gtn.arguments import whole_number
from gtn.batch import GraphBatch, repeat
from gtn.data import JoinedSources, Sources, compose_index
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.indexes import check_counts
from gtn.product.failure import check_reads_none, with_ends
from gtn.rational.joining import Epsilons, Operands, spokes, taken
from gtn.symbols import SymbolTable
from gtn.texts import string

__all__ = ["closure", "concat", "invert", "project", "reverse", "union", "with_labels"]

Array = NDArray[Any]
Side = Literal["input", "output"]


def union(a: Graph, *others: Graph, symbols: str = "match") -> Graph:
    """Return the graph of all paths of all operands, also written ``a | b``.

    The operands lie side by side, without epsilons: first the nodes and arcs of ``a``, then those
    of the next. A path that two operands have is there twice. Of batches, the union of the i-th
    graphs of all; a single graph goes with each graph of a batch. To unite all graphs of one
    batch, use :meth:`gtn.GraphBatch.united`, which copies no penalty.

    Args:
        a, others: graphs or batches of the same length. Arc data are joined by key; where an
            operand lacks a key, its arcs read as the fill.
        symbols: ``"match"``: tables that differ are merged, and labels follow their symbols (those
            of ``a`` stay); an operand without labels and without a table goes with any.
            ``"ignore"``: labels stay as they are, and the tables are those of ``a``.

    Raises:
        SymbolError: a table in one operand and none in another, or, with ``"ignore"``, a label
            that the tables of ``a`` do not have.
        GraphError: batches of different lengths.

    >>> import gtn
    >>> union(gtn.Graph.from_arcs([(0, 1, 3, 0.5)], final=1), gtn.string([4, 5]))
    Graph: 5 nodes, 3 arcs, start 0, 2, final 1, 4
      0 -> 1  3  0.5
      2 -> 3  4  0
      3 -> 4  5  0
    """
    operands = Operands([a, *others], symbols)
    nodes = operands.place_nodes()
    return operands.joined(nodes, [], range(len(others) + 1), range(len(others) + 1))


def concat(a: Graph, *others: Graph, symbols: str = "match") -> Graph:
    """Return the graph of the paths of ``a`` followed by those of the others, ``a + b``.

    Epsilon arcs lead from each final of one operand to each start of the next and carry the
    penalties of both; if there are several of both, they meet in a new node, so that there is not
    an arc for every pair. Each choice of one path per operand gives exactly one path. In an operand
    with failure arcs, epsilon arcs also leave the nodes that end by backing off.

    Arguments, order of nodes and arcs (new ones last), batches and errors as in :func:`union`.

    >>> import gtn
    >>> concat(gtn.string([3]), gtn.Graph.from_arcs([(0, 1, 4)], start={0: 0.5}, final=1))
    Graph: 4 nodes, 3 arcs, start 0, final 3
      0 -> 1  3  0
      2 -> 3  4  0
      1 -> 2  ε  0.5
    """
    return _in_turn([a, *others], symbols, len(others))


def _in_turn(given: Sequence[Graph], symbols: str, first_end: int) -> Graph:
    """Return the graph of the paths of graphs in sequence, which may end early.

    The finals of the result are those of the graphs from ``first_end`` on.
    """
    operands = Operands(given, symbols)
    graphs = [*map(with_ends, operands.graphs[:-1]), operands.graphs[-1]]
    others = given[1:]
    finals = [np.diff(g.topology.final_offsets) for g in graphs]
    starts = [np.diff(g.topology.start_offsets) for g in graphs]
    meet = np.array([(f > 1) & (s > 1) for f, s in zip(finals, starts[1:])], dtype=np.int64)
    meet = meet.reshape(len(others), operands.length)
    nodes = operands.place_nodes(meet.sum(axis=0))
    joints = nodes.new + np.cumsum(meet, axis=0) - meet
    arcs = []
    for k in range(len(others)):
        left, right = graphs[k], graphs[k + 1]
        met = meet[k].astype(bool)
        pairs = np.where(met, 0, finals[k] * starts[k + 1])
        owner = np.repeat(np.arange(operands.length), pairs)
        within = np.arange(len(owner)) - (np.cumsum(pairs) - pairs)[owner]
        step = starts[k + 1][owner]
        final = (np.cumsum(finals[k]) - finals[k])[owner] + within // np.maximum(step, 1)
        start = (np.cumsum(starts[k + 1]) - starts[k + 1])[owner] + within % np.maximum(step, 1)
        ends, begins = nodes.of(k, left.finals), nodes.of(k + 1, right.starts)
        penalties = taken(left.final_penalties, final) + taken(right.start_penalties, start)
        arcs.append(Epsilons(owner, ends[final], begins[start], penalties))
        arcs += [
            spokes(left, left.finals, ends, left.final_penalties, joints[k], met, into=True),
            spokes(right, right.starts, begins, right.start_penalties, joints[k], met, into=False),
        ]
    return operands.joined(nodes, arcs, [0], range(first_end, len(given)))


def closure(
    graph: Graph, *, plus: bool = False, lower: int | None = None, upper: int | None = None
) -> Graph:
    """Return the graph of all sequences of paths of a graph.

    One new node, the last, joins finals to starts by epsilon arcs with their penalties. It is also
    a start and a final, with penalty 0, for the empty sequence. Each sequence gives exactly one
    path. On a batch, graph by graph. ``g.closure()`` is the same.

    Args:
        graph: graph or batch.
        plus: at least one path: starts and finals are those of the graph, the new node is
            neither.
        lower, upper: the least and greatest number of paths (``lower=2, upper=3``: two or three),
            by as many copies of the graph in a row. Unless given, 0 and any number.

    Raises:
        GraphError: a negative bound, ``lower > upper``, or bounds beside ``plus``; more nodes or
            arcs than are numbered.
        TypeError: a bound that is not a whole number.

    >>> import gtn
    >>> closure(gtn.Graph.from_arcs([(0, 1, 7, 1.5)], final={1: 0.5}))
    Graph: 3 nodes, 3 arcs, start 2, final 2
      0 -> 1  7  1.5
      1 -> 2  ε  0.5
      2 -> 0  ε  0
    """
    if lower is not None or upper is not None:
        if plus:
            raise GraphError("plus means lower=1; give one of them")
        least = 0 if lower is None else whole_number(lower, "lower")
        most = None if upper is None else whole_number(upper, "upper")
        return _repeated(graph, least, most)
    operands = Operands([graph], "match")
    graph = with_ends(graph)
    nodes = operands.place_nodes(np.ones(operands.length, dtype=np.int64))
    everywhere = np.ones(operands.length, dtype=bool)
    ends, begins = nodes.of(0, graph.finals), nodes.of(0, graph.starts)
    arcs = [
        spokes(graph, graph.finals, ends, graph.final_penalties, nodes.new, everywhere, into=True),
        spokes(
            graph, graph.starts, begins, graph.start_penalties, nodes.new, everywhere, into=False
        ),
    ]
    ends_of = [0] if plus else None
    return operands.joined(nodes, arcs, ends_of, ends_of)


def _repeated(graph: Graph, lower: int, upper: int | None) -> Graph:
    """Return the graph of ``lower`` to ``upper`` (``None``: any number of) paths in sequence."""
    if lower < 0 or (upper is not None and upper < lower):
        raise GraphError(f"from {lower} to {upper} paths; 0 <= lower <= upper")
    if upper is None and lower <= 1:
        return closure(graph, plus=lower == 1)
    nothing = string([], symbols=graph.isymbols, dtype=graph.penalties.dtype)
    nothing = nothing.to(graph.penalties.device)._with(osymbols=graph.osymbols)
    if upper == 0:
        made = repeat(nothing, len(graph)) if isinstance(graph, GraphBatch) else nothing
        none = Sources(np.empty(0, dtype=np.int32))
        return made._with(sources=(none,), data=graph.data.take(none))
    times = lower - 1 if upper is None else upper
    check_counts(times * max(graph.num_nodes, 1), times * graph.num_arcs)
    copies = [graph] * times
    last = [closure(graph, plus=True)] if upper is None else []
    made = _in_turn([*copies, *last], "match", max(lower, 1) - 1)
    stems = cast(JoinedSources, made.sources)
    source = stems.arc
    if last:
        of_last = np.where(stems.operand == len(copies), source, np.int32(-1))
        of_last = compose_index(last[0].sources[0].index, of_last)
        source = np.where(stems.operand == len(copies), of_last, source)
    if lower == 0:
        made = union(made, nothing)
        source = compose_index(source, made.sources[0].index)
    return made._with(sources=(Sources(source),))


def reverse(graph: Graph) -> Graph:
    """Return the graph of all paths backwards: arcs reversed, starts and finals exchanged.

    Nodes and arcs keep their numbers. On a batch, graph by graph.

    Raises:
        GraphError: a failure arc, which has no meaning in reverse.

    >>> import gtn
    >>> reverse(gtn.string([3, 4]))
    Graph: 3 nodes, 2 arcs, start 2, final 0
      1 -> 0  3  0
      2 -> 1  4  0
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    return graph._with(
        topology=graph.topology.reversed,
        start_penalties=graph.final_penalties,
        final_penalties=graph.start_penalties,
        sources=(_same_arcs(graph),),
    )


def invert(graph: Graph) -> Graph:
    """Return the transducer that reads what the graph writes and writes what it reads.

    Labels and symbol tables of the two sides are exchanged. On a batch, graph by graph.

    >>> import gtn
    >>> invert(gtn.Graph.from_arcs([(0, 1, "a", "b", 0.5)], final=1))
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  b:a  0.5
    """
    check_graph(graph)
    t = graph.topology
    return with_labels(graph, t.olabels, t.ilabels, graph.osymbols, graph.isymbols)


def project(graph: Graph, side: Side = "input") -> Graph:
    """Return the acceptor of one side's labels, with that side's symbols.

    Args:
        graph: graph or batch.
        side: ``"input"`` or ``"output"``.

    Raises:
        GraphError: another side.

    >>> import gtn
    >>> project(gtn.Graph.from_arcs([(0, 1, "a", "b", 0.5)], final=1), "output")
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  b  0.5
    """
    check_graph(graph)
    if side == "input":
        return with_labels(graph, graph.ilabels, None, graph.isymbols, graph.isymbols)
    if side == "output":
        return with_labels(graph, graph.olabels, None, graph.osymbols, graph.osymbols)
    raise GraphError(f"side {side!r}; the sides are 'input' and 'output'")


def with_labels(
    graph: Graph,
    ilabels: Array,
    olabels: Array | None,
    isymbols: SymbolTable | None,
    osymbols: SymbolTable | None,
) -> Graph:
    """Return a graph with other labels and tables (``olabels=None``: an acceptor)."""
    return graph._with(
        topology=graph.topology.relabelled(ilabels, olabels),
        isymbols=isymbols,
        osymbols=osymbols,
        sources=(_same_arcs(graph),),
    )


def _same_arcs(graph: Graph) -> Sources:
    return Sources(np.arange(graph.num_arcs, dtype=np.int32))
