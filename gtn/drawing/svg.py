"""SVG of a graph: by the layered layout, or by the ``dot`` binary."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from math import inf
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from gtn.drawing.colors import ACCENT, Ramp
from gtn.drawing.dot import to_dot
from gtn.drawing.layout import HEAD, RADIUS, Layout
from gtn.drawing.rooms import ARROW, LINE, SIZE, SMALL, label_columns, measure, picture_size, piece
from gtn.drawing.strands import Strand, Style, number
from gtn.drawing.views import View, views
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph

__all__ = ["piped", "to_svg"]

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
MAX_ARCS = 300
LESS = (
    "draw less of the graph (connect it, prune it, keep its n best paths, pick one graph of a "
    "batch)"
)
INK, PEN, GREY = "#1a1a1a", "#4a4a4a", "#7a7a7a"


def to_svg(
    graph: Graph,
    *,
    engine: str = "auto",
    highlight: Any = None,
    color: Any = None,
    width: Any = None,
    images: Any = None,
    ink: str = "high",
    image_height: float = 30,
    show_penalties: bool | None = None,
    max_parallel: int | None = 4,
    max_arcs: int = MAX_ARCS,
    max_graphs: int = 4,
    max_width: float | None = None,
    background: str | None = "white",
) -> str:
    """Return the graph as an SVG picture, the same text for the same graph.

    Args:
        graph: a graph, or a batch, whose first graphs are drawn one above the other.
        engine: ``"dot"`` (Graphviz's binary), ``"layered"`` (needs nothing), or ``"auto"``: dot if
            it is installed and neither images nor rows are asked for.
        highlight: arcs to emphasise: indexes, a mask ``[A]``, or a path made from this graph
            (``viterbi_path``), whose sources say which arcs it takes. For a path through several
            graphs, as from ``gtn.dense``, give the sources in the one that is drawn:
            ``path.sources[1]`` for the second. For a path through a graph made from this one, say
            ``made = graph @ grammar``, give ``made.sources[0].then(path.sources[0])``.
        color: values ``[A]`` to colour arcs by, such as posteriors (pale to dark blue) or gradients
            (values of both signs: blue over grey to red).
        width: values ``[A]`` for the width of the curves.
        images: a key of arc data or ``[A, H, W]``: pictures on the arcs; layered only.
        ink: ``"high"`` or ``"low"``, the values of images that are ink.
        image_height: of the pictures, in pixels.
        show_penalties: whether to write penalties (nats); by default, unless all are zero.
        max_parallel: more parallel arcs than this are drawn as one curve with the best of them
            and, say, ``+12`` for the rest; ``None``: never.
        max_arcs: more arcs than this are refused.
        max_graphs: how many graphs of a batch to draw.
        max_width: in pixels; a wider drawing continues in rows below, each beginning with the
            nodes that end the one before; layered only. ``None``: one row, however wide.
        background: a colour, or ``None``: transparent, with the page's own text colour.

    Raises:
        GraphError: too many arcs; a wrong option; ``engine="dot"`` without the binary.

    >>> import gtn
    >>> to_svg(gtn.string("ab", symbols=gtn.SymbolTable("ab")), engine="layered")[:4]
    '<svg'
    """
    check_graph(graph)
    if engine not in ("auto", "dot", "layered"):
        raise GraphError(f"engine={engine!r}; it is 'auto', 'dot' or 'layered'")
    if max_width is not None and not (
        isinstance(max_width, int | float | np.number) and max_width > 0
    ):
        raise GraphError(f"max_width={max_width!r}; it is a number of pixels, or None")
    drawn = list(views(graph, max_graphs))
    arcs = sum(len(view.arcs) for view in drawn)
    if arcs > max_arcs:
        raise GraphError(
            f"{arcs} arcs are too many for a readable drawing (max_arcs={max_arcs}); {LESS}, "
            "or pass max_arcs"
        )
    if engine == "auto":
        plain = images is None and max_width is None
        engine = "dot" if plain and shutil.which("dot") else "layered"
    if engine == "dot":
        for given, what in ((images, "images"), (max_width, "rows")):
            if given is not None:
                raise GraphError(f"the dot engine draws no {what}; use engine='layered'")
        dot = to_dot(
            graph,
            highlight=highlight,
            color=color,
            width=width,
            show_penalties=show_penalties,
            max_parallel=max_parallel,
            max_graphs=max_graphs,
        )
        dot.graph_attr["bgcolor"] = background or "transparent"
        text = piped(dot, "svg").decode("utf-8")
        return text[text.index("<svg") :]
    style = Style.of(
        graph,
        highlight=highlight,
        color=color,
        width=width,
        images=images,
        ink=ink,
        show_penalties=show_penalties,
        max_parallel=max_parallel,
    )
    return _stacked(drawn, style, image_height, max_width, background)


def piped(dot: Any, form: str) -> bytes:
    """Return the output of the ``dot`` binary for DOT source, in a format such as ``"svg"``.

    Raises:
        GraphError: the binary is not installed.
    """
    if shutil.which("dot") is None:
        raise GraphError(
            f"{form} by the dot engine needs the 'dot' program of Graphviz, which is not installed "
            "(graphviz.org); engine='layered' draws .svg without it"
        )
    drawn: bytes = dot.pipe(format=form)
    return drawn


# -- writing ------------------------------------------------------------------------------------


def _stacked(
    drawn: Sequence[View],
    style: Style,
    image_height: float,
    max_width: float | None,
    background: str | None,
) -> str:
    pieces = [(view, *piece(view, style, image_height)) for view in drawn]
    rows = [layout.rows(max_width) for _, layout, _ in pieces]
    widths = [right - left for of_piece in rows for left, right in of_piece]
    width = max([100.0 if style.ramp else 60.0, *widths])
    parts = ElementTree.Element("g")
    top = 0.0
    for (view, layout, own), of_piece in zip(pieces, rows, strict=True):
        if view.caption:
            _text(parts, 8, top + 14, view.caption, SMALL, GREY, anchor="start")
            top += 18
        if len(of_piece) == 1:
            group = _add(parts, "g", transform=f"translate(0 {_n(top)})")
            _graph(group, view, layout, own, image_height)
            if not view.nodes:
                _text(group, width / 2, layout.height / 2 + 3, "no nodes", SMALL, GREY)
            top += layout.height
            continue
        for row in of_piece:
            place = {"x": 0.0, "y": top, "width": row[1] - row[0], "height": layout.height}
            box = f"{_n(row[0])} 0 {_n(place['width'])} {_n(layout.height)}"
            _graph(_add(parts, "svg", viewBox=box, **place), view, layout, own, image_height, row)
            top += layout.height
    if style.ramp:
        _legend(parts, style.ramp, width, top)
        top += 22
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
    root.attrib |= {"width": _n(width), "height": _n(top), "viewBox": f"0 0 {_n(width)} {_n(top)}"}
    root.attrib |= {"font-family": FONT, "role": "img"}
    if background is None:
        _adapt(parts)
    else:
        _add(root, "rect", width="100%", height="100%", fill=background)
    root.append(parts)
    return ElementTree.tostring(root, encoding="unicode")


def _adapt(parts: Element) -> None:
    """Make a drawing without background readable on light and dark pages."""
    instead = {INK: "currentColor", PEN: "#8c8c8c", GREY: "#8c8c8c", "white": "none"}
    for element in parts.iter():
        for name in ("fill", "stroke"):
            if (value := element.get(name, "")) in instead:
                element.set(name, instead[value])


def _graph(
    parent: Element,
    view: View,
    layout: Layout,
    drawn: list[Strand],
    high: float,
    row: tuple[float, float] = (-inf, inf),
) -> None:
    """Draw the part of a graph from one x to another."""
    for i in sorted(range(len(drawn)), key=lambda i: drawn[i].highlighted):
        ends = np.append(layout.curves[i][:, 0], layout.tips[i][0])
        if ends.max() >= row[0] and ends.min() <= row[1]:
            _arc(parent, drawn[i], layout, i, high)
    entered = {s.dst for s in drawn if s.src != s.dst}
    for node, (x, y) in zip(view.nodes, layout.nodes, strict=True):
        if not row[0] <= x <= row[1]:
            continue
        group = _add(parent, "g")
        start, final = view.starts.get(node), view.finals.get(node)
        from_below = start is not None and node in entered
        if start is not None:
            _start(group, x, y, start, from_below)
        radii = [RADIUS] if final is None else [RADIUS, RADIUS - 2.2]
        for r in radii:
            _add(group, "circle", cx=x, cy=y, r=r, fill="white", stroke=INK, stroke_width="0.9")
        if final:
            beside = x + 4 if from_below else x
            anchor = "start" if from_below else "middle"
            _text(group, beside, y + RADIUS + SMALL + 1, number(final), SMALL, GREY, anchor)
        size = SMALL if node < 100 else 7.0 if node < 1000 else 5.5
        _text(group, x, y + 0.36 * size, str(node), size, INK)


def _start(parent: Element, x: float, y: float, penalty: float, from_below: bool) -> None:
    """Draw the arrow into a start: from the left, or from below if arcs come in from there."""
    along = np.array([0.0, -1.0]) if from_below else np.array([1.0, 0.0])
    tip = np.array([x, y]) - RADIUS * along
    tail = tip - ARROW * along
    line = _path([tail, tip - (HEAD - 1) * along], "L")
    _add(parent, "path", d=line, fill="none", stroke=INK, stroke_width="0.9")
    _head(parent, tip - HEAD * along, tip, INK)
    if penalty:
        at = tail - (3, 0 if from_below else -3)
        _text(parent, at[0], at[1], number(penalty), SMALL, GREY, anchor="end")


def _arc(parent: Element, strand: Strand, layout: Layout, i: int, high: float) -> None:
    group = _add(parent, "g")
    _add(group, "title").text = strand.title
    color = strand.color or (ACCENT if strand.highlighted else PEN)
    width = strand.width or (1.9 if strand.highlighted else 0.9)
    curve, tip = layout.curves[i], layout.tips[i]
    d = _path(curve, "C")
    if strand.highlighted and strand.color:
        _add(group, "path", d=d, fill="none", stroke="#ffe08a", stroke_width=width + 5)
    line = _add(group, "path", d=d, fill="none", stroke=color, stroke_width=width)
    if strand.forbidden:
        line.set("stroke-dasharray", "3 3")
    _head(group, curve[-1], tip, color, grow=0.8 * (width - 0.9))
    _label(group, strand, layout.labels[i], high, color)


def _label(group: Element, strand: Strand, at: Any, high: float, color: str) -> None:
    """Write the rows above the curve, or a picture on it and the rows below."""
    x, y = (float(v) for v in at)
    lines = len(strand.rows) + bool(strand.hidden)
    baseline = y - 4 - LINE * (lines - 1)
    if strand.picture is not None:
        height, width = picture_size(strand.picture, high)
        top = y - LINE * lines - height - 4 if strand.src == strand.dst else y - height / 2
        if strand.src != strand.dst:
            baseline = y + height / 2 + LINE - 2
        box = {"x": x - width / 2, "y": top, "width": width, "height": height}
        _add(group, "image", href=strand.picture.uri, **box)
        edge = color if strand.color or strand.highlighted else "#b5b5b5"
        thick = 1.4 if strand.highlighted else 0.6
        _add(group, "rect", fill="none", stroke=edge, stroke_width=thick, **box)
    swatch, symbols, penalties = label_columns(strand)
    left = x - (swatch + symbols + penalties) / 2
    for row in strand.rows:
        accent = ACCENT if row.highlighted and not strand.color else None
        if swatch:
            _add(group, "rect", x=left, y=baseline - 6.5, width=5, height=5, fill=row.color or INK)
        between = left + swatch + symbols
        middle, anchor = (between, "end") if penalties else (between - symbols / 2, "middle")
        text = _text(group, middle, baseline, row.symbols, SIZE, accent or INK, anchor)
        if row.highlighted:
            text.set("font-weight", "bold")
        if row.penalty:
            _text(group, between + 3.5, baseline, row.penalty, SMALL, accent or GREY, "start")
        baseline += LINE
    if strand.hidden:
        _text(group, x, baseline, f"+{strand.hidden}", SMALL, GREY)


def _legend(parent: Element, ramp: Ramp, width: float, top: float) -> None:
    """Draw the ramp with its ends, at the bottom right."""
    steps, step = 24, 2.5
    right = width - 8 - measure(number(ramp.high), SMALL)
    left = right - steps * step - 4
    for i in range(steps):
        color = ramp.color(ramp.low + (ramp.high - ramp.low) * i / (steps - 1))
        _add(parent, "rect", x=left + i * step, y=top + 6, width=2.7, height=6, fill=color)
    _text(parent, left - 4, top + 12.2, number(ramp.low), SMALL, GREY, anchor="end")
    _text(parent, right, top + 12.2, number(ramp.high), SMALL, GREY, anchor="start")


def _head(parent: Element, tail: Any, tip: Any, color: str, grow: float = 0.0) -> None:
    along = (tip - tail) / np.hypot(*(tip - tail))
    back = tip - (HEAD + grow) * along
    side = (2.3 + grow) * np.array([-along[1], along[0]])
    _add(parent, "path", d=_path([back + side, tip, back - side], "L") + "Z", fill=color)


def _text(
    parent: Element,
    x: float,
    y: float,
    text: str,
    size: float,
    color: str,
    anchor: str = "middle",
) -> Element:
    element = _add(parent, "text", x=x, y=y, text_anchor=anchor, font_size=size, fill=color)
    element.text = text
    return element


def _add(parent: Element, tag: str, **attributes: str | float) -> Element:
    """Add an element; ``_`` in the name of an attribute stands for ``-``."""
    texts = {
        name.replace("_", "-"): value if isinstance(value, str) else _n(value)
        for name, value in attributes.items()
    }
    return ElementTree.SubElement(parent, tag, texts)


def _path(points: Any, kind: str) -> str:
    pairs = [f"{_n(x)} {_n(y)}" for x, y in points]
    return f"M{pairs[0]}{kind}{' '.join(pairs[1:])}"


def _n(value: float) -> str:
    """Return a coordinate with at most one decimal."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
