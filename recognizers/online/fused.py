"""The features of `AmapNetwork` in fewer passes over memory, for training in half precision.

With small maps, a step spends its time on passes over activations, not on products. Here the
factors of the squashing functions (f(a) = A tanh(S a)) move into the parameters of the layers
around them, tanh is computed in place and its derivative together with that of the window sums, and
C4, which has two rows of outputs on one window, is one matrix product for each row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from recognizers.layers import AMPLITUDE, SLOPE, ConnectedConv2d, Subsampling

__all__ = ["fused_features"]


def fused_features(
    layers: tuple[ConnectedConv2d, Subsampling, ConnectedConv2d, ConnectedConv2d, Subsampling],
    images: Tensor,
    gain: float,
) -> Tensor:
    """Return the states [B, maps, h, w] after C1, S2, C3, C4 and S5, for images times `gain`.

    They equal those of the layers in a row with `ScaledTanh` behind each, up to rounding.
    """
    c1, s2, c3, c4, s5 = layers
    x = _subsampled(s2, _convolved(c1, images, SLOPE * gain))
    x = torch.tanh(_convolved(c3, x, SLOPE * AMPLITUDE))
    rows, columns = c4.kernel_size
    if c4.is_full and x.shape[3] == columns:
        # With the maps last, the rows of a window are contiguous in memory.
        lines = x.permute(0, 2, 3, 1).contiguous()
        kernels = (c4.dense_kernels() * (SLOPE * AMPLITUDE)).permute(0, 2, 3, 1).flatten(1)
        found = [
            functional.linear(lines[:, r : r + rows].flatten(1), kernels, c4.bias * SLOPE)
            for r in range(x.shape[2] - rows + 1)
        ]
        x = torch.stack(found, dim=1).unsqueeze(2).permute(0, 3, 1, 2)
    else:
        x = _convolved(c4, x, SLOPE * AMPLITUDE)
    return AMPLITUDE * _subsampled(s5, x)


def _convolved(layer: ConnectedConv2d, maps: Tensor, gain: float) -> Tensor:
    """Return SLOPE times the layer's output for the input `maps` times gain / SLOPE."""
    return functional.conv2d(maps, layer.dense_kernels() * gain, layer.bias * SLOPE)


def _subsampled(layer: Subsampling, sums: Tensor) -> Tensor:
    """Return tanh of SLOPE times the layer's output for A tanh(sums)."""
    windows: Tensor = _SquashedSums.apply(sums, *layer.window)
    coefficient = (layer.coefficient * (AMPLITUDE * SLOPE)).view(-1, 1, 1).to(windows.dtype)
    bias = (layer.bias * SLOPE).view(-1, 1, 1).to(windows.dtype)
    return torch.tanh(torch.addcmul(bias, windows, coefficient))


class _SquashedSums(torch.autograd.Function):
    """Sums over windows of tanh of the input; rows and columns left over are not read."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, height: int, width: int) -> Tensor:
        high, wide = maps.shape[2] // height * height, maps.shape[3] // width * width
        squashed = torch.tanh(maps.permute(0, 2, 3, 1)[:, :high, :wide]).contiguous()
        batch, _, _, count = squashed.shape
        parts = squashed.view(batch, high // height, height, wide // width, width, count)
        rows = parts[:, :, 0]
        for r in range(1, height):
            rows = rows + parts[:, :, r]
        sums = rows[:, :, :, 0]
        for c in range(1, width):
            sums = sums + rows[:, :, :, c]
        ctx.save_for_backward(parts)
        ctx.size = maps.shape[2:]
        return sums.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (parts,) = ctx.saved_tensors
        batch, high, height, wide, width, count = parts.shape
        slopes = torch.mul(parts, parts).neg_().add_(1.0)
        slopes.mul_(grad.permute(0, 2, 3, 1)[:, :, None, :, None])
        found = slopes.view(batch, high * height, wide * width, count).permute(0, 3, 1, 2)
        below, right = ctx.size[0] - high * height, ctx.size[1] - wide * width
        if below or right:
            found = functional.pad(found, (0, right, 0, below))
        return found, None, None
