"""Train a reader on the words of a user's folder together with those of UNIPEN data."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demos.figures import keep_figures
from demos.words.choices import SIZE, SPELLING_ORDER
from demos.words.measuring.folder import as_words, evaluate_folder
from demos.words.reading.lexicon import task_words
from demos.words.reading.reader import WordReader
from demos.words.samples.characters import load_letters
from demos.words.samples.words import load_words
from demos.words.training.adapt import own_words, spelled
from demos.words.training.settings import WordSettings
from demos.words.training.words import STAGES, readers_of, train_words
from recognizers.datasets.fields import nothing_read

__all__ = ["OWN", "train_beside_unipen"]

OWN = "own"
"""The contributor of the folder's words, which are drawn as those of one more contributor."""


def train_beside_unipen(
    data: Path,
    unipen: Path,
    settings: WordSettings,
    out: Path,
    *,
    holdout: int = 0,
    size: int = SIZE,
    order: int = SPELLING_ORDER,
    cache: Path | None = None,
    progress: bool = True,
    until: float = math.inf,
) -> tuple[dict[str, Any] | None, list[str]]:
    """Train a reader; return the metrics, or None if it stopped early, and what was left out.

    Letters come from the training writers in `unipen`; words from them and from `data`, except rows
    of the splits ``test`` and ``validation`` and the last `holdout` by name. What is held out is
    read at the end, with a lexicon of `size` words and without, as by `adapt`; it decides nothing.
    `out` gets `metrics.json` besides what `train_words` writes.

    Raises:
        FieldSetError: no usable ``labels.csv``, fewer rows than are held out, or no word to learn.
        CheckpointError: as `train_words`.
    """
    reader, _ = readers_of(settings)  # reports what is wrong with them before data are read
    own = own_words(data, holdout)
    learned, unspelled = spelled(reader, own.learned)
    if not learned:
        raise nothing_read(unspelled)
    theirs = load_words(unipen, normaliser=settings.normaliser, cache=cache)
    problems = [*own.problems, *unspelled, *theirs.problems]
    training = theirs.of(("train",))
    for one, ink in zip(learned, as_words(reader, learned).inks, strict=True):
        training.inks.append(ink)
        training.labels.append(one.label)
        training.contributors.append(OWN)
        training.sides.append("train")
        training.written.append(one.ink)
    letters = load_letters(unipen, ("train",), cache)
    validation = theirs.of(("validation",))
    if not train_words(
        letters, training, validation, settings, out, progress=progress, until=until
    ):
        return None, problems
    metrics: dict[str, Any] = {
        "own": len(learned),
        "unipen": len(training) - len(learned),
        "settings": asdict(settings) | {"start": Path(settings.start).name},
    }
    if own.held_out:
        after = WordReader.load(out / f"{STAGES[-1]}.safetensors")
        lexicon = after.lexicon(task_words(own.labels, size))
        metrics["held_out"] = evaluate_folder(after, own.held_out, lexicon, order)[0]
    keep_figures(out / "metrics.json", metrics)
    return metrics, problems
