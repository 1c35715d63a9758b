"""How letters follow each other: words that are in no list, by n-grams of letters.

A lexicon reads the words of its list and no others. Free strings read anything, but every letter
after every other is as likely. Between them stands the spelling of words: each letter has the
probability that it has after the letters before it, in English and in the texts that a reader
learned from, so that names and new words are read, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice

import torch

import gtn
from demos.words.choices import SPELLING_ORDER
from demos.words.reading.letters import SYMBOLS
from demos.words.reading.lexicon import known_words
from grammars.ngram import NGrams
from grammars.ngram_counts import counted_ngrams

__all__ = ["letter_ngrams", "spelling_graph"]

SCALE, LETTER = 0.8, 1.0
"""How much of minus log of its probability a letter costs, and what each is given back, in nats, as
in `demos.words.reading.lexicon`; chosen on validation."""

OWN = 0.5
"""Share of the texts that a reader learned from, where there are some; the rest is English."""

_LISTED = 100_000
_TEXT = 1_000_000


def letter_ngrams(seen: Mapping[str, int], order: int = SPELLING_ORDER) -> NGrams:
    """N-grams of the letters in a million words: half of them English, as frequent as they are
    there, half those of the texts that a reader learned from (`WordReader.seen`), if there are any.

    The 100,000 most frequent words of English and all words of the texts are there once at least.

    Raises:
        ValueError: a count of `seen` that is no count, or no count above 0.

    >>> model = letter_ngrams({"gtn": 5}, order=3)
    >>> model.penalty("n", "gt") < model.penalty("n", "gu")
    True
    """
    wrong = [word for word, count in seen.items() if not 0 <= count < math.inf]
    if wrong or (seen and not any(seen.values())):
        word = wrong[0] if wrong else next(iter(seen))
        raise ValueError(
            f"seen {word!r} {seen[word]} times: counts are 0 or above, one of them at least above 0"
        )
    found: dict[str, float] = {}
    english = {w: math.exp(-penalty) for w, penalty in islice(known_words().items(), _LISTED)}
    for text, share in ((english, 1.0 - OWN if seen else 1.0), (seen, OWN)):
        total = sum(text.values())
        for word, count in text.items():
            found[word] = found.get(word, 0.0) + share * count / total
    counts = [max(1, round(_TEXT * share)) for share in found.values()]
    return counted_ngrams(found, order=order, counts=counts)


def spelling_graph(
    order: int = SPELLING_ORDER,
    *,
    seen: Mapping[str, int] | None = None,
    scale: float = SCALE,
    letter: float = LETTER,
) -> gtn.Graph:
    """The graph of all strings of letters, each as likely as its letters follow each other.

    It has failure arcs, which compositions and decoders follow. `seen` is that of a reader.

    >>> graph = spelling_graph(order=3)
    >>> read = gtn.strings(["their", "hteir"]) @ graph
    >>> likely, unlikely = gtn.forward_penalty(read).tolist()
    >>> unlikely > likely + 5
    True
    """
    graph = letter_ngrams(seen or {}, order).graph(SYMBOLS, scale=scale)
    is_letter = torch.from_numpy(graph.ilabels != graph.isymbols.label(gtn.BACK_OFF))
    return graph.with_penalties(graph.penalties - letter * is_letter)
