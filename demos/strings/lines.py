"""Files of lines as the reader takes them: 32 pixels high, dark ink as large numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import threshold_otsu

from recognizers.datasets.strings import HEIGHT
from recognizers.images import ImageError, load_field

__all__ = ["INK_HEIGHT", "line_of", "load_line", "load_lines"]

INK_HEIGHT = 20
"""Pixels that the ink of a line is high after scaling, as that of an MNIST digit."""

_CONTRAST = 40
"""Grey levels between paper and ink, at least: with less there is no ink."""


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


def load_lines(
    paths: Iterable[Path],
) -> Iterator[tuple[Path, NDArray[np.uint8] | ImageError]]:
    """Yield each file with its line, or with the error that says what is wrong with it."""
    for path in paths:
        try:
            yield path, load_line(path)
        except ImageError as error:
            yield path, error


def line_of(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey-level image ``[H, W]``, 0 black, as a line ``uint8 [32, width]``, 0 paper.

    Ink is what differs from the paper, the more frequent level, be it darker or lighter; its
    darkest level becomes 255. An image 32 pixels high keeps its size; any other is scaled until
    its ink is 20 pixels high, and centred. Without ink the line is paper.

    Raises:
        ValueError: an ink so wide that the line would be 16,384 pixels and more.

    >>> grey = np.full((90, 200), 230, np.uint8)
    >>> grey[20:60, 50:60] = 30
    >>> line = line_of(grey)
    >>> line.shape, int(line.max()), np.flatnonzero((line > 127).any(axis=1))[[0, -1]]
    ((32, 17), 255, array([ 6, 25]))
    """
    paper = float(np.median(grey))
    away = np.abs(grey.astype(np.float32) - paper)
    darker = float(np.percentile(paper - grey.astype(np.float32), 99.5))
    lighter = float(np.percentile(grey.astype(np.float32) - paper, 99.5))
    sign = 1.0 if darker >= lighter else -1.0
    ink = np.clip(sign * (paper - grey.astype(np.float32)), 0, None)
    most = float(np.percentile(ink[ink > 0], 95)) if (ink > 0).any() else 0.0
    if float(away.max()) < _CONTRAST or most < _CONTRAST / 2:
        width = grey.shape[1] if grey.shape[0] == HEIGHT else HEIGHT
        return np.zeros((HEIGHT, width), dtype=np.uint8)
    scaled = np.clip(ink * (255.0 / most), 0, 255).astype(np.uint8)
    if grey.shape[0] == HEIGHT:
        return scaled
    marks = scaled > threshold_otsu(scaled)
    rows, columns = (np.flatnonzero(marks.any(axis=axis)) for axis in (1, 0))
    cut = scaled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = INK_HEIGHT / cut.shape[0]
    width = max(1, round(cut.shape[1] * factor))
    if width >= 1 << 14:
        raise ValueError(
            f"the ink is {cut.shape[1]} pixels wide and {cut.shape[0]} high: no line of characters"
        )
    small = Image.fromarray(cut).resize((width, INK_HEIGHT), Image.Resampling.BOX)
    margin = (HEIGHT - INK_HEIGHT) // 2
    return np.pad(np.asarray(small, dtype=np.uint8), margin)
