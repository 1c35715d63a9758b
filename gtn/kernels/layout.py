"""The order in which frame-by-frame recursions visit the nodes and arcs of a graph."""

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
def _ends(node_offsets: Int32s, place: Int32s, ends: Int32s) -> tuple[Int32s, Int32s]:
    """Return where the starts (or finals) of each graph begin, and the place of each.

    If ``place`` is empty, the place of a node is its number within the graph.
    """
    offsets = np.zeros(len(node_offsets), dtype=np.int32)
    places = np.empty(len(ends), dtype=np.int32)
    g = 0
    for i in range(len(ends)):
        while ends[i] >= node_offsets[g + 1]:
            g += 1
            offsets[g] = i
        places[i] = place[ends[i]] if len(place) > 0 else ends[i] - node_offsets[g]
    offsets[g + 1 :] = len(ends)
    return offsets, places


@njit(cache=True, nogil=True)
def _in_order(
    node_offsets: Int32s,
    arc_offsets: Int32s,
    src: Int32s,
    dst: Int32s,
    labels: Int32s,
    num_classes: int,
) -> tuple[bool, Int32s, Int32s, Int32s, Int32s, Int32s, Int32s, Int32s, Int32s]:
    """Return entries, classes and the arrays by arc, all in one pass: O(N + A + G + C).

    This works if arcs are already grouped by destination and all read a class; the first result
    says whether they are and do.
    """
    graphs, num_arcs = len(node_offsets) - 1, len(src)
    num_nodes = node_offsets[graphs]
    entries = np.empty(num_nodes + 1, dtype=np.int32)
    same = np.full(num_nodes, -1, dtype=np.int32)
    source = np.empty(num_arcs, dtype=np.int32)
    column = np.empty(num_arcs, dtype=np.int32)
    arc = np.empty(num_arcs, dtype=np.int32)
    column_of = np.full(num_classes, -1, dtype=np.int32)
    class_offsets = np.zeros(graphs + 1, dtype=np.int32)
    classes = np.empty(min(num_arcs, graphs * num_classes), dtype=np.int32)
    one = np.uint64(1)
    count, node, fine = 0, -1, True  # node: the one whose arcs are visited
    for g in range(graphs):
        begin, origin = class_offsets[g], node_offsets[g]
        for a in range(np.uint64(arc_offsets[g]), np.uint64(arc_offsets[g + 1])):
            label, to = labels[a], dst[a]
            if label < 0 or label >= num_classes or to < node:
                fine = False
                break
            c, q = np.uint64(label), np.uint64(to)
            if column_of[c] < begin:
                column_of[c] = count
                classes[np.uint64(count)] = label
                count += 1
            read = column_of[c] - begin
            if to > node:
                for p in range(np.uint64(node + 1), q + one):
                    entries[p] = a
                node = to
                same[q] = read
            elif same[q] != read:
                same[q] = -1
            source[a], column[a], arc[a] = src[a] - origin, read, a
        if not fine:
            break
        class_offsets[g + 1] = count
    entries[node + 1 :] = num_arcs
    return (
        fine, entries, entries[1:].copy(), same, source, column, arc, class_offsets,
        classes[:count],
    )  # fmt: skip


@njit(cache=True, nogil=True)
def arrange(
    node_offsets: Int32s,
    arc_offsets: Int32s,
    order: Int32s,
    src: Int32s,
    dst: Int32s,
    labels: Int32s,
    starts: Int32s,
    finals: Int32s,
    num_classes: int,
) -> tuple[Int32s, ...]:
    """Lay out G graphs whose arcs read classes below ``num_classes``: O(N + A + G + C).

    Returns the fields of a :class:`Layout`.

    Arcs that read another label match nothing and are left out.

    Args:
        order: nodes, one graph after the other, with epsilon arcs leading forward; empty: as
            they are.
    """
    graphs, num_arcs = len(node_offsets) - 1, len(src)
    num_nodes = node_offsets[graphs]
    if len(order) == 0:
        fine, entries, epsilons, same, source, column, arc, class_offsets, classes = _in_order(
            node_offsets, arc_offsets, src, dst, labels, num_classes
        )
        if fine:
            start_offsets, start_places = _ends(node_offsets, order, starts)
            final_offsets, final_places = _ends(node_offsets, order, finals)
            return (
                node_offsets, entries, epsilons, same, source, column, arc, class_offsets,
                classes, start_offsets, start_places, final_offsets, final_places,
            )  # fmt: skip
    place = np.empty(num_nodes, dtype=np.int32)
    for g in range(graphs):
        for p in range(node_offsets[g], node_offsets[g + 1]):
            place[order[p] if len(order) > 0 else p] = p - node_offsets[g]
    column_of = np.full(num_classes, -1, dtype=np.int32)
    class_offsets = np.zeros(graphs + 1, dtype=np.int32)
    classes = np.empty(min(num_arcs, graphs * num_classes), dtype=np.int32)
    columns = np.full(num_arcs, -1, dtype=np.int32)
    entries = np.zeros(num_nodes + 1, dtype=np.int32)
    epsilons = np.zeros(num_nodes, dtype=np.int32)
    count = 0
    for g in range(graphs):
        for a in range(arc_offsets[g], arc_offsets[g + 1]):
            c, p = labels[a], node_offsets[g] + place[dst[a]]
            if 0 <= c < num_classes:
                if column_of[c] < class_offsets[g] or column_of[c] < 0:
                    column_of[c] = count
                    classes[count] = c
                    count += 1
                columns[a] = column_of[c] - class_offsets[g]
                epsilons[p] += 1
            if c < num_classes:
                entries[p + 1] += 1
        class_offsets[g + 1] = count
    for p in range(num_nodes):
        epsilons[p] += entries[p]
        entries[p + 1] += entries[p]
    source = np.empty(entries[num_nodes], dtype=np.int32)
    column = np.empty(entries[num_nodes], dtype=np.int32)
    arc = np.empty(entries[num_nodes], dtype=np.int32)
    same = np.full(num_nodes, -1, dtype=np.int32)
    reading, silent = entries.copy(), epsilons.copy()
    for g in range(graphs):
        for a in range(arc_offsets[g], arc_offsets[g + 1]):
            if labels[a] >= num_classes:
                continue
            p = node_offsets[g] + place[dst[a]]
            if columns[a] >= 0:
                e = reading[p]
                same[p] = columns[a] if e == entries[p] or columns[a] == same[p] else -1
                reading[p] += 1
            else:
                e = silent[p]
                silent[p] += 1
            source[e], column[e], arc[e] = place[src[a]], columns[a], a
    start_offsets, start_places = _ends(node_offsets, place, starts)
    final_offsets, final_places = _ends(node_offsets, place, finals)
    return (
        node_offsets, entries, epsilons, same, source, column, arc, class_offsets,
        classes[:count], start_offsets, start_places, final_offsets, final_places,
    )  # fmt: skip
