"""Equivalence: whether two graphs are equal, and whether a graph is unambiguous."""

from __future__ import annotations

from typing import Any, Literal

import networkx as nx
import numpy as np
import torch
from numpy.typing import NDArray

from gtn.composition import compose
from gtn.determinization import nondeterminism, symbols_of
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.optimization import connect
from gtn.symbols import SymbolTable
from gtn.topology import Topology

__all__ = ["equal", "is_unambiguous", "isomorphic"]


def equal(a: Graph, b: Graph, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Return whether two graphs or batches are equal: nodes, arcs and penalties, in their order.

    Labels are compared as symbols, so that tables may number them differently; a graph with a
    table differs from one without. Arc data, sources, dtypes and devices do not count.

    Args:
        a, b: graphs or batches; a batch differs from a single graph.
        rtol, atol: penalties p, q are equal if ``|p - q| <= atol + rtol * |q|``; exactly, unless
            given. Infinities are equal to themselves.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, "x", 0.5)], final=1)
    >>> equal(a, a.double()), equal(a, gtn.string("x")), equal(a, gtn.string("x"), atol=1)
    (True, False, True)
    """
    s, t = a.topology, b.topology
    if s.is_batch != t.is_batch or s.num_nodes != t.num_nodes:
        return False
    names = ("src", "dst", "starts", "finals", "node_offsets", "arc_offsets")
    if not all(np.array_equal(getattr(s, name), getattr(t, name)) for name in names):
        return False
    if not (
        _same_symbols(s.ilabels, a.isymbols, t.ilabels, b.isymbols)
        and _same_symbols(s.olabels, a.osymbols, t.olabels, b.osymbols)
    ):
        return False
    return all(
        torch.allclose(_on_cpu(getattr(a, name)), _on_cpu(getattr(b, name)), rtol=rtol, atol=atol)
        for name in ("penalties", "start_penalties", "final_penalties")
    )


def isomorphic(a: Graph, b: Graph, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Return whether two single graphs are equal up to the numbers of nodes and arcs.

    Labels and penalties are compared as in :func:`equal`. For small graphs: the search (VF2, of
    networkx) can take exponential time where many nodes look alike.

    Raises:
        GraphError: a batch.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, 7), (1, 2, 8)], final=2)
    >>> isomorphic(a, gtn.Graph.from_arcs([(0, 2, 8), (1, 0, 7)], start=1, final=2))
    True
    """
    if a.topology.is_batch or b.topology.is_batch:
        raise GraphError("a batch is compared graph by graph: zip(batch, other)")
    for x, y in ((a.isymbols, b.isymbols), (a.osymbols, b.osymbols)):
        if (x is None) != (y is None):
            return False

    def alike(first: list[list[float]], second: list[list[float]]) -> bool:
        """Compare two lists of penalties by label: parallel arcs in order of their penalties."""
        return len(first) == len(second) and np.allclose(first, second, rtol=rtol, atol=atol)

    def arcs_alike(first: Any, second: Any) -> bool:
        first, second = first["arcs"], second["arcs"]
        return first.keys() == second.keys() and all(alike(first[k], second[k]) for k in first)

    def nodes_alike(first: Any, second: Any) -> bool:
        return all(alike(first[end], second[end]) for end in ("start", "final"))

    return bool(nx.is_isomorphic(_network(a), _network(b), nodes_alike, arcs_alike))


def is_unambiguous(graph: Graph, side: Literal["input", "output", "both"] = "input") -> Any:
    """Return whether every string has one path at most.

    With an ambiguous grammar a reading is counted once for each of its paths, which falsifies
    every posterior. Decided on the pairs of paths with equal strings, the composition of the
    graph with itself: the graph is ambiguous if and only if a pair of different arcs, or of
    different starts, is left in it. A path of penalty infinity counts as a path.

    Args:
        graph: graph or batch; cycles and epsilons are fine.
        side: what a path spells: its ``"input"`` string, its ``"output"`` string, or with
            ``"both"`` its sequence of label pairs, as :func:`gtn.determinize` takes them. (Where
            paths may align the same two strings in different ways, whether a pair of strings
            has two paths is undecidable; one path per input string is enough for it.)

    Returns:
        bool; for a batch, ``bool [B]``.

    Raises:
        GraphError: another side.

    >>> import gtn
    >>> is_unambiguous(gtn.Graph.from_arcs([(0, 1, "a"), (0, 1, "b")], final=1))
    True
    >>> is_unambiguous(gtn.Graph.from_arcs([(0, 1, "a"), (0, 2, "a")], final=[1, 2]))
    False
    """
    t = connect(graph).topology
    if side == "both":
        spelled = t.relabelled(symbols_of(t).of_arc, None)
    elif side in ("input", "output"):
        spelled = t.relabelled(t.ilabels if side == "input" else t.olabels, None)
    else:
        raise GraphError(f"side {side!r}; the sides are 'input', 'output' and 'both'")
    ambiguous = np.zeros(t.batch_size, dtype=np.bool_)
    if nondeterminism(spelled) is not None:
        # The match filter advances both through their epsilons together, so that a path paired
        # with itself pairs each arc with itself, and no other pair of paths does. Start k has
        # penalty k on one side and -k on the other: 0 where a start meets itself.
        starts = torch.arange(len(t.starts), dtype=torch.float64)
        one, other = (
            Graph(
                spelled,
                starts.new_zeros(t.num_arcs),
                start_penalties=sign * starts,
                final_penalties=starts.new_zeros(len(t.finals)),
            )
            for sign in (1, -1)
        )
        pairs = compose(one, other, filter="match")
        left, right = (source.index for source in pairs.sources)
        ambiguous[pairs.topology.arc_graph[left != right]] = True
        different = pairs.starts[pairs.start_penalties.numpy() != 0]
        ambiguous[pairs.topology.graph_of_nodes(different)] = True
    return ~ambiguous if t.is_batch else not ambiguous[0]


def _on_cpu(penalties: torch.Tensor) -> torch.Tensor:
    return penalties.detach().double().cpu()


def _same_symbols(
    a: NDArray[np.int32],
    a_table: SymbolTable | None,
    b: NDArray[np.int32],
    b_table: SymbolTable | None,
) -> bool:
    if a_table is None or b_table is None:
        return a_table is b_table and np.array_equal(a, b)
    return np.array_equal(a, a_table.merge(b_table)[1][b + 1])


def _network(graph: Graph) -> Any:
    """Return the networkx graph with, for each pair of nodes, penalties by pair of symbols."""
    t: Topology = graph.topology
    network = nx.DiGraph()
    network.add_nodes_from(range(t.num_nodes), start=[], final=[])
    for end, nodes, penalties in (
        ("start", t.starts, graph.start_penalties),
        ("final", t.finals, graph.final_penalties),
    ):
        for node, penalty in zip(nodes.tolist(), penalties.tolist()):
            network.nodes[node][end] = [penalty]
    sides = [
        labels.tolist() if table is None else table.decode(labels.tolist())
        for labels, table in ((t.ilabels, graph.isymbols), (t.olabels, graph.osymbols))
    ]
    ends = zip(t.src.tolist(), t.dst.tolist())
    for (src, dst), pair, penalty in zip(ends, zip(*sides), graph.penalties.tolist()):
        if not network.has_edge(src, dst):
            network.add_edge(src, dst, arcs={})
        network.edges[src, dst]["arcs"].setdefault(pair, []).append(penalty)
    for _, _, arcs in network.edges(data="arcs"):
        for penalties in arcs.values():
            penalties.sort()
    return network
