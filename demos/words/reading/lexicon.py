"""The lexicon of the task: all labels of the data, and common English, up to 25,000 words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

import gtn
from demos.words.choices import SIZE
from demos.words.reading.letters import LETTERS, SYMBOLS, folded
from grammars.frequent_words import frequent_words
from grammars.lexicon import lexicon
from grammars.words import WordList, read_words, word_list

__all__ = [
    "FREQUENCY",
    "LETTER",
    "LISTED",
    "MOST_LETTERS",
    "SEEN",
    "file_words",
    "free_strings",
    "known_words",
    "lexicon_graph",
    "task_words",
]

FREQUENCY = 0.8
"""Factor on minus log of the frequency of a word; chosen on validation."""

SEEN, LISTED = 0.5, 0.1
"""Shares in the mixed frequency of a word: of its frequency in the texts that a reader learned
from, and of a uniform distribution over the list, so that no word is ruled out; the rest is its
frequency in English. Chosen on validation."""

LETTER = 1.0
"""Nats credited for each letter of a word; chosen on validation. Readers are trained against all
strings of letters, whose number grows with their length; that of words does not."""

MOST_LETTERS = 20
"""Most letters of a word that are credited; none of the task's 25,000 words has as many. Whatever
the longest word is credited, all others cost more from their first letter on: without a limit, one
word of 45 letters would push them out of the beam."""

_KNOWN = 250_000


def task_words(labels: Iterable[str], size: int = SIZE) -> WordList:
    """Return all labels made of letters, and the most frequent words of English, up to `size`.

    Capitals become small letters.

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


def file_words(path: Path) -> WordList:
    """Return the words of a file in small letters, with its counts if it has some.

    Lines that are empty, repeated, or have letters that a reader does not know are left out and
    listed in `problems`.
    """
    found = read_words(path, alphabet=LETTERS + LETTERS.upper())
    shares: dict[str, float] = {}
    for word, penalty in zip(found, found.penalties.tolist(), strict=True):
        shares[word.lower()] = shares.get(word.lower(), 0.0) + math.exp(-penalty)
    penalties = -np.log(list(shares.values())) if found.penalties.any() else np.zeros(len(shares))
    return WordList(tuple(shares), penalties, found.problems, found.name)


@cache
def known_words() -> dict[str, float]:
    """Return minus log of the frequency of 250,000 English words, the most frequent first."""
    known = frequent_words(_KNOWN, alphabet=LETTERS)
    return dict(zip(known.words, known.penalties.tolist(), strict=True))


def lexicon_graph(
    words: WordList | Sequence[str],
    frequency: float = FREQUENCY,
    letter: float = LETTER,
    *,
    seen: Mapping[str, int] | None = None,
) -> gtn.Graph:
    """Return the graph of a list of words made of small letters.

    A word costs `frequency` times minus log of its frequency, less `letter` for each of its
    letters (`MOST_LETTERS` at most); the cheapest word costs nothing. With 0 and 0 only the list
    constrains what is read, as in the paper.

    The frequency is that of the list, if it has counts. Otherwise it is a mixture (`SEEN`,
    `LISTED`) of that in English, a uniform one over the list, and that in the texts that a reader
    learned from: `seen` counts each word there (`WordReader.seen`).

    >>> graph = lexicon_graph(["their", "theta"], letter=0.0, seen={"theta": 3})
    >>> gtn.path_text(gtn.viterbi_path(graph), "output")
    'theta'
    """
    listed = list(words)
    penalties = np.zeros(len(listed))
    if isinstance(words, WordList) and words.penalties.any():
        penalties += frequency * words.penalties
    elif frequency:
        penalties -= frequency * np.log(_frequencies(listed, seen or {}))
    penalties -= letter * np.minimum([len(word) for word in listed], MOST_LETTERS)
    return lexicon(listed, symbols=SYMBOLS, penalties=penalties - penalties.min(initial=np.inf))


def _frequencies(words: Sequence[str], seen: Mapping[str, int]) -> np.ndarray:
    """Return the relative frequencies of the words of a list, mixed by `SEEN` and `LISTED`."""
    english = np.exp(-np.array([known_words().get(word, np.inf) for word in words]))
    listed = LISTED / max(1, len(words))
    total = sum(seen.values())
    if not total:
        return (1.0 - LISTED) * english + listed
    own = np.array([seen.get(word, 0) / total for word in words])
    return (1.0 - SEEN - LISTED) * english + SEEN * own + listed


def free_strings() -> gtn.Graph:
    """Return the graph of all strings of letters except the empty one.

    >>> free_strings().num_arcs
    52
    """
    count = len(LETTERS)
    return gtn.Graph.from_arrays(
        [0] * count + [1] * count, [1] * 2 * count, [*range(count)] * 2, final=1, symbols=SYMBOLS
    )
