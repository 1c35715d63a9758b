"""Measure what a reader gains by learning the hand of a writer unseen in training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from demos.figures import keep_figures, machine
from demos.run_state import training_into
from demos.words.choices import RATE, STEPS
from demos.words.measuring.folder import LabelledWord
from demos.words.reading.letters import folded
from demos.words.samples.words import CATEGORY
from demos.words.training.adapt import adapt
from recognizers.online.unipen_cache import load_unipen
from recognizers.online.writers import digest, side

__all__ = ["LEARNED", "Hand", "hands_of", "measure_hands"]

LEARNED = 100
"""Least words of each hand to learn from (a few more may be), and most words to be read."""

SIDES = ("test", "left-out")


class Hand(NamedTuple):
    """Words of a writer to learn from, and others to be read; the two share no label."""

    learned: list[LabelledWord]
    held_out: list[LabelledWord]


def hands_of(
    data: str | Path, cache: str | Path | None = None, *, least: int = 2 * LEARNED
) -> dict[str, Hand]:
    """Return each writer of the test or the left-out institution who has at least `least` words.

    Institution and first digits of the key name a writer; names are not shown. Labels are drawn
    at random for each writer, the same each time; words with the same label stay together.
    """
    hands: defaultdict[str, list[LabelledWord]] = defaultdict(list)
    for i, one in enumerate(load_unipen(data, [CATEGORY], cache).segments):
        label = folded(one.label)
        if label and not one.ink.is_empty and side(one.contributor, one.writer) in SIDES:
            name = f"{one.contributor} {digest(one.contributor, one.writer)[:4]}"
            hands[name].append(LabelledWord(f"{name}, word {i}", one.ink, label))
    chosen = {name: words for name, words in sorted(hands.items()) if len(words) >= least}
    return {name: _divided(words) for name, words in chosen.items()}


def _divided(words: Sequence[LabelledWord]) -> Hand:
    by_label: defaultdict[str, list[LabelledWord]] = defaultdict(list)
    for one in words:
        by_label[one.label].append(one)
    hand = Hand([], [])
    labels = sorted(by_label)
    for i in np.random.default_rng(0).permutation(len(labels)):
        part = hand.learned if len(hand.learned) < LEARNED else hand.held_out
        part.extend(by_label[labels[i]])
    return Hand(hand.learned, hand.held_out[:LEARNED])


def measure_hands(
    data: Path,
    start: Path,
    out: Path,
    result: Path,
    cache: Path | None = None,
    *,
    rate: float = RATE,
) -> dict[str, Any]:
    """Adapt a reader to each of `hands_of`; write what it gains to a file, and return it.

    ``out`` holds a run for each hand; an interrupted run resumes.

    Raises:
        ValueError: no writer has enough words.
        CheckpointError: as :func:`adapt`; or another process runs in ``out``.
    """
    hands = hands_of(data, cache)
    if not hands:
        raise ValueError(
            f"{data}: no writer of the sides {' and '.join(SIDES)} has {2 * LEARNED} words"
        )
    found: dict[str, Any] = {}
    with training_into(out, make=True):
        for name, hand in tqdm(hands.items(), unit="hand"):
            where = out / name.replace(" ", "-")
            metrics, _ = adapt(hand.learned, hand.held_out, start, where, rate=rate, progress=False)
            found[name] = {
                key: metrics[key] for key in ("n_training", "seconds", "before", "after")
            }
    content = {
        "start": start.name,
        "steps": STEPS,
        "rate": rate,
        "hands": found,
        "machine": machine(),
    }
    keep_figures(result, content)
    return content
