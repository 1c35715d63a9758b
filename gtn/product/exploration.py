"""Exploration: which pairs of nodes two graphs reach together when a function pairs their arcs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtn.errors import GraphError
from gtn.kernels.composition import FILTERS, Operand, number
from gtn.product.sides import operand
from gtn.product.tuples import Product, columns, common_length, filter_mode, trimmed
from gtn.symbols import EPSILON
from gtn.topology import Topology

__all__ = ["Check", "explored"]

Ints = NDArray[Any]
Check = Callable[[NDArray[np.int32], NDArray[np.int32]], Any]
Moves = tuple[Ints, Ints, Ints, Ints]
_BLOCK = 1 << 20


def explored(a: Topology, b: Topology, check: Check, filter: str) -> Product:
    """Return the trimmed product of two graphs whose arcs pair up as a function says.

    Breadth first, all nodes of a level at once; ``check`` is called in blocks for the pairs of arcs
    that leave them. Arguments and errors as in :func:`gtn.transduction.transduce`.
    """
    mode = filter_mode(filter)
    graphs = common_length(a, b)
    left = operand(a, a.olabels, a.outgoing_by_olabel)
    right = operand(b, b.ilabels, b.outgoing_by_ilabel)
    steps = _Steps(left, right, mode, check)
    starts = _start_pairs(left, right, graphs)
    level = _rows(left.starts[starts[0]], right.starts[starts[1]], 0 * starts[0])
    nodes, slots = np.empty((16, 3), dtype=np.int32), np.full(16, -1, dtype=np.int32)
    _, nodes, slots, count = number(level, nodes, slots, 0)
    found, done = [np.empty((0, 4), dtype=np.int32)], 0
    while done < count:
        owner, to, arc_a, arc_b = steps.of(nodes[done:count])
        owner, done = owner + done, count
        numbers, nodes, slots, count = number(to, nodes, slots, count)
        found.append(_rows(owner, numbers, arc_a, arc_b))
    nodes, arcs = nodes[:count], np.concatenate(found)
    return trimmed(a, b, columns(*_by_graph(a, b, graphs, nodes, arcs, starts)), left, right)


def _start_pairs(left: Operand, right: Operand, graphs: int) -> Ints:
    """Return the starts of both sides in each pair of starts, ``[2, S]``, graph by graph."""
    pairs = [np.empty((2, 0), dtype=np.int64)]
    for graph in range(graphs):
        ranges = []
        for side in (left, right):
            in_side = min(graph, len(side.start_offsets) - 2)
            here = np.arange(*side.start_offsets[in_side : in_side + 2])
            ranges.append(here[side.alive[side.starts[here]]])
        pairs.append(np.stack([grid.ravel() for grid in np.meshgrid(*ranges, indexing="ij")]))
    return np.concatenate(pairs, axis=1)


def _by_graph(
    a: Topology, b: Topology, graphs: int, nodes: Ints, arcs: Ints, starts: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return nodes, arcs, starts and node offsets, sorted by graph of the batch."""
    if max(len(nodes), len(arcs)) >= np.iinfo(np.int32).max:
        raise GraphError(f"{len(nodes)} nodes and {len(arcs)} arcs are too many for one graph")
    graph_of_nodes = a.graph_of_nodes(nodes[:, 0]) if a.is_batch else b.graph_of_nodes(nodes[:, 1])
    order = np.argsort(graph_of_nodes, kind="stable")
    place = np.empty(len(nodes), dtype=np.int64)
    place[order] = np.arange(len(nodes))
    offsets = np.searchsorted(graph_of_nodes[order], np.arange(graphs + 1))
    arcs = np.column_stack([place[arcs[:, 0]], place[arcs[:, 1]], arcs[:, 2:]])
    arcs = arcs[np.argsort(arcs[:, 0], kind="stable")]
    begin = np.stack([place[: starts.shape[1]], *starts], axis=1)
    return (
        nodes[order],
        np.ascontiguousarray(arcs, dtype=np.int32),
        np.ascontiguousarray(begin, dtype=np.int32),
        offsets.astype(np.int32),
    )


def _rows(*columns: Any) -> Ints:
    return np.stack(columns, axis=1).astype(np.int32)


class _Steps:
    """The arcs that leave pairs of nodes, all pairs of a level at once."""

    def __init__(self, a: Operand, b: Operand, mode: int, check: Check) -> None:
        self.sides = [_Side(a), _Side(b)]
        self.mode, self.check = mode, check

    def of(self, level: Ints) -> Moves:
        """Return owner (index into the level), destination ``[K, 3]``, arc of a and of b."""
        a, b = self.sides
        na, nb = level[:, 0], level[:, 1]
        still = np.zeros(len(level), dtype=np.int64), np.ones(len(level), dtype=np.int64)
        a_begin, a_real, b_begin, b_real = a.begin[na], a.real[na], b.begin[nb], b.real[nb]
        a_count, b_count = a_real - a_begin, b_real - b_begin
        after_a, after_b, after_both = self._after_epsilon(level)
        real = (a_real, a.end[na] - a_real, b_real, b.end[nb] - b_real)
        blocks = [
            self._block(level, after_a, (a_begin, a_count, *still), b_moves=False),
            self._block(level, after_b, (*still, b_begin, b_count), a_moves=False),
            self._block(level, after_both, (a_begin, a_count, b_begin, b_count)),
            *self._checked(level, real),
        ]
        owner, to, arc_a, arc_b = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return owner, to, arc_a, arc_b

    def _after_epsilon(self, level: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the filter states after epsilon moves, -1 where they are forbidden."""
        no, state = np.full(len(level), -1), level[:, 2]
        free = np.zeros(len(level), dtype=np.int64)
        if _NAMES[self.mode] == "trivial":
            return free, free, free
        a, b = (s.none[n] for s, n in zip(self.sides, (level[:, 0], level[:, 1]), strict=True))
        if _NAMES[self.mode] == "sequence":
            return np.where(state == 0, 0, no), np.where(a, 0, 1), no
        at_first = state == 0
        return (
            np.where(at_first, np.where(b, 0, 1), np.where(state == 1, 1, no)),
            np.where(at_first, np.where(a, 0, 2), np.where(state == 2, 2, no)),
            np.where(at_first, 0, no),
        )

    def _block(
        self,
        level: Ints,
        after: Ints,
        ranges: Moves,
        *,
        a_moves: bool = True,
        b_moves: bool = True,
    ) -> Moves:
        first_a, count_a, first_b, count_b = ranges
        sizes = np.where(after >= 0, count_a * count_b, 0)
        owner = np.repeat(np.arange(len(level)), sizes)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        of_a = first_a[owner] + within // count_b[owner]
        of_b = first_b[owner] + within % count_b[owner]
        a, b = self.sides
        nothing = np.full(len(owner), -1)
        arc_a = a.arcs[of_a] if a_moves else nothing
        arc_b = b.arcs[of_b] if b_moves else nothing
        to_a = a.dst[arc_a] if a_moves else level[owner, 0]
        to_b = b.dst[arc_b] if b_moves else level[owner, 1]
        return owner, _rows(to_a, to_b, after[owner]), arc_a, arc_b

    def _checked(self, level: Ints, ranges: Moves) -> list[Moves]:
        """Return the pairs of arcs without epsilon that pass the check, in blocks."""
        a0, na, b0, nb = ranges
        total = np.cumsum(na * nb)
        cuts = np.searchsorted(total, np.arange(_BLOCK, int(total[-1]) + 1, _BLOCK), side="left")
        blocks = []
        for part in np.split(np.arange(len(level)), np.unique(cuts + 1)):
            after = np.zeros(len(part), dtype=np.int64)
            owner, to, arc_a, arc_b = self._block(
                level[part], after, (a0[part], na[part], b0[part], nb[part])
            )
            if not len(owner):
                continue
            a, b = self.sides
            passed = np.asarray(self.check(a.labels[arc_a], b.labels[arc_b]))
            if passed.shape != owner.shape or passed.dtype != np.bool_:
                raise GraphError(
                    f"check must return {len(owner)} booleans, one per pair of labels, not "
                    f"{passed.dtype} of shape {list(passed.shape)}"
                )
            blocks.append((part[owner[passed]], to[passed], arc_a[passed], arc_b[passed]))
        return blocks


_NAMES = {mode: name for name, mode in FILTERS.items()}


class _Side:
    """One operand: its arcs to nodes that reach a final, epsilons first at every node."""

    def __init__(self, side: Operand) -> None:
        self.num_nodes = len(side.alive)
        self.labels, self.dst = side.labels, side.dst
        node = np.repeat(np.arange(self.num_nodes), np.diff(side.offsets))
        useful = side.alive[side.dst[side.arcs]]
        self.arcs, node = side.arcs[useful], node[useful]
        counts = np.bincount(node, minlength=self.num_nodes)
        epsilon = node[side.labels[self.arcs] == EPSILON]
        self.end = np.cumsum(counts)
        self.begin = self.end - counts
        self.real = self.begin + np.bincount(epsilon, minlength=self.num_nodes)
        self.none = self.begin == self.real
