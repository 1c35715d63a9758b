"""Images of segments at their place on the line, with the ink around them.

The size-normalised image of a segment does not tell a point from a zero, nor the upstroke of a one
from a one. Its place on the line of writing, its height relative to its neighbours, and these
neighbours do. Here only the height of the writing is normalised.
"""

from __future__ import annotations

import numpy as np

from recognizers.segmentation.features import line_middle
from recognizers.segmentation.pieces import piece_spans

__all__ = ["LINE_HEIGHT", "VIEW", "segment_surroundings"]

VIEW = 32
"""Side of the view of a segment, in pixels."""

LINE_HEIGHT = 16.0
"""Height of the writing in a view, in pixels; the rest is free for higher and lower ink."""


def segment_surroundings(
    image: np.ndarray,
    owner: np.ndarray,
    pieces: np.ndarray,
    src: np.ndarray,
    dst: np.ndarray,
    height: float,
) -> np.ndarray:
    """Draw the view around each segment, uint8 ``[A, 2, 32, 32]``: its own ink, and other ink.

    The middle of the view is the middle of the segment's width, on the middle of the line.

    Args:
        image: ink of the field, uint8 ``[h, w]``, 0 paper, 255 ink.
        owner: number of the piece that each pixel's ink belongs to, ``[h, w]``, -1 for paper.
        pieces: number of the piece of each pixel proper, ``[h, w]``, -1 for paper.
        src, dst: first piece of each segment, and the piece after its last.
        height: height of the writing in pixels.

    Example:
        >>> pieces = np.full((40, 80), -1)
        >>> pieces[8:32, 15:19], pieces[8:32, 30:34] = 0, 1
        >>> image = np.where(pieces >= 0, 255, 0).astype(np.uint8)
        >>> views = segment_surroundings(image, pieces, pieces, np.array([0]), np.array([1]), 24.0)
        >>> own, other = views[0]
        >>> int(own.sum(axis=0).argmax()), bool(other[:, :20].any()), bool(other[:, 20:].any())
        (16, False, True)
    """
    spans = piece_spans(owner)
    scale = LINE_HEIGHT / height
    middle = line_middle(pieces, piece_spans(pieces), height)
    # Pixels of the line are those of the field times the scale; the first VIEW columns and the
    # last are paper beyond the field.
    rows = _resampling(VIEW, image.shape[0], scale, middle - 0.5 * VIEW / scale)
    length = int(np.ceil(image.shape[1] * scale)) + 2 * VIEW
    columns = _resampling(length, image.shape[1], scale, -VIEW / scale)
    # Resampling is linear, so the ink of successive pieces is a difference of running sums.
    sums = np.zeros((len(spans) + 1, VIEW, length), dtype=np.float32)
    for piece, (left, right, top, bottom) in enumerate(spans):
        here = np.s_[top:bottom, left:right]
        ink = image[here] * (owner[here] == piece)
        drawn = rows[:, top:bottom] @ ink.astype(np.float32) @ columns[:, left:right].T
        sums[piece + 1] = sums[piece] + drawn
    views = np.empty((len(src), 2, VIEW, VIEW), dtype=np.uint8)
    for arc, (first, end) in enumerate(zip(src, dst)):
        centre = 0.5 * (spans[first:end, 0].min() + spans[first:end, 1].max())
        x = round(centre * scale + 0.5 * VIEW)
        own = (sums[end] - sums[first])[:, x : x + VIEW]
        views[arc, 0] = np.clip(own + 0.5, 0, 255)
        views[arc, 1] = np.clip(sums[-1][:, x : x + VIEW] - own + 0.5, 0, 255)
    return views


def _resampling(count: int, given: int, scale: float, begin: float) -> np.ndarray:
    """Return the matrix ``[count, given]`` that resamples a row of pixels, with a triangle filter.

    Pixel 0 of the result begins at ``begin`` in the row given. Enlarging interpolates, reducing
    averages; what lies outside the row counts as 0.
    """
    sharpness = min(scale, 1.0)
    centres = begin + (np.arange(count) + 0.5) / scale
    distance = np.abs(centres[:, None] - (np.arange(given) + 0.5))
    return (np.maximum(1.0 - distance * sharpness, 0.0) * sharpness).astype(np.float32)
