"""The lexicon of the task: all labels of the data, and common English, up to 25,000 words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import gtn
from demos.words.letters import LETTERS, SYMBOLS, folded
from grammars.frequent_words import frequent_words
from grammars.lexicon import lexicon
from grammars.words import WordList, word_list

__all__ = ["SIZE", "free_strings", "lexicon_graph", "task_words"]

SIZE = 25_000


def task_words(labels: Iterable[str], size: int = SIZE) -> WordList:
    """All labels, as far as they are made of letters, and the most frequent words up to `size`.

    Capitals are made small. All penalties are zero, as in the paper: which words there are is all
    that is known.

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


def lexicon_graph(words: WordList | Sequence[str]) -> gtn.Graph:
    """The graph of a list of words that are made of small letters."""
    return lexicon(words, symbols=SYMBOLS)


def free_strings() -> gtn.Graph:
    """The graph of all strings of letters but the empty one.

    >>> free_strings().num_arcs
    52
    """
    count = len(LETTERS)
    return gtn.Graph.from_arrays(
        [0] * count + [1] * count, [1] * 2 * count, [*range(count)] * 2, final=1, symbols=SYMBOLS
    )
