"""The letters that words are made of, and the classes of a network that stand for them."""

from __future__ import annotations

import torch
from torch import Tensor

import gtn

__all__ = ["LETTERS", "NETWORK_CLASSES", "SYMBOLS", "folded", "letter_penalties"]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""What words are read as; a capital counts as its small letter, in labels and in lexicons."""

NETWORK_CLASSES = LETTERS + LETTERS.upper()
"""Classes of the network of a word reader, beside rubbish."""

SYMBOLS = gtn.SymbolTable(LETTERS)


def folded(label: str) -> str | None:
    """What a label says in small letters, without speech marks; None if it has other characters.

    >>> folded('"The'), folded("A4")
    ('the', None)
    """
    text = label.strip('"').lower()
    return text if text and all(letter in LETTERS for letter in text) else None


def letter_penalties(penalties: Tensor) -> Tensor:
    """Penalties [..., 53] of the network's classes, and of rubbish, to [..., 27], normalised.

    The probability of a letter is that of its small and of its capital shape together; those of
    the 26 letters and of rubbish add up to one.

    >>> letter_penalties(torch.zeros(1, 53)).exp().round()[0, [0, 26]].tolist()
    [26.0, 53.0]
    """
    logs = torch.log_softmax(-penalties, -1)
    count = len(LETTERS)
    both = torch.logaddexp(logs[..., :count], logs[..., count : 2 * count])
    return -torch.cat((both, logs[..., 2 * count :]), -1)
