"""Compose strings of isolated letters, side by side on the lines of a word, for the first stage.

Isolated letters have known beginnings and ends, and with neighbours beside them a network sees what
it will see in words. The class of a letter tells which lines it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np

from demos.words.reading.letters import NETWORK_CLASSES
from recognizers.online.ink import Ink
from recognizers.online.normalization import MARGIN, Lines, by_height, on_lines
from recognizers.online.pitch import at_pitch, stretch
from recognizers.online.segmentation import STEP, InkSegmentation, segment_ink
from recognizers.online.segmentation_kernels import even_strokes
from recognizers.online.slant import slant

__all__ = ["LetterString", "compose_strings", "labelled_segments", "output_labels", "placed"]

RUBBISH = len(NETWORK_CLASSES)

ABOVE = {**dict.fromkeys("bdhklf", 0.9), "t": 0.6, "i": 0.5, "j": 0.5}
BELOW = dict.fromkeys("gpqyj", 0.8)
"""How far letters reach above the core line and below the base line, in heights of the core."""


def placed(ink: Ink, letter: str) -> Ink:
    """Return an isolated letter on the lines that it reaches, with its left end at x = 0.

    >>> [placed(Ink([[(0, 0), (10, 20)]]), c).bounds[1::2] for c in "abg"]
    [(6.5, 13.5), (6.5, 18.0), (1.5, 13.5)]
    """
    left, low, right, high = ink.bounds
    above, below = ABOVE.get(letter, 0.0), BELOW.get(letter, 0.0)
    if letter in "ij" and len(ink) < 2:
        above = 0.0  # the dot is missing
    if letter.isupper():
        above = 0.9
    height = max(high - low, 0.3 * (right - left)) or 1.0
    core = height / (1.0 + above + below)
    base = low + below * core
    levels = base + core * np.array([1.9, 1.0, 0.0, -0.8])
    lines = Lines(0.5 * (left + right), 0.0, 0.0, *map(float, levels))
    word = on_lines(ink, lines)
    return word.with_points(word.points - np.array([MARGIN, 0.0]))


@dataclass(frozen=True)
class LetterString:
    """Letters side by side: the ink, the class of each, and where each begins and ends in x."""

    ink: Ink
    classes: np.ndarray
    spans: np.ndarray


def compose_strings(
    letters: list[Ink],
    classes: np.ndarray,
    count: int,
    rng: np.random.Generator,
    *,
    length: int = 4,
    near: int = 60,
    normaliser: bool = True,
) -> list[LetterString]:
    """Draw strings of `length` letters, near each other in the list: mostly of one writer.

    `letters` are as `placed` returns them. Sizes, heights and gaps vary at random. Like a word, the
    letters of a string are together set upright and to one width; without the normaliser a string
    is scaled by its height, as words then are.
    """
    found = []
    for _ in range(count):
        first = rng.integers(max(1, len(letters) - near))
        chosen = first + rng.integers(min(near, len(letters)), size=length)
        size = np.exp(0.1 * rng.normal())
        parts = []
        for i in chosen:
            scale = np.exp(0.1 * rng.normal(size=2)) * size
            points = letters[i].points * scale + [0.0, 0.5 * rng.normal() + 6.5 * (1.0 - scale[1])]
            points[:, 1] = np.clip(points[:, 1], 0.0, 19.0)
            offsets = letters[i].offsets
            parts.append([points[a:b] for a, b in pairwise(offsets)])
        lean = slant(Ink(chain.from_iterable(parts))) if normaliser else 0.0
        at = MARGIN
        strokes: list[np.ndarray] = []
        spans = np.empty((length, 2))
        for k, part in enumerate(parts):
            whole = np.concatenate(part)
            x = whole[:, 0] - lean * (whole[:, 1] - 6.5)
            spans[k] = at, at + np.ptp(x)
            shift = at - x.min()
            strokes += [
                np.stack([p[:, 0] - lean * (p[:, 1] - 6.5) + shift, p[:, 1]], axis=1) for p in part
            ]
            at = spans[k, 1] + max(0.3, rng.normal(2.0, 1.5))
        ink = Ink(strokes)
        if normaliser:
            spans = (spans - MARGIN) * stretch(ink) + MARGIN
            ink = at_pitch(ink)
        else:
            scaled = by_height(ink)
            ratio = np.ptp(scaled.points[:, 0]) / max(np.ptp(ink.points[:, 0]), 1e-9)
            spans = (spans - ink.bounds[0]) * ratio + MARGIN
            ink = scaled
        even = Ink.of(*even_strokes(np.array(ink.points), np.array(ink.offsets), STEP))
        found.append(LetterString(even, classes[chosen], spans))
    return found


def labelled_segments(
    string: LetterString, rng: np.random.Generator
) -> tuple[InkSegmentation, np.ndarray]:
    """Return some segments of a string and their classes: all letters, and as much rubbish.

    A segment with exactly the pieces of one letter is that letter; all others are rubbish.
    """
    word = segment_ink(string.ink)
    singles = np.searchsorted(word.src, np.arange(word.num_pieces))
    middle = 0.5 * (word.boxes[singles, 0] + word.boxes[singles, 2])
    letter = np.searchsorted(string.spans[1:, 0] - 0.15, middle, side="right")
    first = np.searchsorted(letter, np.arange(len(string.classes)))
    last = np.searchsorted(letter, np.arange(len(string.classes)), side="right")
    labels = np.full(len(word), RUBBISH)
    if (np.diff(letter) >= 0).all():
        for k, which in enumerate(string.classes):
            labels[(word.src == first[k]) & (word.dst == last[k])] = which
    letters = np.flatnonzero(labels < RUBBISH)
    others = np.flatnonzero(labels == RUBBISH)
    if len(letters) == 0:
        others = others[:0]
    chosen = np.concatenate([letters, rng.permutation(others)[: len(letters)]])
    some = replace(
        word,
        src=word.src[chosen],
        dst=word.dst[chosen],
        features=word.features[chosen],
        boxes=word.boxes[chosen],
    )
    return some, labels[chosen]


def output_labels(string: LetterString, outputs: int, shift: float) -> np.ndarray:
    """Return classes [T] of a sweep over a string: output t looks at x = 2 t - `shift`.

    The middle of a letter has its class; what lies between is rubbish.
    """
    x = 2.0 * np.arange(outputs) - shift
    middle, half = string.spans.mean(axis=1), 0.5 * np.diff(string.spans, axis=1)[:, 0]
    near = np.abs(x[:, None] - middle) <= np.maximum(0.5 * half, 1.0)
    labels: np.ndarray = np.where(near.any(1), string.classes[near.argmax(1)], RUBBISH)
    return labels
