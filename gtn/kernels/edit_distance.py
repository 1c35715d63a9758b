"""Edit distances between rows of labels, and the edits themselves."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]

__all__ = ["edit_alignment", "edit_distances"]


@njit(cache=True, nogil=True)
def edit_distances(labels: Int32s, offsets: Int32s, target: Int32s) -> Float64s:
    """Return how many insertions, deletions and substitutions lead from each row to the target.

    O(L U) for a row of L labels and a target of U.

    Args:
        labels: of all rows, concatenated.
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


@njit(cache=True, nogil=True)
def edit_alignment(found: Int32s, target: Int32s) -> tuple[Int32s, Int32s, Int32s]:
    """Return the steps of an alignment with the fewest edits: positions in both, and a place.

    O(L U) time and memory. From the last step to the first, each is a substitution or match if that
    is among the best, otherwise a deletion (of a target label), otherwise an insertion.

    Returns:
        positions in the row (-1: none), positions in the target (-1: none), and how many of the
        target come before each step, ``int32 [steps]``.
    """
    rows, columns = len(target), len(found)
    table = np.empty((rows + 1, columns + 1), dtype=np.int32)
    for i in range(rows + 1):
        table[i, 0] = i
    for j in range(columns + 1):
        table[0, j] = j
    for i in range(rows):
        for j in range(columns):
            changed = table[i, j] + (0 if target[i] == found[j] else 1)
            table[i + 1, j + 1] = min(changed, min(table[i, j + 1], table[i + 1, j]) + 1)
    of_found = np.empty(rows + columns, dtype=np.int32)
    of_target = np.empty(rows + columns, dtype=np.int32)
    before = np.empty(rows + columns, dtype=np.int32)
    i, j, step = rows, columns, rows + columns
    while i > 0 or j > 0:
        step -= 1
        here = table[i, j]
        of_found[step] = of_target[step] = -1
        if (
            i > 0
            and j > 0
            and here == table[i - 1, j - 1] + (0 if target[i - 1] == found[j - 1] else 1)
        ):
            i, j = i - 1, j - 1
            of_found[step], of_target[step] = j, i
        elif i > 0 and here == table[i - 1, j] + 1:
            i -= 1
            of_target[step] = i
        else:
            j -= 1
            of_found[step] = j
        before[step] = i
    return of_found[step:], of_target[step:], before[step:]
