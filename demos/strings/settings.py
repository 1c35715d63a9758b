"""The settings of trainings of line readers and of spotters."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings", "SpotSettings"]


@dataclass(frozen=True)
class Settings:
    """All that a training run depends on besides its digits and lines.

    Each of the ``characters`` steps sees ``windows`` windows with their classes. The ``transducer``
    steps train only the penalties of the character models; the network stays. The ``strings`` steps
    train everything, each on ``lines`` lines and only their texts. A share ``free`` of the batches
    follows the free recipe, the rest the paper's; half of the lines have up to a tenth of their
    pixels inverted. If labelled lines are given, they replace a share ``own`` of the batches. The
    last stage starts from network and transducer as the first left them; the second is there for
    comparison. With ``bfloat16`` the network's products are in half precision during training:
    twice as fast on processors that support it.
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
    """All that a training run depends on besides its digits.

    With ``positions`` each window of a page has a class. Without, only which digits are on the
    page is known, and the loss goes through parallel arcs; then the first share ``small`` of the
    steps takes four times as many pages of a quarter the size, with one or two digits and little
    else: a digit is found sooner where it has few places.
    """

    positions: bool = True
    steps: int = 900
    pages: int = 8
    small: float = 0.4
    rate: float = 3e-3
    decay: float = 1e-2
    seed: int = 0
