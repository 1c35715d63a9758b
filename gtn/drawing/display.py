"""Drawings as files and as pictures in notebooks."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from gtn.drawing.dot import to_dot
from gtn.drawing.svg import LESS, MAX_ARCS, piped, to_svg
from gtn.errors import GraphError, counted
from gtn.graph import Graph
from gtn.whole_files import write_whole

__all__ = ["Drawing", "draw", "notebook_html"]

NOTEBOOK = 900.0
"""How many pixels of a picture a notebook shows."""

_DOT_OPTIONS = {"highlight", "color", "width", "show_penalties", "max_parallel", "max_graphs"}


class Drawing:
    """A graph and how to draw it; in a notebook it shows itself.

    There it is drawn in rows that fit a page, unless the options have ``max_width`` or the dot
    engine.

    >>> import gtn
    >>> Drawing(gtn.string([1, 2]), engine="layered").svg[:4]
    '<svg'
    """

    def __init__(self, graph: Graph, **options: Any) -> None:
        self.graph = graph
        self.options = options

    def __repr__(self) -> str:
        return (
            f"<drawing of {counted(self.graph.num_nodes, 'node')} and "
            f"{counted(self.graph.num_arcs, 'arc')}: a picture in a notebook; draw(graph, "
            "'graph.svg') writes it to a file>"
        )

    @property
    def svg(self) -> str:
        """The picture as SVG text."""
        return to_svg(self.graph, **self.options)

    @property
    def dot(self) -> str:
        """The graph as DOT text."""
        return str(to_dot(self.graph, **self.options).source)

    def _repr_svg_(self) -> str:
        if self.options.get("engine") == "dot":
            return self.svg
        return to_svg(self.graph, **({"max_width": NOTEBOOK} | self.options))


def draw(graph: Graph, path: str | os.PathLike[str] | None = None, **options: Any) -> Drawing:
    """Draw a graph into a file, or for a notebook.

    Args:
        graph: a graph or a batch.
        path: ends in ``.svg``, ``.dot`` or ``.gv``; or ``.png`` or ``.pdf`` where the ``dot``
            program is installed. The file is written whole or not at all.
        options: of :func:`to_svg`; for files other than SVG, of :func:`to_dot`.

    Raises:
        GraphError: another ending, no ``dot`` program, a wrong option, too many arcs.

    >>> import gtn, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "graph.svg"
    ...     drawing = draw(gtn.string([1, 2]), file, engine="layered")
    ...     file.read_text(encoding="utf-8") == drawing.svg
    True
    """
    if tables := sorted(options.keys() & {"isymbols", "osymbols"}):
        raise GraphError(
            f"no option {tables[0]!r}: labels are drawn as the symbols of the graph, which "
            "graph.with_symbols(gtn.SymbolTable(…)) gives it"
        )
    drawing = Drawing(graph, **options)
    if path is None:
        drawing.svg  # noqa: B018 - raise errors here, not when the notebook displays it
        return drawing
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".svg", ".dot", ".gv", ".png", ".pdf"):
        raise GraphError(
            f"{path}: cannot draw {kind or 'without ending'!r}; .svg .dot .gv .png .pdf are known"
        )
    if kind != ".svg" and (other := sorted(options.keys() - _DOT_OPTIONS)):
        raise GraphError(f"{path}: {kind} is drawn by dot, which has no {other[0]!r}; draw .svg")
    if kind == ".svg":
        content = drawing.svg.encode("utf-8")
    elif kind in (".dot", ".gv"):
        content = drawing.dot.encode("utf-8")
    else:
        content = piped(to_dot(graph, **options), kind[1:])
    write_whole(path, content)
    return drawing


def notebook_html(graph: Graph, max_arcs: int = 100) -> str:
    """Return a graph as HTML for a notebook: a picture, or a table if it is large.

    >>> import gtn
    >>> notebook_html(gtn.string([1, 2]))[:4]
    '<svg'
    """
    shown = int(graph.topology.arc_offsets[min(graph.topology.batch_size, 4)])
    if shown > max_arcs:
        hint = f"{shown} arcs are too many for a picture here: {LESS}, or gtn.draw(graph)"
        more = f"{hint[:-1]}, max_arcs={shown})" if shown > MAX_ARCS else hint
        return f"<pre>{escape(repr(graph))}\n\n{escape(more)}</pre>"
    return to_svg(graph, engine="layered", max_arcs=max_arcs, max_width=NOTEBOOK)
