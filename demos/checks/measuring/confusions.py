"""Count which character is read for which, by aligning readings with the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from demos.checks.measuring.evaluate import Outcome
from gtn.nn import edit_alignment

__all__ = ["NOTHING", "aligned", "confusions"]

NOTHING = ""
"""Stands for a missed character's reading, and for an inserted character's truth."""

Pair = tuple[str, str]
"""A character of the truth, and what was read for it."""


def aligned(truth: str, read: str) -> list[Pair]:
    """Return the pairs of an alignment with the fewest edits: O(len(truth) * len(read)).

    Among equally good alignments, it prefers substitutions to a deletion and an insertion, placed
    as far to the right as possible.

    >>> aligned("1250", "158")
    [('1', '1'), ('2', ''), ('5', '5'), ('0', '8')]
    >>> aligned("", "7"), aligned("12", "12")
    ([('', '7')], [('1', '1'), ('2', '2')])
    """
    edits = edit_alignment(read, truth)
    return [
        (truth[i] if i >= 0 else NOTHING, read[j] if j >= 0 else NOTHING)
        for i, j in zip(edits.target.tolist(), edits.found.tolist(), strict=True)
    ]


def confusions(outcomes: Iterable[Outcome]) -> Counter[Pair]:
    """Return how often each character was read as each other, missed or inserted."""
    found: Counter[Pair] = Counter()
    for one in outcomes:
        found.update(aligned(one.truth, one.reading.text))
    return found
