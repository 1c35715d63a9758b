"""The n paths of least penalty, best first, by deviations from those found before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

__all__ = ["n_best_paths"]


@njit(cache=True, nogil=True)
def _push(heap: NDArray[np.int64], keys: Float64s, size: int, item: int) -> None:
    """Put an item on a binary heap ordered by (key, item)."""
    i = size
    heap[i] = item
    while i > 0:
        parent = (i - 1) // 2
        a, b = heap[i], heap[parent]
        if keys[a] < keys[b] or (keys[a] == keys[b] and a < b):
            heap[i], heap[parent] = b, a
            i = parent
        else:
            break


@njit(cache=True, nogil=True)
def _pop(heap: NDArray[np.int64], keys: Float64s, size: int) -> int:
    """Take the least item off a heap of ``size`` items."""
    top: int = heap[0]
    last = size - 1
    heap[0] = heap[last]
    i = 0
    while True:
        least = i
        for child in (2 * i + 1, 2 * i + 2):
            if child < last:
                a, b = heap[child], heap[least]
                if keys[a] < keys[b] or (keys[a] == keys[b] and a < b):
                    least = child
        if least == i:
            return top
        heap[i], heap[least] = heap[least], heap[i]
        i = least


@njit(cache=True, nogil=True)
def _more(values: Any, needed: int) -> Any:
    """Return the values, in a longer array if ``needed`` entries have no room."""
    if needed <= len(values):
        return values
    longer = np.empty(max(2 * len(values), needed), dtype=values.dtype)
    longer[: len(values)] = values
    return longer


@njit(cache=True, nogil=True)
def n_best_paths(
    count: int,
    offsets: Int32s,
    arcs: Int32s,
    dst: Int32s,
    starts: Int32s,
    finals: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
    final_penalties: Float64s,
    remaining: Float64s,
    leaving: Int32s,
) -> tuple[Int32s, Int64s, Int32s, Int32s]:
    """Return the ``count`` paths of least penalty, by deviations from paths already found.

    At each node the ways to go on (arcs, or ending there) are ranked by the least penalty of a
    completion. A path found at rank r of some node offers its sibling of rank r + 1 there, and
    rank 1 at every later node: each path is offered once, and the heap yields them in order.
    O(A log A) for the ranking of visited nodes, then O(L log) per path of L arcs.

    Args:
        offsets, arcs: arcs by source.
        remaining: least penalty from each node to the end, the final penalty included, ``[N]``.
        leaving: the arc on which that way leaves each node, -1 where it ends there: following
            these leads to a final, also where there are cycles of penalty zero.

    Returns:
        The arcs of all paths, ``offsets [K + 1]`` of the paths, and for each the index of its
        start and of its final entry, ``[K]``.
    """
    num_nodes = len(offsets) - 1
    final_of = np.full(num_nodes, -1, dtype=np.int32)
    for f in range(len(finals)):
        final_of[finals[f]] = f
    # The ways of node n are slots offsets[n] + n up to offsets[n + 1] + n + 1; -1 means to end.
    ways = np.empty(len(arcs) + num_nodes, dtype=np.int32)
    values = np.full(len(arcs) + num_nodes, np.inf)
    ranked = np.zeros(num_nodes, dtype=np.bool_)

    root = np.empty(len(starts))
    for s in range(len(starts)):
        root[s] = start_penalties[s] + remaining[starts[s]]
    root_order = np.argsort(root, kind="mergesort")

    room = 1024
    keys = np.empty(room)
    from_path = np.empty(room, dtype=np.int64)
    position = np.empty(room, dtype=np.int64)  # -1: choice of the start; else arcs before it
    rank = np.empty(room, dtype=np.int64)
    heap = np.empty(room, dtype=np.int64)
    items, size = 0, 0

    path_offsets = np.zeros(room + 1, dtype=np.int64)
    path_start, path_final = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    path_arcs = np.empty(room, dtype=np.int32)
    before = np.empty(room)  # penalty before each arc of a path, and before its end
    nodes = np.empty(room, dtype=np.int32)
    found = 0

    if len(starts) > 0 and root[root_order[0]] < np.inf:
        keys[0], from_path[0], position[0], rank[0] = root[root_order[0]], -1, -1, 0
        _push(heap, keys, 0, 0)
        items, size = 1, 1

    while size > 0 and found < count:
        item = _pop(heap, keys, size)
        size -= 1
        base = path_offsets[found]
        parent, at, chosen = from_path[item], position[item], rank[item]

        path_offsets = _more(path_offsets, found + 2)
        path_start, path_final = _more(path_start, found + 1), _more(path_final, found + 1)
        # Copy the common beginning.
        length = 0
        if at < 0:
            s = root_order[chosen]
            path_start[found] = s
            node = starts[s]
            done = start_penalties[s]
        else:
            path_start[found] = path_start[parent]
            start_arcs = path_offsets[parent]
            path_arcs = _more(path_arcs, base + at)
            before, nodes = _more(before, base + found + at), _more(nodes, base + found + at)
            for i in range(at):
                path_arcs[base + i] = path_arcs[start_arcs + i]
                before[base + found + i] = before[start_arcs + parent + i]
                nodes[base + found + i] = nodes[start_arcs + parent + i]
            length = at
            node = nodes[start_arcs + parent + at]
            done = before[start_arcs + parent + at]

        # Take the chosen way, then the best ones.
        ending = False
        while not ending:
            first, last = offsets[node] + node, offsets[node + 1] + node
            if not ranked[node]:
                ranked[node] = True
                for k in range(offsets[node], offsets[node + 1]):
                    values[first + k - offsets[node]] = penalties[arcs[k]] + remaining[dst[arcs[k]]]
                    ways[first + k - offsets[node]] = arcs[k]
                ways[last] = -1
                if final_of[node] >= 0:
                    values[last] = final_penalties[final_of[node]]
                by = np.argsort(values[first : last + 1], kind="mergesort")
                values[first : last + 1] = values[first : last + 1][by]
                ways[first : last + 1] = ways[first : last + 1][by]
                # The best way goes first even if a way round a cycle is as good.
                k = first
                while k < last and ways[k] != leaving[node]:
                    k += 1
                while k > first:
                    ways[k], ways[k - 1] = ways[k - 1], ways[k]
                    values[k], values[k - 1] = values[k - 1], values[k]
                    k -= 1
            r = 0
            if length == at:
                r = chosen
            needed = base + found + length + 1
            if needed > min(len(path_arcs), len(before), len(nodes)):
                path_arcs, before = _more(path_arcs, needed), _more(before, needed)
                nodes = _more(nodes, needed)
            before[base + found + length] = done
            nodes[base + found + length] = node
            if first + r + 1 <= last and values[first + r + 1] < np.inf:
                keys, heap = _more(keys, items + 1), _more(heap, items + 1)
                from_path, position = _more(from_path, items + 1), _more(position, items + 1)
                rank = _more(rank, items + 1)
                keys[items] = done + values[first + r + 1]
                from_path[items] = found
                position[items] = length
                rank[items] = r + 1
                _push(heap, keys, size, items)
                items += 1
                size += 1
            way = ways[first + r]
            if way < 0:
                ending = True
                path_final[found] = final_of[node]
            else:
                path_arcs[base + length] = way
                length += 1
                done += penalties[way]
                node = dst[way]
        if at < 0 and chosen + 1 < len(starts) and root[root_order[chosen + 1]] < np.inf:
            keys, heap = _more(keys, items + 1), _more(heap, items + 1)
            from_path, position = _more(from_path, items + 1), _more(position, items + 1)
            rank = _more(rank, items + 1)
            keys[items] = root[root_order[chosen + 1]]
            from_path[items], position[items], rank[items] = -1, -1, chosen + 1
            _push(heap, keys, size, items)
            items += 1
            size += 1
        found += 1
        path_offsets[found] = base + length
    return (
        path_arcs[: path_offsets[found]],
        path_offsets[: found + 1],
        path_start[:found],
        path_final[:found],
    )
