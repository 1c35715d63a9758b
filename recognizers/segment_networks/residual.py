"""A small residual network for segments: an example of a recognizer of your own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names

__all__ = ["ResidualNet"]


class ResidualNet(nn.Module):
    """Segments ``[A, 1, 32, 32]`` to penalties ``[A, C]``: convolutions that add to what they read.

    After a first convolution come blocks of two, each of which halves rows and columns and adds its
    output to its projected input; then the mean over the image, and a full layer.
    Batch normalisation; 68,963 parameters with eleven classes.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish", as the last output.
    - `maps`: numbers of maps, of the first convolution and of each block.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> net = ResidualNet("0123456789", rubbish=True)
    >>> net(torch.zeros(3, 1, 32, 32)).shape, sum(p.numel() for p in net.parameters())
    (torch.Size([3, 11]), 68963)
    """

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        maps: Sequence[int] = (16, 24, 36, 48),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish)
        # The arguments to rebuild this network; a checkpoint keeps them beside the parameters.
        self.settings: dict[str, Any] = {
            "classes": classes,
            "rubbish": rubbish,
            "maps": list(maps),
        }
        blocks = [_Block(before, after) for before, after in pairwise(maps)]
        self.layers = nn.Sequential(
            nn.Conv2d(1, maps[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(maps[0]),
            nn.ReLU(inplace=True),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(maps[-1], len(self.classes)),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        # The channels-last layout is faster on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """Return the penalties ``[A, C]`` (nats, lower is better, not normalised)."""
        if not len(image):
            return image.new_zeros(0, len(self.classes))
        penalties: Tensor = self.layers(image.contiguous(memory_format=torch.channels_last))
        return penalties


class _Block(nn.Module):
    """Maps ``[A, before, h, w]`` to ``[A, after, h / 2, w / 2]``."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.straight = nn.Sequential(
            nn.Conv2d(before, after, 1, stride=2, bias=False),
            nn.BatchNorm2d(after),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the output maps of the block."""
        return torch.relu(self.straight(maps) + self.change(maps))
