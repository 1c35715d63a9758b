"""Pictures of pen-written digits, to compose fields of (``compose_ink``).

In UNIPEN, 165 people each wrote many digits; a field takes all its digits from one of them. The
digits are drawn like those of MNIST, and composed like those
(:mod:`recognizers.datasets.cropped_amounts`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from recognizers.online.ink import Ink
from recognizers.online.ink_batch import in_box
from recognizers.online.unipen_cache import load_unipen

__all__ = ["digit_images", "draw_digit"]

FINE = 4
"""Factor by which strokes are drawn finer than the picture, before averaging."""

SIDE = 28
"""Width and height of a picture in pixels; the longer side of the ink is 20."""


def draw_digit(ink: Ink, width: float) -> np.ndarray:
    """Draw ink like an MNIST digit: uint8 ``[28, 28]``, 255 is ink, strokes ``width`` pixels wide.

    >>> draw_digit(Ink([[(0, 0), (0, 9)]]), 3.0).max(axis=0).nonzero()[0].tolist()
    [12, 13, 14, 15]
    """
    placed = in_box(ink, SIDE, SIDE, margin=4.0)
    canvas = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pen = ImageDraw.Draw(canvas)
    radius = 0.5 * width * FINE
    for stroke in placed:
        # y grows upwards in ink, downwards in pictures.
        points = (np.stack((stroke[:, 0], SIDE - 1 - stroke[:, 1]), 1) + 0.5) * FINE
        line = [(float(x), float(y)) for x, y in points]
        pen.line(line, fill=255, width=max(1, round(2 * radius)), joint="curve")
        for x, y in (line[0], line[-1]):
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX))


def digit_images(root: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the digits of a UNIPEN tree: pictures, uint8 ``[N, 28, 28]``, and labels ``[N]``.

    Digits of one writer stand next to each other, drawn with a pen of one width.

    Raises:
        ValueError: the tree has no digits.
    """
    segments = [s for s in load_unipen(root, {"1a"}).segments if s.label in set("0123456789")]
    segments = [s for s in segments if s.quality != "BAD" and not s.ink.is_empty]
    if not segments:
        raise ValueError(f"{root}: no digit (category 1a of UNIPEN)")
    rng = np.random.default_rng(seed)
    segments.sort(key=lambda s: (s.contributor, s.writer))
    names = sorted({(s.contributor, s.writer) for s in segments})
    widths = dict(zip(names, rng.uniform(2.0, 3.6, len(names)).tolist(), strict=True))
    images = [draw_digit(s.ink, widths[s.contributor, s.writer]) for s in segments]
    return np.stack(images), np.array([int(s.label) for s in segments])
