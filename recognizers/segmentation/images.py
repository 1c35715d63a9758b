"""Size-normalised images of segments, drawn as the digits of MNIST are.

A segment's ink is fitted into 20 x 20 pixels with its aspect kept, its centre of mass in the
middle of 28 x 28, padded to 32 x 32 (LeCun et al. 1998, section III-A). Marks that are small in
their field stay small: a point is not blown up to a blob of the size of a zero. Writing that is
wider than high is stretched in height, up to a limit, since flat zeros are still zeros.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

SIZE = 32
"""Side of the normalised image, in pixels."""

INNER = 20.0
"""Side of the square that the ink is fitted into."""

HEIGHTENED = 1.7
"""Most that a wide segment's height may be enlarged relative to its width."""


def normalise_segment(ink: np.ndarray, text_height: float, smallest: float = 0.6) -> np.ndarray:
    """Draw one segment's ink, uint8 ``[h, w]`` (0 paper, 255 ink), as uint8 ``[32, 32]``.

    The scale is ``20 / max(h, w, smallest * text_height)``; the height of a wide segment has up to
    ``HEIGHTENED`` times that. Enlarging interpolates, reducing averages. The centre of mass moves
    to the middle as far as the ink stays within 28 x 28. Without ink the image is paper.

    Example:
        >>> ink = np.full((30, 4), 255, np.uint8)
        >>> image = normalise_segment(ink, 30.0)
        >>> image.shape, int((image.sum(axis=1) > 0).sum()) in (20, 21, 22)
        ((32, 32), True)
    """
    height, width = ink.shape
    least = max(smallest * text_height, 1.0)
    across = INNER / max(height, width, least)
    down = min(INNER / max(height, least), HEIGHTENED * across)
    mass = ink.astype(np.float64)
    total = mass.sum()
    if total <= 0.0:
        return np.zeros((SIZE, SIZE), dtype=np.uint8)
    y = float((mass.sum(axis=1) * (np.arange(height) + 0.5)).sum() / total)
    x = float((mass.sum(axis=0) * (np.arange(width) + 0.5)).sum() / total)
    room_y, room_x = 14.0 / down, 14.0 / across  # half of 28, in pixels of the field
    y = min(max(y, height - room_y), room_y)
    x = min(max(x, width - room_x), room_x)
    half_y, half_x = 0.5 * SIZE / down, 0.5 * SIZE / across
    pad = int(np.ceil(2.0 * max(half_y, half_x))) + 2
    canvas = np.zeros((height + 2 * pad, width + 2 * pad), dtype=np.uint8)
    canvas[pad : pad + height, pad : pad + width] = ink
    box = (x - half_x + pad, y - half_y + pad, x + half_x + pad, y + half_y + pad)
    image = Image.fromarray(canvas).resize((SIZE, SIZE), Image.Resampling.HAMMING, box=box)
    return np.asarray(image)


def to_input(images: np.ndarray) -> np.ndarray:
    """Map ink 0..255 to the network's range, float32: -0.1 for paper, 1.175 for ink.

    With these the mean input of the characters is about 0 and its variance about 1 (section II).

    Example:
        >>> to_input(np.array([0, 255], np.uint8))
        array([-0.1  ,  1.175], dtype=float32)
    """
    return (np.asarray(images, dtype=np.float32) * np.float32(1.275 / 255.0)) - np.float32(0.1)
