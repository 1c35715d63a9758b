"""Measure a reader of words: word and character errors, with and without a lexicon."""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import gtn
from demos.words.choices import FREE_BEAM, SPELLING_ORDER
from demos.words.reading.guesses import Layout
from demos.words.reading.reader import WordReader, costing, joined
from demos.words.samples.words import Words
from grammars.decoding import Decoder
from gtn.nn import edit_distances

__all__ = [
    "Told",
    "best_text",
    "character_errors",
    "quick_errors",
    "read_texts",
    "tell",
    "under_layouts",
    "word_errors",
]

CANDIDATES = 5
"""Readings compared for each guess."""


def character_errors(told: Sequence[str], labels: Sequence[str]) -> float:
    """Return insertions, deletions and substitutions per character of the labels.

    >>> character_errors(["cat", ""], ["cut", "a"])
    0.5
    """
    wrong = sum(
        float(edit_distances([text], label)[0]) for text, label in zip(told, labels, strict=True)
    )
    return wrong / max(1, sum(map(len, labels)))


@torch.no_grad()
def read_texts(reader: WordReader, words: Words, decoders: Sequence[Decoder]) -> list[list[str]]:
    """Return what each decoder reads in each normalised word; "" if it finds nothing."""
    found: list[list[str]] = [[] for _ in decoders]
    for ink in words.inks:
        _, _, recognized = reader.recognized(ink)
        for texts, decoder in zip(found, decoders, strict=True):
            kept = decoder.search(recognized)
            texts.append(gtn.path_text(gtn.viterbi_path(kept), "output") if kept.num_nodes else "")
    return found


def quick_errors(reader: WordReader, words: Words, most: int = 300) -> dict[str, float]:
    """Return the character error without a lexicon, on at most `most` of the words."""
    step = max(1, len(words) // most)
    some = words.take(range(0, len(words), step)[:most])
    (told,) = read_texts(reader, some, [reader.decoder(beam=FREE_BEAM)])
    return {"char_error_no_lexicon": character_errors(told, some.labels)}


@dataclass(frozen=True)
class Told:
    """What a reader read in words, and the seconds it took with the lexicon.

    Words are read with the lexicon; without it, with all letters alike; and without it, with
    letters weighed as they follow each other in words (`WordReader.spelling`).
    """

    words: Words
    with_lexicon: list[str]
    free: list[str]
    spelled: list[str]
    seconds: float

    def errors(
        self, contributor: str | None = None, every: int = 1, but: Container[str] = ()
    ) -> dict[str, Any]:
        """Return word and character errors on every `every`-th word, but not on labels in `but`.

        The words are those of one contributor, or of all.
        """
        chosen = [
            i
            for i, (one, label) in enumerate(
                zip(self.words.contributors, self.words.labels, strict=True)
            )
            if contributor in (None, one) and i % every == 0 and label not in but
        ]
        if not chosen:
            return {}
        labels, told, free, spelled = (
            [texts[i] for i in chosen]
            for texts in (self.words.labels, self.with_lexicon, self.free, self.spelled)
        )
        return {
            "n_words": len(chosen),
            "word_error": _wrong(told, labels),
            "char_error": character_errors(told, labels),
            "word_error_no_lexicon": _wrong(free, labels),
            "char_error_no_lexicon": character_errors(free, labels),
            "word_error_spelling": _wrong(spelled, labels),
            "char_error_spelling": character_errors(spelled, labels),
        }

    def figures(self) -> dict[str, Any]:
        """Return errors on all words, and words per second with the lexicon; {} if no words.

        The time is that from ink to word, one word after the other.
        """
        if not len(self.words):
            return {}
        return self.errors() | {"words_per_second": len(self.words) / self.seconds}


def tell(reader: WordReader, words: Words, lexicon: gtn.Graph, order: int = SPELLING_ORDER) -> Told:
    """Read words one by one, with a lexicon and in two ways without.

    `order` is that of the n-grams of letters; with 0, all letters are alike there, too.

    Words whose ink as written is known are read under all layouts, as by `WordReader.read`;
    others are read as they are.
    """
    with_lexicon, any_letters = reader.decoder(lexicon), reader.decoder(beam=FREE_BEAM)
    spelling = reader.decoder(reader.spelling(order) if order else None, FREE_BEAM)
    told: list[str] = []
    free: list[str] = []
    spelled: list[str] = []
    seconds = 0.0
    for i in range(len(words)):
        started = time.perf_counter()
        recognized = under_layouts(reader, words, i)
        told.append(best_text(with_lexicon, recognized))
        seconds += time.perf_counter() - started
        free.append(best_text(any_letters, recognized))
        spelled.append(best_text(spelling, recognized))
    return Told(words, told, free, spelled, seconds)


def under_layouts(reader: WordReader, words: Words, i: int) -> list[tuple[gtn.Graph, float]]:
    """Return the recognition graph of word `i` under each of its layouts, and each layout's cost.

    If its ink as written is not known, the word is read as it is.
    """
    layouts = [Layout(None, words.inks[i], 0.0)]
    if words.written:
        layouts = reader.layouts(words.written[i])
    return [(reader.recognized(one.ink)[2], one.penalty) for one in layouts]


def best_text(decoder: Decoder, recognized: Sequence[tuple[gtn.Graph, float]]) -> str:
    """Return the likeliest text of a word under all layouts and their costs; "" if none."""
    found = joined([costing(decoder.read(graph, CANDIDATES), cost) for graph, cost in recognized])
    return found[0].text if found else ""


def word_errors(
    reader: WordReader, words: Words, lexicon: gtn.Graph, order: int = SPELLING_ORDER
) -> dict[str, Any]:
    """Return errors with and without a lexicon, and words per second (see `tell`)."""
    return tell(reader, words, lexicon, order).figures()


def _wrong(told: Sequence[str], labels: Sequence[str]) -> float:
    return sum(a != b for a, b in zip(told, labels, strict=True)) / len(labels)
