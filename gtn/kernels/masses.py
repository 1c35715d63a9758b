"""Sums over all ways to the nodes of an acyclic graph, and the linear solve along it.

A node's mass is the sum of exp(-penalty) over all ways to it. Masses of long graphs leave the
range of floating point, so a node has a mass near 1 and a *level*, like the digits and exponent of
a number: they stand for ``mass * 2**(256 level)``. So a sum takes no logarithm and no maximum, and
the exponentials, one per arc, are all taken beforehand, outside the chain of nodes that wait for
one another. Larger penalties are summed with logarithms instead.

Arcs are sorted by destination; *places* are positions in that order. The loops over all arcs count
in unsigned numbers, which saves checking each index for being negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]

__all__ = [
    "LEVEL",
    "forward_masses",
    "forward_potentials",
    "shares",
    "solve",
    "solve_back",
    "total_gradients",
    "totals",
]

_UNIT = 2.0**256
LEVEL = 256 * float(np.log(2.0))  # nats
_BLOCK = 2048  # arcs
_SMALL, _LARGE = 2.0**-128, 2.0**128
_MOST = 330.0  # nats: exp of both ends, times masses, five levels apart, is told from zero
_UNREACHED = -(2**30)  # a level
# exp(-x) = 2^-k exp(r), r = k log 2 - x; adding and subtracting _ROUND rounds to whole numbers.
_LOG2_E, _ROUND = 1 / float(np.log(2.0)), 1.5 * 2.0**52
_LOG_2_HIGH, _LOG_2_LOW = 6.93145751953125e-1, 1.42860682030941723212e-6
_C2, _C3, _C4, _C5, _C6, _C7 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040
_C8, _C9, _C10, _C11 = 1 / 40320, 1 / 362880, 1 / 3628800, 1 / 39916800
_C12, _C13 = 1 / 479001600, 1 / 6227020800


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _exp_minus(values: Float64s) -> None:
    """Replace values between -700 and 700 by exp(-value), those above by 0, to 3e-16 of each.

    Taylor's series, in a form that compilers vectorize.
    """
    for k in range(len(values)):
        x = min(values[k], 701.0)
        whole = (x * _LOG2_E + _ROUND) - _ROUND
        r = (whole * _LOG_2_HIGH - x) + whole * _LOG_2_LOW
        s = _C10 + r * (_C11 + r * (_C12 + r * _C13))
        s = _C6 + r * (_C7 + r * (_C8 + r * (_C9 + r * s)))
        s = 1.0 + r * (1.0 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * s)))))
        power = np.int64(np.int64(1023 - np.int64(whole)) << np.int64(52))
        values[k] = s * power.view(np.float64) if x < 701.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _raised(value: float, levels: int) -> Any:
    """Return ``value * 2**(256 levels)``."""
    while levels > 0 and value != 0.0:
        value *= _UNIT
        levels -= 1
    while levels < 0 and value != 0.0:
        value /= _UNIT
        levels += 1
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def forward_masses(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    ends: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Float64s, Int32s, bool]:
    """Sum exp(-penalty) over all ways to each node, a gather over the arcs entering it: O(N + A).

    Args:
        order: all nodes in topological order.
        offsets, arcs, ends: arcs by destination, and their sources.

    Returns:
        exp(-penalty) of the arc at each place, ``[A]``; mass and level of each node, ``[N]``; and
        whether all this is valid: False if a penalty is NaN, or finite but large.
    """
    num_nodes = len(offsets) - 1
    weights = np.empty(len(arcs))
    masses = np.zeros(num_nodes)
    levels = np.full(num_nodes, _UNREACHED, dtype=np.int32)
    fine = True
    for s in range(len(starts)):
        fine &= abs(start_penalties[s]) <= _MOST or start_penalties[s] == np.inf
    if not fine:
        return weights, masses, levels, False
    for begin in range(0, len(arcs), _BLOCK):  # in blocks, so that gathered values stay cached
        end = min(begin + _BLOCK, len(arcs))
        for k in range(begin, end):
            penalty = penalties[np.uint64(arcs[k])]
            weights[k] = penalty
            fine &= abs(penalty) <= _MOST or penalty == np.inf
        if not fine:
            return weights, masses, levels, False
        _exp_minus(weights[begin:end])
    for s in range(len(starts)):
        if start_penalties[s] < np.inf:
            masses[starts[s]] = np.exp(-start_penalties[s])
            levels[starts[s]] = 0
    for i in range(len(order)):
        n = np.uint64(order[i])
        first, last = np.uint64(offsets[n]), np.uint64(offsets[n + np.uint64(1)])
        total, level = masses[n], levels[n]
        if level == _UNREACHED and first < last:
            level = levels[np.uint64(ends[first])]
        same = True
        for k in range(first, last):
            m = np.uint64(ends[k])
            same &= levels[m] == level
            total += weights[k] * masses[m]
        if not same:
            level = levels[n]
            for k in range(first, last):
                if weights[k] > 0.0:
                    level = max(level, levels[np.uint64(ends[k])])
            total = _raised(masses[n], levels[n] - level)
            for k in range(first, last):
                m = np.uint64(ends[k])
                total += _raised(weights[k] * masses[m], levels[m] - level)
        if total == 0.0:
            masses[n], levels[n] = 0.0, _UNREACHED
            continue
        while total >= _LARGE:
            total /= _UNIT
            level += 1
        while total < _SMALL:
            total *= _UNIT
            level -= 1
        masses[n], levels[n] = total, level
    return weights, masses, levels, True


@njit(cache=True, nogil=True, error_model="numpy")
def forward_potentials(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    ends: Int32s,
    starts: Int32s,
    penalties: Float64s,
    start_penalties: Float64s,
) -> tuple[Float64s, Float64s, int]:
    """Eq. 13, for penalties of any size: O(N + A).

    Args:
        as :func:`forward_masses`.

    Returns:
        Forward potentials ``[N]`` (minus log of the sum over all ways to the node); the share of
        the arc at each place in its destination's sum ``[A]``; and the first arc whose penalty is
        NaN or -inf, or -1.
    """
    potentials = np.full(len(offsets) - 1, np.inf)
    shares = np.zeros(len(arcs))
    for s in range(len(starts)):
        potentials[starts[s]] = start_penalties[s]
    for n in order:
        first, last = offsets[n], offsets[n + 1]
        begun = potentials[n]
        least = begun
        for k in range(first, last):
            if not penalties[arcs[k]] > -np.inf:
                return potentials, shares, arcs[k]
            shares[k] = penalties[arcs[k]] + potentials[ends[k]]
            least = min(least, shares[k])
        if least == np.inf:
            shares[first:last] = 0.0
            continue
        total = np.exp(least - begun)
        for k in range(first, last):
            shares[k] = np.exp(least - shares[k])
            total += shares[k]
        potentials[n] = least - np.log(total)
        for k in range(first, last):
            shares[k] /= total
    return potentials, shares, -1


@njit(cache=True, nogil=True, error_model="numpy")
def _share(way: float, total: float, levels: int) -> Any:
    """Return the quotient of the masses of a way and of all ways, whose levels differ."""
    share = way / total
    return _raised(share, levels) if levels != 0 else share


@njit(cache=True, nogil=True, error_model="numpy")
def shares(
    offsets: Int32s,
    arcs: Int32s,
    ends: Int32s,
    weights: Float64s,
    masses: Float64s,
    levels: Int32s,
) -> Float64s:
    """Return the share of each arc in its destination's sum, ``[A]``, by arc: O(N + A)."""
    result = np.empty(len(arcs))
    for n in range(len(offsets) - 1):
        mass, level = masses[n] if masses[n] > 0.0 else 1.0, levels[n]
        for k in range(offsets[n], offsets[n + 1]):
            m = ends[k]
            result[arcs[k]] = _share(weights[k] * masses[m], mass, levels[m] - level)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def solve(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    ends: Int32s,
    weights: Float64s,
    masses: Float64s,
    levels: Int32s,
    given: Float64s,
) -> tuple[Float64s, Float64s]:
    """Solve ``x_n = given_n + Σ_a share_a x_src(a)`` over the arcs into each node: O(N + A).

    Returns:
        ``x [N]`` and the products ``share_a x_src(a) [A]``, by arc.
    """
    x = given.copy()
    products = np.empty(len(arcs))
    for i in range(len(order)):
        n = np.uint64(order[i])
        total, mass, level = x[n], masses[n] if masses[n] > 0.0 else 1.0, levels[n]
        for k in range(np.uint64(offsets[n]), np.uint64(offsets[n + np.uint64(1)])):
            m = np.uint64(ends[k])
            product = _share(weights[k] * masses[m], mass, levels[m] - level) * x[m]
            products[np.uint64(arcs[k])] = product
            total += product
        x[n] = total
    return x, products


@njit(cache=True, nogil=True, error_model="numpy")
def solve_back(
    order: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    ends: Int32s,
    weights: Float64s,
    masses: Float64s,
    levels: Int32s,
    given: Float64s,
) -> tuple[Float64s, Float64s]:
    """Solve ``x_n = given_n + Σ_a share_a x_dst(a)`` over the arcs out of each node: O(N + A).

    Each node, the last first, passes its value back to the sources of its arcs.

    Returns:
        ``x [N]`` and the products ``share_a x_dst(a) [A]``, by arc.
    """
    x = given.copy()
    products = np.empty(len(arcs))
    for i in range(len(order) - 1, -1, -1):
        n = np.uint64(order[i])
        due, mass, level = x[n], masses[n] if masses[n] > 0.0 else 1.0, levels[n]
        for k in range(np.uint64(offsets[n]), np.uint64(offsets[n + np.uint64(1)])):
            m = np.uint64(ends[k])
            product = _share(weights[k] * masses[m], mass, levels[m] - level) * due
            products[np.uint64(arcs[k])] = product
            x[m] += product
    return x, products


@njit(cache=True, nogil=True, error_model="numpy")
def totals(
    potentials: Float64s, finals: Int32s, final_penalties: Float64s, node_offsets: Int32s
) -> Float64s:
    """Return minus the log of the sum over all ways to end, per graph ``[B]``: O(F + B), eq. 14.

    Args:
        finals: nodes, increasing.
        node_offsets: the nodes of each graph, ``[B + 1]``.
    """
    graphs = len(node_offsets) - 1
    result = np.full(graphs, np.inf)
    last = 0
    for graph in range(graphs):
        first = last
        least = np.inf
        while last < len(finals) and finals[last] < node_offsets[graph + 1]:
            least = min(least, potentials[finals[last]] + final_penalties[last])
            last += 1
        if least == np.inf:
            continue
        mass = 0.0
        for f in range(first, last):
            mass += np.exp(least - (potentials[finals[f]] + final_penalties[f]))
        result[graph] = least - np.log(mass)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def total_gradients(
    potentials: Float64s,
    finals: Int32s,
    final_penalties: Float64s,
    node_offsets: Int32s,
    sums: Float64s,
    given: Float64s,
) -> tuple[Float64s, Float64s]:
    """Return the gradients of :func:`totals`, to potentials ``[N]`` and finals ``[F]``: O(N + F).

    Args:
        sums: what :func:`totals` returns.
        given: the gradients to it, ``[B]``.
    """
    nodes = np.zeros(len(potentials))
    ends = np.zeros(len(finals))
    graph = 0
    for f in range(len(finals)):
        while finals[f] >= node_offsets[graph + 1]:
            graph += 1
        way = potentials[finals[f]] + final_penalties[f]
        if way < np.inf:
            ends[f] = given[graph] * np.exp(sums[graph] - way)
        nodes[finals[f]] = ends[f]
    return nodes, ends
