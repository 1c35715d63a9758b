"""The ink of a whole check, without paper and printed lines, and its connected components.

The field locator works on it (LeCun et al. 1998, section X, ``T_field``). A check is ten times
the size of a field, so all steps are linear in its pixels, with filters of a fixed size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["CheckInk", "ink_of_check", "paper_levels"]

BLOCK = 4
"""Side, in pixels, of the blocks on whose means the paper is estimated."""

WIDEST_STROKE = 5
"""In blocks: darkness narrower than this is ink, wider darkness is shaded paper."""

LEAST_LEVEL = 18.0
"""Least number of grey levels by which ink is darker than paper."""

SIDE = 0.055
"""Upright runs longer than this share of the height may be sides of frames."""

LINE = 0.05
"""Runs of about this share of the width and more are printed lines, not writing."""


@dataclass(frozen=True)
class CheckInk:
    """The ink of a check of h x w pixels, with C components.

    Attributes:
        levels: how much darker than the paper each pixel is, float32 ``[h, w]``.
        lines: pixels of printed lines, bool ``[h, w]``; they belong to no component.
        labels: the number of each pixel's component, int32 ``[h, w]``; 0 is paper and lines.
        boxes: x, y, end of x, end of y of component c + 1, int64 ``[C, 4]``.
        sizes: their pixels, int64 ``[C]``.
        darkness: the mean level of each, float64 ``[C]``.
        threshold: the level from which a pixel is ink.
    """

    levels: np.ndarray
    lines: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    sizes: np.ndarray
    darkness: np.ndarray
    threshold: float


def ink_of_check(grey: np.ndarray) -> CheckInk:
    """Find the ink of a check, uint8 ``[H, W]``, 255 white.

    Raises:
        ValueError: ``grey`` is not a two-dimensional array of uint8.

    >>> grey = np.full((200, 400), 220, np.uint8)
    >>> grey[100:102] = 60
    >>> grey[40:60, 50:54] = 40
    >>> ink = ink_of_check(grey)
    >>> ink.boxes.tolist(), int(ink.lines.sum())
    ([[50, 40, 54, 60]], 800)
    """
    grey = np.asarray(grey)
    if grey.ndim != 2 or grey.dtype != np.uint8 or min(grey.shape) < 4 * BLOCK:
        raise ValueError(
            f"a check is a uint8 array [height, width] of {4 * BLOCK} pixels and more each way, "
            f"not {grey.dtype} {grey.shape}"
        )
    levels = paper_levels(grey)
    # Ink is a hundredth of a check, or less if little is printed.
    dark, darkest = np.quantile(levels[::2, ::2], (0.99, 0.999)).tolist()
    threshold = max(0.4 * dark, 0.25 * darkest, LEAST_LEVEL)
    mask = levels >= threshold
    lines = horizontal_lines(mask, max(40, round(LINE * grey.shape[1])))
    lines |= sides_of_frames(mask & ~lines, lines, max(16, round(SIDE * grey.shape[0])))
    labels, count = ndimage.label(mask & ~lines, np.ones((3, 3), bool))
    boxes = np.array(
        [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels)],
        dtype=np.int64,
    ).reshape(-1, 4)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    inked = labels > 0
    darkness = np.bincount(labels[inked], levels[inked], count + 1)[1:] / np.maximum(sizes, 1)
    kept = sizes >= 4
    number = np.zeros(count + 1, dtype=np.int32)
    number[1:][kept] = np.arange(1, kept.sum() + 1)
    return CheckInk(
        levels, lines, number[labels], boxes[kept], sizes[kept], darkness[kept], threshold
    )


def paper_levels(grey: np.ndarray) -> np.ndarray:
    """Return how much darker than the paper around it each pixel is, float32 ``[H, W]``.

    The paper is the grey-level closing of the means of blocks, smoothed; so shades and patterns
    that change slowly are paper.

    >>> grey = np.full((64, 64), 200, np.uint8)
    >>> grey[20:40, 30:33] = 50
    >>> levels = paper_levels(grey)
    >>> bool(levels[30, 31] > 130), bool(levels[5, 5] < 5)
    (True, True)
    """
    high, wide = grey.shape
    filled = np.pad(grey, ((0, -high % BLOCK), (0, -wide % BLOCK)), mode="edge")
    rows, columns = filled.shape[0] // BLOCK, filled.shape[1] // BLOCK
    small = filled.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3), dtype=np.float32)
    closed = ndimage.grey_closing(small, size=(WIDEST_STROKE, WIDEST_STROKE))
    smooth = ndimage.gaussian_filter(closed, 1.0)
    paper = np.repeat(np.repeat(smooth, BLOCK, axis=0), BLOCK, axis=1)[:high, :wide]
    paper = ndimage.uniform_filter(paper, BLOCK)
    return np.clip(paper - grey, 0.0, None).astype(np.float32)


def horizontal_lines(mask: np.ndarray, length: int) -> np.ndarray:
    """Mark the pixels of printed lines in ink ``[H, W]``, except where other ink crosses them.

    A line is a run of ``length - 4`` pixels or more, with gaps of up to four.

    >>> mask = np.zeros((9, 50), bool)
    >>> mask[4] = mask[1:8, 20] = True
    >>> lines = horizontal_lines(mask, 30)
    >>> int(lines.sum()), bool(lines[4, 20])
    (49, False)
    """
    ink = mask.view(np.uint8)
    runs = ndimage.maximum_filter1d(ink, 5, axis=1)
    runs = ndimage.minimum_filter1d(runs, length, axis=1, mode="constant")
    runs = ndimage.maximum_filter1d(runs, length + 4, axis=1)
    lines = mask & (runs > 0)
    other = mask & ~(ndimage.maximum_filter1d(lines.view(np.uint8), 3, axis=0) > 0)
    above = ndimage.maximum_filter1d(other.view(np.uint8), 6, axis=0, origin=2)
    below = ndimage.maximum_filter1d(other.view(np.uint8), 6, axis=0, origin=-3)
    return lines & ~((above > 0) & (below > 0))


def sides_of_frames(mask: np.ndarray, lines: np.ndarray, length: int) -> np.ndarray:
    """Mark the sides of frames in ink ``[H, W]``: thin, upright, between two horizontal lines.

    >>> mask, lines = np.zeros((2, 40, 60), bool)
    >>> lines[[5, 35], 10:50] = True
    >>> mask[6:35, 10] = mask[10:30, 30] = True
    >>> sides = sides_of_frames(mask, lines, 16)
    >>> sides.sum(axis=0)[[10, 30]].tolist()
    [29, 0]
    """
    runs = ndimage.maximum_filter1d(mask.view(np.uint8), 3, axis=0)
    runs = ndimage.minimum_filter1d(runs, length, axis=0, mode="constant")
    runs = ndimage.maximum_filter1d(runs, length + 2, axis=0) > 0
    labels, count = ndimage.label(runs & mask, np.ones((3, 3), bool))
    sides = np.zeros(count + 1, dtype=bool)
    for number, (y, x) in enumerate(ndimage.find_objects(labels), start=1):
        if x.stop - x.start > 5:
            continue
        columns = slice(max(x.start - 2, 0), x.stop + 2)
        over = lines[max(y.start - 5, 0) : y.start + 2, columns]
        under = lines[y.stop - 2 : y.stop + 5, columns]
        sides[number] = bool(over.any() and under.any())
    found: np.ndarray = sides[labels]
    return found
