"""What the baselines share: checks of samples and classes, ridge regression."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from recognizers.baselines import CLASSES


def check_samples(samples: np.ndarray, features: int | None = None) -> np.ndarray:
    """Return the samples as float32 [N, D]; ValueError for another shape or non-finite numbers."""
    samples = np.asarray(samples, dtype=np.float32)
    wanted = f"[N, {features or 'D'}]"
    if samples.ndim != 2 or (features is not None and samples.shape[1] != features):
        raise ValueError(f"samples must be {wanted}, not {list(samples.shape)}")
    if not np.isfinite(samples).all():
        raise ValueError(f"sample {int(np.argmin(np.isfinite(samples).all(1)))} is not finite")
    return samples


def check_labels(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the classes as int64 [count]; ValueError unless each of the ten is there."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers [{count}], not {labels.dtype} {labels.shape}")
    present = np.unique(labels)
    if not np.array_equal(present, np.arange(CLASSES)):
        raise ValueError(f"all classes from 0 to {CLASSES - 1} must occur, not {present.tolist()}")
    return labels.astype(np.int64)


def with_bias(samples: np.ndarray) -> np.ndarray:
    """Return the samples with a last feature that is always 1.

    >>> with_bias(np.zeros((1, 2), dtype=np.float32)).tolist()
    [[0.0, 0.0, 1.0]]
    """
    return np.hstack([samples, np.ones((len(samples), 1), dtype=samples.dtype)])


def ridge(gram: np.ndarray, products: np.ndarray, strength: float) -> np.ndarray:
    """Solve (G + s I) W = P, s = `strength` times the mean of G's diagonal; all in float64.

    G = XᵀX [D, D] and P = XᵀT [D, C] give the regularised pseudo-inverse solution W [D, C].

    >>> ridge(np.eye(2), np.ones((2, 1)), 1.0).ravel().round(6).tolist()
    [0.5, 0.5]
    """
    regular = np.array(gram, dtype=np.float64)
    regular[np.diag_indices_from(regular)] += strength * np.trace(regular) / len(regular)
    return linalg.solve(regular, products.astype(np.float64), assume_a="pos")


def signed_targets(labels: np.ndarray) -> np.ndarray:
    """Return +1 for the right class and -1 for the others, float32 [N, 10]."""
    return np.where(labels[:, None] == np.arange(CLASSES), 1.0, -1.0).astype(np.float32)
