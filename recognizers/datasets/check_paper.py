"""The paper of a check: a shade, a faint security pattern, printed lines."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

__all__ = ["grain", "inked", "paper"]

INK = 18.0
"""Grey level of paper covered with ink."""


def paper(
    shape: tuple[int, int], rng: np.random.Generator, dtype: type[np.floating] = np.float64
) -> np.ndarray:
    """Return empty paper, float ``[H, W]`` of grey levels from 0 to 255; float32 is faster.

    >>> paper((60, 200), np.random.default_rng(0)).shape
    (60, 200)
    """
    high, wide = shape
    y, x = np.mgrid[0:high, 0:wide].astype(dtype)
    tone = float(rng.choice([rng.uniform(205, 240), rng.uniform(150, 205)], p=[0.7, 0.3]))
    slope = rng.normal(0.0, 10.0, 2).tolist()
    sheet = tone + slope[0] * (x / wide - 0.5) + slope[1] * (y / high - 0.5)
    for _ in range(int(rng.integers(0, 4))):
        sheet -= rng.uniform(6.0, 20.0) * curves(x, y, rng)
    if rng.random() < 0.4:
        print_line(sheet, int(rng.integers(high - 9, high - 2)), rng)
        if rng.random() < 0.25:
            print_line(sheet, int(rng.integers(1, 5)), rng)
    return sheet


def grain(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return the noise of paper and scanner at each pixel, float ``[H, W]`` of grey levels."""
    noise: np.ndarray = ndimage.gaussian_filter(rng.normal(size=shape), 0.5)
    return noise * rng.uniform(2.0, 5.0)


def inked(sheet: np.ndarray, cover: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the picture, uint8 ``[H, W]``, of a sheet with ink; `cover` is each pixel's share.

    >>> inked(np.array([[200.0, 200.0]]), np.array([[0.0, 1.0]]), np.zeros((1, 2))).tolist()
    [[200, 18]]
    """
    levels = sheet * (1.0 - cover) + INK * cover + noise
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def curves(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return thin curves side by side, from 0 to 1: nearly parallel, or rings."""
    period = rng.uniform(4.0, 9.0)
    if rng.random() < 0.5:
        angle = rng.uniform(0.0, np.pi)
        place = x * math.cos(angle) + y * math.sin(angle)
    else:
        centre = rng.uniform(-60, 60) + 0.5 * x.shape[1], rng.uniform(-60, 60) + 0.5 * x.shape[0]
        place = np.hypot(x - centre[0], y - centre[1])
    wave = rng.uniform(0.0, 5.0) * np.sin((x + y) / rng.uniform(8.0, 25.0))
    curve: np.ndarray = (0.5 + 0.5 * np.cos((place + wave) * (2 * math.pi / period))) ** 2
    return curve * curve


def print_line(sheet: np.ndarray, row: int, rng: np.random.Generator) -> None:
    """Print a dark line from edge to edge."""
    sheet[row : row + int(rng.integers(1, 3))] -= rng.uniform(60.0, 120.0)
