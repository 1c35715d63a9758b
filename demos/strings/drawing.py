"""Draw a line above its outputs (paper, Figs. 25 and 26), and a page with the digits found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from demos.checkpoint import write_whole
from demos.strings.reader import Reading, StringReader
from grammars import RUBBISH
from recognizers.classes import DIGITS
from recognizers.spotting import Detection, Places

__all__ = ["draw_line", "draw_page", "heat_map", "write_figure"]

INK = "#1b1b1b"
PATH = "#c8371b"
MAP = "Blues"


def draw_line(reader: StringReader, image: NDArray[np.uint8], reading: Reading) -> Figure:
    """Return the picture of a reading: the line, its characters, and the outputs per position.

    The line is at the top; below it each character spans the first to the last position that read
    it; then come the network's outputs, one row per class, darker where more probable, with the
    best path through them.
    """
    with torch.no_grad():
        output = reader.output([image])
    probable = torch.softmax(-output.emissions[0], dim=1).numpy().T
    middles = reader.sdnn.centres(probable.shape[1])
    width, step = image.shape[1], reader.sdnn.step
    left, right = middles[0] - step, middles[-1] + step
    pixel = min(0.034, 16.0 / (right - left))  # in inches, so that both parts have one scale
    figure = Figure(figsize=(pixel * (right - left) + 0.3, 44 * pixel + 1.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[44 * pixel, 1.5])
    above.imshow(
        255 - image, cmap="gray", vmin=0, vmax=255, aspect="auto", extent=(0, width, 32, 0)
    )
    above.set_xlim(left, right)
    above.set_ylim(44, 0)
    _bare(above)
    for character, (first, last) in zip(reading.text, reading.spans, strict=True):
        above.plot([first - step / 2, last + step / 2], [34, 34], color=PATH, linewidth=1.5)
        above.text((first + last) / 2, 35, character, color=PATH, ha="center", va="top")
    below.imshow(
        probable, cmap=MAP, vmin=0, vmax=1, aspect="auto", interpolation="nearest",
        extent=(left + step / 2, right - step / 2, len(probable) - 0.5, -0.5),
    )  # fmt: skip
    read = reading.outputs >= 0
    below.plot(
        middles[: len(read)][read], reading.outputs[read], color=PATH, linewidth=0.8,
        marker="o", markersize=1.8,
    )  # fmt: skip
    below.set_yticks(range(len(probable)), [*DIGITS, RUBBISH][: len(probable)], fontsize=6)
    below.tick_params(length=0)
    below.set_xticks([])
    for spine in below.spines.values():
        spine.set_visible(False)
    return figure


def heat_map(
    log_probabilities: NDArray[np.float64], places: Places, height: int, width: int
) -> NDArray[np.float64]:
    """Return the probability of a class around each pixel of a page, ``[H, W]``.

    It is that of the best window there. ``log_probabilities [N]`` are those of all windows; each is
    spread over the pixels that are nearest to it among the windows of its resolution.
    """
    result = np.zeros((height, width))
    first = 0
    ys, xs = np.arange(height) + 0.5, np.arange(width) + 0.5
    for rows, columns in places.shapes:
        part = slice(first, first + rows * columns)
        first = part.stop
        grid = np.exp(log_probabilities[part]).reshape(rows, columns)
        at_y = places.y[part].reshape(rows, columns)[:, 0]
        at_x = places.x[part].reshape(rows, columns)[0]
        near_y = np.abs(ys[:, None] - at_y).argmin(axis=1)
        near_x = np.abs(xs[:, None] - at_x).argmin(axis=1)
        result = np.maximum(result, grid[near_y][:, near_x])
    return result


def draw_page(
    page: NDArray[np.uint8], heat: NDArray[np.float64], found: Sequence[Detection], what: str
) -> Figure:
    """Return a page with the finds marked, beside a map of where the class is probable."""
    height, width = page.shape
    figure = Figure(figsize=(7.2, 3.7 * height / width + 0.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(255 - page, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
    for one in found:
        half = one.size / 2 + 2
        x0, x1, y0, y1 = one.x - half, one.x + half, one.y - half, one.y + half
        left.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=PATH, linewidth=1.2)
        text = f"{np.exp(one.score):.2f}"
        left.text(x0, y0 - 1, text, color=PATH, fontsize=7, va="bottom")
    left.set_title(f"{what!r}: {len(found)} found", fontsize=9, color=INK)
    right.imshow(heat, cmap=MAP, vmin=0, vmax=1, extent=(0, width, height, 0))
    right.set_title(f"where {what!r} is probable", fontsize=9, color=INK)
    for axes in (left, right):
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def write_figure(figure: Figure, path: Path) -> None:
    """Write a picture as PNG or SVG, by its suffix: the same bytes each time it is drawn."""
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in ("png", "svg"):
        raise ValueError(f"{path}: a picture is a .png or a .svg file")
    content = io.BytesIO()
    fixed = {"Date": None} if suffix == "svg" else {}
    with mpl.rc_context({"svg.hashsalt": "strings", "svg.fonttype": "none", "font.size": 9}):
        figure.savefig(content, format=suffix, dpi=160, metadata=fixed)
    write_whole(path, content.getvalue())


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
