"""The minimal acyclic automaton of a set of strings, built string by string.

Daciuk, Mihov, Watson and Watson (2000), for sorted strings, with penalties and outputs: only the
way to the latest string is kept of the trie; a node that no later string can pass is done, and is
replaced by an existing node with the same future, if there is one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

__all__ = ["Automaton", "minimal_automaton"]

_NONE = -1
# Columns of an arc: input label (-1: none), output (-1: none), destination.
_READS, _WRITES, _LEADS = 0, 1, 2


class Automaton(NamedTuple):
    """N nodes, A arcs; every string begins at the last node and ends at node 0."""

    offsets: Int32s  # [N + 1]: the arcs of each node
    arcs: Int32s  # [A, 3]: what an arc reads, what it writes, where it leads
    penalties: Int64s  # [A]
    finals: Int64s  # [N]: penalty of ending at a node, or -1
    least: int  # least penalty of a string


@njit(cache=True, nogil=True)
def _mixed(mixed: np.uint64, value: int) -> np.uint64:
    """Return a hash with one more number mixed in."""
    mixed = (mixed ^ np.uint64(np.int64(value))) * np.uint64(0x9E3779B97F4A7C15)
    return mixed ^ (mixed >> np.uint64(29))


@njit(cache=True, nogil=True)
def _hash(arcs: Int32s, penalties: Int64s, first: int, end: int, final: int) -> np.uint64:
    """Return a hash of a node: of its arcs, in order, and of its final penalty."""
    mixed = _mixed(np.uint64(0), final)
    for a in range(first, end):
        for c in range(3):
            mixed = _mixed(mixed, arcs[a, c])
        mixed = _mixed(mixed, penalties[a])
    return mixed


@njit(cache=True, nogil=True)
def minimal_automaton(
    letters: Int32s, offsets: Int64s, penalties: Int64s, words: Int32s, longest: int
) -> tuple[Int32s, Int32s, Int64s, Int64s, Any]:
    """Return the minimal automaton of a set of strings, as the fields of :class:`Automaton`.

    The penalty of a string lies as near to the start as the others allow: what is left at each
    node is zero for its best string. With outputs, a string's output is on the first arc after
    which no other output is left; where one is left at its end, on an arc that reads nothing and
    leads to node 0. A string that is there several times has one such arc for each of its
    outputs; without outputs, the least of its penalties. O(letters in all), and memory for the
    automaton and as many numbers.

    Args:
        letters: of all strings, concatenated, >= 0.
        offsets: ``[W + 1]``, where each begins; none is empty, W >= 1. Strings that begin alike
            stand together, and none stands before one that it begins with.
        penalties: ``[W]``, >= 0.
        words: ``[W]``, the output of each, >= 0; or ``[0]`` for no outputs. Equal strings have
            different outputs, those of smaller number first.
        longest: length of the longest string.
    """
    writing = len(words) > 0
    # Each letter makes at most one arc, and so does each end within another string.
    room = len(letters) + (len(penalties) if writing else 0)
    node_offsets = np.zeros(len(letters) + 3, dtype=np.int32)
    arcs = np.empty((room, 3), dtype=np.int32)
    weights = np.empty(room, dtype=np.int64)
    finals = np.empty(len(letters) + 2, dtype=np.int64)
    hashes = np.empty(len(letters) + 2, dtype=np.uint64)
    # Node 0 has no arc.
    finals[0], nodes = 0, 1
    hashes[0] = _hash(arcs, weights, 0, 0, 0)
    slots = np.full(1024, _NONE, dtype=np.int32)
    slots[hashes[0] & np.uint64(1023)] = 0
    # The way to the latest string: arcs of the nodes on it, those of node d from first[d] on. The
    # last arc of a node leads on; its ``ahead`` is known when the next node is done.
    stack = np.empty((room + 1, 3), dtype=np.int32)
    ahead = np.empty(room + 1, dtype=np.int64)
    first = np.zeros(longest + 2, dtype=np.int64)
    end_penalty = np.full(longest + 1, _NONE, dtype=np.int64)
    end_word = np.full(longest + 1, _NONE, dtype=np.int32)
    depth, top = 0, 0
    least = np.int64(0)
    for w in range(len(penalties) + 1):
        # How much of its beginning the next string shares; after the last, all nodes are done.
        common, length, begin = _NONE, 0, offsets[min(w, len(penalties) - 1)]
        if w < len(penalties):
            length = offsets[w + 1] - begin
            common = 0
            before = offsets[w - 1] if w > 0 else begin
            while (
                w > 0
                and common < min(length, depth)
                and letters[begin + common] == letters[before + common]
            ):
                common += 1
        while depth > common:
            low = first[depth]
            final = end_penalty[depth]
            word = np.int32(_NONE)
            if writing and depth > 0:
                # If only one output is left, it has been written before this node.
                word = end_word[depth] if final >= 0 else stack[low, _WRITES]
                for a in range(low, top):
                    if stack[a, _WRITES] != word:
                        word = np.int32(_NONE)
                for a in range(low, top):
                    if word >= 0:
                        stack[a, _WRITES] = _NONE
            # Otherwise an end is an arc that reads nothing, in front, after those of equal strings.
            if writing and final >= 0 and word < 0:
                here = low
                while here < top and stack[here, _READS] == _NONE:
                    here += 1
                for a in range(top, here, -1):
                    for c in range(3):
                        stack[a, c] = stack[a - 1, c]
                    ahead[a] = ahead[a - 1]
                stack[here, _READS], stack[here, _LEADS] = _NONE, 0
                stack[here, _WRITES], ahead[here] = end_word[depth], final
                top += 1
                final = _NONE
            least = final
            for a in range(low, top):
                if least < 0 or ahead[a] < least:
                    least = ahead[a]
            for a in range(low, top):
                ahead[a] -= least
            if final >= 0:
                final -= least
            mixed = _hash(stack, ahead, low, top, final)
            mask = len(slots) - 1
            at = np.int64(mixed & np.uint64(mask))
            node = np.int64(_NONE)
            while slots[at] >= 0:
                other = slots[at]
                start = node_offsets[other]
                if (
                    hashes[other] == mixed
                    and finals[other] == final
                    and node_offsets[other + 1] - start == top - low
                ):
                    same = True
                    for a in range(top - low):
                        same = same and weights[start + a] == ahead[low + a]
                        for c in range(3):
                            same = same and arcs[start + a, c] == stack[low + a, c]
                    if same:
                        node = np.int64(other)
                        break
                at = (at + 1) & mask
            if node < 0:
                node = np.int64(nodes)
                start = node_offsets[nodes]
                for a in range(top - low):
                    weights[start + a] = ahead[low + a]
                    for c in range(3):
                        arcs[start + a, c] = stack[low + a, c]
                hashes[node], finals[node] = mixed, final
                node_offsets[node + 1] = start + top - low
                slots[at] = node
                nodes += 1
                if 2 * nodes > len(slots):
                    slots = np.full(4 * len(slots), _NONE, dtype=np.int32)
                    mask = len(slots) - 1
                    for n in range(nodes):
                        at = np.int64(hashes[n] & np.uint64(mask))
                        while slots[at] >= 0:
                            at = (at + 1) & mask
                        slots[at] = n
            top = low
            depth -= 1
            if depth >= 0:
                # The arc that led here.
                stack[top - 1, _LEADS], stack[top - 1, _WRITES] = node, word
                ahead[top - 1] = least
        for k in range(max(common, 0), length):
            stack[top, _READS], stack[top, _WRITES] = letters[begin + k], _NONE
            stack[top, _LEADS] = _NONE
            top += 1
            depth += 1
            first[depth] = top
            end_penalty[depth] = _NONE
        if w < len(penalties):
            penalty = penalties[w]
            if common == length and not writing:  # the previous string again
                penalty = min(penalty, end_penalty[depth])
            elif common == length:
                stack[top, _READS], stack[top, _LEADS] = _NONE, 0
                stack[top, _WRITES], ahead[top] = end_word[depth], end_penalty[depth]
                top += 1
            end_penalty[depth] = penalty
            if writing:
                end_word[depth] = words[w]
    count = node_offsets[nodes]
    return (
        node_offsets[: nodes + 1].copy(),
        arcs[:count].copy(),
        weights[:count].copy(),
        finals[:nodes].copy(),
        least,
    )
