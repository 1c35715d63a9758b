"""Geometric features of the arcs of a segmentation graph, for the segment penalty (section X)."""

from __future__ import annotations

import numpy as np

FEATURES = (
    "width",
    "too_wide",
    "height",
    "aspect",
    "middle",
    "gap_inside",
    "gap_before",
    "gap_after",
    "cut_before",
    "cut_after",
    "cut_inside",
    "pieces",
    "ink",
)
"""Names of the geometric features of an arc, see :func:`geometric_features`."""


def geometric_features(
    pieces: np.ndarray,
    spans: np.ndarray,
    cut_ink: np.ndarray,
    src: np.ndarray,
    dst: np.ndarray,
    height: float,
    stroke: float,
) -> np.ndarray:
    """Measure each arc for the segment penalty, float32 ``[A, F]``, of about unit range.

    In order (``FEATURES``), with lengths in heights of the writing: width of the group, how far it
    exceeds 1, and height; log of width over height; height of its middle above the middle of the
    line of writing; widest gap inside; gaps to the neighbouring pieces on the left and on the right
    (negative: overlap; 1 at the ends of the field); ink crossed, in stroke widths, by the cuts on
    the left, on the right, and by the deepest cut inside; number of pieces less one; ink in squared
    heights.
    """
    sizes = np.bincount(pieces[pieces >= 0], minlength=len(spans)).astype(np.float64)
    line = line_middle(pieces, spans, height)
    gaps = np.full(len(spans) + 1, height)
    gaps[1:-1] = spans[1:, 0] - np.maximum.accumulate(spans[:, 1])[:-1]
    crossed = np.append(cut_ink, 0.0) / stroke
    out = np.empty((len(src), len(FEATURES)))
    for arc, (first, end) in enumerate(zip(src, dst)):
        left, right = spans[first:end, 0].min(), spans[first:end, 1].max()
        top, bottom = spans[first:end, 2].min(), spans[first:end, 3].max()
        inner = slice(first + 1, end)
        out[arc] = (
            (right - left) / height,
            max((right - left) / height - 1.0, 0.0),
            (bottom - top) / height,
            np.log((right - left) / (bottom - top)),
            (line - 0.5 * (top + bottom)) / height,
            max(gaps[inner].max(initial=0.0), 0.0) / height,
            gaps[first] / height,
            gaps[end] / height,
            crossed[first],
            crossed[end],
            crossed[inner].max(initial=0.0),
            end - first - 1,
            sizes[first:end].sum() / height**2,
        )
    return np.clip(out, -4.0, 4.0).astype(np.float32)


def line_middle(pieces: np.ndarray, spans: np.ndarray, height: float) -> float:
    """Return the row in the middle of the line of writing: the mean middle of the high pieces.

    Pieces count by their ink. If none is half as high as the writing, it is the field's middle.
    """
    big = spans[:, 3] - spans[:, 2] >= 0.5 * height
    if not big.any():
        return 0.5 * pieces.shape[0]
    sizes = np.bincount(pieces[pieces >= 0], minlength=len(spans))
    return float(np.average(spans[big, 2:].mean(axis=1), weights=sizes[big]))
