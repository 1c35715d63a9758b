"""Edit distances between rows of labels."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]

__all__ = ["edit_distances"]


@njit(cache=True, nogil=True)
def edit_distances(labels: Int32s, offsets: Int32s, target: Int32s) -> Float64s:
    """Return how many insertions, deletions and substitutions lead from each row to the target.

    O(L U) for a row of L labels and a target of U.

    Args:
        labels: all rows, one after the other.
        offsets: ``[n + 1]``, where they begin.
    """
    found = np.empty(len(offsets) - 1)
    row = np.empty(len(target) + 1, dtype=np.int32)
    for i in range(len(found)):
        for j in range(len(row)):
            row[j] = j
        for k in range(offsets[i], offsets[i + 1]):
            diagonal = row[0]
            row[0] += 1
            for j in range(len(target)):
                changed = diagonal + (0 if labels[k] == target[j] else 1)
                diagonal = row[j + 1]
                row[j + 1] = min(changed, min(row[j], diagonal) + 1)
        found[i] = row[len(target)]
    return found
