"""The best path of each of the strings of least penalty, by deviations in the tree of strings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]

__all__ = ["n_best_strings"]


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
    """Return the values with room for so many."""
    if needed <= len(values):
        return values
    longer = np.empty(max(2 * len(values), needed), dtype=values.dtype)
    longer[: len(values)] = values
    return longer


@njit(cache=True, nogil=True)
def _labelled(
    offsets: Int32s, arcs: Int32s, labels: Int32s, node: int, label: int
) -> tuple[int, int]:
    """Return the positions of a node's arcs with a label: binary search."""
    low, high = np.int64(offsets[node]), np.int64(offsets[node + 1])
    end = high
    while low < high:
        middle = (low + high) // 2
        if labels[arcs[middle]] < label:
            low = middle + 1
        else:
            high = middle
    last = low
    while last < end and labels[arcs[last]] == label:
        last += 1
    return int(low), int(last)


@njit(cache=True, nogil=True)
def _keep(least: Float64s, size: int, count: int, value: float) -> int:
    """Put a value among the ``count`` least, a heap with the greatest first; return its size."""
    if size < count:
        i = size
        while i > 0 and least[(i - 1) // 2] < value:
            least[i] = least[(i - 1) // 2]
            i = (i - 1) // 2
        least[i] = value
        return size + 1
    if value < least[0]:
        i = 0
        while 2 * i + 1 < size:
            child = 2 * i + 1
            if child + 1 < size and least[child + 1] > least[child]:
                child += 1
            if least[child] <= value:
                break
            least[i] = least[child]
            i = child
        least[i] = value
    return size


@njit(cache=True, nogil=True)
def _beyond(before: float, after: float, bound: float) -> bool:
    """Return whether the sum of two penalties is above a bound, by more than it may be rounded."""
    return before + after > bound + 1e-9 * (1.0 + abs(before) + abs(after))


@njit(cache=True, nogil=True)
def n_best_strings(
    count: int,
    num_labels: int,
    labels: Int32s,
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
) -> tuple[Int32s, Int32s, Int32s, Int32s]:
    """Return the best path of each of the ``count`` strings of least penalty.

    Deviations in the tree of strings: a prefix has the nodes that it reaches, each with its least
    penalty (determinization on the fly, only where strings are extended), and thereby the exact
    penalty of its best completion. A string found offers, at each of its prefixes, all other
    labels and the end; each string is offered once, and the heap yields them in order (Mohri and
    Riley 2002). Each offer is another string, so the last of the ``count`` best offers is a bound
    on all that is wanted: nodes and labels beyond it are left out. O(arcs that leave the nodes of
    the prefixes of the strings found, times log).

    Args:
        num_labels: labels are below.
        labels: of each arc; epsilon is -1.
        offsets, arcs: arcs by source, within a node by label.
        remaining, leaving: as for :func:`n_best_paths`.

    Returns:
        As :func:`n_best_paths`.
    """
    num_nodes = len(offsets) - 1
    final_of = np.full(num_nodes, -1, dtype=np.int32)
    for f in range(len(finals)):
        final_of[finals[f]] = f
    # Elements: a node that a prefix reaches, and the way there (the start s is way -1 - s).
    room = 1024
    nodes, back, by = (
        np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int32),
    )  # fmt: skip
    done = np.empty(room)
    num_elements = 0
    # Prefixes: their elements are those from begins[p] up to begins[p + 1].
    begins = np.zeros(room, dtype=np.int32)
    num_prefixes = 0
    place = np.full(num_nodes, -1, dtype=np.int32)
    queue = np.empty(num_nodes + 1, dtype=np.int32)
    queued = np.zeros(num_nodes, dtype=np.bool_)
    # Offers: a prefix and the label after it, -1 for its end.
    keys = np.empty(room)
    of_prefix, label_of = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    heap = np.empty(room, dtype=np.int64)
    offers, size = 0, 0
    # The best completions so far of different strings, the worst first, of at most ``count``.
    least_keys = np.empty(room)
    num_keys, bound = 0, np.inf
    best_of = np.empty(num_labels)
    seen_at = np.full(num_labels, -1, dtype=np.int32)
    seen = np.empty(num_labels, dtype=np.int32)

    path_arcs = np.empty(1024, dtype=np.int32)
    path_offsets = np.zeros(room + 1, dtype=np.int32)
    path_start, path_final = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    found = 0
    parent, label = -1, -1
    while found < count:
        if num_prefixes > 0:
            if size == 0:
                break
            offer = _pop(heap, keys, size)
            size -= 1
            parent, label = of_prefix[offer], label_of[offer]
        node = -1
        while True:
            # Extend the parent by the label: what is reached, then on through epsilons.
            ending = label < 0 and num_prefixes > 0
            prefix = parent if ending else num_prefixes
            if not ending:
                begin = num_elements
                sources = len(starts)
                if parent >= 0:
                    sources = begins[parent + 1] - begins[parent]
                head, tail = 0, 0
                for k in range(sources):
                    first, last = -1, 0
                    if parent >= 0:
                        e = begins[parent] + k
                        first, last = _labelled(offsets, arcs, labels, nodes[e], label)
                    for position in range(first, last):
                        if parent >= 0:
                            arc = arcs[position]
                            d, way, value, before = dst[arc], arc, done[e] + penalties[arc], e
                        else:
                            d, way, value, before = starts[k], -1, start_penalties[k], -1 - k
                        if remaining[d] == np.inf or value == np.inf:
                            continue
                        if _beyond(value, remaining[d], bound):
                            continue
                        at = place[d]
                        if at < begin:
                            at = num_elements
                            num_elements += 1
                            nodes, back = _more(nodes, num_elements), _more(back, num_elements)
                            by, done = _more(by, num_elements), _more(done, num_elements)
                            place[d] = at
                            nodes[at] = d
                            queue[tail] = d
                            queued[d] = True
                            tail += 1
                        elif value >= done[at]:
                            continue
                        done[at], by[at], back[at] = value, way, before
                while head != tail:
                    n = queue[head]
                    head = (head + 1) % len(queue)
                    queued[n] = False
                    e = place[n]
                    first, last = _labelled(offsets, arcs, labels, n, -1)
                    for position in range(first, last):
                        arc = arcs[position]
                        d, value = dst[arc], done[e] + penalties[arc]
                        if remaining[d] == np.inf or value == np.inf:
                            continue
                        if _beyond(value, remaining[d], bound):
                            continue
                        at = place[d]
                        if at < begin:
                            at = num_elements
                            num_elements += 1
                            nodes, back = _more(nodes, num_elements), _more(back, num_elements)
                            by, done = _more(by, num_elements), _more(done, num_elements)
                            place[d] = at
                            nodes[at] = d
                        elif value >= done[at] - 1e-12 * max(1.0, abs(done[at])):
                            continue
                        done[at], by[at], back[at] = value, arc, e
                        if not queued[d]:
                            queue[tail] = d
                            queued[d] = True
                            tail = (tail + 1) % len(queue)
                num_prefixes += 1
                begins = _more(begins, num_prefixes + 1)
                begins[num_prefixes] = num_elements
                if num_elements == begin:
                    break
                # The best completion: from the best node, as its ways lead, through epsilons.
                if node < 0:
                    least = np.inf
                    for e in range(begin, num_elements):
                        if done[e] + remaining[nodes[e]] < least:
                            least = done[e] + remaining[nodes[e]]
                            node = nodes[e]
                    if parent < 0:
                        num_keys = _keep(least_keys, num_keys, count, least)
                while leaving[node] >= 0 and labels[leaving[node]] < 0:
                    node = dst[leaving[node]]
                chosen = -1
                if leaving[node] >= 0:
                    chosen = labels[leaving[node]]
                    node = dst[leaving[node]]
                # All others are offered.
                end_value, num_seen = np.inf, 0
                for e in range(begin, num_elements):
                    n = nodes[e]
                    if final_of[n] >= 0:
                        end_value = min(end_value, done[e] + final_penalties[final_of[n]])
                    _, first = _labelled(offsets, arcs, labels, n, -1)
                    for position in range(first, offsets[n + 1]):
                        arc = arcs[position]
                        x, value = labels[arc], done[e] + penalties[arc] + remaining[dst[arc]]
                        if seen_at[x] != prefix:
                            seen_at[x] = prefix
                            seen[num_seen] = x
                            num_seen += 1
                            best_of[x] = value
                        elif value < best_of[x]:
                            best_of[x] = value
                needed = offers + num_seen + 1
                keys, heap = _more(keys, needed), _more(heap, needed)
                of_prefix, label_of = _more(of_prefix, needed), _more(label_of, needed)
                for k in range(-1, num_seen):
                    x, value = -1, end_value
                    if k >= 0:
                        x, value = seen[k], best_of[seen[k]]
                    if x == chosen or value == np.inf:
                        continue
                    least_keys = _more(least_keys, num_keys + 1)
                    num_keys = _keep(least_keys, num_keys, count, value)
                    if num_keys == count:
                        bound = least_keys[0]
                    if value > bound:
                        continue
                    keys[offers], of_prefix[offers], label_of[offers] = value, prefix, x
                    _push(heap, keys, size, offers)
                    offers += 1
                    size += 1
                parent, label = prefix, chosen
                if chosen >= 0:
                    continue
            # The string ends: trace its best path back.
            path_offsets = _more(path_offsets, found + 2)
            path_start, path_final = _more(path_start, found + 1), _more(path_final, found + 1)
            least, last_element = np.inf, -1
            for e in range(begins[prefix], begins[prefix + 1]):
                f = final_of[nodes[e]]
                if f >= 0 and done[e] + final_penalties[f] < least:
                    least, last_element = done[e] + final_penalties[f], e
            path_final[found] = final_of[nodes[last_element]]
            length, e = 0, last_element
            while back[e] >= 0:
                length += 1
                e = back[e]
            path_start[found] = -1 - back[e]
            base = path_offsets[found]
            path_arcs = _more(path_arcs, base + length)
            e = last_element
            for k in range(length):
                path_arcs[base + length - 1 - k] = by[e]
                e = back[e]
            found += 1
            path_offsets[found] = base + length
            break
    return (
        path_arcs[: path_offsets[found]],
        path_offsets[: found + 1],
        path_start[:found],
        path_final[:found],
    )
