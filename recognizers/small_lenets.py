"""LeNet-1 and LeNet-4 (section III-C): the smaller relatives of LeNet-5.

The paper leaves out their wiring and their outputs; this is ours:

- LeNet-1: 4 of the 12 maps of the second convolution read one map of the first level, 8 read
  two, which gives the 20 kernels and 2,578 parameters of the companion paper;
- LeNet-4: each of the 16 maps reads 3 of the 8 subsampled ones, which gives the printed 260,000
  connections. The printed 17,000 parameters are not possible with the layers described: the full
  layer of 120 alone has 48,120;
- the output of both is either "rbf": one squashed unit for each class, and the squared distance of
  the ten units to the place code of each class (+1 for it, -1 for the others), so that the losses
  of eqs. 8 and 9 apply as to LeNet-5; or "softmax": one sum for each class and minus log softmax.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizers.classes import DIGITS, class_names
from recognizers.layers import ConnectedConv2d, EuclideanRBF, ScaledTanh, Subsampling

LENET1_TABLE = (
    (0,), (0, 1), (0, 1), (1,), (1, 2), (0, 2), (2,), (2, 3), (2, 3), (3,), (0, 3), (1, 3),
)  # fmt: skip

LENET4_TABLE = tuple(
    tuple(sorted((m + step) % 8 for step in steps))
    for steps in ((0, 1, 3), (0, 2, 5))
    for m in range(8)
)


class _PlaceCoded(nn.Module, ABC):
    """A chain of layers that ends in one state per class, and the penalties of these states."""

    size: int

    def __init__(self, classes: str, output: str) -> None:
        super().__init__()
        if output not in ("rbf", "softmax"):
            raise ValueError(f'output must be "rbf" or "softmax", not {output!r}')
        self.classes = class_names(classes, False)
        self.settings: dict[str, Any] = {"classes": classes, "output": output}
        self.squash = ScaledTanh()
        self.out: nn.Module | None = None
        if output == "rbf":
            self.out = EuclideanRBF(2.0 * torch.eye(len(self.classes)) - 1.0)

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return the states of the last layer before the output, [B, classes, 1, 1]."""

    def penalties(self, states: Tensor) -> Tensor:
        """Return the penalties [B, classes] of the states of `features`."""
        states = states.flatten(1)
        return -functional.log_softmax(states, 1) if self.out is None else self.out(states)

    def _ends(self, sums: Tensor) -> Tensor:
        return sums if self.out is None else self.squash(sums)

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties [B, classes], in nats, of images [B, 1, size, size]."""
        return self.penalties(self.features(images))

    def _check(self, images: Tensor) -> None:
        if images.dim() != 4 or tuple(images.shape[1:]) != (1, self.size, self.size):
            raise ValueError(
                f"images must be [B, 1, {self.size}, {self.size}], not {tuple(images.shape)}"
            )


class LeNet1(_PlaceCoded):
    """LeNet-1: images [B, 1, 28, 28], the digit 16x16 in the middle, to penalties [B, classes].

    Raises ValueError for images of another size and for unknown or repeated classes or outputs.

    >>> net = LeNet1(generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 1, 28, 28)).shape, sum(p.numel() for p in net.parameters())
    (torch.Size([2, 10]), 2578)
    """

    size = 28

    def __init__(
        self,
        classes: str = DIGITS,
        output: str = "rbf",
        *,
        initialization: str = "paper",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(classes, output)
        draw: dict[str, Any] = {"generator": generator, "initialization": initialization}
        self.h1 = ConnectedConv2d(1, 4, 5, **draw)
        self.h2 = Subsampling(4)
        self.h3 = ConnectedConv2d(4, 12, 5, table=LENET1_TABLE, **draw)
        self.h4 = Subsampling(12)
        self.units = ConnectedConv2d(12, len(self.classes), 4, **draw)

    def features(self, images: Tensor) -> Tensor:
        """States of the output units, sums for "softmax", [B, classes, 1, 1]."""
        self._check(images)
        f = self.squash
        x = f(self.h2(f(self.h1(images))))
        x = f(self.h4(f(self.h3(x))))
        return self._ends(self.units(x))


class LeNet4(_PlaceCoded):
    """LeNet-4: images [B, 1, 32, 32] to penalties [B, classes].

    Raises ValueError for images of another size and for unknown or repeated classes or outputs.

    >>> net = LeNet4(generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 1, 32, 32)).shape, sum(p.numel() for p in net.parameters())
    (torch.Size([2, 10]), 50698)
    """

    size = 32

    def __init__(
        self,
        classes: str = DIGITS,
        output: str = "rbf",
        *,
        initialization: str = "paper",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(classes, output)
        draw: dict[str, Any] = {"generator": generator, "initialization": initialization}
        self.c1 = ConnectedConv2d(1, 4, 5, **draw)
        self.s2 = Subsampling(8, copies=2)
        self.c3 = ConnectedConv2d(8, 16, 5, table=LENET4_TABLE, **draw)
        self.s4 = Subsampling(16)
        self.f5 = ConnectedConv2d(16, 120, 5, **draw)
        self.units = ConnectedConv2d(120, len(self.classes), 1, **draw)

    def hidden(self, images: Tensor) -> Tensor:
        """States of the full layer of 120 units, [B, 120, 1, 1]."""
        self._check(images)
        f = self.squash
        x = f(self.s2(f(self.c1(images))))
        x = f(self.s4(f(self.c3(x))))
        return f(self.f5(x))

    def features(self, images: Tensor) -> Tensor:
        """States of the output units, sums for "softmax", [B, classes, 1, 1]."""
        return self._ends(self.units(self.hidden(images)))
