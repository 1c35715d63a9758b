"""Annotated images (AMAP): pictures of what a pen drew, without how it drew (section IX).

An annotated image has five planes of 20 rows and any number of columns. Planes 0 to 3 say how
much ink runs horizontally, diagonally upwards, vertically and diagonally downwards near a pixel,
plane 4 how much it turns there. Order, direction and speed of the strokes leave no trace: all
sums are integrals along the ink, and the strokes are taken at equal steps of their length.

The paper leaves the details open (its companion papers have others). Ours: a stroke is sampled
every half pixel and smoothed, which removes the noise of coarse tablets from the angles; its pieces
are spread over the pixels by the exact integral of a tent (linear interpolation in both
directions); an angle t belongs to the orientation a by max(0, cos 2(t - a))², which sums to one
over the four; curvature is the absolute angle by which the ink turns; sums are squashed by tanh.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizers.online.amap_kernels import PLANES, draw_strokes
from recognizers.online.ink import Ink

__all__ = ["COLUMNS", "PLANES", "ROWS", "amap", "amaps", "amaps_of", "columns_of"]

ROWS = 20
COLUMNS = 18
"""Columns of the annotated image of one character, the input of the paper's network."""

MAX_COLUMNS = 8192
"""Most columns that are drawn; wider ink is cut off at the right."""

_STEP = 0.5
_PASSES = 4
_DOT = 1.0
_MOST_STEPS = 1 << 16
_GAINS = np.array([1.2, 1.2, 1.2, 1.2, 0.8])
"""Factors of the sums before they are squashed: four orientations, curvature."""


def amap(ink: Ink, columns: int | None = None, rows: int = ROWS) -> np.ndarray:
    """Return the annotated image, float32 [5, rows, columns] in [0, 1), of ink in pixels.

    A point (x, y) falls on column x and on row rows - 1 - y, counted from 0 at the top: y is 0 in
    the lowest row. Ink outside is not drawn. `columns`: by default as many as the ink needs
    (`columns_of`). A stroke shorter than a pixel becomes a dot. Linear in the number of points and
    the length of the ink.

    >>> planes = amap(Ink([[(2, 5), (10, 5)]]))
    >>> planes.shape
    (5, 20, 13)
    >>> planes[:, 14, 6].astype(float).round(2).tolist()  # horizontal, straight
    [0.83, 0.0, 0.0, 0.0, 0.0]
    """
    return amaps([ink], columns_of(ink) if columns is None else columns, rows)[0]


def amaps(inks: Sequence[Ink], columns: int = COLUMNS, rows: int = ROWS) -> np.ndarray:
    """Return annotated images, float32 [B, 5, rows, columns], of inks in pixels (see `amap`).

    >>> amaps([Ink(), Ink([[(3, 3)]])]).astype(float).sum(axis=(1, 2, 3)).round(1).tolist()
    [0.0, 2.2]
    """
    points = np.concatenate([np.empty((0, 2)), *(ink.points for ink in inks)])
    starts = np.cumsum([0, *(len(ink.points) for ink in inks)])
    strokes = [ink.offsets[:-1] + start for ink, start in zip(inks, starts, strict=False)]
    return amaps_of(
        points,
        np.concatenate([*strokes, [len(points)]]).astype(np.int64),
        np.cumsum([0, *map(len, inks)]),
        columns,
        rows,
    )


def amaps_of(
    points: np.ndarray,
    strokes: np.ndarray,
    inks: np.ndarray,
    columns: int = COLUMNS,
    rows: int = ROWS,
) -> np.ndarray:
    """Return annotated images of many inks in flat arrays, as after distorting them all at once.

    points [N, 2]; strokes [S+1], where each stroke begins in `points`, and the end; inks [B+1],
    where each ink begins in `strokes`, and the end. Returns float32 [B, 5, rows, columns].

    >>> amaps_of(np.zeros((3, 2)), np.array([0, 2, 3]), np.array([0, 1, 2])).shape
    (2, 5, 20, 18)
    """
    if not 0 < columns <= MAX_COLUMNS or rows <= 0:
        raise ValueError(
            f"an annotated image has 1 to {MAX_COLUMNS} columns and at least one row, "
            f"not {rows} x {columns}"
        )
    flipped = np.array(points, dtype=np.float64)
    flipped[:, 1] = rows - 1 - flipped[:, 1]
    images = np.empty((len(inks) - 1, PLANES, rows, columns), dtype=np.float32)
    draw_strokes(
        flipped,
        np.array(strokes, dtype=np.int64),
        np.array(inks, dtype=np.int64),
        images,
        _STEP,
        _PASSES,
        _DOT,
        _MOST_STEPS,
        _GAINS,
    )
    return images


def columns_of(ink: Ink, margin: int = 2) -> int:
    """Return how many columns hold the ink from x = 0 to its right end, and a margin; at least 1.

    >>> columns_of(Ink([[(2, 0), (9.5, 0)]]))
    13
    """
    right = 0.0 if ink.is_empty else ink.bounds[2]
    return int(min(MAX_COLUMNS, max(1.0, np.ceil(right) + 1 + margin)))
