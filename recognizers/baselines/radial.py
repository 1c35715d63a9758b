"""Radial basis functions and a linear layer (paper section III-C.5)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.cluster import KMeans

from recognizers.baselines import CLASSES
from recognizers.baselines.samples import (
    check_labels,
    check_samples,
    ridge,
    signed_targets,
    with_bias,
)


class RadialBasis:
    """Gaussian units, equally many per class, and a linear layer by regularised pseudo-inverse.

    The `units` are in ten groups; K-means on the samples of a class gives the centres of its
    group. Every unit has the same width, `width` times the root mean square distance of the
    samples to the nearest centre of their class.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(200) % 10
    >>> samples = np.eye(10)[labels] + 0.1 * rng.normal(size=(200, 10))
    >>> model = RadialBasis(units=20).fit(samples, labels)
    >>> float((model.penalties(samples).argmin(1) == labels).mean()), model.centres.shape
    (1.0, (20, 10))
    """

    def __init__(
        self, units: int = 1000, width: float = 2.0, strength: float = 1e-7, seed: int = 0
    ) -> None:
        if units < CLASSES or units % CLASSES:
            raise ValueError(f"units must be a multiple of {CLASSES}, not {units}")
        self.units, self.width, self.strength, self.seed = units, width, strength, seed

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = check_samples(samples)
        labels = check_labels(labels, len(samples))
        groups = [
            KMeans(self.units // CLASSES, n_init=1, random_state=self.seed).fit(
                samples[labels == k]
            )
            for k in range(CLASSES)
        ]
        self.centres = np.concatenate([group.cluster_centers_ for group in groups])
        self.variance = self.width**2 * sum(group.inertia_ for group in groups) / len(samples)
        states = self._states(samples)
        products = states.T @ signed_targets(labels)
        self.outputs = ridge(states.T @ states, products, self.strength)
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus the sum of each class, [N, 10]."""
        return -(self._states(check_samples(samples, self.centres.shape[1])) @ self.outputs)

    @property
    def multiply_adds(self) -> int:
        """A distance per unit and the linear layer."""
        return self.centres.size + self.units * CLASSES

    @property
    def memory(self) -> int:
        """Centres, their width, the linear layer."""
        return self.centres.size + 1 + self.outputs.size

    def _states(self, samples: np.ndarray) -> np.ndarray:
        lengths = (samples**2).sum(1, keepdims=True) + (self.centres**2).sum(1)
        distances = np.maximum(lengths - 2.0 * samples @ self.centres.T, 0.0)
        # Many thousand Gaussians are nearly alike; sums of their products need float64.
        return with_bias(np.exp(-distances.astype(np.float64) / (2.0 * self.variance)))
