"""The best path of each of the strings of least penalty, by deviations in the tree of strings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

__all__ = ["n_best_strings"]

# Entries of ``counts``: elements, prefixes and offers; offers on the heap, and best completions.
ELEMENTS, PREFIXES, OFFERS, HEAP, LEAST = 0, 1, 2, 3, 4


class _Arcs(NamedTuple):
    """The graph: N nodes, A arcs."""

    labels: Int32s  # [A]: epsilon is -1
    offsets: Int32s  # [N + 1]: arcs by source,
    arcs: Int32s  # [A]: within a node by label
    dst: Int32s  # [A]
    penalties: Float64s  # [A]
    final: Float64s  # [N]: penalty of ending at a node, inf where it is not final
    remaining: Float64s  # [N]: as for n_best_paths
    leaving: Int32s  # [N]: as for n_best_paths


class _Tree(NamedTuple):
    """Prefixes of strings, and their elements: a node that a prefix reaches, and the way there."""

    nodes: Int32s  # [E]
    done: Float64s  # [E]: least penalty of a way there
    back: Int32s  # [E]: the element before, or -1 - s after start s
    by: Int32s  # [E]: the arc from there
    begins: Int32s  # [P + 1]: elements of prefix p are those from begins[p] up to begins[p + 1]


class _Offers(NamedTuple):
    """Strings not yet found: a prefix and the label after it."""

    keys: Float64s  # [O]: least penalty of such a string
    prefix: Int32s  # [O]
    label: Int32s  # [O]: -1 for its end
    heap: Int64s  # [O]
    least: Float64s  # the best completions of different strings, the worst first


class _Work(NamedTuple):
    """Work space for one prefix: N nodes, L labels."""

    place: Int32s  # [N]: the element of a node, of this prefix or one before
    queue: Int32s  # [N + 1]: nodes whose epsilons are to be followed
    queued: NDArray[np.bool_]  # [N]
    seen_at: Int32s  # [L]: the last prefix that a label may follow
    seen: Int32s  # [L]: the labels that may follow this one,
    best: Float64s  # [L]: and the least penalty with each


class _Paths(NamedTuple):
    """The best paths of the strings found."""

    arcs: Int32s
    offsets: Int64s  # [K + 1]
    start: Int32s  # [K]
    node: Int32s  # [K]: where it ends


@njit(cache=True, nogil=True)
def _whole(number: Any) -> Any:
    """Return a 64-bit integer: the functions below are compiled for one kind of integer."""
    return np.int64(number)


@njit(cache=True, nogil=True)
def _push(heap: Int64s, keys: Float64s, size: int, item: int) -> None:
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
def _pop(heap: Int64s, keys: Float64s, size: int) -> int:
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
    """Put a value among the ``count`` least, in a heap, greatest first; return the heap's size."""
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
    """Return whether the sum of two penalties is infinite, or exceeds a bound by more than
    rounding."""
    total = before + after
    return not total < min(np.inf, bound + 1e-9 * (1.0 + abs(before) + abs(after)))


@njit(cache=True, nogil=True)
def _reach(
    nodes: Int32s,
    done: Float64s,
    back: Int32s,
    by: Int32s,
    place: Int32s,
    counts: Int64s,
    begin: int,
    node: int,
    value: float,
    way: int,
    before: int,
    margin: float,
) -> bool:
    """Record a way to a node for the prefix whose elements begin there; return whether it is better
    than earlier ones."""
    at = _whole(place[node])
    if at < begin:
        at = counts[ELEMENTS]
        counts[ELEMENTS] += 1
        place[node] = at
        nodes[at] = node
    elif value >= done[at] - margin * max(1.0, abs(done[at])):
        return False
    done[at], by[at], back[at] = value, way, before
    return True


@njit(cache=True, nogil=True)
def _extended(
    g: _Arcs,
    work: _Work,
    tree: _Tree,
    counts: Int64s,
    starts: Int32s,
    start_penalties: Float64s,
    parent: int,
    label: int,
    bound: float,
) -> _Tree:
    """Return the tree with one more prefix: the parent and a label, or (-1) the empty one."""
    # (Taken out of their tuples once, so that references are not counted at each use.)
    labels, offsets, arcs, dst, penalties, _, remaining, _ = g
    place, queue, queued, _, _, _ = work
    room, prefix = counts[ELEMENTS] + len(place), counts[PREFIXES]
    if room > len(tree.nodes) or prefix + 2 > len(tree.begins):
        tree = _Tree(
            _more(tree.nodes, room),
            _more(tree.done, room),
            _more(tree.back, room),
            _more(tree.by, room),
            _more(tree.begins, prefix + 2),
        )
    nodes, done, back, by, begins = tree
    begin, none = counts[ELEMENTS], _whole(-1)
    if parent < 0:
        for s in range(len(starts)):
            n, value = _whole(starts[s]), start_penalties[s]
            if not _beyond(value, remaining[n], bound):
                _reach(nodes, done, back, by, place, counts, begin, n, value, none, none - s, 0.0)
    else:
        for e in range(begins[parent], begins[parent + 1]):
            first, last = _labelled(offsets, arcs, labels, nodes[e], label)
            for position in range(first, last):
                arc = _whole(arcs[position])
                n, value = _whole(dst[arc]), done[e] + penalties[arc]
                if not _beyond(value, remaining[n], bound):
                    _reach(nodes, done, back, by, place, counts, begin, n, value, arc, e, 0.0)
    # Follow epsilons until no way improves.
    head, tail = 0, 0
    for e in range(begin, counts[ELEMENTS]):
        queue[tail] = nodes[e]
        queued[nodes[e]] = True
        tail += 1
    while head != tail:
        n = _whole(queue[head])
        head = (head + 1) % len(queue)
        queued[n] = False
        e = _whole(place[n])
        first, last = _labelled(offsets, arcs, labels, n, -1)
        for position in range(first, last):
            arc = _whole(arcs[position])
            d, value = _whole(dst[arc]), done[e] + penalties[arc]
            if _beyond(value, remaining[d], bound):
                continue
            better = _reach(nodes, done, back, by, place, counts, begin, d, value, arc, e, 1e-12)
            if better and not queued[d]:
                queue[tail] = d
                queued[d] = True
                tail = (tail + 1) % len(queue)
    counts[PREFIXES] += 1
    begins[prefix + 1] = counts[ELEMENTS]
    return tree


@njit(cache=True, nogil=True)
def _best_element(g: _Arcs, tree: _Tree, prefix: int) -> int:
    """Return the element of a prefix with the best completion."""
    least, best = np.inf, -1
    for e in range(tree.begins[prefix], tree.begins[prefix + 1]):
        if tree.done[e] + g.remaining[tree.nodes[e]] < least:
            least, best = tree.done[e] + g.remaining[tree.nodes[e]], e
    return best


@njit(cache=True, nogil=True)
def _offered(
    g: _Arcs,
    work: _Work,
    tree: _Tree,
    offers: _Offers,
    counts: Int64s,
    prefix: int,
    chosen: int,
    count: int,
) -> _Offers:
    """Return the offers plus all that may follow a prefix except the label that was chosen."""
    labels, offsets, arcs, dst, penalties, final, remaining, _ = g
    nodes, done, _, _, begins = tree
    _, _, _, seen_at, seen, best = work
    end_value, num_seen = np.inf, 0
    for e in range(begins[prefix], begins[prefix + 1]):
        n = nodes[e]
        end_value = min(end_value, done[e] + final[n])
        _, first = _labelled(offsets, arcs, labels, n, -1)
        for position in range(first, offsets[n + 1]):
            arc = arcs[position]
            x, value = labels[arc], done[e] + penalties[arc] + remaining[dst[arc]]
            if seen_at[x] != prefix:
                seen_at[x] = prefix
                seen[num_seen] = x
                num_seen += 1
                best[x] = value
            elif value < best[x]:
                best[x] = value
    room, most = counts[OFFERS] + num_seen + 1, min(counts[LEAST] + num_seen + 1, count)
    if room > len(offers.keys) or most > len(offers.least):
        offers = _Offers(
            _more(offers.keys, room),
            _more(offers.prefix, room),
            _more(offers.label, room),
            _more(offers.heap, room),
            _more(offers.least, most),
        )
    keys, prefix_of, label_of, heap, least = offers
    for k in range(-1, num_seen):
        x, value = -1, end_value
        if k >= 0:
            x, value = seen[k], best[seen[k]]
        if x == chosen or value == np.inf:
            continue
        counts[LEAST] = _keep(least, counts[LEAST], count, value)
        if counts[LEAST] == count and value > least[0]:
            continue
        o = counts[OFFERS]
        keys[o], prefix_of[o], label_of[o] = value, prefix, x
        _push(heap, keys, counts[HEAP], o)
        counts[OFFERS] += 1
        counts[HEAP] += 1
    return offers


@njit(cache=True, nogil=True)
def _traced(g: _Arcs, tree: _Tree, paths: _Paths, found: int, prefix: int) -> _Paths:
    """Return the paths plus the best one of the string that this prefix is."""
    least, last = np.inf, -1
    for e in range(tree.begins[prefix], tree.begins[prefix + 1]):
        if tree.done[e] + g.final[tree.nodes[e]] < least:
            least, last = tree.done[e] + g.final[tree.nodes[e]], e
    length, e = 0, last
    while tree.back[e] >= 0:
        length += 1
        e = tree.back[e]
    end = paths.offsets[found] + length
    paths = _Paths(
        _more(paths.arcs, end),
        _more(paths.offsets, found + 2),
        _more(paths.start, found + 1),
        _more(paths.node, found + 1),
    )
    paths.offsets[found + 1] = end
    paths.start[found], paths.node[found] = -1 - tree.back[e], tree.nodes[last]
    e = last
    for k in range(length):
        paths.arcs[end - 1 - k] = tree.by[e]
        e = tree.back[e]
    return paths


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
) -> tuple[Int32s, Int64s, Int32s, Int32s]:
    """Return the best path of each of the ``count`` strings of least penalty.

    Deviations in the tree of strings: a prefix has the nodes that it reaches, each with its least
    penalty (determinization on the fly, only where strings are extended), and so the exact penalty
    of its best completion. A string found offers, at each of its prefixes, all other labels and the
    end; each string is offered once, and the heap yields them in order (Mohri and Riley 2002). Each
    offer is a different string, so the last of the ``count`` best offers is a bound: nodes and
    labels beyond it are left out. O(arcs that leave the nodes of the prefixes of the strings found,
    times log).

    Args:
        num_labels: labels are below.
        labels: of each arc; epsilon is -1.
        offsets, arcs: arcs by source, within a node by label.
        remaining, leaving: as for :func:`n_best_paths`.

    Returns:
        As :func:`n_best_paths`.
    """
    num_nodes, room = len(offsets) - 1, 1024
    which, final = np.full(num_nodes, -1, dtype=np.int32), np.full(num_nodes, np.inf)
    for f in range(len(finals)):
        which[finals[f]], final[finals[f]] = f, final_penalties[f]
    g = _Arcs(labels, offsets, arcs, dst, penalties, final, remaining, leaving)
    work = _Work(
        np.full(num_nodes, -1, dtype=np.int32),
        np.empty(num_nodes + 1, dtype=np.int32),
        np.zeros(num_nodes, dtype=np.bool_),
        np.full(num_labels, -1, dtype=np.int32),
        np.empty(num_labels, dtype=np.int32),
        np.empty(num_labels),
    )
    tree = _Tree(
        np.empty(room, dtype=np.int32),
        np.empty(room),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int32),
        np.zeros(room, dtype=np.int32),
    )
    offers = _Offers(
        np.empty(room),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int64),
        np.empty(room),
    )
    paths = _Paths(
        np.empty(room, dtype=np.int32),
        np.zeros(room, dtype=np.int64),
        np.empty(room, dtype=np.int32),
        np.empty(room, dtype=np.int32),
    )
    counts = np.zeros(5, dtype=np.int64)
    found = 0
    while found < count:
        prefix, label = -1, -1
        if counts[PREFIXES] > 0:
            if counts[HEAP] == 0:
                break
            offer = _pop(offers.heap, offers.keys, counts[HEAP])
            counts[HEAP] -= 1
            prefix, label = _whole(offers.prefix[offer]), _whole(offers.label[offer])
        # Unless the prefix ends, extend it by the label, then along its best completion.
        node, complete = -1, label < 0 and prefix >= 0
        while not complete:
            bound = offers.least[0] if counts[LEAST] == count else np.inf
            tree = _extended(g, work, tree, counts, starts, start_penalties, prefix, label, bound)
            first, prefix = prefix < 0, counts[PREFIXES] - 1
            if tree.begins[prefix] == tree.begins[prefix + 1]:
                break
            if node < 0:
                e = _best_element(g, tree, prefix)
                node = _whole(tree.nodes[e])
                if first:
                    best = tree.done[e] + remaining[node]
                    counts[LEAST] = _keep(offers.least, counts[LEAST], count, best)
            while leaving[node] >= 0 and labels[leaving[node]] < 0:
                node = _whole(dst[leaving[node]])
            label, complete = -1, leaving[node] < 0
            if not complete:
                label, node = _whole(labels[leaving[node]]), _whole(dst[leaving[node]])
            offers = _offered(g, work, tree, offers, counts, prefix, label, count)
        if complete:
            paths = _traced(g, tree, paths, found, prefix)
            found += 1
    return (
        paths.arcs[: paths.offsets[found]],
        paths.offsets[: found + 1],
        paths.start[:found],
        which[paths.node[:found]],
    )
