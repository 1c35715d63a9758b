"""N-grams of letters, to read words that are in no list.

A lexicon reads only its own words. Free strings read anything, but any letter may follow any other
with the same probability. Spelling is in between: each letter has its probability given the letters
before it, in English and in the texts that a reader learned from, so names and new words are read,
too.
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
"""Factor on minus log of the probability of a letter, and nats credited for each letter, as in
`demos.words.reading.lexicon`; chosen on validation."""

OWN = 0.5
"""Share of the texts that a reader learned from, if any; the rest is English."""

_LISTED = 100_000
_TEXT = 1_000_000


def letter_ngrams(seen: Mapping[str, int], order: int = SPELLING_ORDER) -> NGrams:
    """Return n-grams of the letters in a million words: half of them English, by frequency, half
    from the texts that a reader learned from (`WordReader.seen`), if there are any.

    The 100,000 most frequent English words and all words of the texts occur at least once.

    Raises:
        ValueError: a value in `seen` is not a count, or no count is above 0.

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
    """Return the graph of all strings of letters, with the probabilities of n-grams.

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
