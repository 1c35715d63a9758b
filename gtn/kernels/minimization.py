"""Partition refinement on arrays of arcs, and the numbering of the blocks it finds.

A symbol here is a number >= 0 that stands for everything in which two arcs may differ.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["breadth_first_blocks", "coarsest_partition", "windows"]


@njit(cache=True, nogil=True)
def _mark(
    element: int,
    elements: Int32s,
    place: Int32s,
    set_of: Int32s,
    first: Int32s,
    marked: Int32s,
    touched: Int32s,
    num_touched: int,
) -> int:
    """Move an element to the marked front of its set; return how many sets are touched."""
    s = set_of[element]
    i, j = place[element], first[s] + marked[s]
    elements[i] = elements[j]
    place[elements[i]] = i
    elements[j] = element
    place[element] = j
    if marked[s] == 0:
        touched[num_touched] = s
        num_touched += 1
    marked[s] += 1
    return num_touched


@njit(cache=True, nogil=True)
def _split(
    num_sets: int,
    elements: Int32s,
    set_of: Int32s,
    first: Int32s,
    past: Int32s,
    marked: Int32s,
    touched: Int32s,
    num_touched: int,
) -> int:
    """Split touched sets into marked and unmarked, the smaller is new; return how many there are.

    Renaming only the smaller half makes the whole O(A log A).
    """
    for t in range(num_touched - 1, -1, -1):
        s = touched[t]
        middle = first[s] + marked[s]
        marked[s] = 0
        if middle == past[s]:
            continue
        if middle - first[s] <= past[s] - middle:
            first[num_sets] = first[s]
            past[num_sets] = middle
            first[s] = middle
        else:
            first[num_sets] = middle
            past[num_sets] = past[s]
            past[s] = middle
        marked[num_sets] = 0
        for i in range(first[num_sets], past[num_sets]):
            set_of[elements[i]] = num_sets
        num_sets += 1
    return num_sets


@njit(cache=True, nogil=True)
def coarsest_partition(
    src: Int32s,
    in_offsets: Int32s,
    in_arcs: Int32s,
    nodes: Int32s,
    node_offsets: Int32s,
    arcs: Int32s,
    symbol_offsets: Int32s,
) -> Int32s:
    """Partition the nodes of a partial deterministic graph by what they accept.

    A. Valmari: Fast brief practical DFA minimization, Information Processing Letters 112 (2012):
    blocks of nodes and cords (sets of arcs of one symbol into one block) split each other until
    neither can. O(A log A). Every node must be on a path from a start to a final node, and no
    two arcs of a symbol may leave a node.

    Args:
        src: source of each arc, ``[A]``.
        in_offsets, in_arcs: arcs by destination.
        nodes, node_offsets: all nodes grouped by the first partition, without empty groups.
        arcs, symbol_offsets: all arcs grouped by symbol, without empty groups.

    Returns:
        the block of each node, ``[N]``.
    """
    num_nodes, num_arcs = len(nodes), len(arcs)
    b_elements, b_place = nodes.copy(), np.empty(num_nodes, dtype=np.int32)
    b_set = np.empty(num_nodes, dtype=np.int32)
    b_first = np.empty(num_nodes, dtype=np.int32)
    b_past = np.empty(num_nodes, dtype=np.int32)
    b_marked = np.zeros(num_nodes, dtype=np.int32)
    b_touched = np.empty(num_nodes, dtype=np.int32)
    blocks = len(node_offsets) - 1
    for g in range(blocks):
        b_first[g], b_past[g] = node_offsets[g], node_offsets[g + 1]
        for i in range(node_offsets[g], node_offsets[g + 1]):
            b_set[nodes[i]] = g
            b_place[nodes[i]] = i
    c_elements, c_place = arcs.copy(), np.empty(num_arcs, dtype=np.int32)
    c_set = np.empty(num_arcs, dtype=np.int32)
    c_first = np.empty(num_arcs, dtype=np.int32)
    c_past = np.empty(num_arcs, dtype=np.int32)
    c_marked = np.zeros(num_arcs, dtype=np.int32)
    c_touched = np.empty(num_arcs, dtype=np.int32)
    cords = len(symbol_offsets) - 1
    for g in range(cords):
        c_first[g], c_past[g] = symbol_offsets[g], symbol_offsets[g + 1]
        for i in range(symbol_offsets[g], symbol_offsets[g + 1]):
            c_set[arcs[i]] = g
            c_place[arcs[i]] = i
    block, cord = 1, 0  # after all other blocks have split, the first one need not split any
    while cord < cords:
        touched = 0
        for i in range(c_first[cord], c_past[cord]):
            touched = _mark(
                src[c_elements[i]],
                b_elements,
                b_place,
                b_set,
                b_first,
                b_marked,
                b_touched,
                touched,
            )
        blocks = _split(blocks, b_elements, b_set, b_first, b_past, b_marked, b_touched, touched)
        cord += 1
        while block < blocks:
            touched = 0
            for i in range(b_first[block], b_past[block]):
                node = b_elements[i]
                for k in range(in_offsets[node], in_offsets[node + 1]):
                    touched = _mark(
                        in_arcs[k],
                        c_elements,
                        c_place,
                        c_set,
                        c_first,
                        c_marked,
                        c_touched,
                        touched,
                    )
            cords = _split(cords, c_elements, c_set, c_first, c_past, c_marked, c_touched, touched)
            block += 1
    return b_set


@njit(cache=True, nogil=True)
def breadth_first_blocks(
    block: Int32s, starts: Int32s, dst: Int32s, out_offsets: Int32s, out_arcs: Int32s
) -> Int32s:
    """Number the blocks breadth first from each start, along arcs in the order of symbols: O(A).

    Args:
        block: of each node, ``[N]``; nodes of a block have arcs of the same symbols to the same
            blocks.

    Returns:
        the new number of each block, ``[N]``; -1 where no start leads.
    """
    number = np.full(len(block), -1, dtype=np.int32)
    queue = np.empty(len(block), dtype=np.int32)
    found, done = 0, 0
    for start in starts:
        if number[block[start]] < 0:
            number[block[start]] = found
            queue[found] = start
            found += 1
        while done < found:
            node = queue[done]
            done += 1
            for k in range(out_offsets[node], out_offsets[node + 1]):
                d = dst[out_arcs[k]]
                if number[block[d]] < 0:
                    number[block[d]] = found
                    queue[found] = d
                    found += 1
    return number


@njit(cache=True, nogil=True)
def windows(
    groups: Int32s, values: NDArray[np.float64], order: NDArray[np.int64], delta: float
) -> Int32s:
    """Number the values of each group so that equal numbers are within delta: O(len).

    Args:
        groups, values: of each item.
        order: the items sorted by group, then by value.

    Returns:
        the number of each item's window; each window begins at its least value.
    """
    number = np.empty(len(order), dtype=np.int32)
    count, first = -1, 0
    for k in range(len(order)):
        item = order[k]
        if (
            k == 0
            or groups[item] != groups[order[k - 1]]
            or not values[item] <= values[order[first]] + delta
        ):
            count += 1
            first = k
        number[item] = count
    return number
