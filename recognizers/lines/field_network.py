"""A network of convolutions for fields of amounts: it sees a character among its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names
from recognizers.convolutions import convolution, initialize_convolutions
from recognizers.lines.columns import COLUMN, MAPS, column_layers
from recognizers.sdnn import SpaceDisplacementNetwork

__all__ = ["FieldNetwork", "sweeping"]


class FieldNetwork(nn.Module):
    """Windows ``[B, 1, 40, W]`` (0 paper, 1 ink) to penalties ``[B, C, 1, columns]``.

    Convolutions make a vector of each column (:func:`recognizers.lines.columns.column_layers`), and
    three along the line, five columns wide each, see it among its neighbours. So a window is 83
    pixels wide, three or four characters: the ink beside a stroke tells a one from a part of a
    four, and a point from a zero. The image is as high as the window, so the network is swept
    along the line only (:func:`sweeping`). Batch normalisation and drop-out; 232,267 parameters
    with eleven classes. The penalties are not normalised.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish", as the last output: for everything that is not
      a character, and for the space between two.
    - `maps`: of the five convolutions; `column`: units of a column's vector; `line`: maps of the
      convolutions along the line.
    - `dropout`: share of the units left out before each layer along the line in training.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> net = FieldNetwork(rubbish=True)
    >>> net(torch.zeros(2, 1, 40, 83)).shape, net(torch.zeros(2, 1, 40, 200)).shape
    (torch.Size([2, 11, 1, 1]), torch.Size([2, 11, 1, 30]))
    """

    field = (40, 83)
    """Height and width of a window."""

    stride = (8, 4)
    """Pixels between outputs; vertically there is one row of them."""

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        maps: Sequence[int] = MAPS,
        column: int = COLUMN,
        line: Sequence[int] = (88, 88, 80),
        dropout: float = 0.05,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish)
        layers = column_layers(maps, column, along=0)
        before = column
        for planes in line:
            layers += [nn.Dropout(dropout), *convolution(before, planes, (1, 5))]
            before = planes
        self.layers = nn.Sequential(
            *layers, nn.Dropout(dropout), nn.Conv2d(before, len(self.classes), 1)
        )
        initialize_convolutions(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties (nats, lower is better)."""
        penalties: Tensor = self.layers(images.contiguous(memory_format=torch.channels_last))
        return penalties.float()


def sweeping(network: FieldNetwork) -> SpaceDisplacementNetwork:
    """Return the network swept over lines, with enough paper for characters at either end.

    >>> sweeping(FieldNetwork(rubbish=True))(torch.zeros(2, 1, 40, 160)).shape
    torch.Size([2, 38, 11])
    """
    return SpaceDisplacementNetwork(network, margin=network.field[1] // 2 - 4, background=0.0)
