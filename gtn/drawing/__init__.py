"""Drawing graphs: DOT source, SVG with or without Graphviz, and display in notebooks."""

from gtn.drawing.display import Drawing, draw, notebook_html
from gtn.drawing.dot import to_dot
from gtn.drawing.layout import Box, Layout, Link, layered
from gtn.drawing.svg import to_svg

__all__ = [
    "Box",
    "Drawing",
    "Layout",
    "Link",
    "draw",
    "layered",
    "notebook_html",
    "to_dot",
    "to_svg",
]
