"""The amount of a check as ink: printed by a machine, or written by hand.

An amount is in one field, ``$1,250.60`` or ``1250 60/100``, or in two: the dollars, and beside
them the cents, small and high, over a line and often over ``100`` or ``xx``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from recognizers.datasets.amount_texts import amount
from recognizers.datasets.check_printing import Box, text_ink
from recognizers.datasets.written_amounts import Hand, MnistFields

__all__ = ["AmountInk", "Part", "drawn_text", "print_amount", "write_amount"]


@dataclass(frozen=True)
class Part:
    """A field of an amount: its role, its text, and the box of its ink in pixels.

    The role is ``amount`` if dollars and cents are in one field, else ``dollars`` or ``cents``.
    """

    role: str
    written: str
    box: Box

    def moved(self, x: int, y: int) -> Part:
        """Return the part shifted."""
        return replace(self, box=(self.box[0] + x, self.box[1] + y, *self.box[2:]))


@dataclass(frozen=True)
class AmountInk:
    """An amount's ink, uint8 ``[h, w]``, its row of writing, its parts, how dark it is."""

    ink: np.ndarray
    line: int
    parts: tuple[Part, ...]
    darkness: float


def drawn_text(rng: np.random.Generator, *, most: int = 6) -> str:
    """Return an amount in dollars and cents: ``1250.60``; ``most`` digits of dollars.

    >>> drawn_text(np.random.default_rng(0))
    '13000.50'
    """
    whole = int(amount(rng)[:most])
    cents = 0 if rng.random() < 0.3 else int(rng.integers(0, 100))
    return f"{whole}.{cents:02d}"


def print_amount(text: str, font: str, size: int, rng: np.random.Generator) -> AmountInk:
    """Print an amount: with commas or without, among asterisks or not, perhaps with a sign."""
    whole, cents = text.split(".")
    grouped = f"{int(whole):,}" if rng.random() < 0.75 else whole
    front = str(rng.choice(["", "*", "**", "***"], p=[0.55, 0.1, 0.2, 0.15]))
    sign = "$" if rng.random() < 0.45 else ""
    before = sign + front if rng.random() < 0.7 else front + sign
    behind = str(rng.choice(["", "*", "**"], p=[0.8, 0.1, 0.1]))
    written = f"{before}{grouped}.{cents}{behind}"
    ink, rise = text_ink(written, font, size)
    part = Part("amount", written, (0, 0, ink.shape[1], ink.shape[0]))
    return AmountInk(ink, rise, (part,), float(rng.uniform(0.65, 1.0)))


def write_amount(text: str, writer: MnistFields, rng: np.random.Generator) -> AmountInk:
    """Write an amount by hand, with MNIST's digits."""
    hand = Hand.of(rng, len(writer.images), tight=True)
    # Amounts on checks have less room than single fields.
    hand = replace(hand, field_height=int(1.9 * hand.height), base=1.4 * hand.height)
    whole, cents = text.split(".")
    grouped = f"{int(whole):,}" if rng.random() < 0.4 else whole
    scale = rng.uniform(0.62, 0.95)
    style = rng.choice(["point", "fraction", "raised"], p=[0.5, 0.2, 0.3])
    tail = str(rng.choice(["", "-", "="], p=[0.85, 0.1, 0.05]))
    if style == "raised":
        return _raised(grouped, cents, writer, hand, scale, rng)
    if style == "point":
        return _one_field([(f"{grouped}.{cents}{tail}", 0.0)], writer, hand, scale, rng)
    over = "xx" if rng.random() < 0.5 else "100"
    top = "xx" if cents == "00" and rng.random() < 0.4 else cents
    gap = hand.height * rng.uniform(0.25, 0.6)
    parts = [(grouped, 0.0), (f"{top}/{'100' if top == 'xx' else over}{tail}", gap)]
    return _one_field(parts, writer, hand, scale, rng)


def _one_field(
    words: list[tuple[str, float]],
    writer: MnistFields,
    hand: Hand,
    scale: float,
    rng: np.random.Generator,
) -> AmountInk:
    strips = [writer.write(list(word), hand, rng)[0] for word, _ in words]
    cut = [strip[:, _extent(strip)] for strip in strips]
    gaps = [np.zeros((cut[0].shape[0], round(gap))) for _, gap in words]
    row = np.concatenate([piece for pair in zip(gaps, cut, strict=True) for piece in pair], axis=1)
    ink, top = _scaled(row, scale)
    part = Part("amount", "".join(word for word, _ in words), (0, 0, ink.shape[1], ink.shape[0]))
    return AmountInk(ink, round(hand.base * scale) - top, (part,), hand.darkness)


def _raised(
    whole: str, cents: str, writer: MnistFields, hand: Hand, scale: float, rng: np.random.Generator
) -> AmountInk:
    """Write the cents small and high beside the dollars, over a line, often with a denominator."""
    dollars, top = _scaled(writer.write(list(whole), hand, rng)[0], scale)
    small, _ = _scaled(writer.write(list(cents), hand, rng)[0], scale * rng.uniform(0.55, 0.72))
    line = round(hand.base * scale) - top
    high = hand.height * scale
    foot = line - round(high * rng.uniform(0.35, 0.6))
    x = dollars.shape[1] + round(high * rng.uniform(0.1, 0.45))
    up = max(0, small.shape[0] - foot)
    of = str(rng.choice(["", "100", "xx"], p=[0.35, 0.4, 0.25]))
    below = np.zeros((1, 1), np.uint8)
    if of:
        below, _ = _scaled(writer.write(list(of), hand, rng)[0], scale * rng.uniform(0.4, 0.5))
    rule = foot + up + round(high * rng.uniform(0.06, 0.14))
    wide = x + max(small.shape[1], below.shape[1]) + 6
    tall = max(dollars.shape[0] + up, rule + 4 + below.shape[0])
    sheet = np.zeros((tall, wide), np.uint8)
    boxes = [(0, up, dollars), (x, foot + up - small.shape[0], small)]
    if of:
        boxes.append((x + 2, rule + 4, below))
    for left, first, ink in boxes:
        here = sheet[first : first + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(here, ink[: here.shape[0], : here.shape[1]], out=here)
    canvas = Image.fromarray(sheet)
    end = x + small.shape[1] + int(rng.integers(0, 6))
    tilt = int(rng.integers(-2, 3))
    ImageDraw.Draw(canvas).line([(x - 3, rule + tilt), (end, rule)], fill=230, width=2)
    parts = tuple(
        Part(role, written, (left, first, ink.shape[1], ink.shape[0]))
        for role, written, (left, first, ink) in zip(
            ("dollars", "cents"), (whole, cents), boxes, strict=False
        )
    )
    return AmountInk(np.asarray(canvas), line + up, parts, hand.darkness)


def _extent(strip: np.ndarray) -> slice:
    columns = np.flatnonzero((strip > 60).any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1)


def _scaled(strip: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
    """Return ink scaled and cut to its extent, and how many rows were cut off above."""
    image = Image.fromarray(np.clip(strip, 0, 255).astype(np.uint8))
    size = (max(1, round(strip.shape[1] * scale)), max(1, round(strip.shape[0] * scale)))
    ink = np.asarray(image.resize(size, Image.Resampling.BOX))
    rows, columns = (np.flatnonzero((ink > 60).any(axis=axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], int(rows[0])
