"""A network of convolutions for lines: windows 31 pixels wide, an output every second pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names
from recognizers.convolutions import convolution, initialize_convolutions

__all__ = ["LineNetwork"]


class LineNetwork(nn.Module):
    """Images ``[B, 1, H, W]`` to penalties ``[B, C, 1, columns]``, H from 32 to 35.

    LeNet-5 has an output every fourth pixel, which is too few where narrow characters touch: two
    ones side by side are five pixels apart, and need a blank between them. This network halves
    the positions along the line only once. It first collapses each column of the image, then reads
    five columns at a time, twice. So the many maps cost few multiply-adds: about 131,000 for each
    pixel of the line's length. Batch normalisation; 142,043 parameters with eleven classes. There
    is no padding, so that it can be swept (:class:`recognizers.sdnn.SpaceDisplacementNetwork`)
    outside training.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish": for everything that is not a character, and as
      the blank.
    - `maps`: numbers of maps of the three convolutions over the image, and of the three along
      the line.
    - `dropout`: share of the maps left out before the output in training.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> net = LineNetwork(rubbish=True)
    >>> net(torch.zeros(2, 1, 32, 31)).shape, net(torch.zeros(2, 1, 32, 100)).shape
    (torch.Size([2, 11, 1, 1]), torch.Size([2, 11, 1, 35]))
    """

    field = (32, 31)
    """Height and width of a window."""

    stride = (4, 2)
    """Pixels between outputs, vertically and horizontally."""

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        maps: Sequence[int] = (16, 32, 64, 96, 96, 96),
        dropout: float = 0.1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish)
        # The arguments to rebuild this network; a checkpoint keeps them beside the parameters.
        self.settings: dict[str, Any] = {
            "classes": classes,
            "rubbish": rubbish,
            "maps": list(maps),
            "dropout": dropout,
        }
        first, second, third, column, near, far = maps
        self.layers = nn.Sequential(
            *convolution(1, first, 5, stride=2),  # 14 rows
            *convolution(first, second, 3),  # 12
            nn.MaxPool2d(2, stride=(2, 1)),  # 6
            *convolution(second, third, 3),  # 4
            *convolution(third, column, (4, 1)),  # 1
            *convolution(column, near, (1, 5)),
            *convolution(near, far, (1, 5)),
            nn.Dropout2d(dropout),
            nn.Conv2d(far, len(self.classes), 1),
        )
        initialize_convolutions(self, generator)

    @property
    def rubbish_index(self) -> int | None:
        """Index of the rubbish class (always the last), None without one."""
        return len(self.classes) - 1 if self.settings["rubbish"] else None

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties (nats, lower is better, not normalised)."""
        if images.dim() != 4 or images.shape[1] != 1 or min(images.shape[2:]) < 31:
            raise ValueError(
                "images must be [B, 1, H, W], H at least 32 and W at least 31, "
                f"not {tuple(images.shape)}"
            )
        penalties: Tensor = self.layers(images.contiguous(memory_format=torch.channels_last))
        return penalties
