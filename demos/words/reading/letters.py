"""The letters that words are made of, and the classes of a network that stand for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import gtn
from recognizers.online.amap import PLANES
from recognizers.online.network import AmapNetwork

__all__ = [
    "LETTERS",
    "NETWORK_CLASSES",
    "SYMBOLS",
    "folded",
    "letter_network",
    "letter_penalties",
]

LETTERS = "abcdefghijklmnopqrstuvwxyz"
"""What words are read as; a capital counts as its small letter, in labels and in lexicons."""

NETWORK_CLASSES = LETTERS + LETTERS.upper()
"""Classes of the network of a word reader, besides rubbish."""

SYMBOLS = gtn.SymbolTable(LETTERS)


def folded(label: str) -> str | None:
    """Return a label in small letters, without speech marks; None if it has other characters.

    >>> folded('"The'), folded("A4")
    ('the', None)
    """
    text = label.strip('"').lower()
    return text if text and all(letter in LETTERS for letter in text) else None


def letter_network(
    output: str, maps: Sequence[int], seed: int, planes: int = PLANES
) -> AmapNetwork:
    """Return an untrained network of a word reader; its classes are letters and rubbish."""
    return AmapNetwork(
        NETWORK_CLASSES,
        output,
        adaptive=output == "rbf",
        rubbish=True,
        maps=(maps[0], maps[1]),
        planes=planes,
        initialization="unit-variance",
        generator=torch.Generator().manual_seed(seed),
    )


def letter_penalties(penalties: Tensor) -> Tensor:
    """Convert penalties [..., 53] of the network's classes and rubbish to [..., 27], normalised.

    The probability of a letter is the sum for its small and its capital shape; those of the 26
    letters and of rubbish add up to one.

    >>> letter_penalties(torch.zeros(1, 53)).exp().round()[0, [0, 26]].tolist()
    [26.0, 53.0]
    """
    logs = torch.log_softmax(-penalties, -1)
    count = len(LETTERS)
    both = torch.logaddexp(logs[..., :count], logs[..., count : 2 * count])
    return -torch.cat((both, logs[..., 2 * count :]), -1)
