"""The lexicon of the task: all labels of the data, and common English, up to 25,000 words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

import gtn
from demos.words.letters import LETTERS, SYMBOLS, folded
from grammars.frequent_words import frequent_words
from grammars.lexicon import lexicon
from grammars.words import WordList, word_list

__all__ = ["FREQUENCY", "LETTER", "SIZE", "free_strings", "lexicon_graph", "task_words"]

SIZE = 25_000

FREQUENCY = 0.4
"""How much of minus log of its frequency in running text a word costs; chosen on validation."""

LETTER = 0.75
"""Nats that each letter of a word is given back; chosen on validation. Readers are trained against
all strings of letters, of which there are more the longer they are; of words there are not."""

_KNOWN = 250_000
_UNKNOWN = 22.0


def task_words(labels: Iterable[str], size: int = SIZE) -> WordList:
    """All labels, as far as they are made of letters, and the most frequent words up to `size`.

    Capitals are made small.

    >>> found = task_words(['"Zyx', "zyx", "A4"], 5)
    >>> len(found), found.words[:2]
    (5, ('zyx', 'the'))
    """
    words = dict.fromkeys(filter(None, map(folded, labels)))
    for word in frequent_words(size, alphabet=LETTERS):
        if len(words) >= size:
            break
        words.setdefault(word)
    return word_list(list(words))


@cache
def _known() -> dict[str, float]:
    """Minus log of the frequency of each word that wordfreq knows."""
    known = frequent_words(_KNOWN, alphabet=LETTERS)
    return dict(zip(known.words, known.penalties.tolist(), strict=True))


def lexicon_graph(
    words: WordList | Sequence[str], frequency: float = FREQUENCY, letter: float = LETTER
) -> gtn.Graph:
    """The graph of a list of words that are made of small letters.

    A word costs `frequency` times minus log of its frequency in English, less `letter` for each
    of its letters; the cheapest word costs nothing. With 0 and 0 the list alone constrains what is
    read, as in the paper.
    """
    listed = list(words)
    penalties = np.zeros(len(listed))
    if frequency:
        known = _known()
        penalties += frequency * np.array([known.get(word, _UNKNOWN) for word in listed])
    penalties -= letter * np.array([len(word) for word in listed])
    return lexicon(listed, symbols=SYMBOLS, penalties=penalties - penalties.min(initial=np.inf))


def free_strings() -> gtn.Graph:
    """The graph of all strings of letters but the empty one.

    >>> free_strings().num_arcs
    52
    """
    count = len(LETTERS)
    return gtn.Graph.from_arrays(
        [0] * count + [1] * count, [1] * 2 * count, [*range(count)] * 2, final=1, symbols=SYMBOLS
    )
