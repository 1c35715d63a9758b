"""Paths of least penalty; all values are float64."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]

__all__ = ["best_paths", "chain_order", "chains", "shortest_from", "viterbi"]


@njit(cache=True, nogil=True)
def viterbi(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    ends: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Int32s, int]:
    """Compute eq. 10 on an acyclic graph: O(N + A); ties go to the start, then to the lowest arc.

    Args:
        order: nodes in topological order.
        offsets, arcs, ends: arcs by destination, and their sources.

    Returns:
        The least penalty of a way to each node ``[N]``, the arc by which it enters ``[N]``
        (-1: it starts here, or the node is not reached), and the first bad arc, or -1.
    """
    best = np.full(len(offsets) - 1, np.inf)
    entry = np.full(len(offsets) - 1, -1, dtype=np.int32)
    for s in range(len(starts)):
        best[starts[s]] = start_penalties[s]
    for n in order:
        least, place = best[n], -1
        for k in range(offsets[n], offsets[n + 1]):
            penalty = penalties[arcs[k]]
            if not penalty > -np.inf:
                return best, entry, arcs[k]
            way = penalty + best[ends[k]]
            if way < least:
                least, place = way, k
        best[n] = least
        if place >= 0:
            entry[n] = arcs[place]
    return best, entry, -1


@njit(cache=True, nogil=True)
def shortest_from(
    allowed: NDArray[np.bool_],
    nodes: Int32s,
    bounds: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    dst: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Int32s, int, Int32s]:
    """Compute least penalties on a graph with cycles, through allowed nodes, by component.

    Within a component of n nodes and a arcs by Dijkstra's algorithm, O(a log n); if it has a
    negative penalty, by Bellman and Ford's with a queue, O(n a) at worst, usually near O(a).

    Args:
        allowed: nodes that lie on a path from start to final.
        nodes, bounds: strongly connected components in topological order, ``[N]`` and ``[K + 1]``.
        offsets, arcs: arcs by source.

    Returns:
        As :func:`viterbi`, and the arcs of a cycle of negative penalty, if there is one. Ties are
        decided as there, except for ways round a cycle of penalty zero: :func:`_lowest_entries`.
    """
    num_nodes = len(offsets) - 1
    cycle = np.empty(0, dtype=np.int32)
    best = np.full(num_nodes, np.inf)
    entry = np.full(num_nodes, -1, dtype=np.int32)
    component = np.empty(num_nodes, dtype=np.int32)
    waiting = np.empty(num_nodes + 1, dtype=np.int32)
    queued = np.zeros(num_nodes, dtype=np.bool_)
    notes = np.zeros(num_nodes, dtype=np.int32)
    for a in range(len(penalties)):
        if not penalties[a] > -np.inf:
            return best, entry, a, cycle
    for k in range(len(bounds) - 1):
        for i in range(bounds[k], bounds[k + 1]):
            component[nodes[i]] = k
    for s in range(len(starts)):
        if allowed[starts[s]]:
            best[starts[s]] = start_penalties[s]
    for k in range(len(bounds) - 1):
        members = nodes[bounds[k] : bounds[k + 1]]
        inner, negative = False, False
        for n in members:
            if not allowed[n]:
                continue
            for i in range(offsets[n], offsets[n + 1]):
                d = dst[arcs[i]]
                if component[d] == k and allowed[d]:
                    inner = True
                    negative = negative or penalties[arcs[i]] < 0
        if negative:
            cycle = _by_queue(
                members, allowed, component, offsets, arcs, src, dst, penalties,
                best, entry, waiting, queued, notes,
            )  # fmt: skip
            if len(cycle):
                return best, entry, -1, cycle
        elif inner:
            _by_heap(
                members, allowed, component, offsets, arcs, dst, penalties,
                best, entry, waiting, notes,
            )  # fmt: skip
        for n in members:
            if not allowed[n]:
                continue
            for i in range(offsets[n], offsets[n + 1]):
                d = dst[arcs[i]]
                way = best[n] + penalties[arcs[i]]
                if component[d] != k and allowed[d] and way < best[d]:
                    best[d] = way
                    entry[d] = arcs[i]
    entry = _lowest_entries(src, dst, starts, penalties, start_penalties, allowed, best, entry)
    return best, entry, -1, cycle


@njit(cache=True, nogil=True)
def _by_heap(
    members: Int32s,
    allowed: NDArray[np.bool_],
    component: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    dst: Int32s,
    penalties: Float64s,
    best: Float64s,
    entry: Int32s,
    heap: Int32s,
    place: Int32s,
) -> None:
    """Finish ``best`` and ``entry`` in a component without negative penalties (Dijkstra).

    Args:
        members: its nodes, some of which have a penalty in ``best`` from outside.
        heap: room for the nodes that are not settled, ``[N + 1]``.
        place: room for where those are in it, ``[N]``; -1: not there.
    """
    size = 0
    for n in members:
        place[n] = -1
    for n in members:
        if best[n] < np.inf:
            _rise(heap, place, best, size, n)
            size += 1
    while size > 0:
        n, last = heap[0], heap[size - 1]
        place[n] = -1
        size -= 1
        if size > 0:
            _sink(heap, place, best, size, last)
        for i in range(offsets[n], offsets[n + 1]):
            d = dst[arcs[i]]
            way = best[n] + penalties[arcs[i]]
            if component[d] == component[n] and allowed[d] and way < best[d]:
                best[d] = way
                entry[d] = arcs[i]
                where = size
                if place[d] >= 0:
                    where = place[d]
                else:
                    size += 1
                _rise(heap, place, best, where, d)


@njit(cache=True, nogil=True)
def _rise(heap: Int32s, place: Int32s, best: Float64s, i: int, node: int) -> None:
    """Put a node at place i of a heap ordered by ``best``, and move it up to where it belongs."""
    while i > 0:
        parent = (i - 1) // 2
        if best[heap[parent]] <= best[node]:
            break
        heap[i] = heap[parent]
        place[heap[i]] = i
        i = parent
    heap[i] = node
    place[node] = i


@njit(cache=True, nogil=True)
def _sink(heap: Int32s, place: Int32s, best: Float64s, size: int, node: int) -> None:
    """Put a node at the top of a heap of ``size`` items, and move it down to where it belongs."""
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and best[heap[child + 1]] < best[heap[child]]:
            child += 1
        if best[node] <= best[heap[child]]:
            break
        heap[i] = heap[child]
        place[heap[i]] = i
        i = child
    heap[i] = node
    place[node] = i


@njit(cache=True, nogil=True)
def _by_queue(
    members: Int32s,
    allowed: NDArray[np.bool_],
    component: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    dst: Int32s,
    penalties: Float64s,
    best: Float64s,
    entry: Int32s,
    queue: Int32s,
    queued: NDArray[np.bool_],
    length: Int32s,
) -> Int32s:
    """Finish ``best`` and ``entry`` in a component with negative penalties (Bellman and Ford).

    An improvement below rounding (1e-12 of the value) does not count, so that a cycle of penalty
    zero is not walked for ever.

    Args:
        members: its nodes, some of which have a penalty in ``best`` from outside.
        queue: room for nodes, ``[N + 1]``.
        queued: whether a node is in it; false, ``[N]``.
        length: of the way to each node inside the component; zeros, ``[N]``.

    Returns:
        the arcs of a cycle of negative penalty, if there is one.
    """
    rows = len(members) + 1
    head, tail = 0, 0
    for n in members:
        if best[n] < np.inf:
            queue[tail] = n
            queued[n] = True
            tail += 1
    while head != tail:
        n = queue[head]
        head = (head + 1) % rows
        queued[n] = False
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            d = dst[arc]
            if not allowed[d] or component[d] != component[n]:
                continue
            way = best[n] + penalties[arc]
            margin = 0.0 if best[d] == np.inf else 1e-12 * max(1.0, abs(best[d]))
            if way < best[d] - margin:
                best[d] = way
                entry[d] = arc
                length[d] = length[n] + 1
                if length[d] >= len(members):
                    # Some node is entered for the second time: walk back until one repeats.
                    seen = np.zeros(len(best), dtype=np.bool_)
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
                        return cycle
                if not queued[d]:
                    queue[tail] = d
                    queued[d] = True
                    tail = (tail + 1) % rows
    return np.empty(0, dtype=np.int32)


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
    """Return entry arcs in which ties go to the start, then to the lowest arc: O(N + A).

    A node whose lowest arcs only lead round a cycle of penalty zero keeps the entry it has from
    the search; such entries lead back to a start or to a node with a new entry.
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
def best_paths(
    best: Float64s,
    entry: Int32s,
    src: Int32s,
    starts: Int32s,
    finals: Int32s,
    final_penalties: Float64s,
    node_offsets: Int32s,
) -> tuple[Int32s, Int32s, Int32s, Int32s, NDArray[np.bool_]]:
    """Follow entry arcs from the best final of each graph: O(F + length of the paths · log S).

    Args:
        best, entry: as of :func:`viterbi`.
        src: source of each arc.
        starts, finals: nodes, increasing.
        node_offsets: ``[B + 1]``, the nodes of each graph.

    Returns:
        The arcs of all paths, each in its order; ``offsets [B + 1]`` of the paths; of each path
        that there is, which start and which final it has, ``[P]``; and whether each graph has one,
        ``[B]``. Ties go to the lowest final.
    """
    graphs = len(node_offsets) - 1
    ends = np.full(graphs, -1, dtype=np.int32)  # the final, among `finals`
    begins = np.empty(graphs, dtype=np.int32)
    offsets = np.zeros(graphs + 1, dtype=np.int32)
    graph = 0
    least = np.inf
    for f in range(len(finals)):
        while finals[f] >= node_offsets[graph + 1]:
            graph += 1
            least = np.inf
        total = best[finals[f]] + final_penalties[f]
        if total < least:
            least = total
            ends[graph] = f
    for graph in range(graphs):
        count = 0
        if ends[graph] >= 0:
            n = finals[ends[graph]]
            while entry[n] >= 0:
                count += 1
                n = src[entry[n]]
            begins[graph] = np.searchsorted(starts, n)
        offsets[graph + 1] = offsets[graph] + count
    arcs = np.empty(offsets[graphs], dtype=np.int32)
    for graph in range(graphs):
        if ends[graph] >= 0:
            n = finals[ends[graph]]
            for place in range(offsets[graph + 1] - 1, offsets[graph] - 1, -1):
                arcs[place] = entry[n]
                n = src[entry[n]]
    exists = ends >= 0
    return arcs, offsets, begins[exists], ends[exists], exists


@njit(cache=True, nogil=True)
def chains(
    offsets: Int32s, exists: NDArray[np.bool_]
) -> tuple[Int32s, Int32s, Int32s, Int32s, Int32s]:
    """Lay out chains whose arcs are concatenated: O(arcs).

    Args:
        offsets: of the arcs of each chain, ``[B + 1]``.
        exists: whether there is such a chain; one that does not exist has no node, ``[B]``.

    Returns:
        source and destination of each arc, starts, finals, and the nodes' offsets ``[B + 1]``.
    """
    graphs = len(exists)
    src = np.empty(offsets[graphs], dtype=np.int32)
    dst = np.empty(offsets[graphs], dtype=np.int32)
    starts = np.empty(graphs, dtype=np.int32)
    finals = np.empty(graphs, dtype=np.int32)
    node_offsets = np.zeros(graphs + 1, dtype=np.int32)
    count, node = 0, 0
    for graph in range(graphs):
        if exists[graph]:
            starts[count] = node
            for arc in range(offsets[graph], offsets[graph + 1]):
                src[arc] = node
                dst[arc] = node + 1
                node += 1
            finals[count] = node
            node += 1
            count += 1
        node_offsets[graph + 1] = node
    return src, dst, starts[:count].copy(), finals[:count].copy(), node_offsets


@njit(cache=True, nogil=True)
def chain_order(
    src: Int32s,
    dst: Int32s,
    starts: Int32s,
    finals: Int32s,
    node_offsets: Int32s,
    arc_offsets: Int32s,
) -> tuple[Int32s, bool]:
    """Put the arcs of chains in the order of their paths: O(N + A).

    Args:
        src, dst: of each arc.
        starts, finals: nodes, increasing.
        node_offsets, arc_offsets: of each graph, ``[B + 1]``.

    Returns:
        the arcs, graph by graph; and whether each graph is a chain from its one start to its one
        final, or has no nodes. If one is neither, the arcs say nothing.
    """
    order = np.empty(len(src), dtype=np.int32)
    leaving = np.full(node_offsets[len(node_offsets) - 1], -1, dtype=np.int32)
    for arc in range(len(src)):
        if leaving[src[arc]] >= 0:
            return order, False
        leaving[src[arc]] = arc
    chain = 0
    for graph in range(len(node_offsets) - 1):
        at, end = arc_offsets[graph], arc_offsets[graph + 1]
        nodes = node_offsets[graph + 1] - node_offsets[graph]
        if nodes == 0:
            continue
        if nodes != end - at + 1 or chain >= min(len(starts), len(finals)):
            return order, False
        n, past = starts[chain], node_offsets[graph + 1]
        while n < past and at < end and leaving[n] >= 0:
            order[at] = leaving[n]
            n = dst[leaving[n]]
            at += 1
        if at < end or n != finals[chain]:
            return order, False
        chain += 1
    return order, chain == len(starts) and chain == len(finals)
