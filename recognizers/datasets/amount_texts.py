"""Plausible amounts: their lengths, first digits, and share of round ones."""

from __future__ import annotations

import numpy as np

__all__ = ["amount"]

LENGTHS = {2: 0.07, 3: 0.18, 4: 0.34, 5: 0.30, 6: 0.11}
"""The probability of each number of digits."""


def amount(rng: np.random.Generator) -> str:
    """Return the 2 to 6 digits of a plausible amount: rarely large, often round.

    >>> amount(np.random.default_rng(1)).isdigit()
    True
    """
    length = int(rng.choice(list(LENGTHS), p=list(LENGTHS.values())))
    first = 1 + np.arange(9)
    benford = np.log10(1 + 1 / first)
    digits = [int(rng.choice(first, p=benford / benford.sum()))]
    digits += [int(d) for d in rng.integers(0, 10, length - 1)]
    if rng.random() < 0.35:
        zeros = int(rng.integers(1, length))
        digits[-zeros:] = [0] * zeros
    return "".join(map(str, digits))
