"""How far apart two outputs are along pairs of paths, as hashes of strings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

__all__ = ["consistent_delays"]

PRIME = 2**31 - 1
FACTORS = (1_103_515_245, 1_766_319_049)  # two of them: 62 bits


@njit(cache=True, nogil=True)
def _power(x: int, exponent: int) -> Any:
    """Return x to a power, modulo the prime."""
    result = 1
    while exponent > 0:
        if exponent & 1:
            result = result * x % PRIME
        x = x * x % PRIME
        exponent >>= 1
    return result


@njit(cache=True, nogil=True)
def _image(label: int) -> Any:
    """Return the hash of a label."""
    x = (np.int64(label) + 1) * np.int64(-7046029254386353131)
    x = (x ^ (x >> 29)) * np.int64(-4658895280553007687)
    return (x ^ (x >> 32)) & 0x3FFFFFFF


@njit(cache=True, nogil=True)
def consistent_delays(
    starts: Int32s,
    dst: Int32s,
    offsets: Int32s,
    arcs: Int32s,
    left: Int32s,
    right: Int32s,
    final: Mask,
) -> Mask:
    """Mark the nodes at which two pairs of outputs differ, by one search: O(N + A).

    A label l stands for the function z -> f z + h(l) modulo a prime, a string for the composition
    of its labels' functions, and a pair of strings (x, y) for x's inverse after y: z -> s z + t.
    All paths from a start to a node must give it the same pair (s, t), and those to a final node
    the identity. If they do, both outputs of each path are the same, except that different strings
    of length L are confused with a probability of (L / 2^31)^2.

    Args:
        starts, final: of the pairs, ``[S]`` and ``[N]``.
        dst: of each arc, ``[A]``; offsets, arcs: arcs by source.
        left, right: what the two write on each arc, -1: nothing; ``[A]``.
    """
    num_nodes = len(offsets) - 1
    seen = np.zeros(num_nodes, dtype=np.bool_)
    bad = np.zeros(num_nodes, dtype=np.bool_)
    delay = np.zeros((num_nodes, 4), dtype=np.int64)  # s and t, of each factor
    stack = np.empty(num_nodes, dtype=np.int32)
    inverse = np.empty(2, dtype=np.int64)
    for i in range(2):
        inverse[i] = _power(FACTORS[i], PRIME - 2)
    top = 0
    for n in starts:
        seen[n] = True
        delay[n, 0] = delay[n, 2] = 1
        stack[top] = n
        top += 1
    here = np.empty(4, dtype=np.int64)
    while top > 0:
        top -= 1
        n = stack[top]
        for k in range(offsets[n], offsets[n + 1]):
            arc = arcs[k]
            for i in range(2):
                s, t = delay[n, 2 * i], delay[n, 2 * i + 1]
                if right[arc] >= 0:
                    t = (s * _image(right[arc]) + t) % PRIME
                    s = s * FACTORS[i] % PRIME
                if left[arc] >= 0:
                    t = (t - _image(left[arc])) % PRIME * inverse[i] % PRIME
                    s = s * inverse[i] % PRIME
                here[2 * i], here[2 * i + 1] = s, t
            d = dst[arc]
            if not seen[d]:
                seen[d] = True
                delay[d] = here
                stack[top] = d
                top += 1
            elif (delay[d] != here).any():
                bad[d] = True
    for n in range(num_nodes):
        if final[n] and seen[n]:
            for i in range(2):
                bad[n] |= delay[n, 2 * i] != 1 or delay[n, 2 * i + 1] != 0
    return bad
