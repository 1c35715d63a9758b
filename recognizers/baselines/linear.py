"""Linear and pairwise linear classifiers (paper section III-C.1 and .2)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from recognizers.baselines import CLASSES
from recognizers.baselines.samples import check_labels, check_samples, ridge, with_bias


class Linear:
    """One weighted sum of the pixels per class, and the largest answers.

    Trained for the likelihood of the classes (multinomial logistic regression, `inverse_strength`
    as scikit-learn's C), not for squared error: least squares on these sums leaves more errors.

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
    """A linear unit for each pair i < j: +1 on class i, -1 on class j, untrained on the others.

    The score of class i is the sum of the outputs of units i/x minus that of the units y/i; the
    penalty is its negative. An output counts as no more than its targets, ±1: on the classes it
    never saw a unit may say anything, and unbounded sums leave twice the errors. Least squares
    with `strength` of ridge, from the second moments of each class, so that the 45 fits need one
    pass over the data.

    >>> samples = np.repeat(np.eye(10), 3, axis=0)
    >>> model = PairwiseLinear().fit(samples, np.repeat(np.arange(10), 3))
    >>> model.penalties(samples[[0, 29]]).argmin(1).tolist(), model.multiply_adds
    ([0, 9], 450)
    """

    def __init__(self, strength: float = 0.01) -> None:
        self.strength = strength
        self.pairs = np.argwhere(np.triu(np.ones((CLASSES, CLASSES)), 1))

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = with_bias(check_samples(samples))
        labels = check_labels(labels, len(samples))
        moments, sums = [], []
        for k in range(CLASSES):
            of_class = samples[labels == k]
            moments.append((of_class.T @ of_class).astype(np.float64))
            sums.append(of_class.sum(0, dtype=np.float64))
        self.units = np.hstack(
            [
                ridge(moments[i] + moments[j], (sums[i] - sums[j])[:, None], self.strength)
                for i, j in self.pairs
            ]
        ).astype(np.float32)
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus the score of each class, [N, 10]."""
        outputs = with_bias(check_samples(samples, len(self.units) - 1)) @ self.units
        signs = np.zeros((len(self.pairs), CLASSES), dtype=np.float32)
        unit = np.arange(len(self.pairs))
        signs[unit, self.pairs[:, 0]], signs[unit, self.pairs[:, 1]] = 1.0, -1.0
        return -(np.clip(outputs, -1.0, 1.0) @ signs)

    @property
    def multiply_adds(self) -> int:
        """One per pixel and unit."""
        return self.units.size - self.units.shape[1]

    @property
    def memory(self) -> int:
        """The coefficients and a bias per unit."""
        return self.units.size
