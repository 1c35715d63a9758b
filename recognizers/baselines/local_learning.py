"""Local learning: a linear classifier trained anew for each digit, on the samples nearest to it
(paper section III-C.9, on the features of LeNet-4; Bottou and Vapnik 1992)."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch

from recognizers.baselines import CLASSES
from recognizers.baselines.neighbours import Neighbours
from recognizers.baselines.samples import signed_targets

BLOCK = 256
"""Digits whose systems are solved at once."""


class LocalLinear:
    """Ridge regression on the `k` nearest samples of a digit, nearer ones counting more.

    A sample's share is a Gaussian of its distance over half that of the farthest of the k; the
    features are taken relative to the digit's, so the answer is the bias of the local fit.
    `strength` is the ridge, relative to the mean square of the features there. With a strong ridge
    the fit falls back to the mean target of the neighbours.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(100) % 10
    >>> samples = np.eye(10)[labels] + 0.1 * rng.normal(size=(100, 10))
    >>> model = LocalLinear(20).fit(samples, labels)
    >>> float((model.penalties(samples).argmin(1) == labels).mean())
    1.0
    """

    def __init__(self, k: int = 200, strength: float = 1.0) -> None:
        self.k, self.strength = k, strength

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Keep samples [N, D] and classes [N]."""
        self.neighbours = Neighbours(k=1).fit(samples, labels)
        self.samples = torch.from_numpy(np.asarray(samples, dtype=np.float32))
        self.targets = torch.from_numpy(signed_targets(self.neighbours.labels))
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus the local sum of each class, [N, 10]."""
        distances, indexes = self.neighbours.nearest(samples, self.k)
        result = np.empty((len(indexes), CLASSES), dtype=np.float32)
        at = torch.from_numpy(np.asarray(samples, dtype=np.float32))
        far = torch.from_numpy(distances.astype(np.float32))
        for first in range(0, len(at), BLOCK):
            block = slice(first, first + BLOCK)
            near = torch.from_numpy(indexes[block])
            relative = self.samples[near] - at[block, None]
            width = 0.5 * far[block, -1:].clamp_min(1e-12)
            share = torch.exp(-0.5 * (far[block] / width) ** 2)
            share = share / share.sum(1, keepdim=True)
            weighted = relative * share[:, :, None]
            targets = self.targets[near]
            mean = (share[:, :, None] * targets).sum(1)
            centre = weighted.sum(1)
            gram = torch.bmm(weighted.transpose(1, 2), relative)
            gram -= centre[:, :, None] * centre[:, None]
            moments = torch.bmm(weighted.transpose(1, 2), targets)
            moments -= centre[:, :, None] * mean[:, None]
            diagonal = torch.diagonal(gram, dim1=1, dim2=2)
            diagonal += self.strength * diagonal.mean(1, keepdim=True) + 1e-9
            slopes = torch.linalg.solve(gram, moments)
            # The fitted plane at the digit itself, from the middle of its neighbours.
            here = mean - torch.bmm(centre[:, None], slopes)[:, 0]
            result[block] = -here.numpy()
        return result

    @property
    def multiply_adds(self) -> int:
        """Those of the distances to all samples, the local system and its solution."""
        size = self.samples.shape[1]
        system = min(self.k, len(self.samples)) * size * (size + CLASSES)
        return self.neighbours.multiply_adds + system + size**3 // 3 + size**2 * CLASSES

    @property
    def memory(self) -> int:
        """All samples."""
        return self.samples.numel()
