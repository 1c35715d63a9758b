"""Nodes in breadth-first order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

__all__ = ["breadth_first"]


@njit(cache=True, nogil=True)
def breadth_first(node_offsets: Int32s, first_arcs: Int64s, src: Int64s, dst: Int64s) -> Any:
    """Return the nodes of a batch graph by graph, within a graph breadth first: O(N + A).

    Args:
        node_offsets: ``[B + 1]``; all nodes of a graph are reached from its first.
        first_arcs: ``[N]``, the first arc that leaves each node; -1, or any that leaves another
            node, if none does. The others that leave the node follow it.
        src, dst: ``[A]``; a source may be -1.
    """
    order = np.empty(len(first_arcs), dtype=np.int64)
    seen = np.zeros(len(first_arcs), dtype=np.bool_)
    done = 0
    for graph in range(len(node_offsets) - 1):
        found = done
        if node_offsets[graph + 1] > found:
            order[found], seen[found] = found, True
            found += 1
        while done < found:
            node = order[done]
            done += 1
            arc = first_arcs[node]
            while 0 <= arc < len(src) and src[arc] == node:
                if not seen[dst[arc]]:
                    order[found], seen[dst[arc]] = dst[arc], True
                    found += 1
                arc += 1
    return order
