"""Composition: exploring the pairs of nodes that two graphs reach together, and trimming them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

__all__ = ["FILTERS", "Operand", "explore", "number", "trim"]

FILTERS = {"trivial": 0, "sequence": 1, "match": 2}
_TRIVIAL, _SEQUENCE = 0, 1
_EPSILON = -1


class Operand(NamedTuple):
    """What composition needs of one side; N nodes, A arcs, S starts, B graphs."""

    offsets: Int32s  # [N + 1]: the arcs of node n are arcs[offsets[n]:offsets[n + 1]],
    arcs: Int32s  # [A]: sorted by label within a node, so that epsilon (-1) comes first
    labels: Int32s  # [A]: the label to match, by arc
    dst: Int32s  # [A]
    alive: Mask  # [N]: whether a final node can be reached
    final: Int32s  # [N]: which final a node is, or -1
    starts: Int32s  # [S]: nodes
    start_offsets: Int32s  # [B + 1]: the starts of each graph


@njit(cache=True, nogil=True)
def _slot(slots: Int64s, key: int, first: int) -> int:
    """Return where a key is in the table, or where it belongs.

    ``slots [2^k, 2]`` holds keys and numbers; a number below ``first`` means an empty slot, so a
    table is emptied by raising ``first``. Linear probing after a multiplicative hash.
    """
    mask = len(slots) - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    at = int(mixed >> np.uint64(32)) & mask
    while slots[at, 1] >= first and slots[at, 0] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True, nogil=True)
def _table(entries: int) -> Int64s:
    """Return an empty table with room for some entries at half load."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return np.full((size, 2), -1, dtype=np.int64)


@njit(cache=True, nogil=True)
def _larger_table(slots: Int64s, entries: int, first: int) -> Int64s:
    """Return a table with room for some entries that holds what the smaller one holds."""
    larger = _table(entries)
    for at in range(len(slots)):
        if slots[at, 1] >= first:
            to = _slot(larger, slots[at, 0], first)
            larger[to, 0] = slots[at, 0]
            larger[to, 1] = slots[at, 1]
    return larger


@njit(cache=True, nogil=True)
def _longer(rows: Int32s) -> Int32s:
    """Return a copy of the rows with twice the room."""
    longer = np.empty((2 * len(rows) + 1, rows.shape[1]), dtype=np.int32)
    longer[: len(rows)] = rows
    return longer


@njit(cache=True, nogil=True)
def _seek(labels: Int32s, arcs: Int32s, at: int, end: int, label: int) -> int:
    """Return the first position from ``at`` on whose label is not smaller: galloping search.

    O(log distance), so that walking through two lists costs what the shorter one costs, times a
    logarithm.
    """
    if at >= end or labels[arcs[at]] >= label:
        return at
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

    ``none``: the node has no epsilon arc, so nothing has to be forbidden later; ``all``: it has
    no other arc and is not final, so forbidding epsilon later would lead nowhere. (The filters of
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
def explore(
    a: Operand, b: Operand, graphs: int, mode: int, room: int, limit: int
) -> tuple[Int32s, Int32s, Int32s, Int32s, bool]:
    """Return the product of two graphs as far as it is reached from pairs of starts.

    Breadth first over states (node of a, node of b, filter state) in a hash table; arcs to nodes
    from which their own side reaches no final are left out. O(arcs of the result, times the
    logarithm of the arcs at a node); memory is proportional to the result.

    Args:
        a, b: the operands. A side of one graph goes with each graph of the other.
        graphs: B, the length of the longer side.
        mode: the filter, one of the values of ``FILTERS``.
        room: how many nodes and arcs to have room for in the beginning (it grows).
        limit: more nodes or arcs than this are too many.

    Returns:
        ``nodes [N, 3]`` (node of a, of b, filter state), ``arcs [A, 4]`` (source, destination,
        arc of a, of b; -1 where that side stood still) sorted by source, ``starts [S, 3]`` (node,
        start of a, of b), ``node_offsets [B + 1]``, and whether there were too many.
    """
    num_b = len(b.offsets) - 1
    num_states = 1 if mode == _TRIVIAL else 2 if mode == _SEQUENCE else 3
    nodes = np.empty((room, 3), dtype=np.int32)
    arcs = np.empty((room, 4), dtype=np.int32)
    starts = np.empty((room, 3), dtype=np.int32)
    slots = _table(room)
    node_offsets = np.zeros(graphs + 1, dtype=np.int32)
    num_nodes, num_arcs, num_starts = 0, 0, 0
    for graph in range(graphs):
        first = num_nodes
        in_a = min(graph, len(a.start_offsets) - 2)
        in_b = min(graph, len(b.start_offsets) - 2)
        for s in range(a.start_offsets[in_a], a.start_offsets[in_a + 1]):
            for t in range(b.start_offsets[in_b], b.start_offsets[in_b + 1]):
                na, nb = a.starts[s], b.starts[t]
                if not (a.alive[na] and b.alive[nb]):
                    continue
                if num_nodes >= limit:
                    return nodes, arcs, starts, node_offsets, True
                if num_nodes == len(nodes):
                    nodes = _longer(nodes)
                if num_starts == len(starts):
                    starts = _longer(starts)
                if 2 * (num_nodes - first + 1) > len(slots):
                    slots = _larger_table(slots, 2 * (num_nodes - first + 1), first)
                key = (np.int64(na) * num_b + nb) * num_states
                at = _slot(slots, key, first)
                slots[at, 0] = key
                slots[at, 1] = num_nodes
                nodes[num_nodes, 0] = na
                nodes[num_nodes, 1] = nb
                nodes[num_nodes, 2] = 0
                starts[num_starts, 0] = num_nodes
                starts[num_starts, 1] = s
                starts[num_starts, 2] = t
                num_nodes += 1
                num_starts += 1
        here = first
        while here < num_nodes:
            na, nb, state = nodes[here, 0], nodes[here, 1], nodes[here, 2]
            i, i_end = a.offsets[na], a.offsets[na + 1]
            j, j_end = b.offsets[nb], b.offsets[nb + 1]
            i_real = _seek(a.labels, a.arcs, i, i_end, 0)
            j_real = _seek(b.labels, b.arcs, j, j_end, 0)
            a_alone, b_alone, together = _epsilon_moves(
                mode,
                state,
                i_real == i,
                i_real == i_end and a.final[na] < 0,
                j_real == j,
                j_real == j_end and b.final[nb] < 0,
            )
            # Each turn takes one block of arcs of a times one block of arcs of b; position -1
            # stands for standing still.
            turn = 0
            while True:
                i0, i1, j0, j1, next_state = 0, 0, 0, 0, 0
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
                else:
                    while i < i_end and j < j_end:
                        la, lb = a.labels[a.arcs[i]], b.labels[b.arcs[j]]
                        if la == lb:
                            break
                        if la < lb:
                            i = _seek(a.labels, a.arcs, i, i_end, lb)
                        else:
                            j = _seek(b.labels, b.arcs, j, j_end, la)
                    if i >= i_end or j >= j_end:
                        break
                    label = a.labels[a.arcs[i]]
                    i0, i1 = i, _seek(a.labels, a.arcs, i, i_end, label + 1)
                    j0, j1 = j, _seek(b.labels, b.arcs, j, j_end, label + 1)
                    i, j = i1, j1
                turn += 1
                for p in range(i0, i1):
                    arc_a = a.arcs[p] if p >= 0 else -1
                    to_a = a.dst[arc_a] if p >= 0 else na
                    if not a.alive[to_a]:
                        continue
                    for q in range(j0, j1):
                        arc_b = b.arcs[q] if q >= 0 else -1
                        to_b = b.dst[arc_b] if q >= 0 else nb
                        if not b.alive[to_b]:
                            continue
                        # Wraps around for more than 2^63 pairs, and stays one-to-one.
                        key = (np.int64(to_a) * num_b + to_b) * num_states + next_state
                        at = _slot(slots, key, first)
                        to = slots[at, 1]
                        if to < first:
                            if num_nodes >= limit:
                                return nodes, arcs, starts, node_offsets, True
                            if num_nodes == len(nodes):
                                nodes = _longer(nodes)
                            if 2 * (num_nodes - first + 1) > len(slots):
                                slots = _larger_table(slots, 2 * (num_nodes - first + 1), first)
                                at = _slot(slots, key, first)
                            to = num_nodes
                            slots[at, 0] = key
                            slots[at, 1] = to
                            nodes[to, 0] = to_a
                            nodes[to, 1] = to_b
                            nodes[to, 2] = next_state
                            num_nodes += 1
                        if num_arcs >= limit:
                            return nodes, arcs, starts, node_offsets, True
                        if num_arcs == len(arcs):
                            arcs = _longer(arcs)
                        arcs[num_arcs, 0] = here
                        arcs[num_arcs, 1] = to
                        arcs[num_arcs, 2] = arc_a
                        arcs[num_arcs, 3] = arc_b
                        num_arcs += 1
            here += 1
        node_offsets[graph + 1] = num_nodes
    return nodes[:num_nodes], arcs[:num_arcs], starts[:num_starts], node_offsets, False


@njit(cache=True, nogil=True)
def number(keys: Int64s, slots: Int64s, count: int) -> tuple[Int32s, Int64s, Int64s]:
    """Number keys by first appearance, those in the table as it has them: O(K).

    Args:
        keys: ``[K]``.
        slots: the table, ``[2^k, 2]`` of keys and numbers (-1: empty).
        count: how many keys it has.

    Returns:
        ``numbers [K]``, the positions of the new keys in ``keys``, and the table.
    """
    if 2 * (count + len(keys)) > len(slots):
        slots = _larger_table(slots, 2 * (count + len(keys)), 0)
    numbers = np.empty(len(keys), dtype=np.int32)
    fresh = np.empty(len(keys), dtype=np.int64)
    known = count
    for k in range(len(keys)):
        at = _slot(slots, keys[k], 0)
        if slots[at, 1] < 0:
            slots[at, 0] = keys[k]
            slots[at, 1] = count
            fresh[count - known] = k
            count += 1
        numbers[k] = slots[at, 1]
    return numbers, fresh[: count - known], slots


@njit(cache=True, nogil=True)
def trim(
    nodes: Int32s,
    arcs: Int32s,
    starts: Int32s,
    node_offsets: Int32s,
    a_final: Int32s,
    b_final: Int32s,
    a_ilabels: Int32s,
    b_olabels: Int32s,
) -> tuple[Int32s, Int32s, Int32s, Int32s, Int32s]:
    """Keep what reaches a pair of finals; nodes, arcs and starts keep their order. O(N + A).

    Args:
        nodes, arcs, starts, node_offsets: as :func:`explore` returns them.
        a_final, b_final: which final each node of an operand is, or -1.
        a_ilabels, b_olabels: the labels of the result, by arc of the operand.

    Returns:
        ``arcs [6, A']`` (source, destination, input label, output label, arc of a, of b),
        ``starts [3, S']`` and ``finals [3, F']`` (node, that of a, that of b),
        ``node_offsets [B + 1]`` and ``arc_offsets [B + 1]``.
    """
    num_nodes, num_arcs, graphs = len(nodes), len(arcs), len(node_offsets) - 1
    offsets = np.zeros(num_nodes + 1, dtype=np.int32)
    for k in range(num_arcs):
        offsets[arcs[k, 1] + 1] += 1
    for n in range(num_nodes):
        offsets[n + 1] += offsets[n]
    place = offsets[:-1].copy()
    before = np.empty(num_arcs, dtype=np.int32)
    for k in range(num_arcs):
        to = arcs[k, 1]
        before[place[to]] = arcs[k, 0]
        place[to] += 1
    alive = np.zeros(num_nodes, dtype=np.bool_)
    stack = np.empty(num_nodes, dtype=np.int32)
    top, num_finals = 0, 0
    for n in range(num_nodes):
        if a_final[nodes[n, 0]] >= 0 and b_final[nodes[n, 1]] >= 0:
            alive[n] = True
            stack[top] = n
            top += 1
            num_finals += 1
    while top > 0:
        top -= 1
        n = stack[top]
        for k in range(offsets[n], offsets[n + 1]):
            m = before[k]
            if not alive[m]:
                alive[m] = True
                stack[top] = m
                top += 1

    renumbered = np.full(num_nodes, -1, dtype=np.int32)
    finals = np.empty((3, num_finals), dtype=np.int32)
    new_node_offsets = np.zeros(graphs + 1, dtype=np.int32)
    m, f = 0, 0
    for graph in range(graphs):
        for n in range(node_offsets[graph], node_offsets[graph + 1]):
            if not alive[n]:
                continue
            final_a, final_b = a_final[nodes[n, 0]], b_final[nodes[n, 1]]
            if final_a >= 0 and final_b >= 0:
                finals[0, f] = m
                finals[1, f] = final_a
                finals[2, f] = final_b
                f += 1
            renumbered[n] = m
            m += 1
        new_node_offsets[graph + 1] = m

    total = 0
    for k in range(num_arcs):
        if renumbered[arcs[k, 0]] >= 0 and renumbered[arcs[k, 1]] >= 0:
            total += 1
    result = np.empty((6, total), dtype=np.int32)
    arc_offsets = np.zeros(graphs + 1, dtype=np.int32)
    c, graph = 0, 0
    for k in range(num_arcs):
        src, dst = renumbered[arcs[k, 0]], renumbered[arcs[k, 1]]
        if src < 0 or dst < 0:
            continue
        while src >= new_node_offsets[graph + 1]:
            graph += 1
            arc_offsets[graph] = c
        arc_a, arc_b = arcs[k, 2], arcs[k, 3]
        result[0, c] = src
        result[1, c] = dst
        result[2, c] = a_ilabels[arc_a] if arc_a >= 0 else _EPSILON
        result[3, c] = b_olabels[arc_b] if arc_b >= 0 else _EPSILON
        result[4, c] = arc_a
        result[5, c] = arc_b
        c += 1
    for later in range(graph + 1, graphs + 1):
        arc_offsets[later] = c

    num_starts = 0
    for s in range(len(starts)):
        if alive[starts[s, 0]]:
            num_starts += 1
    new_starts = np.empty((3, num_starts), dtype=np.int32)
    t = 0
    for s in range(len(starts)):
        if alive[starts[s, 0]]:
            new_starts[0, t] = renumbered[starts[s, 0]]
            new_starts[1, t] = starts[s, 1]
            new_starts[2, t] = starts[s, 2]
            t += 1
    return result, new_starts, finals, new_node_offsets, arc_offsets
