"""N-grams counted in text, and smoothed so that unseen ones are not impossible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from grammars.ngram import BEGIN, END, UNKNOWN, Floats, Ints, NGrams, Order
from gtn.errors import GraphError

__all__ = ["counted_ngrams", "shorter_ngrams"]

Smoothing = Literal["witten-bell", "kneser-ney", "katz"]

_MOST_DISCOUNTED = 5
_BEGIN, _END = 0, 1
_MOST = 2**53  # whole numbers below are exact in float64


class _Counts(NamedTuple):
    """The n-grams of one length: what each begins with, its last word, how often it was seen."""

    prefix: Ints
    word: Ints
    seen: Ints


def counted_ngrams(
    sentences: Iterable[Iterable[str]],
    *,
    order: int = 3,
    smoothing: Smoothing = "witten-bell",
    vocabulary: Iterable[str] | None = None,
    counts: Iterable[int] | None = None,
) -> NGrams:
    """Return the n-gram model of sentences: of words, or of characters (strings are sequences).

    The first two smoothings mix each length with the next shorter one, down to equal probabilities
    for all words (stored as the equivalent back-off model); the third only backs off:

    - ``"witten-bell"``: after a history seen c times with t different next words, the shorter
      history gets the share t / (c + t) (Witten and Bell 1991, method C).
    - ``"kneser-ney"``: every count is reduced by the discount n1 / (n1 + 2 n2), where n1 n-grams of
      the length were seen once and n2 twice (by a half if either is zero). The count of a shorter
      n-gram is the number of contexts it was seen in, not how often (Kneser and Ney 1995,
      interpolated).
    - ``"katz"``: n-grams seen up to 5 times get Good-Turing discounts. The words not seen after the
      history share what that frees, in proportion to their probabilities after the shorter one
      (Katz 1987). Where too few n-grams were seen for valid estimates, fewer counts are discounted,
      as a last resort every count by a half. A history followed by frequent words only counts as
      seen once more, so that it leaves something, too.

    Vectorised: O(order T log T) for a text of T words.

    Args:
        sentences: sequences of words; for a model of characters, words.
        order: the longest n-grams, n >= 1.
        vocabulary: words that the model knows; others count as ``<unk>``. By default all words of
            the sentences.
        counts: how often each sentence occurs, as in a list of words with their frequencies; once
            by default.

    Raises:
        GraphError: no sentence; an order below 1; an unknown smoothing; a sentence with ``<s>``
            or ``</s>`` in it; counts that are not whole numbers >= 1, that add up to 2^53 or more,
            or that are not one per sentence.

    >>> model = counted_ngrams(["the cat sat".split(), "the cat ran".split()], order=2)
    >>> model
    NGrams(7 + 6 n-grams)
    >>> round(float(np.exp(-model.penalty("cat", after=["the"]))), 3)
    0.739
    >>> total = sum(np.exp(-model.penalty(w, after=["the"])) for w in model.words if w != BEGIN)
    >>> round(float(total), 12)
    1.0
    """
    if order < 1:
        raise GraphError(f"n-grams of order {order}; at least 1 is right")
    if smoothing not in (known := get_args(Smoothing)):
        raise GraphError(f"smoothing={smoothing!r}; it is one of {', '.join(known)}")
    rows = [list(sentence) for sentence in sentences]
    if not rows:
        raise GraphError("n-grams are counted in sentences, and there are none")
    bad = next((i for i, row in enumerate(rows) if BEGIN in row or END in row), None)
    if bad is not None:
        raise GraphError(f"sentence {bad} has {BEGIN} or {END} in it; they are added here")
    often = _repeats(counts, len(rows))
    all_ = [w for row in rows for w in row] if vocabulary is None else vocabulary
    words = list(dict.fromkeys((BEGIN, END, UNKNOWN, *all_)))
    number = {word: k for k, word in enumerate(words)}
    unknown = number[UNKNOWN]
    text = np.array(
        [k for row in rows for k in (_BEGIN, *(number.get(w, unknown) for w in row), _END)],
        dtype=np.int64,
    )
    each = np.repeat(often, [2 + len(row) for row in rows])
    return NGrams(words, _smoothed(_counted(text, each, len(words), order), len(words), smoothing))


def _repeats(counts: Iterable[int] | None, sentences: int) -> Ints:
    """Return how often each sentence occurs."""
    if counts is None:
        return np.ones(sentences, dtype=np.int64)
    given = list(counts)
    if len(given) != sentences:
        raise GraphError(f"{len(given)} counts for {sentences} sentences")
    often = np.array(given, dtype=np.float64)
    bad = np.flatnonzero(~((often >= 1) & (often < _MOST) & (often == np.floor(often))))
    if len(bad):
        raise GraphError(
            f"sentence {bad[0]} has count {given[bad[0]]}; counts are whole numbers from 1 on, "
            "below 2^53"
        )
    if often.sum() >= _MOST:
        raise GraphError(f"the counts of {sentences} sentences add up to 2^53 or more")
    return often.astype(np.int64)


def shorter_ngrams(prefix: Ints, word: Ints, before: Order, words: int) -> Ints:
    """Return the index of each n-gram without its first word; -1 if it is not there.

    Args:
        prefix, word: of the n-grams, ``[M]``.
        before: the n-grams one word shorter.
        words: how many words there are.
    """
    if (before.shorter < 0).all():  # single words
        return word.copy()
    start = before.shorter[prefix]
    keys = before.prefix * words + before.word
    wanted = start * words + word
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((start >= 0) & (keys[at] == wanted), at, -1)


def _counted(text: Ints, each: Ints, words: int, order: int) -> list[_Counts]:
    """Return the n-grams of each length in a text whose places count ``each`` so often.

    Every word of the vocabulary is an n-gram of length 1, seen or not.
    """
    tables = [_Counts(np.zeros(words, dtype=np.int64), np.arange(words), _sums(text, each, words))]
    # Which n-gram ends at each place of the text; -1 if it would reach past a sentence's beginning.
    ending = text
    for _ in range(1, order):
        before = np.append(-1, ending[:-1])
        exists = (before >= 0) & (text != _BEGIN)
        keys, which = np.unique(before[exists] * words + text[exists], return_inverse=True)
        tables.append(_Counts(keys // words, keys % words, _sums(which, each[exists], len(keys))))
        ending = np.full(len(text), -1, dtype=np.int64)
        ending[exists] = which
    return tables


def _sums(which: Ints, each: Ints, count: int) -> Ints:
    return np.bincount(which, each, minlength=count).astype(np.int64)


def _smoothed(tables: list[_Counts], words: int, smoothing: str) -> list[Order]:
    """Return the n-grams with their penalties and back-off penalties."""
    # Every word but <s> can come next.
    nothing = np.zeros(1, dtype=np.int64)
    orders: list[Order] = []
    shorter: list[Ints] = []
    for n, t in enumerate(tables):
        if n == 0:
            shorter.append(np.full(words, -1, dtype=np.int64))
        else:
            before = Order(tables[n - 1].prefix, tables[n - 1].word, *_NOTHING, shorter[n - 1])
            shorter.append(shorter_ngrams(t.prefix, t.word, before, words))
    counts = _contexts(tables, shorter) if smoothing == "kneser-ney" else [t.seen for t in tables]
    lower = np.full(1, 1.0 / (words - 1))
    for n, (t, count) in enumerate(zip(tables, counts)):
        seen = count.astype(np.float64)
        if n == 0:
            seen[_BEGIN] = 0.0
        histories = 1 if n == 0 else len(tables[n - 1].word)
        total = np.bincount(t.prefix, seen, minlength=histories)
        kinds = np.bincount(t.prefix, seen > 0, minlength=histories)
        there = total > 0
        divisor = np.where(there, total, 1.0)
        below = lower[shorter[n]] if n else lower[nothing]
        if smoothing == "katz":
            probability, share = _backed_off(t.prefix, seen, divisor, kinds, below, words)
        else:
            if smoothing == "witten-bell":
                share = kinds / (divisor + kinds)
                own = (1.0 - share[t.prefix]) * seen / divisor[t.prefix]
            else:
                discount = _discount(count if n else count[1:])
                share = discount * kinds / divisor
                own = np.maximum(seen - discount, 0.0) / divisor[t.prefix]
            probability = own + share[t.prefix] * below
        share = np.where(there, share, 1.0)
        if n == 0:
            probability[_BEGIN] = 0.0
        else:
            orders[n - 1] = replace(orders[n - 1], back_off=-np.log(share))
        with np.errstate(divide="ignore"):
            penalties = -np.log(probability)
        orders.append(Order(t.prefix, t.word, penalties, np.zeros(len(t.word)), shorter[n]))
        lower = probability
    return orders


def _contexts(tables: list[_Counts], shorter: list[Ints]) -> list[Ints]:
    """Return in how many contexts each n-gram was seen.

    The longest n-grams, and those that begin with ``<s>`` (nothing precedes it), keep their counts.
    """
    counts = []
    first = np.arange(len(tables[0].word))
    for n, t in enumerate(tables):
        if n:
            first = first[t.prefix]
        if n + 1 == len(tables):
            counts.append(t.seen)
            continue
        contexts = np.bincount(shorter[n + 1], minlength=len(t.word))
        counts.append(np.where(first == _BEGIN, t.seen, contexts))
    return counts


def _discount(counts: Ints) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once and twice else 0.5


def _backed_off(
    prefix: Ints, seen: Floats, total: Floats, kinds: Ints, below: Floats, words: int
) -> tuple[Floats, Floats]:
    """Return probabilities [M] of n-grams and shares [histories] of the shorter history (Katz).

    prefix, seen, below [M]: each n-gram's history, how often it was seen (0 only for single
    words) and the probability of its last word after the shorter history; total, kinds
    [histories]: how often each history was seen, and with how many different next words.
    """
    histories = len(total)
    kept = _good_turing(seen[seen > 0].astype(np.int64))
    counts = kept[np.minimum(seen, len(kept) - 1).astype(np.int64)] * seen
    left = total - np.bincount(prefix, counts, minlength=histories)
    # If only frequent words follow, nothing is discounted.
    total = np.where(left < 1e-9 * total, total + 1.0, total)
    own = counts / total[prefix]
    mass = np.bincount(prefix, own, minlength=histories)
    others = 1.0 - np.bincount(prefix, np.where(seen > 0, below, 0.0), minlength=histories)
    # If every word was seen, there is none to leave anything to.
    full = kinds == words - 1
    own /= np.where(full, mass, 1.0)[prefix]
    share = np.where(full, 1.0, (1.0 - mass) / np.where(full, 1.0, others))
    return np.where(seen > 0, own, share[prefix] * below), share


def _good_turing(counts: Ints) -> Floats:
    """Return the kept share of the counts of n-grams seen 0, 1, … times (last entry: and more).

    For n-grams seen r <= k times it is (r* / r - q) / (1 - q), with r* = (r + 1) n[r + 1] / n[r]
    and q = (k + 1) n[k + 1] / n[1], where n[r] n-grams were seen r times (Katz 1987, eq. 15).
    """
    n = np.bincount(np.minimum(counts, _MOST_DISCOUNTED + 2), minlength=_MOST_DISCOUNTED + 3)
    for k in range(_MOST_DISCOUNTED, 0, -1):
        r = np.arange(1, k + 1)
        if not n[r].all():
            continue
        q = (k + 1) * n[k + 1] / n[1]
        if q >= 1.0:
            continue
        kept = ((r + 1) * n[r + 1] / (r * n[r]) - q) / (1.0 - q)
        if (kept > 0.0).all() and (kept < 1.0).all():
            return np.concatenate(([0.0], kept, [1.0]))
    most = int(counts.max(initial=1))
    return np.concatenate(([0.0], 1.0 - 0.5 / np.arange(1, most + 1)))


_NOTHING: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
