"""Unweighted subset construction on arrays of arcs.

A symbol here is a number >= 0 that stands for a pair of labels, or -1 for an arc that neither
reads nor writes. Arcs come grouped by source node and within a node by symbol, -1 first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

__all__ = ["MOST_SOURCES", "subset_construction"]

MOST_SOURCES = 2**31 - 1
"""The most sources that all new arcs may have together: their offsets have 32 bits."""


@njit(cache=True, nogil=True)
def _with_room(array: Any, size: int) -> Any:
    """Return the array, or a longer copy where it has no room for ``size`` entries."""
    if size <= len(array):
        return array
    longer = np.empty(max(size, 2 * len(array)), dtype=array.dtype)
    longer[: len(array)] = array
    return longer


@njit(cache=True, nogil=True)
def _hash(node: int) -> np.int64:
    """Return the hash of a node; a set's hash is the sum over its nodes, in any order."""
    x = (np.int64(node) + 1) * np.int64(-7046029254386353131)
    x = (x ^ (x >> 29)) * np.int64(-4658895280553007687)
    return x ^ (x >> 32)


@njit(cache=True, nogil=True)
def _close(
    work: Int32s,
    count: int,
    mark: Int32s,
    stamp: int,
    keep: Mask,
    useful: Mask,
    symbols: Int32s,
    dst: Int32s,
    out_offsets: Int32s,
    out_arcs: Int32s,
) -> tuple[int, np.int64]:
    """Close ``work[:count]`` under epsilon arcs, then reduce it to the nodes to keep.

    Returns:
        the new count and the hash of the set. Every node met has ``mark == stamp``.
    """
    done = 0
    while done < count:
        node = work[done]
        done += 1
        for k in range(out_offsets[node], out_offsets[node + 1]):
            arc = out_arcs[k]
            if symbols[arc] >= 0:
                break
            d = dst[arc]
            if useful[d] and mark[d] != stamp:
                mark[d] = stamp
                work[count] = d
                count += 1
    kept = 0
    code = np.int64(0)
    for i in range(count):
        node = work[i]
        if keep[node]:
            work[kept] = node
            kept += 1
            code += _hash(node)
    return kept, code


@njit(cache=True, nogil=True)
def _look_up(
    table: Int32s,
    code: np.int64,
    count: int,
    codes: Int64s,
    offsets: Int64s,
    members: Int32s,
    mark: Int32s,
    stamp: int,
) -> np.int64:
    """Return the slot of the set of nodes marked by ``stamp``, or of the free place for it.

    The set has ``count`` nodes that are kept; a stored set of equal size whose members are all
    marked is the same set.
    """
    last = len(table) - 1
    slot = code & last
    while table[slot] >= 0:
        state = table[slot]
        if codes[state] == code and offsets[state + 1] - offsets[state] == count:
            same = True
            for i in range(offsets[state], offsets[state + 1]):
                if mark[members[i]] != stamp:
                    same = False
                    break
            if same:
                return slot
        slot = (slot + 1) & last
    return slot


@njit(cache=True, nogil=True)
def _rehashed(codes: Int64s, count: int, size: int) -> Int32s:
    """Return a table of ``size`` (a power of two) slots with the first ``count`` sets."""
    table = np.full(size, -1, dtype=np.int32)
    for state in range(count):
        slot = codes[state] & (size - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = state
    return table


@njit(cache=True, nogil=True)
def subset_construction(
    symbols: Int32s,
    dst: Int32s,
    out_offsets: Int32s,
    out_arcs: Int32s,
    starts: Int32s,
    start_offsets: Int32s,
    final: Mask,
    useful: Mask,
    limit: int,
) -> tuple[Int32s, Int32s, Int32s, Int32s, Int32s, Int32s, Mask, int]:
    """Make the deterministic graphs of a batch: O(S log S) for the S arcs that leave all subsets.

    States are numbered graph by graph, within one breadth first in the order of symbols. Only
    useful nodes (on a path from a start to a final node) are walked, so the result is connected.

    Args:
        symbols, dst: of each arc, ``[A]``.
        out_offsets, out_arcs: arcs by node and symbol.
        starts, start_offsets: the starts of graph i are
            ``starts[start_offsets[i]:start_offsets[i + 1]]``.
        final, useful: of each node, ``[N]``.
        limit: the largest allowed number of states.

    Returns:
        the states' offsets by graph ``[B + 1]``; source, destination and symbol of each arc made;
        its source arcs as offsets and index; which states are final; and 0, or why all
        this is void: 1, more states than allowed, 2, more than ``MOST_SOURCES`` source arcs.
    """
    num_nodes = len(final)
    graphs = len(start_offsets) - 1
    # Subsets leave out nodes that are not final and have no arcs to walk: they make no difference.
    keep = final.copy()
    for node in range(num_nodes):
        for k in range(out_offsets[node], out_offsets[node + 1]):
            arc = out_arcs[k]
            if symbols[arc] >= 0 and useful[dst[arc]]:
                keep[node] = True
                break
    mark = np.zeros(num_nodes, dtype=np.int32)
    stamp = 0
    work = np.empty(num_nodes, dtype=np.int32)
    leaving = np.empty(16, dtype=np.int64)

    members = np.empty(max(16, num_nodes), dtype=np.int32)
    offsets = np.zeros(17, dtype=np.int64)
    codes = np.empty(16, dtype=np.int64)
    is_final = np.zeros(16, dtype=np.bool_)
    table = np.full(64, -1, dtype=np.int32)
    num_states = 0

    made_src = np.empty(16, dtype=np.int32)
    made_dst = np.empty(16, dtype=np.int32)
    made_symbol = np.empty(16, dtype=np.int32)
    source_offsets = np.zeros(17, dtype=np.int32)
    sources = np.empty(max(16, len(dst)), dtype=np.int32)
    made = 0
    num_sources = 0
    state_offsets = np.zeros(graphs + 1, dtype=np.int32)

    state = 0
    for graph in range(graphs):
        seeding = True
        while seeding or state < num_states:
            # The arcs that leave the state, in the order of symbols; those of a graph's starts
            # are one group under a symbol of their own.
            count = 0
            if seeding:
                first, past = start_offsets[graph], start_offsets[graph + 1]
                leaving = _with_room(leaving, past - first)
                for i in range(first, past):
                    if useful[starts[i]]:
                        leaving[count] = starts[i]
                        count += 1
            else:
                for i in range(offsets[state], offsets[state + 1]):
                    node = members[i]
                    leaving = _with_room(leaving, count + out_offsets[node + 1] - out_offsets[node])
                    for k in range(out_offsets[node], out_offsets[node + 1]):
                        arc = out_arcs[k]
                        if symbols[arc] >= 0 and useful[dst[arc]]:
                            leaving[count] = (np.int64(symbols[arc]) << 32) | arc
                            count += 1
                leaving[:count].sort()
                if num_sources + count > MOST_SOURCES:
                    return (
                        state_offsets,
                        made_src,
                        made_dst,
                        made_symbol,
                        source_offsets,
                        sources,
                        is_final,
                        2,
                    )
                sources = _with_room(sources, num_sources + count)
            done = 0
            while done < count:
                symbol = leaving[done] >> 32
                stamp += 1
                size = 0
                while done < count and leaving[done] >> 32 == symbol:
                    target = leaving[done] & 0xFFFFFFFF
                    if not seeding:
                        sources[num_sources] = target
                        num_sources += 1
                        target = np.int64(dst[target])
                    if mark[target] != stamp:
                        mark[target] = stamp
                        work[size] = target
                        size += 1
                    done += 1
                size, code = _close(
                    work, size, mark, stamp, keep, useful, symbols, dst, out_offsets, out_arcs
                )
                slot = _look_up(table, code, size, codes, offsets, members, mark, stamp)
                reached = table[slot]
                if reached < 0:
                    if num_states >= limit:
                        return (
                            state_offsets,
                            made_src,
                            made_dst,
                            made_symbol,
                            source_offsets,
                            sources,
                            is_final,
                            1,
                        )
                    used = offsets[num_states]
                    members = _with_room(members, used + size)
                    offsets = _with_room(offsets, num_states + 2)
                    codes = _with_room(codes, num_states + 1)
                    is_final = _with_room(is_final, num_states + 1)
                    offsets[num_states + 1] = used + size
                    codes[num_states] = code
                    is_final[num_states] = False
                    for i in range(size):
                        members[used + i] = work[i]
                        is_final[num_states] |= final[work[i]]
                    reached = np.int32(num_states)
                    table[slot] = reached
                    num_states += 1
                    if 2 * num_states > len(table):
                        table = _rehashed(codes, num_states, 4 * len(table))
                if not seeding:
                    made_src = _with_room(made_src, made + 1)
                    made_dst = _with_room(made_dst, made + 1)
                    made_symbol = _with_room(made_symbol, made + 1)
                    source_offsets = _with_room(source_offsets, made + 2)
                    made_src[made] = state
                    made_dst[made] = reached
                    made_symbol[made] = symbol
                    made += 1
                    source_offsets[made] = num_sources
            if seeding:
                seeding = False
            else:
                state += 1
        state_offsets[graph + 1] = num_states
    return (
        state_offsets,
        made_src[:made].copy(),
        made_dst[:made].copy(),
        made_symbol[:made].copy(),
        source_offsets[: made + 1].copy(),
        sources[:num_sources].copy(),
        is_final[:num_states].copy(),
        0,
    )
