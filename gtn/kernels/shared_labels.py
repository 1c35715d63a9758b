"""Shared labels: find the arcs of two graphs that can match, because the other has their label.

When a lattice of twenty letters is composed with a graph of five hundred, or segments of a hundred
classes with a grammar of fifteen, most arcs of one side match nothing, and need not be sorted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

__all__ = ["NOTHING", "by_node_and_label", "relabelled", "shared_labels"]

_SPREAD, _ROOM = 4, 1024  # how far apart labels may be
NOTHING = np.int32(np.iinfo(np.int32).max)  # a label that matches nothing


@njit(cache=True, nogil=True)
def relabelled(labels: Int32s, relabel: Int32s) -> Int32s:
    """Return ``relabel[labels + 1]``; labels without a new label get one that matches nothing."""
    new = np.empty(len(labels), dtype=np.int32)
    for k in range(len(labels)):
        at = np.int64(labels[k]) + 1
        label = relabel[at] if at < len(relabel) else NOTHING
        new[k] = label if label >= -1 else NOTHING
    return new


@njit(cache=True, nogil=True)
def _seen(labels: Int32s, top: Any) -> Mask:
    """Return which labels occur, at index label + 1; labels above ``top`` share the last entry."""
    seen, beyond = np.zeros(top + 3, dtype=np.bool_), np.int64(top + 1)
    for k in range(len(labels)):
        seen[np.uint64(min(np.int64(labels[k]), beyond) + 1)] = True
    return seen


@njit(cache=True, nogil=True)
def _kept(labels: Int32s, rank: Int32s) -> tuple[Int32s, Int32s]:
    """Return which arcs have a rank, and the rank of each arc; free of branches."""
    ranks, kept = np.empty(len(labels), dtype=np.int32), np.empty(len(labels), dtype=np.int32)
    beyond = np.int64(len(rank) - 2)
    for k in range(len(labels)):
        ranks[k] = rank[np.uint64(min(np.int64(labels[k]), beyond) + 1)]
    count = np.uint64(0)
    for k in range(len(labels)):
        kept[count] = k
        count += np.uint64(ranks[k] >= -1)
    return kept[:count].copy(), ranks


@njit(cache=True, nogil=True)
def shared_labels(written: Int32s, read: Int32s) -> tuple[Int32s, Int32s, Int32s, Int32s, bool]:
    """Find the arcs whose label also occurs on the other side: O(A), if labels are not far apart.

    Args:
        written, read: the labels of two graphs; epsilon (-1) is always shared.

    Returns:
        for each side the arcs that are kept; then, for each side by arc, how many smaller labels
        are shared (-1 for epsilon, -2 for a label that is not shared); and whether at least a
        quarter of all arcs is left out. If not, or if labels are too far apart, all are empty.
    """
    nothing = np.empty(0, dtype=np.int32)
    arcs = len(written) + len(read)
    if len(written) == 0 or len(read) == 0:
        return nothing, nothing, nothing, nothing, False
    top = min(np.int64(written.max()), np.int64(read.max()))
    if top > _SPREAD * arcs + _ROOM:
        return nothing, nothing, nothing, nothing, False
    of_a, of_b = _seen(written, top), _seen(read, top)
    everything = not (of_a[top + 2] | of_b[top + 2])
    shared = of_a & of_b
    shared[0], shared[top + 2] = True, False
    rank = np.full(top + 3, -2, dtype=np.int32)
    count = -1
    for at in range(top + 3):
        if shared[at]:
            rank[at] = count
            count += 1
    if everything and count > top:
        return nothing, nothing, nothing, nothing, False
    kept_a, ranks_a = _kept(written, rank)
    kept_b, ranks_b = _kept(read, rank)
    fewer = 4 * (len(kept_a) + len(kept_b)) <= 3 * arcs
    return kept_a, kept_b, ranks_a, ranks_b, fewer


@njit(cache=True, nogil=True)
def by_node_and_label(
    kept: Int32s, nodes: Int32s, labels: Int32s, num_nodes: int
) -> tuple[Int32s, Int32s]:
    """Sort some arcs by node, within a node by label, then by arc: O(N + kept arcs + labels).

    Args:
        kept: increasing numbers of arcs.
        nodes, labels: of each arc; labels from -1 on.

    Returns:
        ``offsets [N + 1]`` and the arcs: those of node n from ``offsets[n]`` on.
    """
    offsets = np.zeros(num_nodes + 1, dtype=np.int32)
    top, sorted_already = np.int32(-1), True
    for i in range(len(kept)):
        k = kept[i]
        offsets[nodes[k] + 1] += 1
        top = max(top, labels[k])
        if i > 0:
            m = kept[i - 1]
            sorted_already &= (nodes[m] < nodes[k]) | (
                (nodes[m] == nodes[k]) & (labels[m] <= labels[k])
            )
    for n in range(num_nodes):
        offsets[n + 1] += offsets[n]
    if sorted_already:
        return offsets, kept
    place = np.zeros(top + 3, dtype=np.int32)
    for k in kept:
        place[labels[k] + 2] += 1
    for label in range(top + 2):
        place[label + 1] += place[label]
    by_label = np.empty(len(kept), dtype=np.int32)
    for k in kept:
        at = place[labels[k] + 1]
        place[labels[k] + 1] = at + 1
        by_label[at] = k
    sorted_arcs, place = np.empty(len(kept), dtype=np.int32), offsets.copy()
    for k in by_label:
        at = place[nodes[k]]
        place[nodes[k]] = at + 1
        sorted_arcs[at] = k
    return offsets, sorted_arcs
