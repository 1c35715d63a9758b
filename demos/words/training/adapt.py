"""Adapt a reader of words to a user's hand, from a folder of ink with its words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from demos.figures import keep_figures
from demos.words.choices import RATE, SIZE, SPELLING_ORDER, STEPS
from demos.words.measuring.folder import (
    LabelledWord,
    as_words,
    evaluate_folder,
    labels_of,
    load_rows,
)
from demos.words.reading.lexicon import task_words
from demos.words.reading.reader import WordReader
from demos.words.training.losses import training_of
from demos.words.training.settings import WordSettings
from demos.words.training.words import STAGES, train_words
from recognizers.datasets.fields import load_fields, nothing_read
from recognizers.online.network import MAPS

__all__ = ["OwnWords", "adapt", "adapt_folder", "own_words", "spelled"]


def adapt_folder(
    data: Path, start: Path, out: Path, *, holdout: int = 0, **options: Any
) -> tuple[dict[str, Any], list[str]]:
    """Adapt a reader to the words of a folder with ``labels.csv``: see :func:`adapt`.

    Rows of the split ``test`` and the last `holdout` files by name are held out; those of the split
    ``validation`` are not learned from.

    Raises:
        FieldSetError: ``labels.csv`` is unusable or has fewer rows than are held out, or no word is
            left to learn.
        CheckpointError: as :func:`adapt`.
    """
    WordReader.load(start)  # reports a bad checkpoint before data are read
    own = own_words(data, holdout)
    metrics, more = adapt(own.learned, own.held_out, start, out, labels=own.labels, **options)
    return metrics, [*own.problems, *more]


class OwnWords(NamedTuple):
    """Words of a folder: those to learn, those held out, all labels, and what was left out."""

    learned: list[LabelledWord]
    held_out: list[LabelledWord]
    labels: list[str]
    problems: list[str]


def own_words(data: Path, holdout: int) -> OwnWords:
    """Return the words of a folder with ``labels.csv``, divided as in :func:`adapt_folder`.

    Raises:
        FieldSetError: as :func:`adapt_folder`.
    """
    rows = load_fields(data)
    ours, others = rows.held_out(holdout)
    chosen = [one for one in ours if one.split in ("", "train")]
    words, problems = load_rows(chosen)
    held_out, more = load_rows(others, measured=True)
    if not words:
        elsewhere = f"{len(rows.fields) - len(chosen)} rows are held out, or for validation"
        raise nothing_read([*rows.problems, *problems, elsewhere])
    return OwnWords(words, held_out, labels_of(rows.fields), [*rows.problems, *problems, *more])


def adapt(
    words: Sequence[LabelledWord],
    held_out: Sequence[LabelledWord],
    start: Path,
    out: Path,
    *,
    labels: Sequence[str] = (),
    size: int = SIZE,
    order: int = SPELLING_ORDER,
    steps: int = STEPS,
    rate: float = RATE,
    seed: int = 0,
    progress: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """Train a reader on words of one hand; return the metrics, and what was left out.

    The reader is written to `out/words.safetensors`, beside `metrics.json` and what `train_words`
    writes, from which an interrupted run resumes. Words that no path of the reader spells, since
    they have more letters than their ink has pieces, are left out.

    Args:
        held_out: words to read before and after, with a lexicon of their labels, those of the
            learned words, further ``labels`` and frequent English.
        size: size of that lexicon.
        order: order of the n-grams of letters for reading without it, as in `tell`.
        start: the reader to start from, of either system.

    Raises:
        FieldSetError: there is no word to learn.
        CheckpointError: `start` is not a reader; `out` holds a run of other settings or words.
    """
    before = WordReader.load(start)
    learned, problems = spelled(before, words)
    if not learned:
        raise nothing_read(problems)
    settings = _settings(before, start, steps, rate, seed)
    written = [one for one in held_out if one.is_written]
    train_words(
        [], as_words(before, learned), as_words(before, written), settings, out, progress=progress
    )
    log = (out / "log.jsonl").read_text().splitlines()
    metrics: dict[str, Any] = {
        "n_training": len(learned),
        "seconds": sum(json.loads(line)["seconds"] for line in log),
        "settings": asdict(settings) | {"start": start.name},
    }
    if held_out:
        listed = task_words([*labels, *(one.label for one in (*words, *written))], size)
        after = WordReader.load(out / f"{STAGES[-1]}.safetensors")
        for name, reader in (("before", before), ("after", after)):
            metrics[name] = evaluate_folder(reader, held_out, reader.lexicon(listed), order)[0]
    keep_figures(out / "metrics.json", metrics)
    return metrics, problems


def _settings(before: WordReader, start: Path, steps: int, rate: float, seed: int) -> WordSettings:
    """Return the settings of a run that continues from a reader, and keeps its network."""
    built = before.settings
    return WordSettings(
        system=built["system"],
        output=built["output"],
        normaliser=built["normaliser"],
        maps=tuple(built.get("maps", MAPS)),
        context=built.get("context", False),
        strings=0,
        words=steps,
        word_rate=rate,
        distortion=0.9,
        averaging=max(1, steps // 4),
        start=str(start),
        seed=seed,
    )


def spelled(
    reader: WordReader, words: Sequence[LabelledWord]
) -> tuple[list[LabelledWord], list[str]]:
    """Return the words that some path of the reader spells, and what is wrong with the others."""
    training = training_of(reader.recognize)
    rng = np.random.default_rng(0)
    found, problems = [], []
    for one in words:
        target = training.word(reader.normalize(one.ink), one.label)
        if training.word_losses([target], rng, 0.0)[1]:
            problems.append(f"{one.name}: no path through its ink spells {one.label!r}")
        else:
            found.append(one)
    return found, problems
