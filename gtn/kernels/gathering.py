"""Gathering: penalties of a product, each the sum of penalties of two operands."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Floats = NDArray[Any]

__all__ = ["gathered_sum", "scattered"]


@njit(cache=True, nogil=True)
def gathered_sum(a: Floats, of_a: Int32s, b: Floats, of_b: Int32s) -> Floats:
    """Return ``a[of_a] + b[of_b]``, with 0 where an index is -1: O(K)."""
    least = np.int32(0)
    for k in range(len(of_a)):
        least = min(least, of_a[k], of_b[k])
    if least == 0:
        both = np.empty(len(of_a), dtype=a.dtype)
        for k in range(len(of_a)):
            both[k] = a[np.uint32(of_a[k])] + b[np.uint32(of_b[k])]
        return both
    total = np.zeros(len(of_a), dtype=a.dtype)
    for k in range(len(of_a)):
        if of_a[k] >= 0:
            total[k] = a[of_a[k]]
        if of_b[k] >= 0:
            total[k] += b[of_b[k]]
    return total


@njit(cache=True, nogil=True)
def scattered(values: Floats, index: Int32s, count: int) -> Floats:
    """Return the sums of the values with each index below ``count``, in order; -1: none. O(K)."""
    sums = np.zeros(count, dtype=values.dtype)
    for k in range(len(index)):
        if index[k] >= 0:
            sums[index[k]] += values[k]
    return sums
