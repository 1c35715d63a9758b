"""Write words by code in an alphabet of our own, in single strokes, for pictures and tests.

It contains no ink of any data set. A letter is a few points on a smooth curve, in units of the
height of a small letter: base line 0, core line 1, ascenders to 1.9, descenders to -0.8. A hand
slants, widens and joins letters, and never writes the same one twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from recognizers.online.ink import Ink
from recognizers.online.ink_files import to_json

__all__ = ["HANDS", "LETTERS", "SAMPLES", "Hand", "sample_files", "write_word"]

# "/" separates strokes, "|" the curves of a stroke (a corner); a letter begins at x = 0.
_LETTERS = {
    "a": "0.70,0.85 0.42,1.0 0.10,0.72 0.08,0.3 0.34,0.0 0.60,0.25 0.72,0.95 | "
    "0.72,0.95 0.70,0.35 0.78,0.04 0.98,0.14",
    "b": "0.08,1.85 0.08,0.9 0.08,0.02 | 0.08,0.35 0.22,0.85 0.46,0.98 0.72,0.66 0.66,0.2 "
    "0.40,0.0 0.10,0.12",
    "c": "0.70,0.82 0.44,1.0 0.14,0.74 0.10,0.34 0.36,0.0 0.74,0.18",
    "d": "0.68,0.82 0.42,1.0 0.10,0.7 0.10,0.28 0.36,0.0 0.62,0.3 0.74,1.0 0.78,1.88 | "
    "0.78,1.88 0.74,0.9 0.76,0.06 0.96,0.12",
    "e": "0.08,0.5 0.50,0.56 0.68,0.76 0.42,1.0 0.12,0.7 0.14,0.24 0.42,0.0 0.76,0.2",
    "f": "0.62,1.72 0.44,1.9 0.26,1.6 0.24,0.9 0.22,0.0 / 0.02,0.96 0.52,0.98",
    "g": "0.68,0.84 0.40,1.0 0.10,0.7 0.14,0.26 0.38,0.06 0.62,0.4 0.70,0.98 | "
    "0.70,0.98 0.70,0.2 0.64,-0.5 0.36,-0.8 0.06,-0.6",
    "h": "0.08,1.88 0.08,0.9 0.08,0.0 | 0.08,0.0 0.14,0.62 0.42,1.0 0.64,0.76 0.66,0.2 0.70,0.0",
    "i": "0.10,1.0 0.08,0.4 0.14,0.03 0.32,0.1 / 0.12,1.44 0.13,1.47",
    "j": "0.36,1.0 0.36,0.1 0.30,-0.56 0.08,-0.8 -0.14,-0.6 / 0.38,1.44 0.39,1.47",
    "k": "0.08,1.88 0.08,0.9 0.08,0.0 | 0.08,0.38 0.34,0.66 0.60,0.98 | "
    "0.60,0.98 0.40,0.72 0.26,0.56 | 0.26,0.56 0.48,0.26 0.72,0.0",
    "l": "0.10,1.88 0.08,0.9 0.10,0.14 0.26,0.0 0.40,0.12",
    "m": "0.06,1.0 0.06,0.5 0.06,0.0 | 0.06,0.0 0.12,0.66 0.32,1.0 0.46,0.8 0.48,0.4 0.48,0.0 | "
    "0.48,0.0 0.54,0.66 0.74,1.0 0.90,0.78 0.92,0.2 0.96,0.0",
    "n": "0.06,1.0 0.06,0.5 0.06,0.0 | 0.06,0.0 0.12,0.62 0.40,1.0 0.60,0.76 0.62,0.2 0.68,0.0",
    "o": "0.40,1.0 0.12,0.8 0.08,0.36 0.34,0.0 0.66,0.24 0.70,0.66 0.42,1.0",
    "p": "0.06,1.0 0.06,0.2 0.06,-0.8 | 0.06,-0.8 0.08,0.3 0.20,0.86 0.46,1.0 0.70,0.68 "
    "0.62,0.2 0.38,0.02 0.10,0.2",
    "q": "0.66,0.84 0.40,1.0 0.10,0.7 0.12,0.28 0.36,0.02 0.60,0.34 0.70,0.98 | "
    "0.70,0.98 0.68,0.2 0.68,-0.78 | 0.68,-0.78 0.92,-0.5",
    "r": "0.06,1.0 0.06,0.5 0.06,0.0 | 0.06,0.0 0.12,0.6 0.34,0.94 0.58,0.9",
    "s": "0.60,0.84 0.36,1.0 0.12,0.8 0.32,0.54 0.58,0.34 0.46,0.04 0.22,0.0 0.04,0.16",
    "t": "0.24,1.62 0.22,0.8 0.24,0.14 0.42,0.0 0.58,0.14 / 0.00,1.06 0.50,1.08",
    "u": "0.06,1.0 0.06,0.4 0.20,0.04 0.46,0.12 0.64,0.96 | 0.64,0.96 0.62,0.4 0.70,0.02 0.88,0.12",
    "v": "0.04,1.0 0.18,0.46 0.34,0.0 | 0.34,0.0 0.50,0.5 0.64,1.0",
    "w": "0.04,1.0 0.14,0.46 0.26,0.0 | 0.26,0.0 0.38,0.42 0.48,0.84 | "
    "0.48,0.84 0.58,0.4 0.70,0.0 | 0.70,0.0 0.82,0.5 0.92,1.0",
    "x": "0.04,1.0 0.34,0.5 0.62,0.0 / 0.62,1.0 0.34,0.5 0.04,0.0",
    "y": "0.04,1.0 0.08,0.4 0.30,0.06 0.52,0.32 0.64,0.98 | "
    "0.64,0.98 0.60,0.1 0.52,-0.5 0.28,-0.8 0.02,-0.6",
    "z": "0.06,0.96 0.34,1.0 0.62,0.98 | 0.62,0.98 0.34,0.5 0.04,0.02 | 0.04,0.02 0.34,0.04 "
    "0.66,0.02",
    "'": "0.12,1.86 0.08,1.5",
    "-": "0.06,0.5 0.56,0.52",
}
LETTERS = "".join(_LETTERS)
"""The characters that a hand can write."""

_STEP = 0.06


@dataclass(frozen=True)
class Hand:
    """How someone writes, in units of the height of small letters unless stated otherwise.

    Attributes:
        slant: shift of a point to the right for each unit above the base line.
        slope, curvature: shape of the lines of a word, y = slope x + curvature x².
        width: factor on the width of letters.
        gap: distance between letters.
        joined: whether letters whose ink ends low are joined to the next.
        jitter: standard deviation of the points of a letter.
        size: height of small letters, in units of the tablet.
    """

    slant: float = 0.15
    slope: float = 0.0
    curvature: float = 0.0
    width: float = 1.0
    gap: float = 0.28
    joined: bool = False
    jitter: float = 0.025
    size: float = 40.0


HANDS = {
    "upright": Hand(slant=0.0, gap=0.3),
    "slanted": Hand(slant=0.35, slope=0.06, jitter=0.03),
    "joined": Hand(slant=0.2, slope=-0.04, gap=0.16, joined=True, jitter=0.03),
    "wide": Hand(slant=0.1, slope=0.1, curvature=-0.006, width=1.25, gap=0.4, jitter=0.03),
    "hasty": Hand(slant=0.45, slope=0.05, gap=0.1, joined=True, jitter=0.085),
}
"""Some hands by name."""


def write_word(text: str, hand: Hand = HANDS["upright"], seed: int = 0) -> Ink:
    """Write a word in a hand; y points upwards, the base line is 0; equal seeds give equal ink.

    Raises:
        ValueError: a character is not among `LETTERS`.

    >>> ink = write_word("ink")
    >>> len(ink), [round(v) for v in ink.bounds[1::2]]  # the dot of the i is a stroke
    (4, [0, 73])
    """
    rng = np.random.default_rng(seed)
    strokes: list[np.ndarray] = []
    late: list[np.ndarray] = []
    right, low_end = 0.0, False
    for place, character in enumerate(text):
        if character not in _LETTERS:
            raise ValueError(f"character {place} is {character!r}; hands write {LETTERS}")
        tall = rng.normal(1.0, 1.5 * hand.jitter)
        wide = hand.width * rng.normal(1.0, 2.0 * hand.jitter)
        lift = rng.normal(0.0, hand.jitter)
        first, *others = _strokes(_LETTERS[character], hand.jitter, rng)
        scale, shift = np.array([wide, tall]), np.array([right, lift])
        drawn = [stroke * scale + shift for stroke in (first, *others)]
        if hand.joined and low_end:
            drawn[0] = np.concatenate([_join(strokes[-1][-1], drawn[0][0]), drawn[0]])
            strokes[-1] = np.concatenate([strokes[-1], drawn.pop(0)])
        else:
            strokes.append(drawn.pop(0))
        # Bars and dots come after the rest of the word, as joined writing requires.
        late += drawn
        low_end = 0.0 <= first[-1, 1] < 0.3 and first[-1, 0] > 0.25
        right += wide * max(float(stroke[:, 0].max()) for stroke in (first, *others)) + hand.gap
    return Ink(_bent(stroke, hand) for stroke in (*strokes, *late))


SAMPLES = {
    "ink": ("upright", 1),
    "paper": ("upright", 5),
    "hand": ("joined", 2),
    "playground": ("slanted", 3),
    "quickly": ("wide", 4),
    "minimum": ("joined", 1),
    "zebra": ("slanted", 7),
    "just": ("wide", 2),
}
"""The words shipped with the package, each with its hand and seed."""


def sample_files() -> dict[str, str]:
    """Return names and contents (JSON strokes) of the words shipped with the package."""
    files = {}
    for word, (hand, seed) in SAMPLES.items():
        ink = write_word(word, HANDS[hand], seed)
        files[f"{word}.json"] = to_json(ink.with_points(ink.points.round(1)), word) + "\n"
    return files


def _strokes(letter: str, jitter: float, rng: np.random.Generator) -> list[np.ndarray]:
    """The strokes [n, 2] of a letter, each point that they run through moved a little."""
    strokes = []
    for stroke in letter.split("/"):
        curves = []
        moved = None
        for curve in stroke.split("|"):
            points = np.array([[float(v) for v in p.split(",")] for p in curve.split()])
            points += rng.normal(0.0, jitter, points.shape)
            if moved is not None:
                points[0] = moved
            moved = points[-1]
            curves.append(_smooth(points))
        strokes.append(np.concatenate(curves))
    return strokes


def _smooth(points: np.ndarray) -> np.ndarray:
    """Return a curve through the points [k, 2], in steps of about `_STEP`.

    It is monotone in each coordinate between points, so it turns only where they do.
    """
    lengths = np.hypot(*np.diff(points, axis=0).T)
    at = np.concatenate(([0.0], np.cumsum(np.maximum(lengths, 1e-6))))
    count = max(2, int(np.ceil(at[-1] / _STEP)) + 1)
    if len(points) == 2:
        share = np.linspace(0.0, 1.0, count)[:, None]
        return points[0] + share * (points[1] - points[0])
    return np.asarray(PchipInterpolator(at, points)(np.linspace(0.0, at[-1], count)))


def _join(end: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return a curve from the end of a letter to the start of the next, without its own ends."""
    middle = np.array([0.6 * end[0] + 0.4 * start[0], 0.75 * end[1] + 0.25 * start[1]])
    return _smooth(np.stack([end, middle, start]))[1:-1]


def _bent(stroke: np.ndarray, hand: Hand) -> np.ndarray:
    x, y = stroke.T
    x = x + hand.slant * y
    return hand.size * np.stack([x, y + hand.slope * x + hand.curvature * x**2], axis=1)
