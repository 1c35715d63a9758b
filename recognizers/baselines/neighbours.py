"""K nearest neighbours with Euclidean distance, on pixels or on the features of a network
(paper sections III-C.3 and III-C.9)."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.neighbors import NearestNeighbors

from recognizers.baselines import CLASSES
from recognizers.baselines.samples import check_labels, check_samples


class Neighbours:
    """A vote of the `k` nearest samples; between classes with equal votes, the nearest wins.

    The penalty of a class is k minus its votes, plus a number between 0 and 1: the distance of its
    nearest sample among the `seen` nearest of all, over that of the last of these. So the vote
    decides, and distances order classes with the same vote.

    >>> samples = np.repeat(np.arange(10.0), 3)[:, None]
    >>> model = Neighbours(3).fit(samples, np.repeat(np.arange(10), 3))
    >>> model.penalties([[4.2], [8.9]]).argmin(1).tolist(), model.memory
    ([4, 9], 30)
    """

    def __init__(self, k: int = 3, seen: int = 30) -> None:
        if not 1 <= k <= seen:
            raise ValueError(f"k must be from 1 to {seen} (seen), not {k}")
        self.k, self.seen = k, seen

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Keep samples [N, D] and classes [N]."""
        samples = check_samples(samples)
        self.labels = check_labels(labels, len(samples))
        self.index = NearestNeighbors(algorithm="brute").fit(samples)
        return self

    def nearest(self, samples: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and indexes [N, count] of the nearest kept samples, in order."""
        samples = check_samples(samples, self.index.n_features_in_)
        return self.index.kneighbors(samples, min(count, len(self.labels)))

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Return the missing votes plus relative distance of each class, [N, 10]."""
        distances, indexes = self.nearest(samples, self.seen)
        return vote(distances, self.labels[indexes], self.k)

    @property
    def multiply_adds(self) -> int:
        """A product per number kept."""
        return len(self.labels) * self.index.n_features_in_

    @property
    def memory(self) -> int:
        """All samples."""
        return len(self.labels) * self.index.n_features_in_


def vote(distances: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Return penalties [N, 10] from distances and classes [N, S] of the nearest samples, in order.

    See `Neighbours`: the first `k` vote, the distances of all S break ties.

    >>> vote(np.array([[1.0, 2.0, 4.0]]), np.array([[7, 2, 2]]), 1)[0, [7, 2, 0]].tolist()
    [0.25, 1.5, 2.0]
    """
    is_class = labels[:, :, None] == np.arange(CLASSES)
    votes = is_class[:, :k].sum(1)
    far = np.maximum(distances[:, -1:], 1e-12)
    nearest = np.where(is_class, distances[:, :, None], far[:, :, None]).min(1)
    return k - votes + nearest / far
