"""Trimming: keep the part of an exploration's result that reaches a pair of finals."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

__all__ = ["trim"]

_EPSILON = -1
_SWEEPS = 4


@njit(cache=True, nogil=True)
def _useful(src: Int32s, dst: Int32s, alive: Mask) -> None:
    """Mark what reaches a marked node: O(N + A).

    Most arcs lead to nodes with larger numbers, and arcs are sorted by source, so one sweep from
    the last arc to the first finds nearly all. When it marks a node that arcs with larger sources
    lead back to, the sweep returns to the last of them; if that takes too long, arcs are sorted by
    destination and followed from the marked nodes.
    """
    num_nodes, num_arcs = len(alive), len(src)
    back = np.full(num_nodes, -1, dtype=np.int32)
    for k in range(num_arcs):
        if dst[k] < src[k]:
            back[dst[k]] = k
    k, left = num_arcs - 1, _SWEEPS * num_arcs
    while k >= 0 and left > 0:
        left -= 1
        n = src[k]
        alive[n] |= alive[dst[k]]
        if back[n] > k and alive[n]:
            k, back[n] = back[n], -1
        else:
            k -= 1
    if k < 0:
        return
    offsets = np.zeros(num_nodes + 1, dtype=np.int32)
    for k in range(num_arcs):
        offsets[dst[k] + 1] += 1
    for n in range(num_nodes):
        offsets[n + 1] += offsets[n]
    place = offsets[: len(offsets) - 1].copy()
    before = np.empty(num_arcs, dtype=np.int32)
    for k in range(num_arcs):
        to = dst[k]
        before[place[to]] = src[k]
        place[to] += 1
    stack = np.empty(num_nodes, dtype=np.int32)
    top = 0
    for n in range(num_nodes):
        if alive[n]:
            stack[top] = n
            top += 1
    while top > 0:
        top -= 1
        n = stack[top]
        for k in range(offsets[n], offsets[n + 1]):
            m = before[k]
            if not alive[m]:
                alive[m] = True
                stack[top] = m
                top += 1


@njit(cache=True, nogil=True)
def _labels(arcs: Int32s, labels: Int32s) -> Int32s:
    """Return the label of each arc, epsilon where there is none; free of branches."""
    taken = np.full(len(arcs), _EPSILON, dtype=np.int32)
    if len(labels) > 0:
        for k in range(len(arcs)):
            label = labels[max(arcs[k], np.int32(0))]
            taken[k] = label if arcs[k] >= 0 else _EPSILON
    return taken


@njit(cache=True, nogil=True)
def _arcs_per_graph(src: Int32s, node_offsets: Int32s) -> Int32s:
    """Return where the arcs of each graph begin: they are sorted by source."""
    graphs = len(node_offsets) - 1
    arc_offsets = np.empty(graphs + 1, dtype=np.int32)
    arc_offsets[0] = 0
    arc_offsets[1:] = np.searchsorted(src, node_offsets[1:])
    return arc_offsets


@njit(cache=True, nogil=True)
def trim(
    nodes: tuple[Int32s, Int32s],
    arcs: tuple[Int32s, Int32s, Int32s, Int32s],
    starts: Int32s,
    node_offsets: Int32s,
    a_final: Int32s,
    b_final: Int32s,
    a_ilabels: Int32s,
    b_olabels: Int32s,
    acceptor: bool,
) -> tuple[
    tuple[Int32s, Int32s, Int32s, Int32s],
    tuple[Int32s, Int32s],
    Int32s,
    Int32s,
    Int32s,
    Int32s,
    tuple[Int32s, Int32s],
]:
    """Keep what reaches a pair of finals; nodes, arcs and starts keep their order. O(N + A).

    Args:
        nodes, arcs, starts, node_offsets: as :func:`match` returns them.
        a_final, b_final: which final each node of an operand is, or -1.
        a_ilabels, b_olabels: the labels of the result, by arc of the operand.
        acceptor: whether input and output labels of the result are known to agree.

    Returns:
        source, destination, arc of a and arc of b, each ``[A']`` (the given arrays, if nothing is
        dropped); their input and output labels; ``starts [3, S']`` and ``finals [3, F']`` (node,
        that of a, that of b), ``node_offsets [B + 1]`` and ``arc_offsets [B + 1]``, and the node
        of a and of b that each node is, each ``[N']``.
    """
    in_a, in_b = nodes
    src, dst, arcs_a, arcs_b = arcs
    num_nodes, graphs = len(in_a), len(node_offsets) - 1
    alive = np.zeros(num_nodes, dtype=np.bool_)
    num_finals = 0
    for n in range(num_nodes):
        if a_final[in_a[n]] >= 0 and b_final[in_b[n]] >= 0:
            alive[n] = True
            num_finals += 1
    finals = np.empty((3, num_finals), dtype=np.int32)
    f = 0
    for n in range(num_nodes):
        if alive[n]:
            finals[0, f] = n
            finals[1, f] = a_final[in_a[n]]
            finals[2, f] = b_final[in_b[n]]
            f += 1
    _useful(src, dst, alive)
    num_alive = 0
    for n in range(num_nodes):
        num_alive += alive[n]
    begin = starts.T.copy()
    if num_alive < num_nodes:
        renumbered = np.empty(num_nodes, dtype=np.int32)
        left, right = np.empty(num_alive, np.int32), np.empty(num_alive, np.int32)
        offsets = np.zeros(graphs + 1, dtype=np.int32)
        m = 0
        for graph in range(graphs):
            for n in range(node_offsets[graph], node_offsets[graph + 1]):
                renumbered[n] = m if alive[n] else -1
                if alive[n]:
                    left[m], right[m] = in_a[n], in_b[n]
                    m += 1
            offsets[graph + 1] = m
        total = 0
        for k in range(len(src)):
            total += alive[src[k]] & alive[dst[k]]
        kept_src, kept_dst = np.empty(total, np.int32), np.empty(total, np.int32)
        kept_a, kept_b = np.empty(total, np.int32), np.empty(total, np.int32)
        c = 0
        for k in range(len(src)):
            if alive[src[k]] and alive[dst[k]]:
                kept_src[c], kept_dst[c] = renumbered[src[k]], renumbered[dst[k]]
                kept_a[c], kept_b[c] = arcs_a[k], arcs_b[k]
                c += 1
        for f in range(num_finals):
            finals[0, f] = renumbered[finals[0, f]]
        num_starts = 0
        for s in range(len(starts)):
            num_starts += alive[starts[s, 0]]
        begin = np.empty((3, num_starts), dtype=np.int32)
        t = 0
        for s in range(len(starts)):
            if alive[starts[s, 0]]:
                begin[0, t] = renumbered[starts[s, 0]]
                begin[1, t] = starts[s, 1]
                begin[2, t] = starts[s, 2]
                t += 1
        in_a, in_b, node_offsets = left, right, offsets
        src, dst, arcs_a, arcs_b = kept_src, kept_dst, kept_a, kept_b
    ilabels = _labels(arcs_a, a_ilabels)
    labels = (ilabels, ilabels if acceptor else _labels(arcs_b, b_olabels))
    arc_offsets = _arcs_per_graph(src, node_offsets)
    kept = (src, dst, arcs_a, arcs_b)
    return kept, labels, begin, finals, node_offsets, arc_offsets, (in_a, in_b)
