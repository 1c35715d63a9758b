"""Which character is read for which: readings aligned with the truth, character by character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from demos.checks.measuring.evaluate import Outcome

__all__ = ["NOTHING", "aligned", "confusions"]

NOTHING = ""
"""In the place of a character that was missed, or of one that was inserted."""

Pair = tuple[str, str]
"""A character of the truth, and what was read for it."""


def aligned(truth: str, read: str) -> list[Pair]:
    """Return the pairs of an alignment with the fewest edits: O(len(truth) * len(read)).

    Of several such alignments the one that takes characters for others, rather than missing and
    inserting them, and as far to the right as it can.

    >>> aligned("1250", "158")
    [('1', '1'), ('2', ''), ('5', '5'), ('0', '8')]
    >>> aligned("", "7"), aligned("12", "12")
    ([('', '7')], [('1', '1'), ('2', '2')])
    """
    table = np.zeros((len(truth) + 1, len(read) + 1), dtype=np.int64)
    table[:, 0], table[0] = np.arange(len(truth) + 1), np.arange(len(read) + 1)
    for i, x in enumerate(truth, 1):
        for j, y in enumerate(read, 1):
            table[i, j] = min(
                table[i - 1, j - 1] + (x != y), table[i - 1, j] + 1, table[i, j - 1] + 1
            )
    pairs: list[Pair] = []
    i, j = len(truth), len(read)
    while i or j:
        here = table[i, j]
        if i and j and here == table[i - 1, j - 1] + (truth[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((truth[i], read[j]))
        elif i and here == table[i - 1, j] + 1:
            i -= 1
            pairs.append((truth[i], NOTHING))
        else:
            j -= 1
            pairs.append((NOTHING, read[j]))
    return pairs[::-1]


def confusions(outcomes: Iterable[Outcome]) -> Counter[Pair]:
    """Return how often each character was read for each, missed or inserted."""
    found: Counter[Pair] = Counter()
    for one in outcomes:
        found.update(aligned(one.truth, one.reading.text))
    return found
