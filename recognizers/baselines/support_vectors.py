"""Support vector machines with polynomial kernels, regular and virtual
(paper section III-C.11; Burges and Schölkopf 1997)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.svm import SVC

from recognizers.baselines.samples import CLASSES, check_labels, check_samples

CACHE_MB = 2000


class SupportVectors:
    """One machine per pair of classes; kernel ((shift + x·y / |x||y|) / (shift + 1))^degree.

    `inverse_strength` is C; the larger `shift`, the wider the kernel. The penalty of a class is
    minus its least margin against another class. So the class with the least penalty is the one
    that no other beats, or beats by least, and a digit between two classes has two similar
    penalties.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(100) % 10
    >>> samples = np.eye(10)[labels] + 0.1 * rng.random((100, 10))
    >>> model = SupportVectors(4).fit(samples, labels)
    >>> float((model.penalties(samples).argmin(1) == labels).mean())
    1.0
    """

    def __init__(self, degree: int = 4, inverse_strength: float = 10.0, shift: float = 0.0) -> None:
        self.degree, self.inverse_strength, self.shift = degree, inverse_strength, shift

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        samples = directions(check_samples(samples))
        self.machine = SVC(
            C=self.inverse_strength,
            kernel="poly",
            degree=self.degree,
            gamma=1.0 / (1.0 + self.shift),
            coef0=self.shift / (1.0 + self.shift),
            cache_size=CACHE_MB,
            decision_function_shape="ovo",
        ).fit(samples, check_labels(labels, len(samples)))
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Return minus the least margin of each class, [N, 10]."""
        samples = directions(check_samples(samples, self.machine.n_features_in_))
        margins = self.machine.decision_function(samples)
        penalties = np.full((len(samples), CLASSES), -np.inf)
        for margin, (one, other) in zip(margins.T, combinations(range(CLASSES), 2), strict=True):
            penalties[:, one] = np.maximum(penalties[:, one], -margin)
            penalties[:, other] = np.maximum(penalties[:, other], margin)
        return penalties

    @property
    def support(self) -> np.ndarray:
        """Indexes of the training samples that are support vectors of some pair."""
        return self.machine.support_

    @property
    def multiply_adds(self) -> int:
        """A product with every support vector, and its coefficient in nine pairs."""
        return self.machine.support_vectors_.size + self.machine.dual_coef_.size

    @property
    def memory(self) -> int:
        """Support vectors and coefficients."""
        return self.machine.support_vectors_.size + self.machine.dual_coef_.size


class VirtualSupportVectors(SupportVectors):
    """A machine trained a second time, on its support vectors and their four neighbours.

    The virtual samples are the support vectors moved by one pixel to each side, so samples must be
    square images, [N, H * H] row by row. A `state` file keeps the support vectors of the first
    machine; a fit that was interrupted in the second starts from them.

    >>> images = np.random.default_rng(0).random((10, 36))
    >>> model = VirtualSupportVectors(9).fit(images, np.arange(10))
    >>> model.virtual
    50
    """

    def __init__(
        self,
        degree: int = 9,
        inverse_strength: float = 10.0,
        shift: float = 1.0,
        state: Path | None = None,
    ) -> None:
        super().__init__(degree, inverse_strength, shift)
        self.state = state

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D], then from the first machine's support vectors, moved."""
        if self.state is not None and self.state.exists():
            support = np.load(self.state)
        else:
            support = super().fit(samples, labels).support
            if self.state is not None:
                self.state.parent.mkdir(parents=True, exist_ok=True)
                written = self.state.with_name(f".{self.state.name}.npy")
                np.save(written, support)
                written.replace(self.state)
        moved = neighbours_of(np.asarray(samples, dtype=np.float32)[support])
        self.virtual = len(moved)
        return super().fit(moved, np.tile(np.asarray(labels)[support], len(SHIFTS)))


SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""Rows and columns by which virtual samples are moved; the first stays in place."""


def directions(samples: np.ndarray) -> np.ndarray:
    """Return samples [N, D] with length 1; one without ink stays zero.

    >>> directions(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    return samples / np.maximum(np.linalg.norm(samples, axis=1, keepdims=True), 1e-12)


def neighbours_of(samples: np.ndarray) -> np.ndarray:
    """Return square images [N, H * H] in place and moved by a pixel to four sides, [5 N, H * H].

    >>> neighbours_of(np.array([[0.0, 0, 0, 0, 1, 0, 0, 0, 0]]))[1].tolist()
    [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    count = len(samples)
    return np.concatenate([moved_by(samples, np.full(count, i)) for i in range(len(SHIFTS))])


def moved_by(samples: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return each image [N, H * H] moved by its entry of `SHIFTS`; paper (0) comes in."""
    side = round(samples.shape[1] ** 0.5)
    if side * side != samples.shape[1]:
        raise ValueError(
            f"samples of {samples.shape[1]} numbers are not square images, which can be moved"
        )
    framed = np.pad(samples.reshape(-1, side, side), ((0, 0), (1, 1), (1, 1)))
    moved = np.empty((len(samples), side, side), dtype=samples.dtype)
    for number, (down, right) in enumerate(SHIFTS):
        rows = shifts == number
        moved[rows] = framed[rows, 1 - down : 1 - down + side, 1 - right : 1 - right + side]
    return moved.reshape(samples.shape)
