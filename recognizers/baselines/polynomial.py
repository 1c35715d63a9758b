"""Principal components and a quadratic classifier (paper section III-C.4)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.decomposition import PCA

from recognizers.baselines.samples import (
    check_labels,
    check_samples,
    ridge,
    signed_targets,
    with_bias,
)


class Quadratic:
    """A linear classifier on all products of two of the first principal components.

    40 components give 820 products and a bias, 821 inputs. `strength` is that of the ridge; the
    products are those of components scaled to variance 1, which the ridge alone can tell from
    unscaled ones.

    >>> rng = np.random.default_rng(0)
    >>> samples, labels = rng.normal(size=(200, 12)), np.arange(200) % 10
    >>> samples[np.arange(200), labels] += 9.0
    >>> model = Quadratic(5).fit(samples, labels)
    >>> model.penalties(samples).shape, model.inputs
    ((200, 10), 16)
    """

    def __init__(self, components: int = 40, strength: float = 1e-4) -> None:
        self.components, self.strength = components, strength

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = check_samples(samples)
        labels = check_labels(labels, len(samples))
        self.projection = PCA(self.components, whiten=True, svd_solver="covariance_eigh")
        self.projection.fit(samples)
        inputs = self._inputs(samples)
        products = inputs.T @ signed_targets(labels)
        self.outputs = ridge(inputs.T @ inputs, products, self.strength).astype(np.float32)
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus the sum of each class, [N, 10]."""
        samples = check_samples(samples, self.projection.n_features_in_)
        return -(self._inputs(samples) @ self.outputs)

    @property
    def inputs(self) -> int:
        """Inputs of the linear classifier: products and the bias."""
        return len(self.outputs)

    @property
    def multiply_adds(self) -> int:
        """Projection, products, sums."""
        return self.projection.components_.size + self.inputs - 1 + self.outputs.size

    @property
    def memory(self) -> int:
        """The mean, the components and the coefficients."""
        projection = self.projection
        return projection.mean_.size + projection.components_.size + self.outputs.size

    def _inputs(self, samples: np.ndarray) -> np.ndarray:
        codes = self.projection.transform(samples).astype(np.float32)
        first, second = np.triu_indices(self.components)
        return with_bias(codes[:, first] * codes[:, second])
