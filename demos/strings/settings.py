"""What the trainings of readers of lines and of spotters depend on, beside their data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings", "SpotSettings"]


@dataclass(frozen=True)
class Settings:
    """Everything that a training run depends on, beside its digits and lines.

    Of ``characters`` steps each sees so many ``windows`` and their classes; in ``transducer``
    steps only the penalties of the character models are learned, the network as it is; in
    ``strings`` steps all is learned from ``lines`` and their texts alone. The share ``free`` of
    the batches is of the free recipe, the others of the paper's; half of the lines have up to a
    tenth of their pixels inverted. Where labelled lines are given, the share ``own`` of the batches
    is of these in their place. Network and transducer of the last stage begin as the first
    stage left them: the second one is there to be compared with. With ``bfloat16`` the network's
    products are in half precision while it learns: twice as fast where the processor has them.
    """

    network: str = "line"
    step: int = 2
    characters: int = 1500
    windows: int = 64
    character_rate: float = 2e-3
    transducer: int = 100
    strings: int = 1800
    lines: int = 32
    string_rate: float = 1.5e-3
    free: float = 0.3
    own: float = 0.5
    noise: float = 0.1
    decay: float = 1e-2
    bfloat16: bool = True
    seed: int = 0


@dataclass(frozen=True)
class SpotSettings:
    """Everything that a training run depends on, beside its digits.

    With ``positions`` each window of a page has a class; without, it is known of each digit
    whether it is on the page, and the loss is through parallel arcs. Then the share ``small`` of
    the steps comes first that has four times as many pages of a quarter the size, with one or
    two digits and little else: where a digit may be in few places, it is found sooner.
    """

    positions: bool = True
    steps: int = 900
    pages: int = 8
    small: float = 0.4
    rate: float = 3e-3
    decay: float = 1e-2
    seed: int = 0
