"""Rules of the segmenter: where it may cut, and which pieces may form one character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CUTS", "THOROUGH", "USUAL", "Rules"]


@dataclass(frozen=True)
class Rules:
    """How a field is taken apart; lengths are shares of the height of the writing."""

    narrowest_cut: float = 0.45
    """Components that are narrower than this are not cut."""
    most_strokes: float = 7.0
    """Most ink that a cut may cross, in stroke widths."""
    spacing: float = 0.14
    """Least distance between two cuts of one component."""
    least_width: float = 0.12
    """Least width that a cut leaves on either side."""
    reach: float = 0.35
    """How far hit and deflect moves a line sideways in one row."""
    longest_group: int = 8
    """Most successive pieces of one arc."""
    widest_group: float = 1.8
    """Widest group of several pieces."""
    widest_gap: float = 0.45
    """Widest gap between two successive pieces of a group."""
    widest_apart: float = 1.8
    """Widest group whose pieces do not all overlap from left to right."""
    flattest: float = float("inf")
    """Greatest width over height of a group of several pieces."""
    whole: bool = False
    """Whether small marks over or under a component come before or after all its pieces."""
    speck: float = 0.008
    """Components with fewer pixels than this share of the squared height are dropped."""
    fragment: float = 0.02
    """Pieces cut off with fewer pixels than this share go back to their neighbour."""
    threshold: float = 1.0
    """Factor of the threshold between ink and paper."""
    slant: float = 1.0
    """Share of the estimated slant that is removed before cutting."""


PLAUSIBLE: dict[str, Any] = {
    "widest_gap": 0.15,
    "widest_apart": 1.2,
    "flattest": 2.0,
    "whole": True,
}
"""Rules that leave out groups that are hardly ever one character."""

USUAL = (Rules(),)
"""Rules that readers are trained with: about 11 arcs per character."""

THOROUGH = (
    Rules(
        threshold=1.13,
        spacing=0.07,
        least_width=0.06,
        narrowest_cut=0.25,
        most_strokes=12.0,
        fragment=0.01,
        longest_group=10,
        reach=0.3,
        **PLAUSIBLE,
    ),
    Rules(threshold=0.55, slant=0.0, **PLAUSIBLE),
)
"""Rules that give nearly every character an arc of its own, for about 25 arcs per character.

The first rules make many cuts, with the writing set upright; the second fewer, through bolder ink,
in which pale strokes are whole, with the slant kept.
"""

CUTS = {"usual": USUAL, "thorough": THOROUGH}
"""The lists of rules by name."""
