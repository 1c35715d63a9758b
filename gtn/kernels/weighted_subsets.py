"""Weighted subset construction: sets of nodes, each with a residual penalty and output.

A symbol here is a number >= 0 that stands for what an arc reads, or -1 for an arc that reads
nothing. Arcs come grouped by source node and within a node by symbol, -1 first.

The arcs of one symbol that leave a subset form a *group*, and so do the starts of a graph. The
*elements* of a group are the nodes that it reaches: first, in increasing order, those kept in the
subset (final, or with arcs that read), then the others. A *state* is a subset with its residuals,
and has the elements of the group that first led to it. States are numbered graph by graph, and
within a graph as they are found: breadth first, in the order of symbols, or with a beam the best
first. A *step* is a way to an element: from an element by an arc, or from a start.

**The beam.** Each string that leads to a state has a penalty D there, such that D + r(e) is the
penalty of the best way found that reads the string and ends at the node of the element e; r(e) >= 0
is the residual of best ways, the same for all these strings. Let F be the least D over all strings
that lead to the state, h(e) the least penalty from the node of e to the end, and f = F + min over e
of (r(e) + h(e)), the least penalty of a path through the state. States are taken in the order of f.
A group is dropped if its least path exceeds the limit. In the tropical semiring an arc of a group
is dropped, too, if the least path through it does; so is the end at an element.

*F is final when a state is taken* (Dijkstra, or A* with the heuristic f - F). The heuristic depends
on the state alone. An arc from e to a node n has h(e) <= penalty + h(n), so f of the state that a
group leads to, with the D that it has by this group, is no less than f of the state it leaves.

*No string within the limit is lost.* Let P be a best path of the string w, its penalty within the
limit. For each prefix of w, let e be the node from which P reads the next symbol or at which it
ends. By induction over the prefixes, the prefix leads to a state with the element e, and D + r(e)
is the penalty of P up to e. For the step to the next prefix, take any point n on P between e and
the next such node, and p the penalty of P from e to n. D + r(e) + p is the penalty of P up to n,
h(n) is at most that of the rest of P, and F <= D: so F + r(e) + p + h(n) is at most the penalty of
P, and no arc of P is dropped. The other ways to the next such node read the same prefix; none has a
lower penalty than P up to there, or P would not be a best path of w. So it does not matter which of
them are dropped. In the same way the end of P stays.

*Penalties are exact.* In the tropical semiring w has the penalty of P. In the log semiring groups
and ends are kept or dropped as a whole, so the sums over all paths of w are complete.

*Nothing else is kept.* For each group kept, a string u leads to the state it leaves with D = F, and
u, the symbol of the group and the labels of the least way from there to the end make a string with
a path within the limit. By the above it is not lost, so it needs the group.

All this holds up to ``delta``, by which residuals of one state may differ, and up to rounding:
where equal sums round differently at the limit, a state may be left without an end.
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

__all__ = [
    "OTHER_END",
    "OTHER_OUTPUT",
    "TOO_LONG",
    "TOO_MANY",
    "Beam",
    "Machine",
    "weighted_subsets",
]

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


class Beam(NamedTuple):
    """How much the best path of a string may cost; best ways alone count here."""

    penalties: Float64s  # of the best way that an arc stands for, [A]; starts keep theirs
    behind: Float64s  # least penalty from each node to the end, [N]
    ends: Float64s  # penalty of ending at a node, inf where it is not final, [N]
    limits: Float64s  # by graph, the greatest penalty of a string's best path, [B]


class Landing(NamedTuple):
    """The nodes that a group of arcs reaches, by node; valid where ``mark`` is its stamp."""

    mark: Int64s
    nodes: Int32s  # the nodes reached, as a list
    penalty: Float64s
    least: Float64s  # of the best way alone
    string: Int32s
    place: Int64s  # the element that a node is


class Read(NamedTuple):
    """The symbols that arcs leaving a subset read."""

    symbols: Int32s  # in order
    ends: Int32s  # by symbol: where its arcs end in a list; 0 if no arc reads it


class Strings(NamedTuple):
    """A trie of output strings; string 0 is empty."""

    trie: Int32s  # [3, …]: parent, last label and length of each string
    table: Int32s
    used: int


# Rows of tables, int64, that grow to the right.
# Residuals of elements are a table of their own, whose last row is of best ways, with a beam.
NODE, STRING = 0, 1  # of elements
SRC, DST, SYMBOL, OUTPUT, KEPT, BASE, STEP = range(7)  # of groups; BASE, STEP: offsets
CODE, GROUP, LAST, FIRST = range(4)  # of states; FIRST: the first group that leaves one


@njit(cache=True, nogil=True)
def _with_room(table: Any, size: int) -> Any:
    """Return the table, or a longer copy if it has no room for ``size`` columns."""
    rows, room = table.shape
    if size <= room:
        return table
    longer = np.empty((rows, max(size, 2 * room)), dtype=table.dtype)
    longer[:, :room] = table
    return longer


@njit(cache=True, nogil=True)
def _hash(number: Any) -> Any:
    """Return the hash of a number; a set's hash is the sum over its members, in any order."""
    x = (np.int64(number) + 1) * np.int64(-7046029254386353131)
    x = (x ^ (x >> 29)) * np.int64(-4658895280553007687)
    return x ^ (x >> 32)


@njit(cache=True, nogil=True)
def _plus(p: float, q: float, tropical: bool) -> Any:
    """Return the joint penalty of two ways: the least, or minus log of the sum of masses."""
    least = min(p, q)
    if tropical or least == np.inf:
        return least
    return least - np.log1p(np.exp(least - max(p, q)))


# -- strings ---------------------------------------------------------------------------------------


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


# -- groups: the nodes that they reach -------------------------------------------------------------


@njit(cache=True, nogil=True)
def _land(
    landing: Landing,
    size: int,
    stamp: int,
    node: int,
    way: float,
    least: float,
    string: Any,
    tropical: bool,
    beam: Beam | None,
) -> tuple[int, bool]:
    """Reach a node by another way; return the number of nodes reached, and if outputs differ."""
    if landing.mark[node] != stamp:
        landing.mark[node] = stamp
        landing.nodes[size] = node
        landing.penalty[node], landing.string[node] = way, string
        if beam is not None:
            landing.least[node] = least
        return size + 1, False
    landing.penalty[node] = _plus(landing.penalty[node], way, tropical)
    if beam is not None:
        landing.least[node] = min(landing.least[node], least)
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
    beam: Beam | None,
    allowed: float,
) -> tuple[int, Int64s, int, Strings, int]:
    """Follow arcs that read nothing, in order of rank, so that all ways to a node are summed.

    In the tropical semiring with a beam, follow only arcs whose best path costs at most
    ``allowed``.

    Returns:
        how many nodes are reached; the arcs followed, ``[1, …]``, and how many; the strings; and a
        node that is reached with two different outputs, or -1.
    """
    seen = size  # first find the nodes, marked with -stamp until a way to them is added
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
        if landing.mark[node] != stamp:  # all ways to it are beyond the beam
            continue
        for k in range(m.out_offsets[node], m.out_offsets[node + 1]):
            arc = m.out_arcs[k]
            if m.symbols[arc] >= 0:
                break
            way = landing.penalty[node] + m.penalties[arc]
            least = way
            if beam is not None:
                least = landing.least[node] + beam.penalties[arc]
                path = least + beam.behind[m.dst[arc]]
                if tropical and path > allowed:
                    continue
            string, strings = _appended(strings, landing.string[node], m.olabels[arc])
            size, differ = _land(
                landing, size, stamp, m.dst[arc], way, least, string, tropical, beam
            )
            if differ:
                other = m.dst[arc]
            silent[0, count] = arc
            count += 1
    return size, silent, count, strings, other


@njit(cache=True, nogil=True)
def _settle(
    landing: Landing, size: int, keep: Mask, base: int, elements: Int64s, residuals: Float64s
) -> int:
    """Make elements of the nodes reached: those to keep, in increasing order, then the others."""
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
        elements[STRING, e] = landing.string[node]
        residuals[len(residuals) - 1, e] = landing.least[node]
        residuals[0, e] = landing.penalty[node]  # second, to win if there is only one row
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
) -> tuple[Any, Any, float, float, int, Strings]:
    """Remove the common output and the total penalty from the elements to keep.

    Returns:
        the common output (none unless ``outputs``); a hash of nodes and strings; a mean of the
        residuals; the penalty of the best way; the length of the longest string left; the strings.
    """
    last = len(residuals) - 1
    total, least, common = np.inf, np.inf, np.int32(elements[STRING, base])
    for e in range(base, past):
        total = _plus(total, residuals[0, e], tropical)
        least = min(least, residuals[last, e])
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
        if last > 0:
            residuals[last, e] -= least
        scrambled = _hash((np.int64(string) << 32) | elements[NODE, e])
        code += scrambled
        part = 1.0 + (scrambled & 1023)
        parts += part
        mean += part * residuals[0, e]
    return common, code, mean / parts, least, longest, strings


# -- states: subsets that were met before ----------------------------------------------------------


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
    """Return the state with these elements and residuals within delta, or -1."""
    slot = code & (len(slots) - 1)
    while slots[slot] >= 0:
        state = slots[slot]
        slot = (slot + 1) & (len(slots) - 1)
        group, last = states[GROUP, state], len(residuals) - 1
        same = states[CODE, state] == code and groups[KEPT, group] == kept
        e, other = base, groups[BASE, group]
        while same and e < base + kept:
            same = (
                elements[NODE, e] == elements[NODE, other]
                and elements[STRING, e] == elements[STRING, other]
                and abs(residuals[0, e] - residuals[0, other]) <= delta
                and abs(residuals[last, e] - residuals[last, other]) <= delta
            )
            e, other = e + 1, other + 1
        if same:
            return state
    return -1


@njit(cache=True, nogil=True)
def _enter(slots: Int32s, states: Int64s, state: int) -> Int32s:
    """Put the state into the hash table, or all states into a longer one if it gets full."""
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


# -- what leaves a state ---------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _starting(m: Machine, graph: int, leaving: Int64s, read: Read) -> tuple[Int64s, int]:
    """List the starts of a graph as arcs that leave nothing and read one symbol, 0."""
    first = m.start_offsets[graph]
    count = m.start_offsets[graph + 1] - first
    leaving = _with_room(leaving, count)
    for i in range(count):
        leaving[0, i], leaving[1, i] = -1, first + i
    read.symbols[0], read.ends[0] = 0, count
    return leaving, min(1, count)


@njit(cache=True, nogil=True)
def _leaving(
    m: Machine, elements: Int64s, first: int, past: int, leaving: Int64s, read: Read
) -> tuple[Int64s, int]:
    """List the arcs that leave elements, by symbol, and within a symbol by element.

    Returns:
        the list (rows: element, arc), and the number of symbols; ``read`` gets the symbols, and
        where the arcs of each end.
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
def _narrow(
    m: Machine,
    beam: Beam,
    allowed: float,
    tropical: bool,
    residuals: Float64s,
    leaving: Int64s,
    found: int,
    read: Read,
) -> int:
    """Keep the arcs in ``leaving`` through which the best path costs at most ``allowed``.

    In the log semiring keep all arcs of a symbol that has such an arc, since its penalty is their
    sum.

    Returns:
        how many symbols are left.
    """
    last, symbols, kept, done = len(residuals) - 1, 0, 0, 0
    for i in range(found):
        symbol = read.symbols[i]
        first, near = kept, False
        run, done, read.ends[symbol] = done, read.ends[symbol], 0
        for k in range(run, done):
            e, arc = leaving[0, k], leaving[1, k]
            if e < 0:
                path = m.start_penalties[arc] + beam.behind[m.starts[arc]]
            else:
                path = residuals[last, e] + beam.penalties[arc] + beam.behind[m.dst[arc]]
            near |= path <= allowed
            if not tropical or path <= allowed:
                leaving[0, kept], leaving[1, kept] = e, arc
                kept += 1
        if near:
            read.symbols[symbols], read.ends[symbol] = symbol, kept
            symbols += 1
        else:
            kept = first
    return symbols


@njit(cache=True, nogil=True)
def _ending(
    m: Machine,
    beam: Beam | None,
    allowed: float,
    tropical: bool,
    elements: Int64s,
    residuals: Float64s,
    first: int,
    past: int,
) -> tuple[Any, int]:
    """Return what is left to write where elements end, and a node at which it differs.

    With a beam, the best path that ends must cost at most ``allowed``; in the tropical semiring
    elements whose end costs more are left out.

    Returns:
        a string, -1 if nothing ends; a node that ends with another string, or -1.
    """
    string, differs, near = np.int64(-1), -1, False
    for e in range(first, past):
        node = elements[NODE, e]
        if m.final[node]:
            within = True
            if beam is not None:
                within = residuals[len(residuals) - 1, e] + beam.ends[node] <= allowed
            near |= within
            if within or not tropical:
                if string >= 0 and string != elements[STRING, e]:
                    differs = node
                string = elements[STRING, e]
    return (string if near else np.int64(-1)), differs


# -- which state is next ---------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _completion(beam: Beam, elements: Int64s, residuals: Float64s, base: int, kept: int) -> float:
    """Return the penalty of the best path from a subset to the end."""
    least = np.inf
    for e in range(base, base + kept):
        path = residuals[len(residuals) - 1, e] + beam.behind[elements[NODE, e]]
        least = min(least, path)
    return least


@njit(cache=True, nogil=True)
def _push(queue: Float64s, size: int, key: float, state: int) -> Float64s:
    """Put a state into a heap of ``size`` states; rows: key, state."""
    if size + 1 > queue.shape[1]:
        queue = _with_room(queue, size + 1)
    i = size
    while i > 0 and key < queue[0, (i - 1) // 2]:
        queue[0, i], queue[1, i] = queue[0, (i - 1) // 2], queue[1, (i - 1) // 2]
        i = (i - 1) // 2
    queue[0, i], queue[1, i] = key, state
    return queue


@njit(cache=True, nogil=True)
def _pop(queue: Float64s, size: int) -> tuple[Any, Any]:
    """Take the least key and its state from a heap of ``size`` states."""
    key, state = queue[0, 0], np.int64(queue[1, 0])
    i, child, last = 0, 1, size - 1
    while child < last:
        if child + 1 < last and queue[0, child + 1] < queue[0, child]:
            child += 1
        if queue[0, last] <= queue[0, child]:
            break
        queue[0, i], queue[1, i] = queue[0, child], queue[1, child]
        i, child = child, 2 * child + 1
    queue[0, i], queue[1, i] = queue[0, last], queue[1, last]
    return key, state


# -- the construction ------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def weighted_subsets(
    m: Machine, tropical: bool, delta: float, limit: int, longest: int, beam: Beam | None
) -> tuple[Any, ...]:
    """Make the deterministic graphs of a batch, in time linear in the sizes of all subsets.

    (Up to the logarithms of sorting and, with a beam, of a heap of states.) The module says what
    states, groups, elements and steps are.

    Functions with tables as arguments are called only if they have something to do: each call
    counts references to all tables.

    Args:
        m: every node must be on a path.
        tropical: whether only the least way counts, or all.
        delta: how much residual penalties of one state may differ.
        limit, longest: the most states, and the most labels of a residual string.
        beam: None keeps everything. (Compiled separately, for speed.)

    Returns:
        status (0: fine) and the node it is about; how far f of the last state taken is below the
        limit of its graph (without a beam, inf); offsets of states by graph ``[B + 1]``; states
        (rows GROUP; LAST: the string still to be written at the end, -1: not final; FIRST: the
        first group that leaves the state, or one of another state if none does); groups (rows
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
        np.empty(num_nodes),
        np.empty(num_nodes, dtype=np.int32),
        np.empty(num_nodes, dtype=np.int64),
    )
    strings = Strings(np.zeros((3, 64), dtype=np.int32), np.full(128, -1, dtype=np.int32), 1)
    some = max(16, num_nodes, len(m.dst))
    last = 0  # the row of residuals of the best way
    if beam is not None:
        last = 0 if tropical else 1
    elements, residuals = np.empty((2, some), dtype=np.int64), np.empty((last + 1, some))
    ahead, queue, waiting, allowed, left = np.empty((1, 16)), np.empty((2, 16)), 0, np.inf, np.inf
    steps, groups = np.empty((3, some), dtype=np.int64), np.zeros((7, some), dtype=np.int64)
    states, slots = np.empty((4, some), dtype=np.int64), np.full(64, -1, dtype=np.int32)
    leaving, silent = np.empty((2, 16), dtype=np.int64), np.empty((1, 16), dtype=np.int64)
    alone = np.full(num_nodes, -1, dtype=np.int32)  # by node: the state of it alone, owing nothing
    dst, penalties, olabels, final = m.dst, m.penalties, m.olabels, m.final
    starts, start_penalties = m.starts, m.start_penalties
    most = max(np.int32(0), m.symbols.max()) + 1 if len(m.symbols) else 1
    read = Read(np.zeros(most, dtype=np.int32), np.zeros(most, dtype=np.int32))
    state_offsets = np.zeros(len(m.start_offsets), dtype=np.int32)
    status, where, stamp, num_states, group, state = 0, -1, 0, 0, 0, 0
    for graph in range(len(state_offsets) - 1):
        seeding = True
        while status == 0 and (seeding or waiting > 0):
            if seeding:
                leaving, num_symbols = _starting(m, graph, leaving, read)
                before = 0.0
            else:
                waiting -= 1
                if beam is not None:
                    key, state = _pop(queue, waiting + 1)
                    if states[FIRST, state] >= 0:
                        continue
                    left, before = beam.limits[graph] - key, ahead[0, state]
                states[FIRST, state] = group
                first = groups[BASE, states[GROUP, state]]
                past = first + groups[KEPT, states[GROUP, state]]
                leaving, num_symbols = _leaving(m, elements, first, past, leaving, read)
            if beam is not None:
                allowed = beam.limits[graph] - before
                num_symbols = _narrow(
                    m, beam, allowed, tropical, residuals, leaving, num_symbols, read
                )
            ends = False
            if not seeding:
                for e in range(first, past):
                    ends |= final[elements[NODE, e]]
            if ends:
                states[LAST, state], other = _ending(
                    m, beam, allowed, tropical, elements, residuals, first, past
                )
                if other >= 0:
                    status, where = OTHER_END, other
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
                        least = way
                    else:
                        node, way = dst[arc], residuals[0, e] + penalties[arc]
                        least = way
                        if beam is not None:
                            least = residuals[last, e] + beam.penalties[arc]
                        string = np.int32(elements[STRING, e])
                        if olabels[arc] >= 0:
                            string, strings = _appended(strings, string, olabels[arc])
                    size, differ = _land(
                        landing, size, stamp, node, way, least, string, tropical, beam
                    )
                    if differ:
                        status, where = OTHER_OUTPUT, node
                if some_silent:
                    size, silent, followed, strings, other = _close(
                        m, landing, size, stamp, silent, strings, tropical, beam, allowed
                    )
                    if other >= 0:
                        status, where = OTHER_OUTPUT, other
                if group + 2 > groups.shape[1]:
                    groups = _with_room(groups, group + 2)
                base, step = groups[BASE, group], groups[STEP, group]
                if base + size > elements.shape[1]:
                    elements = _with_room(elements, base + size)
                    residuals = _with_room(residuals, base + size)
                if size == 1:  # as below, but without calls: most groups are like this
                    node = landing.nodes[0]
                    elements[NODE, base], elements[STRING, base] = node, 0
                    residuals[0, base], landing.place[node] = 0.0, base
                    if beam is not None:
                        residuals[last, base], least = 0.0, landing.least[node]
                    kept, output, code, mean = 1, landing.string[node], _hash(node), 0.0
                else:
                    kept = _settle(landing, size, keep, base, elements, residuals)
                    if kept == 0:  # at the limit, equal sums were rounded differently
                        continue
                    output, code, mean, least, length, strings = _normalize(
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
                    states[LAST, found] = states[FIRST, found] = -1
                    if beam is None:
                        waiting += 1
                    else:
                        ahead = _with_room(ahead, found + 1)
                        ahead[0, found] = np.inf
                    if single:
                        alone[elements[NODE, base]] = found
                    else:
                        slots = _enter(slots, states, found)
                    num_states += 1
                if beam is not None:
                    way = before + least
                    if states[FIRST, found] < 0 and way < ahead[0, found]:
                        key = way + _completion(beam, elements, residuals, base, kept)
                        queue, ahead[0, found] = _push(queue, waiting, key, found), way
                        waiting += 1
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
            if beam is None and not seeding:
                state += 1
            seeding = False
        state_offsets[graph + 1] = num_states
    return (
        status,
        where,
        left,
        state_offsets,
        states[GROUP:, :num_states],
        groups[:, : group + 1],
        elements[NODE, : groups[BASE, group]],
        steps[:, : groups[STEP, group]],
        strings.trie[:, : strings.used],
    )
