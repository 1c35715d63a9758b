"""The most frequent words of a language, as wordfreq has counted them (extra ``words``)."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import wordfreq

from grammars.words import WordList

__all__ = ["frequent_words"]


def frequent_words(
    count: int, *, language: str = "en", alphabet: Container[str] | None = None
) -> WordList:
    """Return the most frequent words of a language, most frequent first.

    Words are in lower case. Those with letters outside the alphabet are skipped.

    Args:
        count: how many words (English has about 320,000).
        language: a code such as ``en``.
        alphabet: the letters that words may have; ``None``: any.

    Returns:
        The words; penalties are minus log of the frequency in running text.

    Raises:
        ValueError: too few words are known; a count below one.
        LookupError: an unknown language.

    >>> found = frequent_words(1000, alphabet="abcdefghijklmnopqrstuvwxyz")
    >>> found.words[:4], float(np.exp(-found.penalties[0]).round(3))
    (('the', 'to', 'and', 'of'), 0.054)
    """
    if count < 1:
        raise ValueError(f"{count} words were asked for; at least one can be")
    known = wordfreq.get_frequency_dict(language, wordlist="best")
    found: list[str] = []
    for word in sorted(known, key=lambda word: (-known[word], word)):
        if alphabet is None or all(letter in alphabet for letter in word):
            found.append(word)
            if len(found) == count:
                break
    else:
        raise ValueError(
            f"{count} words were asked for, but only {len(found)} of {language!r} are known with "
            "these letters"
        )
    return WordList(tuple(found), -np.log(np.array([known[word] for word in found])), name=language)
