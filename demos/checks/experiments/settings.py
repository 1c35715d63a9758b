"""What the experiments that train are given: so many fields, so many passes over them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget", "Effort"]


@dataclass(frozen=True)
class Budget:
    """What every criterion has: fields, passes over them, rates, and where it starts.

    The network has seen ``digit_steps`` batches of single digits before, the same for all.
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
    """What the two trainings have, and where they begin.

    ``apart`` passes over the characters, then ``longer`` more of them or ``together`` passes over
    the fields, which are about as many images. All begin with a network that has seen
    ``digit_steps`` batches of single ``digits``, if it is one that reads those.
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
