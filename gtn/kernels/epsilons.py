"""The nodes reached along arcs that neither read nor write."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["closures"]


@njit(cache=True, nogil=True)
def _with_room(array: Any, size: int) -> Any:
    """Return the array, or a longer copy where it has no room for ``size`` entries."""
    if size <= len(array):
        return array
    longer = np.empty(max(size, 2 * len(array)), dtype=array.dtype)
    longer[: len(array)] = array
    return longer


@njit(cache=True, nogil=True)
def closures(
    roots: Int32s, dst: Int32s, offsets: Int32s, arcs: Int32s, limit: int
) -> tuple[NDArray[np.int64], Int32s, Int32s, Int32s, Int32s, bool]:
    """Walk from each root as far as arcs lead: linear in the size of the result.

    Args:
        roots: nodes ``[R]``.
        dst: of each arc, ``[A]``.
        offsets, arcs: the arcs to follow, by source node.
        limit: how many arcs may be followed.

    Returns:
        The places met are numbered root by root, each root first: their offsets by root
        ``[R + 1]``, the node of each; of each arc followed the places it leads from and to, and
        its number; and whether all this is void because there were more arcs than allowed.
    """
    mark = np.full(len(offsets) - 1, -1, dtype=np.int32)
    place = np.empty(len(offsets) - 1, dtype=np.int32)
    place_offsets = np.zeros(len(roots) + 1, dtype=np.int64)
    nodes = np.empty(max(16, len(roots)), dtype=np.int32)
    src, to = np.empty(16, dtype=np.int32), np.empty(16, dtype=np.int32)
    followed = np.empty(16, dtype=np.int32)
    places, count = 0, 0
    for r in range(len(roots)):
        nodes = _with_room(nodes, places + 1)
        nodes[places] = roots[r]
        mark[roots[r]], place[roots[r]] = r, places
        done = places
        places += 1
        while done < places:
            node = nodes[done]
            more = offsets[node + 1] - offsets[node]
            src, to = _with_room(src, count + more), _with_room(to, count + more)
            followed = _with_room(followed, count + more)
            nodes = _with_room(nodes, places + more)
            for k in range(offsets[node], offsets[node + 1]):
                d = dst[arcs[k]]
                if mark[d] != r:
                    mark[d], place[d] = r, places
                    nodes[places] = d
                    places += 1
                src[count], to[count], followed[count] = done, place[d], arcs[k]
                count += 1
            done += 1
            if count > limit:
                return place_offsets, nodes, src, to, followed, True
        place_offsets[r + 1] = places
    return place_offsets, nodes[:places], src[:count], to[:count], followed[:count], False
