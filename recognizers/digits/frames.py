"""Pictures of single digits brought to the frame of MNIST's: 28x28, 0 paper and 255 ink.

The authors of the data set fitted the ink into 20x20 pixels with its aspect kept, and moved it by
whole pixels until its centre of mass was in the middle of 28x28 (LeCun et al. 1998, section
III-A). The middle is pixel 14: in all but two of the 60,000 training digits the centre of mass
lies between 14 and 15; the longer side of the ink is 20 pixels (19 in 13 of them). This module
does the same to a digit of any size, at any place, dark on light or light on dark, on paper that
may be shaded.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from recognizers.images import MIN_SIDE, reduce_to
from recognizers.segmentation.binarization import (
    estimate_background,
    ink_mask,
    ink_threshold,
    is_light_on_dark,
    remove_specks,
)

__all__ = ["frame_digit", "framed"]

SIDE = 28
"""Side of the frame, in pixels."""

INNER = 20
"""Side of the square that the ink is fitted into."""

MIDDLE = 14
"""The pixel of the frame, along either axis, that has the centre of mass of the ink."""

WORKING_SIDE = 128
"""Pixels of the longer side to which larger pictures are reduced before ink is looked for."""

PAPER_SIDE = 48
"""About how many pixels a side has in the reduced picture used to estimate the paper."""

LEAST_CONTRAST = 24.0
"""Grey levels between paper and ink; below this, a picture counts as empty paper."""

SPECK = 0.05
"""Ink smaller than this share of the largest connected piece is not part of the digit."""

LEAST_SHARE = 0.3
"""Ink is darker than this share of the darkest ink."""

LOW = 0.5
"""Share of the threshold above which pixels connected to ink are ink, too."""

FAINTEST = 32
"""Least darkness of 255 that counts when the box of the ink is looked for."""


def frame_digit(grey: np.ndarray) -> np.ndarray:
    """Bring the digit of a grey-level picture ``[H, W]``, 0 black, into a frame uint8 ``[28, 28]``.

    Paper is whatever surrounds the digit. A large picture is reduced to find its digit, which is
    then cut out of the original and processed again. Without ink, or if none is longer than a
    thirty-second of the picture (a speck), the frame is paper: all 0.

    Raises:
        ValueError: ``grey`` is not a two-dimensional array of uint8, or has no pixel.

    >>> picture = np.full((300, 200), 230, np.uint8)
    >>> picture[40:140, 120:145] = 20
    >>> frame = frame_digit(picture)
    >>> [int(frame.any(axis=axis).sum()) for axis in (1, 0)]
    [20, 5]
    >>> bool((frame_digit(255 - picture) == frame).all()), int(frame_digit(picture[:, :100]).max())
    (True, 0)
    """
    grey = np.asarray(grey)
    if grey.ndim != 2 or grey.dtype != np.uint8 or grey.size == 0:
        raise ValueError(
            f"a picture is a uint8 array [height, width] with pixels, not {grey.dtype} {grey.shape}"
        )
    small = reduce_to(grey, WORKING_SIDE)
    ink = ink_of_digit(small)
    box = _box(ink)
    if box is not None and small is not grey:
        grey = _around(grey, box, max(grey.shape) / max(small.shape))
        ink = ink_of_digit(reduce_to(grey, WORKING_SIDE))
        box = _box(ink)
    return np.zeros((SIDE, SIDE), np.uint8) if box is None else framed(ink[box])


def framed(ink: np.ndarray) -> np.ndarray:
    """Draw ink ``[h, w]`` that reaches its four sides, 255 the darkest, as uint8 ``[28, 28]``.

    Its longer side becomes 20 pixels. The centre of mass moves into pixel 14 along both axes.

    >>> bar = framed(np.full((10, 4), 255, np.uint8))
    >>> np.flatnonzero(bar.any(axis=1))[[0, -1]], np.flatnonzero(bar.any(axis=0))[[0, -1]]
    (array([ 4, 23]), array([10, 17]))
    """
    scale = INNER / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    digit = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.HAMMING))
    frame = np.zeros((SIDE, SIDE), dtype=np.uint8)
    top, left = (_begin(digit.sum(axis=axis, dtype=np.int64)) for axis in (1, 0))
    frame[top : top + height, left : left + width] = digit
    return frame


def ink_of_digit(grey: np.ndarray) -> np.ndarray:
    """Return the ink of a picture ``[H, W]`` with one digit: uint8, 0 paper, 255 the core of ink.

    Specks, and ink fainter than ``LEAST_CONTRAST``, become paper.

    >>> picture = np.full((40, 40), 30, np.uint8)
    >>> picture[10:30, 18:22] = 200
    >>> ink_of_digit(picture)[20, 16:20]
    array([  0,   0, 255, 255], dtype=uint8)
    """
    levels = _levels(grey)
    # A small digit has too little ink to be told from noise by its share alone.
    threshold = max(ink_threshold(levels), LEAST_SHARE * float(levels.max()))
    mask = ink_mask(levels, threshold, LOW)
    if not mask.any():
        return np.zeros(grey.shape, dtype=np.uint8)
    sizes = np.bincount(ndimage.label(mask, np.ones((3, 3), bool))[0].ravel())[1:]
    mask = remove_specks(mask, SPECK * sizes.max())
    core = float(np.median(levels[mask]))
    if core < LEAST_CONTRAST:
        return np.zeros(grey.shape, dtype=np.uint8)
    # The pixels around the mask are the smooth edges of strokes.
    near = ndimage.binary_dilation(mask, np.ones((3, 3), bool), iterations=2)
    return np.rint(np.clip(levels * (255.0 / core), 0.0, 255.0) * near).astype(np.uint8)


def _levels(grey: np.ndarray) -> np.ndarray:
    """Return how much each pixel differs from the paper, towards the ink only, float32 ``[H, W]``.

    The picture is continued beyond its sides, which are mostly paper: so the estimate of the paper
    is good even if a bold digit leaves little of it.
    """
    margin = max(grey.shape) // 4
    wide = np.pad(grey, margin, mode="edge")
    high, across = wide.shape
    # The paper changes slowly; estimating it on a reduced picture is many times as fast.
    small = reduce_to(wide, PAPER_SIDE).astype(np.float32)
    paper = estimate_background(small, max(4.0, 0.35 * min(small.shape)))
    whole = Image.fromarray(paper).resize((across, high), Image.Resampling.BILINEAR)
    difference = np.asarray(whole) - wide
    if is_light_on_dark(difference):
        difference = -difference
    inside = difference[margin : high - margin, margin : across - margin]
    return np.clip(inside, 0.0, None)


def _box(ink: np.ndarray) -> tuple[slice, slice] | None:
    """Return the rows and columns of the ink; None if it is smaller than any character."""
    dark = ink >= FAINTEST
    sides = [np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0)]
    if max(map(len, sides)) < MIN_SIDE:
        return None
    rows, columns = (slice(int(side[0]), int(side[-1]) + 1) for side in sides)
    return rows, columns


def _around(grey: np.ndarray, box: tuple[slice, slice], scale: float) -> np.ndarray:
    """Cut out a box of a picture that was reduced by ``scale``, with half its length around it."""
    margin = max(side.stop - side.start for side in box) / 2 + 1
    rows, columns = (
        slice(max(0, int((side.start - margin) * scale)), int((side.stop + margin) * scale))
        for side in box
    )
    return grey[rows, columns]


def _begin(mass: np.ndarray) -> int:
    """Return where a digit with this ink along an axis begins, for its centre of mass to fit."""
    middle = int((mass * (np.arange(len(mass)) + 0.5)).sum() / mass.sum())
    return min(max(MIDDLE - middle, 0), SIDE - len(mass))
