"""Graphs as Python code: paste what hypothesis found into a test."""

from __future__ import annotations

import torch

from gtn.graph import Graph
from gtn.symbols import EPSILON, SymbolTable

__all__ = ["as_code"]


def as_code(graph: Graph) -> str:
    """Return a Python expression that makes a graph or batch again, after ``import gtn, torch``.

    It holds nodes, arcs, labels, penalties to the last bit, their dtype, and symbol tables, but no
    arc data, sources or gradients. With the strategies of this package, hypothesis prints the
    graphs of a failing test like this.

    >>> import gtn
    >>> print(as_code(gtn.Graph.from_arcs([(0, 1, 3, 0.5), (1, 1, 2, None)], final={1: 1.0})))
    gtn.Graph.from_arcs(
        [
            (0, 1, 3, 3, 0.5),
            (1, 1, 2, None, 0.0),
        ],
        start=[0],
        final={1: 1.0},
        num_nodes=2,
        dtype=torch.float32,
    )
    """
    if graph.topology.is_batch:
        graphs, none_of = list(graph), ""  # type: ignore[call-overload]
        if not graphs:  # a batch of no graphs is a selection
            graphs, none_of = [graph.united()], "[[]]"  # type: ignore[attr-defined]
        rows = ",\n".join(_indented(as_code(one)) for one in graphs)
        return f"gtn.GraphBatch.from_graphs([\n{rows},\n]){none_of}"
    columns = (graph.src, graph.dst, graph.ilabels, graph.olabels)
    numbers = graph.penalties.detach().tolist()
    rows = "".join(
        f"        ({src}, {dst}, {_label(ilabel)}, {_label(olabel)}, {_number(penalty)}),\n"
        for src, dst, ilabel, olabel, penalty in zip(*(c.tolist() for c in columns), numbers)
    )
    options = {
        "start": _nodes(graph.starts.tolist(), graph.start_penalties),
        "final": _nodes(graph.finals.tolist(), graph.final_penalties),
        "num_nodes": str(graph.num_nodes),
        "isymbols": _table(graph.isymbols),
        "osymbols": _table(graph.osymbols),
        "dtype": str(graph.penalties.dtype),
    }
    given = "".join(f"    {name}={value},\n" for name, value in options.items() if value != "None")
    arcs = f"[\n{rows}    ]" if rows else "[]"
    return f"gtn.Graph.from_arcs(\n    {arcs},\n{given})"


def _label(label: int) -> str:
    return "None" if label == EPSILON else str(label)


def _number(penalty: float) -> str:
    """Return a penalty as Python code; ``repr`` of an infinite one would be an undefined name."""
    return repr(penalty) if abs(penalty) < float("inf") else 'float("inf")'


def _nodes(nodes: list[int], penalties: torch.Tensor) -> str:
    given = dict(zip(nodes, penalties.detach().tolist(), strict=True))
    if not any(given.values()):
        return str(nodes)
    return "{" + ", ".join(f"{node}: {_number(p)}" for node, p in given.items()) + "}"


def _table(table: SymbolTable | None) -> str:
    if table is None:
        return "None"
    symbols = {label: table.symbol(label) for label in table.labels}
    known = list(symbols.values()) if list(symbols) == [*range(len(symbols))] else symbols
    return f"gtn.SymbolTable({known!r})"


def _indented(code: str) -> str:
    return "    " + code.replace("\n", "\n    ")
