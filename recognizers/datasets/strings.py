"""Endless lines of digits made from single digits (paper, section VII-B).

The paper flanks a character by two others, with a gap of -1 to 4 pixels between their boxes,
sometimes leaves the middle empty (a blank), and inverts a tenth of the pixels. :data:`PAPER` makes
whole strings in this way; :data:`FREE` also varies size, slant, baseline and overlap. Every batch
follows from a seed and its number alone, in whatever order batches are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from recognizers.classes import DIGITS
from recognizers.datasets.mnist import BACKGROUND, FOREGROUND
from recognizers.datasets.pasting import extents, paste, warped

__all__ = [
    "FREE",
    "HEIGHT",
    "PAPER",
    "DigitStrings",
    "Lines",
    "Recipe",
    "checked_digits",
    "draw_lines",
    "draw_windows",
    "line_input",
]

HEIGHT = 32
"""Rows of a line."""

_GLYPH = 48
"""Columns of the canvas in which a glyph is warped."""


@dataclass(frozen=True)
class Recipe:
    """How lines are made; ranges are drawn from uniformly, both ends included.

    Attributes:
        length: characters of a string.
        gap: columns between the boxes of neighbours; negative if they overlap.
        blank: share of the gaps in which a character is missing; ``blank_width``: their width.
        margin: columns of paper before the first and after the last character.
        noise: share of inverted pixels, in the share ``noisy`` of the lines.
        size: sizes are multiplied by a factor between 1 / (1 + size) and 1 + size; half of its
            logarithm is drawn per line, half per character.
        slant: greatest shift in pixels per pixel of height; three quarters of it are drawn per
            line, one quarter per character.
        baseline: most rows by which a character stands above or below the middle.
    """

    length: tuple[int, int] = (1, 10)
    gap: tuple[int, int] = (-1, 4)
    blank: float = 0.05
    blank_width: tuple[int, int] = (6, 20)
    margin: tuple[int, int] = (2, 6)
    noise: float = 0.0
    noisy: float = 1.0
    size: float = 0.0
    slant: float = 0.0
    baseline: float = 0.0

    def __post_init__(self) -> None:
        for name in ("length", "gap", "blank_width", "margin"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} goes from {low} to {high}: the lower end comes first")
        if self.length[0] < 0 or self.margin[0] < 0:
            raise ValueError("a length and a margin are 0 or more")
        for name in ("blank", "noise", "noisy"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, 0 to 1, not {getattr(self, name)}")

    def with_noise(self, noise: float, noisy: float = 1.0) -> Recipe:
        """Return the same recipe with another share of inverted pixels."""
        return replace(self, noise=noise, noisy=noisy)


PAPER = Recipe()
"""Digits as they are, in boxes -1 to 4 pixels apart."""

FREE = Recipe(gap=(-4, 8), size=0.25, slant=0.3, baseline=3.0)
"""Digits of varied size, slant and height, overlapping or apart."""


class Lines(NamedTuple):
    """Lines of one batch, padded with paper on the right.

    Attributes:
        images: uint8 ``[B, 32, W]``, 0 paper, 255 ink.
        widths: columns of each, int64 ``[B]``.
        texts: the digits of each line.
        owner: the line of each character, int64 ``[n]``.
        boxes: the box of each character in its line, int64 ``[n, 4]``: x0, y0, x1, y1, ends
            excluded.
    """

    images: NDArray[np.uint8]
    widths: NDArray[np.int64]
    texts: list[str]
    owner: NDArray[np.int64]
    boxes: NDArray[np.int64]


def draw_lines(
    images: Tensor | NDArray[np.uint8],
    labels: Tensor | NDArray[np.uint8],
    recipe: Recipe,
    count: int,
    rng: np.random.Generator,
) -> Lines:
    """Return ``count`` lines made of single digits by a recipe.

    Args:
        images: uint8 ``[N, 28, 28]``, 0 paper.
        labels: the digit of each, ``[N]``.
        recipe: how lines are made.
        count: number of lines.
        rng: the generator of everything drawn.

    Raises:
        ValueError: images or labels of another shape or type.

    >>> ones = np.zeros((1, 28, 28), np.uint8)
    >>> ones[:, 4:24, 12:16] = 255
    >>> lines = draw_lines(ones, np.array([1]), Recipe(blank=0), 3, np.random.default_rng(0))
    >>> lines.texts, lines.widths
    (['111111111', '1111111', '111111'], array([63, 43, 43]))
    """
    images, labels = checked_digits(images, labels)
    lengths = rng.integers(*recipe.length, size=count, endpoint=True)
    owner = np.repeat(np.arange(count), lengths)
    chosen = rng.integers(len(images), size=len(owner))
    matrices, lifts = _maps(recipe, count, owner, rng)
    glyphs = warped(images, chosen, matrices, HEIGHT, _GLYPH)
    boxes = extents(glyphs)
    gaps = rng.integers(*recipe.gap, size=len(owner), endpoint=True)
    is_blank = rng.random(len(owner)) < recipe.blank
    gaps += is_blank * rng.integers(*recipe.blank_width, size=len(owner), endpoint=True)
    before, after = rng.integers(*recipe.margin, size=(2, count), endpoint=True)
    # Left ends of the boxes: the margin and the widths of all earlier characters of the line.
    firsts = np.concatenate(([0], np.cumsum(lengths)))[:-1]
    is_first = np.zeros(len(owner), dtype=np.bool_)
    is_first[firsts[lengths > 0]] = True
    room = boxes[:, 2] - boxes[:, 0]
    gaps[is_first] = 0
    ends = np.cumsum(room + gaps)
    base = np.concatenate(([0], ends))[firsts]  # the widths of earlier lines
    left = ends - room - base[owner] + before[owner]
    widths = before + after
    np.maximum.at(widths, owner, left + room + after[owner])
    canvases = np.zeros((count, HEIGHT, int(widths.max(initial=1))), dtype=np.uint8)
    # Inside the line: ink is not cut off above or below.
    ys = np.clip(lifts, -boxes[:, 1], HEIGHT - boxes[:, 3])
    xs = left - boxes[:, 0]
    paste(canvases, glyphs, owner, xs, ys)
    if recipe.noise:
        _invert(canvases, recipe, rng)
    placed = boxes + np.stack((xs, ys, xs, ys), axis=1)
    digits = labels[chosen].astype(np.int64)
    texts = ["".join(DIGITS[d] for d in part) for part in np.split(digits, firsts[1:])]
    return Lines(canvases, widths, texts[:count], owner, placed)


def draw_windows(
    images: Tensor | NDArray[np.uint8],
    labels: Tensor | NDArray[np.uint8],
    recipe: Recipe,
    count: int,
    rng: np.random.Generator,
    *,
    width: int = 32,
    blanks: float = 0.4,
    jitter: int = 1,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return windows uint8 ``[count, 32, width]`` of a character among neighbours, and classes.

    The middle one of three characters stands in the middle of the window, give or take
    ``jitter`` columns, and its digit is the class. In the share ``blanks`` of the windows no
    character is in the middle, and the class is 10: the middle of the gap between two, which may
    be as wide as a missing character, or paper before the first or after the last one.

    >>> digits = np.zeros((1, 28, 28), np.uint8)
    >>> digits[:, 4:24, 8:20] = 255
    >>> rng = np.random.default_rng(0)
    >>> windows, classes = draw_windows(digits, np.array([7]), PAPER, 5, rng)
    >>> windows.shape, classes
    ((5, 32, 32), array([ 7, 10,  7,  7,  7]))
    """
    recipe = replace(recipe, length=(3, 3))
    lines = draw_lines(images, labels, replace(recipe, noise=0.0), count, rng)
    boxes = lines.boxes.reshape(count, 3, 4)
    middles = (boxes[:, 1, 0] + boxes[:, 1, 2]) / 2
    classes = np.array([int(text[1]) for text in lines.texts], dtype=np.int64)
    is_blank = rng.random(count) < blanks
    between = (boxes[:, 0, 2] + boxes[:, 1, 0]) / 2
    away = rng.integers(1, width // 2, size=count)
    outside = np.where(rng.random(count) < 0.5, boxes[:, 0, 0] - away, boxes[:, 2, 2] + away)
    at_end = rng.random(count) < 0.25
    middles = np.where(is_blank, np.where(at_end, outside, between), middles)
    classes[is_blank] = len(DIGITS)
    middles = middles + np.where(is_blank & at_end, 0, rng.integers(-jitter, jitter + 1, count))
    # Middles halfway between two columns go to either at random, not by rounding.
    left = np.floor(middles - width / 2 + rng.random(count)).astype(np.int64)
    windows = np.zeros((count, HEIGHT, width), dtype=np.uint8)
    paste(windows, lines.images, np.arange(count), -left, np.zeros(count, dtype=np.int64))
    if recipe.noise:
        _invert(windows, recipe, rng)
    return windows, classes


def line_input(images: NDArray[np.uint8]) -> Tensor:
    """Return lines uint8 ``[B, 32, W]`` as a network takes them: ``[B, 1, 32, W]``, float32.

    Paper (0) becomes -0.1 and ink (255) 1.175, as in :mod:`recognizers.datasets.mnist`.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"lines must be uint8 [B, H, W], not {images.dtype} {images.shape}")
    scaled = torch.from_numpy(images).float() * ((FOREGROUND - BACKGROUND) / 255.0)
    return (scaled + BACKGROUND).unsqueeze(1)


class DigitStrings(IterableDataset[tuple[NDArray[np.uint8], str]]):
    """Endless lines of digits: an iterable of (image uint8 ``[32, width]``, text).

    Line n depends only on the seed, not on the number of data-loader workers, which share the
    blocks of lines among them. A training loop takes whole batches by number.

    >>> ones = np.zeros((1, 28, 28), np.uint8)
    >>> ones[:, 4:24, 12:16] = 255
    >>> data = DigitStrings(ones, np.array([1]), seed=5)
    >>> image, text = next(iter(data))
    >>> image.shape, text
    ((32, 42), '1111111')
    >>> data.batch(17, size=2).texts  # without the sixteen before it
    ['1111111', '1111111']
    """

    block = 256
    """Lines made at once while iterating."""

    def __init__(
        self,
        images: Tensor | NDArray[np.uint8],
        labels: Tensor | NDArray[np.uint8],
        recipe: Recipe = PAPER,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.images, self.labels = checked_digits(images, labels)
        self.recipe, self.seed = recipe, seed

    def batch(self, number: int, size: int) -> Lines:
        """Return batch ``number`` of ``size`` lines; equal arguments give equal lines."""
        rng = np.random.default_rng([self.seed, number])
        return draw_lines(self.images, self.labels, self.recipe, size, rng)

    def windows(
        self, number: int, size: int, *, width: int = 32
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return batch ``number`` of windows and their classes (:func:`draw_windows`)."""
        rng = np.random.default_rng([self.seed, number, 1])
        return draw_windows(self.images, self.labels, self.recipe, size, rng, width=width)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], str]]:
        worker = get_worker_info()
        number, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        while True:
            lines = self.batch(number, self.block)
            for image, width, text in zip(lines.images, lines.widths, lines.texts, strict=True):
                yield image[:, :width], text
            number += step


def checked_digits(
    images: Tensor | NDArray[np.uint8], labels: Tensor | NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return single digits as arrays, uint8 ``[N, 28, 28]`` and ``[N]``.

    Raises:
        ValueError: another shape or type, no image, labels that are not digits.
    """
    pixels, classes = np.asarray(images), np.asarray(labels)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28) or not len(pixels):
        raise ValueError(f"digits must be uint8 [N, 28, 28], not {pixels.dtype} {pixels.shape}")
    if classes.shape != (len(pixels),) or classes.min() < 0 or classes.max() > 9:
        raise ValueError(f"labels must be {len(pixels)} digits, not of shape {classes.shape}")
    return pixels, classes


def _maps(
    recipe: Recipe, count: int, owner: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the affine map of each character (from line to glyph) and the rows it is moved."""

    def drawn(most: float, own: float) -> NDArray[np.float64]:
        """Draw values from -most to most, of which the share ``own`` is each character's own."""
        whole = rng.uniform(-most, most, count)[owner]
        return (1 - own) * whole + own * rng.uniform(-most, most, len(owner))

    size = np.exp(drawn(np.log1p(recipe.size), 0.5))
    slant = drawn(recipe.slant, 0.25)
    matrices = np.zeros((len(owner), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / size
    matrices[:, 0, 1] = slant / size
    return matrices, np.rint(drawn(recipe.baseline, 1.0)).astype(np.int64)


def _invert(canvases: NDArray[np.uint8], recipe: Recipe, rng: np.random.Generator) -> None:
    """Invert each pixel of the noisy ones with the probability of the recipe, in place."""
    noisy = np.flatnonzero(rng.random(len(canvases)) < recipe.noisy)
    hit = rng.random((len(noisy), *canvases.shape[1:]), dtype=np.float32) < recipe.noise
    canvases[noisy] ^= hit.view(np.uint8) * np.uint8(255)
