"""The settings of a training run: all that it depends on besides its data."""

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
"""Settings that differ from the defaults for recognizers that are swept over lines."""


@dataclass(frozen=True)
class Settings:
    """All that a training run depends on besides its data.

    ``variants`` of each field are prepared besides the field itself, and each pass draws one of
    them; each pass also draws ``further`` of the further fields. A network that reads only a
    segment's ink is pretrained on single ``digits``; with each batch of fields it also sees
    ``replay`` of them, so that it does not forget other hands. The reader that is kept is the
    running mean of the parameters; ``averaging`` is the share of the newest, which is larger while
    the mean would reach back further than the last tenth of the steps.

    Line readers are also trained on new fields: a share ``spliced`` of the fields is replaced by
    fields joined from parts of several (:mod:`demos.checks.training.splicing`). They are weaned
    off the further fields, which teach many hands, but not those of the fields to be read: towards
    the end, new fields also replace a share ``weaned`` of those.

    Some labels are wrong. ``wrong_labels`` is the share of them that training allows for after its
    first third: the discriminative forward loss of a field is then minus the logarithm of the
    probability that its label is either a wrong one or what the reader reads.
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
        """Return the settings that suit a recognizer, overridden by those given.

        >>> Settings.of("crnn", passes=3).batch, Settings.of("lenet5").batch
        (16, 8)
        """
        suited = OF_LINES if recognizer in SWEEPING else {}
        return cls(**{"recognizer": recognizer, **suited, **given})
