"""A convolutional recurrent network over whole lines: CRNN (Shi, Bai and Yao 2017).

Convolutions see a line of writing without cutting it; an LSTM reads their columns in both
directions; each column has one penalty per class. Over-segmentation is compared with this network,
trained by CTC (:class:`gtn.nn.CTCLoss`) or, like everything else, globally through a grammar
(:class:`gtn.nn.MMILoss`, eq. 17).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names
from recognizers.convolutions import initialize_convolutions
from recognizers.lines.columns import COLUMN, MAPS, column_layers

__all__ = ["CRNN"]


class CRNN(nn.Module):
    """Lines ``[B, 1, 40, W]`` (0 paper, 1 ink) to penalties ``[B, T, C]`` of T = W / 4 columns.

    Convolutions make a vector of each column (:func:`recognizers.lines.columns.column_layers`), an
    LSTM reads those in both directions, and one full layer reads its states. The penalties are not
    normalised. 199,067 parameters with eleven classes.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish", as the last output: for columns without a
      character, the blank of CTC.
    - `maps`: of the five convolutions; `column`: units of a column's vector; `units`: of the LSTM,
      each way.
    - `dropout`: share of the units left out in training, before and behind the LSTM.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> CRNN("0123456789", rubbish=True)(torch.zeros(2, 1, 40, 160)).shape
    torch.Size([2, 40, 11])
    """

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        maps: Sequence[int] = MAPS,
        column: int = COLUMN,
        units: int = 64,
        dropout: float = 0.05,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish)
        self.stages = nn.Sequential(*column_layers(maps, column))
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(column, units, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * units, len(self.classes))
        initialize_convolutions(self, generator)
        for parameter in (*self.recurrent.parameters(), *self.out.parameters()):
            nn.init.uniform_(parameter, -(units**-0.5), units**-0.5, generator=generator)

    def forward(self, lines: Tensor) -> Tensor:
        """Return the penalties ``[B, T, C]`` in nats."""
        maps = self.stages(lines.contiguous(memory_format=torch.channels_last))
        columns = self.dropout(maps.squeeze(2).transpose(1, 2).float())
        with torch.autocast("cpu", enabled=False):
            states = self.dropout(self.recurrent(columns)[0])
            penalties: Tensor = self.out(states)
        return penalties
