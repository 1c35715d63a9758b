"""Draw the page's pictures: the normaliser, how a word is read, error against beam."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from demos.checkpoint import write_whole
from demos.figures import load_figures
from demos.words.report.drawing import draw_graphs, draw_pieces
from demos.words.report.page import Reader
from demos.words.samples.handwriting import HANDS, SAMPLES, write_word
from recognizers.online.amap import ROWS, amap
from recognizers.online.ink import Ink
from recognizers.online.ink_pictures import draw_amap, draw_fit, draw_ink
from recognizers.online.normalization import ROWS_OF_LINES, by_height, fit_lines, on_lines
from recognizers.online.pitch import at_pitch
from recognizers.online.slant import upright

__all__ = [
    "NORMALISED",
    "SHOWN",
    "Example",
    "draw_beams",
    "draw_examples",
    "draw_normaliser",
    "read_beams",
    "read_examples",
    "write_pictures",
]

NORMALISED = ("playground", "quickly", "minimum")
"""Words of our own ink that show the normaliser at work."""

HASTY = (
    "together", "river", "thought", "window", "beautiful", "garden", "mountain", "yellow",
    "simple", "quiet", "number", "kitchen", "every", "journey", "black", "voice",
)  # fmt: skip
"""Words written by a hasty hand, so that some are misread."""

SHOWN = "hand"
"""The word of our own ink whose way through the reader is drawn."""

_COLUMNS = (
    ("as written, and its lines", 320.0),
    ("on its lines", 330.0),
    ("upright, letters of one width", 560.0),
    ("by its height alone", 270.0),
)
_ROW = 125.0
_SCALE = 4.2
"""Pixels of the picture per pixel of an annotated image."""


def draw_normaliser(words: Sequence[str] = NORMALISED) -> str:
    """Draw words with their lines, laid on them, upright at one width, and by height (SVG)."""
    width = sum(wide for _, wide in _COLUMNS)
    height = 26.0 + _ROW * len(words)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    left = 0.0
    for number, (title, wide) in enumerate(_COLUMNS):
        parts.append(f'<text x="{left + 8:g}" y="18" font-size="13" fill="#66707d">{title}</text>')
        for row, word in enumerate(words):
            hand, seed = SAMPLES[word]
            ink = write_word(word, HANDS[hand], seed)
            fit = fit_lines(ink)
            if number == 0:
                picture = draw_fit(ink, fit, _ROW - 30.0)
            else:
                laid = on_lines(ink, fit.lines)
                placed = (laid, at_pitch(upright(laid)), by_height(ink))[number - 1]
                picture = _on_rows(placed, wide / _SCALE)
            place = f'x="{left + 4:g}" y="{28 + _ROW * row:g}" '
            parts.append(picture.replace("<svg ", f"<svg {place}", 1))
        left += wide
    return "\n".join([*parts, "</svg>", ""])


def _on_rows(ink: Ink, columns: float) -> str:
    """Draw ink in pixels of an annotated image, and the four lines, enlarged by `_SCALE`."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SCALE * (columns - 2):.0f}" '
        f'height="{_SCALE * (ROWS + 2):.0f}" viewBox="0 -1 {columns - 2:.1f} {ROWS + 2}" '
        'preserveAspectRatio="xMinYMid">'
    ]
    for row in ROWS_OF_LINES:
        y = ROWS - 1 - row
        parts.append(f'<path d="M0 {y:g}H{columns:.1f}" stroke="#c9d0d8" stroke-width=".2"/>')
    for stroke in ink:
        points = stroke if len(stroke) > 1 else stroke.repeat(2, axis=0)
        path = " ".join(f"{x:.2f},{ROWS - 1 - y:.2f}" for x, y in points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="#222222" stroke-width=".42" '
            'stroke-linecap="round" stroke-linejoin="round"/>'
        )
    return "".join([*parts, "</svg>"])


class Example(NamedTuple):
    """Our own ink of a word, its reading, and the posterior of the reading."""

    ink: Ink
    word: str
    read: str
    posterior: float


def read_examples(reader: Reader) -> list[Example]:
    """Read the words of `SAMPLES`, each in its hand, and `HASTY` in a hasty one."""
    written = [(word, HANDS[hand], seed) for word, (hand, seed) in SAMPLES.items()]
    written += [(word, HANDS["hasty"], seed) for seed, word in enumerate(HASTY)]
    found = []
    for word, hand, seed in written:
        ink = write_word(word, hand, seed)
        readings = reader.read(ink).readings
        best = (readings[0].text, readings[0].posterior) if readings else ("", 0.0)
        found.append(Example(ink, word, *best))
    return found


def draw_examples(examples: Sequence[Example]) -> str:
    """Draw words above their readings, four in a row (SVG)."""
    wide, high = 260.0, 112.0
    rows = -(-len(examples) // 4)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{4 * wide:g}" height="{high * rows:g}" '
        f'viewBox="0 0 {4 * wide:g} {high * rows:g}" font-size="14" '
        'font-family="Helvetica, Arial, sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, one in enumerate(examples):
        x, y = wide * (number % 4) + 10.0, high * (number // 4)
        picture = draw_ink(one.ink, min(60.0, 215.0 * _aspect(one.ink)))
        parts.append(picture.replace("<svg ", f'<svg x="{x:g}" y="{y + 6:g}" ', 1))
        said, color = f"{one.read} {one.posterior:.2f}", "#23704a"
        if one.read != one.word:
            said, color = f"{said}, written: {one.word}", "#b3361e"
        parts.append(f'<text x="{x + 8:g}" y="{y + 98:g}" fill="{color}">{escape(said)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _aspect(ink: Ink) -> float:
    """Return the height of ink over its width."""
    left, low, right, high = ink.bounds
    return (high - low) / max(right - left, 1e-9)


def draw_beams(measured: Sequence[dict[str, Any]]) -> bytes:
    """Plot word error and time against the beam, for each system and lexicon (SVG)."""
    with mpl.rc_context({"svg.hashsalt": "words", "font.size": 9}):
        figure = Figure(figsize=(8.0, 3.2), layout="constrained")
        error, time = figure.subplots(1, 2)
        for one in measured:
            for lexicon in one["lexicons"]:
                beams = [row["beam"] for row in lexicon["beams"]]
                name = f"{one['system']}, {lexicon['words']:,} words"
                values = [100 * row["word_error"] for row in lexicon["beams"]]
                error.plot(beams, values, marker="o", markersize=3, label=name)
                milliseconds = [row["ms"] for row in lexicon["beams"]]
                time.plot(beams, milliseconds, marker="o", markersize=3, label=name)
        for axes, title in ((error, "words wrong, %"), (time, "ms for a word, one core")):
            axes.set_xlabel("beam, nats")
            axes.set_title(title, fontsize=9)
            axes.grid(visible=True, linewidth=0.3)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        error.set_ylim(bottom=0.0)
        time.set_yscale("log")
        time.yaxis.set_major_formatter(ScalarFormatter())
        error.legend(frameon=False, fontsize=8)
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def write_pictures(
    reader: Reader | None,
    examples: Sequence[Example],
    measured: Sequence[dict[str, Any]],
    folder: Path,
) -> list[Path]:
    """Draw all pictures of the page, of our own ink only, into a folder; return their files."""
    hand, seed = SAMPLES[SHOWN]
    ink = write_word(SHOWN, HANDS[hand], seed)
    placed = at_pitch(upright(on_lines(ink, fit_lines(ink).lines)))
    pictures: dict[str, str | bytes] = {
        "normaliser.svg": draw_normaliser(),
        "planes.png": draw_amap(amap(placed), 4),
    }
    if reader is not None:
        reading = reader.read(ink)
        pictures["examples.svg"] = draw_examples(examples)
        graphs = draw_graphs(reading, "white")
        if graphs is not None and reading.segmentation is not None:
            pictures["pieces.svg"] = str(draw_pieces(reading.segmentation, graphs.letters))
            pictures["segmentation.svg"] = str(graphs.segmentation)
            pictures["interpretation.svg"] = str(graphs.interpretation)
    if measured:
        pictures["beam.svg"] = draw_beams(measured)
    for name, content in pictures.items():
        write_whole(folder / name, content)
    return [folder / name for name in pictures]


def read_beams(results: Path) -> list[dict[str, Any]]:
    """Return the figures of :func:`demos.words.experiments.beam.write_beams`, by system."""
    return [load_figures(path) for path in sorted(results.glob("beam-*.json"))]
