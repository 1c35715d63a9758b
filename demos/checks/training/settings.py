"""Everything that a training run depends on, beside its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from demos.checks.choices import SWEEPING

__all__ = ["Settings"]

OF_LINES: dict[str, Any] = {
    "passes": 100,
    "further": 2000,
    "batch": 16,
    "decay": 1e-2,
    "digit_passes": 0.0,
    "replay": 0,
    "variants": 0,
    "averaging": 0.005,
    "spliced": 0.3,
    "weaned": 0.5,
    "distortion": {
        "stretch": 0.32,
        "size": 0.2,
        "down": 0.1,
        "slant": 0.4,
        "rotation": 0.06,
        "waves": 2.8,
        "thickness": 0.7,
        "gamma": 0.5,
        "noise": 0.06,
        "blot": 0.08,
    },
}
"""What differs from the defaults for recognizers that are swept over lines."""


@dataclass(frozen=True)
class Settings:
    """Everything that a training run depends on, beside its data.

    ``variants`` of each field are prepared beside the field itself, and one of them is drawn in
    each pass; of the ``further`` fields so many are drawn in each pass. A network that reads a
    segment's ink alone is pretrained on single ``digits``, and ``replay`` of them go through it
    beside each batch of fields, so that it keeps what it knew of other hands. The reader that is
    kept is the running mean of the parameters, with ``averaging`` as the share of the newest; the
    share is larger while that would reach back further than the last tenth of the steps.

    Readers of lines are also trained on new fields: a share ``spliced`` of the fields is replaced
    by such as are joined of parts of several (:mod:`demos.checks.training.splicing`). They are
    weaned off the further fields, which teach many hands, but not those of the fields to be read:
    towards the end new fields stand in the place of a share ``weaned`` of them, too.

    Some labels are wrong. ``wrong_labels`` is the share of them that training reckons with, once
    a third of it is over: the discriminative forward loss of a field is then minus the logarithm
    of the probability that its label is among the wrong ones, or is what the reader reads.
    """

    grammar: str = "car"
    loss: str = "discriminative-forward"
    recognizer: str = "two-stream"
    passes: int = 34
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-3
    further: int = 800
    wrong_labels: float = 0.02
    digits: str = "auto"
    digit_passes: float = 3.0
    validation: float = 0.06
    averaging: float = 0.01
    variants: int = 5
    replay: int = 48
    spliced: float = 0.0
    weaned: float = 0.0
    seed: int = 0
    distortion: dict[str, float] = field(
        default_factory=lambda: {
            "translation": 1.5,
            "scaling": 0.15,
            "squeezing": 0.15,
            "shearing": 0.2,
            "rotation": 8.0,
        }
    )

    @classmethod
    def of(cls, recognizer: str, **given: Any) -> Settings:
        """Return the settings that suit a recognizer, but for those that are given.

        >>> Settings.of("crnn", passes=3).batch, Settings.of("lenet5").batch
        (16, 8)
        """
        suited = OF_LINES if recognizer in SWEEPING else {}
        return cls(**{"recognizer": recognizer, **suited, **given})
