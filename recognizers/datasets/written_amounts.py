"""Amounts written by hand: fields composed of MNIST's digits.

For training when real fields are few. There are many hands, and the marks that writers of checks
make but MNIST lacks: points, commas, dashes, strokes, ones with an upstroke. Successive digits of
MNIST are mostly from one writer, so a field takes its digits from one stretch of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from recognizers.datasets.amount_texts import amount
from recognizers.datasets.check_paper import grain, inked, paper

__all__ = [
    "ComposedField",
    "Hand",
    "MnistFields",
    "back_to_digit",
    "marks_of",
    "shrunk",
    "strip_width",
]

INK = 60.0
"""Grey level from which a pixel counts as ink when strokes are set side by side."""

FINE = 3
"""Marks are drawn this many times finer than the picture, and averaged."""

WINDOW = 400
"""Size of the stretch of MNIST in which the digits of one field are sought first."""

BEFORE = {"": 0.84, "-": 0.05, "--": 0.03, "=": 0.05, "$": 0.03}
AFTER = {
    "": 0.44, "-": 0.08, "=": 0.06, ".-": 0.10, ",-": 0.05, ".": 0.10, "--": 0.03,
    ",": 0.04, ".=": 0.02, "/": 0.02, ".'": 0.03, ".'-": 0.03,
}  # fmt: skip
"""Marks before and behind the digits, and how often they occur."""


@dataclass(frozen=True)
class ComposedField:
    """A field: its picture, uint8 ``[H, W]``, its digits, and their indexes in the set."""

    image: np.ndarray
    text: str
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Hand:
    """A hand and its pen; lengths are pixels of the field."""

    height: float
    slant: float
    width: float
    rotation: float
    jitter: float
    gap: float
    boldness: float
    darkness: float
    upstroke: float
    linked: bool
    looped: bool
    zeros: float
    tight: bool
    window: int
    field_height: int
    base: float
    barred: bool = False

    @classmethod
    def of(cls, rng: np.random.Generator, digits: int, *, tight: bool = False) -> Hand:
        """Draw a hand; ``digits`` is how many MNIST has.

        A ``tight`` field is hardly higher than its digits, like fields cut out of checks around
        the writing, and its digits are narrower, closer and thinner.
        """
        height = rng.uniform(26, 38)
        field_height = int(rng.integers(62, 80))
        base = 0.5 * (field_height + height) + rng.normal(0.0, 2.0)
        if tight:
            field_height = int(height * rng.uniform(1.15, 1.85))
            base = height + (field_height - height) * rng.uniform(0.25, 0.75)
        return cls(
            height=height,
            slant=rng.normal(0.1, 0.18),
            width=rng.normal(0.85 if tight else 1.0, 0.12),
            rotation=rng.normal(0.0, 0.04),
            jitter=0.04 * height * rng.random(),
            gap=height * rng.normal(0.06 if tight else 0.12, 0.09),
            boldness=rng.uniform(-1.0, 0.0) if tight else rng.uniform(-0.9, 0.5),
            darkness=rng.uniform(0.55, 0.95),
            upstroke=float(rng.uniform(0.1, 0.9)) if rng.random() < 0.65 else 0.0,
            linked=bool(rng.random() < 0.25),
            looped=bool(rng.random() < 0.25),
            zeros=float(rng.uniform(0.5, 1.0)),
            tight=bool(rng.random() < 0.5),
            window=int(rng.integers(0, max(1, digits - WINDOW))),
            field_height=field_height,
            base=base,
        )


class MnistFields:
    """Composes amount fields from the digits of one part of MNIST.

    Args:
        images: uint8 ``[N, 28, 28]``, 0 paper, 255 ink.
        labels: ``[N]``, the digits; each of the ten must be there.
        tight: whether fields are hardly higher than their digits.

    >>> images = np.zeros((20, 28, 28), np.uint8)
    >>> images[:, 4:24, 12:16] = 255
    >>> fields = MnistFields(images, np.arange(20) % 10)
    >>> field = fields.compose(np.random.default_rng(0))
    >>> len(field.text) == len(field.sources), field.image.dtype
    (True, dtype('uint8'))
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, *, tight: bool = False) -> None:
        self.images = images
        self.tight = tight
        self.places = [np.flatnonzero(labels == digit) for digit in range(10)]
        missing = [digit for digit, places in enumerate(self.places) if not len(places)]
        if missing:
            raise ValueError(f"no image of the digit {missing[0]} to compose fields of")

    def compose(self, rng: np.random.Generator) -> ComposedField:
        """Return one field; the same generator state gives the same field.

        ``sources`` are places in MNIST, -1 for a digit that was drawn.
        """
        text = amount(rng)
        hand = Hand.of(rng, len(self.images), tight=self.tight)
        strip, sources = self.write(joined_zeros(marks_of(text, rng), hand), hand, rng)
        return ComposedField(on_paper(strip, hand, rng), text, sources)

    def write(
        self, marks: Sequence[str], hand: Hand, rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[int, ...]]:
        """Return digits and marks on one line, float ``[H, W]`` from 0 to 255, and the sources."""
        strokes, sources = [], []
        for mark in marks:
            if len(mark) > 1:
                strokes.append((mark, write_zeros(len(mark), hand, rng)))
                sources += [-1] * len(mark)
            elif mark.isdigit():
                pixels, source = self.choose(mark, hand, rng)
                strokes.append((mark, write_digit(pixels, mark, hand, rng)))
                sources.append(source)
            else:
                strokes.append((mark, self.mark(mark, hand, rng)))
        return join(strokes, hand, rng), tuple(sources)

    def choose(self, digit: str, hand: Hand, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return an image of a digit in this hand, float ``[28, 28]``, and its place in MNIST."""
        if digit == "1" and hand.upstroke:
            return one_with_upstroke(hand.upstroke, rng), -1
        places = self.places[int(digit)]
        near = places[np.searchsorted(places, hand.window) :][:6]
        source = int(rng.choice(near if len(near) else places))
        return self.images[source].astype(np.float64), source

    def mark(self, mark: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
        """Return a mark on the line, drawn like digits: float ``[H, W]`` from 0 to 255."""
        return write_mark(mark, hand, rng)


def marks_of(text: str, rng: np.random.Generator) -> list[str]:
    """Return the digits of a text with marks before, between and behind them."""
    marks = list(rng.choice(list(BEFORE), p=list(BEFORE.values())))
    grouped = rng.random() < 0.5
    for i, digit in enumerate(text):
        if grouped and i and (len(text) - i) % 3 == 0:
            marks.append("." if rng.random() < 0.85 else ",")
        marks.append(digit)
    return [*marks, *rng.choice(list(AFTER), p=list(AFTER.values()))]


def joined_zeros(marks: list[str], hand: Hand) -> list[str]:
    """Return the marks with neighbouring zeros as one, if the hand writes them in one stroke."""
    if not hand.looped:
        return marks
    joined: list[str] = []
    for mark in marks:
        if mark == "0" and joined and joined[-1].endswith("0"):
            joined[-1] += mark
        else:
            joined.append(mark)
    return joined


def one_with_upstroke(length: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a one as Europeans write it, like an image of MNIST: float ``[28, 28]``.

    The upstroke begins ``length`` of the height below the top.
    """
    fine = 4
    canvas = Image.new("L", (28 * fine, 28 * fine))
    pen = ImageDraw.Draw(canvas)
    top, bottom, width = 16, 96, int(rng.uniform(6, 12))
    x = rng.uniform(60, 75)
    foot = x + rng.uniform(-6, 6)
    pen.line([(x, top), (foot, bottom)], fill=255, width=width)
    fall = (bottom - top) * np.clip(length + rng.normal(0.0, 0.08), 0.1, 1.0)
    reach = min(fall * rng.uniform(0.5, 1.1) + rng.uniform(0, 10), x - 6)
    begin = (x - reach, top + fall)
    bend = (0.5 * (x + begin[0]), 0.5 * (top + begin[1]) + rng.normal(0.0, 4.0))
    pen.line([(x, top), bend, begin], fill=255, width=width, joint="curve")
    if rng.random() < 0.1:
        pen.line([(foot - 18, bottom), (foot + 18, bottom)], fill=255, width=width)
    return shrunk(canvas, fine)


def strip_width(hand: Hand) -> int:
    """Return the width of the strip for one digit or mark, in pixels."""
    return int(2.6 * hand.height) + 8


def shrunk(canvas: Image.Image, fine: int = FINE) -> np.ndarray:
    """Return a drawing made ``fine`` times finer, averaged: float ``[H, W]``.

    >>> shrunk(Image.new("L", (9, 6), 255)).tolist()
    [[255.0, 255.0, 255.0], [255.0, 255.0, 255.0]]
    """
    size = (canvas.width // fine, canvas.height // fine)
    return np.asarray(canvas.resize(size, Image.Resampling.BOX)).astype(np.float64)


def back_to_digit(size: float, turn: float, slant: float, width: float) -> np.ndarray:
    """Return the matrix that leads from (y, x) in a written digit to (y, x) in its picture.

    Args:
        size: factor of its height.
        turn: angle of its rotation, in radians.
        slant: pixels by which it leans to the right, for each pixel upwards.
        width: further factor of its width.

    >>> back_to_digit(2.0, 0.0, 0.0, 1.0).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.linalg.inv(size * rotation @ np.array([[1.0, 0.0], [-slant, width]]))


def write_digit(pixels: np.ndarray, digit: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Return a digit on the line, in the middle of a strip as high as the field, 0 to 255."""
    size = hand.height * rng.normal(1.0, 0.05) / 20.0  # MNIST's digits are 20 pixels high
    if digit == "0" and hand.linked:
        size *= hand.zeros
    elif digit == "0" and rng.random() < 0.25:
        size *= rng.uniform(0.5, 0.9)
    turn = hand.rotation + rng.normal(0.0, 0.04)
    slant = hand.slant + rng.normal(0.0, 0.03)
    width = hand.width * rng.normal(1.0, 0.06)
    if digit == "0" and hand.linked:
        width *= rng.uniform(1.0, 1.5)
    back = back_to_digit(size, turn, slant, width)
    middle = np.array([hand.base - 0.5 * hand.height, 0.5 * strip_width(hand)])
    middle[0] += rng.normal(0.0, hand.jitter)
    if digit == "0" and hand.linked:
        middle[0] += 0.5 * hand.height - 10.0 * size  # small zeros stand on the line
    smooth = ndimage.gaussian_filter(pixels, 0.4)
    shape = (hand.field_height, strip_width(hand))
    return ndimage.affine_transform(smooth, back, 13.5 - back @ middle, shape, order=1)


def write_zeros(count: int, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Write zeros in one stroke: round to the left or to the right, then on to the next."""
    high, width = FINE * hand.height * hand.zeros, int(rng.uniform(6, 12))
    across = 0.5 * high * hand.width * rng.uniform(0.7, 1.2)
    pitch = 2.0 * across * rng.uniform(0.9, 1.4)
    turns = np.linspace(0.0, 1.25 * count + rng.uniform(-0.3, 0.0), 50 * count)
    # A whole turn for each zero, and a quarter more on the way to the next.
    moved = turns // 1.25 + np.clip((turns % 1.25 - 0.85) / 0.4, 0.0, 1.0)
    way = -1.0 if rng.random() < 0.5 else 1.0
    angle = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * way * (turns - 0.25 * moved)
    y = 0.5 * high * np.sin(angle)
    x = across * np.cos(angle) + pitch * moved - hand.slant * y
    foot = FINE * hand.base + rng.normal(0.0, FINE * hand.jitter) - 0.5 * high
    room = FINE * 8
    size = (int(x.max() - x.min()) + 2 * room, hand.field_height * FINE)
    canvas = Image.new("L", size)
    points = list(zip((x - x.min() + room).tolist(), (y + foot).tolist(), strict=True))
    ImageDraw.Draw(canvas).line(points, fill=255, width=width, joint="curve")
    return shrunk(canvas)


def write_mark(mark: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Return a mark on the line, drawn like digits: a point, a dash, an x, a dollar sign…"""
    high, base = FINE * hand.height, FINE * hand.base
    canvas = Image.new("L", (strip_width(hand) * FINE, hand.field_height * FINE))
    pen = ImageDraw.Draw(canvas)
    width, x = int(rng.uniform(6, 13)), 0.5 * canvas.width
    if mark in ".,":
        y = base - rng.uniform(0.0, 0.06) * high
        if mark == "." and rng.random() < 0.6:
            radius = width * rng.uniform(0.5, 0.8)
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
        else:
            end = (x - rng.uniform(0.0, 0.15) * high, y + rng.uniform(0.05, 0.25) * high)
            pen.line([(x, y), end], fill=255, width=width)
    elif mark in "-=":
        half, level = high * rng.uniform(0.15, 0.55), base - high * rng.uniform(0.25, 0.6)
        for y in [level] if mark == "-" else [level - 0.09 * high, level + 0.09 * high]:
            ends = [(x - half, y + rng.normal(0, 4)), (x + half, y + rng.normal(0, 4))]
            pen.line(ends, fill=255, width=width)
    elif mark == "'":
        half, y = high * rng.uniform(0.08, 0.2), base - high * rng.uniform(0.15, 0.5)
        rise = half * rng.uniform(0.4, 1.2)
        pen.line([(x - half, y + rise), (x + half, y - rise)], fill=255, width=width)
    elif mark == "x":
        half, foot = high * rng.uniform(0.2, 0.3), base - high * rng.uniform(0.0, 0.1)
        head = foot - high * rng.uniform(0.45, 0.6)
        pen.line([(x - half, head), (x + half, foot)], fill=255, width=width)
        pen.line([(x + half, head), (x - half, foot)], fill=255, width=width)
    elif mark == "/":
        pen.line([(x + 0.3 * high, base - high), (x - 0.3 * high, base)], fill=255, width=width)
    else:  # a dollar sign: an S with a line through it
        box = [x - 0.25 * high, base - high, x + 0.25 * high, base - 0.5 * high]
        pen.arc(box, 90, 330, fill=255, width=width)
        lower = [box[0], base - 0.5 * high, box[2], base]
        pen.arc(lower, 270, 150, fill=255, width=width)
        pen.line([(x, base - 1.15 * high), (x, base + 0.15 * high)], fill=255, width=width)
    return shrunk(canvas)


def join(strokes: list[tuple[str, np.ndarray]], hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Set strips side by side, float ``[H, W]`` from 0 to 255; digits may touch."""
    wide = sum(ink.shape[1] for _, ink in strokes) + strip_width(hand) + 60
    field = np.zeros((hand.field_height, wide))
    end = rng.uniform(6, 24)
    last = (0.0, 0.0)  # the top of the last zero
    for i, (mark, ink) in enumerate(strokes):
        mask = ink > INK
        columns = np.flatnonzero(mask.any(axis=0))
        if not len(columns):
            continue
        gap = hand.gap * rng.normal(1.0, 0.35)
        gap = gap if mark.isdigit() else hand.height * rng.uniform(0.05, 0.3)
        x = end - columns[0] + (gap if i else 0.0)
        if i and mark.isdigit() and hand.tight and rng.random() < 0.9:
            x = max(_clearance(field, mask) + max(gap, -2.0), end - 0.35 * hand.height - columns[0])
        at = max(int(x), 0)
        here = field[:, at : at + ink.shape[1]]
        np.maximum(here, ink[:, : here.shape[1]], out=here)
        if mark == "0" and hand.linked:
            row = int(mask.any(axis=1).argmax())
            top = (at + float(np.flatnonzero(mask[row]).mean()), row + 1.0)
            if i and strokes[i - 1][0] == "0":
                link(field, last, top)
            last = top
        end = at + columns[-1] + 1
    return field[:, : int(end + rng.uniform(6, 25))]


def link(field: np.ndarray, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw the stroke that leads from the top (x, y) of one zero to that of the next."""
    canvas = Image.new("L", (field.shape[1], field.shape[0]))
    ImageDraw.Draw(canvas).line([begin, end], fill=230, width=2)
    np.maximum(field, np.asarray(canvas), out=field)


def _clearance(field: np.ndarray, mask: np.ndarray) -> float:
    """Return the least offset at which a strip's ink is clear of the ink already there."""
    used = field > INK
    edge = np.where(used.any(axis=1), field.shape[1] - used[:, ::-1].argmax(axis=1), 0)
    first = np.where(mask.any(axis=1), mask.argmax(axis=1), field.shape[1])
    return float((ndimage.maximum_filter1d(edge, 9) - first).max())


def on_paper(strokes: np.ndarray, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Return the picture, uint8 ``[H, W]``, of ink on paper."""
    ink = np.clip(strokes / 255.0, 0.0, 1.0)
    other = (ndimage.grey_dilation if hand.boldness > 0 else ndimage.grey_erosion)(ink, size=(3, 3))
    ink = ndimage.gaussian_filter(ink + abs(hand.boldness) * (other - ink), rng.uniform(0.3, 0.7))
    ink = np.clip(1.25 * ink, 0.0, 1.0) * hand.darkness
    noise = grain(ink.shape, rng)
    return inked(paper(ink.shape, rng), ink, noise)
