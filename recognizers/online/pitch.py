"""Pitch: the width of the letters of a word, and words rescaled to letters of one width.

The lines of a word give its height. But hands differ as much in the width of their letters, and
the field of a network has one width. The number of letters can be estimated before a word is read,
from how often the pen goes up or down between base and core line.
"""

from __future__ import annotations

import numpy as np

from recognizers.online.ink import Ink
from recognizers.online.normalization import MARGIN, ROWS_OF_LINES

__all__ = ["at_pitch", "letters_of", "stretch"]

WIDTH = 12.0
"""Columns of a letter."""

_SHARE = 0.7
_PER_PASS, _ALWAYS = 0.355, 0.85
_LEAST, _MOST = 0.2, 2.5


def letters_of(ink: Ink) -> float:
    """Return about how many letters a normalised word has.

    It is 0.85, and 0.355 for each way of the pen from base to core line or back: a fit to the
    training words, off by some 20%. Independent of the order and the direction of strokes.

    >>> letters_of(Ink([[(3, 6.5), (3, 13.5), (8, 6.5)]]))
    1.56
    """
    if len(ink.points) < 2:
        return 1.0
    within = np.clip(ink.points[:, 1], ROWS_OF_LINES[2], ROWS_OF_LINES[1])
    ways = np.abs(np.diff(within))
    ways[ink.offsets[1:-1] - 1] = 0.0
    return float(_ALWAYS + _PER_PASS * ways.sum() / (ROWS_OF_LINES[1] - ROWS_OF_LINES[2]))


def stretch(ink: Ink) -> float:
    """Return the factor of a normalised word's columns that brings its letters to one width.

    Since the number of letters is a guess, it is only the 0.7th power of the factor that would make
    them `WIDTH` wide, between 0.2 and 2.5; 1 for ink less than a column wide.

    >>> round(stretch(Ink([[(3, 6.5), (33, 13.5), (63, 6.5)]])), 2)
    0.44
    """
    wide = float(np.ptp(ink.points[:, 0])) if len(ink.points) else 0.0
    if wide < 1.0:
        return 1.0
    return float(np.clip((WIDTH * letters_of(ink) / wide) ** _SHARE, _LEAST, _MOST))


def at_pitch(ink: Ink) -> Ink:
    """Return a normalised word (`normalization.on_lines`) made narrower or wider; rows stay.

    >>> at_pitch(Ink([[(3, 6.5), (33, 13.5), (63, 6.5)]])).points[:, 0].round().tolist()
    [3.0, 16.0, 30.0]
    """
    factor = stretch(ink)
    if factor == 1.0:
        return ink
    return ink.with_points((ink.points - [MARGIN, 0.0]) * [factor, 1.0] + [MARGIN, 0.0])
