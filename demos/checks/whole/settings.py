"""The settings of a training of a reader of whole checks: all it depends on besides its data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WholeSettings"]


@dataclass(frozen=True)
class WholeSettings:
    """All that a training run depends on besides its data.

    ``validation`` is the share of layout families set aside to choose the threshold. Each of the
    ``line_passes`` draws ``drawn`` of the ``composed`` lines, which were on no check. Then the
    field penalties are trained alone for ``field_steps``, and all but the network is trained
    globally for ``global_passes``, on the candidates of ``paths`` paths per check.
    """

    recognizer: str = "sdnn"
    grammar: str = "amounts"
    validation: float = 0.25
    composed: int = 3000
    drawn: int = 2000
    line_passes: int = 12
    batch: int = 16
    rate: float = 2e-3
    decay: float = 1e-2
    field_steps: int = 400
    global_passes: int = 3
    global_batch: int = 8
    global_rate: float = 3e-2
    paths: int = 12
    most_errors: float = 0.01
    seed: int = 0
