"""Everything that a training run of a reader of whole checks depends on, beside its data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WholeSettings"]


@dataclass(frozen=True)
class WholeSettings:
    """Everything that a training run depends on, beside its data.

    ``validation`` is the share of layout families that are left out, for the threshold. Of
    ``composed`` lines that were on no check, ``drawn`` are drawn in each of ``line_passes``; then
    the field penalties are trained alone for ``field_steps``, then globally for
    ``global_passes``, on the candidates of ``paths`` each.
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
