"""Failure arcs: where strings end by backing off, and which failure arcs a step followed."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["follow", "resolve"]


@njit(cache=True, nogil=True)
def resolve(fail: Int32s, dst: Int32s, final: Int32s) -> Int32s:
    """Return, for each node, the first final along its failure arcs, or -1: O(N).

    Args:
        fail: the failure arc of each node, or -1, ``[N]``; without cycles.
        dst: destination of each arc.
        final: which final each node is, or -1, ``[N]``.
    """
    resolved = final.copy()
    done = final >= 0
    for n in range(len(fail)):
        m = n
        while not done[m] and fail[m] >= 0:
            m = dst[fail[m]]
        found = resolved[m]
        m = n
        while not done[m]:
            resolved[m] = found
            done[m] = True
            if fail[m] < 0:
                break
            m = dst[fail[m]]
    return resolved


@njit(cache=True, nogil=True)
def follow(
    nodes: Int32s, ends: Int32s, last: Int32s, fail: Int32s, dst: Int32s
) -> tuple[Int32s, Int32s]:
    """Return the failure arcs from a node to another, then one more arc: O(their number).

    Args:
        nodes, ends: the nodes, ``[K]``; an end of -1: nothing is followed.
        last: the arc after them, or -1, ``[K]``.

    Returns:
        The arcs of all K, concatenated, and ``offsets [K + 1]``.
    """
    offsets = np.zeros(len(nodes) + 1, dtype=np.int32)
    for k in range(len(nodes)):
        count, n = 0, nodes[k]
        while ends[k] >= 0 and n != ends[k]:
            count += 1
            n = dst[fail[n]]
        if last[k] >= 0:
            count += 1
        offsets[k + 1] = offsets[k] + count
    arcs = np.empty(offsets[len(nodes)], dtype=np.int32)
    for k in range(len(nodes)):
        place, n = offsets[k], nodes[k]
        while ends[k] >= 0 and n != ends[k]:
            arcs[place] = fail[n]
            place += 1
            n = dst[fail[n]]
        if last[k] >= 0:
            arcs[place] = last[k]
    return arcs, offsets
