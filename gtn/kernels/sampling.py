"""Drawing paths: walk from the end to the start, drawing each step by the shares at its node."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

__all__ = ["draw_paths", "running_shares"]

STEP = 0x9E3779B97F4A7C15  # splitmix64 (Steele, Lea and Flood 2014)
MIX = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@njit(cache=True, nogil=True)
def running_shares(
    offsets: Int32s, arcs: Int32s, shares: Float64s, start_shares: Float64s
) -> Float64s:
    """Return the sum of a node's start share and its arcs' shares up to each arc: ``[A]``.

    Args:
        offsets, arcs: arcs by destination; the result is in this order.
        start_shares: of each node, ``[N]``.
    """
    running = np.empty(len(arcs))
    for n in range(len(offsets) - 1):
        total = start_shares[n]
        for k in range(offsets[n], offsets[n + 1]):
            total += shares[arcs[k]]
            running[k] = total
    return running


@njit(cache=True, nogil=True)
def draw_paths(
    ends: Int32s,
    seeds: Int64s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    start_shares: Float64s,
    running: Float64s,
) -> tuple[Int32s, Int64s, Int32s]:
    """Walk back from each end until a start is drawn: O(Σ length log in-degree).

    Args:
        ends: the node at which each path ends, ``[n]``.
        seeds: of each path's own stream of random numbers, ``[n]``.
        offsets, arcs: arcs by destination.
        start_shares: of each node, ``[N]``.
        running: as :func:`running_shares` gives them.

    Returns:
        The arcs of all paths, each in its order; ``offsets [n + 1]`` of the paths; the node at
        which each starts, ``[n]``.
    """
    count = len(ends)
    bounds = np.zeros(count + 1, dtype=np.int64)
    first = np.empty(count, dtype=np.int32)
    found = np.empty(max(64, 8 * count), dtype=np.int32)
    used = 0
    for p in range(count):
        n = ends[p]
        state = np.uint64(seeds[p])
        begin = used
        while True:
            state += np.uint64(STEP)
            bits = state
            bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(MIX[0])
            bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(MIX[1])
            bits = bits ^ (bits >> np.uint64(31))
            low, high = offsets[n], offsets[n + 1]
            total = running[high - 1] if high > low else start_shares[n]
            # 53 random bits: in [0, 1), so below the total when multiplied by it.
            drawn = np.float64(bits >> np.uint64(11)) * 2.0**-53 * total
            if drawn < start_shares[n] or high == low:
                break
            while low < high - 1:  # find the first running share above it
                middle = (low + high - 1) // 2
                if running[middle] > drawn:
                    high = middle + 1
                else:
                    low = middle + 1
            if used == len(found):
                larger = np.empty(2 * used, dtype=np.int32)
                larger[:used] = found
                found = larger
            found[used] = arcs[low]
            used += 1
            n = src[arcs[low]]
        first[p] = n
        bounds[p + 1] = used
        found[begin:used] = found[begin:used][::-1].copy()
    return found[:used].copy(), bounds, first
