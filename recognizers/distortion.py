"""Random planar affine distortions of images (paper sections III-B and III-C), and elastic ones.

The paper's family is horizontal and vertical translation, scaling, squeezing (horizontal
compression with vertical stretching, or the reverse) and horizontal shearing. Rotation and
elastic distortion do not belong to it and are off by default. The paper does not print its ranges;
the defaults are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Distortion:
    """A random affine map for each image of a batch, each strength drawn uniformly from ±range.

    - `translation`: pixels, along each axis.
    - `scaling`: size is multiplied by a factor between 1 / (1 + scaling) and 1 + scaling.
    - `squeezing`: width is multiplied by such a factor and height divided by it.
    - `shearing`: horizontal shift in pixels per pixel of height.
    - `rotation`: degrees, clockwise on the screen where positive.
    - `elastic`: standard deviation, in pixels along each axis, of a smooth random displacement;
      normally distributed, and nearly independent at points `elastic_spacing` pixels apart.

    The affine maps keep the centre of the image in place, translation apart. Called with
    images [B, 1, H, W] it returns images of the same shape; with all ranges 0, the same images.
    The same generator state gives the same result. Raises ValueError for negative ranges.

    >>> images = torch.rand(4, 1, 32, 32)
    >>> Distortion()(images, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 1, 32, 32])
    >>> none = Distortion(translation=0, scaling=0, squeezing=0, shearing=0)
    >>> torch.allclose(none(images), images, atol=1e-6)
    True
    """

    translation: float = 2.0
    scaling: float = 0.15
    squeezing: float = 0.15
    shearing: float = 0.2
    rotation: float = 0.0
    elastic: float = 0.0
    elastic_spacing: float = 6.0

    def __post_init__(self) -> None:
        if not self.elastic_spacing >= 1:
            raise ValueError(f"elastic_spacing must be at least 1, not {self.elastic_spacing}")
        for name in ("translation", "scaling", "squeezing", "shearing", "rotation", "elastic"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a range of at least 0, not {value}")

    def __call__(
        self,
        images: Tensor,
        generator: torch.Generator | None = None,
        background: float | Tensor | None = None,
    ) -> Tensor:
        """Distort every image by a map of its own; `background` as in `warp`."""
        matrices = self.matrices(len(images), generator)
        if self.elastic == 0 or images.numel() == 0:
            return warp(images, matrices, background)
        count, _, height, width = images.shape
        moves = self.displacements(count, height, width, generator).to(images)
        return warp(images, matrices, background, moves)

    def displacements(
        self, count: int, height: int, width: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return smooth random displacements [count, 2, height, width] along x and y, in pixels.

        Normal values at points `elastic_spacing` apart, cubic interpolation between them.
        """
        device = generator.device if generator is not None else torch.device("cpu")
        rows, columns = (max(2, 1 + round((n - 1) / self.elastic_spacing)) for n in (height, width))
        knots = torch.randn(count, 2, rows, columns, generator=generator, device=device)
        smooth = functional.interpolate(
            knots, size=(height, width), mode="bicubic", align_corners=True
        )
        return self.elastic * smooth

    def matrices(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return random maps [count, 2, 3], float64, from (x, y) to its new place.

        Points are in pixels from the centre.

        A point goes to rotation · shearing · squeezing · scaling · point + translation.
        """
        device = generator.device if generator is not None else torch.device("cpu")
        draws = 2.0 * torch.rand(6, count, generator=generator, device=device).double() - 1.0
        scale = torch.exp(draws[0] * math.log1p(self.scaling))
        squeeze = torch.exp(draws[1] * math.log1p(self.squeezing))
        shear = draws[2] * self.shearing
        angle = draws[3] * math.radians(self.rotation)
        width, height = scale * squeeze, scale / squeeze
        cos, sin = torch.cos(angle), torch.sin(angle)
        linear = torch.stack(
            (
                torch.stack((cos * width, (cos * shear - sin) * height), dim=1),
                torch.stack((sin * width, (sin * shear + cos) * height), dim=1),
            ),
            dim=1,
        )
        shift = (draws[4:] * self.translation).t().unsqueeze(2)
        return torch.cat((linear, shift), dim=2)


def warp(
    images: Tensor,
    matrices: Tensor,
    background: float | Tensor | None = None,
    displacements: Tensor | None = None,
) -> Tensor:
    """Move the pixels of each image by its affine map, bilinearly.

    `images` [B, C, H, W] floating point; `matrices` [B, 2, 3] send a point (x, y), in pixels
    from the centre with y downwards, to its new place. Pixels that come in from outside have the
    value `background`: one number, a tensor [B], or None for the median of each image's border.
    `displacements` [B, 2, H, W], along x and y in pixels, are added to the place that each pixel of
    the result is fetched from.

    Raises ValueError for wrong shapes, integer images and maps without an inverse.

    >>> right = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])
    >>> warp(torch.tensor([[[[1.0, 2.0, 3.0]]]]), right, background=9.0).round()
    tensor([[[[9., 1., 2.]]]])
    """
    if images.dim() != 4 or not images.is_floating_point():
        raise ValueError(
            f"images must be floating point [B, C, H, W], not {images.dtype} {tuple(images.shape)}"
        )
    count, _, height, width = images.shape
    if matrices.shape != (count, 2, 3):
        raise ValueError(f"matrices must be [{count}, 2, 3], not {tuple(matrices.shape)}")
    if images.numel() == 0:
        return images.clone()
    paper = _background(images, background)
    # grid_sample asks where each output pixel comes from, in units of half the image's size.
    matrices = matrices.detach().double().cpu()
    singular = (torch.linalg.det(matrices[:, :, :2]) == 0).nonzero()
    if len(singular):
        raise ValueError(f"the map of image {int(singular[0])} has no inverse")
    inverse = torch.linalg.inv(matrices[:, :, :2])
    offset = -inverse @ matrices[:, :, 2:]
    half = torch.tensor([width / 2.0, height / 2.0], dtype=torch.float64)
    linear = inverse * half / half.unsqueeze(1)
    theta = torch.cat((linear, offset / half.unsqueeze(1)), dim=2).to(images)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    if displacements is not None:
        if displacements.shape != (count, 2, height, width):
            raise ValueError(
                f"displacements must be [{count}, 2, {height}, {width}], "
                f"not {tuple(displacements.shape)}"
            )
        grid = grid + (displacements / half.to(images).view(2, 1, 1)).movedim(1, -1)
    # Zero padding of the difference from the background is padding with the background.
    moved = functional.grid_sample(images - paper, grid, align_corners=False)
    return moved + paper


def _background(images: Tensor, background: float | Tensor | None) -> Tensor:
    if background is None:
        edges = (images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1])
        values = torch.cat([edge.flatten(1) for edge in edges], dim=1).median(dim=1).values
    else:
        values = torch.as_tensor(background, dtype=images.dtype, device=images.device)
        if values.dim() > 1 or (values.dim() == 1 and len(values) != len(images)):
            raise ValueError(
                f"background must be one value or [{len(images)}], not {tuple(values.shape)}"
            )
        values = values.expand(len(images))
    return values.view(-1, 1, 1, 1)
