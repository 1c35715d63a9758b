"""What can be chosen by name on the command line, and the defaults.

Only names and numbers, so that a command line is parsed without loading what they stand for.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BEAM",
    "FREE_BEAM",
    "OUTPUTS",
    "RATE",
    "RESULTS",
    "SIZE",
    "SPELLING_ORDER",
    "STEPS",
    "SYSTEMS",
    "TASKS",
]

SYSTEMS = ("segments", "sdnn")
"""Over-segmentation (Fig. 30), and SDNN/HMM (Fig. 31)."""

TASKS = ("characters", "words")
"""What a reader learns to read."""

OUTPUTS = ("rbf", "softmax")
"""Output layers of the networks."""

SIZE = 25_000
"""Words of the lexicon, the labels of the task among them."""

SPELLING_ORDER = 6
"""A letter depends on so many letters, less one, before it; chosen on validation."""

BEAM = 20.0
"""Tokens so far (in nats) behind the best at the same ink are dropped: `docs/words.md` has what
narrower ones cost."""

FREE_BEAM = 8.0
"""The same where any letters are read, which are more; wider ones read the same words of the
validation."""

STEPS = 200
"""Of a reader that learns one's own hand, each on a batch of words."""

RATE = 1e-3
"""Of learning, at most; chosen on writers of the validation. With four times as much, words are
read worse with a lexicon where they are read better without: a reader too sure of itself."""

RESULTS = Path("results") / "words"
"""Where the figures of `docs/words.md` are kept."""
