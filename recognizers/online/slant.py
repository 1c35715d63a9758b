"""Slant: how far the down strokes of a word lean, and how to set the word upright."""

from __future__ import annotations

import numpy as np

from recognizers.online.ink import Ink
from recognizers.online.normalization import ROWS_OF_LINES

__all__ = ["slant", "upright"]

SHEARS = np.linspace(-0.8, 2.0, 57)
"""Candidate slants, columns to the right per row upwards."""

_WIDTH = 0.2
_PRIOR = 0.05
_LETTER = 12.0


def slant(ink: Ink) -> float:
    """Return the slant of a word, columns per row: 0 for upright ink, above 0 if it leans right.

    Removing this slant makes most of the ink run straight up or down: pieces of the trajectory
    count by their height, if they are then within some 10 degrees of upright. A prior around zero
    decides if the ink says little, as for a single letter. The ink is in pixels of an annotated
    image. Independent of the order and the direction of strokes. O(points times candidates).

    >>> slant(Ink([[(0, 0), (5, 10)], [(4, 0), (9, 10)]]))
    0.5
    >>> slant(Ink())
    0.0
    """
    steps = np.diff(ink.points, axis=0)
    steps = steps[np.setdiff1d(np.arange(len(steps)), ink.offsets[1:-1] - 1)]
    across, up = steps.T
    # After shearing by s, up remains and across becomes across - s up.
    leaning = np.abs(across - SHEARS[:, None] * up) / np.maximum(np.abs(up), 1e-9)
    gain = np.exp(-0.5 * np.minimum(leaning / _WIDTH, 30.0) ** 2) @ np.abs(up)
    total = np.abs(up).sum()
    if total <= 0.0:
        return 0.0
    wide = float(np.ptp(ink.points[:, 0]))
    prior = _PRIOR * (1.0 + (_LETTER / max(wide, 0.1 * _LETTER)) ** 2)
    score = gain / total - prior * SHEARS**2
    return float(SHEARS[int(np.argmax(score))].round(3))


def upright(ink: Ink) -> Ink:
    """Return the word sheared so that it does not lean; its rows and its left end stay.

    >>> upright(Ink([[(3, 6.5), (8, 16.5)]])).points.tolist()
    [[3.0, 6.5], [3.0, 16.5]]
    """
    shear = slant(ink)
    if shear == 0.0:
        return ink
    points = np.array(ink.points)
    left = points[:, 0].min()
    points[:, 0] -= shear * (points[:, 1] - ROWS_OF_LINES[2])
    points[:, 0] += left - points[:, 0].min()
    return ink.with_points(points)
