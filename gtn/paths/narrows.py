"""Narrows: where all paths of a graph go through one node."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gtn.topology import Topology

__all__ = ["common_nodes"]


def common_nodes(topology: Topology) -> NDArray[np.int64]:
    """Return the nodes that every path from a start to a final goes through exactly once, in order.

    In the topological order of strongly connected components, such a node is a component by
    itself, and no arc on a path skips it, from a component before to one after. O(N + A).

    Args:
        topology: of a single graph, which may have cycles. If it has no path, no node is returned.

    >>> import gtn
    >>> common_nodes(gtn.from_arcs([(0, 1, 7), (1, 3, 8), (1, 2, 8), (2, 3, 9)], final=3).topology)
    array([0, 1, 3])
    """
    on_paths, (nodes, offsets) = topology.on_paths, topology.components
    sizes = np.diff(offsets)
    place = np.empty(topology.num_nodes, dtype=np.int64)
    place[nodes] = np.repeat(np.arange(len(sizes)), sizes)
    kept = on_paths[topology.src] & on_paths[topology.dst]
    src, dst = place[topology.src[kept]], place[topology.dst[kept]]
    farthest = np.zeros(len(sizes) + 1, dtype=np.int64)  # the ends of arcs that begin before
    np.maximum.at(farthest, src + 1, dst)
    farthest = np.maximum.accumulate(farthest)[:-1]
    common = (sizes == 1) & on_paths[nodes[offsets[:-1]]]
    common &= farthest <= np.arange(len(sizes))
    common[src[src == dst]] = False
    starts = place[topology.starts[on_paths[topology.starts]]]
    finals = place[topology.finals[on_paths[topology.finals]]]
    common[: starts.max(initial=0)] = False
    common[finals.min(initial=len(sizes)) + 1 :] = False
    found: NDArray[np.int64] = nodes[offsets[:-1][common]].astype(np.int64)
    return found
