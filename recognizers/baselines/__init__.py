"""The methods that LeNet-5 is compared with (paper section III-C, Figs. 9 to 12).

Each has `fit`, which learns from samples and their classes and returns the classifier;
`penalties`, float [N, 10] of samples (lower is better; rejection uses the difference of the two
best); and two sizes of the fitted classifier: `multiply_adds` for one sample and `memory`, the
variables that must be kept.
"""

from typing import Protocol, Self

import numpy as np

CLASSES = 10


class Classifier(Protocol):
    """The interface of every baseline."""

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, ...] and classes [N]; return the classifier itself."""

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Return the penalty of each class for each sample, [N, 10]."""

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one sample."""

    @property
    def memory(self) -> int:
        """Variables that must be kept."""
