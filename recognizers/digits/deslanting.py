"""Deslanting: digits sheared until they stand upright (paper section III-A).

The second moments of the ink give the principal axis; rows are shifted horizontally until it is
vertical, and the result fits into 20x20.
"""

from __future__ import annotations

import numpy as np

from recognizers.digits.reduction import check_images, crop

BLOCK = 4096
"""Images sheared at once; an index per pixel then takes 25 MB."""


def slants(images: np.ndarray) -> np.ndarray:
    """Return by how many pixels per row the ink of each image leans, float64 [N].

    It is the covariance of column and row, divided by the variance of the row, with ink (255) as
    mass 1 and paper (0) as none; positive if lower rows lie further right. An image without ink, or
    with ink in one row only, has slant 0.

    >>> images = np.zeros((1, 5, 5), dtype=np.uint8)
    >>> images[0, [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]] = 255
    >>> slants(images)
    array([-1.])
    """
    images = check_images(images)
    result = np.zeros(len(images))
    y, x = np.arange(images.shape[1]), np.arange(images.shape[2])
    for first in range(0, len(images), BLOCK):
        mass = images[first : first + BLOCK].astype(np.float64)
        rows, columns = mass.sum(2), mass.sum(1)
        total = np.maximum(rows.sum(1), 1.0)
        middle_y, middle_x = rows @ y / total, columns @ x / total
        variance = rows @ y**2 / total - middle_y**2
        covariance = mass @ x @ y / total - middle_y * middle_x
        known = variance > 1e-9
        part = result[first : first + BLOCK]
        part[known] = covariance[known] / variance[known]
    return result


def deslant(images: np.ndarray, size: int | None = 20) -> np.ndarray:
    """Return images upright: uint8 [N, H, W] to uint8 [N, size, size], or [N, H, W] for None.

    Each row moves by its distance from the middle of the ink times the slant, with linear
    interpolation between pixels. Then the box of the ink is centred in size x size (20 in the
    paper); ink that does not fit is cut off.

    >>> images = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> images[0, np.arange(5, 20), np.arange(19, 4, -1)] = 255
    >>> upright = deslant(images)
    >>> upright.shape, np.flatnonzero(upright[0].any(axis=0)).tolist()
    ((1, 20, 20), [10])
    """
    images = check_images(images)
    lean = slants(images)
    height, width = images.shape[1:]
    y, x = np.arange(height), np.arange(width)
    upright = np.empty_like(images)
    for first in range(0, len(images), BLOCK):
        block = images[first : first + BLOCK].astype(np.float32)
        rows = block.sum(2)
        middle = rows @ y / np.maximum(rows.sum(1), 1.0)
        shift = lean[first : first + BLOCK, None] * (y - middle[:, None])
        # A shifted row is read between two pixels; there is a frame of paper on both sides.
        whole = np.floor(shift).astype(np.int64)
        part = (shift - whole).astype(np.float32)[:, :, None]
        framed = np.pad(block, ((0, 0), (0, 0), (1, 1)))
        at = x + whole[:, :, None] + 1
        left = np.take_along_axis(framed, np.clip(at, 0, width + 1), axis=2)
        right = np.take_along_axis(framed, np.clip(at + 1, 0, width + 1), axis=2)
        upright[first : first + BLOCK] = np.rint(left + part * (right - left))
    return upright if size is None else crop(upright, size)
