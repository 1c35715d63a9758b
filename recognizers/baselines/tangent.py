"""Nearest neighbours by tangent distance (paper section III-C.10; Simard, LeCun, Denker 1993).

Small translations, scalings, rotations, squeezings, skewings and changes of line thickness move
an image along a curved surface; the distance of two images is that of the tangent planes of their
surfaces. Each has an orthonormal basis of seven tangents, L: the least ||x + Lx a - y - Ly b||²
over a and b is a 7 x 7 system for each pair.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from recognizers.baselines.neighbours import vote
from recognizers.baselines.samples import check_labels

TANGENTS = 7
BLOCK = 64
"""Digits whose candidates are compared at once; 64 x 200 pairs of 256 x 7 take 90 MB."""


class TangentNeighbours:
    """The `k` nearest samples by two-sided tangent distance, as `Neighbours` votes.

    Two filters come first: the `euclidean` nearest samples by Euclidean distance, and of these the
    `candidates` nearest to the digit's own plane. Only these are compared plane to plane.
    `smoothing` is the standard deviation, in pixels, of the Gaussian by which images are smoothed
    before they are differentiated (and compared); `slack` is added to the diagonals of the systems,
    which bounds how far along a plane a match may lie.

    >>> images = np.zeros((10, 16, 16), dtype=np.uint8)
    >>> for k in range(10):
    ...     images[k, 3 + k : 5 + k, 3:12] = 255
    >>> model = TangentNeighbours(k=1, euclidean=10, candidates=10).fit(images, np.arange(10))
    >>> model.penalties(np.roll(images, 1, axis=2)).argmin(1).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(
        self,
        k: int = 3,
        euclidean: int = 500,
        candidates: int = 100,
        smoothing: float = 0.8,
        slack: float = 0.02,
        seen: int = 30,
    ) -> None:
        if not 1 <= k <= candidates <= euclidean:
            raise ValueError(
                f"k <= candidates <= euclidean is needed, not {k}, {candidates}, {euclidean}"
            )
        self.k, self.euclidean, self.candidates, self.seen = k, euclidean, candidates, seen
        self.smoothing, self.slack = smoothing, slack

    def fit(self, images: np.ndarray, labels: np.ndarray) -> Self:
        """Keep images [N, H, W] and their tangents, with classes [N]."""
        self.labels = check_labels(labels, len(images))
        self.points, self.bases = self._planes(images)
        self.squares = (self.points**2).sum(1)
        return self

    def penalties(self, images: np.ndarray) -> np.ndarray:
        """Return the missing votes plus relative distance of each class, [N, 10]."""
        points, bases = self._planes(images)
        parts = [
            self._penalties(points[i : i + BLOCK], bases[i : i + BLOCK])
            for i in range(0, len(points), BLOCK)
        ]
        return np.concatenate(parts)

    @property
    def multiply_adds(self) -> int:
        """The Euclidean filter, the one-sided filter, and the pairs of planes."""
        count, size = self.points.shape
        one_sided = min(self.euclidean, count) * (TANGENTS + 1) * size
        pair = (TANGENTS + 1) ** 2 * size + TANGENTS**3
        return count * size + one_sided + min(self.candidates, count) * pair

    @property
    def memory(self) -> int:
        """The images and the bases of their tangents."""
        return self.points.numel() + self.bases.numel()

    def _planes(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        tangents = np.empty((len(images), TANGENTS, images[0].size), dtype=np.float32)
        points = np.empty((len(images), images[0].size), dtype=np.float32)
        for first in range(0, len(images), 5000):
            block = slice(first, first + 5000)
            smooth = smoothed(images[block], self.smoothing)
            points[block] = smooth.reshape(len(smooth), -1)
            tangents[block] = tangents_of(smooth).reshape(len(smooth), TANGENTS, -1)
        return torch.from_numpy(points), _bases(torch.from_numpy(tangents), self.slack)

    def _penalties(self, points: Tensor, bases: Tensor) -> np.ndarray:
        count = len(self.points)
        euclidean = torch.addmm(self.squares, points, self.points.T, alpha=-2.0)
        near = euclidean.topk(min(self.euclidean, count), largest=False).indices
        difference = points[:, None] - self.points[near]
        along = torch.bmm(difference, bases.transpose(1, 2))
        one_sided = (difference**2).sum(2) - (along**2).sum(2)
        chosen = one_sided.topk(min(self.candidates, count), largest=False).indices
        near = near.gather(1, chosen)
        difference = difference.gather(1, chosen[:, :, None].expand(-1, -1, points.shape[1]))
        squared = plane_distances(difference, bases[:, None], self.bases[near])
        squared, order = squared.topk(min(self.seen, squared.shape[1]), largest=False)
        labels = self.labels[near.gather(1, order).numpy()]
        return vote(squared.clamp_min(0.0).sqrt().numpy(), labels, self.k)


def plane_distances(difference: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return squared distances [...] of planes through points `difference` [..., D] apart.

    `first` and `second` [..., T, D] have orthogonal rows of lengths up to 1: with shrunk bases
    (see `_bases`) steps along the planes have a cost, with orthonormal ones they are free.
    With u and v the projections of the difference d on both and M their products, it is
    ||d||² - ||u||² - wᵀ (I - MᵀM)⁻¹ w, w = v - Mᵀu.

    >>> d = torch.tensor([1.0, 2.0, 2.0])
    >>> axes = torch.eye(3)
    >>> plane_distances(d, axes[:1], axes[1:2]).round(decimals=3)
    tensor(4.)
    """
    u = torch.matmul(first, difference[..., None])
    v = torch.matmul(second, difference[..., None])
    M = torch.matmul(first, second.transpose(-1, -2))
    w = v - torch.matmul(M.transpose(-1, -2), u)
    # Two planes may share directions: both sides are then 0 there, and a small ridge gives 0.
    left = torch.eye(M.shape[-1]) * (1.0 + 1e-5) - torch.matmul(M.transpose(-1, -2), M)
    step = torch.linalg.solve(left, w)
    return (difference**2).sum(-1) - (u**2).sum((-1, -2)) - (w * step).sum((-1, -2))


def smoothed(images: np.ndarray, deviation: float) -> np.ndarray:
    """Return images [N, H, W] as float32 from 0 to 1, smoothed along both axes."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(f"images must be uint8 [N, H, W], not {images.dtype} {images.shape}")
    grey = images.astype(np.float32) / 255.0
    return ndimage.gaussian_filter(grey, (0.0, deviation, deviation), mode="constant")


def tangents_of(smooth: np.ndarray) -> np.ndarray:
    """Return seven derivatives of images [N, H, W], float32 [N, 7, H, W].

    These are along x, along y, scaling, rotation, squeezing, skewing, thickness. The last is the
    squared gradient; the others are sums of the two derivatives times the position relative to the
    middle, in halves of the image's side.

    >>> tangents_of(np.zeros((2, 16, 16), dtype=np.float32)).shape
    (2, 7, 16, 16)
    """
    dy, dx = np.gradient(smooth, axis=(1, 2))
    height, width = smooth.shape[1:]
    y = ((np.arange(height) - (height - 1) / 2) / (height / 2)).astype(np.float32)[:, None]
    x = ((np.arange(width) - (width - 1) / 2) / (width / 2)).astype(np.float32)
    scaling, rotation = x * dx + y * dy, y * dx - x * dy
    squeezing, skewing = x * dx - y * dy, y * dx + x * dy
    thickness = dx * dx + dy * dy
    return np.stack((dx, dy, scaling, rotation, squeezing, skewing, thickness), axis=1)


def _bases(tangents: Tensor, slack: float) -> Tensor:
    """Return rows that span the tangents [N, 7, D], with lengths below 1 if a tangent is short.

    With singular values s of the tangents, the lengths are s / sqrt(s² + slack): projecting on such
    a row is a least-squares fit with a ridge on the steps.
    """
    gram = torch.bmm(tangents, tangents.transpose(1, 2)).double()
    values, vectors = torch.linalg.eigh(gram)
    scale = (values.clamp_min(0.0) + slack).rsqrt()
    return torch.bmm((scale[:, :, None] * vectors.transpose(1, 2)).float(), tangents)
