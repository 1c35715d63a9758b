"""A reduced set of vectors: the sums of a support vector machine at a twentieth of the work
(paper section III-C.11; Burges and Schölkopf 1997)."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from recognizers.baselines.samples import check_labels, check_samples, ridge, signed_targets
from recognizers.baselines.support_vectors import SHIFTS, directions, moved_by


class ReducedSet:
    """Ten sums over a few vectors, whose places are learned (reduced set).

    The kernel is (x·y / |x||y|)^degree. At first the `vectors` are samples, drawn by the `seed`,
    with the coefficients of ridge regression; then vectors and coefficients descend the squared
    hinge of ten one-against-rest machines, over samples moved at random by up to a pixel.
    (Burges's second phase moves the vectors too, but towards the sums of a given machine; here no
    large machine comes first.)

    >>> labels = np.arange(400) % 10
    >>> images = np.random.default_rng(0).random((10, 64))[labels]
    >>> model = ReducedSet(50, degree=2, passes=1).fit(images, labels)
    >>> (model.penalties(images).argmin(1) == labels).all(), model.multiply_adds
    (np.True_, 3700)
    """

    def __init__(
        self,
        vectors: int = 1580,
        degree: int = 5,
        passes: int = 20,
        step: float = 1e-3,
        strength: float = 1e-4,
        batch: int = 128,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        self.vectors, self.degree, self.passes = vectors, degree, passes
        self.step, self.strength, self.batch = step, strength, batch
        self.seed, self.progress = seed, progress

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, H * H] and classes [N]."""
        x = check_samples(samples)
        targets = torch.from_numpy(signed_targets(check_labels(labels, len(x))))
        generator = torch.Generator().manual_seed(self.seed)
        self._begin(torch.from_numpy(directions(x)), targets, generator)
        groups = [
            {"params": [self.places], "lr": self.step},
            {"params": [self.slopes, self.biases], "lr": 10.0 * self.step},
        ]
        optimizer = torch.optim.Adam(groups, foreach=True)
        steps = self.passes * -(-len(x) // self.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in tqdm(range(self.passes), desc="passes", disable=not self.progress):
            draw = torch.randint(len(SHIFTS), (len(x),), generator=generator).numpy()
            seen = torch.from_numpy(directions(moved_by(x, draw)))
            for rows in torch.randperm(len(x), generator=generator).split(self.batch):
                margins = targets[rows] * self._sums(seen[rows])
                loss = functional.relu(1.0 - margins).square().sum(1).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus the sum of each class, [N, 10]."""
        x = check_samples(samples, self.places.shape[1])
        with torch.no_grad():
            return -self._sums(torch.from_numpy(directions(x))).numpy()

    @property
    def multiply_adds(self) -> int:
        """A product with every vector, and ten sums."""
        return self.places.numel() + self.outputs.numel()

    @property
    def memory(self) -> int:
        """Vectors, coefficients, biases."""
        return self.places.numel() + self.outputs.numel() + self.biases.numel()

    @property
    def outputs(self) -> Tensor:
        """The coefficient of each vector in each sum, [vectors, 10]."""
        return self.whitening @ self.slopes

    def _begin(self, x: Tensor, targets: Tensor, generator: torch.Generator) -> None:
        start = torch.randperm(len(x), generator=generator)[: self.vectors]
        self.places = x[start].clone().requires_grad_()
        # The kernel's columns are nearly alike. The square root of its inverse turns them into
        # features that are not, whose coefficients ("slopes") gradient steps can learn.
        values, vectors = torch.linalg.eigh(self._kernel(x[start]).detach().double())
        scale = (values.clamp_min(0.0) + 1e-6 * values[-1]).rsqrt()
        self.whitening = ((vectors * scale) @ vectors.T).float()
        features = self._kernel(x).detach() @ self.whitening
        self.biases = targets.mean(0)
        products = features.T @ (targets - self.biases)
        slopes = ridge((features.T @ features).numpy(), products.numpy(), self.strength)
        self.slopes = torch.from_numpy(slopes.astype(np.float32)).requires_grad_()
        self.biases.requires_grad_()

    def _kernel(self, x: Tensor) -> Tensor:
        return (x @ self.places.T) ** self.degree

    def _sums(self, x: Tensor) -> Tensor:
        return self._kernel(x) @ self.outputs + self.biases
