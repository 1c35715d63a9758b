"""Settings of the experiments that train: numbers of fields and passes, rates, seeds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget", "Effort"]


@dataclass(frozen=True)
class Budget:
    """What each criterion is given: fields, passes over them, rates, and a start.

    Before, the network sees ``digit_steps`` batches of single digits, the same for all criteria.
    """

    fields: int = 48
    validation: int = 24
    passes: int = 14
    batch: int = 2
    rate: float = 1e-3
    centre_rate: float = 1.5e-2
    digit_steps: int = 300
    digits: str = "auto"
    grammar: str = "car"
    seed: int = 0


@dataclass(frozen=True)
class Effort:
    """What the two trainings are given, and where they begin.

    A system takes ``apart`` passes over the characters, then either ``longer`` more of them or
    ``together`` passes over the fields, which are about as many images. If the network reads single
    ``digits``, it sees ``digit_steps`` batches of them first.
    """

    recognizer: str = "lenet5"
    grammar: str = "car"
    apart: int = 10
    longer: int = 46
    together: int = 20
    rate: float = 1e-3
    batch: int = 8
    digits: str = "auto"
    digit_steps: int = 600
    tuned_on: int = 160
    folds: int = 5
    block: int = 24
    seed: int = 0
