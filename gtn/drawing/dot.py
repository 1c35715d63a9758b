"""DOT source of a graph, through the graphviz package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphviz

from gtn.drawing.colors import ACCENT
from gtn.drawing.strands import Strand, Style, number, strands
from gtn.drawing.views import views
from gtn.graph import Graph, check_graph

__all__ = ["to_dot"]


def to_dot(
    graph: Graph,
    *,
    highlight: Any = None,
    color: Any = None,
    width: Any = None,
    show_penalties: bool | None = None,
    max_parallel: int | None = None,
    max_graphs: int | None = None,
) -> graphviz.Digraph:
    """Return the graph as a ``graphviz.Digraph``, whose ``source`` is DOT text.

    Left to right; an arrow enters each start, finals are double circles, and arcs are labelled
    ``symbol / penalty`` or ``in:out / penalty`` (nats).

    Args:
        graph: a graph, or a batch (one cluster for each of its graphs).
        highlight, color, width, show_penalties: as for :func:`gtn.drawing.to_svg`.
        max_parallel: more parallel arcs than this become one edge with the best of them (unless
            given, all are drawn).
        max_graphs: how many graphs of a batch to draw (all, unless given).

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, "a", "b", 0.5)], final={1: 2.0})
    >>> print(to_dot(g).source)
    digraph {
        ...
        0 -> 1 [label="a:b / 0.5"]
    }
    """
    check_graph(graph)
    style = Style.of(
        graph,
        highlight=highlight,
        color=color,
        width=width,
        show_penalties=show_penalties,
        max_parallel=max_parallel,
    )
    dot = graphviz.Digraph(
        graph_attr={"rankdir": "LR", "fontname": "Helvetica", "fontsize": "10"},
        node_attr={
            "shape": "circle",
            "fontname": "Helvetica",
            "fontsize": "10",
            "width": "0.3",
            "height": "0.3",
            "margin": "0.03",
        },
        edge_attr={"fontname": "Helvetica", "fontsize": "11", "arrowsize": "0.6"},
    )
    for view in views(graph, max_graphs):
        part = graphviz.Digraph(name=f"cluster_{view.name}") if view.caption else dot
        if view.caption:
            part.attr(label=view.caption, color="#bbbbbb")
        for node in view.nodes:
            _node(part, node, view.starts.get(node), view.finals.get(node))
        for strand in strands(style, view.arcs):
            part.edge(str(strand.src), str(strand.dst), _label(_lines(strand)), **_look(strand))
        if view.caption:
            dot.subgraph(part)
    return dot


def _node(dot: graphviz.Digraph, node: int, start: float | None, final: float | None) -> None:
    look = {}
    if start is not None:
        look["style"] = "bold"
    if final is not None:
        look["shape"] = "doublecircle"
    text = f"{node} / {number(final)}" if final else str(node)
    dot.node(str(node), _label([text]), **look)
    if start is not None:
        tail = f"start {node}"
        dot.node(tail, "", shape="none", width="0", height="0")
        dot.edge(tail, str(node), _label([number(start)] if start else []))


def _lines(strand: Strand) -> list[str]:
    more = [f"+{strand.hidden}"] if strand.hidden else []
    return [*(row.text for row in strand.rows), *more]


def _label(lines: Sequence[str]) -> str:
    """Return lines as one DOT string, free of escapes, entities and HTML."""
    safe = [line.replace("\\", "\\\\").replace("&", "&amp;") for line in lines]
    label: str = graphviz.nohtml("\\n".join(safe))
    return label


def _look(strand: Strand) -> dict[str, str]:
    look = {}
    if strand.color or strand.highlighted:
        look["color"] = strand.color or ACCENT
    if strand.width is not None or strand.highlighted:
        look["penwidth"] = f"{strand.width or 1 + strand.highlighted:.2g}"
    if strand.highlighted:
        look["fontcolor"] = ACCENT
    if strand.forbidden:
        look["style"] = "dashed"
    return look
