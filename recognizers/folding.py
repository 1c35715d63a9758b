"""Convolutions that absorb the batch normalisation behind them.

In a network that only reads, normalisation by running statistics is a factor and an offset per
map. Folded into the convolution before it, it costs nothing.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["folded"]

Module = TypeVar("Module", bound=nn.Module)


def folded(module: Module) -> Module:
    """Return a copy of a module for reading, with batch normalisation folded into convolutions.

    A pair is folded if one follows the other in an ``nn.Sequential``. The outputs are those of the
    module in evaluation mode, up to rounding. The copy is in evaluation mode and has no gradients.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    >>> folded(network)
    Sequential(
      (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
      (1): Identity()
      (2): ReLU()
    )
    """
    result = copy.deepcopy(module).eval().requires_grad_(False)
    for part in result.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for i, (first, second) in enumerate(pairwise(list(part))):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                fused = fuse_conv_bn_eval(first, second)
                if first.weight.is_contiguous(memory_format=torch.channels_last):
                    fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                part[i], part[i + 1] = fused.requires_grad_(False), nn.Identity()
    return result
