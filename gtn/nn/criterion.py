"""What all criteria share: infeasible targets and the mean over a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gtn.errors import InfeasibleTargetError
from gtn.graph import Graph
from gtn.nn.targets import unknown_label, unknown_symbol
from gtn.symbols import SymbolTable
from gtn.texts import words_hint

__all__ = ["Criterion", "difference"]


class Criterion(nn.Module):
    """A criterion: one loss for each graph and its target.

    Args:
        infeasible: what to do with a target that no path spells: ``"raise"``; ``"skip"``: leave
            it out of the mean and count it in :attr:`skipped`; ``"infinity"``: its loss is
            infinite, with gradient zero.
        reduction: ``"mean"``, ``"sum"`` or ``"none"`` (one loss per graph, ``[B]``).
    """

    def __init__(self, *, infeasible: str = "raise", reduction: str = "mean") -> None:
        super().__init__()
        if infeasible not in ("raise", "skip", "infinity"):
            raise ValueError(f"infeasible={infeasible!r}; known are 'raise', 'skip', 'infinity'")
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction={reduction!r}; known are 'mean', 'sum', 'none'")
        self.infeasible = infeasible
        self.reduction = reduction
        self.skipped = 0

    def reduced(
        self,
        losses: torch.Tensor,
        feasible: torch.Tensor,
        targets: Any,
        table: SymbolTable | None = None,
    ) -> torch.Tensor:
        """Return the mean, sum or all of the losses, ``[]`` or ``[B]``; some may be infeasible.

        Raises:
            InfeasibleTargetError: with ``infeasible="raise"``, naming the infeasible samples, and
                symbols that are not in the table.
        """
        wrong = (~feasible).reshape(-1).nonzero().reshape(-1).tolist()
        self.skipped = len(wrong)
        if wrong and self.infeasible == "raise":
            named = [targets] if losses.ndim == 0 else [targets[i] for i in wrong[:5]]
            samples = ", ".join(
                f"sample {i}" + _described(target, table)
                for i, target in zip(wrong, named, strict=False)
            )
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            hint = words_hint(named[0], table)
            raise InfeasibleTargetError(f"no path spells the target of {samples}{more}{hint}")
        instead = torch.inf if self.infeasible == "infinity" else 0.0
        losses = torch.where(feasible, losses, losses.new_tensor(instead))
        if self.reduction == "none" or losses.ndim == 0:
            return losses
        if self.reduction == "sum":
            return losses.sum()
        counted = len(losses) - (len(wrong) if self.infeasible == "skip" else 0)
        return losses.sum() / max(counted, 1)


def _described(target: Any, table: SymbolTable | None) -> str:
    if isinstance(target, Graph):
        return ""
    symbol, label = unknown_symbol(target, table), unknown_label(target, table)
    lacking = "" if label is None else f", whose label {label} has no symbol in {table!r}"
    lacking = lacking if symbol is None else f", whose symbol {symbol!r} is not in {table!r}"
    return f" ({target!r}){lacking}"


def difference(correct: torch.Tensor, all_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return correct - all, avoiding inf - inf if nothing is feasible, and what is feasible."""
    feasible = correct.isfinite()
    zero = correct.new_zeros(())
    return torch.where(feasible, correct, zero) - torch.where(feasible, all_, zero), feasible
