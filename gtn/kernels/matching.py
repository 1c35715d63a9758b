"""Matching: explore a composition in which epsilons need no filter.

If one side has no epsilons to match, every filter allows every move, and a node of the result is
just a pair of nodes. So there is no filter state, and pairs can be looked up in a plain array if
there are not many more of them than nodes and arcs in the inputs and the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]

__all__ = ["match"]

_DENSE = 8  # pairs per node and arc of inputs and result
_NOT_MUCH = 8  # times longer
_PAYS = 4  # arcs for each destination of a node
_FAR = 2**31 - 1


class _Side(NamedTuple):
    """One side, laid out so that data read together are adjacent; N nodes, A arcs, L labels."""

    offsets: Int32s  # [N + 1]
    real: Int32s  # [N]: where the labels that are no epsilons begin
    moves: Int32s  # [A, 4]: label, destination, bounds of what is ahead of it; by node, label
    arcs: Int32s  # [A]: of each move
    least: Int32s  # [N]: how many labels are ahead at least,
    most: Int32s  # [N]: and at most
    first: Int32s  # [N (L + 1)]: where a label begins at a node; [0] if that were too large
    width: int  # L + 1


@njit(cache=True, nogil=True)
def _whole(number: Any) -> Any:
    """Return a 64-bit integer: the functions below are compiled for one kind of integer."""
    return np.int64(number)


@njit(cache=True, nogil=True)
def _side(operand: Any) -> _Side:
    """Return one side laid out for matching: O(N + A)."""
    offsets, arcs = operand.offsets, operand.arcs
    num_nodes, num_arcs = len(offsets) - 1, len(arcs)
    moves = np.empty((num_arcs, 4), dtype=np.int32)
    top = _whole(-1)
    for k in range(num_arcs):
        arc = arcs[k]
        label, to = operand.labels[arc], operand.dst[arc]
        moves[k, 0], moves[k, 1] = label, to
        moves[k, 2], moves[k, 3] = operand.least[to], operand.most[to]
        top = max(top, _whole(label))
    real = np.empty(num_nodes, dtype=np.int32)
    width = top + 2
    dense = num_nodes * width <= 2 * (num_nodes + num_arcs)
    first = np.empty(num_nodes * width if dense else 0, dtype=np.int32)
    for n in range(num_nodes):
        at, end = offsets[n], offsets[n + 1]
        while at < end and moves[at, 0] < 0:
            at += 1
        real[n] = at
        if dense:
            for label in range(width):
                while at < end and moves[at, 0] < label:
                    at += 1
                first[n * width + label] = at
    return _Side(offsets, real, moves, arcs, operand.least, operand.most, first, width)


@njit(cache=True, nogil=True)
def _single(side: _Side) -> bool:
    """Return whether a side has an index, no epsilon, and at most one arc per node and label."""
    if len(side.first) == 0:
        return False
    for n in range(len(side.real)):
        if side.real[n] > side.offsets[n]:
            return False
    single = True
    for at in range(1, len(side.first)):  # np.diff, with its errors, takes longer to compile
        single &= side.first[at] - side.first[at - 1] <= 1
    return single


@njit(cache=True, nogil=True)
def _even(side: _Side) -> bool:
    """Return whether each node of a single side has no arc, or one per label, all to one node."""
    count = side.width - 1
    for n in range(len(side.real)):
        first, last = side.offsets[n], side.offsets[n + 1]
        if first < last and last - first != count:
            return False
        for k in range(first, last):
            if side.moves[k, 1] != side.moves[first, 1]:
                return False
    return True


class _Runs(NamedTuple):
    """The arcs of each node of b that read a label of an even a, in label order."""

    last: Int32s  # [N]: where they end; they begin at `real`
    least: Int32s  # [N]: how many labels are ahead of all their destinations,
    most: Int32s  # [N]: and are not behind any
    heads: Int32s  # the first arc to each destination of a node,
    head_offsets: Int32s  # [N + 1]
    labels: Int32s  # [A]: of `moves`, and so are
    to: Int32s  # [A]
    arcs: Int32s  # [A]


@njit(cache=True, nogil=True)
def _runs(side: _Side, width: int) -> _Runs:
    """Return the runs of a side, of labels below ``width - 1``: O(N + A)."""
    num_nodes, num_arcs = len(side.real), len(side.moves)
    last = np.empty(num_nodes, dtype=np.int32)
    least, most = np.empty(num_nodes, dtype=np.int32), np.empty(num_nodes, dtype=np.int32)
    heads = np.empty(num_arcs, dtype=np.int32)
    head_offsets = np.zeros(num_nodes + 1, dtype=np.int32)
    labels, to = np.empty(num_arcs, dtype=np.int32), np.empty(num_arcs, dtype=np.int32)
    arcs = np.empty(num_arcs, dtype=np.int32)
    seen = np.full(num_nodes, -1, dtype=np.int32)
    count = 0
    for n in range(num_nodes):
        k, end = side.real[n], side.offsets[n + 1]
        least[n], most[n] = -1, _FAR
        while k < end and side.moves[k, 0] < width - 1:
            labels[k], to[k], arcs[k] = side.moves[k, 0], side.moves[k, 1], side.arcs[k]
            least[n] = max(least[n], side.moves[k, 2])
            most[n] = min(most[n], side.moves[k, 3])
            if seen[to[k]] < n:
                seen[to[k]] = n
                heads[count] = k
                count += 1
            k += 1
        last[n], head_offsets[n + 1] = k, count
    return _Runs(last, least, most, heads[:count], head_offsets, labels, to, arcs)


@njit(cache=True, nogil=True)
def _longer(row: Int32s, most: int) -> Int32s:
    """Return a copy with four times the room, but at most ``most``."""
    longer = np.empty(min(4 * len(row) + 1, most), dtype=np.int32)
    longer[: len(row)] = row
    return longer


@njit(cache=True, nogil=True)
def _seek(moves: Int32s, at: int, end: int, label: int) -> Any:
    """Return the first position from ``at`` on whose label is not smaller: galloping search."""
    if at >= end or moves[at, 0] >= label:
        return at
    guess = at + label - moves[at, 0]
    if guess < end and moves[guess, 0] == label and moves[guess - 1, 0] < label:
        return guess
    step = 1
    while at + step < end and moves[at + step, 0] < label:
        at += step
        step *= 2
    high = min(at + step, end)
    while high - at > 1:
        middle = (at + high) // 2
        if moves[middle, 0] < label:
            at = middle
        else:
            high = middle
    return high


class _Table(NamedTuple):
    """The lookup table of the pairs of one graph: by place if there is room, else by hash.

    The pair of nodes a and b is at ``a * width + b - base``; one of ``width`` 0 is hashed. Slots
    hold node numbers; one below ``first`` means an empty slot, so that graphs need no clearing.
    """

    slots: Int32s
    width: int
    base: int
    first: int


@njit(cache=True, nogil=True)
def _slot(table: _Table, in_a: Int32s, in_b: Int32s, a: int, b: int) -> Any:
    """Return where a pair is in the table, or where it belongs."""
    if table.width > 0:
        return a * table.width + b - table.base
    slots = table.slots
    mask = len(slots) - 1
    mixed = np.uint64((a << 32) ^ b) * np.uint64(0x9E3779B97F4A7C15)
    at = _whole(mixed >> np.uint64(32)) & mask
    while True:
        n = slots[at]
        if n < table.first or (in_b[n] == b and in_a[n] == a):
            return at
        at = (at + 1) & mask


@njit(cache=True, nogil=True)
def _table(
    in_a: Int32s,
    in_b: Int32s,
    place: tuple[int, int, int],
    count: int,
    more: int,
    pairs: int,
    spare: int,
) -> _Table:
    """Return a table of the nodes ``first`` to ``count - 1`` with room for twice as many and more.

    Args:
        place: ``width``, ``base`` and ``first`` of a table that is addressed by place.
        more: how many more.
        pairs: how many pairs a graph has at most.
        spare: how many entries a table may have in any case.
    """
    width, base, first = place
    size = 16
    while size < 4 * (count - first + more + 1):
        size *= 2
    if pairs <= max(2 * size, spare):
        size = pairs
    else:
        width = _whole(0)
    table = _Table(np.full(size, -1, dtype=np.int32), width, base, first)
    for n in range(first, count):
        table.slots[_slot(table, in_a, in_b, _whole(in_a[n]), _whole(in_b[n]))] = n
    return table


@njit(cache=True, nogil=True)
def _block(offsets: Int32s, graph: int) -> tuple[int, int]:
    """Return a graph's first node and number of nodes; a single graph goes with each of a batch."""
    at = min(graph, len(offsets) - 2)
    return _whole(offsets[at]), _whole(offsets[at + 1] - offsets[at])


@njit(cache=True, nogil=True)
def _advance(
    left: _Side,
    right: _Side,
    in_a: Int32s,
    in_b: Int32s,
    found: tuple[Int32s, Int32s, Int32s, Int32s],
    table: _Table,
    here: int,
    num_nodes: int,
    num_arcs: int,
) -> tuple[int, int, int]:
    """Follow the arcs of the pairs from ``here`` on, until none is left or a buffer is full.

    A pair whose arcs do not all fit is given back; the next call finds the pairs that it has
    already numbered in the table.

    Returns:
        the next pair to follow, how many there are, and how many arcs.
    """
    a_offsets, a_real, a_moves, a_arcs, a_least, a_most, a_first, a_width = left
    b_offsets, b_real, b_moves, b_arcs, b_least, b_most, b_first, b_width = right
    src, dst, arcs_a, arcs_b = found
    room = len(src)
    most_nodes = len(in_a)
    if table.width == 0:
        most_nodes = min(most_nodes, table.first + len(table.slots) // 2)
    look_in_a, look_in_b = len(a_first) > 0, len(b_first) > 0
    while here < num_nodes:
        arcs_before = num_arcs
        na, nb = _whole(in_a[here]), _whole(in_b[here])
        i, i_end = _whole(a_real[na]), _whole(a_offsets[na + 1])
        j, j_end = _whole(b_real[nb]), _whole(b_offsets[nb + 1])
        # Walk the shorter side and look its labels up in the other; if that has no index, walk the
        # longer one if it is not much longer, and otherwise search both sides by turns.
        many_a, many_b = i_end - i, j_end - j
        by_a = look_in_b and many_a <= (many_b if look_in_a else _NOT_MUCH * many_b)
        by_b = look_in_a and not by_a and many_b <= _NOT_MUCH * many_a
        # Each turn takes one block of arcs of a times one block of arcs of b; position -1
        # stands for standing still.
        turn = 0
        while True:
            i0, i1, j0, j1 = _whole(0), _whole(0), _whole(0), _whole(0)
            if turn == 0:
                i0, i1, j0, j1 = _whole(a_offsets[na]), i, _whole(-1), _whole(0)
            elif turn == 1:
                i0, i1, j0, j1 = _whole(-1), _whole(0), _whole(b_offsets[nb]), j
            elif by_a:
                if i >= i_end:
                    break
                label = _whole(a_moves[i, 0])
                i0, i1 = i, i + 1
                i += 1
                if label < b_width - 1:
                    j0 = _whole(b_first[nb * b_width + label])
                    j1 = _whole(b_first[nb * b_width + label + 1])
            elif by_b:
                if j >= j_end:
                    break
                label = _whole(b_moves[j, 0])
                j0 = j
                j += 1
                while j < j_end and b_moves[j, 0] == label:
                    j += 1
                j1 = j
                if label < a_width - 1:
                    i0 = _whole(a_first[na * a_width + label])
                    i1 = _whole(a_first[na * a_width + label + 1])
            else:
                while i < i_end and j < j_end:
                    la, lb = _whole(a_moves[i, 0]), _whole(b_moves[j, 0])
                    if la == lb:
                        break
                    if la < lb:
                        i = _seek(a_moves, i, i_end, lb)
                    else:
                        j = _seek(b_moves, j, j_end, la)
                if i >= i_end or j >= j_end:
                    break
                label = _whole(a_moves[i, 0])
                i0, j0 = i, j
                i, j = i + 1, j + 1
                while i < i_end and a_moves[i, 0] == label:
                    i += 1
                while j < j_end and b_moves[j, 0] == label:
                    j += 1
                i1, j1 = i, j
            turn += 1
            for p in range(i0, i1):
                arc_a = a_arcs[p] if p >= 0 else np.int32(-1)
                to_a = _whole(a_moves[p, 1]) if p >= 0 else na
                least, most = a_least[to_a], a_most[to_a]
                for q in range(j0, j1):
                    arc_b = b_arcs[q] if q >= 0 else np.int32(-1)
                    to_b = _whole(b_moves[q, 1]) if q >= 0 else nb
                    if (b_moves[q, 2] if q >= 0 else b_least[nb]) > most:
                        continue
                    if (b_moves[q, 3] if q >= 0 else b_most[nb]) < least:
                        continue
                    at = _slot(table, in_a, in_b, to_a, to_b)
                    to = table.slots[at]
                    fresh = to < table.first
                    if num_arcs == room or (fresh and num_nodes == most_nodes):
                        return here, num_nodes, arcs_before
                    if fresh:
                        to = np.int32(num_nodes)
                        table.slots[at] = to
                        in_a[to] = to_a
                        in_b[to] = to_b
                        num_nodes += 1
                    src[num_arcs] = here
                    dst[num_arcs] = to
                    arcs_a[num_arcs] = arc_a
                    arcs_b[num_arcs] = arc_b
                    num_arcs += 1
        here += 1
    return here, num_nodes, num_arcs


@njit(cache=True, nogil=True)
def _meet(
    table: _Table,
    in_a: Int32s,
    in_b: Int32s,
    a: int,
    b: int,
    leads: bool,
    num_nodes: int,
) -> tuple[int, int]:
    """Return the number of a pair, a new one if need be, and how many there are, free of branches.

    A pair that leads nowhere gets no number, and what is returned means nothing.
    """
    at = _slot(table, in_a, in_b, a, b)
    to = _whole(table.slots[at])
    fresh = leads & (to < table.first)
    to = num_nodes if fresh else to
    table.slots[at] = to
    in_a[num_nodes] = a
    in_b[num_nodes] = b
    return to, num_nodes + _whole(fresh)


@njit(cache=True, nogil=True)
def _advance_single(
    left: _Side,
    right: _Side,
    in_a: Int32s,
    in_b: Int32s,
    found: tuple[Int32s, Int32s, Int32s, Int32s],
    table: _Table,
    here: int,
    num_nodes: int,
    num_arcs: int,
) -> tuple[int, int, int]:
    """Do what :func:`_advance` does for an a that is :func:`_single`, as lattices are.

    A pair then has no more arcs than its node of b, so room is checked once per pair, and there
    are few branches to predict.
    """
    a_offsets, _, a_moves, a_arcs, a_least, a_most, a_first, a_width = left
    b_offsets, b_real, b_moves, b_arcs, _, _, b_first, b_width = right
    src, dst, arcs_a, arcs_b = found
    most_nodes = len(in_a)
    if table.width == 0:
        most_nodes = min(most_nodes, table.first + len(table.slots) // 2)
    while here < num_nodes:
        na, nb = _whole(in_a[here]), _whole(in_b[here])
        i, i_end = _whole(a_offsets[na]), _whole(a_offsets[na + 1])
        j, j_end = _whole(b_offsets[nb]), _whole(b_offsets[nb + 1])
        if num_arcs + j_end - j > len(src) or num_nodes + j_end - j >= most_nodes:
            break
        by_a = len(b_first) > 0 and i_end - i < j_end - b_real[nb]
        for q in range(j, b_real[nb] if by_a else j_end):
            label = _whole(b_moves[q, 0])
            to_a, arc_a = na, np.int32(-1)
            if label >= 0:
                if label >= a_width - 1:
                    break
                at = na * a_width + label
                p = _whole(a_first[at])
                if p == a_first[at + 1]:
                    continue
                to_a, arc_a = _whole(a_moves[p, 1]), a_arcs[p]
            to_b = _whole(b_moves[q, 1])
            leads = (b_moves[q, 2] <= a_most[to_a]) & (b_moves[q, 3] >= a_least[to_a])
            to, num_nodes = _meet(table, in_a, in_b, to_a, to_b, leads, num_nodes)
            src[num_arcs], dst[num_arcs] = here, to
            arcs_a[num_arcs], arcs_b[num_arcs] = arc_a, b_arcs[q]
            num_arcs += _whole(leads)
        for p in range(i, i_end if by_a else i):
            label = _whole(a_moves[p, 0])
            if label >= b_width - 1:
                break
            at = nb * b_width + label
            to_a = _whole(a_moves[p, 1])
            for q in range(b_first[at], b_first[at + 1]):
                to_b = _whole(b_moves[q, 1])
                leads = (b_moves[q, 2] <= a_most[to_a]) & (b_moves[q, 3] >= a_least[to_a])
                to, num_nodes = _meet(table, in_a, in_b, to_a, to_b, leads, num_nodes)
                src[num_arcs], dst[num_arcs] = here, to
                arcs_a[num_arcs], arcs_b[num_arcs] = a_arcs[p], b_arcs[q]
                num_arcs += _whole(leads)
        here += 1
    return here, num_nodes, num_arcs


@njit(cache=True, nogil=True)
def _advance_even(
    left: _Side,
    right: _Side,
    runs: _Runs,
    numbers: Int32s,
    in_a: Int32s,
    in_b: Int32s,
    found: tuple[Int32s, Int32s, Int32s, Int32s],
    table: _Table,
    here: int,
    num_nodes: int,
    num_arcs: int,
) -> tuple[int, int, int]:
    """Do what :func:`_advance_single` does for an a that is :func:`_even`, as emissions are.

    All real arcs of a pair lead to the same node of a, so each destination in b is looked up once;
    the rest is copied in one run.

    Args:
        runs: of b.
        numbers: room for the number of the pair with each node of b.
    """
    a_offsets, _, a_moves, a_arcs, a_least, a_most, _, _ = left
    b_offsets, b_real, b_moves, b_arcs, _, _, _, _ = right
    src, dst, arcs_a, arcs_b = found
    most_nodes = len(in_a)
    if table.width == 0:
        most_nodes = min(most_nodes, table.first + len(table.slots) // 2)
    while here < num_nodes:
        na, nb = _whole(in_a[here]), _whole(in_b[here])
        real, last = _whole(b_real[nb]), _whole(runs.last[nb])
        more = last - b_offsets[nb]
        if num_arcs + more > len(src) or num_nodes + more >= most_nodes:
            break
        for q in range(b_offsets[nb], real):
            leads = (b_moves[q, 2] <= a_most[na]) & (b_moves[q, 3] >= a_least[na])
            to, num_nodes = _meet(table, in_a, in_b, na, _whole(b_moves[q, 1]), leads, num_nodes)
            src[num_arcs], dst[num_arcs] = here, to
            arcs_a[num_arcs], arcs_b[num_arcs] = -1, b_arcs[q]
            num_arcs += _whole(leads)
        i = _whole(a_offsets[na])
        if last == real or i == a_offsets[na + 1]:
            here += 1
            continue
        to_a = _whole(a_moves[i, 1])
        if runs.least[nb] <= a_most[to_a] and runs.most[nb] >= a_least[to_a]:
            for h in range(runs.head_offsets[nb], runs.head_offsets[nb + 1]):
                to_b = _whole(runs.to[runs.heads[h]])
                to, num_nodes = _meet(table, in_a, in_b, to_a, to_b, True, num_nodes)
                numbers[to_b] = to
            count = np.uint64(last - real)
            new_src, new_dst = src[num_arcs:], dst[num_arcs:]
            new_a, new_b = arcs_a[num_arcs:], arcs_b[num_arcs:]
            labels, to_b, of_b = runs.labels[real:], runs.to[real:], runs.arcs[real:]
            of_a = a_arcs[i:]
            for k in range(count):
                new_src[k] = here
                new_b[k] = of_b[k]
            for k in range(count):
                new_a[k] = of_a[np.uint64(labels[k])]
                new_dst[k] = numbers[np.uint64(to_b[k])]
            num_arcs += last - real
        else:
            for q in range(real, last):
                leads = (b_moves[q, 2] <= a_most[to_a]) & (b_moves[q, 3] >= a_least[to_a])
                to, num_nodes = _meet(
                    table, in_a, in_b, to_a, _whole(b_moves[q, 1]), leads,
                    num_nodes,
                )  # fmt: skip
                src[num_arcs], dst[num_arcs] = here, to
                arcs_a[num_arcs], arcs_b[num_arcs] = a_arcs[i + b_moves[q, 0]], b_arcs[q]
                num_arcs += _whole(leads)
        here += 1
    return here, num_nodes, num_arcs


@njit(cache=True, nogil=True)
def match(
    a: Any, b: Any, graphs: int, room: int, limit: int
) -> tuple[tuple[Int32s, Int32s], tuple[Int32s, Int32s, Int32s, Int32s], Int32s, Int32s, bool]:
    """Return the product of two graphs as far as it is reached, numbered breadth first.

    The same nodes and arcs as :func:`gtn.kernels.composition.explore` finds with any filter,
    where one side has no epsilon and ``b`` no failure arcs. O(arcs of the result) where the
    labels are dense, times a logarithm otherwise; memory is proportional to operands and result.

    Args:
        a, b: operands, as ``Operand`` of :mod:`gtn.kernels.composition`. A side of
            one graph goes with each graph of the other.
        graphs: B, the length of the longer side.
        room: how many nodes and arcs to have room for in the beginning (it grows).
        limit: as many nodes or arcs as this are too many.

    Returns:
        the nodes of a and of b, each ``[N]``; source, destination, arc of a and arc of b, each
        ``[A]`` (-1 where that side stood still), sorted by source; ``starts [S, 3]`` (node, start
        of a, of b), ``node_offsets [B + 1]``, and whether there were too many.
    """
    left, right = _side(a), _side(b)
    single = _single(left)
    even = single and _even(left)
    runs = _runs(right, left.width if even else 0)
    even = even and _PAYS * len(runs.heads) <= (runs.last - right.real).sum()
    numbers = np.empty(len(right.real) if even else 0, dtype=np.int32)
    more = _whole(0)  # the most arcs that a pair can have, if known
    if single:
        for n in range(len(right.real)):
            more = max(more, _whole(right.offsets[n + 1] - right.offsets[n]))
    most = limit + more + 1
    spare = _DENSE * (len(left.real) + len(right.real) + len(left.moves) + len(right.moves))
    room = min(room, limit) + more + 1
    num_nodes, num_arcs, num_starts = _whole(0), _whole(0), 0
    in_a, in_b = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    src, dst = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    arcs_a, arcs_b = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    most_starts, pairs = 0, _whole(0)
    for graph in range(graphs):
        g, h = min(graph, len(a.start_offsets) - 2), min(graph, len(b.start_offsets) - 2)
        most_starts += (a.start_offsets[g + 1] - a.start_offsets[g]) * (
            b.start_offsets[h + 1] - b.start_offsets[h]
        )
        pairs = max(pairs, _block(a.node_offsets, graph)[1] * _block(b.node_offsets, graph)[1])
    starts = np.empty((min(most_starts, limit), 3), dtype=np.int32)
    node_offsets = np.zeros(graphs + 1, dtype=np.int32)
    table = _table(in_a, in_b, (_whole(1), num_nodes, num_nodes), num_nodes, more, pairs, spare)
    for graph in range(graphs):
        first = num_nodes
        first_a, _ = _block(a.node_offsets, graph)
        first_b, width = _block(b.node_offsets, graph)
        width = max(width, _whole(1))
        place = (width, first_a * width + first_b, first)
        table = _Table(table.slots, width if table.width > 0 else _whole(0), place[1], first)
        g, h = min(graph, len(a.start_offsets) - 2), min(graph, len(b.start_offsets) - 2)
        for s in range(a.start_offsets[g], a.start_offsets[g + 1]):
            for t in range(b.start_offsets[h], b.start_offsets[h + 1]):
                na, nb = _whole(a.starts[s]), _whole(b.starts[t])
                if a.least[na] > b.most[nb] or b.least[nb] > a.most[na]:
                    continue
                if num_nodes >= limit:
                    found = (src, dst, arcs_a, arcs_b)
                    return (in_a, in_b), found, starts, node_offsets, True
                if num_nodes == len(in_a):
                    in_a, in_b = _longer(in_a, most), _longer(in_b, most)
                if table.width == 0 and 2 * (num_nodes - first) >= len(table.slots):
                    table = _table(in_a, in_b, place, num_nodes, more, pairs, spare)
                table.slots[_slot(table, in_a, in_b, na, nb)] = num_nodes
                in_a[num_nodes], in_b[num_nodes] = na, nb
                starts[num_starts, 0] = num_nodes
                starts[num_starts, 1] = s
                starts[num_starts, 2] = t
                num_nodes += 1
                num_starts += 1
        here = first
        while True:
            found = (src, dst, arcs_a, arcs_b)
            if even:
                here, num_nodes, num_arcs = _advance_even(
                    left, right, runs, numbers, in_a, in_b, found, table,
                    here, num_nodes, num_arcs,
                )  # fmt: skip
            elif single:
                here, num_nodes, num_arcs = _advance_single(
                    left, right, in_a, in_b, found, table,
                    here, num_nodes, num_arcs,
                )  # fmt: skip
            else:
                here, num_nodes, num_arcs = _advance(
                    left, right, in_a, in_b, found, table,
                    here, num_nodes, num_arcs,
                )  # fmt: skip
            if max(num_nodes, num_arcs) > limit:
                return (in_a, in_b), found, starts, node_offsets, True
            if here == num_nodes:
                break
            if num_nodes + more >= len(in_a):
                in_a, in_b = _longer(in_a, most), _longer(in_b, most)
            elif table.width == 0 and 2 * (num_nodes - first + more) >= len(table.slots):
                table = _table(in_a, in_b, place, num_nodes, more, pairs, spare)
            elif len(src) < most:
                src, dst = _longer(src, most), _longer(dst, most)
                arcs_a, arcs_b = _longer(arcs_a, most), _longer(arcs_b, most)
            else:
                return (in_a, in_b), found, starts, node_offsets, True
        node_offsets[graph + 1] = num_nodes
    nodes = (in_a[:num_nodes], in_b[:num_nodes])
    kept = (src[:num_arcs], dst[:num_arcs], arcs_a[:num_arcs], arcs_b[:num_arcs])
    return nodes, kept, starts[:num_starts], node_offsets, False
