"""The product of a graph with what a deterministic acceptor does not accept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

__all__ = ["Side", "avoid"]


class Side(NamedTuple):
    """One operand: its arcs by node, with the labels that are compared, and its starts."""

    offsets: Int32s
    arcs: Int32s
    labels: Int32s
    dst: Int32s
    starts: Int32s
    start_offsets: Int32s  # by graph


@njit(cache=True, nogil=True)
def _with_room(table: Any, size: int) -> Any:
    """Return the table, or a longer copy where it has no room for ``size`` columns."""
    rows, room = table.shape
    if size <= room:
        return table
    longer = np.empty((rows, max(size, 2 * room)), dtype=table.dtype)
    longer[:, :room] = table
    return longer


@njit(cache=True, nogil=True)
def _slot(slots: Int32s, nodes: Int32s, p: Any, q: Any) -> Any:
    """Return the slot of a pair of nodes, or of the free place for it."""
    last = len(slots) - 1
    x = ((np.int64(p) << 32) | np.int64(q + 1)) * np.int64(-7046029254386353131)
    slot = (x ^ (x >> 32)) & last
    while slots[slot] >= 0 and (nodes[0, slots[slot]] != p or nodes[1, slots[slot]] != q):
        slot = (slot + 1) & last
    return slot


@njit(cache=True, nogil=True)
def _step(b: Side, q: Any, label: int) -> Any:
    """Return where the deterministic side goes from node q on a label; -1: nowhere."""
    if q < 0 or label < 0:
        return q
    low, high = b.offsets[q], b.offsets[q + 1]
    while low < high:
        middle = (low + high) // 2
        if b.labels[b.arcs[middle]] < label:
            low = middle + 1
        else:
            high = middle
    if low < b.offsets[q + 1] and b.labels[b.arcs[low]] == label:
        return b.dst[b.arcs[low]]
    return -1


@njit(cache=True, nogil=True)
def avoid(
    a: Side, b: Side, graphs: int, room: int
) -> tuple[Int32s, Int32s, Int32s, Int32s, Int32s]:
    """Pair each node of ``a`` with the node of ``b`` after the same string: O(arcs out · log).

    Args:
        a: epsilon (-1) leaves ``b`` where it is.
        b: deterministic; its arcs by node and label.
        graphs: how many graphs the result has; an operand with one goes with each.
        room: for how many pairs there is room before the first growth.

    Returns:
        pairs ``[2, N]`` (the second -1: ``b`` accepts nothing from here); arcs ``[3, A]``: pair
        left, pair reached, arc of ``a``; of each start the pair and the start of ``a``,
        ``[2, S]``; pairs' and arcs' offsets by graph.
    """
    nodes = np.empty((2, max(room, 16)), dtype=np.int32)
    arcs = np.empty((3, max(room, 16)), dtype=np.int32)
    starts = np.empty((2, 16), dtype=np.int32)
    offsets = np.zeros((2, graphs + 1), dtype=np.int32)
    count, made, begun, done = 0, 0, 0, 0
    for graph in range(graphs):
        i = graph if len(a.start_offsets) > 2 else 0
        j = graph if len(b.start_offsets) > 2 else 0
        at = b.start_offsets[j]
        first: Any = np.int64(b.starts[at]) if at < b.start_offsets[j + 1] else np.int64(-1)
        slots = np.full(64, -1, dtype=np.int32)  # the pairs of another graph are others
        base = count
        s = a.start_offsets[i]
        while s < a.start_offsets[i + 1] or done < count:
            # First the starts, then the arcs of each pair.
            if s < a.start_offsets[i + 1]:
                begin, past = s, s + 1
            else:
                p, q = nodes[0, done], np.int64(nodes[1, done])
                begin, past = a.offsets[p], a.offsets[p + 1]
            for k in range(begin, past):
                if s < a.start_offsets[i + 1]:
                    to, beside = a.starts[k], first
                else:
                    to, beside = a.dst[a.arcs[k]], _step(b, q, a.labels[a.arcs[k]])
                slot = _slot(slots, nodes, to, beside)
                pair = slots[slot]
                if pair < 0:
                    pair = np.int32(count)
                    nodes = _with_room(nodes, count + 1)
                    nodes[0, count], nodes[1, count] = to, beside
                    slots[slot] = pair
                    count += 1
                    if 2 * (count - base) > len(slots):
                        slots = np.full(4 * len(slots), -1, dtype=np.int32)
                        for n in range(base, count):
                            slots[_slot(slots, nodes, nodes[0, n], nodes[1, n])] = n
                if s < a.start_offsets[i + 1]:
                    starts = _with_room(starts, begun + 1)
                    starts[0, begun], starts[1, begun] = pair, k
                    begun += 1
                else:
                    arcs = _with_room(arcs, made + 1)
                    arcs[0, made], arcs[1, made], arcs[2, made] = done, pair, a.arcs[k]
                    made += 1
            if s < a.start_offsets[i + 1]:
                s += 1
            else:
                done += 1
        offsets[0, graph + 1], offsets[1, graph + 1] = count, made
    return nodes[:, :count], arcs[:, :made], starts[:, :begun], offsets[0], offsets[1]
