"""Writing OpenFst's text format (AT&T's), which ``fstcompile`` reads.

A line is an arc, ``state nextstate ilabel olabel [penalty]`` (one label in acceptors), or a final
state, ``state [penalty]``; the first line's state is the start. Labels shift by one on the way and
back: OpenFst's epsilon is 0, ours -1, and class 0 is a label here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_graph
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable

__all__ = ["EPSILON_NAMES", "INFINITE", "OPENFST_EPSILON", "to_openfst_symbols", "to_openfst_text"]

INFINITE = "Infinity"
OPENFST_EPSILON = "<eps>"
EPSILON_NAMES = {
    OPENFST_EPSILON,
    "<epsilon>",
    EPSILON_TEXT,
}  # by habit; OpenFst cares for the 0 only


def to_openfst_text(graph: Graph, *, acceptor: bool = False) -> str:
    """Return a single graph in OpenFst's text format, for ``fstcompile``.

    A side with a symbol table is written in symbols (epsilon as ``<eps>``), one without in labels,
    one higher than here. Nodes keep their numbers. Several starts, or one with a penalty, become
    a new start, the last node, with epsilon arcs. Penalties are written so that they read back
    bit for bit; penalties of 0, data and starts of infinite penalty are left out. A graph without
    starts becomes the empty text.

    Args:
        acceptor: one label per arc, for ``fstcompile --acceptor``.

    Raises:
        GraphError: a batch, or a transducer with ``acceptor=True``.
        SymbolError: a symbol that the format cannot hold: with a space, empty, or ``<eps>``.

    O(N + A).

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 0, 0.5), (1, 1, None)], final={1: 1.5})
    >>> print(gtn.to_openfst_text(g))
    0	1	1	1	0.5
    1	1	0	0
    1	1.5
    <BLANKLINE>
    """
    check_graph(graph)
    if graph.topology.is_batch:
        raise GraphError("a text holds one graph; write those of the batch one by one, batch[i]")
    if acceptor and not graph.topology.is_acceptor:
        arc = int(np.argmax(graph.ilabels != graph.olabels))
        raise GraphError(
            f"arc {arc} reads {graph.ilabels[arc]} and writes {graph.olabels[arc]}: this is not an "
            "acceptor; write it with acceptor=False, or gtn.project it"
        )
    if acceptor and graph.isymbols != graph.osymbols:
        raise GraphError(
            "input and output labels have different tables: this is not an acceptor; write it with "
            "acceptor=False, or gtn.project it"
        )
    labels = [_written(graph.ilabels, graph.isymbols)]
    if not acceptor:
        labels.append(_written(graph.olabels, graph.osymbols))
    fields = zip(
        graph.src.tolist(), graph.dst.tolist(), *labels, _numbers(graph.penalties), strict=True
    )
    lines: dict[int, list[str]] = {}
    for src, *rest in fields:
        lines.setdefault(src, []).append("\t".join([str(src), *map(str, rest[:-1])]) + rest[-1])
    for node, penalty in zip(graph.finals.tolist(), _numbers(graph.final_penalties), strict=True):
        lines.setdefault(node, []).append(f"{node}{penalty}")
    lonely = set(range(graph.num_nodes)) - lines.keys() - set(graph.dst.tolist())
    starts = {
        node: text
        for node, text in zip(graph.starts.tolist(), _numbers(graph.start_penalties), strict=True)
        if text != f"\t{INFINITE}"
    }
    if not starts:
        return ""
    start = next(iter(starts))
    if list(starts.values()) != [""]:
        start = graph.num_nodes
        silent = "\t".join(
            _one(None if t is None else OPENFST_EPSILON) for t in _tables(graph, acceptor)
        )
        lines[start] = [f"{start}\t{node}\t{silent}{text}" for node, text in starts.items()]
    # Nodes on no other line, and a start without arcs, get a line: final with penalty Infinity.
    for node in lonely | ({start} - lines.keys()):
        lines[node] = [f"{node}\t{INFINITE}"]
    order = [start, *sorted(lines.keys() - {start})]
    return "".join(f"{line}\n" for node in order for line in lines[node])


def to_openfst_symbols(table: SymbolTable) -> str:
    """Return a symbol table in OpenFst's text format, for ``--isymbols`` and ``--osymbols``.

    One symbol and its label per line; labels are one higher than here, and ``<eps>`` is 0.

    Raises:
        SymbolError: a symbol that the format cannot hold: with a space, empty, or ``<eps>``.

    >>> import gtn
    >>> print(gtn.to_openfst_symbols(gtn.SymbolTable("ab")))
    <eps>	0
    a	1
    b	2
    <BLANKLINE>
    """
    lines = [f"{_checked(table.symbol(label))}\t{label + 1}\n" for label in table.labels]
    return "".join([f"{OPENFST_EPSILON}\t0\n", *lines])


def _tables(graph: Graph, acceptor: bool) -> list[SymbolTable | None]:
    return [graph.isymbols] if acceptor else [graph.isymbols, graph.osymbols]


def _one(symbol: str | None) -> str:
    return "0" if symbol is None else symbol


def _written(labels: NDArray[np.int32], table: SymbolTable | None) -> list[Any]:
    if table is None:
        if labels.max(initial=0) == np.iinfo(np.int32).max:
            raise GraphError(
                f"label {labels.max()} cannot be written: OpenFst's labels are one more, since its "
                "epsilon is 0, and have 32 bits"
            )
        return [label + 1 for label in labels.tolist()]
    used = np.unique(labels).tolist()
    text = {
        label: OPENFST_EPSILON if label == EPSILON else _checked(table.symbol(label))
        for label in used
    }
    return [text[label] for label in labels.tolist()]


def _checked(symbol: str) -> str:
    if not symbol or symbol in EPSILON_NAMES or any(c in " \t\r\n" for c in symbol):
        raise SymbolError(
            f"the symbol {symbol!r} cannot be written: OpenFst's text separates by spaces and "
            f"keeps {OPENFST_EPSILON} for epsilon; give the graph another table, with_symbols(…)"
        )
    return symbol


def _numbers(penalties: torch.Tensor) -> list[str]:
    """Return the shortest texts that read back bit for bit, each after a tab; of 0 nothing."""
    values = penalties.numpy(force=True)
    special = {0.0: "", math.inf: f"\t{INFINITE}"}
    return [special.get(float(p), f"\t{p!s}") for p in values]
