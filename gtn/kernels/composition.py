"""Composition: explore the pairs of nodes that two graphs reach together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

__all__ = ["FILTERS", "Operand", "explore", "number"]

FILTERS = {"trivial": 0, "sequence": 1, "match": 2}
_TRIVIAL, _SEQUENCE = 0, 1


class Operand(NamedTuple):
    """One side as composition needs it; N nodes, A arcs, S starts, B graphs."""

    offsets: Int32s  # [N + 1]: the arcs of node n are arcs[offsets[n]:offsets[n + 1]],
    arcs: Int32s  # [A]: sorted by label within a node, so that epsilon (-1) comes first
    labels: Int32s  # [A]: the label to match, by arc
    dst: Int32s  # [A]
    alive: Mask  # [N]: whether a final node can be reached
    final: Int32s  # [N]: which final a string that stops at the node ends in, or -1
    starts: Int32s  # [S]: nodes
    start_offsets: Int32s  # [B + 1]: the starts of each graph
    fail: Int32s  # [N]: the failure arc of a node, or -1; [0] where there is none
    least: Int32s  # [N]: how many labels are on a way to a final at least,
    most: Int32s  # [N]: and at most
    node_offsets: Int32s  # [B + 1]: the nodes of each graph


@njit(cache=True, nogil=True)
def _whole(number: Any) -> Any:
    """Return a 64-bit integer: the functions below are compiled for one kind of integer."""
    return np.int64(number)


@njit(cache=True, nogil=True)
def _place(a: int, b: int, state: int, mask: int) -> Any:
    """Return where in the table the search for a node begins: a multiplicative hash."""
    mixed = np.uint64((a << 32) ^ (b << 2) ^ state)
    return _whole((mixed * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def _slot(slots: Int32s, nodes: Int32s, a: int, b: int, state: int, first: int) -> Any:
    """Return where a node is in the table, or where it belongs: linear probing.

    ``slots [2^k]`` holds node numbers; one below ``first`` means an empty slot, so that a table
    is emptied by raising ``first``.
    """
    mask = len(slots) - 1
    at = _place(a, b, state, mask)
    while True:
        n = slots[at]
        if n < first or (nodes[n, 1] == b and nodes[n, 0] == a and nodes[n, 2] == state):
            return at
        at = (at + 1) & mask


@njit(cache=True, nogil=True)
def _table(nodes: Int32s, first: int, count: int, entries: int) -> Int32s:
    """Return a table of the nodes ``first`` to ``count - 1`` with room for some entries."""
    size = 16
    while size < 2 * entries:
        size *= 2
    slots = np.empty(size, dtype=np.int32)
    for at in range(size):
        slots[at] = -1
    for n in range(first, count):
        a, b, state = _whole(nodes[n, 0]), _whole(nodes[n, 1]), _whole(nodes[n, 2])
        at = _place(a, b, state, _whole(size - 1))
        while slots[at] >= 0:
            at = (at + 1) & (size - 1)
        slots[at] = n
    return slots


@njit(cache=True, nogil=True)
def _longer(rows: Int32s, most: int) -> Int32s:
    """Return a copy of the rows with twice the room, but at most ``most`` rows."""
    longer = np.empty((min(2 * len(rows) + 1, most), rows.shape[1]), dtype=np.int32)
    for n in range(len(rows)):
        for k in range(rows.shape[1]):
            longer[n, k] = rows[n, k]
    return longer


@njit(cache=True, nogil=True)
def _seek(labels: Int32s, arcs: Int32s, at: int, end: int, label: int) -> Any:
    """Return the first position from ``at`` on whose label is not smaller.

    If every class has one arc, as after a recognizer, the first guess is right; otherwise galloping
    search, O(log distance): walking through two lists costs as much as the shorter one, times a
    logarithm.
    """
    if at >= end or labels[arcs[at]] >= label:
        return at
    guess = at + label - labels[arcs[at]]
    if guess < end and labels[arcs[guess]] == label and labels[arcs[guess - 1]] < label:
        return guess
    step = 1
    while at + step < end and labels[arcs[at + step]] < label:
        at += step
        step *= 2
    high = min(at + step, end)
    while high - at > 1:
        middle = (at + high) // 2
        if labels[arcs[middle]] < label:
            at = middle
        else:
            high = middle
    return high


@njit(cache=True, nogil=True)
def _epsilon_moves(
    mode: int, state: int, a_none: bool, a_all: bool, b_none: bool, b_all: bool
) -> tuple[int, int, int]:
    """Return the filter states after a moves alone, b moves alone, both move; -1: forbidden.

    ``none``: the node has no epsilon arc, so nothing needs to be forbidden later; ``all``: it has
    no other arc and is not final, so forbidding epsilons later would lead nowhere. (The filters of
    Mohri, Pereira and Riley with the shortcuts of OpenFst.)
    """
    if mode == _TRIVIAL:
        return 0, 0, 0
    if mode == _SEQUENCE:
        return (0 if state == 0 else -1), (0 if a_none else -1 if a_all else 1), -1
    if state == 0:
        return (0 if b_none else -1 if b_all else 1), (0 if a_none else -1 if a_all else 2), 0
    return (1 if state == 1 else -1), (2 if state == 2 else -1), -1


@njit(cache=True, nogil=True)
def _back_off(
    offsets: Int32s, arcs: Int32s, labels: Int32s, dst: Int32s, fail: Int32s, node: int, label: int
) -> tuple[int, int]:
    """Return the positions of the arcs with a label, at the first node along failure arcs that has
    some; an empty range if none has."""
    while True:
        end = _whole(offsets[node + 1])
        first = _seek(labels, arcs, _whole(offsets[node]), end, label)
        last = first
        while last < end and labels[arcs[last]] == label:
            last += 1
        if last > first or fail[node] < 0:
            return first, last
        node = _whole(dst[fail[node]])


@njit(cache=True, nogil=True)
def _advance(
    a: Operand,
    b: Operand,
    mode: int,
    nodes: Int32s,
    arcs: Int32s,
    slots: Int32s,
    first: int,
    here: int,
    num_nodes: int,
    num_arcs: int,
) -> tuple[int, int, int]:
    """Follow the arcs of the nodes from ``here`` on, until none is left or a buffer is full.

    A node whose arcs do not all fit is given back; the next call, with more room, finds the nodes
    already numbered in the table. Allocates nothing, so that the loops are free of reference
    counting.

    Returns:
        the next node to follow, how many nodes there are, and how many arcs.
    """
    a_offsets, a_arcs, a_labels, a_dst, _, a_final, _, _, _, a_least, a_most, _ = a
    b_offsets, b_arcs, b_labels, b_dst, _, b_final, _, _, b_fail, b_least, b_most, _ = b
    most_nodes = min(len(nodes), first + len(slots) // 2)
    while here < num_nodes:
        arcs_before = num_arcs
        na, nb, state = _whole(nodes[here, 0]), _whole(nodes[here, 1]), _whole(nodes[here, 2])
        i, i_end = _whole(a_offsets[na]), _whole(a_offsets[na + 1])
        j, j_end = _whole(b_offsets[nb]), _whole(b_offsets[nb + 1])
        i_real = _seek(a_labels, a_arcs, i, i_end, _whole(0))
        j_real = _seek(b_labels, b_arcs, j, j_end, _whole(0))
        a_alone, b_alone, together = _epsilon_moves(
            mode,
            state,
            i_real == i,
            i_real == i_end and a_final[na] < 0,
            j_real == j,
            j_real == j_end and b_final[nb] < 0,
        )
        failing = len(b_fail) > 0 and b_fail[nb] >= 0
        # Each turn takes one block of arcs of a times one block of arcs of b; position -1
        # stands for standing still.
        turn = 0
        while True:
            i0, i1, j0, j1, next_state = 0, 0, 0, 0, _whole(0)
            if turn == 0:
                if a_alone >= 0:
                    i0, i1, j0, j1, next_state = i, i_real, -1, 0, a_alone
            elif turn == 1:
                if b_alone >= 0:
                    i0, i1, j0, j1, next_state = -1, 0, j, j_real, b_alone
            elif turn == 2:
                if together >= 0:
                    i0, i1, j0, j1, next_state = i, i_real, j, j_real, together
                i, j = i_real, j_real
            elif failing:
                while i < i_end and j0 == j1:
                    label = _whole(a_labels[a_arcs[i]])
                    i0 = i
                    while i < i_end and a_labels[a_arcs[i]] == label:
                        i += 1
                    i1 = i
                    j0, j1 = _back_off(b_offsets, b_arcs, b_labels, b_dst, b_fail, nb, label)
                if j0 == j1:
                    break
            else:
                while i < i_end and j < j_end:
                    la, lb = _whole(a_labels[a_arcs[i]]), _whole(b_labels[b_arcs[j]])
                    if la == lb:
                        break
                    if la < lb:
                        i = _seek(a_labels, a_arcs, i, i_end, lb)
                    else:
                        j = _seek(b_labels, b_arcs, j, j_end, la)
                if i >= i_end or j >= j_end:
                    break
                label = a_labels[a_arcs[i]]
                i0, j0 = i, j
                i, j = i + 1, j + 1
                while i < i_end and a_labels[a_arcs[i]] == label:
                    i += 1
                while j < j_end and b_labels[b_arcs[j]] == label:
                    j += 1
                i1, j1 = i, j
            turn += 1
            for p in range(i0, i1):
                arc_a = a_arcs[p] if p >= 0 else -1
                to_a = _whole(a_dst[arc_a]) if p >= 0 else na
                least, most = a_least[to_a], a_most[to_a]
                for q in range(j0, j1):
                    arc_b = b_arcs[q] if q >= 0 else -1
                    to_b = _whole(b_dst[arc_b]) if q >= 0 else nb
                    if b_least[to_b] > most or b_most[to_b] < least:
                        continue
                    at = _slot(slots, nodes, to_a, to_b, next_state, first)
                    to = slots[at]
                    fresh = to < first
                    if num_arcs == len(arcs) or (fresh and num_nodes == most_nodes):
                        return here, num_nodes, arcs_before
                    if fresh:
                        to = num_nodes
                        slots[at] = to
                        nodes[to, 0] = to_a
                        nodes[to, 1] = to_b
                        nodes[to, 2] = next_state
                        num_nodes += 1
                    arcs[num_arcs, 0] = here
                    arcs[num_arcs, 1] = to
                    arcs[num_arcs, 2] = arc_a
                    arcs[num_arcs, 3] = arc_b
                    num_arcs += 1
        here += 1
    return here, num_nodes, num_arcs


@njit(cache=True, nogil=True)
def explore(
    a: Operand, b: Operand, graphs: int, mode: int, room: int, limit: int
) -> tuple[Int32s, Int32s, Int32s, Int32s, bool]:
    """Return the product of two graphs as far as it is reached from pairs of starts.

    Breadth first over states (node of a, node of b, filter state) in a hash table; pairs from
    which one side reaches no final, or needs more labels than the other has, are left out.
    O(arcs of the result, times the logarithm of the arcs at a node); memory is proportional to
    the result.

    Args:
        a, b: the operands. A side of one graph goes with each graph of the other.
        graphs: B, the length of the longer side.
        mode: the filter, one of the values of ``FILTERS``.
        room: how many nodes and arcs to have room for in the beginning (it grows).
        limit: as many nodes or arcs as this are too many.

    Returns:
        ``nodes [N, 3]`` (node of a, of b, filter state), ``arcs [A, 4]`` (source, destination,
        arc of a, of b; -1 where that side stood still) sorted by source, ``starts [S, 3]`` (node,
        start of a, of b), ``node_offsets [B + 1]``, and whether there were too many.
    """
    room = min(room, limit)
    num_nodes, num_arcs, num_starts = _whole(0), _whole(0), 0
    nodes = np.empty((room, 3), dtype=np.int32)
    arcs = np.empty((room, 4), dtype=np.int32)
    starts = np.empty((room, 3), dtype=np.int32)
    slots = _table(nodes, num_nodes, num_nodes, _whole(room))
    node_offsets = np.zeros(graphs + 1, dtype=np.int32)
    for graph in range(graphs):
        first = num_nodes
        in_a = min(graph, len(a.start_offsets) - 2)
        in_b = min(graph, len(b.start_offsets) - 2)
        for s in range(a.start_offsets[in_a], a.start_offsets[in_a + 1]):
            for t in range(b.start_offsets[in_b], b.start_offsets[in_b + 1]):
                na, nb = _whole(a.starts[s]), _whole(b.starts[t])
                if a.least[na] > b.most[nb] or b.least[nb] > a.most[na]:
                    continue
                if num_nodes >= limit:
                    return nodes, arcs, starts, node_offsets, True
                if num_nodes == len(nodes):
                    nodes = _longer(nodes, limit)
                if num_starts == len(starts):
                    starts = _longer(starts, limit)
                if 2 * (num_nodes - first) >= len(slots):
                    slots = _table(nodes, first, num_nodes, 2 * (num_nodes - first + 1))
                slots[_slot(slots, nodes, na, nb, _whole(0), first)] = num_nodes
                nodes[num_nodes, 0] = na
                nodes[num_nodes, 1] = nb
                nodes[num_nodes, 2] = 0
                starts[num_starts, 0] = num_nodes
                starts[num_starts, 1] = s
                starts[num_starts, 2] = t
                num_nodes += 1
                num_starts += 1
        here = first
        while True:
            here, num_nodes, num_arcs = _advance(
                a, b, mode, nodes, arcs, slots, first, here, num_nodes, num_arcs
            )
            if here == num_nodes:
                break
            if num_nodes >= limit or len(arcs) >= limit:
                return nodes, arcs, starts, node_offsets, True
            if num_nodes == len(nodes):
                nodes = _longer(nodes, limit)
            elif 2 * (num_nodes - first) >= len(slots):
                slots = _table(nodes, first, num_nodes, 2 * (num_nodes - first + 1))
            else:
                arcs = _longer(arcs, limit)
        node_offsets[graph + 1] = num_nodes
    return nodes[:num_nodes], arcs[:num_arcs], starts[:num_starts], node_offsets, False


@njit(cache=True, nogil=True)
def number(
    rows: Int32s, nodes: Int32s, slots: Int32s, count: int
) -> tuple[Int32s, Int32s, Int32s, int]:
    """Number nodes by first appearance; known ones keep their numbers: O(K).

    Args:
        rows: ``[K, 3]``, nodes as in :func:`explore`.
        nodes: the known ones, ``[room, 3]``; and their table, ``[2^k]``, -1 where empty.
        count: how many are known.

    Returns:
        ``numbers [K]``; nodes and table with the new ones in them; how many are known now.
    """
    if 2 * (count + len(rows)) > len(slots):
        slots = _table(nodes, _whole(0), count, 2 * (count + len(rows)))
    while len(nodes) < count + len(rows):
        nodes = _longer(nodes, 2 * len(nodes) + 1)
    numbers = np.empty(len(rows), dtype=np.int32)
    for k in range(len(rows)):
        a, b, state = _whole(rows[k, 0]), _whole(rows[k, 1]), _whole(rows[k, 2])
        at = _slot(slots, nodes, a, b, state, _whole(0))
        if slots[at] < 0:
            slots[at] = count
            nodes[count, 0] = rows[k, 0]
            nodes[count, 1] = rows[k, 1]
            nodes[count, 2] = rows[k, 2]
            count += 1
        numbers[k] = slots[at]
    return numbers, nodes, slots, count
