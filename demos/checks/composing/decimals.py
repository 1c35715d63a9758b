"""Fields with decimal numbers, made of MNIST digits and drawn signs (``compose_decimals``).

Their alphabet differs from that of amounts: a minus sign, a decimal comma or a decimal point
belongs to the text. The grammar ``regex:-?[0-9]*[.,]?[0-9]*`` reads them.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from recognizers.datasets.written_amounts import (
    FINE,
    ComposedField,
    Hand,
    MnistFields,
    join,
    on_paper,
    shrunk,
    strip_width,
    write_digit,
    write_mark,
)

__all__ = ["compose_decimal", "decimal", "write_sign"]


def decimal(rng: np.random.Generator) -> str:
    """Draw a number: perhaps a minus, digits, perhaps a comma or a point and more digits.

    >>> rng = np.random.default_rng(0)
    >>> [decimal(rng) for _ in range(4)]
    ['1', '0.65', '2689', '2836,94']
    """
    sign = "-" if rng.random() < 0.35 else ""
    whole = str(int(10 ** rng.uniform(0.0, 4.0))) if rng.random() < 0.85 else "0"
    if rng.random() < 0.25:
        return sign + whole
    digits = rng.integers(0, 10, rng.choice([1, 2, 3], p=[0.25, 0.6, 0.15]))
    return sign + whole + str(rng.choice([",", "."])) + "".join(map(str, digits))


def write_sign(sign: str, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Draw a sign in the middle of a strip as high as the field, float from 0 to 255.

    A point is as wide as high and stands on the base line; a comma reaches below that.
    """
    if sign == "-":
        return write_mark(sign, hand, rng)
    high, base = FINE * hand.height, FINE * hand.base
    canvas = Image.new("L", (strip_width(hand) * FINE, hand.field_height * FINE))
    pen, x = ImageDraw.Draw(canvas), 0.5 * canvas.width
    # Thin pens would leave little of a stroke two pixels wide.
    width = max(3.0 - 1.5 * min(hand.boldness, 0.0), hand.height * rng.uniform(0.05, 0.09)) * FINE
    if sign == ".":
        radius, y = 0.6 * width + 1.0, base - rng.uniform(0.02, 0.08) * high
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    else:
        begin = (x, base - rng.uniform(0.06, 0.16) * high)
        end = (x - rng.uniform(0.04, 0.14) * high, base + rng.uniform(0.1, 0.22) * high)
        pen.line([begin, end], fill=255, width=int(width))
    return shrunk(canvas)


def compose_decimal(composer: MnistFields, rng: np.random.Generator) -> ComposedField:
    """Compose one field; the same generator state gives the same field."""
    text = decimal(rng)
    hand = Hand.of(rng, len(composer.images))
    strokes, sources = [], []
    for character in text:
        if character.isdigit():
            pixels, source = composer.choose(character, hand, rng)
            strokes.append((character, write_digit(pixels, character, hand, rng)))
            sources.append(source)
        else:
            strokes.append((character, write_sign(character, hand, rng)))
    return ComposedField(on_paper(join(strokes, hand, rng), hand, rng), text, tuple(sources))
