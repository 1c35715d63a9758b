"""Space displacement networks: a recognizer of characters swept over lines and pages (section VII).

Neighbouring windows share most of what a convolutional network computes. So a recognizer of single
characters made of convolutions alone reads all positions of a large image in one pass, with
unchanged parameters, and gives for each window what it would give for that window cut out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from recognizers.datasets.mnist import BACKGROUND

__all__ = ["LineError", "SpaceDisplacementNetwork", "multiply_adds_of"]


class LineError(ValueError):
    """An image that the network cannot be swept over; the message gives sizes that it can."""


class SpaceDisplacementNetwork(nn.Module):
    """A recognizer swept over lines: images ``[B, 1, H, W]`` to penalties ``[B, T, C]``.

    There is one output for each window of the network's field, ``step`` pixels apart; it is what
    the network gives for that window alone (:meth:`by_windows`). The parameters are those of the
    network: training one trains the other. :meth:`maps` sweeps over pages, in two dimensions.

    - `network`: takes ``[B, 1, h, w]`` and gives ``[B, C]`` for one window, and maps
      ``[B, C, rows, columns]`` for larger images. It must not pad, and must normalise, if at all,
      by running statistics. Any :class:`recognizers.lenet.LeNet5` will do, whatever its output.
    - `field`: height and width of the window; by default the network's own attribute, or (32, 32)
      as of a LeNet.
    - `stride`: pixels between outputs, vertically and horizontally; by default the network's own
      attribute, or (4, 4) as of a LeNet, whose two subsamplings each halve the positions.
    - `step`: pixels between outputs along the line; by default the horizontal stride, in one pass.
      A divisor of the stride takes one pass per shift: LeNet-5 at step 2 costs twice as much.
    - `margin`: columns of background added at both ends of a line, so that the first and the last
      character stand in the middle of some window.

    >>> from recognizers.lenet import LeNet5
    >>> network = SpaceDisplacementNetwork(LeNet5(rubbish=True), margin=8)
    >>> emissions = network(torch.full((2, 1, 32, 100), -0.1))
    >>> emissions.shape, network.columns([100, 48, 16])
    (torch.Size([2, 22, 11]), array([22,  9,  1]))
    >>> network.maps(torch.zeros(1, 1, 64, 40)).shape
    torch.Size([1, 11, 9, 3])
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        field: tuple[int, int] | None = None,
        stride: tuple[int, int] | None = None,
        step: int | None = None,
        margin: int = 0,
        background: float = BACKGROUND,
    ) -> None:
        super().__init__()
        self.network = network
        self.field: tuple[int, int] = field or getattr(network, "field", (32, 32))
        self.stride: tuple[int, int] = stride or getattr(network, "stride", (4, 4))
        self.step = self.stride[1] if step is None else step
        if self.step < 1 or self.stride[1] % self.step:
            raise ValueError(
                f"step {step} does not divide the network's stride of {self.stride[1]} pixels"
            )
        if margin < 0:
            raise ValueError(f"the margin is a number of columns, not {margin}")
        self.margin, self.background = margin, background

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        names: tuple[str, ...] = self.network.classes  # type: ignore[assignment]
        return names

    def forward(self, lines: Tensor) -> Tensor:
        """Return the penalties of all positions of lines ``[B, 1, H, W]``: ``[B, T, C]``, nats.

        Time and memory are proportional to the width.

        Raises:
            LineError: lines with more or less than one row of windows, or without a window.
        """
        self._check(lines, self.margin)
        height, low = lines.shape[2], self.field[0]
        if not low <= height < low + self.stride[0]:
            raise LineError(
                f"a line must be {low} to {low + self.stride[0] - 1} pixels high for the network's "
                f"field of {low}, not {height}; scale it, or sweep in two dimensions with maps()"
            )
        padded = functional.pad(lines, (self.margin, self.margin), value=self.background)
        return self._swept(padded, self.stride[1] // self.step).squeeze(2).transpose(1, 2)

    def maps(self, pages: Tensor) -> Tensor:
        """Return the penalties of all positions of pages ``[B, 1, H, W]``: ``[B, C, h, w]``.

        There is no margin; one row per vertical stride, one column per horizontal stride.

        Raises:
            LineError: pages lower or narrower than the network's field.
        """
        self._check(pages, 0)
        return self._swept(pages, 1)

    def columns(self, widths: int | Sequence[int] | np.ndarray) -> np.ndarray:
        """Return how many outputs lines of these widths have, int64; 0 for too narrow ones.

        For lines padded on the right to one width, these are the ``lengths``.
        """
        room = np.asarray(widths, dtype=np.int64) + 2 * self.margin - self.field[1]
        return np.maximum(room // self.step + 1, 0)

    def centres(self, count: int) -> np.ndarray:
        """Return the x at the middle of the windows of the first outputs, in pixels of the line.

        >>> from recognizers.lenet import LeNet5
        >>> SpaceDisplacementNetwork(LeNet5()).centres(3)
        array([16., 20., 24.])
        """
        return np.arange(count) * float(self.step) + self.field[1] / 2 - self.margin

    def windows(self, lines: Tensor) -> Tensor:
        """Return the windows of lines ``[B, 1, H, W]`` in order: ``[B, T, 1, h, w]``."""
        self._check(lines, self.margin)
        padded = functional.pad(lines, (self.margin, self.margin), value=self.background)
        cut = padded[:, :, : self.field[0]].unfold(3, self.field[1], self.step)
        return cut.permute(0, 3, 1, 2, 4)

    def by_windows(self, lines: Tensor) -> Tensor:
        """Return what :meth:`forward` returns, the slow way: one window after the other."""
        windows = self.windows(lines)
        found: Tensor = self.network(windows.flatten(0, 1))
        return found.reshape(*windows.shape[:2], -1)

    def _check(self, images: Tensor, margin: int) -> None:
        planes = getattr(self.network, "planes", 1)  # annotated images of ink have five
        if images.dim() != 4 or images.shape[1] != planes:
            raise LineError(f"images must be [B, {planes}, H, W], not {tuple(images.shape)}")
        height, width = images.shape[2:]
        if height < self.field[0]:
            raise LineError(
                f"an image {height} pixels high is lower than the network's field of "
                f"{self.field[0]}; scale it or add background"
            )
        if width + 2 * margin < self.field[1]:
            with_margin = f" (and a margin of {margin})" if margin else ""
            raise LineError(
                f"an image {width} pixels wide{with_margin} is narrower than the network's field "
                f"of {self.field[1]}; add background"
            )

    def _swept(self, images: Tensor, passes: int) -> Tensor:
        """Return maps ``[B, C, rows, columns]``, of so many passes one beside the other."""
        count = (images.shape[3] - self.field[1]) * passes // self.stride[1] + 1
        shifts = min(passes, count)
        found = [self._map(images[..., self.step * shift :]) for shift in range(shifts)]
        if passes == 1:
            return found[0]
        # The last shifts may have one column less: fill it up, interleave, and cut it off again.
        most = found[0].shape[3]
        filled = [functional.pad(part, (0, most - part.shape[3])) for part in found]
        return torch.stack(filled, dim=4).flatten(3)[..., :count]

    def _map(self, images: Tensor) -> Tensor:
        penalties: Tensor = self.network(images)
        return penalties[..., None, None] if penalties.dim() == 2 else penalties

    def extra_repr(self) -> str:
        """What `repr` shows before the network."""
        return f"field={self.field}, stride={self.stride}, step={self.step}, margin={self.margin}"


def multiply_adds_of(network: nn.Module, *images: Any) -> int:
    """Return the multiply-adds of the convolutions and matrix products of a network on images.

    The network runs once on ``images``, without gradients. The quotient of two such counts says how
    much one sweep saves over separate windows.

    >>> from recognizers.lenet import LeNet5
    >>> once = multiply_adds_of(LeNet5(), torch.zeros(1, 1, 32, 400))
    >>> each = multiply_adds_of(LeNet5(), torch.zeros(93, 1, 32, 32))
    >>> round(each / once, 1)
    3.3
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(*images)
    return int(counter.get_total_flops()) // 2
