"""Amounts as they are cut out of checks: European hands, and other ink around the writing.

To the fields of :mod:`recognizers.datasets.written_amounts` it adds sevens with a bar, flourishes
behind the amount, the lines of a printed box, and ends of strokes that reach in from writing beside
the field. A reader that never saw these takes a barred seven for an eight, and a flourish for
another digit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from recognizers.datasets.amount_texts import amount
from recognizers.datasets.written_amounts import (
    FINE,
    ComposedField,
    Hand,
    MnistFields,
    joined_zeros,
    marks_of,
    on_paper,
    shrunk,
    strip_width,
    write_digit,
)

__all__ = ["CroppedFields", "barred", "framed", "with_ends"]

FLOURISHES = "#~x"
"""Marks behind an amount, so that no digit can be added: crossed strokes, a wave, a cross."""


class CroppedFields(MnistFields):
    """Composes tight fields with everything that crops of real checks contain.

    Args:
        images: uint8 ``[N, 28, 28]``, 0 paper, 255 ink.
        labels: ``[N]``, the digits; each of the ten must be there.

    >>> images = np.zeros((20, 28, 28), np.uint8)
    >>> images[:, 4:24, 12:16] = 255
    >>> fields = CroppedFields(images, np.arange(20) % 10)
    >>> first, second = (fields.compose(np.random.default_rng(0)) for _ in "ab")
    >>> bool((first.image == second.image).all())
    True
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        super().__init__(images, labels, tight=True)

    def compose(self, rng: np.random.Generator) -> ComposedField:
        """Return one field; the same generator state gives the same field."""
        text = amount(rng)
        hand = Hand.of(rng, len(self.images), tight=True)
        hand = replace(hand, barred=bool(rng.random() < 0.5))
        marks = joined_zeros(marks_of(text, rng), hand)
        if rng.random() < 0.12:
            marks.append(str(rng.choice(list(FLOURISHES))))
        strip, sources = self.write(marks, hand, rng)
        strip = framed(self.with_neighbours(strip, hand, rng), rng)
        return ComposedField(on_paper(strip, hand, rng), text, sources)

    def choose(self, digit: str, hand: Hand, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return an image of a digit in this hand, float ``[28, 28]``, and its place in the set."""
        pixels, source = super().choose(digit, hand, rng)
        if digit == "7" and hand.barred:
            pixels = barred(pixels, rng)
        return pixels, source

    def mark(self, mark: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
        """Return a mark on the line, drawn like digits: float ``[H, W]`` from 0 to 255."""
        return flourish(mark, hand, rng) if mark in FLOURISHES else super().mark(mark, hand, rng)

    def with_neighbours(
        self, strip: np.ndarray, hand: Hand, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the writing with ends of other writing at some of its edges."""
        for side in range(4):
            if rng.random() < 0.08:
                digit = str(rng.integers(10))
                ink = write_digit(self.choose(digit, hand, rng)[0], digit, hand, rng)
                strip = with_ends(strip, ink, side, rng)
        return strip


def barred(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a seven, float ``[28, 28]``, with a bar through the middle of its stem.

    >>> seven = np.zeros((28, 28))
    >>> seven[4:24, 14:16] = 255.0
    >>> found = barred(seven, np.random.default_rng(0))
    >>> int((found > 128).sum(axis=1).max()) > 5
    True
    """
    inked = np.flatnonzero((pixels > 128).any(axis=1))
    if len(inked) < 8:
        return pixels
    row = int(inked[0] + (inked[-1] - inked[0]) * rng.uniform(0.4, 0.65))
    middle = float(np.flatnonzero(pixels[row] > 128).mean()) if (pixels[row] > 128).any() else 14.0
    fine = 4
    canvas = Image.new("L", (28 * fine, 28 * fine))
    left, right = rng.uniform(3.0, 6.5, 2)
    rise = rng.normal(0.6, 1.0)
    ends = [(middle - left, row + rise), (middle + right, row - rise)]
    line = [((x + 0.5) * fine, (y + 0.5) * fine) for x, y in ends]
    ImageDraw.Draw(canvas).line(line, fill=255, width=int(rng.uniform(6, 12)))
    crossed: np.ndarray = np.maximum(pixels, shrunk(canvas, fine))
    return crossed


def flourish(mark: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Return a flourish on the line, in a strip as high as the field: float from 0 to 255."""
    high, base = FINE * hand.height, FINE * hand.base
    canvas = Image.new("L", (strip_width(hand) * FINE, hand.field_height * FINE))
    pen, x = ImageDraw.Draw(canvas), 0.5 * canvas.width
    width, level = int(rng.uniform(6, 12)), base - high * rng.uniform(0.25, 0.6)
    if mark == "~":
        reach = high * rng.uniform(0.4, 0.9)
        t = np.linspace(-1.0, 1.0, 40)
        y = level + high * rng.uniform(0.05, 0.15) * np.sin(t * rng.uniform(3.0, 9.0))
        pen.line(list(zip((x + reach * t).tolist(), y.tolist(), strict=True)), 255, width)
    else:
        steep = 0.25 if mark == "#" else rng.uniform(0.4, 1.0)
        half = high * rng.uniform(0.15, 0.3)
        for shift in (-0.12, 0.12) if mark == "#" else (0.0,):
            at, lean = x + shift * high, steep * half
            pen.line([(at + lean, level - half), (at - lean, level + half)], 255, width)
        reach = high * rng.uniform(0.3, 0.6) if mark == "#" else steep * half
        rise = 0.0 if mark == "#" else half
        pen.line([(x - reach, level - rise), (x + reach, level + rise)], 255, width)
    return shrunk(canvas)


def with_ends(
    strip: np.ndarray, ink: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Return writing ``[H, W]`` with a little of other ink at an edge: left, right, top, bottom.

    >>> ink = np.zeros((9, 9))
    >>> ink[2:7, 2:7] = 255.0
    >>> found = with_ends(np.zeros((9, 30)), ink, 0, np.random.default_rng(0))
    >>> float(found[:, 10:].max()), float(found[:, 0].max())
    (0.0, 255.0)
    """
    turned = strip if side < 2 else strip.T
    other = ink if side < 2 else ink.T
    columns = np.flatnonzero((other > 0).any(axis=0))
    if not len(columns):
        return strip
    # Its last columns show at the left or top edge, its first ones at the other edges.
    seen = int(rng.integers(2, 6))
    if side % 2 == 0:
        part = other[:, max(columns[-1] + 1 - seen, 0) : columns[-1] + 1]
    else:
        part = other[:, columns[0] : columns[0] + seen]
    # Along the top or bottom the ink may be anywhere; at the left or right it is on the line.
    room = max(turned.shape[0] - part.shape[0], 0)
    top = int(rng.integers(room + 1))
    part = part[: turned.shape[0] - top]
    found = turned.copy()
    width = min(part.shape[1], found.shape[1])
    place = slice(0, width) if side % 2 == 0 else slice(found.shape[1] - width, None)
    here = found[top : top + len(part), place]
    np.maximum(here, part[:, :width] if side % 2 == 0 else part[:, -width:], out=here)
    return found if side < 2 else found.T


def framed(strip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return writing ``[H, W]`` with one side of a printed box, both sides, or none.

    >>> framed(np.zeros((8, 40)), np.random.default_rng(1)).shape
    (8, 40)
    """
    found = strip.copy()
    for left in (True, False):
        if rng.random() < 0.12:
            at, width = int(rng.integers(0, 4)), int(rng.integers(1, 3))
            first = at if left else found.shape[1] - at - width
            here = found[:, max(first, 0) : first + width]
            np.maximum(here, rng.uniform(90.0, 220.0), out=here)
    return found
