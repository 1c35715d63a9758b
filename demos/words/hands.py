"""How much a reader gains that learns the hand of a writer whom no training has seen."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from demos.checkpoint import write_whole
from demos.mnist.results import machine
from demos.words.adapt import RATE, STEPS, adapt
from demos.words.evaluate_folder import LabelledWord
from demos.words.letters import folded
from demos.words.word_samples import CATEGORY
from recognizers.online.unipen_cache import load_unipen
from recognizers.online.writers import digest, side

__all__ = ["LEARNED", "hands_of", "measure_hands"]

LEARNED = 100
"""Words of each hand that are learned from, and as many that are held out."""

SIDES = ("test", "left-out")


def hands_of(
    data: str | Path, cache: str | Path | None = None, *, least: int = 2 * LEARNED
) -> dict[str, list[LabelledWord]]:
    """The words of each writer of the test and of the left-out institution who has so many.

    A writer is named by the institution and the first digits of his key: names are not shown.
    The words come in an order that is drawn for each, the same each time.
    """
    hands: defaultdict[str, list[LabelledWord]] = defaultdict(list)
    for i, one in enumerate(load_unipen(data, [CATEGORY], cache).segments):
        label = folded(one.label)
        if label and not one.ink.is_empty and side(one.contributor, one.writer) in SIDES:
            name = f"{one.contributor} {digest(one.contributor, one.writer)[:4]}"
            hands[name].append(LabelledWord(f"{name}, word {i}", one.ink, label))
    chosen = {name: words for name, words in sorted(hands.items()) if len(words) >= least}
    return {
        name: [words[i] for i in np.random.default_rng(0).permutation(len(words))]
        for name, words in chosen.items()
    }


def measure_hands(
    data: Path, start: Path, out: Path, result: Path, cache: Path | None = None
) -> dict[str, Any]:
    """Adapt a reader to each of `hands_of`, and write what it gains to a file; return that.

    ``out`` holds a run for each hand; one that is interrupted goes on.
    """
    found: dict[str, Any] = {}
    for name, words in tqdm(hands_of(data, cache).items(), unit="hand"):
        metrics, _ = adapt(
            words[:LEARNED],
            words[LEARNED : 2 * LEARNED],
            start,
            out / name.replace(" ", "-"),
            progress=False,
        )
        found[name] = {key: metrics[key] for key in ("n_training", "seconds", "before", "after")}
    content = {
        "command": f"python -m demos.words hands --system {metrics['settings']['system']}",
        "steps": STEPS,
        "rate": RATE,
        "hands": found,
        "machine": machine(),
    }
    write_whole(result, json.dumps(content, indent=1) + "\n")
    return content
