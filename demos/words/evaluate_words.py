"""What a reader of words gets wrong: words and characters, with a lexicon and without."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import gtn
from demos.words.reader import WordReader
from demos.words.word_samples import Words
from grammars.decoding import Decoder
from gtn.nn.risk import edit_distances

__all__ = ["character_errors", "quick_errors", "read_texts", "word_errors"]


def character_errors(told: Sequence[str], labels: Sequence[str]) -> float:
    """Insertions, deletions and substitutions, per character of the labels.

    >>> character_errors(["cat", ""], ["cut", "a"])
    0.5
    """
    wrong = sum(
        float(edit_distances([_codes(text)], _codes(label))[0])
        for text, label in zip(told, labels, strict=True)
    )
    return wrong / max(1, sum(map(len, labels)))


def _codes(text: str) -> Any:
    return np.array([ord(letter) for letter in text], dtype=np.int32)


@torch.no_grad()
def read_texts(reader: WordReader, words: Words, decoders: Sequence[Decoder]) -> list[list[str]]:
    """What each decoder reads in each word (normalised ones), and "" where it finds nothing."""
    found: list[list[str]] = [[] for _ in decoders]
    for ink in words.inks:
        _, _, recognized = reader.recognized(ink)
        for texts, decoder in zip(found, decoders, strict=True):
            kept = decoder.search(recognized)
            texts.append(gtn.path_text(gtn.viterbi_path(kept), "output") if kept.num_nodes else "")
    return found


def quick_errors(reader: WordReader, words: Words, most: int = 300) -> dict[str, float]:
    """Character error without a lexicon, of so many of the words."""
    step = max(1, len(words) // most)
    some = words.take(range(0, len(words), step)[:most])
    (told,) = read_texts(reader, some, [reader.decoder(beam=8.0)])
    return {"char_error_no_lexicon": character_errors(told, some.labels)}


def word_errors(reader: WordReader, words: Words, lexicon: gtn.Graph) -> dict[str, Any]:
    """Word and character error with a lexicon and without, and words per second with it.

    The best path is what is read. The time is that of normalised ink to the word, one word after
    the other, with the lexicon.
    """
    if not len(words):
        return {}
    labels = words.labels
    with_lexicon, free = reader.decoder(lexicon), reader.decoder(beam=8.0)
    started = time.perf_counter()
    (told,) = read_texts(reader, words, [with_lexicon])
    seconds = time.perf_counter() - started
    (letters,) = read_texts(reader, words, [free])
    return {
        "n_words": len(words),
        "word_error": _wrong(told, labels),
        "char_error": character_errors(told, labels),
        "word_error_no_lexicon": _wrong(letters, labels),
        "char_error_no_lexicon": character_errors(letters, labels),
        "words_per_second": len(words) / seconds,
    }


def _wrong(told: Sequence[str], labels: Sequence[str]) -> float:
    return sum(a != b for a, b in zip(told, labels, strict=True)) / len(labels)
