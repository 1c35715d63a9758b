"""A small network that says which digit is in the middle of a window of 31 x 31 pixels, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names
from recognizers.convolutions import convolution, initialize_convolutions

__all__ = ["SpotNetwork"]


class SpotNetwork(nn.Module):
    """Images ``[B, 1, H, W]`` to penalties ``[B, C, rows, columns]``, the last class "rubbish".

    Made to be swept over pages: no padding, an output at every fourth pixel along both axes, batch
    normalisation. Initially ``rubbish`` is more probable everywhere by ``rarity`` nats, since
    almost all windows of a page have no object in the middle. 69,019 parameters with 11 classes.

    - `classes`: one character per class of objects, in the order of the outputs.
    - `maps`: numbers of maps of the four convolutions.
    - `generator`: the same state gives the same parameters.

    >>> net = SpotNetwork()
    >>> net(torch.zeros(2, 1, 31, 31)).shape, net(torch.zeros(2, 1, 64, 80)).shape
    (torch.Size([2, 11, 1, 1]), torch.Size([2, 11, 9, 13]))
    """

    field = (31, 31)
    """Height and width of a window."""

    stride = (4, 4)
    """Pixels between outputs, vertically and horizontally."""

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        maps: Sequence[int] = (16, 32, 48, 64),
        rarity: float = 6.0,
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish=True)
        # The arguments to rebuild this network; a checkpoint keeps them beside the parameters.
        self.settings: dict[str, Any] = {
            "classes": classes,
            "maps": list(maps),
            "dropout": dropout,
        }
        first, second, third, fourth = maps
        self.layers = nn.Sequential(
            *convolution(1, first, 5, stride=2),  # 14 x 14
            *convolution(first, second, 3),  # 12 x 12
            nn.MaxPool2d(2),  # 6 x 6
            *convolution(second, third, 3),  # 4 x 4
            *convolution(third, fourth, 4),  # 1 x 1
            nn.Dropout2d(dropout),
            nn.Conv2d(fourth, len(self.classes), 1),
        )
        initialize_convolutions(self, generator)
        last = self.layers[-1]
        with torch.no_grad():
            last.weight.mul_(0.1)
            last.bias[-1] = -rarity

    @property
    def rubbish_index(self) -> int:
        """Index of the rubbish class, the last."""
        return len(self.classes) - 1

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties (nats, lower is better, not normalised)."""
        if images.dim() != 4 or images.shape[1] != 1 or min(images.shape[2:]) < 31:
            raise ValueError(
                f"images must be [B, 1, H, W], H and W at least 31, not {tuple(images.shape)}"
            )
        penalties: Tensor = self.layers(images.contiguous(memory_format=torch.channels_last))
        return penalties
