"""Numba kernels of `segmentation`: sample strokes evenly, and cut them where letters may join."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

MOST_STEPS = 1 << 14


@njit(cache=True, nogil=True)
def even_strokes(points, offsets, step):
    """Return strokes at equal steps of arc length, at most `step`, ends kept: [M, 2], [S+1].

    A stroke without length becomes one point. Linear in points and length.
    """
    lengths = np.zeros(len(offsets) - 1)
    counts = np.zeros(len(offsets), np.int64)
    for s in range(len(lengths)):
        for i in range(offsets[s] + 1, offsets[s + 1]):
            lengths[s] += math.hypot(
                points[i, 0] - points[i - 1, 0], points[i, 1] - points[i - 1, 1]
            )
        steps = min(MOST_STEPS, math.ceil(lengths[s] / step)) if lengths[s] > 0.0 else 0
        counts[s + 1] = counts[s] + steps + 1
    found = np.empty((counts[len(lengths)], 2))
    for s in range(len(lengths)):
        first, last = offsets[s], offsets[s + 1]
        steps = counts[s + 1] - counts[s] - 1
        found[counts[s], 0], found[counts[s], 1] = points[first, 0], points[first, 1]
        place, done, i = 1, 0.0, first + 1
        while place < steps and i < last:
            long = math.hypot(points[i, 0] - points[i - 1, 0], points[i, 1] - points[i - 1, 1])
            target = lengths[s] * place / steps
            if done + long >= target and long > 0.0:
                share = (target - done) / long
                for c in range(2):
                    found[counts[s] + place, c] = points[i - 1, c] + share * (
                        points[i, c] - points[i - 1, c]
                    )
                place += 1
            else:
                done += long
                i += 1
        for k in range(place, steps + 1):  # the end, and steps lost to rounding
            found[counts[s] + k, 0] = points[last - 1, 0]
            found[counts[s] + k, 1] = points[last - 1, 1]
    return found, counts


@njit(cache=True, nogil=True)
def cut_strokes(points, offsets, rise, least, base):
    """Return strokes cut up: points [M, 2], those at cuts twice, offsets [P+1], strokes [P].

    Points are at even steps. A stroke is cut at minima from which it rises by more than `rise` on
    both sides (for minima below `base` - 2: where the way up from them reaches `base`), and in the
    middle of level runs, if at least `least` of ink lies on both sides. Linear in the points.
    """
    is_cut = np.zeros(len(points), np.bool_)
    for s in range(len(offsets) - 1):
        first, last = offsets[s], offsets[s + 1]
        if last - first < 3:
            continue
        _mark(points, first, last, rise, base, is_cut)
        # Distance along the stroke between points is the same everywhere.
        long = math.hypot(
            points[first + 1, 0] - points[first, 0], points[first + 1, 1] - points[first, 1]
        )
        apart = max(2, math.ceil(least / max(long, 1e-9)))
        previous = first
        for i in range(first, last):
            if is_cut[i]:
                if i - previous < apart or last - 1 - i < apart:
                    is_cut[i] = False
                else:
                    previous = i
    extra = is_cut.sum()
    found = np.empty((len(points) + extra, 2))
    bounds = np.empty(len(offsets) + extra, np.int64)
    owner = np.empty(len(offsets) - 1 + extra, np.int64)
    place = piece = 0
    for s in range(len(offsets) - 1):
        bounds[piece], owner[piece] = place, s
        piece += 1
        for i in range(offsets[s], offsets[s + 1]):
            found[place] = points[i]
            place += 1
            if is_cut[i]:
                bounds[piece], owner[piece] = place, s
                piece += 1
                found[place] = points[i]
                place += 1
    bounds[piece] = place
    return found, bounds, owner


@njit(cache=True, nogil=True)
def _mark(points, first, last, rise, base, is_cut):
    """Mark the cuts of one stroke."""
    low = high = first
    direction = 0
    for i in range(first, last):
        y = points[i, 1]
        if y > points[high, 1]:
            high = i
        if y < points[low, 1]:
            low = i
        if direction >= 0 and y < points[high, 1] - rise:
            direction, low = -1, i
        elif direction <= 0 and y > points[low, 1] + rise:
            if direction < 0:
                # The middle of several equally low points.
                flat = low
                while flat + 1 < i and points[flat + 1, 1] < points[low, 1] + 0.05:
                    flat += 1
                cut = (low + flat) // 2
                if points[low, 1] < base - 2.0:
                    # The loop of a descender: up to the base line, if it gets there at all.
                    up = low
                    while up + 1 < last and points[up + 1, 1] >= points[up, 1] - 0.05:
                        up += 1
                        if points[up, 1] >= base - 0.5:
                            break
                    cut = up
                is_cut[cut] = True
            direction, high = 1, i
    # Level runs to the right: at least 3 pixels long, less steep than 1 in 3.
    begin = first
    for i in range(first + 1, last):
        across, up = points[i, 0] - points[i - 1, 0], points[i, 1] - points[i - 1, 1]
        level = across > 0.0 and abs(up) < 0.35 * across
        if not level or i == last - 1:
            end = i if level else i - 1
            if points[end, 0] - points[begin, 0] >= 3.0:
                near = False
                for k in range(begin, end + 1):
                    near = near or is_cut[k]
                if not near:
                    is_cut[(begin + end) // 2] = True
            begin = i
