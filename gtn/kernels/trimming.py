"""Trimming: keeping what reaches a pair of finals of what an exploration has found."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["trim"]

_EPSILON = -1


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
) -> tuple[Int32s, Int32s, Int32s, Int32s, Int32s, Int32s]:
    """Keep what reaches a pair of finals; nodes, arcs and starts keep their order. O(N + A).

    Args:
        nodes, arcs, starts, node_offsets: as :func:`explore` returns them.
        a_final, b_final: which final each node of an operand is, or -1.
        a_ilabels, b_olabels: the labels of the result, by arc of the operand.

    Returns:
        ``arcs [6, A']`` (source, destination, input label, output label, arc of a, of b),
        ``starts [3, S']`` and ``finals [3, F']`` (node, that of a, that of b),
        ``node_offsets [B + 1]`` and ``arc_offsets [B + 1]``, and which node of a and of b each
        node is, ``[2, N']``.
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
    num_alive = 0
    for n in range(num_nodes):
        if alive[n]:
            num_alive += 1
    pairs = np.empty((2, num_alive), dtype=np.int32)
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
            pairs[0, m] = nodes[n, 0]
            pairs[1, m] = nodes[n, 1]
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
    return result, new_starts, finals, new_node_offsets, arc_offsets, pairs
