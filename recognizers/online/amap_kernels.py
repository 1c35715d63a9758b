"""Numba kernels of `amap`: line integrals of polylines over the pixels of annotated images."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

ORIENTATIONS = 4
PLANES = 5


@njit(cache=True, nogil=True)
def draw_strokes(
    points: np.ndarray,
    strokes: np.ndarray,
    inks: np.ndarray,
    images: np.ndarray,
    step: float,
    passes: int,
    dot: float,
    most: int,
    gains: np.ndarray,
) -> None:
    """Draw the strokes of B inks into their images, each plane as tanh of `gains` times its sums.

    points float64 [N, 2] in pixels, x = column and y = row from the top; strokes int64 [S+1],
    where strokes begin in points; inks int64 [B+1], where inks begin in strokes; images float32
    [B, 5, H, W], written; gains float64 [5]. Each stroke is sampled at equal steps of arc length,
    about `step`, at most `most` of them, and smoothed `passes` times by 1-2-1. Linear in the
    points, the length of the ink inside the images, and their pixels.
    """
    path = np.empty((64, 2))
    sums = np.zeros(images.shape[1:])
    for b in range(len(inks) - 1):
        for s in range(inks[b], inks[b + 1]):
            first, last = strokes[s], strokes[s + 1]
            if last == first:
                continue
            length = 0.0
            for i in range(first + 1, last):
                length += math.hypot(
                    points[i, 0] - points[i - 1, 0], points[i, 1] - points[i - 1, 1]
                )
            # Not at whole numbers, so that rounding does not change the number of steps.
            count = min(most, math.ceil(length / step + 0.37)) if length > 0.0 else 0
            if len(path) <= count:
                path = np.empty((2 * count + 1, 2))
            _even_steps(points, first, last, length, count, path)
            for _ in range(passes):
                _smooth(path, count)
            _draw_path(path, count, sums)
            if length < dot:
                _draw_dot(path, count, (dot - length) / dot, dot, sums)
        _squash(sums, gains, images[b])


@njit(cache=True, nogil=True)
def _squash(sums, gains, image):
    """Write tanh of the sums and clear them for the next image; most are zero."""
    planes, height, width = sums.shape
    for k in range(planes):
        for row in range(height):
            for column in range(width):
                value = sums[k, row, column]
                if value == 0.0:
                    image[k, row, column] = 0.0
                else:
                    image[k, row, column] = math.tanh(gains[k] * value)
                    sums[k, row, column] = 0.0


@njit(cache=True, nogil=True)
def _even_steps(points, first, last, length, count, path):
    """Fill points 0..count of the path, at equal distances along points[first:last]."""
    path[0, 0], path[0, 1] = points[first, 0], points[first, 1]
    if count == 0:
        return
    path[count, 0], path[count, 1] = points[last - 1, 0], points[last - 1, 1]
    i = first
    before = 0.0
    piece = math.hypot(points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1])
    for n in range(1, count):
        at = length * n / count
        while before + piece < at and i + 2 < last:
            before += piece
            i += 1
            piece = math.hypot(points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1])
        t = min(1.0, (at - before) / piece) if piece > 0.0 else 0.0
        path[n, 0] = points[i, 0] + t * (points[i + 1, 0] - points[i, 0])
        path[n, 1] = points[i, 1] + t * (points[i + 1, 1] - points[i, 1])


@njit(cache=True, nogil=True)
def _smooth(path, count):
    """Smooth the inner points by 1-2-1; the ends stay."""
    if count < 2:
        return
    x, y = path[0, 0], path[0, 1]
    for n in range(1, count):
        here_x, here_y = path[n, 0], path[n, 1]
        path[n, 0] = 0.5 * here_x + 0.25 * (x + path[n + 1, 0])
        path[n, 1] = 0.5 * here_y + 0.25 * (y + path[n + 1, 1])
        x, y = here_x, here_y


@njit(cache=True, nogil=True)
def _draw_path(path, count, image):
    share = np.zeros(ORIENTATIONS)
    before_x = before_y = 0.0
    for n in range(count):
        dx = path[n + 1, 0] - path[n, 0]
        dy = path[n + 1, 1] - path[n, 1]
        squared = dx * dx + dy * dy
        if squared == 0.0:
            continue
        # Twice the angle does not depend on the direction; y counts rows, downwards.
        cosine = (dx * dx - dy * dy) / squared
        sine = -2.0 * dx * dy / squared
        share[0] = cosine * cosine if cosine > 0.0 else 0.0
        share[1] = sine * sine if sine > 0.0 else 0.0
        share[2] = cosine * cosine if -cosine > 0.0 else 0.0
        share[3] = sine * sine if -sine > 0.0 else 0.0
        _draw_segment(path[n, 0], path[n, 1], dx, dy, math.sqrt(squared), share, image)
        if before_x != 0.0 or before_y != 0.0:
            cross = before_x * dy - before_y * dx
            turn = abs(math.atan2(cross, before_x * dx + before_y * dy))
            _draw_point(path[n, 0], path[n, 1], turn, 1.0, image[ORIENTATIONS])
        before_x, before_y = dx, dy


@njit(cache=True, nogil=True)
def _draw_dot(path, count, missing, size, image):
    """Add what a short stroke lacks of a dot: ink without orientation, which turns full circle."""
    middle = count // 2
    other = count - middle
    x = 0.5 * (path[middle, 0] + path[other, 0])
    y = 0.5 * (path[middle, 1] + path[other, 1])
    for k in range(ORIENTATIONS):
        _draw_point(x, y, missing * size / ORIENTATIONS, 1.0, image[k])
    _draw_point(x, y, missing * math.pi, 1.0, image[ORIENTATIONS])


@njit(cache=True, nogil=True)
def _draw_point(x, y, value, factor, plane):
    """Add `value` times the tent of height 1 and half-width 1 around (x, y), at pixel centres."""
    height, width = plane.shape
    if not (-1.0 < x < width and -1.0 < y < height):
        return
    column, row = math.floor(x), math.floor(y)
    right, low = x - column, y - row
    value *= factor
    for r in range(2):
        if not 0 <= row + r < height:
            continue
        part = low if r else 1.0 - low
        for c in range(2):
            if 0 <= column + c < width:
                plane[row + r, column + c] += value * part * (right if c else 1.0 - right)


@njit(cache=True, nogil=True)
def _clip(start, delta, high, first, last):
    """Return the part of the interval [first, last] of t where -1 <= start + t delta <= high."""
    if delta == 0.0:
        return (first, last) if -1.0 <= start <= high else (first, first)
    a, b = (-1.0 - start) / delta, (high - start) / delta
    return max(first, min(a, b)), min(last, max(a, b))


@njit(cache=True, nogil=True)
def _next_line(at, delta):
    """Return how far t goes from `at` to the next whole number in the direction of delta."""
    if delta > 0.0:
        return (math.floor(at + 1e-12) + 1.0 - at) / delta
    if delta < 0.0:
        return (math.ceil(at - 1e-12) - 1.0 - at) / delta
    return math.inf


@njit(cache=True, nogil=True)
def _draw_segment(x, y, dx, dy, length, share, image):
    """Add the integral of the tent along a segment, times the shares of the orientations.

    Between the lines through pixel centres the tent is quadratic in t: Simpson's rule is exact.
    """
    height, width = image.shape[1], image.shape[2]
    t, end = _clip(x, dx, float(width), 0.0, 1.0)
    t, end = _clip(y, dy, float(height), t, end)
    while t < end:
        until = min(end, t + min(_next_line(x + t * dx, dx), _next_line(y + t * dy, dy)))
        if not until > t:
            return
        middle = 0.5 * (t + until)
        column = math.floor(x + middle * dx)
        row = math.floor(y + middle * dy)
        right_a, low_a = x + t * dx - column, y + t * dy - row
        right_b, low_b = x + until * dx - column, y + until * dy - row
        right_m, low_m = 0.5 * (right_a + right_b), 0.5 * (low_a + low_b)
        piece = (until - t) * length / 6.0
        # Simpson's sums of right * low, right and low; the other three corners follow.
        both = (right_a * low_a + 4.0 * right_m * low_m + right_b * low_b) * piece
        right, low = 6.0 * right_m * piece, 6.0 * low_m * piece
        for r in range(2):
            if not 0 <= row + r < height:
                continue
            for c in range(2):
                if not 0 <= column + c < width:
                    continue
                if r:
                    value = both if c else low - both
                else:
                    value = right - both if c else 6.0 * piece - right - low + both
                for k in range(ORIENTATIONS):
                    if share[k] > 0.0:
                        image[k, row + r, column + c] += value * share[k]
        t = until
