"""Convolutions with batch normalisation, the parts of the networks for lines and segments."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["convolution", "initialize_convolutions"]


def convolution(
    planes: int,
    maps: int,
    size: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    pool: int | tuple[int, int] = 1,
) -> tuple[nn.Module, ...]:
    """Return a convolution, optional pooling, batch normalisation and rectification."""
    convolved = nn.Conv2d(planes, maps, size, stride=stride, padding=padding, bias=False)
    rest = (nn.BatchNorm2d(maps), nn.ReLU(inplace=True))
    return (convolved, *rest) if pool == 1 else (convolved, nn.MaxPool2d(pool), *rest)


def initialize_convolutions(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the kernels of a network (He et al. 2015); biases are zero.

    The memory layout becomes channels-last, which is up to twice as fast on a CPU.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
