"""The state of an interrupted training: parameters, their running mean, the optimizer's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["averaged", "packed", "unpacked"]

M = TypeVar("M", bound=nn.Module)


def packed(
    name: str, module: nn.Module, average: Sequence[Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """All tensors that the next step depends on, by their names in a checkpoint.

    >>> module = nn.Linear(1, 1, bias=False)
    >>> sorted(packed("network", module, [torch.zeros(1)], torch.optim.Adam(module.parameters())))
    ['average.0', 'network.weight']
    """
    tensors = {f"{name}.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"average.{i}": v for i, v in enumerate(average)}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{key}": value for key, value in state.items()}
    return tensors


def unpacked(
    name: str,
    tensors: Mapping[str, Tensor],
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> list[Tensor]:
    """Put the tensors of `packed` back into module and optimizer; returns the running mean."""
    parts: dict[str, dict[str, Tensor]] = {name: {}, "average": {}, "optimizer": {}}
    for key, value in tensors.items():
        part, rest = key.split(".", 1)
        parts[part][rest] = value
    module.load_state_dict(parts[name])
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in parts["optimizer"].items():
        i, moment = key.split(".", 1)
        states.setdefault(int(i), {})[moment] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
    return [parts["average"][str(i)] for i in range(len(parts["average"]))]


def averaged(module: M, like: M, average: Sequence[Tensor]) -> M:
    """`like`, a module built as `module` is, with the running mean of its parameters."""
    like.load_state_dict(module.state_dict())
    with torch.no_grad():
        for parameter, mean in zip(like.parameters(), average, strict=True):
            parameter.copy_(mean)
    return like.eval()
