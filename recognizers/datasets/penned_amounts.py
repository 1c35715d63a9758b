"""Amounts written with a pen: fields composed of small digits, whose strokes are redrawn.

scikit-learn ships 1,797 handwritten digits of 8x8 pixels. Their strokes are recovered and redrawn
with a pen, side by side on the paper of a check, for when no other data is at hand. The parts
``train`` and ``test`` are from different writers: the first 1,200 digits, and the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import skeletonize
from sklearn.datasets import load_digits

from recognizers.datasets.amount_texts import amount
from recognizers.datasets.check_paper import grain, inked, paper
from recognizers.datasets.written_amounts import ComposedField, back_to_digit

__all__ = ["PARTS", "compose_field", "pen_path"]

PARTS = {"train": (0, 1200), "test": (1200, 1797)}
"""Range of scikit-learn's digits that a part may use."""

FINE = 3
"""The ink is drawn this many times finer than the picture."""

CELL = 12
"""Pixels of a pen path for one pixel of an 8x8 digit."""

FAR = 99.0
HOLES = {"0": 1, "1": 0, "2": 0, "3": 0, "4": 0, "5": 0, "6": 1, "7": 0, "8": 2, "9": 1}
WRITER = 120  # successive digits of the set that one or two people wrote

Ink = np.ndarray
"""Distance from the middle of the nearest stroke, in fine pixels, float32 ``[rows, columns]``."""


def compose_field(part: str, rng: np.random.Generator) -> ComposedField:
    """Return one field of a part; the same generator state gives the same field.

    Raises:
        ValueError: a part that is neither ``train`` nor ``test``.

    >>> field = compose_field("test", np.random.default_rng(0))
    >>> len(field.sources) == len(field.text), min(field.sources) >= 1200
    (True, True)
    """
    if part not in PARTS:
        raise ValueError(f"part {part!r} is not one of {', '.join(PARTS)}")
    text = amount(rng)
    sources = choose_digits(text, part, rng)
    hand = Hand.of(rng)
    ink = lay_out(hand, text, sources, rng)
    return ComposedField(on_paper(ink, hand, rng), text, tuple(sources))


# -- the text ---------------------------------------------------------------------------------


def choose_digits(text: str, part: str, rng: np.random.Generator) -> list[int]:
    """Return a drawable digit of the set for each character, most from about one writer."""
    begin, end = PARTS[part]
    labels = load_set()[1]
    window = int(rng.integers(begin, end - WRITER + 1))
    chosen = []
    for character in text:
        alike = begin + np.flatnonzero(labels[begin:end] == int(character))
        near = (alike >= window) & (alike < window + WRITER)
        # The writer's own first, in random order, then those of others.
        order = [*rng.permutation(alike[near]).tolist(), *rng.permutation(alike[~near]).tolist()]
        chosen.append(next(i for i in order if is_drawable(i)))
    return chosen


@cache
def load_set() -> tuple[np.ndarray, np.ndarray]:
    """Return all digits, float ``[1797, 8, 8]`` from 0 to 16, and their labels, ``[1797]``."""
    pixels, labels = load_digits(return_X_y=True)
    return pixels.reshape(-1, 8, 8), labels


@cache
def pen_path(index: int) -> np.ndarray:
    """Return the path of the pen that wrote a digit: bool ``[144, 144]``, one pixel wide.

    The 8x8 grey levels are enlarged by splines; the ridges of that surface are thinned.
    """
    levels = np.pad(load_set()[0][index] / 16.0, 2)
    surface = ndimage.zoom(levels, CELL, order=3, grid_mode=True, mode="grid-constant")
    smooth = ndimage.gaussian_filter(np.clip(surface, 0.0, None), 0.25 * CELL)
    # Both thick strokes and small holes stand out against the wider neighbourhood.
    ridge = smooth - 0.8 * ndimage.gaussian_filter(smooth, 1.2 * CELL)
    ink: np.ndarray = apply_hysteresis_threshold(ridge, 0.04, 0.17) & (smooth > 0.12)
    return skeletonize(ink)


@cache
def is_drawable(index: int) -> bool:
    """Return whether the path of a digit is in one piece and has the right number of holes."""
    path = pen_path(index)
    wide = ndimage.binary_dilation(path, iterations=2)
    holes = ndimage.label(~wide)[1] - 1
    pieces = ndimage.label(path, np.ones((3, 3)))[1]
    return bool(pieces == 1 and holes == HOLES[str(load_set()[1][index])])


# -- the hand ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hand:
    """A hand and its pen; lengths are fine pixels."""

    height: float
    slant: float
    rotation: float
    spacing: float
    jitter: float
    radius: float
    darkness: float
    field_height: int

    @classmethod
    def of(cls, rng: np.random.Generator) -> Hand:
        """Draw a hand."""
        height = FINE * rng.uniform(27, 36)
        return cls(
            height=height,
            slant=rng.normal(0.12, 0.16),
            rotation=rng.normal(0.0, 0.025),
            spacing=height * rng.normal(0.17, 0.07),
            jitter=height * rng.uniform(0.01, 0.05),
            radius=FINE * rng.uniform(0.75, 1.5),
            darkness=rng.uniform(0.6, 0.93),
            field_height=FINE * int(rng.integers(60, 75)),
        )


def lay_out(hand: Hand, text: str, sources: Sequence[int], rng: np.random.Generator) -> Ink:
    """Write digits and fill side by side."""
    base = 0.5 * (hand.field_height + hand.height) + hand.height * rng.normal(0.0, 0.05)
    pieces: list[tuple[Ink, float]] = []

    def stroke(kind: str, gap: float) -> None:
        pieces.append((fill_stroke(kind, hand, base, rng), gap * hand.height))

    before = rng.choice(["", "-", "--", "="], p=[0.80, 0.08, 0.06, 0.06])
    after = rng.choice(["", "-", "=", ".-", "--"], p=[0.52, 0.16, 0.08, 0.16, 0.08])
    point = len(text) > 3 and rng.random() < 0.45
    for mark in before:
        stroke(mark, 0.25)
    for i, source in enumerate(sources):
        if point and i and (len(text) - i) % 3 == 0:
            stroke(".", rng.uniform(0.08, 0.18))
        tight = rng.random() < 0.06  # now and then a digit touches its neighbour
        gap = -1.6 * hand.radius if tight else max(hand.spacing * rng.normal(1.0, 0.3), FINE)
        gap += 0.25 * hand.height if before and i == 0 else 0.0
        pieces.append((digit(source, hand, base, rng), gap))
    for i, mark in enumerate(after):
        stroke(mark, 0.12 if mark == "." else rng.uniform(0.2, 0.45) if i == 0 else 0.15)
    return join(pieces, hand, rng)


def digit(index: int, hand: Hand, base: float, rng: np.random.Generator) -> Ink:
    """Write one digit: the distance map of its path, enlarged, slanted and turned a little."""
    path = pen_path(index)
    distance = ndimage.distance_transform_edt(~path)
    distance = ndimage.gaussian_filter(distance, 0.25 * CELL)  # rounds the strokes
    distance = np.maximum(distance - distance[path].min(), 0.0)
    rows, columns = np.flatnonzero(path.any(1)), np.flatnonzero(path.any(0))
    tall = rows[-1] - rows[0] + 1
    size = hand.height * rng.normal(1.0, 0.05) / max(tall, 5 * CELL)
    slant = hand.slant + rng.normal(0.0, 0.03)
    turn = hand.rotation + rng.normal(0.0, 0.04)
    widen = rng.normal(1.0, 0.06)
    back = back_to_digit(size, turn, slant, widen)
    foot = base + rng.normal(0.0, hand.jitter)
    width = int(3 * hand.height)
    middle = np.array([foot, width / 2])
    anchor = np.array([rows[-1], 0.5 * (columns[0] + columns[-1])])
    shape = (hand.field_height, width)
    moved = ndimage.affine_transform(
        distance, back, anchor - back @ middle, shape, order=1, cval=FAR
    )
    return trim(np.minimum(moved * size, FAR), hand.radius)


def fill_stroke(kind: str, hand: Hand, base: float, rng: np.random.Generator) -> Ink:
    """Draw a dash, two dashes over one another or a point."""
    high = hand.height
    if kind == ".":
        foot = base - rng.uniform(0.0, 0.04) * high
        reach = rng.uniform(0.02, 0.10) * high
        lines = [[(0.0, foot - 0.5 * reach), (-0.4 * reach, foot + 0.5 * reach)]]
    else:
        length = high * rng.uniform(0.4, 1.1)
        level = base - high * rng.uniform(0.38, 0.58)
        levels = [level] if kind == "-" else [level - 0.11 * high, level + 0.11 * high]
        lines = [wavy(length * rng.normal(1.0, 0.08), y, high, rng) for y in levels]
    left = min(x for line in lines for x, _ in line)
    right = max(x for line in lines for x, _ in line)
    canvas = Image.new("1", (int(right - left) + 2 * int(high), hand.field_height))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        pen.line([(x - left + high, y) for x, y in line], fill=1)
    return trim(ndimage.distance_transform_edt(~np.asarray(canvas)), hand.radius)


def wavy(
    length: float, level: float, high: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Return points of a nearly straight stroke from left to right."""
    t = np.linspace(0.0, 1.0, 16)
    bend, rise = rng.normal(0.0, 0.05, 2) * high
    y = level + rise * (0.5 - t) + bend * (4 * t * (1 - t) - 0.5)
    return list(zip((length * t).tolist(), y.tolist(), strict=True))


def trim(ink: Ink, radius: float) -> Ink:
    """Cut empty columns away, but for some room."""
    columns = np.flatnonzero((ink < radius).any(0))
    room = int(4 * FINE)
    return ink[:, max(0, columns[0] - room) : columns[-1] + room + 1]


def join(pieces: Sequence[tuple[Ink, float]], hand: Hand, rng: np.random.Generator) -> Ink:
    """Set pieces side by side, each at its gap from the one before."""
    margins = FINE * rng.uniform(10, 34, 2)
    width = int(sum(ink.shape[1] + max(gap, 0.0) for ink, gap in pieces) + margins.sum())
    field = np.full((hand.field_height, width), FAR, np.float32)
    reach = int(0.4 * hand.height)  # rows within which strokes keep their distance
    edge = np.full(hand.field_height, margins[0])
    right = margins[0]
    for ink, gap in pieces:
        mask = ink < hand.radius
        used = mask.any(1)
        start = np.where(used, mask.argmax(1), FAR * width)
        stop = np.where(used, mask.shape[1] - mask[:, ::-1].argmax(1), 0)
        room = ndimage.maximum_filter1d(edge, 2 * reach + 1) - start
        # Whatever the rows allow, pieces stay in order: none begins before the last one's middle.
        x = int(max(room[used].max() + gap, right - 0.5 * hand.height - start[used].min(), 0))
        span = slice(x, x + ink.shape[1])
        field[:, span] = np.minimum(field[:, span], ink[:, : field[:, span].shape[1]])
        edge = np.where(used, np.maximum(edge, x + stop), edge)
        right = float(x + stop.max())
    return field[:, : int(right + margins[1])]


def on_paper(ink: Ink, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Return the picture, uint8 ``[H, W]``, of ink on paper."""
    rows, columns = (side // FINE * FINE for side in ink.shape)
    ink = ink[:rows, :columns]
    pressure = ndimage.gaussian_filter(rng.normal(size=ink.shape), 6 * FINE)
    pressure /= max(float(np.abs(pressure).max()), 1e-9)
    cover = np.clip((hand.radius * (1 + 0.3 * pressure) - ink) / 1.5 + 0.5, 0.0, 1.0)
    cover *= hand.darkness * (1 + 0.12 * pressure)
    cover = cover.reshape(rows // FINE, FINE, columns // FINE, FINE).mean((1, 3))
    cover = ndimage.gaussian_filter(np.clip(cover, 0.0, 1.0), rng.uniform(0.35, 0.7))
    sheet = paper(cover.shape, rng)
    return inked(sheet, cover, grain(cover.shape, rng))
