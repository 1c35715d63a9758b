"""The methods that LeNet-5 is compared with (paper section III-C, Figs. 9 to 12).

Each has `fit`, which learns from samples and their classes and returns the classifier,
`penalties`, float [N, 10] of samples (lower is better; the difference of the two best is what
rejection goes by), and two sizes counted from what was fitted: `multiply_adds` for one sample and
`memory`, the variables that have to be kept.
"""

from typing import Protocol, Self

import numpy as np

CLASSES = 10


class Classifier(Protocol):
    """What every baseline offers."""

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, ...] and classes [N]; returns the classifier itself."""

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Penalty of each class for each sample, [N, 10]."""

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one sample."""

    @property
    def memory(self) -> int:
        """Variables that have to be kept."""
