"""Measure what n-grams of letters bring to reading without a list of words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demos.figures import keep_figures, machine
from demos.words.choices import FREE_BEAM
from demos.words.measuring.words import best_text, character_errors, under_layouts
from demos.words.reading.lexicon import task_words
from demos.words.reading.reader import WordReader
from demos.words.samples.words import load_words, word_labels
from grammars.decoding import Decoder

__all__ = ["SPELLING_ORDERS", "write_spelling"]

SPELLING_ORDERS = (0, 2, 3, 4, 5, 6, 7)


@torch.no_grad()
def write_spelling(
    reader: WordReader,
    data: Path,
    results: Path,
    *,
    count: int,
    orders: Sequence[int] = SPELLING_ORDERS,
    side: str = "test",
    cache: Path | None = None,
) -> Path:
    """Read words with n-grams of each order and with lexicons; return the file of the figures.

    The lexicons are frequent English and that of the task. The words are `count` of one side of
    the writers, spread evenly over it, each read under all its layouts; with order 0, all letters
    are alike. Errors are those on all words, and on those that no text of the training has.

    Raises:
        ValueError: there are no words by these writers.
    """
    words = load_words(data, normaliser=reader.normaliser, cache=cache, sides=(side,))
    if not len(words):
        raise ValueError(f"{data}: no word by the writers of the side {side!r}")
    some = words.take(np.unique(np.linspace(0, len(words) - 1, count).astype(int)))
    decoders: dict[int | str, Decoder] = {
        order: reader.decoder(reader.spelling(order) if order else None, FREE_BEAM)
        for order in orders
    }
    lists = {"english": task_words([]), "lexicon": task_words(word_labels(data, cache))}
    decoders |= {name: reader.decoder(reader.lexicon(listed)) for name, listed in lists.items()}
    texts: dict[int | str, list[str]] = {name: [] for name in decoders}
    seconds = dict.fromkeys(decoders, 0.0)
    for i in range(len(some)):
        recognized = under_layouts(reader, some, i)
        for name, decoder in decoders.items():
            started = time.process_time()
            texts[name].append(best_text(decoder, recognized))
            seconds[name] += time.process_time() - started
    unseen = [i for i, label in enumerate(some.labels) if label not in reader.seen]
    content: dict[str, Any] = {
        "command": f"python -m demos.words spelling --system {reader.system} --count {count}",
        "system": reader.system,
        "side": side,
        "n_words": len(some),
        "n_unseen": len(unseen),
        "words": {name: len(listed) for name, listed in lists.items()},
        "machine": machine(),
        "torch": torch.__version__,
        "errors": {
            str(name): {
                "word_error": _wrong(told, some.labels, range(len(some))),
                "char_error": character_errors(told, some.labels),
                "word_error_unseen": _wrong(told, some.labels, unseen),
                "ms": 1000.0 * seconds[name] / len(some),
            }
            for name, told in texts.items()
        },
    }
    path = results / f"spelling-{reader.system}.json"
    keep_figures(path, content)
    return path


def _wrong(told: Sequence[str], labels: Sequence[str], which: Sequence[int]) -> float | None:
    return float(np.mean([told[i] != labels[i] for i in which])) if len(which) else None
