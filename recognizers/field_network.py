"""A network of convolutions for fields of amounts: it sees a character among its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names
from recognizers.sdnn import SpaceDisplacementNetwork

__all__ = ["FieldNetwork", "sweeping"]


class FieldNetwork(nn.Module):
    """Windows ``[B, 1, 40, W]`` (0 paper, 1 ink) to penalties ``[B, C, 1, columns]``.

    The image is 40 pixels high and seen with paper above and below, so that it is swept along the
    line only (:func:`sweeping`). Six convolutions over the image, of which the first and the third
    halve both sides and the fifth the height; one that collapses a column to a vector; three along
    the line, five columns wide each. So a window is 85 pixels wide, three or four characters:
    what stands beside a stroke tells a one from a part of a four, and a point from a zero. Batch
    normalisation and drop-out; 241,827 parameters with eleven classes. The penalties are not
    normalised.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish", as the last output: of what is no character,
      and of what is between two.
    - `maps`: of the six convolutions; `column`: units of a column's vector; `line`: maps of the
      convolutions along the line.
    - `dropout`: share of the units left out before each layer along the line in training.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> net = FieldNetwork(rubbish=True)
    >>> net(torch.zeros(2, 1, 40, 85)).shape, net(torch.zeros(2, 1, 40, 200)).shape
    (torch.Size([2, 11, 1, 1]), torch.Size([2, 11, 1, 29]))
    """

    field = (40, 85)
    """Height and width of a window."""

    stride = (8, 4)
    """Pixels between outputs; vertically there is one row of them."""

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        maps: Sequence[int] = (24, 32, 48, 48, 64, 64),
        column: int = 96,
        line: Sequence[int] = (80, 80, 80),
        dropout: float = 0.3,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish)
        a, b, c, d, e, f = maps
        layers: list[nn.Module] = [
            *_convolution(1, a, 5, stride=2, padding=(2, 0)),  # 20 rows
            *_convolution(a, b, 3, padding=(1, 0)),
            *_convolution(b, c, 3, stride=2, padding=(1, 0)),  # 10 rows
            *_convolution(c, d, 3, padding=(1, 0)),
            *_convolution(d, e, 3, stride=(2, 1), padding=(1, 0)),  # 5 rows
            *_convolution(e, f, 3, padding=(1, 0)),
            *_convolution(f, column, (5, 1)),
        ]
        before = column
        for planes in line:
            layers += [nn.Dropout(dropout), *_convolution(before, planes, (1, 5))]
            before = planes
        self.layers = nn.Sequential(
            *layers, nn.Dropout(dropout), nn.Conv2d(before, len(self.classes), 1)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        # Maps beside each other in memory: twice as fast on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties (nats, lower is better)."""
        penalties: Tensor = self.layers(images.contiguous(memory_format=torch.channels_last))
        return penalties.float()


def sweeping(network: FieldNetwork) -> SpaceDisplacementNetwork:
    """Return the network swept over lines, with paper enough for characters at either end.

    >>> sweeping(FieldNetwork(rubbish=True))(torch.zeros(2, 1, 40, 160)).shape
    torch.Size([2, 38, 11])
    """
    return SpaceDisplacementNetwork(network, margin=network.field[1] // 2 - 4, background=0.0)


def _convolution(
    planes: int,
    maps: int,
    size: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(planes, maps, size, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(maps),
        nn.ReLU(inplace=True),
    )
