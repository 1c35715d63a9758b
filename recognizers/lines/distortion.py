"""Random variants of whole lines of writing: other hands, pens, papers and crops."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["LineDistortion"]


@dataclass(frozen=True)
class LineDistortion:
    """A random variant of each line of a batch, each strength drawn uniformly from ±range.

    Called with lines ``[B, 1, H, W]``, 0 paper and 1 ink, it returns as many, ``[B, 1, H, W']``,
    wide enough for the widest. The same generator state gives the same result.

    - `stretch`: log of the factor of the width.
    - `size`: log of the factor of both sides; `down`: share of the height by which a line moves.
    - `slant`: pixels across for one pixel down; `rotation`: radians.
    - `waves`: pixels by which points move in either direction, neighbours alike.
    - `thickness`: share of the way to strokes that are a pixel thicker on each side (or thinner).
    - `gamma`: log of the exponent of the ink; `noise`: largest standard deviation of the grain.
    - `blot`: share of the lines in which a box is painted over with paper.

    >>> lines = torch.rand(2, 1, 40, 100)
    >>> LineDistortion()(lines, torch.Generator().manual_seed(0)).shape[:3]
    torch.Size([2, 1, 40])
    """

    stretch: float = 0.25
    size: float = 0.15
    down: float = 0.08
    slant: float = 0.35
    rotation: float = 0.04
    waves: float = 2.0
    thickness: float = 0.6
    gamma: float = 0.4
    noise: float = 0.08
    blot: float = 0.1

    def __call__(self, lines: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the variants."""
        moved = self._moved(lines, generator)
        inked = self._rethickened(moved, generator)
        count = len(lines)
        gamma = torch.exp(self.gamma * _draw(generator, count, 1, 1, 1))
        inked = inked.clamp(1e-4, 1.0).pow(gamma)
        deviation = self.noise * torch.rand(count, 1, 1, 1, generator=generator)
        inked = inked + deviation * torch.randn(inked.shape, generator=generator)
        return self._blotted(inked.clamp_(0.0, 1.0), generator)

    def _moved(self, lines: Tensor, generator: torch.Generator | None) -> Tensor:
        """Move the ink: affine maps and waves."""
        count, _, height, width = lines.shape
        size = torch.exp(self.size * _draw(generator, count))
        across = size * torch.exp(self.stretch * _draw(generator, count))
        slant = self.slant * _draw(generator, count)
        angle = self.rotation * _draw(generator, count)
        down = self.down * height * _draw(generator, count)
        wide = 8 * math.ceil(width * min(float(across.max()), 1.6) / 8)
        # Where each pixel of the result comes from, in pixels from the middle.
        cos, sin = torch.cos(angle), torch.sin(angle)
        y = torch.arange(height).sub(0.5 * (height - 1)).view(1, -1, 1)
        x = torch.arange(wide).sub(0.5 * (wide - 1)).view(1, 1, -1)
        y = y - down.view(-1, 1, 1)
        from_y = (cos.view(-1, 1, 1) * y - sin.view(-1, 1, 1) * x) / size.view(-1, 1, 1)
        from_x = (sin.view(-1, 1, 1) * y + cos.view(-1, 1, 1) * x) / across.view(-1, 1, 1)
        from_x = from_x + slant.view(-1, 1, 1) * y / across.view(-1, 1, 1)
        if self.waves:
            coarse = (count, 2, 2 + height // 16, 2 + wide // 16)
            drawn = self.waves * torch.randn(coarse, generator=generator).clamp_(-2.0, 2.0) / 2.0
            drift = functional.interpolate(drawn, (height, wide), mode="bilinear")
            from_x, from_y = from_x + drift[:, 0], from_y + drift[:, 1]
        grid = torch.stack((from_x * (2.0 / width), from_y * (2.0 / height)), dim=3)
        return functional.grid_sample(lines, grid, align_corners=False)

    def _rethickened(self, lines: Tensor, generator: torch.Generator | None) -> Tensor:
        """Make the strokes of each line thicker or thinner."""
        share = self.thickness * _draw(generator, len(lines), 1, 1, 1)
        thick = _dilated(lines)
        thin = -_dilated(-lines)
        return torch.where(
            share > 0, lines + share * (thick - lines), lines - share * (thin - lines)
        )

    def _blotted(self, lines: Tensor, generator: torch.Generator | None) -> Tensor:
        """Paint over a box in some lines: a third as high as the line, as wide as a stroke."""
        count, _, height, width = lines.shape
        drawn = torch.rand(count, 3, generator=generator)
        for i in torch.nonzero(drawn[:, 0] < self.blot).flatten().tolist():
            top = int(drawn[i, 1] * 0.7 * height)
            left = int(drawn[i, 2] * max(width - 8, 1))
            lines[i, :, top : top + int(0.3 * height), left : left + 6] = 0.0
        return lines


def _draw(generator: torch.Generator | None, *shape: int) -> Tensor:
    """Return numbers from -1 to 1."""
    return 2.0 * torch.rand(*shape, generator=generator) - 1.0


def _dilated(lines: Tensor) -> Tensor:
    """Return the largest of each pixel and its eight neighbours."""
    padded = functional.pad(lines, (1, 1, 1, 1), mode="replicate")
    rows = torch.maximum(
        torch.maximum(padded[..., :-2, :], padded[..., 1:-1, :]), padded[..., 2:, :]
    )
    return torch.maximum(torch.maximum(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])
