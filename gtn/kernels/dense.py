"""Sums over all paths that read a matrix of emission penalties, frame by frame.

A path reads one class a frame, along the arcs of a graph; the product of the two is not built.
Masses exp(-penalty) are kept as pairs (m, k), standing for m * 2^(256 k), with m = 0 or m between
2^-128 and 2^128. So a sum needs neither exponentials nor logarithms, which are taken once for each
emission and arc, and nothing underflows: the accuracy is that of sums of logarithms, or better.

As long as the nodes are not too far apart, their masses after a frame have one k, the first one's,
and m between 2^-384 and 2^256, the largest at least 1: such a row is *level*, and the next one is
made of it by products and sums alone. Other rows are *normal*. The results are the same.

The *row* of a problem is where its results go: row b for a graph that all problems share, row 0
for a batch of graphs, whose arcs are told apart by their numbers. Problems write to places of
their own, so that slices of them can be given to threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
Floats = Any  # emissions, in float32 or float64, and what belongs to each
Layout = Any  # of gtn.kernels.layout: kernels import no other file
Flags = NDArray[np.bool_]
Row = tuple[Float64s, Float64s]

__all__ = ["Masses", "masses", "posteriors", "totals"]

_UP, _DOWN = 2.0**256, 2.0**-256
_MOST, _LEAST = 2.0**128, 2.0**-128
_LOWEST = 2.0**-384
_UNIT = 177.445678223346  # the logarithm of 2^256, in two parts:
_UNIT_HIGH = 177.44567108154297  # 24 bits, so that small multiples are exact,
_UNIT_LOW = 7.1418030304608115e-06  # and the rest
# exp(-x) = 2^-k exp(r), r = k log 2 - x; adding and subtracting _ROUND rounds to whole numbers.
_LOG2_E, _ROUND = 1 / float(np.log(2.0)), 1.5 * 2.0**52
_LOG_2_HIGH, _LOG_2_LOW = 6.93145751953125e-1, 1.42860682030941723212e-6
_C2, _C3, _C4, _C5, _C6, _C7 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040
_C8, _C9, _C10, _C11 = 1 / 40320, 1 / 362880, 1 / 3628800, 1 / 39916800
_C12, _C13 = 1 / 479001600, 1 / 6227020800


class Masses(NamedTuple):
    """The masses exp(-penalty) of the arcs (by entry), starts and finals of a layout."""

    arc_m: Float64s
    arc_k: Float64s
    start_m: Float64s
    start_k: Float64s
    final_m: Float64s
    final_k: Float64s
    plain: bool  # whether all arcs have k = 0 and read a class, so that rows can be level


# -- masses --------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _mass(penalty: float) -> Any:
    """Return exp(-penalty) as (m, k)."""
    if penalty == 0.0:
        return 1.0, 0.0
    if -88.0 < penalty < 88.0:
        return np.exp(-penalty), 0.0
    if penalty == np.inf:
        return 0.0, 0.0
    k = np.rint(-penalty / _UNIT)
    if abs(penalty) > 1e15:  # what is left of such a number after whole units means nothing
        return 1.0, k
    return np.exp((-penalty - k * _UNIT_HIGH) - k * _UNIT_LOW), k


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _exp_minus(values: Float64s) -> None:
    """Replace values between -88 and 88 by exp(-value), inf by 0, to 3e-16 of each.

    As in :mod:`gtn.kernels.masses`: Taylor's series, in a form of which a compiler makes vectors.
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


@njit(cache=True, nogil=True)
def _frame(penalties: Floats, classes: Int32s, m: Float64s, k: Float64s) -> tuple[bool, int]:
    """Fill in the masses of some classes in a frame.

    Returns:
        whether all have k = 0, and the first class whose penalty is NaN or -inf, or -1.
    """
    plain = True
    for c in range(len(classes)):
        m[c], k[c] = np.float64(penalties[classes[c]]), 0.0
        plain &= (m[c] > -88.0) & ((m[c] < 88.0) | (m[c] == np.inf))
    if plain:
        _exp_minus(m[: len(classes)])
        return True, -1
    plain = True
    for c in range(len(classes)):
        if not m[c] > -np.inf:
            return False, classes[c]
        m[c], k[c] = _mass(m[c])
        plain &= k[c] == 0.0
    return plain, -1


@njit(cache=True, nogil=True)
def masses(
    column: Int32s, arc: Int32s, arcs: Float64s, starts: Float64s, finals: Float64s
) -> tuple[Masses, bool]:
    """Return the masses of ``arcs[arc]``, starts and finals, and whether none is NaN or -inf.

    Args:
        column, arc: of the layout.
    """
    arc_m, arc_k = np.empty(len(arc)), np.empty(len(arc))
    start_m, start_k = np.empty(len(starts)), np.empty(len(starts))
    final_m, final_k = np.empty(len(finals)), np.empty(len(finals))
    good, plain = True, True
    for e in range(len(arc)):
        good &= arcs[arc[e]] > -np.inf
        arc_m[e], arc_k[e] = _mass(arcs[arc[e]])
        plain &= arc_k[e] == 0.0 and column[e] >= 0
    for s in range(len(starts)):
        good &= starts[s] > -np.inf
        start_m[s], start_k[s] = _mass(starts[s])
    for f in range(len(finals)):
        good &= finals[f] > -np.inf
        final_m[f], final_k[f] = _mass(finals[f])
    return Masses(arc_m, arc_k, start_m, start_k, final_m, final_k, plain), good


@njit(cache=True, nogil=True)
def _down(steps: float) -> Any:
    """Return 2^(-256 steps) for steps >= 1; 0 where it is too small to be added to anything."""
    if steps == 1.0:
        return _DOWN
    if steps == 2.0:
        return _DOWN * _DOWN
    return _DOWN * _DOWN * _DOWN if steps == 3.0 else 0.0


@njit(cache=True, nogil=True)
def _plus(m: float, k: float, other_m: float, other_k: float) -> Any:
    """Add two masses, products of up to three each, of which the other is not zero."""
    if other_k == k:
        return m + other_m, k
    if m == 0.0:
        return other_m, other_k
    if other_k < k:
        return m + other_m * _down(k - other_k), k
    return m * _down(other_k - k) + other_m, other_k


@njit(cache=True, nogil=True)
def _normal(m: float, k: float) -> Any:
    """Return a mass with m = 0 or m between 2^-128 and 2^128."""
    if m == 0.0:
        return 0.0, 0.0
    while m >= _MOST:
        m, k = m * _DOWN, k + 1.0
    while m < _LEAST:
        m, k = m * _UP, k - 1.0
    return m, k


@njit(cache=True, nogil=True)
def _number(m: float, k: float) -> Any:
    """Return a mass that is about 1 or less as a number; m may be a product of up to four."""
    if k == 0.0:
        return m
    if k < -4.0:
        return 0.0
    step, times = (_UP, k) if k > 0.0 else (_DOWN, -k)
    for _ in range(int(min(times, 4.0))):
        m *= step
    return m


# -- level rows ----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _settled(m: Float64s, k: Float64s, level: float) -> bool:
    """Make numbers m * 2^(256 level) a level row, or where they are too far apart a normal one.

    Returns whether it is level.
    """
    k[0] = level
    apart, high = False, False
    for p in range(len(m)):
        apart |= ((m[p] > 0.0) & (m[p] < _LOWEST)) | (m[p] >= _UP)
        high |= m[p] >= 1.0
    if high and not apart:
        return True
    factor, step = (_DOWN, 1.0) if high else (_UP, -1.0)
    for p in range(len(m)):
        if m[p] > 0.0 and not _LOWEST <= m[p] * factor < _UP:
            _normalize(m, k)
            return False
    m *= factor
    k[0] += step
    return True


@njit(cache=True, nogil=True)
def _normalize(m: Float64s, k: Float64s) -> None:
    """Make a row normal whose masses all have the first one's k."""
    level = k[0]
    for p in range(len(m)):
        m[p], k[p] = _normal(m[p], level)


@njit(cache=True, nogil=True)
def _common(m: Float64s, k: Float64s) -> float:
    """Return the k of all masses of a row that are not zero; NaN if they differ."""
    level = np.nan
    for p in range(len(m)):
        if m[p] != 0.0:
            if level == level and k[p] != level:
                return np.nan
            level = k[p]
    return level


@njit(cache=True, nogil=True)
def _forward_level(
    layout: Layout, first: Any, given: Masses, before: Float64s, frame: Float64s, here: Float64s
) -> None:
    """Carry a level row of the ways to each node over a frame: O(N + A)."""
    for p in range(np.uint64(len(here))):
        q, m = first + p, 0.0
        same = layout.same[q]
        for e in range(np.uint64(layout.entries[q]), np.uint64(layout.epsilons[q])):
            way = before[np.uint64(layout.source[e])] * given.arc_m[e]
            if same < 0:
                way *= frame[np.uint64(layout.column[e])]
            m += way
        here[p] = m if same < 0 else m * frame[np.uint64(same)]


@njit(cache=True, nogil=True)
def _backward_level(
    layout: Layout,
    first: Any,
    given: Masses,
    scale: float,
    a_before: Float64s,
    frame: Float64s,
    b_before: Float64s,
    b: Float64s,
    arcs_wanted: bool,
    of_columns: Float64s,
    of_arcs: Float64s,
) -> None:
    """As :func:`_backward`, of level rows, whose products are to be scaled: O(N + A)."""
    b_before[:] = 0.0
    for p in range(np.uint64(len(b))):
        q, m, reached = first + p, b[p], 0.0
        same = layout.same[q]
        if same >= 0:
            m *= frame[np.uint64(same)]
        for e in range(np.uint64(layout.entries[q]), np.uint64(layout.epsilons[q])):
            i = np.uint64(layout.source[e])
            on = m * given.arc_m[e]
            if same < 0:
                on *= frame[np.uint64(layout.column[e])]
            b_before[i] += on
            posterior = a_before[i] * on * scale
            reached += posterior
            if same < 0:
                of_columns[np.uint64(layout.column[e])] += posterior
            if arcs_wanted:
                of_arcs[layout.arc[e]] += posterior
        if same >= 0:
            of_columns[np.uint64(same)] += reached


# -- bands ---------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _bands(layout: Layout, g: int, given: Masses) -> tuple[Float64s, Int32s]:
    """Return masses of the arcs ``[3, N]`` from each node itself, the one before and two before.

    So are chains with loops and skips, as of connectionist temporal classification: then a level
    row is made in vectors. And the column that each node reads, ``[N]``. Both are empty unless
    all arcs are of that kind, one of each, and those into a node read the same class.
    """
    first, last = layout.node_offsets[g], layout.node_offsets[g + 1]
    none = np.empty((3, 0)), np.empty(0, dtype=np.int32)
    if not given.plain or last - first < 2:
        return none
    bands, column = np.zeros((3, last - first)), np.zeros(last - first, dtype=np.int32)
    some = False
    for p in range(last - first):
        q = first + p
        column[p] = max(layout.same[q], np.int32(0))
        for e in range(layout.entries[q], layout.epsilons[q]):
            back = p - layout.source[e]
            if back < 0 or back >= 3 or layout.same[q] < 0 or bands[back, p] != 0.0:
                return none
            bands[back, p] = given.arc_m[e]
            some = True
    return (bands, column) if some else none


@njit(cache=True, nogil=True)
def _banded(bands: Float64s, before: Float64s, here: Float64s) -> None:
    """Write the sums over the arcs into each node: O(N)."""
    own, one, two = bands[0], bands[1], bands[2]
    here[0] = before[0] * own[0]
    here[1] = before[1] * own[1] + before[0] * one[1]
    for p in range(np.uint64(2), np.uint64(len(here))):
        here[p] = (
            before[p] * own[p]
            + before[p - np.uint64(1)] * one[p]
            + before[p - np.uint64(2)] * two[p]
        )


@njit(cache=True, nogil=True)
def _forward_banded(
    bands: Float64s, column: Int32s, before: Float64s, frame: Float64s, here: Float64s
) -> None:
    """As :func:`_forward_level`, of a graph of which all arcs are in bands."""
    _banded(bands, before, here)
    for p in range(np.uint64(len(here))):
        here[p] *= frame[np.uint64(column[p])]


@njit(cache=True, nogil=True)
def _backward_banded(
    bands: Float64s,
    column: Int32s,
    scale: float,
    a_before: Float64s,
    frame: Float64s,
    b_before: Float64s,
    b: Float64s,
    of_columns: Float64s,
    room: Float64s,
) -> None:
    """As :func:`_backward_level`, of a graph of which all arcs are in bands; arcs not wanted.

    Args:
        room: ``[N]``.
    """
    own, one, two = bands[0], bands[1], bands[2]
    last = np.uint64(len(b) - 1)
    for p in range(np.uint64(len(b))):
        b[p] *= frame[np.uint64(column[p])]
    for p in range(last - np.uint64(1)):
        b_before[p] = (
            b[p] * own[p]
            + b[p + np.uint64(1)] * one[p + np.uint64(1)]
            + b[p + np.uint64(2)] * two[p + np.uint64(2)]
        )
    b_before[last - np.uint64(1)] = b[last - np.uint64(1)] * own[last - np.uint64(1)]
    b_before[last - np.uint64(1)] += b[last] * one[last]
    b_before[last] = b[last] * own[last]
    _banded(bands, a_before, room)
    for p in range(np.uint64(len(b))):
        room[p] = room[p] * b[p] * scale
    for p in range(np.uint64(len(b))):
        of_columns[np.uint64(column[p])] += room[p]


# -- recursions ----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _forward(
    layout: Layout,
    g: int,
    emissions: Floats,
    given: Masses,
    bands: Float64s,
    reads: Int32s,
    em: Float64s,
    ek: Float64s,
    e_plain: Flags,
    am: Float64s,
    ak: Float64s,
    a_level: Flags,
) -> Any:
    """Fill in the masses of all ways to each node after each frame: O(T A).

    Args:
        emissions: ``[T, C]`` of one problem.
        bands, reads: as :func:`_bands` returns them.
        em, ek, e_plain: room for the masses of emissions, and whether all have k = 0 (as arcs
            have, too), frame t in row t modulo their number of rows.
        am, ak, a_level: the same for nodes after t frames, t = 0 to T, and whether a row is level;
            the last one is not.

    Returns:
        The first emission ``t * C + c`` that is NaN or -inf, or -1.
    """
    first = np.uint64(layout.node_offsets[g])
    nodes = np.uint64(layout.node_offsets[g + 1]) - first
    classes = layout.classes[layout.class_offsets[g] : layout.class_offsets[g + 1]]
    am[0, :nodes] = 0.0
    ak[0, :nodes] = 0.0
    for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
        place = layout.start_places[s]
        am[0, place], ak[0, place] = given.start_m[s], given.start_k[s]
    for t in range(len(emissions) + 1):
        here, before, frame = t % len(am), (t - 1) % len(am), (t - 1) % len(em)
        here_m, here_k = am[here, :nodes], ak[here, :nodes]
        before_m, before_k = am[before, :nodes], ak[before, :nodes]
        frame_m, frame_k = em[frame], ek[frame]
        if t > 0:
            plain, bad = _frame(emissions[t - 1], classes, frame_m, frame_k)
            if bad >= 0:
                return (t - 1) * emissions.shape[1] + bad
            e_plain[frame] = plain and given.plain
            if a_level[before]:
                if e_plain[frame]:
                    if len(reads) > 0:
                        _forward_banded(bands, reads, before_m, frame_m, here_m)
                    else:
                        _forward_level(layout, first, given, before_m, frame_m, here_m)
                    a_level[here] = _settled(here_m, here_k, before_k[0])
                    continue
                _normalize(before_m, before_k)
                a_level[before] = False
        for p in range(nodes):
            m, k = here_m[p], here_k[p]
            if t > 0:
                m, k, same = 0.0, 0.0, layout.same[first + p]
                for e in range(
                    np.uint64(layout.entries[first + p]), np.uint64(layout.epsilons[first + p])
                ):
                    i = np.uint64(layout.source[e])
                    way, way_k = before_m[i] * given.arc_m[e], before_k[i] + given.arc_k[e]
                    if same < 0:
                        column = np.uint64(layout.column[e])
                        way, way_k = way * frame_m[column], way_k + frame_k[column]
                    if way != 0.0:
                        m, k = _plus(m, k, way, way_k)
                if same >= 0:
                    column = np.uint64(same)
                    m, k = m * frame_m[column], k + frame_k[column]
            for e in range(
                np.uint64(layout.epsilons[first + p]),
                np.uint64(layout.entries[first + p + np.uint64(1)]),
            ):
                i = np.uint64(layout.source[e])
                way = here_m[i] * given.arc_m[e]
                if way != 0.0:
                    m, k = _plus(m, k, way, here_k[i] + given.arc_k[e])
            here_m[p], here_k[p] = _normal(m, k)
        k = _common(here_m, here_k) if given.plain else np.nan
        a_level[here] = k == k and _settled(here_m, here_k, k)
    last = len(emissions) % len(am)
    if a_level[last]:
        _normalize(am[last, :nodes], ak[last, :nodes])
        a_level[last] = False
    return -1


@njit(cache=True, nogil=True)
def _end(layout: Layout, g: int, given: Masses, am: Float64s, ak: Float64s, frames: int) -> Any:
    """Return the mass of all paths."""
    row = frames % len(am)
    m, k = 0.0, 0.0
    for f in range(layout.final_offsets[g], layout.final_offsets[g + 1]):
        p = layout.final_places[f]
        way = am[row, p] * given.final_m[f]
        if way != 0.0:
            m, k = _plus(m, k, way, ak[row, p] + given.final_k[f])
    return _normal(m, k)


@njit(cache=True, nogil=True)
def _penalty(m: float, k: float) -> float:
    """Return minus the logarithm of a mass."""
    return np.inf if m == 0.0 else 0.0 - np.log(m) - k * _UNIT_LOW - k * _UNIT_HIGH


@njit(cache=True, nogil=True)
def _widest(layout: Layout, lengths: Int64s, first: int, last: int) -> tuple[int, int, int]:
    """Return the most frames, nodes and classes of some problems."""
    frames, nodes, classes = 0, 0, 0
    for b in range(first, last):
        g = b if len(layout.node_offsets) > 2 else 0
        frames = max(frames, lengths[b])
        nodes = max(nodes, layout.node_offsets[g + 1] - layout.node_offsets[g])
        classes = max(classes, layout.class_offsets[g + 1] - layout.class_offsets[g])
    return frames, nodes, classes


@njit(cache=True, nogil=True)
def totals(
    first: int,
    last: int,
    layout: Layout,
    emissions: Floats,
    lengths: Int64s,
    given: Masses,
    out: Float64s,
) -> tuple[int, int]:
    """Write the forward penalties of the problems ``first`` to ``last - 1``: O(T A) each.

    Args:
        emissions: ``[B, T, C]``.
        out: ``[B]``.

    Returns:
        The first problem with a bad emission and which it is, ``t * C + c``; or -1, -1.
    """
    _, nodes, classes = _widest(layout, lengths, first, last)
    frame = np.empty((1, classes)), np.empty((1, classes)), np.empty(1, dtype=np.bool_)
    am, ak, a_level = np.empty((2, nodes)), np.empty((2, nodes)), np.empty(2, dtype=np.bool_)
    for b in range(first, last):
        g = b if len(layout.node_offsets) > 2 else 0
        read = emissions[b, : lengths[b]]
        bands, reads = _bands(layout, g, given)
        bad = _forward(layout, g, read, given, bands, reads, *frame, am, ak, a_level)
        if bad >= 0:
            return b, bad
        m, k = _end(layout, g, given, am, ak, lengths[b])
        out[b] = _penalty(m, k)
    return -1, -1


@njit(cache=True, nogil=True)
def _backward_silent(
    layout: Layout, g: int, given: Masses, a: Row, b: Row, arcs_wanted: bool, of_arcs: Float64s
) -> None:
    """Carry masses of the ways to the end back over the epsilon arcs after a frame: O(N + A).

    Args:
        a, b: masses of the ways to each node after that frame, and from it to the end.
    """
    (am, ak), (bm, bk) = a, b
    first = np.uint64(layout.node_offsets[g])
    one = np.uint64(1)
    for back in range(np.uint64(layout.node_offsets[g + 1]) - first):
        q = np.uint64(layout.node_offsets[g + 1]) - one - back
        p = q - first
        if am[p] == 0.0:
            bm[p] = 0.0
            continue
        bm[p], bk[p] = _normal(bm[p], bk[p])
        for e in range(np.uint64(layout.epsilons[q]), np.uint64(layout.entries[q + one])):
            i = np.uint64(layout.source[e])
            on, on_k = bm[p] * given.arc_m[e], bk[p] + given.arc_k[e]
            if on != 0.0:
                bm[i], bk[i] = _plus(bm[i], bk[i], on, on_k)
                if arcs_wanted:
                    of_arcs[layout.arc[e]] += _number(am[i] * on, ak[i] + on_k)


@njit(cache=True, nogil=True)
def _backward(
    layout: Layout,
    g: int,
    given: Masses,
    a_before: Row,
    a: Row,
    frame: Row,
    b_before: Row,
    b: Row,
    arcs_wanted: bool,
    of_columns: Float64s,
    of_arcs: Float64s,
) -> None:
    """Carry masses of the ways to the end back over one frame: O(N + A).

    Args:
        a_before, a: masses of the ways to each node before and after the frame.
        frame: masses of the frame's emissions.
        b_before, b: masses of the ways from each node to the end, before and after.
        of_columns, of_arcs: posteriors, to be added to.
    """
    (bm, bk), (em, ek) = b, frame
    (am_before, ak_before), (bm_before, bk_before) = a_before, b_before
    _backward_silent(layout, g, given, a, b, arcs_wanted, of_arcs)
    first = np.uint64(layout.node_offsets[g])
    nodes = np.uint64(layout.node_offsets[g + 1]) - first
    bm_before[:nodes] = 0.0
    for p in range(nodes):
        m, k, same = bm[p], bk[p], layout.same[first + p]
        if m == 0.0:
            continue
        q, reached = first + p, 0.0
        if same >= 0:
            c = np.uint64(same)
            m, k = m * em[c], k + ek[c]
        for e in range(np.uint64(layout.entries[q]), np.uint64(layout.epsilons[q])):
            i = np.uint64(layout.source[e])
            on, on_k = m * given.arc_m[e], k + given.arc_k[e]
            if same < 0:
                c = np.uint64(layout.column[e])
                on, on_k = on * em[c], on_k + ek[c]
            if on != 0.0:
                bm_before[i], bk_before[i] = _plus(bm_before[i], bk_before[i], on, on_k)
                posterior = _number(am_before[i] * on, ak_before[i] + on_k)
                reached += posterior
                if same < 0:
                    of_columns[np.uint64(layout.column[e])] += posterior
                if arcs_wanted:
                    of_arcs[layout.arc[e]] += posterior
        if same >= 0:
            of_columns[np.uint64(same)] += reached


@njit(cache=True, nogil=True)
def posteriors(
    first: int,
    last: int,
    layout: Layout,
    emissions: Floats,
    lengths: Int64s,
    given: Masses,
    arcs_wanted: bool,
    out: Float64s,
    of_emissions: Floats,
    of_arcs: Float64s,
    of_starts: Float64s,
    of_finals: Float64s,
) -> tuple[int, int]:
    """Write forward penalties and posteriors of some problems: O(T A) each, memory O(T (N + C)).

    Args:
        out: ``[B]``; the arguments before it are those of :func:`totals`.
        of_emissions: ``[B, T, C]``; this and the following are zeros to be added to.
        of_arcs, of_starts, of_finals: ``[rows, A]`` (left alone unless wanted), ``[rows, S]``,
            ``[rows, F]``.

    Returns:
        The first bad emission, as :func:`totals`.
    """
    frames, nodes, classes = _widest(layout, lengths, first, last)
    em, ek = np.empty((max(frames, 1), classes)), np.empty((max(frames, 1), classes))
    am, ak = np.empty((frames + 1, nodes)), np.empty((frames + 1, nodes))
    bm, bk = np.zeros((2, nodes)), np.zeros((2, nodes))
    e_plain, a_level = np.empty(frames, dtype=np.bool_), np.empty(frames + 1, dtype=np.bool_)
    of_columns, all_room = np.empty(classes), np.empty(nodes)
    for b in range(first, last):
        g, r = (b, 0) if len(layout.node_offsets) > 2 else (0, b)
        n, count = np.uint64(layout.node_offsets[g]), layout.node_offsets[g + 1]
        count -= layout.node_offsets[g]
        read = emissions[b, : lengths[b]]
        bands, reads = _bands(layout, g, given)
        bad = _forward(layout, g, read, given, bands, reads, em, ek, e_plain, am, ak, a_level)
        if bad >= 0:
            return b, bad
        m, k = _end(layout, g, given, am, ak, lengths[b])
        out[b] = _penalty(m, k)
        if m == 0.0:
            continue
        bm[:] = 0.0
        t = lengths[b]
        for f in range(layout.final_offsets[g], layout.final_offsets[g + 1]):
            p = layout.final_places[f]
            bm[t % 2, p], bk[t % 2, p] = _normal(given.final_m[f] / m, given.final_k[f] - k)
            of_finals[r, f] = _number(am[t, p] * bm[t % 2, p], ak[t, p] + bk[t % 2, p])
        classes_read = layout.classes[layout.class_offsets[g] : layout.class_offsets[g + 1]]
        b_level, room = False, all_room[:count]
        for t in range(lengths[b], 0, -1):
            of_columns[:] = 0.0
            a_before = am[t - 1, :count], ak[t - 1, :count]
            b_before = bm[(t - 1) % 2, :count], bk[(t - 1) % 2, :count]
            here, frame = (bm[t % 2, :count], bk[t % 2, :count]), (em[t - 1], ek[t - 1])
            k, apart = here[1][0], a_before[1][0] + here[1][0]
            level = b_level and e_plain[t - 1] and a_level[t - 1] and abs(apart) <= 2.0
            if level and len(reads) > 0 and not arcs_wanted:
                _backward_banded(
                    bands, reads, _number(1.0, apart), a_before[0], frame[0], b_before[0],
                    here[0], of_columns, room,
                )  # fmt: skip
            elif level:
                _backward_level(
                    layout, n, given, _number(1.0, apart), a_before[0], frame[0],
                    b_before[0], here[0], arcs_wanted, of_columns, of_arcs[r],
                )  # fmt: skip
            else:
                if a_level[t - 1]:
                    _normalize(*a_before)
                if b_level:
                    _normalize(*here)
                _backward(
                    layout, g, given, a_before, (am[t], ak[t]), frame, b_before, here,
                    arcs_wanted, of_columns, of_arcs[r],
                )  # fmt: skip
                k = _common(*b_before) if given.plain else np.nan
            for p in range(count):
                b_before[0][p] = b_before[0][p] if a_before[0][p] > 0.0 else 0.0
            b_level = k == k and _settled(*b_before, k)
            for c in range(len(classes_read)):
                of_emissions[b, t - 1, classes_read[c]] = of_columns[c]
        if b_level:
            _normalize(bm[0, :count], bk[0, :count])
        _backward_silent(layout, g, given, (am[0], ak[0]), (bm[0], bk[0]), arcs_wanted, of_arcs[r])
        for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
            p = layout.start_places[s]
            of_starts[r, s] = _number(given.start_m[s] * bm[0, p], given.start_k[s] + bk[0, p])
    return -1, -1
