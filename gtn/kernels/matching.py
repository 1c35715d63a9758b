"""Matching: exploring a composition in which epsilons need no filter.

Where one side has no epsilon to be matched, every filter allows every move, and a node of the
result is just a pair of nodes. Then no state has to be kept, and pairs can be looked up directly
as long as there are not many more than inputs and result are large.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["match"]

_DENSE = 4  # pairs for each node and arc that is there anyway
_NOT_MUCH = 8  # times longer


class _Side(NamedTuple):
    """One side, with what is read together lying together; N nodes, A arcs, L labels."""

    offsets: Int32s  # [N + 1]
    real: Int32s  # [N]: where the labels that are no epsilons begin
    arcs: Int32s  # [A]: by node, then label, and so the next two
    labels: Int32s  # [A]
    dst: Int32s  # [A]
    ahead: Int32s  # [N]
    first: Int32s  # [N (L + 1)]: where a label begins at a node; [0] if that were too large
    width: int  # L + 1


@njit(cache=True, nogil=True)
def _whole(number: Any) -> Any:
    """Return an integer of 64 bits: the functions below are compiled for one kind of integer."""
    return np.int64(number)


@njit(cache=True, nogil=True)
def _side(operand: Any) -> _Side:
    """Return one side laid out for matching: O(N + A)."""
    offsets, arcs = operand.offsets, operand.arcs
    num_nodes, num_arcs = len(offsets) - 1, len(arcs)
    labels = np.empty(num_arcs, dtype=np.int32)
    dst = np.empty(num_arcs, dtype=np.int32)
    top = _whole(-1)
    for k in range(num_arcs):
        labels[k] = operand.labels[arcs[k]]
        dst[k] = operand.dst[arcs[k]]
        top = max(top, _whole(labels[k]))
    real = np.empty(num_nodes, dtype=np.int32)
    width = top + 2
    dense = num_nodes * width <= 2 * (num_nodes + num_arcs)
    first = np.empty(num_nodes * width if dense else 0, dtype=np.int32)
    for n in range(num_nodes):
        at, end = offsets[n], offsets[n + 1]
        while at < end and labels[at] < 0:
            at += 1
        real[n] = at
        if dense:
            for label in range(width):
                while at < end and labels[at] < label:
                    at += 1
                first[n * width + label] = at
    return _Side(offsets, real, arcs, labels, dst, operand.ahead, first, width)


@njit(cache=True, nogil=True)
def _longer(row: Int32s, most: int) -> Int32s:
    """Return a copy with twice the room, but at most ``most``."""
    longer = np.empty(min(2 * len(row) + 1, most), dtype=np.int32)
    longer[: len(row)] = row
    return longer


@njit(cache=True, nogil=True)
def _seek(labels: Int32s, at: int, end: int, label: int) -> Any:
    """Return the first position from ``at`` on whose label is not smaller: galloping search."""
    if at >= end or labels[at] >= label:
        return at
    guess = at + label - labels[at]
    if guess < end and labels[guess] == label and labels[guess - 1] < label:
        return guess
    step = 1
    while at + step < end and labels[at + step] < label:
        at += step
        step *= 2
    high = min(at + step, end)
    while high - at > 1:
        middle = (at + high) // 2
        if labels[middle] < label:
            at = middle
        else:
            high = middle
    return high


@njit(cache=True, nogil=True)
def _slot(slots: Int32s, in_a: Int32s, in_b: Int32s, a: int, b: int, width: int, first: int) -> Any:
    """Return where a pair is in the table, or where it belongs.

    ``slots`` holds node numbers; one below ``first`` means an empty slot. A table with room for
    every pair, ``width`` for each node of a, is addressed directly; one of ``width`` 0 is hashed.
    """
    if width > 0:
        return a * width + b
    mask = len(slots) - 1
    mixed = np.uint64((a << 32) ^ b) * np.uint64(0x9E3779B97F4A7C15)
    at = _whole(mixed >> np.uint64(32)) & mask
    while True:
        n = slots[at]
        if n < first or (in_b[n] == b and in_a[n] == a):
            return at
        at = (at + 1) & mask


@njit(cache=True, nogil=True)
def _table(
    in_a: Int32s, in_b: Int32s, first: int, count: int, pairs: int, width: int, spare: int
) -> tuple[Int32s, int]:
    """Return a table of the nodes ``first`` to ``count - 1`` with room for twice as many.

    Args:
        pairs: how many pairs there are.
        width: how many nodes b has.
        spare: how many entries a table may have in any case.

    Returns:
        the table and the width to address it with.
    """
    size = 16
    while size < 4 * (count - first + 1):
        size *= 2
    if pairs <= max(2 * size, spare):
        size = pairs
    else:
        width = 0
    slots = np.full(size, -1, dtype=np.int32)
    for n in range(first, count):
        a, b = _whole(in_a[n]), _whole(in_b[n])
        slots[_slot(slots, in_a, in_b, a, b, width, _whole(0))] = n
    return slots, width


@njit(cache=True, nogil=True)
def _advance(
    left: _Side,
    right: _Side,
    in_a: Int32s,
    in_b: Int32s,
    found: tuple[Int32s, Int32s, Int32s, Int32s],
    slots: Int32s,
    table_width: int,
    first: int,
    here: int,
    num_nodes: int,
    num_arcs: int,
) -> tuple[int, int, int]:
    """Follow the arcs of the pairs from ``here`` on, until none is left or a buffer is full.

    A pair whose arcs do not all fit is given back; the next call finds the pairs that it has
    already numbered in the table.

    Returns:
        the next pair to follow, how many there are, and how many arcs.
    """
    a_offsets, a_real, a_arcs, a_labels, a_dst, a_ahead, a_first, a_width = left
    b_offsets, b_real, b_arcs, b_labels, b_dst, b_ahead, b_first, b_width = right
    src, dst, arcs_a, arcs_b = found
    room = len(src)
    most_nodes = len(in_a)
    if table_width == 0:
        most_nodes = min(most_nodes, first + len(slots) // 2)
    look_in_a, look_in_b = len(a_first) > 0, len(b_first) > 0
    while here < num_nodes:
        arcs_before = num_arcs
        na, nb = _whole(in_a[here]), _whole(in_b[here])
        i, i_end = _whole(a_real[na]), _whole(a_offsets[na + 1])
        j, j_end = _whole(b_real[nb]), _whole(b_offsets[nb + 1])
        # Walk the shorter side and look its labels up in the other; where that has no index, walk
        # the longer one only if it is not much longer, and search both sides by turns otherwise.
        many_a, many_b = i_end - i, j_end - j
        by_a = look_in_b and many_a <= (many_b if look_in_a else _NOT_MUCH * many_b)
        by_b = look_in_a and not by_a and many_b <= _NOT_MUCH * many_a
        # Each turn takes one block of arcs of a times one block of arcs of b; position -1
        # stands for standing still.
        turn = 0
        while True:
            i0, i1, j0, j1 = _whole(0), _whole(0), _whole(0), _whole(0)
            if turn == 0:
                i0, i1, j0, j1 = _whole(a_offsets[na]), i, _whole(-1), _whole(0)
            elif turn == 1:
                i0, i1, j0, j1 = _whole(-1), _whole(0), _whole(b_offsets[nb]), j
            elif by_a:
                if i >= i_end:
                    break
                label = _whole(a_labels[i])
                i0, i1 = i, i + 1
                i += 1
                if label < b_width - 1:
                    j0 = _whole(b_first[nb * b_width + label])
                    j1 = _whole(b_first[nb * b_width + label + 1])
            elif by_b:
                if j >= j_end:
                    break
                label = _whole(b_labels[j])
                j0 = j
                j += 1
                while j < j_end and b_labels[j] == label:
                    j += 1
                j1 = j
                if label < a_width - 1:
                    i0 = _whole(a_first[na * a_width + label])
                    i1 = _whole(a_first[na * a_width + label + 1])
            else:
                while i < i_end and j < j_end:
                    la, lb = _whole(a_labels[i]), _whole(b_labels[j])
                    if la == lb:
                        break
                    if la < lb:
                        i = _seek(a_labels, i, i_end, lb)
                    else:
                        j = _seek(b_labels, j, j_end, la)
                if i >= i_end or j >= j_end:
                    break
                label = _whole(a_labels[i])
                i0, j0 = i, j
                i, j = i + 1, j + 1
                while i < i_end and a_labels[i] == label:
                    i += 1
                while j < j_end and b_labels[j] == label:
                    j += 1
                i1, j1 = i, j
            turn += 1
            for p in range(i0, i1):
                arc_a = a_arcs[p] if p >= 0 else np.int32(-1)
                to_a = _whole(a_dst[p]) if p >= 0 else na
                most = a_ahead[to_a]
                for q in range(j0, j1):
                    arc_b = b_arcs[q] if q >= 0 else np.int32(-1)
                    to_b = _whole(b_dst[q]) if q >= 0 else nb
                    if b_ahead[to_b] > most:
                        continue
                    at = _slot(slots, in_a, in_b, to_a, to_b, table_width, first)
                    to = slots[at]
                    fresh = to < first
                    if num_arcs == room or (fresh and num_nodes == most_nodes):
                        return here, num_nodes, arcs_before
                    if fresh:
                        to = np.int32(num_nodes)
                        slots[at] = to
                        in_a[to] = to_a
                        in_b[to] = to_b
                        num_nodes += 1
                    src[num_arcs] = here
                    dst[num_arcs] = to
                    arcs_a[num_arcs] = arc_a
                    arcs_b[num_arcs] = arc_b
                    num_arcs += 1
        here += 1
    return here, num_nodes, num_arcs


@njit(cache=True, nogil=True)
def match(
    a: Any, b: Any, graphs: int, room: int, limit: int
) -> tuple[tuple[Int32s, Int32s], tuple[Int32s, Int32s, Int32s, Int32s], Int32s, Int32s, bool]:
    """Return the product of two graphs as far as it is reached, numbered breadth first.

    The same nodes and arcs as :func:`gtn.kernels.composition.explore` finds with any filter,
    where one side has no epsilon and ``b`` no failure arcs. O(arcs of the result) where the
    labels are dense, times a logarithm otherwise; memory is proportional to operands and result.

    Args:
        a, b: operands, as ``Operand`` of :mod:`gtn.kernels.composition`. A side of
            one graph goes with each graph of the other.
        graphs: B, the length of the longer side.
        room: how many nodes and arcs to have room for in the beginning (it grows).
        limit: as many nodes or arcs as this are too many.

    Returns:
        the nodes of a and of b, each ``[N]``; source, destination, arc of a and arc of b, each
        ``[A]`` (-1 where that side stood still), sorted by source; ``starts [S, 3]`` (node, start
        of a, of b), ``node_offsets [B + 1]``, and whether there were too many.
    """
    left, right = _side(a), _side(b)
    width = len(right.real)
    pairs = len(left.real) * width
    spare = _DENSE * (len(left.real) + width + len(left.arcs) + len(right.arcs))
    room = min(room, limit)
    num_nodes, num_arcs, num_starts = _whole(0), _whole(0), 0
    in_a, in_b = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    src, dst = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    arcs_a, arcs_b = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    most_starts = 0
    for graph in range(graphs):
        g, h = min(graph, len(a.start_offsets) - 2), min(graph, len(b.start_offsets) - 2)
        most_starts += (a.start_offsets[g + 1] - a.start_offsets[g]) * (
            b.start_offsets[h + 1] - b.start_offsets[h]
        )
    starts = np.empty((min(most_starts, limit), 3), dtype=np.int32)
    node_offsets = np.zeros(graphs + 1, dtype=np.int32)
    slots, table_width = _table(in_a, in_b, num_nodes, num_nodes, pairs, width, spare)
    for graph in range(graphs):
        first = num_nodes
        g, h = min(graph, len(a.start_offsets) - 2), min(graph, len(b.start_offsets) - 2)
        for s in range(a.start_offsets[g], a.start_offsets[g + 1]):
            for t in range(b.start_offsets[h], b.start_offsets[h + 1]):
                na, nb = _whole(a.starts[s]), _whole(b.starts[t])
                if not (a.alive[na] and b.alive[nb]):
                    continue
                if num_nodes >= limit:
                    too_many = (src, dst, arcs_a, arcs_b)
                    return (in_a, in_b), too_many, starts, node_offsets, True
                if num_nodes == len(in_a):
                    in_a, in_b = _longer(in_a, limit), _longer(in_b, limit)
                if table_width == 0 and 2 * (num_nodes - first) >= len(slots):
                    slots, table_width = _table(in_a, in_b, first, num_nodes, pairs, width, spare)
                slots[_slot(slots, in_a, in_b, na, nb, table_width, first)] = num_nodes
                in_a[num_nodes], in_b[num_nodes] = na, nb
                starts[num_starts, 0] = num_nodes
                starts[num_starts, 1] = s
                starts[num_starts, 2] = t
                num_nodes += 1
                num_starts += 1
        here = first
        while True:
            found = (src, dst, arcs_a, arcs_b)
            here, num_nodes, num_arcs = _advance(
                left, right, in_a, in_b, found, slots, table_width, first, here, num_nodes, num_arcs
            )
            if here == num_nodes:
                break
            if num_nodes >= limit or len(src) >= limit:
                return (in_a, in_b), found, starts, node_offsets, True
            if num_nodes == len(in_a):
                in_a, in_b = _longer(in_a, limit), _longer(in_b, limit)
            elif table_width == 0 and 2 * (num_nodes - first) >= len(slots):
                slots, table_width = _table(in_a, in_b, first, num_nodes, pairs, width, spare)
            else:
                src, dst = _longer(src, limit), _longer(dst, limit)
                arcs_a, arcs_b = _longer(arcs_a, limit), _longer(arcs_b, limit)
        node_offsets[graph + 1] = num_nodes
    nodes = (in_a[:num_nodes], in_b[:num_nodes])
    kept = (src[:num_arcs], dst[:num_arcs], arcs_a[:num_arcs], arcs_b[:num_arcs])
    return nodes, kept, starts[:num_starts], node_offsets, False
