"""Pictures of ink and the lines fitted to it (SVG), and of annotated images (PNG)."""

from __future__ import annotations

from html import escape

import numpy as np

from gtn.drawing.pictures import png
from recognizers.online.ink import Ink
from recognizers.online.normalization import LINES, Fit

__all__ = ["draw_amap", "draw_fit", "draw_ink"]

LINE_COLORS = ("#c0392b", "#2e8b57", "#2962b8", "#8e44ad")
_NEITHER = "#999999"


def draw_ink(ink: Ink, height: float = 120.0, title: str = "") -> str:
    """Return the ink as an SVG picture of this height in pixels; a stroke of one point is a dot.

    >>> draw_ink(Ink([[(0, 0), (1, 1)], [(2, 2)]])).count("<polyline")
    2
    """
    return _Canvas(ink, ink.bounds[1], ink.bounds[3], height, title).close()


def draw_fit(ink: Ink, fit: Fit, height: float = 160.0, title: str = "") -> str:
    """Return the ink with its four lines and its turning points, as an SVG picture.

    A turning point has the colour of the line that it belongs to most, grey for none; full
    circles are points where the pen turned, smaller ones are ends of strokes.

    >>> from recognizers.online.normalization import fit_lines
    >>> word = Ink([[(i, 10 * (i % 2)) for i in range(9)]])
    >>> picture = draw_fit(word, fit_lines(word), title="zigzag")
    >>> picture.count("<circle"), picture.count("<path")
    (9, 4)
    """
    left, low, right, high = ink.bounds
    x = np.linspace(left, right, 33)
    curves = fit.lines.at(x)
    canvas = _Canvas(ink, min(low, curves.min()), max(high, curves.max()), height, title)
    for name, color, curve in zip(LINES, LINE_COLORS, curves, strict=True):
        points = " L".join(canvas.point(px, py) for px, py in zip(x, curve, strict=True))
        canvas.add(
            f'<path d="M{points}" fill="none" stroke="{color}" stroke-width="1.2">'
            f"<title>{name}</title></path>"
        )
    own = np.where(fit.extrema.is_top[:, None], [1, 0, 4], [2, 3, 4]) if len(fit.shares) else []
    for (px, py), share, lines, count in zip(
        fit.extrema.points, fit.shares, own, fit.extrema.counts, strict=True
    ):
        color = (*LINE_COLORS, _NEITHER)[lines[int(share.argmax())]]
        cx, cy = canvas.point(px, py).split(",")
        canvas.add(f'<circle cx="{cx}" cy="{cy}" r="{1.5 + 1.5 * count:g}" fill="{color}"/>')
    return canvas.close()


def draw_amap(planes: np.ndarray, zoom: int = 8) -> bytes:
    """Return the planes, float [5, H, W], of an annotated image below each other, as a PNG file.

    From above: horizontal, rising, vertical, falling ink, curvature; dark is much.

    >>> draw_amap(np.zeros((5, 20, 18)))[1:4]
    b'PNG'
    """
    framed = np.pad(np.asarray(planes, float), ((0, 0), (0, 1), (0, 0)), constant_values=0.15)
    grey = np.rint(255.0 * (1.0 - framed.reshape(-1, framed.shape[2]).clip(0.0, 1.0)))
    return png(grey.astype(np.uint8).repeat(zoom, 0).repeat(zoom, 1))


class _Canvas:
    """An SVG picture with ink in it: x to the right, y upwards, scaled to a height in pixels."""

    def __init__(self, ink: Ink, low: float, high: float, height: float, title: str) -> None:
        left, _, right, _ = ink.bounds
        self.margin = 8.0
        size = max(high - low, 0.05 * (right - left)) or 1.0
        self.scale = height / size
        self.left, self.high = left, 0.5 * (low + high) + 0.5 * size
        width = (right - left) * self.scale + 2 * self.margin
        full = height + 2 * self.margin
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{full:.0f}" '
            f'viewBox="0 0 {width:.2f} {full:.2f}">',
            '<rect width="100%" height="100%" fill="white"/>',
        ]
        if title:
            self.parts.insert(1, f"<title>{escape(title)}</title>")
        for stroke in ink:
            points = stroke if len(stroke) > 1 else stroke.repeat(2, axis=0)
            path = " ".join(self.point(x, y) for x, y in points)
            self.add(
                f'<polyline points="{path}" fill="none" stroke="#222222" stroke-width="1.6" '
                'stroke-linecap="round" stroke-linejoin="round"/>'
            )

    def point(self, x: float, y: float) -> str:
        px = (x - self.left) * self.scale + self.margin
        py = (self.high - y) * self.scale + self.margin
        return f"{px:.2f},{py:.2f}"

    def add(self, part: str) -> None:
        self.parts.append(part)

    def close(self) -> str:
        return "\n".join([*self.parts, "</svg>", ""])
