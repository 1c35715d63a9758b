"""A bilinear network of two streams for segments: an example of a recognizer of your own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recognizers.classes import DIGITS, class_names

__all__ = ["BilinearNet"]


class BilinearNet(nn.Module):
    """Segments ``[A, 1, 32, 32]`` and their surroundings ``[A, 2, 32, 32]`` to ``[A, C]``.

    Two streams of convolutions, as in :class:`recognizers.segment_networks.two_stream.TwoStream`,
    but each changes what the other means: a vector x of the ink and a vector y of its place give
    the penalty ``x W_c y`` of class c. Both have a constant one, so each also counts by itself.
    Batch normalisation; 38,387 parameters with eleven classes.

    - `classes`: one character per class, in the order of the outputs.
    - `rubbish`: append one class, named "rubbish", as the last output.
    - `ink`, `place`: numbers of maps of each stream; the last is the length of its vector.
    - `generator`: the same state gives the same parameters.

    Raises ValueError for no, or repeated, classes.

    >>> net = BilinearNet("0123456789", rubbish=True)
    >>> net(torch.zeros(3, 1, 32, 32), torch.zeros(3, 2, 32, 32)).shape
    torch.Size([3, 11])
    >>> sum(p.numel() for p in net.parameters())
    38387
    """

    reads = ("image", "surroundings")
    """Names of the arc data that the network is called with."""

    def __init__(
        self,
        classes: str = DIGITS,
        *,
        rubbish: bool = False,
        ink: Sequence[int] = (16, 32, 48),
        place: Sequence[int] = (12, 16, 24),
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
        }
        self.ink, self.place = _stream(1, ink), _stream(2, place)
        self.meet = nn.Bilinear(ink[-1] + 1, place[-1] + 1, len(self.classes), bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
        # Each penalty is a sum of about a thousand products.
        bound = (3.0 / self.meet.weight[0].numel()) ** 0.5
        nn.init.uniform_(self.meet.weight, -bound, bound, generator=generator)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor, surroundings: Tensor) -> Tensor:
        """Return the penalties ``[A, C]`` (nats, lower is better, not normalised)."""
        if not len(image):
            return image.new_zeros(0, len(self.classes))
        ink = self.ink(image.contiguous(memory_format=torch.channels_last))
        place = self.place(surroundings.contiguous(memory_format=torch.channels_last))
        x, y = (nn.functional.pad(vector, (0, 1), value=1.0) for vector in (ink, place))
        penalties: Tensor = self.meet(x, y)
        return penalties


def _stream(planes: int, sizes: Sequence[int]) -> nn.Sequential:
    """Return the layers from ``[A, planes, 32, 32]`` to ``[A, sizes[-1]]``."""
    first, second, third = sizes
    return nn.Sequential(
        *_convolution(planes, first, 5, stride=2),  # 14 x 14
        *_convolution(first, second, 3, stride=2, padding=1),  # 7 x 7
        *_convolution(second, third, 3, stride=2),  # 3 x 3
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def _convolution(
    planes: int, maps: int, size: int, *, stride: int, padding: int = 0
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(planes, maps, size, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(maps),
        nn.ReLU(inplace=True),
    )
