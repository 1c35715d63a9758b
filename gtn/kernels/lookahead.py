"""The least and the most labels ahead of each node."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["ENDLESS", "FAR", "ends", "label_bounds", "least_labels"]

FAR = 2**31 - 1  # labels to a final that cannot be reached
ENDLESS = FAR - 1  # labels, if a cycle gives any number of them


@njit(cache=True, nogil=True)
def ends(
    least: Int32s, starts: Int32s, finals: Int32s, node_offsets: Int32s
) -> tuple[NDArray[np.bool_], Int32s, Int32s]:
    """Return what an operand stores about its nodes: O(N + B).

    Args:
        least: how few labels lie ahead of each node; ``FAR``: no final does.
        node_offsets: where the nodes of each graph begin.

    Returns:
        Which nodes reach a final, which final each node is (-1: none), and where the starts of
        each graph begin.
    """
    alive = np.empty(len(least), dtype=np.bool_)
    final = np.full(len(least), -1, dtype=np.int32)
    for n in range(len(least)):
        alive[n] = least[n] < FAR
    for f in range(len(finals)):
        final[finals[f]] = f
    begin = np.empty(len(node_offsets), dtype=np.int32)
    s = 0
    for g in range(len(node_offsets)):
        while s < len(starts) and starts[s] < node_offsets[g]:
            s += 1
        begin[g] = s
    return alive, final, begin


@njit(cache=True, nogil=True)
def label_bounds(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    dst: Int32s,
    counts: NDArray[np.bool_],
    finals: Int32s,
) -> tuple[Int32s, Int32s]:
    """Return the least and the most labels on a way from each node to a final: O(N + A).

    ``FAR`` and -1 where there is none. For an acyclic graph, in one pass.

    Args:
        order: all nodes in topological order.
        offsets, arcs: arcs by source.
        counts: whether an arc has a label.
    """
    least = np.full(len(offsets) - 1, FAR, dtype=np.int32)
    most = np.full(len(offsets) - 1, -1, dtype=np.int32)
    for n in finals:
        least[n], most[n] = 0, 0
    for i in range(len(order) - 1, -1, -1):
        n = order[i]
        for k in range(offsets[n], offsets[n + 1]):
            to = dst[arcs[k]]
            if most[to] >= 0:
                more = np.int32(counts[arcs[k]])
                least[n] = min(least[n], least[to] + more)
                most[n] = max(most[n], most[to] + more)
    return least, most


@njit(cache=True, nogil=True)
def least_labels(
    offsets: Int32s, arcs: Int32s, src: Int32s, counts: NDArray[np.bool_], finals: Int32s
) -> Int32s:
    """Return the least number of labels on a way from each node to a final, or ``FAR``: O(N + A).

    Breadth first from the finals; arcs that do not count stay within a level.

    Args:
        offsets, arcs: arcs by destination.
        counts: whether an arc has a label.
    """
    num_nodes = len(offsets) - 1
    least = np.full(num_nodes, FAR, dtype=np.int32)
    here = np.empty(num_nodes, dtype=np.int32)
    ahead = np.empty(num_nodes, dtype=np.int32)
    num_ahead = 0
    for n in finals:
        ahead[num_ahead] = n
        num_ahead += 1
    level = 0
    while num_ahead > 0:
        here, ahead = ahead, here
        done, num_here = 0, 0
        for k in range(num_ahead):
            if least[here[k]] > level:
                least[here[k]] = level
                here[num_here] = here[k]
                num_here += 1
        num_ahead = 0
        while done < num_here:
            n = here[done]
            done += 1
            for k in range(offsets[n], offsets[n + 1]):
                m = src[arcs[k]]
                if counts[arcs[k]]:
                    if least[m] == FAR:
                        least[m] = FAR - 1  # waits for the next level
                        ahead[num_ahead] = m
                        num_ahead += 1
                elif least[m] > level:
                    least[m] = level
                    here[num_here] = m
                    num_here += 1
        level += 1
    return least
