"""Linear and pairwise linear classifiers (paper section III-C.1 and .2)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from recognizers.baselines import CLASSES
from recognizers.baselines.samples import check_labels, check_samples, with_bias


class Linear:
    """One weighted sum of the pixels per class; the largest wins.

    Trained for the likelihood of the classes (multinomial logistic regression; `inverse_strength`
    is scikit-learn's C), not for squared error: least squares on these sums leaves more errors.

    >>> samples = np.repeat(np.eye(10), 3, axis=0)
    >>> model = Linear(100.0).fit(samples, np.repeat(np.arange(10), 3))
    >>> model.penalties(samples[[0, 29]]).argmin(1).tolist(), model.memory
    ([0, 9], 110)
    """

    def __init__(self, inverse_strength: float = 0.1, iterations: int = 500) -> None:
        self.inverse_strength, self.iterations = inverse_strength, iterations

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = check_samples(samples)
        labels = check_labels(labels, len(samples))
        model = LogisticRegression(C=self.inverse_strength, max_iter=self.iterations)
        self.model = model.fit(samples, labels)
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus log probability of each class, [N, 10]."""
        return -self.model.predict_log_proba(check_samples(samples, self.model.n_features_in_))

    @property
    def multiply_adds(self) -> int:
        """One per pixel and class."""
        return self.model.coef_.size

    @property
    def memory(self) -> int:
        """The coefficients and a bias per class."""
        return self.model.coef_.size + self.model.intercept_.size


class PairwiseLinear:
    """A unit for each pair i < j: +1 on class i, -1 on class j, untrained on the others.

    The penalty of class i is the sum of the outputs of units y/i minus that of units i/x. A unit is
    a squashed weighted sum, fitted by logistic regression (`inverse_strength` is C): without
    squashing, a unit may give any value for classes it never saw, and there are twice the errors.

    >>> samples = np.repeat(np.eye(10), 3, axis=0)
    >>> model = PairwiseLinear(100.0).fit(samples, np.repeat(np.arange(10), 3))
    >>> model.penalties(samples[[0, 29]]).argmin(1).tolist(), model.multiply_adds
    ([0, 9], 450)
    """

    def __init__(self, inverse_strength: float = 0.1, iterations: int = 500) -> None:
        self.inverse_strength, self.iterations = inverse_strength, iterations
        self.pairs = np.argwhere(np.triu(np.ones((CLASSES, CLASSES)), 1))

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = check_samples(samples)
        labels = check_labels(labels, len(samples))
        units = []
        for i, j in self.pairs:
            of_pair = np.flatnonzero((labels == i) | (labels == j))
            unit = LogisticRegression(C=self.inverse_strength, max_iter=self.iterations, tol=1e-3)
            unit.fit(samples[of_pair], labels[of_pair] == i)
            units.append(np.append(unit.coef_[0], unit.intercept_[0]))
        self.units = np.stack(units, axis=1).astype(np.float32)
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Return the penalty of each class, [N, 10]."""
        outputs = with_bias(check_samples(samples, len(self.units) - 1)) @ self.units
        signs = np.zeros((len(self.pairs), CLASSES), dtype=np.float32)
        unit = np.arange(len(self.pairs))
        signs[unit, self.pairs[:, 0]], signs[unit, self.pairs[:, 1]] = 1.0, -1.0
        # The difference of the posteriors of i and j, from -1 to 1.
        return -(np.tanh(0.5 * outputs) @ signs)

    @property
    def multiply_adds(self) -> int:
        """One per pixel and unit."""
        return self.units.size - self.units.shape[1]

    @property
    def memory(self) -> int:
        """The coefficients and a bias per unit."""
        return self.units.size
