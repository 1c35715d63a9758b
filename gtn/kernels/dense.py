"""Sums over all paths that read a matrix of emission penalties, frame by frame.

A path reads one class per frame, along the arcs of a graph; the product of the two is not built.
Masses exp(-penalty) are kept as pairs (m, k), which stand for m * 2^(256 k), with m = 0 or m
between 2^-128 and 2^128. So sums need no exponentials or logarithms (these are taken once for each
emission and arc), and nothing underflows: the accuracy is that of sums of logarithms, or better.

As long as the nodes are not too far apart, their masses after a frame share one k, that of the
first, with m between 2^-384 and 2^256, the largest at least 1: such a row is *level*, and the next
one follows from it by products and sums alone. Other rows are *normal*. The results are the same.

The *row* of a problem is where its results go: row b for a graph that all problems share, row 0
for a batch of graphs, whose arcs differ by their numbers. Problems write to separate places, so
slices of them can be given to threads.

In order below: masses; frames of level rows, for any graph and for graphs whose arcs lie in bands;
the recursions over all frames, and with them the two kernels. Arrays are passed one by one: tuples
of them, whose references are counted once more for each problem, make a batch of small problems a
tenth slower.
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

__all__ = ["BAD_PENALTY", "posteriors", "totals"]

BAD_PENALTY = -2

_UP, _DOWN = 2.0**256, 2.0**-256
_MOST, _LEAST = 2.0**128, 2.0**-128
_LOWEST = 2.0**-384
_BLOCK = 32  # frames of which emissions are made masses at a time
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
    if abs(penalty) > 1e15:  # no significant digits would remain after whole units
        return 1.0, k
    return np.exp((-penalty - k * _UNIT_HIGH) - k * _UNIT_LOW), k


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _exp_minus(values: Float64s) -> None:
    """Replace values between -88 and 88 by exp(-value), inf by 0, to 3e-16 of each.

    As in :mod:`gtn.kernels.masses`: Taylor's series, in a form that compilers vectorize.
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
def _frames(
    emissions: Floats,
    first: int,
    last: int,
    classes: Int32s,
    m: Float64s,
    k: Float64s,
    plain: Flags,
) -> Any:
    """Fill in the masses of some classes in the frames ``first`` to ``last - 1``.

    Args:
        emissions: ``[T, C]``.
        m, k, plain: the masses ``[R, len(classes)]``, contiguous, and whether all of a frame have
            k = 0; frame t is in row t modulo R.

    Returns:
        The first emission ``t * C + c`` that is NaN or -inf, or -1.
    """
    count, flat = len(classes), m.reshape(m.size)
    row = first % len(m)
    begin = row  # the first row whose exponentials are still to be taken
    for t in range(first, last):
        fine = True
        for c in range(np.uint64(count)):
            x = np.float64(emissions[t, np.uint64(classes[c])])
            m[row, c], k[row, c] = x, 0.0
            fine &= (x > -88.0) & ((x < 88.0) | (x == np.inf))
        if not fine:
            _exp_minus(flat[begin * count : row * count])
            begin = row + 1
            fine = True
            for c in range(count):
                if not m[row, c] > -np.inf:
                    return t * emissions.shape[1] + classes[c]
                m[row, c], k[row, c] = _mass(m[row, c])
                fine &= k[row, c] == 0.0
        plain[row] = fine
        row += 1
        if row == len(m):
            _exp_minus(flat[begin * count : row * count])
            row, begin = 0, 0
    _exp_minus(flat[begin * count : row * count])
    return -1


@njit(cache=True, nogil=True)
def _room(layout: Layout, starts: Float64s, finals: Float64s) -> Masses:
    """Return room for masses."""
    arcs = len(layout.arc)
    return Masses(
        np.empty(arcs), np.empty(arcs), np.empty(len(starts)), np.empty(len(starts)),
        np.empty(len(finals)), np.empty(len(finals)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _masses(
    layout: Layout, g: int, arcs: Float64s, starts: Float64s, finals: Float64s, given: Masses
) -> tuple[bool, bool]:
    """Fill in the masses of one graph's arcs and ends, from the penalties of all.

    Returns:
        Whether no penalty is NaN or -inf, and whether all arcs have k = 0 and read a class, so
        that rows can be level.
    """
    arc, column = layout.arc, layout.column
    arc_m, arc_k = given.arc_m, given.arc_k
    good, plain = True, True
    first, last = layout.node_offsets[g], layout.node_offsets[g + 1]
    for e in range(np.uint64(layout.entries[first]), np.uint64(layout.entries[last])):
        penalty = arcs[np.uint64(arc[e])]
        good &= penalty > -np.inf
        arc_m[e], arc_k[e] = _mass(penalty)
        plain &= arc_k[e] == 0.0 and column[e] >= 0
    for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
        good &= starts[s] > -np.inf
        given.start_m[s], given.start_k[s] = _mass(starts[s])
    for f in range(layout.final_offsets[g], layout.final_offsets[g + 1]):
        good &= finals[f] > -np.inf
        given.final_m[f], given.final_k[f] = _mass(finals[f])
    return good, plain


@njit(cache=True, nogil=True)
def _down(steps: float) -> Any:
    """Return 2^(-256 steps) for steps >= 1; 0 if it is too small to matter in any sum."""
    if steps == 1.0:
        return _DOWN
    if steps == 2.0:
        return _DOWN * _DOWN
    return _DOWN * _DOWN * _DOWN if steps == 3.0 else 0.0


@njit(cache=True, nogil=True)
def _plus(m: float, k: float, other_m: float, other_k: float) -> Any:
    """Add two masses, each a product of up to three; the other one is not zero."""
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
# One function loops over frames of level rows: a call, or a slice, for each of them would count
# references to all arrays concerned, which costs more than a frame of a small graph.


@njit(cache=True, nogil=True)
def _settled(m: Float64s, k: Float64s, row: int, nodes: int) -> bool:
    """Make numbers m * 2^(256 k[0]) a level row or, if they are too far apart, a normal one.

    Returns whether it is level.
    """
    apart, high = False, False
    for p in range(nodes):
        x = m[row, p]
        apart |= ((x > 0.0) & (x < _LOWEST)) | (x >= _UP)
        high |= x >= 1.0
    if high and not apart:
        return True
    factor, step = (_DOWN, 1.0) if high else (_UP, -1.0)
    for p in range(nodes):
        if m[row, p] > 0.0 and not _LOWEST <= m[row, p] * factor < _UP:
            _normalize(m, k, row, nodes)
            return False
    for p in range(nodes):
        m[row, p] *= factor
    k[row, 0] += step
    return True


@njit(cache=True, nogil=True)
def _normalize(m: Float64s, k: Float64s, row: int, nodes: int) -> None:
    """Make a row whose masses all have the first one's k normal."""
    level = k[row, 0]
    for p in range(nodes):
        m[row, p], k[row, p] = _normal(m[row, p], level)


@njit(cache=True, nogil=True)
def _leveled(m: Float64s, k: Float64s, row: int, nodes: int) -> bool:
    """Make a normal row level if its masses are near each other; return whether it is level."""
    level = np.nan
    for p in range(nodes):
        if m[row, p] != 0.0:
            if level == level and k[row, p] != level:
                return False
            level = k[row, p]
    if level != level:
        return False
    k[row, 0] = level
    return _settled(m, k, row, nodes)


@njit(cache=True, nogil=True)
def _forward_level(
    t: int,
    last: int,
    layout: Layout,
    g: int,
    given: Masses,
    em: Float64s,
    e_plain: Flags,
    am: Float64s,
    ak: Float64s,
    a_level: Flags,
) -> int:
    """Carry the ways to each node over the frames from t on, as long as rows are level.

    O(N + A) a frame. Other arguments as of :func:`_forward`; returns the first t not done, at
    most ``last + 1``.
    """
    first = np.uint64(layout.node_offsets[g])
    nodes: Any = np.uint64(layout.node_offsets[g + 1]) - first
    entries, epsilons, same = layout.entries, layout.epsilons, layout.same
    source, column, arc_m = layout.source, layout.column, given.arc_m
    while t <= last:
        here, before, frame = t % len(am), (t - 1) % len(am), (t - 1) % len(em)
        if not (a_level[before] and e_plain[frame]):
            break
        apart, high = False, False
        for p in range(nodes):
            q, m = first + np.uint64(p), 0.0
            c = same[q]
            for e in range(np.uint64(entries[q]), np.uint64(epsilons[q])):
                way = am[before, np.uint64(source[e])] * arc_m[e]
                if c < 0:
                    way *= em[frame, np.uint64(column[e])]
                m += way
            if c >= 0:
                m *= em[frame, np.uint64(c)]
            am[here, p] = m
            apart |= ((m > 0.0) & (m < _LOWEST)) | (m >= _UP)
            high |= m >= 1.0
        ak[here, 0] = ak[before, 0]
        a_level[here] = (high and not apart) or _settled(am, ak, here, nodes)
        t += 1
    return t


@njit(cache=True, nogil=True)
def _backward_level(
    t: int,
    layout: Layout,
    g: int,
    given: Masses,
    em: Float64s,
    e_plain: Flags,
    am: Float64s,
    ak: Float64s,
    a_level: Flags,
    bm: Float64s,
    bk: Float64s,
    arcs_wanted: bool,
    of_columns: Float64s,
    of_emissions: Floats,
    of_arcs: Float64s,
) -> tuple[int, bool]:
    """Carry the ways to the end back over the frames before t, as long as rows are level.

    O(N + A) a frame. The rows of b after t frames are in row t modulo 2, level at first.

    Args:
        of_columns: room.
        of_emissions, of_arcs: ``[T, C]`` and ``[A]``, as of :func:`posteriors`.

    Returns:
        The frames that are left, and whether the row of b after them is level.
    """
    first = np.uint64(layout.node_offsets[g])
    nodes: Any = np.uint64(layout.node_offsets[g + 1]) - first
    classes = layout.classes[layout.class_offsets[g] : layout.class_offsets[g + 1]]
    entries, epsilons, same = layout.entries, layout.epsilons, layout.same
    source, column, arc, arc_m = layout.source, layout.column, layout.arc, given.arc_m
    level = True
    while level and t > 0:
        here, before = t % 2, (t - 1) % 2
        frame = np.uint64(t - 1)
        apart = ak[frame, 0] + bk[here, 0]
        if not (e_plain[frame] and a_level[frame] and abs(apart) <= 2.0):
            return t, True
        scale = _number(1.0, apart)
        for c in range(len(classes)):
            of_columns[c] = 0.0
        for p in range(nodes):
            bm[before, p] = 0.0
        for p in range(nodes):
            q, m, reached = first + np.uint64(p), bm[here, p], 0.0
            c = same[q]
            if c >= 0:
                m *= em[frame, np.uint64(c)]
            for e in range(np.uint64(entries[q]), np.uint64(epsilons[q])):
                i = np.uint64(source[e])
                on = m * arc_m[e]
                if c < 0:
                    on *= em[frame, np.uint64(column[e])]
                bm[before, i] += on
                posterior = am[frame, i] * on * scale
                reached += posterior
                if c < 0:
                    of_columns[np.uint64(column[e])] += posterior
                if arcs_wanted:
                    of_arcs[np.uint64(arc[e])] += posterior
            if c >= 0:
                of_columns[np.uint64(c)] += reached
        for p in range(nodes):
            bm[before, p] = bm[before, p] if am[frame, p] > 0.0 else 0.0
        for c in range(len(classes)):
            of_emissions[frame, classes[c]] = of_columns[c]
        bk[before, 0] = bk[here, 0]
        level = _settled(bm, bk, before, nodes)
        t -= 1
    return t, level


# -- bands ---------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _bands(layout: Layout, g: int, given: Masses, plain: bool) -> tuple[Float64s, Int32s]:
    """Return masses of the arcs ``[3, N]`` from each node itself, the one before and two before.

    Chains with loops and skips, as in connectionist temporal classification, have only such arcs;
    a level row is then computed in vectors. Also return the column that each node reads, ``[N]``.
    Both are empty unless all arcs are of these kinds, one of each, and those into a node read the
    same class.
    """
    first, last = layout.node_offsets[g], layout.node_offsets[g + 1]
    none = np.empty((3, 0)), np.empty(0, dtype=np.int32)
    if not plain or last - first < 2:
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


@njit(cache=True, nogil=True, fastmath={"contract"})
def _forward_banded(
    t: int,
    last: int,
    bands: Float64s,
    column: Int32s,
    em: Float64s,
    e_plain: Flags,
    am: Float64s,
    ak: Float64s,
    a_level: Flags,
) -> int:
    """Do what :func:`_forward_level` does for a graph with all arcs in bands: O(N) per frame."""
    nodes: Any = np.uint64(len(column))
    one, two = np.uint64(1), np.uint64(2)
    while t <= last:
        here, before, frame = t % len(am), (t - 1) % len(am), (t - 1) % len(em)
        if not (a_level[before] and e_plain[frame]):
            break
        m = am[before, 0] * bands[0, 0] * em[frame, np.uint64(column[0])]
        n = am[before, 1] * bands[0, 1] + am[before, 0] * bands[1, 1]
        n *= em[frame, np.uint64(column[1])]
        am[here, 0], am[here, 1] = m, n
        apart = ((m > 0.0) & (m < _LOWEST)) | (m >= _UP)
        apart |= ((n > 0.0) & (n < _LOWEST)) | (n >= _UP)
        high = (m >= 1.0) | (n >= 1.0)
        for after in range(two, nodes):
            p = np.uint64(after)
            way = (
                am[before, p] * bands[0, p]
                + am[before, p - one] * bands[1, p]
                + am[before, p - two] * bands[2, p]
            ) * em[frame, np.uint64(column[p])]
            am[here, p] = way
            apart |= ((way > 0.0) & (way < _LOWEST)) | (way >= _UP)
            high |= way >= 1.0
        ak[here, 0] = ak[before, 0]
        a_level[here] = (high and not apart) or _settled(am, ak, here, nodes)
        t += 1
    return t


@njit(cache=True, nogil=True, fastmath={"contract"})
def _backward_banded(
    t: int,
    layout: Layout,
    g: int,
    bands: Float64s,
    column: Int32s,
    em: Float64s,
    e_plain: Flags,
    am: Float64s,
    ak: Float64s,
    a_level: Flags,
    bm: Float64s,
    bk: Float64s,
    of_columns: Float64s,
    of_emissions: Floats,
) -> tuple[int, bool]:
    """Do what :func:`_backward_level` does for a graph with all arcs in bands, but without arcs.

    The class that a node reads has the node's posterior, as all arcs into it read this class.
    """
    classes = layout.classes[layout.class_offsets[g] : layout.class_offsets[g + 1]]
    count = np.uint64(len(classes))
    nodes: Any = np.uint64(len(column))
    one, two, end = np.uint64(1), np.uint64(2), np.uint64(len(column) - 1)
    level = True
    while level and t > 0:
        here, before = t % 2, (t - 1) % 2
        frame = np.uint64(t - 1)
        after = ak[t, 0] + bk[here, 0]
        if not (e_plain[frame] and a_level[frame] and a_level[t] and abs(after) <= 2.0):
            return t, True
        scale = _number(1.0, after)
        for c in range(count):
            of_columns[c] = 0.0
        for p in range(nodes):
            bm[before, p] = am[np.uint64(t), p] * bm[here, p] * scale
        for p in range(nodes):
            of_columns[np.uint64(column[p])] += bm[before, p]
        for p in range(nodes):
            bm[here, p] *= em[frame, np.uint64(column[p])]
        apart, high = False, False
        for inner in range(end - one):
            q = np.uint64(inner)
            way = (
                bm[here, q] * bands[0, q]
                + bm[here, q + one] * bands[1, q + one]
                + bm[here, q + two] * bands[2, q + two]
            )
            way = way if am[frame, q] > 0.0 else 0.0
            bm[before, q] = way
            apart |= ((way > 0.0) & (way < _LOWEST)) | (way >= _UP)
            high |= way >= 1.0
        for p in range(end - one, nodes):
            way = bm[here, p] * bands[0, p]
            if p < end:
                way += bm[here, end] * bands[1, end]
            way = way if am[frame, p] > 0.0 else 0.0
            bm[before, p] = way
            apart |= ((way > 0.0) & (way < _LOWEST)) | (way >= _UP)
            high |= way >= 1.0
        for c in range(count):
            of_emissions[frame, np.uint64(classes[c])] = of_columns[c]
        bk[before, 0] = bk[here, 0]
        level = (high and not apart) or _settled(bm, bk, before, nodes)
        t -= 1
    return t, level


# -- recursions ----------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _forward(
    layout: Layout,
    g: int,
    emissions: Floats,
    given: Masses,
    plain: bool,
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
        given, plain: as :func:`_masses` finds them.
        bands, reads: as :func:`_bands` returns them.
        em, ek, e_plain: room for the masses of emissions, and whether all have k = 0, frame t in
            row t modulo their number of rows, which is T or at least ``_BLOCK``.
        am, ak, a_level: the same for nodes after t frames, t = 0 to T, and whether a row is level;
            the last one is not.

    Returns:
        The first emission ``t * C + c`` that is NaN or -inf, or -1.
    """
    first = np.uint64(layout.node_offsets[g])
    nodes: Any = np.uint64(layout.node_offsets[g + 1]) - first
    classes = layout.classes[layout.class_offsets[g] : layout.class_offsets[g + 1]]
    entries, epsilons, same = layout.entries, layout.epsilons, layout.same
    source, column, arc_m, arc_k = layout.source, layout.column, given.arc_m, given.arc_k
    am[0, :nodes] = 0.0
    ak[0, :nodes] = 0.0
    for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
        place = layout.start_places[s]
        am[0, place], ak[0, place] = given.start_m[s], given.start_k[s]
    t, filled = 0, 0
    while t <= len(emissions):
        if t > filled:
            filled = min(t - 1 + _BLOCK, len(emissions))
            bad = _frames(emissions, t - 1, filled, classes, em, ek, e_plain)
            if bad >= 0:
                return bad
        here, before, frame = t % len(am), (t - 1) % len(am), (t - 1) % len(em)
        if t > 0 and a_level[before]:
            if e_plain[frame]:
                if len(reads) > 0:
                    t = _forward_banded(t, filled, bands, reads, em, e_plain, am, ak, a_level)
                else:
                    t = _forward_level(t, filled, layout, g, given, em, e_plain, am, ak, a_level)
                continue
            _normalize(am, ak, before, nodes)
            a_level[before] = False
        for p in range(nodes):
            q, m, k = first + np.uint64(p), am[here, p], ak[here, p]
            if t > 0:
                m, k, c = 0.0, 0.0, same[q]
                for e in range(np.uint64(entries[q]), np.uint64(epsilons[q])):
                    i = np.uint64(source[e])
                    way, way_k = am[before, i] * arc_m[e], ak[before, i] + arc_k[e]
                    if c < 0:
                        other = np.uint64(column[e])
                        way, way_k = way * em[frame, other], way_k + ek[frame, other]
                    if way != 0.0:
                        m, k = _plus(m, k, way, way_k)
                if c >= 0:
                    m, k = m * em[frame, np.uint64(c)], k + ek[frame, np.uint64(c)]
            for e in range(np.uint64(epsilons[q]), np.uint64(entries[q + np.uint64(1)])):
                i = np.uint64(source[e])
                way = am[here, i] * arc_m[e]
                if way != 0.0:
                    m, k = _plus(m, k, way, ak[here, i] + arc_k[e])
            am[here, p], ak[here, p] = _normal(m, k)
        a_level[here] = plain and _leveled(am, ak, here, nodes)
        t += 1
    last = len(emissions) % len(am)
    if a_level[last]:
        _normalize(am, ak, last, nodes)
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
    arcs: Float64s,
    starts: Float64s,
    finals: Float64s,
    out: Float64s,
) -> tuple[int, int]:
    """Write the forward penalties of the problems ``first`` to ``last - 1``: O(T A) each.

    Args:
        emissions: ``[B, T, C]``.
        arcs, starts, finals: penalties.
        out: ``[B]``.

    Returns:
        The first problem with a bad emission and which it is, ``t * C + c``; or with a bad
        penalty, and ``BAD_PENALTY``; or -1, -1.
    """
    frames, nodes, classes = _widest(layout, lengths, first, last)
    held = max(min(frames, _BLOCK), 1)
    room, e_plain = np.empty((2, held * classes)), np.empty(held, dtype=np.bool_)
    am, ak, a_level = np.empty((2, nodes)), np.empty((2, nodes)), np.empty(2, dtype=np.bool_)
    given, good, plain = _room(layout, starts, finals), True, True
    for b in range(first, last):
        g = b if len(layout.node_offsets) > 2 else 0
        if b == first or g == b:
            good, plain = _masses(layout, g, arcs, starts, finals, given)
        if not good:
            return b, BAD_PENALTY
        read = emissions[b, : lengths[b]]
        count = layout.class_offsets[g + 1] - layout.class_offsets[g]
        em = room[0, : held * count].reshape(held, count)
        ek = room[1, : held * count].reshape(held, count)
        bands, reads = _bands(layout, g, given, plain)
        bad = _forward(
            layout, g, read, given, plain, bands, reads, em, ek, e_plain, am, ak, a_level
        )
        if bad >= 0:
            return b, bad
        m, k = _end(layout, g, given, am, ak, lengths[b])
        out[b] = _penalty(m, k)
    return -1, -1


@njit(cache=True, nogil=True)
def _backward(
    layout: Layout,
    g: int,
    given: Masses,
    plain: bool,
    bands: Float64s,
    reads: Int32s,
    frames: int,
    em: Float64s,
    ek: Float64s,
    e_plain: Flags,
    am: Float64s,
    ak: Float64s,
    a_level: Flags,
    bm: Float64s,
    bk: Float64s,
    arcs_wanted: bool,
    of_emissions: Floats,
    of_arcs: Float64s,
) -> None:
    """Carry masses of the ways to the end back over all frames: O(T A).

    Args:
        frames: T; what follows is as :func:`_forward` takes and leaves it, for all of them.
        bm, bk: two rows; after t frames the masses of the ways from each node to the end are in
            row t modulo 2: at first those of the finals, at last those before the first frame.
        of_emissions, of_arcs: posteriors ``[T, C]`` and ``[A]``, to be added to.
    """
    first, one = np.uint64(layout.node_offsets[g]), np.uint64(1)
    nodes: Any = np.uint64(layout.node_offsets[g + 1]) - first
    classes = layout.classes[layout.class_offsets[g] : layout.class_offsets[g + 1]]
    entries, epsilons, same = layout.entries, layout.epsilons, layout.same
    source, column, arc = layout.source, layout.column, layout.arc
    arc_m, arc_k = given.arc_m, given.arc_k
    of_columns, normal_m, normal_k = np.empty(len(classes)), np.empty(nodes), np.empty(nodes)
    t, level = frames, False
    while True:
        if level and len(reads) > 0 and not arcs_wanted:
            t, level = _backward_banded(
                t, layout, g, bands, reads, em, e_plain, am, ak, a_level, bm, bk, of_columns,
                of_emissions,
            )  # fmt: skip
        elif level:
            t, level = _backward_level(
                t, layout, g, given, em, e_plain, am, ak, a_level, bm, bk, arcs_wanted,
                of_columns, of_emissions, of_arcs,
            )  # fmt: skip
        here, before, frame = t % 2, (t - 1) % 2, t - 1
        if level:
            _normalize(bm, bk, here, nodes)
        for back in range(nodes):
            p = nodes - one - np.uint64(back)
            q = first + p
            if am[t, p] == 0.0:
                bm[here, p] = 0.0
                continue
            bm[here, p], bk[here, p] = _normal(bm[here, p], bk[here, p])
            for e in range(np.uint64(epsilons[q]), np.uint64(entries[q + one])):
                i = np.uint64(source[e])
                on, on_k = bm[here, p] * arc_m[e], bk[here, p] + arc_k[e]
                if on != 0.0:
                    bm[here, i], bk[here, i] = _plus(bm[here, i], bk[here, i], on, on_k)
                    if arcs_wanted:
                        of_arcs[arc[e]] += _number(am[t, i] * on, ak[t, i] + on_k)
        if t == 0:
            return
        for p in range(nodes):
            bm[before, p], normal_m[p] = 0.0, am[frame, p]
            normal_k[p] = ak[frame, np.uint64(0) if a_level[frame] else p]
            if a_level[frame]:
                normal_m[p], normal_k[p] = _normal(normal_m[p], normal_k[p])
        of_columns[:] = 0.0
        for p in range(nodes):
            q, reached = first + np.uint64(p), 0.0
            m, k, c = bm[here, p], bk[here, p], same[q]
            if m == 0.0:
                continue
            if c >= 0:
                m, k = m * em[frame, np.uint64(c)], k + ek[frame, np.uint64(c)]
            for e in range(np.uint64(entries[q]), np.uint64(epsilons[q])):
                i = np.uint64(source[e])
                on, on_k = m * arc_m[e], k + arc_k[e]
                if c < 0:
                    other = np.uint64(column[e])
                    on, on_k = on * em[frame, other], on_k + ek[frame, other]
                if on != 0.0:
                    bm[before, i], bk[before, i] = _plus(bm[before, i], bk[before, i], on, on_k)
                    posterior = _number(normal_m[i] * on, normal_k[i] + on_k)
                    reached += posterior
                    if c < 0:
                        of_columns[np.uint64(column[e])] += posterior
                    if arcs_wanted:
                        of_arcs[arc[e]] += posterior
            if c >= 0:
                of_columns[np.uint64(c)] += reached
        for p in range(nodes):
            bm[before, p] = bm[before, p] if normal_m[p] > 0.0 else 0.0
        for c in range(len(classes)):
            of_emissions[frame, classes[c]] = of_columns[c]
        level = plain and _leveled(bm, bk, before, nodes)
        t -= 1


@njit(cache=True, nogil=True)
def posteriors(
    first: int,
    last: int,
    layout: Layout,
    emissions: Floats,
    lengths: Int64s,
    arcs: Float64s,
    starts: Float64s,
    finals: Float64s,
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
        of_emissions: ``[B, T, C]``, written whole for these problems.
        of_arcs, of_starts, of_finals: ``[rows, A]`` (left alone unless wanted), ``[rows, S]``,
            ``[rows, F]``: zeros to be added to.

    Returns:
        The first bad emission, as :func:`totals`.
    """
    frames, nodes, classes = _widest(layout, lengths, first, last)
    room, e_plain = np.empty((2, max(frames, 1) * classes)), np.empty(frames, dtype=np.bool_)
    am, ak = np.empty((frames + 1, nodes)), np.empty((frames + 1, nodes))
    a_level = np.empty(frames + 1, dtype=np.bool_)
    bm, bk = np.zeros((2, nodes)), np.zeros((2, nodes))
    given, good, plain = _room(layout, starts, finals), True, True
    for b in range(first, last):
        g, r = (b, 0) if len(layout.node_offsets) > 2 else (0, b)
        of_emissions[b] = 0.0
        if b == first or g == b:
            good, plain = _masses(layout, g, arcs, starts, finals, given)
        if not good:
            return b, BAD_PENALTY
        read = emissions[b, : lengths[b]]
        count = layout.class_offsets[g + 1] - layout.class_offsets[g]
        em = room[0, : max(frames, 1) * count].reshape(max(frames, 1), count)
        ek = room[1, : max(frames, 1) * count].reshape(max(frames, 1), count)
        bands, reads = _bands(layout, g, given, plain)
        bad = _forward(
            layout, g, read, given, plain, bands, reads, em, ek, e_plain, am, ak, a_level
        )
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
        _backward(
            layout, g, given, plain, bands, reads, t, em, ek, e_plain, am, ak, a_level, bm, bk,
            arcs_wanted, of_emissions[b], of_arcs[r],
        )  # fmt: skip
        for s in range(layout.start_offsets[g], layout.start_offsets[g + 1]):
            p = layout.start_places[s]
            of_starts[r, s] = _number(given.start_m[s] * bm[0, p], given.start_k[s] + bk[0, p])
    return -1, -1
