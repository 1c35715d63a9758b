"""Local extrema of a pen trajectory: points that a writer places on the lines of a word."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from recognizers.online.ink import Ink

__all__ = ["Extrema", "extrema"]


class Extrema(NamedTuple):
    """Turning points of the height: `points` float64 [E, 2], `is_top` bool [E], `counts` [E].

    `counts` is 1 for a point where the pen turned, and 0.5 where a stroke begins or ends.
    """

    points: np.ndarray
    is_top: np.ndarray
    counts: np.ndarray


def extrema(ink: Ink, least: float) -> Extrema:
    """Return maxima and minima of y along strokes that differ by more than `least` (ink units).

    Strokes lower than that (dots, dashes, bars) have none. Independent of the direction and order
    of strokes, except for the choice among equal heights. Linear in the number of points.

    >>> found = extrema(Ink([[(0, 0), (1, 9), (2, 1), (3, 1.5), (4, 1), (5, 8)]]), 2.0)
    >>> found.points[:, 1].tolist(), found.is_top.tolist(), found.counts.tolist()
    ([0.0, 9.0, 1.0, 8.0], [False, True, False, True], [0.5, 1.0, 1.0, 0.5])
    """
    where, is_top, counts = _zigzag(np.array(ink.points), np.array(ink.offsets), float(least))
    return Extrema(ink.points[where], is_top, counts)


@njit(cache=True, nogil=True)
def _zigzag(points, offsets, least):
    """Return the indexes [E] of turning points, whether they are tops [E], and their counts [E]."""
    where = np.empty(len(points) + len(offsets), np.int64)
    is_top = np.empty(len(where), np.bool_)
    counts = np.empty(len(where), np.float64)
    found = 0
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1]
        begin = found
        high = low = first
        direction = 0
        for i in range(first, last):
            y = points[i, 1]
            if y > points[high, 1]:
                high = i
            if y < points[low, 1]:
                low = i
            if direction >= 0 and y < points[high, 1] - least:
                where[found], is_top[found], counts[found] = high, True, 1.0
                found += 1
                direction, low = -1, i
            elif direction <= 0 and y > points[low, 1] + least:
                where[found], is_top[found], counts[found] = low, False, 1.0
                found += 1
                direction, high = 1, i
        if direction != 0:
            where[found], is_top[found], counts[found] = (
                (high, True, 1.0) if direction > 0 else (low, False, 1.0)
            )
            found += 1
        for e in range(begin, found):
            if where[e] == first or where[e] == last - 1:
                counts[e] = 0.5
    return where[:found].copy(), is_top[:found].copy(), counts[:found].copy()
