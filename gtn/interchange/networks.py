"""Graphs as networkx graphs and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np
import torch

from gtn.construction import end_penalty, from_arcs
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.symbols import EPSILON, SymbolTable

__all__ = ["from_networkx", "to_networkx"]


def to_networkx(graph: Graph) -> nx.MultiDiGraph:
    """Return a single graph as a ``networkx.MultiDiGraph``, for its algorithms and drawing.

    Nodes are 0 to N - 1; starts have their penalty as the attribute ``start``, finals as ``final``.
    The edge of arc a has the key a and the attributes ``ilabel`` and ``olabel`` (symbols if the
    graph has a table, else integers; None for epsilon), ``penalty`` and, if there are arc data,
    ``data``, a row for each key. The graph has the attributes ``isymbols``, ``osymbols`` and
    ``dtype``. Gradients are lost: penalties become numbers.

    Raises:
        GraphError: a batch.
        DataError: data of merged arcs, which have no single row (``graph.without_data(…)``).

    O(N + A).

    >>> import gtn
    >>> network = gtn.to_networkx(gtn.string("ab"))
    >>> network.edges[0, 1, 0]
    {'ilabel': 'a', 'olabel': 'a', 'penalty': 0.0}
    >>> network.nodes[2]
    {'final': 0.0}
    """
    check_graph(graph)
    if graph.topology.is_batch:
        raise GraphError("a batch is many graphs; convert them one by one, batch[i]")
    network = nx.MultiDiGraph(
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        dtype=str(graph.penalties.dtype).removeprefix("torch."),
    )
    network.add_nodes_from(range(graph.num_nodes))
    for name, nodes, penalties in (
        ("start", graph.starts, graph.start_penalties),
        ("final", graph.finals, graph.final_penalties),
    ):
        for node, penalty in zip(nodes.tolist(), penalties.detach().tolist(), strict=True):
            network.nodes[node][name] = penalty
    rows = {key: graph.data[key] for key in graph.data}
    sides = [
        [_shown(label, table) for label in labels.tolist()]
        for labels, table in ((graph.ilabels, graph.isymbols), (graph.olabels, graph.osymbols))
    ]
    ends = zip(graph.src.tolist(), graph.dst.tolist(), strict=True)
    arcs = zip(ends, *sides, graph.penalties.detach().tolist(), strict=True)
    for arc, ((src, dst), ilabel, olabel, penalty) in enumerate(arcs):
        edge = {"ilabel": ilabel, "olabel": olabel, "penalty": penalty}
        if rows:
            edge["data"] = {key: column[arc] for key, column in rows.items()}
        network.add_edge(src, dst, key=arc, **edge)
    return network


def from_networkx(
    network: nx.DiGraph,
    *,
    penalty: str = "penalty",
    start: Any = None,
    final: Any = None,
    symbols: SymbolTable | None = None,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
    dtype: torch.dtype | None = None,
) -> Graph:
    """Return the graph of a directed ``networkx`` graph, from :func:`to_networkx` or elsewhere.

    Nodes are numbered in the network's order, unless they are the integers 0 to N - 1, which stay.
    Edges have ``label``, or ``ilabel`` and ``olabel`` (integer, string or None; without any:
    epsilon), and a penalty (0 if there is none). Arcs have the network's order, or, if the edge
    keys are distinct integers, the order of the keys.

    Args:
        network: ``DiGraph`` or ``MultiDiGraph``.
        penalty: the edge attribute that holds penalties, such as ``"weight"``.
        start, final: a node of the network, a list or set of nodes, or a mapping from node to
            penalty; unless given, the nodes with an attribute ``start`` or ``final`` that is a
            penalty or True.
        symbols, isymbols, osymbols: tables; unless given, the network's attributes ``isymbols``
            and ``osymbols``, or, if labels are strings, a table made of them.
        dtype: of the penalties; unless given, the network's attribute ``dtype``, or torch's
            default.

    Raises:
        GraphError: an undirected graph; a node that does not exist, or a penalty that is not a
            number, naming the edge or node.

    O(N + A).

    >>> import gtn, networkx as nx
    >>> network = nx.DiGraph()
    >>> network.add_edge("here", "there", label="a", weight=0.5)
    >>> gtn.from_networkx(network, penalty="weight", start="here", final="there")
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  a  0.5
    """
    if not network.is_directed():
        raise GraphError("arcs have a direction; give a DiGraph, such as network.to_directed()")
    nodes = list(network.nodes)
    numbered = all(type(node) is int for node in nodes) and set(nodes) == set(range(len(nodes)))
    number = {node: node if numbered else i for i, node in enumerate(nodes)}
    edges: list[tuple[Any, Any, Any, dict[str, Any]]] = (
        list(network.edges(keys=True, data=True))
        if network.is_multigraph()
        else [(src, dst, None, attributes) for src, dst, attributes in network.edges(data=True)]
    )
    keys = [key for _, _, key, _ in edges]
    if all(type(key) is int for key in keys) and len(set(keys)) == len(keys):
        edges.sort(key=lambda edge: edge[2])
    arcs = [
        (
            number[src],
            number[dst],
            *_labels(attributes),
            _penalty(attributes.get(penalty, 0.0), f"the edge from {src!r} to {dst!r}"),
        )
        for src, dst, _, attributes in edges
    ]
    about = network.graph
    return from_arcs(
        arcs,
        start=_ends(network, number, start, "start"),
        final=_ends(network, number, final, "final"),
        num_nodes=len(nodes),
        isymbols=_first(isymbols, symbols, about.get("isymbols")),
        osymbols=_first(osymbols, symbols, about.get("osymbols")),
        data=_columns([attributes.get("data") for *_, attributes in edges]),
        dtype=dtype or getattr(torch, about.get("dtype", ""), None),
    )


def _first(*tables: SymbolTable | None) -> SymbolTable | None:
    return next((table for table in tables if table is not None), None)


def _shown(label: int, table: SymbolTable | None) -> int | str | None:
    if label == EPSILON:
        return None
    return label if table is None else table.symbol(label)


def _labels(attributes: Mapping[str, Any]) -> tuple[Any, Any]:
    label = attributes.get("label")
    return attributes.get("ilabel", label), attributes.get("olabel", label)


def _ends(
    network: nx.DiGraph, number: Mapping[Any, int], given: Any, name: str
) -> dict[int, float]:
    if given is None:
        given = {node: p for node, p in network.nodes(data=name) if p is not None}
    elif not isinstance(given, Mapping):
        several = given if isinstance(given, list | set | frozenset) else [given]
        given = dict.fromkeys(several, 0.0)
    unknown = next((node for node in given if node not in number), None)
    if unknown is not None:
        raise GraphError(f"{name} node {unknown!r} is not in the network")
    ends = {node: end_penalty(p, f"{name} node {node!r}") for node, p in given.items()}
    return {number[node]: p for node, p in ends.items() if p is not None}


def _penalty(value: Any, owner: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise GraphError(f"{owner} has penalty {value!r}, which is not a number") from None


def _columns(rows: list[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return the columns of arc data that edges carry row by row."""
    for arc, row in enumerate(rows):
        if row is not None and not isinstance(row, Mapping):
            raise GraphError(f"edge {arc} has data={row!r}; arc data are a mapping of key to value")
    keys = dict.fromkeys(key for row in rows if row for key in row)
    columns = {}
    for key in keys:
        values: list[Any] = [(row or {}).get(key) for row in rows]
        lacking = next((arc for arc, value in enumerate(values) if value is None), None)
        if lacking is not None:
            raise GraphError(f"edge {lacking} has no data {key!r}, others have")
        tensors = isinstance(values[0], torch.Tensor)
        columns[key] = torch.stack(values) if tensors else np.stack(values)
    return columns
