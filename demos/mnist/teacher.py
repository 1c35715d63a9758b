"""A wider network that LeNet-5 learns from beside the labels; it is not in the paper.

LeNet-5 has too few parameters to learn all distorted digits by heart. What a wider network thinks
of each of them, how much of a 7 there is in this 1, tells it more than the label.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizers.layers import ConnectedConv2d

__all__ = ["WideNetwork", "taught_loss"]


class WideNetwork(nn.Module):
    """Six layers with rectifiers: images [B, 1, 32, 32] to penalties [B, 10], in nats.

    Sums are taken in bfloat16: a third of the time where the processor multiplies matrices of it.
    Raises ValueError for images of another size and for an output other than "softmax".

    >>> net = WideNetwork(generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 1, 32, 32)).shape, sum(p.numel() for p in net.parameters())
    (torch.Size([2, 10]), 225962)
    """

    def __init__(
        self,
        output: str = "softmax",
        *,
        initialization: str = "unit-variance",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if output != "softmax":
            raise ValueError(f'the output of the wide network is "softmax", not {output!r}')
        self.settings: dict[str, Any] = {}
        draw: dict[str, Any] = {"generator": generator, "initialization": initialization}
        self.c1 = ConnectedConv2d(1, 24, 5, **draw)
        self.c2 = ConnectedConv2d(24, 48, 3, **draw)
        self.c3 = ConnectedConv2d(48, 64, 3, **draw)
        self.c4 = ConnectedConv2d(64, 64, 3, **draw)
        self.f5 = ConnectedConv2d(64, 256, 3, **draw)
        self.units = ConnectedConv2d(256, 10, 1, **draw)

    def forward(self, images: Tensor) -> Tensor:
        """Penalties of images: minus log softmax of ten sums."""
        if images.dim() != 4 or tuple(images.shape[1:]) != (1, 32, 32):
            raise ValueError(f"images must be [B, 1, 32, 32], not {tuple(images.shape)}")
        f = functional.relu
        with torch.autocast(images.device.type, torch.bfloat16):
            x = self.c1(images).contiguous(memory_format=torch.channels_last)
            x = f(self.c2(functional.max_pool2d(f(x), 2)))
            x = functional.max_pool2d(f(self.c3(x)), 2)
            x = self.units(f(self.f5(f(self.c4(x)))))
        return -functional.log_softmax(x.float().flatten(1), 1)


def taught_loss(penalties: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Cross entropy of what a teacher says and what is said here, a mean over the batch, in nats.

    Both [B, C] are penalties, divided by ``temperature`` before they become probabilities; the
    square of it makes up for the smaller gradient (Hinton, Vinyals and Dean, 2015).

    >>> taught_loss(torch.zeros(1, 2), torch.tensor([[0.0, 50.0]]), 1.0)  # log 2
    tensor(0.6931)
    """
    wanted = functional.softmax(-taught / temperature, 1)
    said = functional.log_softmax(-penalties / temperature, 1)
    return -(temperature**2) * (wanted * said).sum(1).mean()
