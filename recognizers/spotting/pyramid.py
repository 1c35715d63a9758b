"""A network swept over a page at several resolutions: which window is where (section VII)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recognizers.datasets.mnist import BACKGROUND
from recognizers.sdnn import LineError, SpaceDisplacementNetwork

__all__ = ["OBJECT", "Places", "Pyramid"]

OBJECT = 20.0
"""Height in pixels at which the network finds objects best: that of MNIST's digits."""


@dataclass(frozen=True)
class Places:
    """The places of a pyramid's windows, all resolutions one after the other.

    Attributes:
        x, y: the middle of each window, in pixels of the page, ``[N]``.
        size: height of the objects that the window is made for, in pixels of the page, ``[N]``.
        shapes: rows and columns of each resolution.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    size: NDArray[np.float64]
    shapes: tuple[tuple[int, int], ...]


class Pyramid(nn.Module):
    """Pages ``[B, 1, H, W]`` to penalties ``[B, N, C]`` of all windows at all resolutions.

    - `network`: as for :class:`recognizers.sdnn.SpaceDisplacementNetwork`, whose maps it uses.
    - `octaves`: resolutions, as the binary logarithm of the reduction.
    - `margin`: pixels of background around each resolution, so that windows are centred on
      objects at the edge.

    >>> from recognizers.spotting.network import SpotNetwork
    >>> pyramid = Pyramid(SpotNetwork())
    >>> penalties = pyramid(torch.full((1, 1, 64, 80), -0.1))
    >>> penalties.shape, len(pyramid.places(64, 80).x), pyramid.places(64, 80).shapes
    (torch.Size([1, 376, 11]), 376, ((13, 17), (9, 12), (5, 7), (3, 4)))
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        octaves: Sequence[float] = (0.0, 0.5, 1.0, 1.5),
        margin: int = 9,
    ) -> None:
        super().__init__()
        self.sdnn = SpaceDisplacementNetwork(network)
        self.octaves = tuple(octaves)
        self.margin = margin

    def forward(self, pages: Tensor) -> Tensor:
        """Return the penalties of all windows; a resolution smaller than a window has none.

        Raises:
            LineError: pages that are smaller than a window at every resolution.
        """
        height, width = pages.shape[2:]
        found = []
        for size in self._sizes(height, width):
            if self._rows(size) is None:
                continue
            if size == (height, width):
                page = pages
            else:
                page = functional.interpolate(pages, size, mode="bilinear", antialias=True)
            page = functional.pad(page, (self.margin,) * 4, value=BACKGROUND)
            found.append(self.sdnn.maps(page).flatten(2).transpose(1, 2))
        if not found:
            least = " x ".join(str(side - 2 * self.margin) for side in self.sdnn.field[::-1])
            raise LineError(
                f"a page of {width} x {height} pixels is smaller than a window, {least} without "
                "its margin, at every resolution; add background"
            )
        return torch.cat(found, dim=1)

    def places(self, height: int, width: int) -> Places:
        """Return the places of the windows of pages of this size."""
        xs, ys, sizes, shapes = [], [], [], []
        (field_h, field_w), (step_h, step_w) = self.sdnn.field, self.sdnn.stride
        for h, w in self._sizes(height, width):
            shape = self._rows((h, w))
            if shape is None:
                continue
            rows = (np.arange(shape[0]) * step_h + field_h / 2 - self.margin) * (height / h)
            columns = (np.arange(shape[1]) * step_w + field_w / 2 - self.margin) * (width / w)
            y, x = np.meshgrid(rows, columns, indexing="ij")
            xs.append(x.ravel())
            ys.append(y.ravel())
            sizes.append(np.full(x.size, OBJECT * height / h))
            shapes.append(shape)
        x, y, size = (np.concatenate([np.empty(0), *part]) for part in (xs, ys, sizes))
        return Places(x, y, size, tuple(shapes))

    def _sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        factors = [2.0**-octave for octave in self.octaves]
        return [(max(1, round(f * height)), max(1, round(f * width))) for f in factors]

    def _rows(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """Return rows and columns of the outputs of a resolution; None if there are none."""
        room = [s + 2 * self.margin - f for s, f in zip(size, self.sdnn.field, strict=True)]
        if min(room) < 0:
            return None
        rows, columns = (r // s + 1 for r, s in zip(room, self.sdnn.stride, strict=True))
        return rows, columns
