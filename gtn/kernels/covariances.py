"""The derivative of posteriors, frame by frame: covariances of what paths use.

Sums of exp(-penalty) are kept as penalties here, minus their logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
Layout = Any  # of gtn.kernels.layout: kernels import no other file
Penalties = tuple[Float64s, Float64s, Float64s]  # of arcs [A], starts [S] and finals [F]
Rows = tuple[Float64s, Float64s, Float64s, Float64s]  # of emissions, arcs, starts and finals

__all__ = ["covariances"]


@njit(cache=True, nogil=True)
def _merged(total: float, mean: float, way: float, value: float) -> Any:
    """Return the total of ways and the mean of their values, with one more of finite penalty."""
    if total == np.inf:
        return way, value
    new = min(total, way) - np.log1p(np.exp(-abs(total - way)))
    return new, mean + np.exp(new - way) * (value - mean)


@njit(cache=True, nogil=True)
def _ahead(
    layout: Layout,
    b: int,
    length: int,
    emissions: Float64s,
    penalties: Penalties,
    direction: Rows,
    total: Float64s,
    mean: Float64s,
) -> Any:
    """Fill in total and mean of the ways to each node after each frame; return those of paths."""
    g, r = (b, 0) if len(layout.node_offsets) > 2 else (0, b)
    first, nodes = layout.node_offsets[g], layout.node_offsets[g + 1] - layout.node_offsets[g]
    arcs, starts, finals = penalties
    to_emissions, to_arcs, to_starts, to_finals = direction
    total[: length + 1] = np.inf
    for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
        p = layout.start_places[s]
        total[0, p], mean[0, p] = starts[s], to_starts[r, s]
    for t in range(length + 1):
        for p in range(nodes):
            for e in range(layout.entries[first + p], layout.entries[first + p + 1]):
                i, a, reads = layout.source[e], layout.arc[e], layout.column[e] >= 0
                if reads and t == 0:
                    continue
                at = t - 1 if reads else t
                way, value = total[at, i] + arcs[a], mean[at, i] + to_arcs[r, a]
                if reads:
                    c = layout.classes[layout.class_offsets[g] + layout.column[e]]
                    way, value = way + emissions[b, at, c], value + to_emissions[b, at, c]
                if way < np.inf:
                    total[t, p], mean[t, p] = _merged(total[t, p], mean[t, p], way, value)
    all_total, all_mean = np.inf, 0.0
    for f in range(layout.final_offsets[g], layout.final_offsets[g + 1]):
        p = layout.final_places[f]
        way = total[length, p] + finals[f]
        if way < np.inf:
            value = mean[length, p] + to_finals[r, f]
            all_total, all_mean = _merged(all_total, all_mean, way, value)
    return all_total, all_mean


@njit(cache=True, nogil=True)
def covariances(
    first: int,
    last: int,
    layout: Layout,
    emissions: Float64s,
    lengths: Int64s,
    arcs: Float64s,
    starts: Float64s,
    finals: Float64s,
    direction: Rows,
    of_emissions: Float64s,
    of_arcs: Float64s,
    of_starts: Float64s,
    of_finals: Float64s,
) -> tuple[int, int]:
    """Write the derivative of posteriors along a direction for the problems first to last - 1.

    The value of a path is the sum of the direction over what it uses. The derivative of a posterior
    P is P times (the mean value over all paths minus the mean over those that use the item): minus
    a covariance. O(T A) each, memory O(T N).

    Args:
        emissions: ``[B, T, C]``; no penalty is NaN or -inf.
        direction: of the shapes of the results.
        of_emissions, …: the results, zeros to be added to: ``[B, T, C]``, and ``[rows, A]``,
            ``[rows, S]``, ``[rows, F]`` with a row for each problem, or one for a batch of graphs.

    Returns:
        -1, -1: nothing is wrong.
    """
    penalties = arcs, starts, finals
    to_emissions, to_arcs, to_starts, to_finals = direction
    frames, nodes = 0, 0
    for b in range(first, last):
        g = b if len(layout.node_offsets) > 2 else 0
        frames = max(frames, lengths[b])
        nodes = max(nodes, layout.node_offsets[g + 1] - layout.node_offsets[g])
    total, mean = np.empty((frames + 1, nodes)), np.empty((frames + 1, nodes))
    rest, behind = np.empty((2, nodes)), np.empty((2, nodes))
    for b in range(first, last):
        g, r = (b, 0) if len(layout.node_offsets) > 2 else (0, b)
        n, t = layout.node_offsets[g], lengths[b]
        all_total, all_mean = _ahead(layout, b, t, emissions, penalties, direction, total, mean)
        if all_total == np.inf:
            continue
        rest[:] = np.inf
        for f in range(layout.final_offsets[g], layout.final_offsets[g + 1]):
            p = layout.final_places[f]
            rest[t % 2, p], behind[t % 2, p] = finals[f], to_finals[r, f]
            if total[t, p] < np.inf:
                posterior = np.exp(all_total - total[t, p] - finals[f])
                of_finals[r, f] = posterior * (all_mean - mean[t, p] - to_finals[r, f])
        for t in range(lengths[b], -1, -1):
            rest[(t + 1) % 2] = np.inf
            for p in range(layout.node_offsets[g + 1] - n - 1, -1, -1):
                for e in range(layout.entries[n + p], layout.entries[n + p + 1]):
                    i, a, reads = layout.source[e], layout.arc[e], layout.column[e] >= 0
                    if reads and t == 0:
                        continue
                    at, c = t, -1
                    way, value = rest[t % 2, p] + arcs[a], to_arcs[r, a]
                    if reads:
                        at, c = t - 1, layout.classes[layout.class_offsets[g] + layout.column[e]]
                        way, value = way + emissions[b, at, c], value + to_emissions[b, at, c]
                    if way == np.inf or total[at, i] == np.inf:
                        continue
                    value += behind[t % 2, p]
                    posterior = np.exp(all_total - total[at, i] - way)
                    change = posterior * (all_mean - mean[at, i] - value)
                    of_arcs[r, a] += change
                    if reads:
                        of_emissions[b, at, c] += change
                    rest[at % 2, i], behind[at % 2, i] = _merged(
                        rest[at % 2, i], behind[at % 2, i], way, value
                    )
        for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
            p = layout.start_places[s]
            if starts[s] < np.inf and rest[0, p] < np.inf:
                posterior = np.exp(all_total - starts[s] - rest[0, p])
                of_starts[r, s] = posterior * (all_mean - to_starts[r, s] - behind[0, p])
    return -1, -1
