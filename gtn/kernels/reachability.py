"""Order and reach: arcs by node, topological order, components, reachable nodes."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

__all__ = [
    "by_node",
    "find_cycle",
    "group_by",
    "reach",
    "strong_components",
    "topological_order",
]


@njit(cache=True, nogil=True)
def group_by(keys: Int32s, groups: int, order: Int32s) -> tuple[Int32s, Int32s]:
    """Sort ``order`` stably by ``keys`` (each in 0..groups-1) by counting: O(len + groups).

    Returns:
        ``offsets [groups + 1]`` and ``sorted [len]``: the members of group g are
        ``sorted[offsets[g]:offsets[g + 1]]``, in the order they have in ``order``.
    """
    offsets = np.zeros(groups + 1, dtype=np.int32)
    for key in keys:
        offsets[key + 1] += 1
    for g in range(groups):
        offsets[g + 1] += offsets[g]
    place = offsets.copy()
    result = np.empty(len(order), dtype=np.int32)
    for i in range(len(order)):
        member = order[i]
        key = keys[member]
        result[place[key]] = member
        place[key] += 1
    return offsets, result


@njit(cache=True, nogil=True)
def by_node(nodes: Int32s, others: Int32s, num_nodes: int) -> tuple[Int32s, Int32s, Int32s]:
    """Sort arcs stably by the node at one end, by counting: O(N + A).

    Args:
        nodes, others: the two ends of each arc, ``[A]``.

    Returns:
        ``offsets [N + 1]``, ``arcs [A]`` as :func:`group_by` returns them, and the other ends in
        the order of those arcs, for sequential reading.
    """
    offsets = np.zeros(num_nodes + 1, dtype=np.int32)
    in_order = True
    for k in range(len(nodes)):
        offsets[np.uint64(nodes[k]) + np.uint64(1)] += 1
    for k in range(1, len(nodes)):
        in_order &= nodes[k] >= nodes[k - 1]
    for n in range(num_nodes):
        offsets[n + 1] += offsets[n]
    arcs = np.empty(len(nodes), dtype=np.int32)
    if in_order:
        for k in range(len(nodes)):
            arcs[k] = k
        return offsets, arcs, others.copy()
    place = offsets.copy()
    for k in range(len(nodes)):
        node = np.uint64(nodes[k])
        at = place[node]
        place[node] = at + 1
        arcs[np.uint64(at)] = k
    ends = np.empty(len(nodes), dtype=np.int32)
    for k in range(len(nodes)):
        ends[k] = others[np.uint64(arcs[k])]
    return offsets, arcs, ends


@njit(cache=True, nogil=True)
def offsets_in_order(src: Int32s, labels: Int32s, num_nodes: int) -> tuple[Int32s, bool]:
    """Return where the arcs of each node begin, if arcs are sorted by node, then label: O(N + A).

    Returns:
        ``[N + 1]``; and whether the arcs are sorted so. If not, the offsets mean nothing.
    """
    offsets = np.empty(num_nodes + 1, dtype=np.int32)
    known = 0
    for arc in range(len(src)):
        if arc > 0 and (
            src[arc] < src[arc - 1] or (src[arc] == src[arc - 1] and labels[arc] < labels[arc - 1])
        ):
            return offsets, False
        while known <= src[arc]:
            offsets[known] = arc
            known += 1
    offsets[known:] = len(src)
    return offsets, True


@njit(cache=True, nogil=True)
def topological_order(
    num_nodes: int, dst: Int32s, out_offsets: Int32s, out_arcs: Int32s
) -> tuple[Int32s, int]:
    """Order nodes so that every arc goes forward (Kahn): O(N + A).

    Returns:
        ``order [N]`` and how many of its entries are valid: N if and only if there is no cycle.
        Nodes that become free at the same time come in the order of discovery.
    """
    waiting = np.zeros(num_nodes, dtype=np.int32)
    for d in dst:
        waiting[d] += 1
    order = np.empty(num_nodes, dtype=np.int32)
    found = 0
    for n in range(num_nodes):
        if waiting[n] == 0:
            order[found] = n
            found += 1
    done = 0
    while done < found:
        n = order[done]
        done += 1
        for k in range(out_offsets[n], out_offsets[n + 1]):
            d = dst[out_arcs[k]]
            waiting[d] -= 1
            if waiting[d] == 0:
                order[found] = d
                found += 1
    return order, found


@njit(cache=True, nogil=True)
def strong_components(
    num_nodes: int, seeds: Int32s, dst: Int32s, offsets: Int32s, arcs: Int32s
) -> tuple[Int32s, Int32s]:
    """Group nodes by strongly connected component, components in topological order: O(N + A).

    Tarjan's algorithm with a stack of its own.

    Args:
        seeds: nodes to begin the search at; what they do not reach comes after.
        offsets, arcs: arcs by source.

    Returns:
        ``nodes [N]`` and ``offsets [K + 1]``: component k is ``nodes[offsets[k]:offsets[k + 1]]``,
        within it in reverse postorder (most arcs lead to later nodes).
    """
    unseen = -1
    index = np.full(num_nodes, unseen, dtype=np.int32)
    low = np.zeros(num_nodes, dtype=np.int32)
    component = np.full(num_nodes, unseen, dtype=np.int32)
    position = np.zeros(num_nodes, dtype=np.int32)
    walk = np.empty(num_nodes, dtype=np.int32)
    open_ = np.empty(num_nodes, dtype=np.int32)
    postorder = np.empty(num_nodes, dtype=np.int32)
    num_open, finished, counter, count = 0, 0, 0, 0
    for r in range(len(seeds) + num_nodes):
        root = seeds[r] if r < len(seeds) else np.int32(r - len(seeds))
        if index[root] != unseen:
            continue
        top = 0
        walk[0] = root
        index[root] = low[root] = counter
        counter += 1
        position[root] = offsets[root]
        open_[num_open] = root
        num_open += 1
        while top >= 0:
            n = walk[top]
            if position[n] < offsets[n + 1]:
                d = dst[arcs[position[n]]]
                position[n] += 1
                if index[d] == unseen:
                    top += 1
                    walk[top] = d
                    index[d] = low[d] = counter
                    counter += 1
                    position[d] = offsets[d]
                    open_[num_open] = d
                    num_open += 1
                elif component[d] == unseen:
                    low[n] = min(low[n], index[d])
                continue
            postorder[finished] = n
            finished += 1
            if low[n] == index[n]:
                while component[n] == unseen:
                    num_open -= 1
                    component[open_[num_open]] = count
                count += 1
            top -= 1
            if top >= 0:
                low[walk[top]] = min(low[walk[top]], low[n])
    bounds = np.zeros(count + 1, dtype=np.int32)
    for n in range(num_nodes):
        component[n] = count - 1 - component[n]  # they were found in reverse order
        bounds[component[n] + 1] += 1
    for k in range(count):
        bounds[k + 1] += bounds[k]
    place = bounds.copy()
    nodes = np.empty(num_nodes, dtype=np.int32)
    for i in range(num_nodes - 1, -1, -1):
        n = postorder[i]
        nodes[place[component[n]]] = n
        place[component[n]] += 1
    return nodes, bounds


@njit(cache=True, nogil=True)
def reach(seeds: Int32s, num_nodes: int, to: Int32s, offsets: Int32s, arcs: Int32s) -> Mask:
    """Mark what can be reached from the seeds: O(N + A).

    Args:
        to: the node at the other end of each arc, ``[A]``.
        offsets, arcs: the arcs of each node, grouped as :func:`group_by` returns them.

    Returns:
        ``mask [N]``.
    """
    reached = np.zeros(num_nodes, dtype=np.bool_)
    stack = np.empty(num_nodes, dtype=np.int32)
    top = 0
    for n in seeds:
        if not reached[n]:
            reached[n] = True
            stack[top] = n
            top += 1
    while top > 0:
        top -= 1
        n = stack[top]
        for k in range(offsets[n], offsets[n + 1]):
            m = to[arcs[k]]
            if not reached[m]:
                reached[m] = True
                stack[top] = m
                top += 1
    return reached


@njit(cache=True, nogil=True)
def find_cycle(
    num_nodes: int, dst: Int32s, out_offsets: Int32s, out_arcs: Int32s, allowed: Mask
) -> Int32s:
    """Return the arcs of one cycle through allowed nodes, in order; empty if there is none.

    Depth-first search with an explicit stack: O(N + A).
    """
    unseen, open_, closed = 0, 1, 2
    state = np.zeros(num_nodes, dtype=np.int8)
    position = np.zeros(num_nodes, dtype=np.int32)
    path_arc = np.empty(num_nodes, dtype=np.int32)
    stack = np.empty(num_nodes, dtype=np.int32)
    for root in range(num_nodes):
        if state[root] != unseen or not allowed[root]:
            continue
        top = 0
        stack[0] = root
        state[root] = open_
        position[root] = out_offsets[root]
        while top >= 0:
            n = stack[top]
            if position[n] == out_offsets[n + 1]:
                state[n] = closed
                top -= 1
                continue
            arc = out_arcs[position[n]]
            position[n] += 1
            d = dst[arc]
            if not allowed[d]:
                continue
            if state[d] == unseen:
                path_arc[top] = arc
                top += 1
                stack[top] = d
                state[d] = open_
                position[d] = out_offsets[d]
            elif state[d] == open_:
                first = top
                while stack[first] != d:
                    first -= 1
                cycle = np.empty(top - first + 1, dtype=np.int32)
                for i in range(first, top):
                    cycle[i - first] = path_arc[i]
                cycle[top - first] = arc
                return cycle
    return np.empty(0, dtype=np.int32)
