"""Token passing: graphs read one another, and only likely tokens are followed.

A token is a node of the first graph, a node of each reader (reader j reads what the graph before
it writes) and a filter state per reader. The first graph is acyclic; its nodes are taken in order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]
Mask = NDArray[np.bool_]

__all__ = ["Readers", "Search", "Writer", "pass_tokens"]

_TRIVIAL, _SEQUENCE = 0, 1
_EPSILON = -1
# Columns of ``notes``: moves since the first graph moved; whether the token was followed; another
# token at the same node of the first graph, or -1; the tokens followed at this node, best first.
HOPS, KEPT, LINK, CHOSEN = 0, 1, 2, 3
# Entries of ``counts``: tokens, arcs and items on the heap; a status and the token it is about;
# node of the first graph; how many tokens it follows, which of them moves on (-1: none yet), the
# one whose moves did not fit (-1: none), whether its moves are noted, and the arcs before them;
# the graph of the batch, its first token, its next start, its next node, and what comes next;
# whether the table is new.
TOKENS, ARCS, HEAP, STATUS, AT = 0, 1, 2, 3, 4
NODE, ACTIVE, NEXT, PENDING, NOTED, BEFORE = 5, 6, 7, 8, 9, 10
GRAPH, FIRST, START, ORDER, STAGE, EMPTIED = 11, 12, 13, 14, 15, 16
FINE, TOO_MANY, NEGATIVE, BAD = 0, 1, 2, 3
# What comes next: clear the nodes of a graph; put tokens at its starts; go to its next node; follow
# the tokens of that node. A search stops at BEGINNING or FOLLOWING only where a buffer is full.
CLEARING, BEGINNING, BETWEEN, FOLLOWING = 0, 1, 2, 3
# Rows of ``place``: the next way, the first way that moves, and the end of the ways; the filter
# states before; the own state after standing still, after moving; what it is multiplied with.
AHEAD, MOVES, END, STATES, STILL, MOVING, UNIT = 0, 1, 2, 3, 4, 5, 6


class Writer(NamedTuple):
    """The first graph: N nodes, A arcs."""

    offsets: Int32s  # [N + 1]: arcs by source,
    arcs: Int32s  # [A]: within a node by label, epsilon first
    labels: Int32s  # [A]: what each arc writes, in the labels of the first reader
    dst: Int32s  # [A]
    alive: Mask  # [N]: whether a final node can be reached
    final: Int32s  # [N]: which final a node is, or -1
    penalties: Float64s  # [A]


class Readers(NamedTuple):
    """All readers, concatenated, with consecutive numbers of nodes and arcs."""

    offsets: Int32s  # those of node n of reader j (from 0) are at n + j
    arcs: Int32s  # by source, then by label read, epsilon first
    labels: Int32s  # what each arc reads
    written: Int32s  # what each arc writes, in the labels of the next reader
    dst: Int32s
    alive: Mask
    final: Int32s  # which final a string that stops at a node ends in, or -1
    fail: Int32s  # the failure arc of each node, or -1; [0] where there is none
    penalties: Float64s


class Search(NamedTuple):
    """What the search has found; W = number of graphs + 1. Arrays of T, A and H entries grow."""

    nodes: Int32s  # [T, W]: the tokens: a node of each graph, and the filter states in base 3
    notes: Int32s  # [T, 4]: by token HOPS, KEPT and LINK, and by rank CHOSEN
    best: Float64s  # [T]: least penalty of a way to the token
    slots: Int32s  # [2^k]: hash table of tokens
    arcs: Int32s  # [A, W + 1]: source and destination token, arc of each graph or -1
    ways: Float64s  # [A]: least penalty of a way to the arc's end
    keys: Float64s  # [H]: heap of tokens by penalty
    heap: Int32s  # [H], at least T
    there: Int32s  # [N, 2]: a token at each node of the first graph, or -1, and how many they are
    least: Float64s  # [N]: least penalty of these tokens
    arrived: Float64s  # [N]: the same, before they went on
    counts: Int64s  # [17]: sizes and where the search stands, as above
    to: Int32s  # [W]: the token that a move leads to
    moved: Int32s  # [W - 1]: its arcs
    place: Int64s  # [7, W]: for each reader (from 1) what is to be tried, as above
    before: Float64s  # [W]: penalty of the way so far and of the moves of the earlier graphs


@njit(cache=True, nogil=True)
def _whole(number: Any) -> Any:
    """Return a 64-bit integer: the functions below are compiled for one kind of integer."""
    return np.int64(number)


@njit(cache=True, nogil=True)
def _seek(labels: Int32s, arcs: Int32s, at: int, end: int, label: int) -> Any:
    """Return the first position from ``at`` on whose label is not smaller, as in composition."""
    if at >= end or labels[arcs[at]] >= label:
        return at
    guess = at + label - labels[arcs[at]]
    if guess < end and labels[arcs[guess]] == label and labels[arcs[guess - 1]] < label:
        return guess
    step = 1
    while at + step < end and labels[arcs[at + step]] < label:
        at += step
        step *= 2
    high = min(at + step, end)
    while high - at > 1:
        middle = (at + high) // 2
        if labels[arcs[middle]] < label:
            at = middle
        else:
            high = middle
    return high


@njit(cache=True, nogil=True)
def _epsilon_moves(
    mode: int, state: int, a_none: bool, a_all: bool, b_none: bool, b_all: bool
) -> tuple[int, int, int]:
    """Return the filter states after a moves alone, b moves alone, both, as in composition."""
    if mode == _TRIVIAL:
        return 0, 0, 0
    if mode == _SEQUENCE:
        return (0 if state == 0 else -1), (0 if a_none else -1 if a_all else 1), -1
    if state == 0:
        return (0 if b_none else -1 if b_all else 1), (0 if a_none else -1 if a_all else 2), 0
    return (1 if state == 1 else -1), (2 if state == 2 else -1), -1


@njit(cache=True, nogil=True)
def _slot(slots: Int32s, nodes: Int32s, row: Int32s, first: int) -> Any:
    """Return where a token is in the table, or belongs; entries below ``first`` are empty."""
    mask = len(slots) - 1
    mixed = np.uint64(0)
    for c in range(len(row)):
        mixed = (mixed ^ np.uint64(row[c])) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    at = _whole(mixed >> np.uint64(20)) & mask
    while True:
        t = slots[at]
        if t < first:
            return at
        c = len(row) - 1
        while c >= 0 and nodes[t, c] == row[c]:
            c -= 1
        if c < 0:
            return at
        at = (at + 1) & mask


@njit(cache=True, nogil=True)
def _push(keys: Float64s, heap: Int32s, size: int, key: float, item: int) -> None:
    """Put a token on a heap of ``size``, which is ordered by (key, token) and has room for it."""
    i = size
    while i > 0:
        parent = (i - 1) // 2
        if keys[parent] < key or (keys[parent] == key and heap[parent] <= item):
            break
        keys[i], heap[i] = keys[parent], heap[parent]
        i = parent
    keys[i], heap[i] = key, item


@njit(cache=True, nogil=True)
def _pop(keys: Float64s, heap: Int32s, size: int) -> tuple[float, Any]:
    """Take the least token off a heap of ``size``; its key, and the token."""
    key, item = keys[0], _whole(heap[0])
    last, moved = keys[size - 1], heap[size - 1]
    i = 0
    while 2 * i + 1 < size - 1:
        child = 2 * i + 1
        other = child + 1
        if other < size - 1 and (
            keys[other] < keys[child] or (keys[other] == keys[child] and heap[other] < heap[child])
        ):
            child = other
        if last < keys[child] or (last == keys[child] and moved <= heap[child]):
            break
        keys[i], heap[i] = keys[child], heap[child]
        i = child
    keys[i], heap[i] = last, moved
    return key, item


@njit(cache=True, nogil=True)
def _fill(slots: Int32s, nodes: Int32s, first: int, tokens: int) -> None:
    """Put the tokens from ``first`` on into an empty table."""
    for t in range(first, tokens):
        slots[_slot(slots, nodes, nodes[t], first)] = t


@njit(cache=True, nogil=True)
def _matching(
    offsets: Int32s,
    arcs: Int32s,
    labels: Int32s,
    dst: Int32s,
    fail: Int32s,
    penalties: Float64s,
    reader: int,
    node: int,
    label: int,
) -> tuple[int, int, float]:
    """Return the positions of a node's arcs with a label, and the penalty of backing off to it."""
    penalty = 0.0
    while True:
        end = _whole(offsets[node + reader + 1])
        first = _seek(labels, arcs, _whole(offsets[node + reader]), end, label)
        last = first
        while last < end and labels[arcs[last]] == label:
            last += 1
        if last > first or len(fail) == 0 or fail[node] < 0:
            return first, last, penalty
        penalty += penalties[fail[node]]
        node = _whole(dst[fail[node]])


@njit(cache=True, nogil=True)
def _follow(
    a: Writer, r: Readers, x: Search, first: int, mode: int, beam: float, max_active: int
) -> bool:
    """Follow the tokens on the heap, at one node of the first graph; False if a buffer is full.

    First, best first, the epsilons that readers read while the first graph stands still; then,
    from the tokens that were kept, the arcs of the node. A token whose moves do not all fit is
    pending; the next call, with more room, follows it again and finds the tokens it has already
    numbered in the table. Allocates nothing and calls only leaves, so that the loops are free of
    reference counting.
    """
    a_offsets, a_arcs, a_labels, a_dst, a_alive, a_final, a_penalties = a
    r_offsets, r_arcs, r_labels, r_written, r_dst, r_alive, r_final, r_fail, r_penalties = r
    nodes, notes, best, slots, arcs, ways, keys, heap = x[:8]
    there, least, _, counts, to, moved, place, before = x[8:]
    width, last = len(to), len(to) - 2
    tokens, num_arcs, size = counts[TOKENS], counts[ARCS], counts[HEAP]
    na, active, after_all = counts[NODE], counts[ACTIVE], counts[NEXT]
    most_tokens = min(len(nodes), first + len(slots) // 2)
    closing = after_all < 0
    s, record = counts[PENDING], counts[NOTED] == 1
    i_begin, i_end = _whole(a_offsets[na]), _whole(a_offsets[na + 1])
    i_real = _seek(a_labels, a_arcs, i_begin, i_end, _whole(0))
    a_none, a_all = i_real == i_begin, i_real == i_end and a_final[na] < 0
    while True:
        while closing and s < 0 and size > 0:
            key, item = _pop(keys, heap, size)
            size -= 1
            if key > best[item]:
                continue
            if key > least[na] + beam or (notes[item, KEPT] == 0 and active == max_active):
                size = 0
                break
            s, record = item, notes[item, KEPT] == 0
            if record:
                notes[s, KEPT] = 1
                notes[active, CHOSEN] = s
                active += 1
        if closing and s < 0:
            closing, after_all, record = False, _whole(0), True
        if not closing:
            if after_all == active:
                break
            s = _whole(notes[after_all, CHOSEN])
        arcs_before = num_arcs
        for c in range(width):
            to[c] = nodes[s, c]
        code = _whole(nodes[s, width - 1])
        own = code % 3 if last > 1 else code
        turn, base, i = 0, 1, i_begin
        nb = _whole(nodes[s, 1])
        j, j_end = _whole(r_offsets[nb]), _whole(r_offsets[nb + 1])
        j_real = _seek(r_labels, r_arcs, j, j_end, _whole(0))
        failing = len(r_fail) > 0 and r_fail[nb] >= 0
        b_all = j_real == j_end and r_final[nb] < 0
        a_alone, b_alone, together = _epsilon_moves(mode, own, a_none, a_all, j_real == j, b_all)
        while True:
            # Each turn takes one block of arcs of the first graph times one block of arcs of
            # reader ``base``; position -1 stands for standing still.
            i0, i1, j0, j1, state, penalty = 0, 0, 0, 0, _whole(0), best[s]
            if closing:
                if turn == 0:
                    if b_alone >= 0:
                        i0, i1, j0, j1, state = -1, 0, j, j_real, b_alone
                else:
                    base = turn + 1
                    if base > last:
                        break
                    node = _whole(nodes[s, base])
                    j0 = _whole(r_offsets[node + base - 1])
                    j1 = _seek(r_labels, r_arcs, j0, _whole(r_offsets[node + base]), _whole(0))
                    _, state, _ = _epsilon_moves(
                        mode, code // place[UNIT, base] % 3, False, False, False, False
                    )
                    if state >= 0:
                        i0, i1 = -1, 0
                    to[base - 1] = nodes[s, base - 1]
                moved[base - 1] = -1
            elif turn == 0:
                if a_alone >= 0:
                    i0, i1, j0, j1, state = i, i_real, -1, 0, a_alone
            elif turn == 1:
                if together >= 0:
                    i0, i1, j0, j1, state = i, i_real, j, j_real, together
                i, j = i_real, j_real
            elif failing:
                while i < i_end and j0 == j1:
                    label = _whole(a_labels[a_arcs[i]])
                    i0 = i
                    while i < i_end and a_labels[a_arcs[i]] == label:
                        i += 1
                    i1 = i
                    j0, j1, penalty = _matching(
                        r_offsets,
                        r_arcs,
                        r_labels,
                        r_dst,
                        r_fail,
                        r_penalties,
                        _whole(0),
                        nb,
                        label,
                    )
                    penalty += best[s]
                if j0 == j1:
                    break
            else:
                while i < i_end and j < j_end:
                    la, lb = _whole(a_labels[a_arcs[i]]), _whole(r_labels[r_arcs[j]])
                    if la == lb:
                        break
                    if la < lb:
                        i = _seek(a_labels, a_arcs, i, i_end, lb)
                    else:
                        j = _seek(r_labels, r_arcs, j, j_end, la)
                if i >= i_end or j >= j_end:
                    break
                common = a_labels[a_arcs[i]]
                i0, j0 = i, j
                i, j = i + 1, j + 1
                while i < i_end and a_labels[a_arcs[i]] == common:
                    i += 1
                while j < j_end and r_labels[r_arcs[j]] == common:
                    j += 1
                i1, j1 = i, j
            turn += 1
            if base > 1:
                new_code = code + (state - code // place[UNIT, base] % 3) * place[UNIT, base]
            else:
                new_code = code + (state - own)
            for p in range(i0, i1):
                to_a, ahead = na, penalty
                if p >= 0:
                    arc_a = a_arcs[p]
                    to_a = _whole(a_dst[arc_a])
                    if not a_alive[to_a]:
                        continue
                    to[0], moved[0] = to_a, arc_a
                    ahead = penalty + a_penalties[arc_a]
                for q in range(j0, j1):
                    way, written = ahead, _whole(_EPSILON)
                    if q >= 0:
                        arc_b = r_arcs[q]
                        if not r_alive[r_dst[arc_b]]:
                            continue
                        to[base], moved[base] = r_dst[arc_b], arc_b
                        way, written = ahead + r_penalties[arc_b], _whole(r_written[arc_b])
                    else:
                        to[base], moved[base] = nodes[s, base], -1
                    # The later readers read what was written, in all ways: level by level, depth
                    # first. ``states`` are the filter states so far.
                    level, states = base, new_code
                    while True:
                        if level < last:
                            level += 1
                            node = _whole(nodes[s, level])
                            place[STATES, level], before[level] = states, way
                            if written == _EPSILON:
                                begin = _whole(r_offsets[node + level - 1])
                                end = _whole(r_offsets[node + level])
                                real = _seek(r_labels, r_arcs, begin, end, _whole(0))
                                alone, _, both = _epsilon_moves(
                                    mode,
                                    code // place[UNIT, level] % 3,
                                    False,
                                    False,
                                    real == begin,
                                    real == end and r_final[node] < 0,
                                )
                                place[STILL, level], place[MOVING, level] = alone, both
                                # The position before the first stands for standing still.
                                place[AHEAD, level] = begin - 1 if alone >= 0 else begin
                                place[MOVES, level] = begin
                                place[END, level] = real if both >= 0 else begin
                            else:
                                begin, end, backed = _matching(
                                    r_offsets, r_arcs, r_labels, r_dst, r_fail, r_penalties,
                                    level - 1, node, written,
                                )  # fmt: skip
                                place[MOVING, level] = 0
                                before[level] += backed
                                place[AHEAD, level], place[MOVES, level] = begin, begin
                                place[END, level] = end
                        elif not way > -np.inf:
                            counts[STATUS] = BAD
                        elif way <= least[to_a] + beam:
                            # Arrive.
                            to[width - 1] = states
                            at = _slot(slots, nodes, to, first)
                            t = _whole(slots[at])
                            fresh = t < first
                            if (
                                num_arcs == len(arcs)
                                or size == len(heap)
                                or (fresh and tokens == most_tokens)
                            ):
                                counts[TOKENS], counts[ARCS], counts[HEAP] = (
                                    tokens, num_arcs, size,
                                )  # fmt: skip
                                counts[ACTIVE], counts[NEXT] = active, after_all
                                counts[PENDING] = s if closing else -1
                                counts[NOTED], counts[BEFORE] = record, arcs_before
                                return False
                            if fresh:
                                t = tokens
                                tokens += 1
                                slots[at] = t
                                for c in range(width):
                                    nodes[t, c] = to[c]
                                best[t], notes[t, HOPS], notes[t, KEPT] = np.inf, 0, 0
                                notes[t, LINK] = there[to_a, 0]
                                there[to_a, 0] = t
                                there[to_a, 1] += 1
                            if closing:
                                # An improvement below rounding does not count, so that a cycle of
                                # penalty zero ends.
                                margin = 0.0
                                if best[t] < np.inf:
                                    margin = 1e-12 * max(1.0, abs(best[t]))
                                if fresh or way < best[t] - margin:
                                    best[t] = way
                                    least[to_a] = min(way, least[to_a])
                                    notes[t, HOPS] = notes[s, HOPS] + 1
                                    if notes[t, HOPS] > there[to_a, 1]:
                                        counts[STATUS], counts[AT] = NEGATIVE, t
                                    _push(keys, heap, size, way, t)
                                    size += 1
                            elif way < best[t]:
                                best[t] = way
                                least[to_a] = min(way, least[to_a])
                            if record:
                                arcs[num_arcs, 0], arcs[num_arcs, 1] = s, t
                                for c in range(last + 1):
                                    arcs[num_arcs, 2 + c] = moved[c]
                                ways[num_arcs] = way
                                num_arcs += 1
                        while level > base and place[AHEAD, level] >= place[END, level]:
                            level -= 1
                        while level > base:
                            position = place[AHEAD, level]
                            place[AHEAD, level] += 1
                            if position < place[MOVES, level]:
                                to[level], moved[level] = nodes[s, level], -1
                                state, written, way = place[STILL, level], _whole(_EPSILON), 0.0
                                break
                            arc = r_arcs[position]
                            to[level], moved[level] = r_dst[arc], arc
                            state, written = place[MOVING, level], _whole(r_written[arc])
                            way = r_penalties[arc]
                            if r_alive[r_dst[arc]]:
                                break
                            while level > base and place[AHEAD, level] >= place[END, level]:
                                level -= 1
                        if level == base:
                            break
                        way += before[level]
                        states = place[STATES, level]
                        states += (state - states // place[UNIT, level] % 3) * place[UNIT, level]
            if counts[STATUS] != FINE:
                counts[TOKENS], counts[ARCS] = tokens, num_arcs
                return True
        s = _whole(-1)
        if not closing:
            after_all += 1
    counts[TOKENS], counts[ARCS], counts[HEAP] = tokens, num_arcs, size
    return True


@njit(cache=True, nogil=True)
def _latest(x: Search, n: int, latest: float, max_active: int) -> Any:
    """Return a bound, at most ``latest``, on the penalties of a node's ``max_active`` best tokens.

    Worse tokens will not be followed. By counting: O(tokens there).
    """
    if x.there[n, 1] <= max_active:
        return latest
    top, t = x.least[n], _whole(x.there[n, 0])
    while t >= 0:
        if x.best[t] < np.inf:
            top = max(top, x.best[t])
        t = _whole(x.notes[t, LINK])
    step = (min(top, latest) - x.least[n]) / 256
    if not 0.0 < step < np.inf:
        return latest
    there = np.zeros(256, dtype=np.int64)
    t = _whole(x.there[n, 0])
    while t >= 0:
        if x.best[t] <= min(top, latest):
            there[min(255, int((x.best[t] - x.least[n]) / step))] += 1
        t = _whole(x.notes[t, LINK])
    count = 0
    for k in range(255):
        count += there[k]
        if count >= max_active:
            return min(latest, x.least[n] + (k + 2) * step)
    return latest


@njit(cache=True, nogil=True)
def _begin(
    a: Writer,
    r: Readers,
    x: Search,
    starts: Int32s,
    start_penalties: Float64s,
    begun: Int32s,
    end: int,
) -> bool:
    """Put tokens where the search begins, those of one graph of a batch; False if there is no
    room."""
    first = x.counts[FIRST]
    for s in range(x.counts[START], end):
        t = x.counts[TOKENS]
        if t == len(x.nodes) or 2 * (t - first) >= len(x.slots) or t >= len(x.heap):
            x.counts[START] = s
            return False
        useful = a.alive[starts[s, 0]]
        for c in range(starts.shape[1]):
            x.to[c] = starts[s, c]
            useful = useful and (c == 0 or r.alive[starts[s, c]])
        x.to[starts.shape[1]] = 0
        if not start_penalties[s] > -np.inf:
            x.counts[STATUS] = BAD
        if useful:
            n = x.to[0]
            x.counts[TOKENS] += 1
            x.slots[_slot(x.slots, x.nodes, x.to, first)] = t
            for c in range(len(x.to)):
                x.nodes[t, c] = x.to[c]
            x.best[t], x.notes[t, HOPS], x.notes[t, KEPT] = start_penalties[s], 0, 0
            x.notes[t, LINK], x.there[n, 0] = x.there[n, 0], t
            x.there[n, 1] += 1
            x.least[n] = min(start_penalties[s], x.least[n])
            begun[s] = t
    return True


@njit(cache=True, nogil=True)
def pass_tokens(
    a: Writer,
    r: Readers,
    x: Search,
    order: Int32s,
    order_offsets: Int32s,
    starts: Int32s,
    start_penalties: Float64s,
    start_offsets: Int32s,
    begun: Int32s,
    token_offsets: Int32s,
    mode: int,
    beam: float,
    max_active: int,
    more: bool,
) -> bool:
    """Pass tokens along the first graph, at each node those within the beam of its best one.

    At a node the tokens are taken best first, and followed through the epsilons that readers read
    there, until the next is worse than the best by more than the beam or ``max_active`` are kept;
    then these follow the arcs of the node. O(M log M) for M moves of kept tokens.

    Args:
        x: what has been found; to be called again with more room where it was full.
        order, order_offsets: nodes of the first graph in topological order, graph by graph of a
            batch, and their offsets ``[B + 1]``.
        starts: ``[S, G]``, a start node of each of the G graphs; their penalties ``[S]``, and
            ``start_offsets [B + 1]``.
        begun: ``[S]``, becomes the token of each start, or stays -1.
        token_offsets: ``[B + 1]``, becomes the offsets of the tokens of each graph.
        mode: filter, a value of ``gtn.kernels.composition.FILTERS``.
        more: whether nodes will follow the last one of ``order``, in later calls.

    Returns:
        False if a buffer is full. At the end ``x.best`` is, for each token, the least penalty of
        any token at its node of the first graph.
    """
    counts = x.counts
    if counts[EMPTIED]:
        _fill(x.slots, x.nodes, counts[FIRST], counts[TOKENS])
        counts[EMPTIED] = 0
    while counts[GRAPH] < len(order_offsets) - 1:
        graph = counts[GRAPH]
        if counts[STAGE] == CLEARING:
            for o in range(order_offsets[graph], order_offsets[graph + 1]):
                # A single first graph goes with each of a batch: its nodes are used again.
                n = order[o]
                x.there[n, 0], x.there[n, 1] = -1, 0
                x.least[n], x.arrived[n] = np.inf, np.inf
            counts[FIRST], counts[START] = counts[TOKENS], start_offsets[graph]
            counts[ORDER], counts[STAGE] = order_offsets[graph], BEGINNING
        if counts[STAGE] == BEGINNING:
            counts[BEFORE] = counts[ARCS]
            if not _begin(
                a, r, x, starts, start_penalties, begun, _whole(start_offsets[graph + 1])
            ):
                return False
            counts[STAGE] = BETWEEN
        while counts[ORDER] < order_offsets[graph + 1] and counts[STATUS] == FINE:
            n = _whole(order[counts[ORDER]])
            if counts[STAGE] == BETWEEN and x.there[n, 0] >= 0:
                x.arrived[n] = x.least[n]
                latest = _latest(x, n, x.least[n] + beam, max_active)
                size, t = _whole(0), _whole(x.there[n, 0])
                while t >= 0:
                    if x.best[t] <= latest:
                        _push(x.keys, x.heap, size, x.best[t], t)
                        size += 1
                    t = _whole(x.notes[t, LINK])
                counts[HEAP], counts[NODE], counts[ACTIVE] = size, n, 0
                counts[NEXT], counts[PENDING], counts[STAGE] = -1, -1, FOLLOWING
            if counts[STAGE] == FOLLOWING:
                if not _follow(a, r, x, counts[FIRST], mode, beam, max_active):
                    return False
                counts[STAGE] = BETWEEN
            counts[ORDER] += 1
        if counts[STATUS] != FINE or more:
            return True
        for t in range(counts[FIRST], counts[TOKENS]):
            x.best[t] = x.arrived[x.nodes[t, 0]]
        token_offsets[graph + 1] = counts[TOKENS]
        counts[GRAPH] += 1
        counts[STAGE] = CLEARING
    return True
