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
"""Words in the lexicon, including the labels of the task."""

SPELLING_ORDER = 6
"""Letters per n-gram: a letter depends on one less before it; chosen on validation."""

BEAM = 20.0
"""Tokens further than this (in nats) behind the best at the same ink are dropped; `docs/words.md`
shows what narrower beams cost."""

FREE_BEAM = 8.0
"""The beam for reading any letters, which are more; wider ones read the validation words the
same."""

STEPS = 200
"""Training steps to adapt a reader to a hand, each on a batch of words."""

RATE = 1e-3
"""Peak learning rate of adapting; chosen on writers of the validation. At four times the rate,
words are read better without a lexicon but worse with one: the reader is too sure of itself."""

RESULTS = Path("results") / "words"
"""Folder of the figures of `docs/words.md`."""
