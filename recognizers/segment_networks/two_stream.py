"""A network of two streams: the shape of a segment, and its place among other ink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names
from recognizers.convolutions import convolution

__all__ = ["TwoStream"]


class TwoStream(nn.Module):
    """Segments ``[A, 1, 32, 32]`` and their surroundings ``[A, 2, 32, 32]`` to ``[A, C]``.

    One stream of convolutions sees the size-normalised ink, as LeNet-5 does; the other sees the
    segment where it stands on the line, and the ink around it in a plane of its own
    (:mod:`recognizers.segmentation.surroundings`). The last layer joins a full vector of each. So
    the network can tell a point from a zero, and the upstroke of a one from a one. Batch
    normalisation and drop-out; 242,075 parameters with eleven classes.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish", as the last output.
    - `ink`, `place`: for each stream the numbers of maps of its convolutions, and its units.
    - `dropout`: share of the units left out in training.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> net = TwoStream("0123456789", rubbish=True)
    >>> net(torch.zeros(3, 1, 32, 32), torch.zeros(3, 2, 32, 32)).shape
    torch.Size([3, 11])
    """

    reads = ("image", "surroundings")
    """Names of the arc data that the network is called with."""

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        ink: Sequence[int] = (32, 48, 72, 96),
        place: Sequence[int] = (16, 24, 32, 32),
        dropout: float = 0.2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.classes = class_names(classes, rubbish)
        # The arguments to rebuild this network; a checkpoint keeps them beside the parameters.
        self.settings: dict[str, Any] = {
            "classes": classes,
            "rubbish": rubbish,
            "ink": list(ink),
            "place": list(place),
            "dropout": dropout,
        }
        self.ink = _stream(1, ink, dropout)
        self.place = _stream(2, place, dropout)
        meeting = nn.Linear(ink[-1] + place[-1], len(self.classes))
        self.out = nn.Sequential(nn.Dropout(dropout), meeting)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        # The channels-last layout is twice as fast on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor, surroundings: Tensor) -> Tensor:
        """Return the penalties ``[A, C]`` (nats, lower is better, not normalised)."""
        if not len(image):
            return image.new_zeros(0, len(self.classes))
        streams = ((self.ink, image), (self.place, surroundings))
        vectors = [stream(x.contiguous(memory_format=torch.channels_last)) for stream, x in streams]
        penalties: Tensor = self.out(torch.cat(vectors, dim=1))
        return penalties


def _stream(planes: int, sizes: Sequence[int], dropout: float) -> nn.Sequential:
    """Return the layers from ``[A, planes, 32, 32]`` to ``[A, units]``."""
    first, second, third, units = sizes
    return nn.Sequential(
        *convolution(planes, first, 5, stride=2),  # 14 x 14
        *convolution(first, second, 3),  # 12 x 12
        nn.MaxPool2d(2),  # 6 x 6
        *convolution(second, third, 3, padding=1),
        *convolution(third, third, 3),  # 4 x 4
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(16 * third, units, bias=False),
        nn.BatchNorm1d(units),
        nn.ReLU(),
    )
