"""Pictures of whole lines of writing, as input of the networks that sweep over lines.

A line is scaled to the height of the network's input, and its grey levels so that paper is 0 and
the darkest ink 255, whatever the pen, paper and light.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

__all__ = ["HEIGHT", "as_batch", "normalise_line", "placement"]

HEIGHT = 40
"""Height of a line in pixels, unless said otherwise."""

LEAST_CONTRAST = 24.0
"""Grey levels between paper and ink; below this, a picture counts as empty paper."""

WIDEST = 40
"""How many times wider than high a line may be; wider ones are squeezed."""

STEP = 16
"""Widths are multiples of this many pixels, so that many lines have the same width."""


def placement(shape: tuple[int, int], height: int = HEIGHT) -> tuple[int, int, int]:
    """Return a picture's width in its line, its left end there, and the width of the line.

    >>> placement((24, 60))
    (100, 6, 112)
    """
    tall, wide = shape
    width = max(1, min(round(wide * height / tall), WIDEST * height))
    whole = -(-(width + STEP // 2) // STEP) * STEP
    return width, (whole - width) // 2, whole


def normalise_line(grey: np.ndarray, height: int = HEIGHT) -> np.ndarray:
    """Return a picture ``uint8 [H, W]``, 255 white, as a line ``uint8 [height, W']``, 255 ink.

    The aspect is kept. The paper level is the median of the picture, since most of it is paper;
    pixels as light or lighter become 0. The ink level is that of the darkest two hundredth. If it
    is not darker by ``LEAST_CONTRAST`` grey levels, the picture is empty: all 0. Paper is added
    equally on both sides, up to a width that is a multiple of ``STEP`` (:func:`placement`).

    >>> field = np.full((24, 60), 200, np.uint8)
    >>> field[4:20, 20:24] = 40
    >>> line = normalise_line(field)
    >>> line.shape, int(line.max()), int(line[:, :6].max())
    ((40, 112), 255, 0)
    """
    width, left, whole = placement(grey.shape, height)
    small = Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR)
    levels = np.asarray(small, dtype=np.float32)
    ordered = np.partition(levels, (levels.size // 200, levels.size // 2), axis=None)
    ink, paper = ordered[levels.size // 200], ordered[levels.size // 2]
    line = np.zeros((height, whole), dtype=np.uint8)
    if paper - ink >= LEAST_CONTRAST:
        dark = np.clip((paper - levels) * (255.0 / (paper - ink)), 0.0, 255.0)
        line[:, left : left + width] = np.rint(dark)
    return line


def as_batch(lines: Sequence[np.ndarray]) -> torch.Tensor:
    """Return lines ``uint8 [H, W_i]`` as a batch ``float32 [B, 1, H, W]`` from 0 to 1.

    Narrower lines stand in the middle, with paper on either side.

    >>> as_batch([np.full((2, 4), 255, np.uint8), np.full((2, 2), 255, np.uint8)])[1]
    tensor([[[0., 1., 1., 0.],
             [0., 1., 1., 0.]]])
    """
    widest = max(line.shape[1] for line in lines)
    batch = np.zeros((len(lines), 1, lines[0].shape[0], widest), dtype=np.uint8)
    for row, line in zip(batch, lines, strict=True):
        left = (widest - line.shape[1]) // 2
        row[0, :, left : left + line.shape[1]] = line
    return torch.from_numpy(batch).float().div_(255.0)
