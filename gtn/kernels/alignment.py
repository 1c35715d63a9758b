"""The best path that reads a matrix of emission penalties, frame by frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
Layout = Any  # of gtn.kernels.layout: kernels import no other file

__all__ = ["best_paths"]


@njit(cache=True, nogil=True)
def _fill(
    layout: Layout,
    g: int,
    emissions: Float64s,
    arcs: Float64s,
    starts: Float64s,
    best: Float64s,
    entry: Int32s,
) -> Any:
    """Fill in the entry by which the best way comes to each node after each frame: O(T A).

    Args:
        emissions: ``[T, C]`` of one problem.
        best: room for the penalties of those ways, two rows; row T modulo 2 holds the last.
        entry: ``[T + 1, N]``; -1: the way starts there, or there is none.

    Returns:
        The first emission ``t * C + c`` that is NaN or -inf, or -1.
    """
    first, last = layout.node_offsets[g], layout.node_offsets[g + 1]
    from_class = layout.class_offsets[g]
    for t in range(len(emissions) + 1):
        row, before = t % 2, (t + 1) % 2
        best[row, : last - first] = np.inf
        entry[t, : last - first] = -1
        if t == 0:
            for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
                best[0, layout.start_places[s]] = starts[s]
        else:
            for c in layout.classes[from_class : layout.class_offsets[g + 1]]:
                if not emissions[t - 1, c] > -np.inf:
                    return (t - 1) * emissions.shape[1] + c
        for p in range(last - first):
            least, chosen, arc = best[row, p], -1, -1
            for e in range(layout.entries[first + p], layout.entries[first + p + 1]):
                i, c, a = layout.source[e], layout.column[e], layout.arc[e]
                if c < 0:
                    way = best[row, i] + arcs[a]
                elif t > 0:
                    emission = emissions[t - 1, layout.classes[from_class + c]]
                    way = best[before, i] + arcs[a] + emission
                else:
                    continue
                if way < least or (way == least and a < arc):
                    least, chosen, arc = way, e, a
            best[row, p] = least
            entry[t, p] = chosen
    return -1


@njit(cache=True, nogil=True)
def best_paths(
    first: int,
    last: int,
    layout: Layout,
    emissions: Float64s,
    lengths: Int64s,
    arcs: Float64s,
    starts: Float64s,
    finals: Float64s,
) -> tuple[Int32s, Int32s, Int32s, Int32s, Int32s, int, int]:
    """Return the best paths of the problems ``first`` to ``last - 1``: O(T A) each.

    Ties go to the start, then to the lowest arc; at the end to the lowest final node.

    Args:
        emissions: ``[B, T, C]``.

    Returns:
        The arcs of all paths, in order, and the frame that each arc reads (-1: none); ``offsets``
        of the paths; the start and final of each path (-1: no path); and the first bad emission as
        a problem and ``t * C + c``, or -1, -1.
    """
    count, frames, nodes = last - first, 0, 0
    for b in range(first, last):
        g = b if len(layout.node_offsets) > 2 else 0
        frames = max(frames, lengths[b])
        nodes = max(nodes, layout.node_offsets[g + 1] - layout.node_offsets[g])
    best = np.empty((2, nodes))
    entry = np.empty((frames + 1, nodes), dtype=np.int32)
    offsets = np.zeros(count + 1, dtype=np.int32)
    begin = np.full(count, -1, dtype=np.int32)
    end = np.full(count, -1, dtype=np.int32)
    path = np.empty((16, 2), dtype=np.int32)
    size = 0
    for b in range(first, last):
        g = b if len(layout.node_offsets) > 2 else 0
        bad = _fill(layout, g, emissions[b, : lengths[b]], arcs, starts, best, entry)
        if bad >= 0:
            return path[:0, 0], path[:0, 1], offsets, begin, end, b, bad
        least, p, t = np.inf, -1, lengths[b]
        for f in range(layout.final_offsets[g], layout.final_offsets[g + 1]):
            way = best[t % 2, layout.final_places[f]] + finals[f]
            if way < least:
                least, p, end[b - first] = way, layout.final_places[f], f
        offsets[b - first] = size
        while p >= 0:
            e = entry[t, p]
            if e < 0:
                for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
                    if layout.start_places[s] == p:
                        begin[b - first] = s
                break
            if size == len(path):
                larger = np.empty((2 * size, 2), dtype=np.int32)
                larger[:size] = path
                path = larger
            reads = layout.column[e] >= 0
            path[size, 0] = layout.arc[e]
            path[size, 1] = t - 1 if reads else -1
            t = t - 1 if reads else t
            p = layout.source[e]
            size += 1
        offsets[b - first + 1] = size
        here = path[offsets[b - first] : size]
        here[:] = here[::-1].copy()
    return path[:size, 0].copy(), path[:size, 1].copy(), offsets, begin, end, -1, -1
