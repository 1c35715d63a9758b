"""Draw how a word was read: lines, planes, pieces, both graphs (paper, Figs. 30 to 32)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image, ImageDraw

import gtn
from demos.checks.report.pictures import LEAST_POSTERIOR, likely_part
from demos.words.reading.reader import WordReading
from gtn.drawing.pictures import png
from recognizers.online.amap import ROWS
from recognizers.online.ink import Ink
from recognizers.online.ink_pictures import draw_fit, draw_ink
from recognizers.online.normalization import ROWS_OF_LINES
from recognizers.online.segmentation import InkSegmentation
from recognizers.online.segmentation_graph import INK

__all__ = ["PLANE_NAMES", "Graphs", "draw_graphs", "draw_lines", "draw_outputs", "draw_pieces",
           "draw_planes", "ink_images"]  # fmt: skip

PLANE_NAMES = ("horizontal", "rising", "vertical", "falling", "turning")
"""What the five planes of an annotated image hold."""

TINTS = ("#1f5fa8", "#c8371b", "#2e7d50", "#9254a0")
"""Colours of successive pieces of ink."""

BLUE = "#2567a0"
MOST_WIDE = 4000
"""Most columns of a word that are drawn; wider ink is cut off."""

MOST_READ = 60
"""Most arcs of an interpretation graph that are drawn, besides those of the best words."""

_INK = gtn.SymbolTable({INK: "ink"})
_ZOOM = 2
_WIDEST = 48
_FINE = 4


def draw_lines(ink: Ink, reading: WordReading) -> Markup:
    """Draw the ink as given, with its four lines if they were fitted."""
    if reading.fit is None:
        return Markup(draw_ink(ink, 170.0, "the ink"))
    return Markup(draw_fit(ink, reading.fit, 170.0, "the ink and its four lines"))


def draw_planes(planes: np.ndarray) -> list[tuple[str, str]]:
    """Return name and data URL (a PNG) of each plane float [5, H, W]; dark means much."""
    shown = np.asarray(planes, np.float64)[:, :, :MOST_WIDE]
    grey = np.rint(255.0 * (1.0 - shown.clip(0.0, 1.0))).astype(np.uint8)
    zoom = max(1, min(6, MOST_WIDE // grey.shape[2]))
    return [
        (name, _address(plane.repeat(zoom, 0).repeat(zoom, 1)))
        for name, plane in zip(PLANE_NAMES, grey, strict=True)
    ]


def draw_outputs(chain: gtn.Graph) -> tuple[str, list[str], int]:
    """Draw the outputs of a network swept over a word, from their chain [T steps, C classes].

    Return the data URL of a picture of exp(-penalty), with a row for each class; the names of the
    classes; and the number of columns.
    """
    names = list(chain.isymbols or ())
    shares = torch.exp(-chain.penalties.detach().double()).reshape(-1, len(names)).T.numpy()
    grey = np.rint(255.0 * (1.0 - np.sqrt(shares.clip(0.0, 1.0)))).astype(np.uint8)
    return _address(grey[:, :MOST_WIDE]), names, grey.shape[1]


def _address(grey: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(png(grey)).decode()


class Letter(NamedTuple):
    """A letter of the best path, and the box of its ink in pixels of the normalised word."""

    text: str
    box: tuple[float, float, float, float]


def draw_pieces(word: InkSegmentation, letters: list[Letter]) -> Markup:
    """Draw the normalised ink on its lines, piece by piece, with the letters of the best path."""
    right = min(float(word.points[:, 0].max(initial=10.0)) + 3.0, MOST_WIDE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -4.5 {right:.1f} {ROWS + 4.5:.1f}" '
        f'width="{6.5 * right:.0f}" height="{6.5 * (ROWS + 4.5):.0f}" '
        'role="img"><title>pieces of ink and letters</title>'
        '<rect y="-4.5" width="100%" height="100%" fill="white"/>'
    ]
    for row in ROWS_OF_LINES:
        y = ROWS - 1 - row
        parts.append(f'<path d="M0 {y:g}H{right:.1f}" stroke="#d9dee4" stroke-width=".18"/>')
    for letter in letters:
        left, low, end, high = letter.box
        x, wide = left - 0.6, end - left + 1.2
        parts.append(
            f'<rect x="{x:.2f}" y="{ROWS - 1.6 - high:.2f}" width="{wide:.2f}" '
            f'height="{high - low + 1.2:.2f}" rx=".4" fill="none" stroke="{BLUE}" '
            'stroke-width=".2" opacity=".55"/>'
            f'<text x="{x + wide / 2:.2f}" y="-1.2" text-anchor="middle" font-size="3.6" '
            f'fill="{BLUE}">{escape(letter.text)}</text>'
        )
    for piece in range(word.num_pieces):
        for line in range(word.pieces[piece], word.pieces[piece + 1]):
            points = word.points[word.strokes[line] : word.strokes[line + 1]]
            points = points if len(points) > 1 else points.repeat(2, axis=0)
            path = " ".join(f"{x:.2f},{ROWS - 1 - y:.2f}" for x, y in points)
            parts.append(
                f'<polyline points="{path}" fill="none" stroke="{TINTS[piece % len(TINTS)]}" '
                'stroke-width=".5" stroke-linecap="round" stroke-linejoin="round"/>'
            )
    return Markup("".join([*parts, "</svg>"]))


def ink_images(word: InkSegmentation, segments: np.ndarray) -> np.ndarray:
    """Return pictures uint8 [S, 40, W] of the ink of segments, each centred, on its rows."""
    boxes = word.boxes[segments]
    width = float((boxes[:, 2] - boxes[:, 0]).max(initial=8.0))
    columns = min(int(np.ceil(width)) + 3, _WIDEST)
    images = np.zeros((len(segments), _ZOOM * ROWS, _ZOOM * columns), np.uint8)
    scale = _ZOOM * _FINE
    for image, segment, box in zip(images, segments.tolist(), boxes, strict=True):
        canvas = Image.new("L", (scale * columns, scale * ROWS))
        pen = ImageDraw.Draw(canvas)
        wide = float(box[2] - box[0])
        narrow = min(1.0, (columns - 2) / wide) if wide > 0 else 1.0
        middle = 0.5 * float(box[0] + box[2])
        for stroke in word.ink(segment):
            x = scale * ((stroke[:, 0] - middle) * narrow + 0.5 * columns)
            y = scale * (ROWS - 0.5 - stroke[:, 1])
            if len(stroke) == 1:
                pen.ellipse((x[0] - scale, y[0] - scale, x[0] + scale, y[0] + scale), fill=255)
            pen.line(list(zip(x.tolist(), y.tolist())), fill=255, width=scale)
        image[:] = np.asarray(canvas.reduce(_FINE))
    return images


@dataclass(frozen=True)
class Graphs:
    """The drawn graphs, their numbers of arcs and of drawn arcs, and the letters."""

    segmentation: Markup | None
    segments: int
    segments_drawn: int
    interpretation: Markup
    arcs: int
    arcs_drawn: int
    letters: list[Letter]


@torch.no_grad()
def draw_graphs(reading: WordReading, background: str | None = None) -> Graphs | None:
    """Draw the segmentation graph and the interpretation graph of a word; None if nothing is read.

    For a word that was swept over, the interpretation graph is that of the likeliest words.
    `background` is a colour, or None on a page that has its own.
    """
    if not reading.readings:
        return None
    if reading.segmentation is None:
        return _graph_of_words(reading, background)
    word, graph = reading.segmentation, reading.interpretation.detach().double()
    path, *others = (_best_path(graph, one.text) for one in reading.readings)
    posteriors = gtn.arc_posteriors(graph)
    # T_rec makes an arc for each letter of a segment, segment by segment.
    of_letters = reading.recognized.sources[0].then(graph.sources[0])
    segment = of_letters.index.astype(np.int64)
    # The probability of a segment is the sum over all its readings.
    shares = torch.zeros(len(word), dtype=torch.float64)
    shares.index_add_(0, torch.from_numpy(segment), posteriors)
    assert graph.osymbols is not None
    texts = graph.osymbols.decode(np.asarray(graph.olabels)[path].tolist())
    letters = [
        Letter(text, tuple(word.boxes[arc].tolist()))
        for text, arc in zip(texts, segment[path].tolist(), strict=True)
    ]
    bare = reading.segments.without_data(*reading.segments.data).with_symbols(_INK)
    ink, ink_arcs = likely_part(bare.detach(), shares, segment[path], 0.0)
    worth = torch.topk(posteriors, min(MOST_READ, len(posteriors))).values[-1].item()
    bare = graph.without_data(*graph.data)
    kept = np.unique(np.concatenate([path, *others]))
    read, read_arcs = likely_part(bare, posteriors, kept, max(worth, LEAST_POSTERIOR))
    return Graphs(
        _drawn(ink, ink_arcs, segment[path], shares, ink_images(word, ink_arcs), background, False),
        len(word),
        ink.num_arcs,
        _drawn(read, read_arcs, path, posteriors, ink_images(word, segment[read_arcs]), background),
        graph.num_arcs,
        read.num_arcs,
        letters,
    )


def _best_path(graph: gtn.Graph, text: str) -> np.ndarray:
    """Return the arcs [L] of the best path of a graph that writes a text."""
    spelled = gtn.compose(graph, gtn.string(text, symbols=graph.osymbols, dtype=torch.float64))
    path = gtn.viterbi_path(spelled)
    return spelled.sources[0].then(path.sources[0]).index.astype(np.int64)


def _graph_of_words(reading: WordReading, background: str | None) -> Graphs:
    """Draw the likeliest words, each a path with its posterior, as one minimal graph."""
    texts = [one.text for one in reading.readings]
    strings = gtn.strings(texts, symbols=reading.interpretation.osymbols).double()
    shares = torch.tensor([one.posterior for one in reading.readings], dtype=torch.float64)
    paid = strings.with_penalties(
        strings.penalties, start_penalties=-shares.clamp(min=1e-300).log()
    )
    union = gtn.remove_epsilon(gtn.union(*paid))
    graph = gtn.push(gtn.minimize(gtn.determinize(union)))
    path = _best_path(graph, reading.text)
    posteriors = gtn.arc_posteriors(graph)
    every = np.arange(graph.num_arcs)
    arcs = graph.num_arcs
    return Graphs(
        None, 0, 0, _drawn(graph, every, path, posteriors, None, background), arcs, arcs, []
    )


def _drawn(
    part: gtn.Graph,
    arcs: np.ndarray,
    path: np.ndarray,
    posteriors: torch.Tensor,
    images: np.ndarray | None,
    background: str | None,
    is_read: bool = True,
) -> Markup:
    """Draw a part of a graph with its best `path` highlighted; `arcs` index the whole graph."""
    svg = gtn.to_svg(
        part.float(),
        engine="layered",
        images=images,
        highlight=np.flatnonzero(np.isin(arcs, path)),
        color=posteriors.index_select(0, torch.from_numpy(arcs)).float(),
        show_penalties=is_read,
        max_arcs=10_000,
        background=background,
    )
    return Markup(svg)  # gtn escapes every text
