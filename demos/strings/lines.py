"""Load lines for the reader: 32 pixels high, dark ink as large numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import threshold_otsu

from recognizers.datasets.strings import HEIGHT
from recognizers.images import ImageError, load_field

__all__ = ["INK_HEIGHT", "ink_of", "line_of", "load_line"]

INK_HEIGHT = 20
"""Height in pixels of the ink of a line after scaling, like that of an MNIST digit."""

_CONTRAST = 40
"""Least difference in grey levels between paper and ink; below it there is no ink."""


def load_line(path: str | Path) -> NDArray[np.uint8]:
    """Return the line of an image file, ``uint8 [32, width]``, 0 paper, 255 ink.

    Raises:
        ImageError: the file cannot be read, or holds no line; the message begins with its path.
    """
    try:
        return line_of(load_field(path))
    except ValueError as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{path}: {error}") from error


def line_of(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey-level image ``[H, W]``, 0 black, as a line ``uint8 [32, width]``, 0 paper.

    An image 32 pixels high keeps its size; any other is scaled until its ink (:func:`ink_of`) is
    20 pixels high, and centred. Without ink the line is paper.

    Raises:
        ValueError: the ink is so wide that the line would have 16,384 pixels or more.

    >>> grey = np.full((90, 200), 230, np.uint8)
    >>> grey[20:60, 50:60] = 30
    >>> line = line_of(grey)
    >>> line.shape, int(line.max()), np.flatnonzero((line > 127).any(axis=1))[[0, -1]]
    ((32, 17), 255, array([ 6, 25]))
    """
    scaled = ink_of(grey)
    if grey.shape[0] == HEIGHT:
        return scaled
    if not scaled.any():
        return np.zeros((HEIGHT, HEIGHT), dtype=np.uint8)
    marks = scaled > threshold_otsu(scaled)
    rows, columns = (np.flatnonzero(marks.any(axis=axis)) for axis in (1, 0))
    cut = scaled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = INK_HEIGHT / cut.shape[0]
    width = max(1, round(cut.shape[1] * factor))
    if width >= 1 << 14:
        raise ValueError(
            f"the ink is {cut.shape[1]} pixels wide and {cut.shape[0]} high: "
            "not a line of characters"
        )
    small = Image.fromarray(cut).resize((width, INK_HEIGHT), Image.Resampling.BOX)
    margin = (HEIGHT - INK_HEIGHT) // 2
    return np.pad(np.asarray(small, dtype=np.uint8), margin)


def ink_of(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ink of a grey-level image, 0 paper, 255 ink, of the same shape.

    Ink is what differs from the paper, the more frequent level, be it darker or lighter. If nothing
    differs by 40 levels, there is none.

    >>> white_on_black = np.zeros((40, 40), np.uint8)
    >>> white_on_black[10:30, 18:22] = 200
    >>> ink_of(white_on_black)[20, 16:20]
    array([  0,   0, 255, 255], dtype=uint8)
    """
    paper = float(np.median(grey))
    away = paper - grey.astype(np.float32)
    darker, lighter = float(np.percentile(away, 99.5)), float(np.percentile(-away, 99.5))
    ink = np.clip(away if darker >= lighter else -away, 0, None)
    if float(ink.max()) < _CONTRAST:
        return np.zeros(grey.shape, dtype=np.uint8)
    most = max(float(np.percentile(ink[ink > _CONTRAST / 2], 90)), _CONTRAST)
    return np.clip(ink * (255.0 / most), 0, 255).astype(np.uint8)
