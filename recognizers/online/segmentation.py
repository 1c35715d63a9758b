"""Ink of a word cut into pieces, and the segments of it that may be characters (Fig. 30).

The ink is a normalised word, in the pixels of an annotated image (`normalization.on_lines`). It
is cut where the pen was lifted, at the minima of the trajectory (where cursive letters join; a
minimum below the base line is the loop of a descender, which is cut where the way up from it
comes to the base line) and in the middle of long level runs (where letters join at the top).
Dots and bars, and strokes that lie over a longer one, go to the piece they belong to; the other
strokes are ordered from left to right. So the order and direction of strokes leave hardly a trace.
Segments are groups of neighbouring pieces, neither too many nor too wide; on purpose, there are
more than can be characters.

The paper does not describe its cuts; all numbers here are ours, in pixels of the image (the core of
a word is 7 pixels high).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizers.online.amap import COLUMNS
from recognizers.online.ink import Ink
from recognizers.online.segmentation_kernels import cut_strokes, even_strokes

__all__ = ["FEATURES", "InkSegmentation", "members", "segment_ink"]

STEP = 0.6
"""Distance of points after resampling."""

LEAST_RISE = 0.35
"""How far the pen rises on both sides of a minimum that counts."""

LEAST_PIECE = 2.0
"""Least length of ink of a piece that is cut off."""

MOST_PIECES = 7
MOST_WIDTH = 32.0
"""Most pieces and greatest width of a segment; a single piece may be wider. Most letters are some
12 wide, wide letters of wide hands more than twice that."""

BASE_ROW = 6.5
ROOM = COLUMNS - 4.0
"""Columns of its image that a segment may fill; wider segments are narrowed."""

FEATURES = (
    "one",
    "width",
    "width_squared",
    "pieces",
    "one_piece",
    "gap_before",
    "gap_after",
    "lift_before",
    "lift_after",
    "lifts_inside",
)
"""Features of a segment beside its picture; widths and gaps in units of 10 pixels."""


@dataclass(frozen=True)
class InkSegmentation:
    """Pieces of a word in order, and its segments, which are runs of pieces.

    `points` float64 [N, 2] are those of polylines, polyline i from `strokes[i]` to
    `strokes[i + 1]`; piece p has the polylines from `pieces[p]` to `pieces[p + 1]`. Node p of the
    segmentation graph lies before piece p: segment a has the pieces from `src[a]` to
    `dst[a] - 1`. `features` float32 [A, F] are named by `FEATURES`; `boxes` float32 [A, 4] hold
    the least x and y and the largest of each segment.
    """

    points: np.ndarray
    strokes: np.ndarray
    pieces: np.ndarray
    src: np.ndarray
    dst: np.ndarray
    features: np.ndarray
    boxes: np.ndarray

    @property
    def num_pieces(self) -> int:
        """The number of pieces, which is the last node of the graph."""
        return len(self.pieces) - 1

    def __len__(self) -> int:
        return len(self.src)

    def ink(self, segment: int) -> Ink:
        """Return the ink of a segment, at its place in the word."""
        first, last = self.pieces[self.src[segment]], self.pieces[self.dst[segment]]
        bounds = self.strokes[first : last + 1]
        return Ink.of(self.points[bounds[0] : bounds[-1]], bounds - bounds[0])


def members(begins: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the numbers begins[i], begins[i] + 1, … (lengths[i] of them) of all i, in a row.

    >>> members(np.array([5, 1]), np.array([2, 3])).tolist()
    [5, 6, 1, 2, 3]
    """
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(begins - before, lengths)


def segment_ink(ink: Ink, most_width: float = MOST_WIDTH) -> InkSegmentation:
    """Cut a normalised word. Ink without points has no pieces and no segments.

    O(length of the ink + strokes times pieces).

    >>> word = Ink([[(3, 13), (4, 7), (6, 7), (10, 13), (11, 7)], [(20, 7), (20, 18)]])
    >>> cut = segment_ink(word)
    >>> cut.num_pieces, list(zip(cut.src.tolist(), cut.dst.tolist()))
    (3, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
    >>> cut.ink(5).bounds
    (20.0, 7.0, 20.0, 18.0)
    """
    even, offsets = even_strokes(np.array(ink.points), np.array(ink.offsets), STEP)
    points, strokes, owner = cut_strokes(even, offsets, LEAST_RISE, LEAST_PIECE, BASE_ROW)
    count = len(strokes) - 1
    if count == 0:
        none = np.empty(0, dtype=np.int32)
        zero = np.zeros(1, dtype=np.int64)
        features = np.empty((0, len(FEATURES)), np.float32)
        return InkSegmentation(
            np.empty((0, 2)), zero, zero, none, none, features, np.empty((0, 4), np.float32)
        )
    boxes = _boxes(points, strokes)
    piece, lifted = _pieces(boxes, owner)
    order = np.argsort(piece, kind="stable")
    lengths = np.diff(strokes)[order]
    points = points[members(strokes[:-1][order], lengths)]
    strokes = np.concatenate(([0], np.cumsum(lengths)))
    pieces = np.searchsorted(piece[order], np.arange(piece.max() + 2))
    src, dst = _runs(boxes[order], pieces, most_width)
    boxes_of = _boxes_of(boxes[order], pieces, src, dst)
    return InkSegmentation(
        points,
        strokes,
        pieces.astype(np.int64),
        src.astype(np.int32),
        dst.astype(np.int32),
        _features(boxes_of, boxes[order], pieces, lifted, src, dst),
        boxes_of.astype(np.float32),
    )


def _boxes(points: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return least x, y and largest x, y [S, 4] of polylines."""
    low = np.minimum.reduceat(points, offsets[:-1], axis=0)
    return np.concatenate([low, np.maximum.reduceat(points, offsets[:-1], axis=0)], axis=1)


def _pieces(boxes: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the piece of each polyline [S], and whether the pen was lifted before each piece [P].

    boxes [S, 4]; owner [S]: the stroke of each polyline, in ascending order.
    """
    starts = np.searchsorted(owner, np.arange(owner[-1] + 1))
    whole = np.concatenate(
        [
            np.minimum.reduceat(boxes[:, :2], starts, axis=0),
            np.maximum.reduceat(boxes[:, 2:], starts, axis=0),
        ],
        axis=1,
    )
    width, height = (whole[:, 2:] - whole[:, :2]).T
    middle = 0.5 * (whole[:, 0] + whole[:, 2])
    high = (whole[:, 1] >= 11.5) & (height < 4.0) | (np.maximum(width, height) < 1.5)
    # inside[i, j]: stroke i lies over stroke j, which is longer.
    inside = (
        (middle[:, None] > whole[:, 0] + 1.5)
        & (middle[:, None] < whole[:, 2] - 1.5)
        & (width[:, None] + height[:, None] < 0.7 * (width + height))
        & (whole[:, None, 1] < whole[:, 3])
    )
    goes = high | inside.any(axis=1)
    if goes.all():
        goes[:] = False
    # The other strokes from left to right; pieces of one along it, reversed if need be.
    centre = 0.5 * (boxes[:, 0] + boxes[:, 2])
    lasts = np.append(starts[1:], len(owner)) - 1
    backward = centre[lasts] < centre[starts]
    rank = np.argsort(np.argsort(middle, kind="stable"), kind="stable")
    along = np.arange(len(owner)) * np.where(backward[owner], -1, 1)
    stays = np.flatnonzero(~goes[owner])
    order = stays[np.lexsort((along[stays], rank[owner[stays]]))]
    piece = np.empty(len(owner), dtype=np.int64)
    piece[order] = np.arange(len(order))
    others = np.flatnonzero(goes[owner])
    piece[others] = _nearest(boxes[others], boxes[order])
    lifted = np.concatenate(([True], owner[order][1:] != owner[order][:-1]))
    return piece, lifted


def _nearest(strokes: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Return the piece [D] that each of D strokes belongs to: near in x; for a bar, a high one."""
    middle = 0.5 * (strokes[:, 0] + strokes[:, 2])[:, None]
    away = np.abs(middle - 0.5 * (pieces[:, 0] + pieces[:, 2]))
    beside = np.maximum(0.0, np.maximum(pieces[:, 0] - middle, middle - pieces[:, 2]))
    is_bar = (strokes[:, 2] - strokes[:, 0] >= 3.0)[:, None]
    low = np.where(is_bar, pieces[:, 3] < 15.0, pieces[:, 3] > strokes[:, None, 3] + 1.0)
    nearest: np.ndarray = np.argmin(beside + 0.3 * away + 3.0 * low, axis=1)
    return nearest


def _runs(
    boxes: np.ndarray, pieces: np.ndarray, most_width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return first pieces and ends [A] of runs that may be characters, by piece, then length."""
    left = np.minimum.reduceat(boxes[:, 0], pieces[:-1])
    right = np.maximum.reduceat(boxes[:, 2], pieces[:-1])
    count = len(left)
    first, length = (g.ravel() for g in np.mgrid[0:count, 1 : MOST_PIECES + 1])
    inside = first + length <= count
    first, length = first[inside], length[inside]
    low = np.minimum.accumulate(_table(left), axis=1)[first, length - 1]
    high = np.maximum.accumulate(_table(right), axis=1)[first, length - 1]
    kept = (high - low <= most_width) | (length == 1)
    return first[kept], (first + length)[kept]


def _table(values: np.ndarray) -> np.ndarray:
    """Return a table with values i, i + 1, … of `MOST_PIECES` pieces in row i.

    Beyond the last piece, where no run ends, they are 0.
    """
    padded = np.concatenate([values, np.zeros(MOST_PIECES)])
    return np.lib.stride_tricks.sliding_window_view(padded, MOST_PIECES)[: len(values)]


def _boxes_of(
    boxes: np.ndarray, pieces: np.ndarray, src: np.ndarray, dst: np.ndarray
) -> np.ndarray:
    """Return the boxes [A, 4] of runs of pieces from the boxes of polylines."""
    found = np.empty((len(src), 4))
    for column, ufunc in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        each = ufunc.reduceat(boxes[:, column], pieces[:-1])
        found[:, column] = ufunc.accumulate(_table(each), axis=1)[src, dst - src - 1]
    return found


def _features(
    boxes_of: np.ndarray,
    boxes: np.ndarray,
    pieces: np.ndarray,
    lifted: np.ndarray,
    src: np.ndarray,
    dst: np.ndarray,
) -> np.ndarray:
    """Return the features, float32 [A, F], of runs of pieces."""
    left = np.minimum.reduceat(boxes[:, 0], pieces[:-1])
    right = np.maximum.reduceat(boxes[:, 2], pieces[:-1])
    before = np.concatenate(([-np.inf], np.maximum.accumulate(right)))[src]
    after = np.append(np.minimum.accumulate(left[::-1])[::-1], np.inf)[dst]
    gap_before = np.clip((boxes_of[:, 0] - before) / 10.0, -1.0, 1.0)
    gap_after = np.clip((after - boxes_of[:, 2]) / 10.0, -1.0, 1.0)
    width = np.minimum((boxes_of[:, 2] - boxes_of[:, 0]) / 10.0, 4.0)
    lifts = np.concatenate(([0], np.cumsum(lifted)))
    lift_after = np.append(lifted, True)[dst]
    number = dst - src
    columns = [
        np.ones(len(src)),
        width,
        width**2,
        number / MOST_PIECES,
        number == 1,
        gap_before,
        gap_after,
        lifted[src],
        lift_after,
        (lifts[dst] - lifts[src] - lifted[src]) / 2.0,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
