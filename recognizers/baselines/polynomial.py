"""Principal components and a quadratic classifier (paper section III-C.4)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.decomposition import PCA

from recognizers.baselines import CLASSES
from recognizers.baselines.linear import Linear
from recognizers.baselines.samples import check_labels, check_samples


class Quadratic:
    """A linear classifier on all products of two of the first principal components.

    40 components, scaled to variance 1, give 820 products and a bias: 821 inputs. The classifier
    is fitted as `Linear` is (`inverse_strength` is C).

    >>> rng = np.random.default_rng(0)
    >>> samples, labels = rng.normal(size=(200, 12)), np.arange(200) % 10
    >>> samples[np.arange(200), labels] += 9.0
    >>> model = Quadratic(5).fit(samples, labels)
    >>> model.penalties(samples).shape, model.inputs
    ((200, 10), 16)
    """

    def __init__(
        self, components: int = 40, inverse_strength: float = 0.01, iterations: int = 500
    ) -> None:
        self.components, self.outputs = components, Linear(inverse_strength, iterations)

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = check_samples(samples)
        labels = check_labels(labels, len(samples))
        self.projection = PCA(self.components, whiten=True, svd_solver="covariance_eigh")
        self.projection.fit(samples)
        self.outputs.fit(self._inputs(samples), labels)
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus log probability of each class, [N, 10]."""
        samples = check_samples(samples, self.projection.n_features_in_)
        return self.outputs.penalties(self._inputs(samples))

    @property
    def inputs(self) -> int:
        """Inputs of the linear classifier: products and the bias."""
        return self.outputs.memory // CLASSES

    @property
    def multiply_adds(self) -> int:
        """Projection, products, sums."""
        return self.projection.components_.size + self.inputs - 1 + self.outputs.multiply_adds

    @property
    def memory(self) -> int:
        """The mean, the components and the coefficients."""
        projection = self.projection
        return projection.mean_.size + projection.components_.size + self.outputs.memory

    def _inputs(self, samples: np.ndarray) -> np.ndarray:
        codes = self.projection.transform(samples).astype(np.float32)
        first, second = np.triu_indices(self.components)
        return codes[:, first] * codes[:, second]
