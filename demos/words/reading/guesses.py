"""The layouts that a word is read under: core heights other than that of the best fit."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from recognizers.online.ink import Ink
from recognizers.online.normalization import Fit, Lines, fit_lines, on_lines
from recognizers.online.pitch import at_pitch
from recognizers.online.slant import upright

__all__ = ["GUESSES", "Guess", "Layout", "laid", "layouts"]


class Guess(NamedTuple):
    """A factor on the height of the fitted core, and the extra penalty of readings under it
    (nats)."""

    core: float = 1.0
    penalty: float = 0.0


GUESSES = {
    "segments": (Guess(), Guess(4.0 / 3.0, 1.0), Guess(0.75, 1.0), Guess(1.75, 2.5)),
    "sdnn": (Guess(), Guess(4.0 / 3.0), Guess(0.75, 2.0), Guess(1.75, 1.0)),
}
"""The guesses of each system, the best fit first; chosen on 2,598 validation words. In a short
word, only its reading reveals the height of its small letters."""


class Layout(NamedTuple):
    """A word in the pixels of its annotated image, its lines (None: scaled by its height), and the
    penalty of this layout (nats)."""

    fit: Fit | None
    ink: Ink
    penalty: float


def laid(ink: Ink, lines: Lines) -> Ink:
    """Lay a word on its lines, upright, with letters of one width."""
    return at_pitch(upright(on_lines(ink, lines)))


def layouts(ink: Ink, system: str) -> list[Layout]:
    """Return the layouts of a word under all guesses of a system.

    >>> ink = Ink([[(3, 9), (0, 6), (3, 0), (6, 3), (6, 9), (6, 0), (9, 2)]])
    >>> heights = [one.fit.lines.core_height for one in layouts(ink, "sdnn")]
    >>> [round(height / heights[0], 2) for height in heights]
    [1.0, 1.33, 0.75, 1.75]
    """
    fit = fit_lines(ink)
    found = []
    for guess in GUESSES[system]:
        lines = fit.lines.with_core(guess.core)
        found.append(Layout(replace(fit, lines=lines), laid(ink, lines), guess.penalty))
    return found
