"""Recursions along a graph: potentials, the linear solve, Viterbi, n-best.

The topological order handed in may leave out nodes that lie on no path; their potential stays
infinite and their arcs' shares stay zero. All values are float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]

__all__ = ["forward_potentials", "n_best_paths", "shortest_from", "solve", "trace_back", "viterbi"]


@njit(cache=True, nogil=True)
def forward_potentials(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Float64s, Float64s, int]:
    """Eq. 13 in a gather over the arcs entering each node: O(N + A).

    Args:
        order: nodes in topological order.
        offsets, arcs: arcs by destination.

    Returns:
        Forward potentials ``[N]`` (minus log of the sum over all ways to the node); the share of
        each arc in its destination's sum ``[A]``; the share of each start in its node's ``[S]``;
        and the first arc whose penalty is NaN or -inf, or -1.
    """
    potentials = np.full(len(offsets) - 1, np.inf)
    shares = np.zeros(len(penalties))
    start_shares = np.zeros(len(starts))
    start_of = np.full(len(offsets) - 1, -1, dtype=np.int32)
    for s in range(len(starts)):
        start_of[starts[s]] = s
    for n in order:
        least = np.inf
        s = start_of[n]
        if s >= 0:
            least = start_penalties[s]
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            if not penalties[arc] > -np.inf:
                return potentials, shares, start_shares, arc
            way = penalties[arc] + potentials[src[arc]]
            shares[arc] = way
            if way < least:
                least = way
        if least == np.inf:
            for k in range(offsets[n], offsets[n + 1]):
                shares[arcs[k]] = 0.0
            continue
        total = 0.0
        if s >= 0:
            start_shares[s] = np.exp(least - start_penalties[s])
            total += start_shares[s]
        for k in range(offsets[n], offsets[n + 1]):
            share = np.exp(least - shares[arcs[k]])
            shares[arcs[k]] = share
            total += share
        potentials[n] = least - np.log(total)
        if s >= 0:
            start_shares[s] /= total
        for k in range(offsets[n], offsets[n + 1]):
            shares[arcs[k]] /= total
    return potentials, shares, start_shares, -1


@njit(cache=True, nogil=True)
def solve(
    order: Int32s, offsets: Int32s, arcs: Int32s, other: Int32s, factors: Float64s, given: Float64s
) -> tuple[Float64s, Float64s]:
    """Solve ``x_n = given_n + Σ_a factors_a x_other(a)`` over the arcs of each node: O(N + A).

    With arcs by destination and ``other`` their sources, in topological order, this is the solve
    along the graph; with arcs by source, destinations and the reversed order, its transpose.

    Returns:
        ``x [N]`` and the products ``factors_a x_other(a) [A]`` (zero at nodes left out).
    """
    x = given.copy()
    products = np.zeros(len(factors))
    for n in order:
        total = given[n]
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            product = factors[arc] * x[other[arc]]
            products[arc] = product
            total += product
        x[n] = total
    return x, products


@njit(cache=True, nogil=True)
def viterbi(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Int32s, int]:
    """Eq. 10 on an acyclic graph: O(N + A); ties go to the start, then to the lowest arc.

    Returns:
        The least penalty of a way to each node ``[N]``, the arc on which it enters ``[N]``
        (-1: it starts here, or cannot be reached), and the first bad arc, or -1.
    """
    best = np.full(len(offsets) - 1, np.inf)
    entry = np.full(len(offsets) - 1, -1, dtype=np.int32)
    for s in range(len(starts)):
        best[starts[s]] = start_penalties[s]
    for n in order:
        least = best[n]
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            if not penalties[arc] > -np.inf:
                return best, entry, arc
            way = penalties[arc] + best[src[arc]]
            if way < least:
                least = way
                entry[n] = arc
        best[n] = least
    return best, entry, -1


@njit(cache=True, nogil=True)
def shortest_from(
    allowed: NDArray[np.bool_],
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    dst: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Int32s, int, Int32s]:
    """Least penalties on a graph with cycles, through allowed nodes (Bellman and Ford, a queue).

    O(N A) at worst, usually near O(N + A). An improvement below rounding (1e-12 of the value)
    is none, so that a cycle of penalty zero is not walked for ever.

    Args:
        allowed: nodes that lie on a path from start to final.
        offsets, arcs: arcs by source.

    Returns:
        As :func:`viterbi`, and the arcs of a cycle of negative penalty, if there is one. Ties go
        as there, but for ways round a cycle of penalty zero: :func:`_lowest_entries`.
    """
    num_nodes = len(offsets) - 1
    no_cycle = np.empty(0, dtype=np.int32)
    best = np.full(num_nodes, np.inf)
    entry = np.full(num_nodes, -1, dtype=np.int32)
    length = np.zeros(num_nodes, dtype=np.int64)
    queue = np.empty(num_nodes + 1, dtype=np.int32)
    queued = np.zeros(num_nodes, dtype=np.bool_)
    head, tail = 0, 0
    for a in range(len(penalties)):
        if not penalties[a] > -np.inf:
            return best, entry, a, no_cycle
    for s in range(len(starts)):
        n = starts[s]
        if allowed[n] and start_penalties[s] < np.inf:
            best[n] = start_penalties[s]
            queue[tail] = n
            queued[n] = True
            tail += 1
    while head != tail:
        n = queue[head]
        head = (head + 1) % len(queue)
        queued[n] = False
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            d = dst[arc]
            if not allowed[d]:
                continue
            way = best[n] + penalties[arc]
            margin = 0.0 if best[d] == np.inf else 1e-12 * max(1.0, abs(best[d]))
            if way < best[d] - margin:
                best[d] = way
                entry[d] = arc
                length[d] = length[n] + 1
                if length[d] >= num_nodes:
                    # Some node is entered for the second time: walk back until one repeats.
                    seen = np.zeros(num_nodes, dtype=np.bool_)
                    m = d
                    while not seen[m] and entry[m] >= 0:
                        seen[m] = True
                        m = src[entry[m]]
                    if entry[m] >= 0:
                        count, here = 1, src[entry[m]]
                        while here != m:
                            count += 1
                            here = src[entry[here]]
                        cycle = np.empty(count, dtype=np.int32)
                        here = m
                        for i in range(count - 1, -1, -1):
                            cycle[i] = entry[here]
                            here = src[entry[here]]
                        return best, entry, -1, cycle
                if not queued[d]:
                    queue[tail] = d
                    queued[d] = True
                    tail = (tail + 1) % len(queue)
    entry = _lowest_entries(src, dst, starts, penalties, start_penalties, allowed, best, entry)
    return best, entry, -1, no_cycle


@njit(cache=True, nogil=True)
def _lowest_entries(
    src: Int32s,
    dst: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
    allowed: NDArray[np.bool_],
    best: Float64s,
    entry: Int32s,
) -> Int32s:
    """Return entry arcs where ties go to the start, then to the lowest arc: O(N + A).

    A node whose lowest arcs only lead round a cycle of penalty zero keeps the entry it has, from
    the shortest ways; those lead to a start or to a node that does.
    """
    num_nodes = len(best)
    lowest = np.full(num_nodes, -2, dtype=np.int32)
    for s in range(len(starts)):
        n = starts[s]
        if allowed[n] and best[n] < np.inf and start_penalties[s] <= best[n]:
            lowest[n] = -1
    for arc in range(len(penalties)):
        d = dst[arc]
        if lowest[d] == -2 and best[d] < np.inf and best[src[arc]] + penalties[arc] <= best[d]:
            lowest[d] = arc
    unknown, walked, leads_to_start, goes_round = 0, 1, 2, 3
    state = np.full(num_nodes, unknown, dtype=np.int8)
    result = entry.copy()
    for n in range(num_nodes):
        m = n
        while state[m] == unknown and lowest[m] >= 0:
            state[m] = walked
            m = src[lowest[m]]
        if state[m] == unknown:
            state[m] = leads_to_start
            if lowest[m] == -1:
                result[m] = -1
        verdict = goes_round if state[m] == walked else state[m]
        m = n
        while state[m] == walked:
            state[m] = verdict
            if verdict == leads_to_start:
                result[m] = lowest[m]
            m = src[lowest[m]]
    return result


@njit(cache=True, nogil=True)
def trace_back(ends: Int32s, entry: Int32s, src: Int32s) -> tuple[Int32s, Int32s, Int32s]:
    """Follow entry arcs from each end (-1: no path) to its start: O(length of the paths).

    Returns:
        The arcs of all paths, each in its order; ``offsets [E + 1]`` of the paths; the first
        node of each, ``[E]``.
    """
    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    first = np.full(len(ends), -1, dtype=np.int32)
    for e in range(len(ends)):
        n = ends[e]
        count = 0
        while n >= 0 and entry[n] >= 0:
            count += 1
            n = src[entry[n]]
        first[e] = n
        offsets[e + 1] = offsets[e] + count
    arcs = np.empty(offsets[len(ends)], dtype=np.int32)
    for e in range(len(ends)):
        n = ends[e]
        place = offsets[e + 1]
        while n >= 0 and entry[n] >= 0:
            place -= 1
            arcs[place] = entry[n]
            n = src[entry[n]]
    return arcs, offsets, first


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
) -> tuple[Int32s, Int32s, Int32s, Int32s]:
    """Return the ``count`` paths of least penalty, by deviations from paths already found.

    At each node the ways to go on (arcs, or to end there) are ranked by the least penalty of a
    completion. A path found at rank r of some node offers its sibling of rank r + 1 there, and
    rank 1 at every later node: each path is offered once, and the heap yields them in order.
    O(A log A) for the ranking of visited nodes, then O(L log) per path of L arcs.

    Args:
        offsets, arcs: arcs by source.
        remaining: least penalty from each node to the end, the final penalty included, ``[N]``.

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

    path_offsets = np.zeros(count + 1, dtype=np.int32)
    path_start = np.empty(count, dtype=np.int32)
    path_final = np.empty(count, dtype=np.int32)
    path_arcs = np.empty(1024, dtype=np.int32)
    before = np.empty(1024 + count + 1)  # penalty before each arc of a path, and before its end
    nodes = np.empty(1024 + count + 1, dtype=np.int32)
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
            while base + at + 1 >= len(path_arcs):
                path_arcs = np.concatenate((path_arcs, np.empty_like(path_arcs)))
                before = np.concatenate((before, np.empty_like(before)))
                nodes = np.concatenate((nodes, np.empty_like(nodes)))
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
            r = 0
            if length == at:
                r = chosen
            if base + length + 2 >= len(path_arcs):
                path_arcs = np.concatenate((path_arcs, np.empty_like(path_arcs)))
                before = np.concatenate((before, np.empty_like(before)))
                nodes = np.concatenate((nodes, np.empty_like(nodes)))
            before[base + found + length] = done
            nodes[base + found + length] = node
            if first + r + 1 <= last and values[first + r + 1] < np.inf:
                if items == room:
                    keys = np.concatenate((keys, np.empty_like(keys)))
                    from_path = np.concatenate((from_path, np.empty_like(from_path)))
                    position = np.concatenate((position, np.empty_like(position)))
                    rank = np.concatenate((rank, np.empty_like(rank)))
                    heap = np.concatenate((heap, np.empty_like(heap)))
                    room *= 2
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
            if items == room:
                keys = np.concatenate((keys, np.empty_like(keys)))
                from_path = np.concatenate((from_path, np.empty_like(from_path)))
                position = np.concatenate((position, np.empty_like(position)))
                rank = np.concatenate((rank, np.empty_like(rank)))
                heap = np.concatenate((heap, np.empty_like(heap)))
                room *= 2
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
