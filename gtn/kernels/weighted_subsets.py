"""Weighted subset construction: sets of nodes, each with what it owes in penalty and output.

A symbol here is a number >= 0 that stands for what an arc reads, or -1 for an arc that reads
nothing. Arcs come grouped by source node and within a node by symbol, -1 first.
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

__all__ = ["OTHER_END", "OTHER_OUTPUT", "TOO_LONG", "TOO_MANY", "Machine", "weighted_subsets"]

TOO_MANY, OTHER_OUTPUT, OTHER_END, TOO_LONG = 1, 2, 3, 4


class Machine(NamedTuple):
    """The graphs to determinize: arcs ``[A]``, nodes ``[N]``, starts ``[S]``; no penalty is inf."""

    symbols: Int32s
    olabels: Int32s
    src: Int32s
    dst: Int32s
    penalties: Float64s
    out_offsets: Int32s  # arcs by node and symbol
    out_arcs: Int32s
    out_symbols: Int32s
    starts: Int32s
    start_penalties: Float64s
    start_offsets: Int32s  # starts of graph i: [start_offsets[i], start_offsets[i + 1])
    final: Mask
    rank: Int32s  # increases along arcs that read nothing


class Landing(NamedTuple):
    """What a group of arcs reaches, by node, where ``mark`` is the group's stamp."""

    mark: Int64s
    nodes: Int32s  # the nodes reached, as a list
    penalty: Float64s
    string: Int32s
    place: Int64s  # which element a node is


class Read(NamedTuple):
    """The symbols that arcs leaving a subset read."""

    symbols: Int32s  # in order
    ends: Int32s  # by symbol: where its arcs end in a list; 0 where none reads it


class Strings(NamedTuple):
    """A trie of output strings; string 0 is empty."""

    trie: Int32s  # [3, …]: parent, last label and length of each string
    table: Int32s
    used: int


# Rows of tables, int64, that grow to the right.
NODE, STRING = 0, 1  # of elements, beside their residuals
SRC, DST, SYMBOL, OUTPUT, KEPT, BASE, STEP = range(7)  # of groups; elements and steps begin there
CODE, GROUP, LAST = range(3)  # of states


@njit(cache=True, nogil=True)
def _with_room(table: Any, size: int) -> Any:
    """Return the table, or a longer copy where it has no room for ``size`` columns."""
    rows, room = table.shape
    if size <= room:
        return table
    longer = np.empty((rows, max(size, 2 * room)), dtype=table.dtype)
    longer[:, :room] = table
    return longer


@njit(cache=True, nogil=True)
def _hash(number: Any) -> Any:
    """Return a scrambled number; a set's hash is the sum over its members, in any order."""
    x = (np.int64(number) + 1) * np.int64(-7046029254386353131)
    x = (x ^ (x >> 29)) * np.int64(-4658895280553007687)
    return x ^ (x >> 32)


@njit(cache=True, nogil=True)
def _plus(p: float, q: float, tropical: bool) -> Any:
    """Return the penalty of two ways together: the least, or minus log of the sum of masses."""
    least = min(p, q)
    if tropical or least == np.inf:
        return least
    return least - np.log1p(np.exp(least - max(p, q)))


@njit(cache=True, nogil=True)
def _with_string_room(strings: Strings, more: int) -> Strings:
    trie, table, used = strings
    if used + more <= trie.shape[1]:
        return strings
    longer = _with_room(trie, used + more)
    size = len(table)
    while size < 2 * longer.shape[1]:
        size *= 2
    table = np.full(size, -1, dtype=np.int32)
    for s in range(1, used):
        slot = _hash((np.int64(longer[0, s]) << 32) | longer[1, s]) & (size - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = s
    return Strings(longer, table, used)


@njit(cache=True, nogil=True)
def _appended(strings: Strings, string: Any, label: int) -> tuple[Any, Strings]:
    """Return the string with one more label (-1: none)."""
    if label < 0:
        return np.int32(string), strings
    trie, table, used = _with_string_room(strings, 1)
    last = len(table) - 1
    slot = _hash((np.int64(string) << 32) | label) & last
    while table[slot] >= 0:
        s = table[slot]
        if trie[0, s] == string and trie[1, s] == label:
            return np.int32(s), Strings(trie, table, used)
        slot = (slot + 1) & last
    table[slot] = used
    trie[0, used], trie[1, used], trie[2, used] = string, label, trie[2, string] + 1
    return np.int32(used), Strings(trie, table, used + 1)


@njit(cache=True, nogil=True)
def _common(strings: Strings, a: Any, b: Any) -> Any:
    """Return the longest common prefix of two strings: where they meet on the way to the root."""
    trie = strings.trie
    while a != b:
        if trie[2, a] >= trie[2, b]:
            a = trie[0, a]
        else:
            b = trie[0, b]
    return np.int32(a)


@njit(cache=True, nogil=True)
def _without_prefix(strings: Strings, string: Any, length: int) -> tuple[Any, Strings]:
    """Return the string without its first ``length`` labels."""
    if length == 0:
        return np.int32(string), strings
    labels = np.empty(strings.trie[2, string] - length, dtype=np.int32)
    for i in range(len(labels) - 1, -1, -1):
        labels[i] = strings.trie[1, string]
        string = strings.trie[0, string]
    rest = np.int32(0)
    for label in labels:
        rest, strings = _appended(strings, rest, label)
    return rest, strings


@njit(cache=True, nogil=True)
def _land(
    landing: Landing, size: int, stamp: int, node: int, way: float, string: Any, tropical: bool
) -> tuple[int, bool]:
    """Reach a node one way more; return how many nodes are reached, and if outputs differ."""
    if landing.mark[node] != stamp:
        landing.mark[node] = stamp
        landing.nodes[size] = node
        landing.penalty[node], landing.string[node] = way, string
        return size + 1, False
    landing.penalty[node] = _plus(landing.penalty[node], way, tropical)
    return size, landing.string[node] != string


@njit(cache=True, nogil=True)
def _close(
    m: Machine,
    landing: Landing,
    size: int,
    stamp: int,
    silent: Int64s,
    strings: Strings,
    tropical: bool,
) -> tuple[int, Int64s, int, Strings, int]:
    """Follow arcs that read nothing, in the order of ranks, so that all ways to a node are met.

    Returns:
        how many nodes are reached; the arcs followed, ``[1, …]``, and how many; and a node that
        is reached with two different outputs, or -1.
    """
    seen = size  # first which nodes: marked with -stamp until a way to them is added
    done, count, other = 0, 0, -1
    while done < seen:
        node = landing.nodes[done]
        done += 1
        for k in range(m.out_offsets[node], m.out_offsets[node + 1]):
            arc = m.out_arcs[k]
            if m.symbols[arc] >= 0:
                break
            d = m.dst[arc]
            count += 1
            if abs(landing.mark[d]) != stamp:
                landing.mark[d] = -stamp
                landing.nodes[seen] = d
                seen += 1
    silent = _with_room(silent, count)
    if count == 0:
        return size, silent, 0, strings, other
    by_rank = np.empty(seen, dtype=np.int64)
    for i in range(seen):
        by_rank[i] = (np.int64(m.rank[landing.nodes[i]]) << 32) | landing.nodes[i]
    by_rank.sort()
    count = 0
    for ranked in by_rank:
        node = ranked & 0xFFFFFFFF
        for k in range(m.out_offsets[node], m.out_offsets[node + 1]):
            arc = m.out_arcs[k]
            if m.symbols[arc] >= 0:
                break
            way = landing.penalty[node] + m.penalties[arc]
            string, strings = _appended(strings, landing.string[node], m.olabels[arc])
            size, differ = _land(landing, size, stamp, m.dst[arc], way, string, tropical)
            if differ:
                other = m.dst[arc]
            silent[0, count] = arc
            count += 1
    return size, silent, count, strings, other


@njit(cache=True, nogil=True)
def _settle(
    landing: Landing, size: int, keep: Mask, base: int, elements: Int64s, residuals: Float64s
) -> int:
    """Make elements of the nodes reached: those to keep in increasing order, then the others."""
    kept, others = 0, 0
    for node in landing.nodes[:size]:
        if keep[node]:
            elements[NODE, base + kept] = node
            kept += 1
        else:
            others += 1
            elements[NODE, base + size - others] = node
    for e in range(base + 1, base + kept):
        if elements[NODE, e - 1] > elements[NODE, e]:
            elements[NODE, base : base + kept].sort()
            break
    for e in range(base, base + size):
        node = elements[NODE, e]
        landing.place[node] = e
        elements[STRING, e], residuals[0, e] = landing.string[node], landing.penalty[node]
    return kept


@njit(cache=True, nogil=True)
def _normalize(
    elements: Int64s,
    residuals: Float64s,
    base: int,
    past: int,
    strings: Strings,
    outputs: bool,
    tropical: bool,
) -> tuple[Any, Any, float, int, Strings]:
    """Take the common output and the total penalty from the elements to keep.

    Returns:
        the common output (none unless ``outputs``); a hash of nodes and strings; a mean of the
        residuals; the length of the longest string left.
    """
    total, common = np.inf, np.int32(elements[STRING, base])
    for e in range(base, past):
        total = _plus(total, residuals[0, e], tropical)
        if common != elements[STRING, e]:
            common = _common(strings, common, elements[STRING, e])
    if not outputs:
        common = np.int32(0)
    code, mean, parts, longest = np.int64(0), 0.0, 0.0, 0
    for e in range(base, past):
        string = np.int32(elements[STRING, e])
        if common != 0:
            string, strings = _without_prefix(strings, string, strings.trie[2, common])
            elements[STRING, e] = string
        longest = max(longest, strings.trie[2, string])
        residuals[0, e] -= total
        scrambled = _hash((np.int64(string) << 32) | elements[NODE, e])
        code += scrambled
        part = 1.0 + (scrambled & 1023)
        parts += part
        mean += part * residuals[0, e]
    return common, code, mean / parts, longest, strings


@njit(cache=True, nogil=True)
def _cell(mean: float, delta: float) -> Any:
    """Return a hash of the cell of a mean; means within delta lie in one cell or in neighbours."""
    return _hash(np.int64(min(max(np.floor(mean / max(4 * delta, 1e-12)), -4e18), 4e18)))


@njit(cache=True, nogil=True)
def _find(
    slots: Int32s,
    code: np.int64,
    states: Int64s,
    groups: Int64s,
    elements: Int64s,
    residuals: Float64s,
    base: int,
    kept: int,
    delta: float,
) -> Any:
    """Return the state with these elements, their residuals within delta, or -1."""
    slot = code & (len(slots) - 1)
    while slots[slot] >= 0:
        state = slots[slot]
        slot = (slot + 1) & (len(slots) - 1)
        group = states[GROUP, state]
        same = states[CODE, state] == code and groups[KEPT, group] == kept
        e, other = base, groups[BASE, group]
        while same and e < base + kept:
            same = (
                elements[NODE, e] == elements[NODE, other]
                and elements[STRING, e] == elements[STRING, other]
                and abs(residuals[0, e] - residuals[0, other]) <= delta
            )
            e, other = e + 1, other + 1
        if same:
            return state
    return -1


@njit(cache=True, nogil=True)
def _enter(slots: Int32s, states: Int64s, state: int) -> Int32s:
    """Put the state into the hash table; in a longer one all of them, where it gets full."""
    first, size = state, len(slots)
    while 2 * (state + 1) > size:
        size *= 4
    if size > len(slots):
        slots = np.full(size, -1, dtype=np.int32)
        first = 0
    for s in range(first, state + 1):
        slot = states[CODE, s] & (len(slots) - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = s
    return slots


@njit(cache=True, nogil=True)
def _leaving(
    m: Machine, elements: Int64s, first: int, past: int, leaving: Int64s, read: Read
) -> tuple[Int64s, int]:
    """List the arcs that leave elements, by symbol, and within a symbol by element.

    Returns:
        the list (rows: element, arc), and of how many symbols it is; which they are and where the
        arcs of each end is left in ``read``.
    """
    found, count, in_order = 0, 0, True
    for e in range(first, past):
        node = elements[NODE, e]
        for k in range(m.out_offsets[node], m.out_offsets[node + 1]):
            symbol = m.out_symbols[k]
            if symbol >= 0:
                if read.ends[symbol] == 0:
                    in_order &= found == 0 or read.symbols[found - 1] < symbol
                    read.symbols[found] = symbol
                    found += 1
                read.ends[symbol] += 1
                count += 1
    if not in_order:
        read.symbols[:found].sort()
    if count > leaving.shape[1]:
        leaving = _with_room(leaving, count)
    before = 0
    for symbol in read.symbols[:found]:
        read.ends[symbol], before = before, before + read.ends[symbol]
    for e in range(first, past):
        node = elements[NODE, e]
        for k in range(m.out_offsets[node], m.out_offsets[node + 1]):
            symbol = m.out_symbols[k]
            if symbol >= 0:
                leaving[0, read.ends[symbol]] = e
                leaving[1, read.ends[symbol]] = m.out_arcs[k]
                read.ends[symbol] += 1
    return leaving, found


@njit(cache=True, nogil=True)
def weighted_subsets(
    m: Machine, tropical: bool, delta: float, limit: int, longest: int
) -> tuple[Any, ...]:
    """Make the deterministic graphs of a batch: linear in the sizes of all subsets met.

    The arcs of one symbol that leave a subset form a *group*, and so do the starts of a graph.
    A group has *elements*, the nodes that it reaches; first, in the order of their numbers, those
    kept in the subset (final, or with arcs that read). A state is the group that first led to it;
    states are numbered graph by graph, within one breadth first in the order of symbols. A *step*
    is a way to an element: from an element by an arc, or a start.

    Functions with tables as arguments are called only where they have something to do: each call
    counts references to all of them.

    Args:
        m: every node must be on a path.
        tropical: whether the least way counts, or all.
        delta: how far residual penalties of one state may be apart.
        limit, longest: the most states, and the most labels of a residual string.

    Returns:
        status (0: fine) and the node it is about; states' offsets by graph ``[B + 1]``; states
        (rows CODE: nothing; GROUP; LAST: the string owed at the end, -1: not final); groups (rows
        SRC: the state left, -1: none; DST: the state reached; SYMBOL; OUTPUT: string; KEPT: how
        many elements are kept; BASE, STEP: offsets of elements and steps, one column more); the
        elements' nodes; steps (rows: element, -1: none; element reached; arc or start); the trie.
    """
    num_nodes = len(m.final)
    keep, some_silent = m.final.copy(), False
    for arc in range(len(m.dst)):
        keep[m.src[arc]] |= m.symbols[arc] >= 0
        some_silent |= m.symbols[arc] < 0
    landing = Landing(
        np.zeros(num_nodes, dtype=np.int64),
        np.empty(num_nodes, dtype=np.int32),
        np.empty(num_nodes),
        np.empty(num_nodes, dtype=np.int32),
        np.empty(num_nodes, dtype=np.int64),
    )
    strings = Strings(np.zeros((3, 64), dtype=np.int32), np.full(128, -1, dtype=np.int32), 1)
    some = max(16, num_nodes, len(m.dst))
    elements, residuals = np.empty((2, some), dtype=np.int64), np.empty((1, some))
    steps, groups = np.empty((3, some), dtype=np.int64), np.zeros((7, some), dtype=np.int64)
    states, slots = np.empty((3, some), dtype=np.int64), np.full(64, -1, dtype=np.int32)
    leaving, silent = np.empty((2, 16), dtype=np.int64), np.empty((1, 16), dtype=np.int64)
    alone = np.full(num_nodes, -1, dtype=np.int32)  # the state that is one node and owes nothing
    dst, penalties, olabels, final = m.dst, m.penalties, m.olabels, m.final
    starts, start_penalties = m.starts, m.start_penalties
    num_symbols = max(np.int32(0), m.symbols.max()) + 1 if len(m.symbols) else 1
    read = Read(np.zeros(num_symbols, dtype=np.int32), np.zeros(num_symbols, dtype=np.int32))
    state_offsets = np.zeros(len(m.start_offsets), dtype=np.int32)
    status, where, stamp, num_states, group, state = 0, -1, 0, 0, 0, 0
    for graph in range(len(state_offsets) - 1):
        seeding = True
        while status == 0 and (seeding or state < num_states):
            if seeding:
                first = m.start_offsets[graph]
                count = m.start_offsets[graph + 1] - first
                leaving = _with_room(leaving, count)
                for i in range(count):
                    leaving[0, i], leaving[1, i] = -1, first + i
                num_symbols, read.symbols[0], read.ends[0] = min(1, count), 0, count
            else:
                first = groups[BASE, states[GROUP, state]]
                past = first + groups[KEPT, states[GROUP, state]]
                leaving, num_symbols = _leaving(m, elements, first, past, leaving, read)
            done = 0
            for i in range(num_symbols):
                if status:
                    break
                symbol, run = read.symbols[i], done
                done = read.ends[symbol]
                read.ends[symbol] = 0
                stamp += 1
                size, followed = 0, 0
                for k in range(run, done):
                    e, arc = leaving[0, k], leaving[1, k]
                    if seeding:
                        node, way, string = starts[arc], start_penalties[arc], np.int32(0)
                    else:
                        node, way = dst[arc], residuals[0, e] + penalties[arc]
                        string = np.int32(elements[STRING, e])
                        if olabels[arc] >= 0:
                            string, strings = _appended(strings, string, olabels[arc])
                    size, differ = _land(landing, size, stamp, node, way, string, tropical)
                    if differ:
                        status, where = OTHER_OUTPUT, node
                if some_silent:
                    size, silent, followed, strings, other = _close(
                        m, landing, size, stamp, silent, strings, tropical
                    )
                    if other >= 0:
                        status, where = OTHER_OUTPUT, other
                if group + 2 > groups.shape[1]:
                    groups = _with_room(groups, group + 2)
                base, step = groups[BASE, group], groups[STEP, group]
                if base + size > elements.shape[1]:
                    elements = _with_room(elements, base + size)
                    residuals = _with_room(residuals, base + size)
                if size == 1:  # what is done below, without its calls: most groups are of this kind
                    node = landing.nodes[0]
                    elements[NODE, base], elements[STRING, base], residuals[0, base] = node, 0, 0.0
                    landing.place[node] = base
                    kept, output, code, mean = 1, landing.string[node], _hash(node), 0.0
                else:
                    kept = _settle(landing, size, keep, base, elements, residuals)
                    output, code, mean, length, strings = _normalize(
                        elements, residuals, base, base + kept, strings, not seeding, tropical
                    )
                    if length > longest:
                        status, where = TOO_LONG, elements[NODE, base]
                single = kept == 1 and elements[STRING, base] == 0
                found = alone[elements[NODE, base]] if single else -1
                if not single:
                    for near in (mean - delta, mean + delta):
                        cell = code + _cell(near, delta)
                        if found < 0 and slots[cell & (len(slots) - 1)] >= 0:
                            found = _find(
                                slots, cell, states, groups, elements, residuals, base, kept, delta
                            )
                if found < 0:
                    if num_states >= limit:
                        status = TOO_MANY
                    found = num_states
                    if found + 1 > states.shape[1]:
                        states = _with_room(states, found + 1)
                    states[CODE, found], states[GROUP, found] = code + _cell(mean, delta), group
                    states[LAST, found] = -1
                    for e in range(base, base + kept):
                        if final[elements[NODE, e]]:
                            if states[LAST, found] not in (-1, elements[STRING, e]):
                                status, where = OTHER_END, elements[NODE, e]
                            states[LAST, found] = elements[STRING, e]
                    if single:
                        alone[elements[NODE, base]] = found
                    else:
                        slots = _enter(slots, states, found)
                    num_states += 1
                groups[SRC, group], groups[DST, group] = -1 if seeding else state, found
                groups[SYMBOL, group], groups[OUTPUT, group] = symbol, output
                groups[KEPT, group] = kept
                if step + done - run + followed > steps.shape[1]:
                    steps = _with_room(steps, step + done - run + followed)
                for k in range(run, done):
                    e, arc = leaving[0, k], leaving[1, k]
                    node = starts[arc] if seeding else dst[arc]
                    steps[0, step], steps[1, step], steps[2, step] = e, landing.place[node], arc
                    step += 1
                for k in range(followed):
                    arc = silent[0, k]
                    steps[0, step], steps[1, step] = (
                        landing.place[m.src[arc]],
                        landing.place[m.dst[arc]],
                    )
                    steps[2, step] = arc
                    step += 1
                group += 1
                groups[BASE, group], groups[STEP, group] = base + size, step
            state += 0 if seeding else 1
            seeding = False
        state_offsets[graph + 1] = num_states
    return (
        status,
        where,
        state_offsets,
        states[:, :num_states],
        groups[:, : group + 1],
        elements[NODE, : groups[BASE, group]],
        steps[:, : groups[STEP, group]],
        strings.trie[:, : strings.used],
    )
