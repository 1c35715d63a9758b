"""Walks through a graph on which no mark is followed by a string forbidden after marks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

__all__ = ["meet"]


@njit(cache=True, nogil=True)
def _with_room(array: Any, size: int) -> Any:
    """Return the array, or a longer copy if it has no room for ``size`` entries."""
    if size <= len(array):
        return array
    longer = np.empty(max(size, 2 * len(array)), dtype=array.dtype)
    longer[: len(array)] = array
    return longer


@njit(cache=True, nogil=True)
def _step(offsets: Int32s, arcs: Int32s, labels: Int32s, dst: Int32s, node: Any, label: Any) -> Any:
    """Return where a deterministic graph (arcs by node and label) goes; -1: nowhere."""
    low, high = offsets[node], offsets[node + 1]
    while low < high:
        middle = (low + high) // 2
        if labels[arcs[middle]] < label:
            low = middle + 1
        else:
            high = middle
    if low < offsets[node + 1] and labels[arcs[low]] == label:
        return dst[arcs[low]]
    return np.int32(-1)


@njit(cache=True, nogil=True)
def _code(node: Any, row: Int32s, size: Any) -> Any:
    """Return a number that stands for a node and the first entries of a row."""
    code = np.uint64(node + 1) * np.uint64(0x9E3779B97F4A7C15)
    for i in range(size):
        code = (code ^ (code >> np.uint64(29))) + np.uint64(row[i] + 1)
        code *= np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((code ^ (code >> np.uint64(32))) & np.uint64(0x7FFFFFFFFFFFFFFF))


@njit(cache=True, nogil=True)
def _slot(
    table: Int32s,
    codes: NDArray[np.int64],
    nodes: Int32s,
    offsets: NDArray[np.int64],
    members: Int32s,
    code: Any,
    node: Any,
    row: Int32s,
    size: Any,
) -> Any:
    """Return the slot of a pair, or the free slot for it."""
    last = len(table) - 1
    slot = code & last
    while table[slot] >= 0:
        pair = table[slot]
        first = offsets[pair]
        if codes[pair] == code and nodes[pair] == node and offsets[pair + 1] - first == size:
            same = True
            for i in range(size):
                if members[first + i] != row[i]:
                    same = False
                    break
            if same:
                return slot
        slot = (slot + 1) & last
    return slot


@njit(cache=True, nogil=True)
def meet(
    a_offsets: Int32s,
    a_arcs: Int32s,
    a_labels: Int32s,
    a_dst: Int32s,
    start: int,
    b_offsets: Int32s,
    b_arcs: Int32s,
    b_labels: Int32s,
    b_dst: Int32s,
    b_start: int,
    b_final: Mask,
    mark: int,
    limit: int,
) -> tuple[Int32s, Int32s, Int32s, Int32s, bool]:
    """Pair each node of ``a`` with the set of forbidden strings that have begun after marks.

    The set holds nodes of ``b``: for each mark on the way, where ``b`` is after what was read since
    then, if it leads anywhere. Arcs on which one of them becomes final are left out. As in the
    automaton of Aho and Corasick (1975), a set usually stands for suffixes of what was read last.
    O(arcs out · sizes of the sets · log).

    Args:
        a_offsets, a_arcs, a_dst: arcs by node.
        a_labels: what each arc reads: nothing (-1), a mark, or a label that ``b`` knows.
        start: of ``a``.
        b_offsets, b_arcs, b_labels, b_dst: deterministic; arcs by node and label.
        b_start, b_final: its start, and which nodes are final.
        limit: how many pairs there may be.

    Returns:
        the node of ``a`` of each pair, numbered breadth first; pair left, pair reached and arc of
        ``a`` of each arc; and whether all this is void because there were more pairs.
    """
    nodes = np.empty(16, dtype=np.int32)
    codes = np.empty(16, dtype=np.int64)
    offsets = np.zeros(17, dtype=np.int64)
    members = np.empty(16, dtype=np.int32)
    table = np.full(64, -1, dtype=np.int32)
    src = np.empty(16, dtype=np.int32)
    dst = np.empty(16, dtype=np.int32)
    arc_of = np.empty(16, dtype=np.int32)
    row = np.empty(16, dtype=np.int32)
    nodes[0] = start
    codes[0] = _code(np.int32(start), row, 0)
    table[codes[0] & 63] = 0
    count, made, pair = 1, 0, 0
    while pair < count:
        node = nodes[pair]
        first, held = offsets[pair], offsets[pair + 1] - offsets[pair]
        row = _with_room(row, held + 1)
        for k in range(a_offsets[node], a_offsets[node + 1]):
            arc = a_arcs[k]
            label = a_labels[arc]
            size, over = np.int64(0), False
            for i in range(first, first + held):
                to = members[i]
                if label >= 0 and label != mark:
                    to = _step(b_offsets, b_arcs, b_labels, b_dst, to, label)
                if to >= 0:
                    over |= b_final[to]
                    row[size] = to
                    size += 1
            if label == mark:
                over |= b_final[b_start]
                row[size] = b_start
                size += 1
            if over:
                continue
            row[:size].sort()
            different = np.int64(0)
            for i in range(size):
                if i == 0 or row[i] != row[different - 1]:
                    row[different] = row[i]
                    different += 1
            target = a_dst[arc]
            code = _code(target, row, different)
            slot = _slot(table, codes, nodes, offsets, members, code, target, row, different)
            reached = table[slot]
            if reached < 0:
                if count == limit:
                    return nodes, src, dst, arc_of, True
                reached = np.int32(count)
                table[slot] = reached
                used = offsets[count]
                nodes = _with_room(nodes, count + 1)
                codes = _with_room(codes, count + 1)
                offsets = _with_room(offsets, count + 2)
                members = _with_room(members, used + different)
                nodes[count], codes[count] = target, code
                offsets[count + 1] = used + different
                members[used : used + different] = row[:different]
                count += 1
                if 2 * count > len(table):
                    table = np.full(4 * len(table), -1, dtype=np.int32)
                    for p in range(count):
                        place = codes[p] & (len(table) - 1)
                        while table[place] >= 0:
                            place = (place + 1) & (len(table) - 1)
                        table[place] = p
            src = _with_room(src, made + 1)
            dst = _with_room(dst, made + 1)
            arc_of = _with_room(arc_of, made + 1)
            src[made], dst[made], arc_of[made] = pair, reached, arc
            made += 1
        pair += 1
    return nodes[:count].copy(), src[:made].copy(), dst[:made].copy(), arc_of[:made].copy(), False
