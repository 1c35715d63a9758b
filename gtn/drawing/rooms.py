"""Rooms: the space that nodes and labels of a graph take, and the layout that provides it."""

from __future__ import annotations

import unicodedata

from gtn.drawing.layout import RADIUS, Box, Layout, Link, layered
from gtn.drawing.pictures import Picture
from gtn.drawing.strands import Strand, Style, number, strands
from gtn.drawing.views import View

__all__ = ["label_columns", "measure", "picture_size", "piece"]

SIZE, SMALL = 11.0, 9.0  # fonts of symbols and of penalties
LINE = 13.0  # from row to row
ARROW = 16.0  # length of the arrow into a start
_NARROW, _WIDE = set(" .,:;'|!ijlIft()[]/"), set("mwMW%@—…")


def piece(view: View, style: Style, image_height: float = 30) -> tuple[Layout, list[Strand]]:
    """Return the layout of one graph and the strands that go with its curves."""
    drawn = strands(style, view.arcs, one_loop=True)
    first = view.nodes.start
    entered = {s.dst for s in drawn if s.src != s.dst}
    nodes = []
    for n in view.nodes:
        start, final = view.starts.get(n), view.finals.get(n)
        left, right, below = 0.0, 0.0, 0.0
        if final:
            left = right = measure(number(final), SMALL) / (1 if n in entered else 2)
            below = SMALL + 3
        if start is not None:
            if n in entered:
                left = max(left, measure(number(start), SMALL) + 3)
                below = ARROW + 1
            else:
                left = RADIUS + ARROW + (measure(number(start), SMALL) + 3 if start else 0)
        nodes.append(Box(left, right, 0, below))
    links = [Link(s.src - first, s.dst - first, _room(s, image_height)) for s in drawn]
    return layered(nodes, links, [n - first for n in view.starts]), drawn


def _room(strand: Strand, image_height: float) -> Box:
    lines = len(strand.rows) + bool(strand.hidden)
    half = max(sum(label_columns(strand)) / 2, 7.0) + 5
    if strand.picture is None:
        return Box(half, half, LINE * lines + 2, 3)
    height, width = picture_size(strand.picture, image_height)
    half = max(half, width / 2 + 4)
    if strand.src == strand.dst:
        return Box(half, half, LINE * lines + height + 5, 3)
    return Box(half, half, height / 2 + 2, height / 2 + LINE * lines + 3)


def picture_size(picture: Picture, image_height: float) -> tuple[float, float]:
    """Return the height and width at which a picture is drawn; very wide ones shrink."""
    width = image_height * picture.width / picture.height
    shrink = min(1.0, 4 * image_height / width)
    return image_height * shrink, width * shrink


def label_columns(strand: Strand) -> tuple[float, float, float]:
    """Return how wide the swatches, symbols and penalties of a label are."""
    swatched = strand.color is not None and len(strand.rows) + bool(strand.hidden) > 1
    symbols = max(measure(r.symbols, SIZE) * (1.06 if r.highlighted else 1) for r in strand.rows)
    penalties = [3.5 + measure(r.penalty, SMALL) for r in strand.rows if r.penalty]
    return 8.0 if swatched else 0.0, symbols, max(penalties, default=0.0)


def measure(text: str, size: float) -> float:
    """Return the approximate width of a text in a sans-serif font of this size, in pixels."""
    ems = 0.0
    for c in text:
        if unicodedata.east_asian_width(c) in "WF":
            ems += 1.0
        elif not unicodedata.combining(c):
            ems += 0.31 if c in _NARROW else 0.9 if c in _WIDE else 0.7 if c.isupper() else 0.57
    return ems * size
