"""Smaller images of digits: the ink's box in the middle, and the 16x16 of the early experiments.

LeNet-1 and tangent distance read digits that fit 16x16 instead of MNIST's 20x20 (paper sections
III-A and III-C). All functions take and return uint8 [N, H, W], 0 paper and 255 ink.
"""

from __future__ import annotations

import numpy as np

INK = 32
"""Least darkness that counts as ink when the box of a digit is looked for."""

BLOCK = 8192
"""Images resampled at once."""


def check_images(images: np.ndarray) -> np.ndarray:
    """Return the images as a uint8 array [N, H, W]; else raise ValueError."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape[1:]:
        raise ValueError(f"images must be uint8 [N, H, W], not {images.dtype} {images.shape}")
    return images


def crop(images: np.ndarray, size: int) -> np.ndarray:
    """Cut out size x size with the box of the ink in the middle: uint8 [N, size, size].

    Images move by whole pixels only. Ink beyond `size` is cut off equally on both sides; an image
    without ink is cut around its middle.

    >>> images = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> images[0, 3:23, 8:18] = 255
    >>> crop(images, 20)[0].any(axis=0).nonzero()[0].tolist()
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    """
    images = check_images(images)
    if size < 1:
        raise ValueError(f"size must be at least 1, not {size}")
    ink = images >= INK
    top, left = (_middle(ink.any(axis=axis)) - size // 2 for axis in (2, 1))
    framed = np.pad(images, ((0, 0), (size, size), (size, size)))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (size, size), axis=(1, 2))
    return windows[np.arange(len(images)), top + size, left + size].copy()


def to_16x16(images: np.ndarray) -> np.ndarray:
    """Reduce digits that fit 20x20, such as MNIST's, to fit 16x16: uint8 [N, 16, 16].

    The box of the ink is cut out with `crop`, and each pixel of the result is the mean of the 1.25
    x 1.25 pixels it covers.

    >>> to_16x16(np.full((1, 28, 28), 255, dtype=np.uint8)).shape
    (1, 16, 16)
    """
    return _resample(crop(images, 20), _coverage(20, 16, 0.8))


def shrunk(images: np.ndarray) -> np.ndarray:
    """Reduce digits that fit 20x20 to fit 16x16, in images as large as before: LeNet-1's input.

    The image is reduced to 4/5 about its middle, so a centred centre of mass stays centred; paper
    comes in from outside.

    >>> image = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> image[0, 4:24, 4:24] = 255
    >>> shrunk(image)[0].any(axis=0).sum()
    np.int64(16)
    """
    images = check_images(images)
    height, width = images.shape[1:]
    rows, columns = _coverage(height, height, 0.8), _coverage(width, width, 0.8)
    return _resample(images, rows, columns)


def _middle(used: np.ndarray) -> np.ndarray:
    """Return the place in the middle between the first and the last of flags [N, L].

    Without a flag, `first` is 0 and `last` is L: the middle of the axis.
    """
    length = used.shape[1]
    first = used.argmax(axis=1)
    last = length - used[:, ::-1].argmax(axis=1)
    return (first + last) // 2


def _coverage(before: int, after: int, factor: float) -> np.ndarray:
    """Return [after, before], the share of each new pixel that each old one covers on an axis.

    The axis is scaled by `factor` about its middle.
    """
    edges = (np.arange(after + 1) - after / 2) / factor + before / 2
    low, high = edges[:-1, None], edges[1:, None]
    old = np.arange(before)
    overlap = np.minimum(high, old + 1) - np.maximum(low, old)
    return np.clip(overlap, 0.0, None) * factor


def _resample(
    images: np.ndarray, rows: np.ndarray, columns: np.ndarray | None = None
) -> np.ndarray:
    columns = rows if columns is None else columns
    result = np.empty((len(images), len(rows), len(columns)), dtype=np.uint8)
    for first in range(0, len(images), BLOCK):
        block = images[first : first + BLOCK].astype(np.float32)
        small = rows.astype(np.float32) @ block @ columns.T.astype(np.float32)
        result[first : first + BLOCK] = np.rint(small)
    return result
