"""Compiled loops that put warped glyphs on lines and pages: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["extents", "paste", "warped"]


@njit(cache=True, nogil=True)
def warped(images, chosen, matrices, height, width):
    """Return ``chosen`` images ``[N, h, w]``, each by its own affine map, uint8 ``[n, H, W]``.

    ``matrices [n, 2, 3]`` take a point (x, y) of the result to one of the image, both relative to
    their middles. Bilinear, paper (0) outside. O(n H W).
    """
    count = len(chosen)
    h, w = images.shape[1:]
    result = np.zeros((count, height, width), dtype=np.uint8)
    for i in range(count):
        image, m = images[chosen[i]], matrices[i]
        for row in range(height):
            y = row - (height - 1) / 2
            for column in range(width):
                x = column - (width - 1) / 2
                u = m[0, 0] * x + m[0, 1] * y + m[0, 2] + (w - 1) / 2
                v = m[1, 0] * x + m[1, 1] * y + m[1, 2] + (h - 1) / 2
                if u <= -1 or v <= -1 or u >= w or v >= h:
                    continue
                left, top = int(np.floor(u)), int(np.floor(v))
                a, b = u - left, v - top
                total = 0.0
                for dy in range(2):
                    for dx in range(2):
                        r, c = top + dy, left + dx
                        if 0 <= r < h and 0 <= c < w:
                            share = (a if dx else 1 - a) * (b if dy else 1 - b)
                            total += share * image[r, c]
                result[i, row, column] = np.uint8(total + 0.5)
    return result


@njit(cache=True, nogil=True)
def extents(glyphs):
    """Return the boxes of the ink of glyphs ``[n, H, W]``: int64 ``[n, 4]``, x0, y0, x1, y1.

    Ends are exclusive; a glyph without ink has a box of width and height zero. O(n H W).
    """
    count, height, width = glyphs.shape
    boxes = np.zeros((count, 4), dtype=np.int64)
    for i in range(count):
        x0, y0, x1, y1 = width, height, 0, 0
        for row in range(height):
            for column in range(width):
                if glyphs[i, row, column]:
                    x0, x1 = min(x0, column), max(x1, column + 1)
                    y0, y1 = min(y0, row), max(y1, row + 1)
        if x1:
            boxes[i] = x0, y0, x1, y1
    return boxes


@njit(cache=True, nogil=True)
def paste(canvases, glyphs, owner, xs, ys):
    """Put glyph i on canvas ``owner[i]`` with its upper left corner at (xs[i], ys[i]), in place.

    Where ink meets ink, the darker stays; ink outside the canvas is cut off. O(n H W).
    """
    height, width = canvases.shape[1:]
    for i in range(len(glyphs)):
        canvas, glyph = canvases[owner[i]], glyphs[i]
        for row in range(max(0, -ys[i]), min(glyph.shape[0], height - ys[i])):
            for column in range(max(0, -xs[i]), min(glyph.shape[1], width - xs[i])):
                value = glyph[row, column]
                if value > canvas[ys[i] + row, xs[i] + column]:
                    canvas[ys[i] + row, xs[i] + column] = value
