"""The order in which frame by frame recursions visit the nodes and arcs of a graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["Layout", "arrange"]


class Layout(NamedTuple):
    """A graph, or G graphs, in the order in which a frame visits them.

    Nodes have *places*, counted within their graph, such that epsilon arcs lead to later places.
    Arcs have *entries*, grouped by destination; within a node those that read a class come first.
    """

    node_offsets: Int32s  # [G + 1]
    entries: Int32s  # [N + 1]: the arcs into the node at p are entries[p] up to entries[p + 1],
    epsilons: Int32s  # [N]: those that read nothing begin here
    same: Int32s  # [N]: the column that all arcs into a node read, -1: there are several, or none
    source: Int32s  # [E]: place of the source
    column: Int32s  # [E]: which of the graph's classes is read, -1: none
    arc: Int32s  # [E]: number of the arc
    class_offsets: Int32s  # [G + 1]
    classes: Int32s  # the classes that each graph reads
    start_offsets: Int32s  # [G + 1]
    start_places: Int32s  # [S]
    final_offsets: Int32s  # [G + 1]
    final_places: Int32s  # [F]


@njit(cache=True, nogil=True)
def arrange(
    node_offsets: Int32s,
    arc_offsets: Int32s,
    order: Int32s,
    src: Int32s,
    labels: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    num_classes: int,
) -> tuple[Int32s, ...]:
    """Lay out G graphs whose arcs read classes below ``num_classes``: O(N + A + G C).

    Arcs that read another label match nothing and are left out.

    Args:
        order: nodes, one graph after the other, with epsilon arcs leading forward.
        offsets, arcs: arcs by destination.

    Returns:
        From entries to classes the fields of :class:`Layout`, and the place of each node.
    """
    graphs, num_nodes, num_arcs = len(node_offsets) - 1, len(order), len(src)
    place = np.empty(num_nodes, dtype=np.int32)
    for g in range(graphs):
        for p in range(node_offsets[g], node_offsets[g + 1]):
            place[order[p]] = p - node_offsets[g]
    column_of = np.full(num_classes, -1, dtype=np.int32)
    class_offsets = np.zeros(graphs + 1, dtype=np.int32)
    classes = np.empty(min(num_arcs, graphs * num_classes), dtype=np.int32)
    columns = np.full(num_arcs, -1, dtype=np.int32)
    count = 0
    for g in range(graphs):
        for a in range(arc_offsets[g], arc_offsets[g + 1]):
            c = labels[a]
            if 0 <= c < num_classes:
                if column_of[c] < class_offsets[g] or column_of[c] < 0:
                    column_of[c] = count
                    classes[count] = c
                    count += 1
                columns[a] = column_of[c] - class_offsets[g]
        class_offsets[g + 1] = count
    entries = np.zeros(num_nodes + 1, dtype=np.int32)
    epsilons = np.zeros(num_nodes, dtype=np.int32)
    same = np.full(num_nodes, -1, dtype=np.int32)
    source = np.empty(num_arcs, dtype=np.int32)
    column = np.empty(num_arcs, dtype=np.int32)
    arc = np.empty(num_arcs, dtype=np.int32)
    e = 0
    for p in range(num_nodes):
        n = order[p]
        for reads in (True, False):
            if not reads:
                epsilons[p] = e
            for j in range(offsets[n], offsets[n + 1]):
                a = arcs[j]
                if columns[a] >= 0 if reads else labels[a] < 0:
                    source[e], column[e], arc[e] = place[src[a]], columns[a], a
                    e += 1
        entries[p + 1] = e
        if entries[p] < epsilons[p]:
            same[p] = column[entries[p]]
            for j in range(entries[p], epsilons[p]):
                if column[j] != same[p]:
                    same[p] = -1
                    break
    return (
        entries, epsilons, same, source[:e], column[:e], arc[:e], class_offsets, classes[:count],
        place,
    )  # fmt: skip
