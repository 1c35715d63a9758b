"""Recursions along a graph with cycles, block by block.

A graph with cycles is a sequence of blocks in topological order. A block is a node without a loop,
handled as in an acyclic graph; a component of a few nodes, solved here by elimination; or a large
component, left to the caller. All values are float64.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Int8s = NDArray[np.int8]
Float64s = NDArray[np.float64]

__all__ = ["block_potentials", "block_shares", "block_solve"]

PLAIN, SMALL, LARGE = 0, 1, 2
MAX_SWEEPS = 64
EPS = 2.0**-52


@njit(cache=True, nogil=True)
def block_potentials(
    first: int,
    kinds: Int8s,
    nodes: Int32s,
    bounds: Int32s,
    place: Int32s,
    block_of: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
    potentials: Float64s,
    entries: Float64s,
    scales: Float64s,
    lu_offsets: Int64s,
    lu: Float64s,
) -> tuple[int, float]:
    """Continue the forward potentials from a block to the next large one: O(N + A + Σ m³).

    Args:
        first: the block to begin with.
        kinds, nodes, bounds: of the blocks, in topological order.
        place: of each node in its block, ``[N]``.
        block_of: of each node, ``[N]``; -1: the node does not count.
        offsets, arcs: arcs by destination.
        start_penalties: of each node, ``[N]``, infinite where it is no start.
        potentials: ``[N]``, filled in; infinite so far.
        entries, scales: ``[N]``, filled in for the large block: the penalty of entering the
            block at the node, and a penalty near the node's potential, both less the potential
            of the block's best entry, which stands in ``potentials`` for now.
        lu_offsets, lu: factors of I - T of each small block, filled in, where T holds the shares.

    Returns:
        The large block met, how much rounding may be in its pivots; or the number of blocks and
        0; or a block that does not converge and -1.
    """
    for b in range(first, len(kinds)):
        low, high = bounds[b], bounds[b + 1]
        base = np.inf
        for i in range(low, high):
            n = nodes[i]
            entries[n] = _entry(
                n, b, block_of, offsets, arcs, src, penalties, start_penalties, potentials
            )
            base = min(base, entries[n])
        if kinds[b] == PLAIN:
            potentials[nodes[low]] = base
            continue
        if high - low == 1:
            n = nodes[low]
            around, loops = _loop_penalty(n, offsets, arcs, src, penalties)
            if not around > (0.0 if loops == 1 else 4 * EPS * loops):
                return b, -1.0
            left = -np.expm1(-around)
            potentials[n] = base + np.log(left)
            lu[lu_offsets[b]] = left
            continue
        for i in range(low, high):
            n = nodes[i]
            entries[n] -= base
            scales[n] = entries[n]
            potentials[n] = base
        rounding = _sweep(b, low, high, nodes, block_of, offsets, arcs, src, penalties,
                          entries, scales)  # fmt: skip
        if kinds[b] == LARGE:
            return b, rounding
        size = high - low
        matrix = lu[lu_offsets[b] : lu_offsets[b] + size * size].reshape((size, size))
        x = np.empty(size)
        for i in range(size):
            n = nodes[low + i]
            x[i] = np.exp(scales[n] - entries[n])
            matrix[i, i] += 1.0
            for k in range(offsets[n], offsets[n + 1]):
                m = src[arcs[k]]
                if block_of[m] == b:
                    way = penalties[arcs[k]] + scales[m]
                    matrix[i, place[m]] -= np.exp(scales[n] - way)
        if not _eliminate(matrix, rounding):
            return b, -1.0
        _substitute(matrix, x)
        for i in range(size):
            if not (x[i] > 0.0 and x[i] < np.inf):
                return b, -1.0
            n = nodes[low + i]
            potentials[n] = base + scales[n] - np.log(x[i])
        for i in range(size):
            for j in range(size):
                matrix[i, j] *= x[j] / x[i]
    return len(kinds), 0.0


@njit(cache=True, nogil=True)
def _entry(
    n: int,
    block: int,
    block_of: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    penalties: Float64s,
    seeds: Float64s,
    potentials: Float64s,
) -> float:
    """Return the penalty of entering a block at a node: by its start and arcs from outside."""
    least: float = seeds[n]
    for k in range(offsets[n], offsets[n + 1]):
        m = src[arcs[k]]
        if block_of[m] != block:
            least = min(least, penalties[arcs[k]] + potentials[m])
    if least == np.inf:
        return least
    total: float = np.exp(least - seeds[n])
    for k in range(offsets[n], offsets[n + 1]):
        m = src[arcs[k]]
        if block_of[m] != block:
            total += np.exp(least - (penalties[arcs[k]] + potentials[m]))
    return least - float(np.log(total))


@njit(cache=True, nogil=True)
def _loop_penalty(
    n: int, offsets: Int32s, arcs: Int32s, src: Int32s, penalties: Float64s
) -> tuple[float, int]:
    """Return the penalty of all loops of a node together, and how many there are."""
    least, loops = np.inf, 0
    for k in range(offsets[n], offsets[n + 1]):
        if src[arcs[k]] == n:
            least = min(least, penalties[arcs[k]])
            loops += 1
    total = 0.0
    for k in range(offsets[n], offsets[n + 1]):
        if src[arcs[k]] == n:
            total += np.exp(least - penalties[arcs[k]])
    return least - np.log(total), loops


@njit(cache=True, nogil=True)
def _sweep(
    block: int,
    low: int,
    high: int,
    nodes: Int32s,
    block_of: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    penalties: Float64s,
    entries: Float64s,
    scales: Float64s,
) -> float:
    """Bring scales near the potentials: sums over the ways that go back only a few times.

    Gauss-Seidel in the log domain, forward and back through the nodes, until none changes by more
    than a nat. So no mass in the elimination overflows; pivots do not depend on the scales.

    Returns:
        The possible rounding error of a pivot: that of the largest penalty met, at least 1, times
        the square root of the number of nodes.
    """
    spread = 1.0
    for sweep in range(min(MAX_SWEEPS, high - low + 1)):
        change = 0.0
        for i in range(low, high):
            n = nodes[i] if sweep % 2 == 0 else nodes[high - 1 - (i - low)]
            least = entries[n]
            for k in range(offsets[n], offsets[n + 1]):
                m = src[arcs[k]]
                if block_of[m] == block:
                    least = min(least, penalties[arcs[k]] + scales[m])
            if least == np.inf:
                continue
            total = np.exp(least - entries[n])
            for k in range(offsets[n], offsets[n + 1]):
                m = src[arcs[k]]
                if block_of[m] == block:
                    total += np.exp(least - (penalties[arcs[k]] + scales[m]))
            now = least - np.log(total)
            change = max(change, scales[n] - now)
            scales[n] = now
        if change <= 1.0:
            break
    for i in range(low, high):
        n = nodes[i]
        spread = max(spread, abs(scales[n]))
        for k in range(offsets[n], offsets[n + 1]):
            if block_of[src[arcs[k]]] == block and penalties[arcs[k]] < np.inf:
                spread = max(spread, abs(penalties[arcs[k]]))
    return 32 * EPS * spread * float(np.sqrt(high - low))


@njit(cache=True, nogil=True)
def _eliminate(matrix: Float64s, rounding: float) -> bool:
    """Factor I - A in place, without pivoting; return whether the powers of A have a finite sum.

    They do if and only if all pivots are positive, since A has no negative entry.
    """
    size = len(matrix)
    for k in range(size):
        pivot = matrix[k, k]
        if not pivot > rounding:
            return False
        for i in range(k + 1, size):
            if matrix[i, k] != 0.0:
                factor = matrix[i, k] / pivot
                matrix[i, k] = factor
                for j in range(k + 1, size):
                    matrix[i, j] -= factor * matrix[k, j]
    return True


@njit(cache=True, nogil=True)
def _substitute(matrix: Float64s, x: Float64s) -> None:
    """Solve with a factored matrix, in place."""
    size = len(matrix)
    for i in range(size):
        for j in range(i):
            x[i] -= matrix[i, j] * x[j]
    for i in range(size - 1, -1, -1):
        for j in range(i + 1, size):
            x[i] -= matrix[i, j] * x[j]
        x[i] /= matrix[i, i]


@njit(cache=True, nogil=True)
def _substitute_transposed(matrix: Float64s, x: Float64s) -> None:
    """Solve with the transpose of a factored matrix, in place."""
    size = len(matrix)
    for i in range(size):
        x[i] /= matrix[i, i]
        for j in range(i + 1, size):
            x[j] -= matrix[i, j] * x[i]
    for i in range(size - 1, -1, -1):
        for j in range(i):
            x[j] -= matrix[i, j] * x[i]


@njit(cache=True, nogil=True)
def block_shares(
    nodes: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    src: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
    potentials: Float64s,
) -> tuple[Float64s, Float64s]:
    """Return the share of each arc, and of each start, in the sum at its node: O(N + A).

    Args:
        nodes: those that count; arcs into others have no share.
        offsets, arcs: arcs by destination.
        start_penalties: of each node, ``[N]``.

    Returns:
        ``[A]``, and ``[N]`` for the starts.
    """
    shares = np.zeros(len(penalties))
    start_shares = np.zeros(len(potentials))
    for n in nodes:
        least = start_penalties[n]
        for k in range(offsets[n], offsets[n + 1]):
            least = min(least, penalties[arcs[k]] + potentials[src[arcs[k]]])
        if least == np.inf:
            continue
        start_shares[n] = np.exp(least - start_penalties[n])
        total = start_shares[n]
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            shares[arc] = np.exp(least - (penalties[arc] + potentials[src[arc]]))
            total += shares[arc]
        start_shares[n] /= total
        for k in range(offsets[n], offsets[n + 1]):
            shares[arcs[k]] /= total
    return shares, start_shares


@njit(cache=True, nogil=True)
def block_solve(
    first: int,
    transposed: bool,
    kinds: Int8s,
    nodes: Int32s,
    bounds: Int32s,
    block_of: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    other: Int32s,
    factors: Float64s,
    lu_offsets: Int64s,
    lu: Float64s,
    x: Float64s,
) -> int:
    """Continue ``x_n = u_n + Σ_a factors_a x_other(a)`` from a block to the next large one.

    Args:
        first: the block to begin with; ``transposed`` goes from the last block to the first.
        offsets, arcs, other: arcs by destination and their sources; transposed: arcs by source
            and their destinations.
        x: ``[N]``, at first u; filled in. In the large block met, what comes from other blocks
            is added already.

    Returns:
        The large block met, or the number of blocks (transposed: -1).
    """
    step, end = (-1, -1) if transposed else (1, len(kinds))
    for b in range(first, end, step):
        low, high = bounds[b], bounds[b + 1]
        for i in range(low, high):
            n = nodes[i]
            total = x[n]
            for k in range(offsets[n], offsets[n + 1]):
                m = other[arcs[k]]
                if block_of[m] != b and factors[arcs[k]] != 0.0:
                    total += factors[arcs[k]] * x[m]
            x[n] = total
        if kinds[b] == LARGE:
            return b
        if kinds[b] == SMALL:
            size = high - low
            matrix = lu[lu_offsets[b] : lu_offsets[b] + size * size].reshape((size, size))
            given = np.empty(size)
            for i in range(size):
                given[i] = x[nodes[low + i]]
            if transposed:
                _substitute_transposed(matrix, given)
            else:
                _substitute(matrix, given)
            for i in range(size):
                x[nodes[low + i]] = given[i]
    return end
