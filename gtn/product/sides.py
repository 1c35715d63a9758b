"""Operands: the two sides of a composition, laid out for the kernels that explore it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gtn.indexes import ArcIndex, frozen, grouped
from gtn.kernels.composition import Operand
from gtn.kernels.lookahead import ENDLESS, FAR, ends, label_bounds, least_labels
from gtn.kernels.reachability import topological_order
from gtn.kernels.shared_labels import by_node_and_label, shared_labels
from gtn.product.failure import FailureArcs
from gtn.topology import Topology

__all__ = ["is_lookup", "most_looked_up", "operand", "operands"]

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]
Bounds = tuple[Int32s, Int32s]
_LARGE = 256  # arcs
_MUCH, _MUCH_MORE = 16, 128  # how many times the arcs of strings, and of a lattice
_THIN = 2  # arcs for each node


def is_lookup(a: Topology, read: Topology) -> bool:
    """Return whether one side is a few strings, or a lattice, to be looked up in a large one.

    The result is then usually much smaller than the large side, which should not be scanned each
    time.
    """
    few, many = (a, read) if a.num_arcs <= read.num_arcs else (read, a)
    much = _MUCH if _is_thin(few) else _MUCH_MORE
    return many.num_arcs >= max(much * few.num_arcs, _MUCH * _LARGE)


def most_looked_up(a: Topology, read: Topology) -> int:
    """Return after how many arcs to give up a look-up and scan the large side.

    Half the arcs of that side if strings are looked up; an eighth for lattices, which often find
    more, so that little time is lost when they do.
    """
    few, many = (a, read) if a.num_arcs <= read.num_arcs else (read, a)
    return many.num_arcs // (2 if _is_thin(few) else 8)


def _is_thin(topology: Topology) -> bool:
    """Return whether a topology is a few strings, or not much more."""
    return topology.num_arcs <= _THIN * topology.num_nodes


def operands(
    a: Topology,
    b: Topology,
    read: Topology,
    failures: FailureArcs | None = None,
    *,
    whole: bool = False,
) -> tuple[Operand, Operand]:
    """Return the two sides of a composition.

    Arcs whose label the other side lacks are left out if there are many, and so are nodes that
    reach no final. If a side is acyclic, dead ends are known: pairs of nodes at which the other
    side has more labels left than this one can have, as in the middle of a word at the end of a
    lattice, or at the end of a word in the middle of a lattice.

    The layout of a side without arcs left out is kept.

    Args:
        a, b: topologies.
        read: ``b`` with the input labels to match.
        failures: of ``b``, if it has any.
        whole: whether both are taken whole and their layouts kept, as for a look-up.
    """
    if failures is None and not whole and a.num_arcs + b.num_arcs >= _LARGE:
        *found, fewer = shared_labels(a.olabels, read.ilabels)
        if fewer:
            of_a, of_b, labels_a, labels_b = map(frozen, found)
            return _matching(a, of_a, labels_a), _matching(b, of_b, labels_b)
    return _writing(a), _reading(read, failures)


def _matching(topology: Topology, arcs: Int32s, labels: Int32s) -> Operand:
    """Return a side without the arcs that cannot match; ``labels``: those to match."""
    index = _by_label(arcs, topology, labels)
    bounds = _bounds(topology, index, _counting(labels, None), arcs)
    return operand(topology, labels, index, bounds=bounds)


def _writing(topology: Topology) -> Operand:
    """Return a whole topology as the side that writes, made once."""

    def side() -> Operand:
        index = topology.outgoing_by_olabel
        bounds = _bounds(topology, index, frozen(topology.olabels >= 0), None)
        return operand(topology, topology.olabels, index, bounds=bounds)

    return topology.once("writing", side)


def _reading(topology: Topology, failures: FailureArcs | None) -> Operand:
    """Return a whole topology as the side that reads, made once."""

    def side() -> Operand:
        index = topology.outgoing_by_ilabel
        counts = _counting(topology.ilabels, failures)
        bounds = _bounds(topology, index, counts, None)
        return operand(topology, topology.ilabels, index, failures, bounds)

    return topology.once(("reading", failures), side)


def _counting(labels: Int32s, failures: FailureArcs | None) -> Mask:
    """Return which arcs have a label that counts: neither epsilon nor the failure label."""
    counts = labels >= 0
    if failures is not None:
        counts[failures.arcs[failures.arcs >= 0]] = False
    mask: Mask = frozen(counts)
    return mask


def _bounds(topology: Topology, by_label: ArcIndex, counts: Mask, kept: Int32s | None) -> Bounds:
    """Return the least and the most labels ahead of each node.

    Args:
        topology: of one side.
        by_label: its arcs that can match, by source.
        counts: whether an arc has a label.
        kept: the arcs that can match; None: all.
    """
    order = _order(topology, by_label)
    if order is not None:
        least, most = label_bounds(order, *by_label, topology.dst, counts, topology.finals)
        return frozen(least), frozen(most)
    if kept is None:
        incoming, src = topology.incoming, topology.src
    else:
        incoming = grouped(frozen(topology.dst[kept]), topology.num_nodes)
        src, counts = frozen(topology.src[kept]), frozen(counts[kept])
    least = frozen(least_labels(*incoming, src, counts, topology.finals))
    return least, _at_most(least < FAR)


def _order(topology: Topology, by_label: ArcIndex) -> Int32s | None:
    """Return a topological order of the nodes by the arcs that can match; None if there is a cycle.

    The topology's own order would need an index of all its arcs, and keep it.
    """
    if topology.is_ascending:
        return topology.order
    places = frozen(np.arange(len(by_label.arcs), dtype=np.int32))
    dst = frozen(topology.dst[by_label.arcs])
    order, found = topological_order(topology.num_nodes, dst, by_label.offsets, places)
    return frozen(order) if found == topology.num_nodes else None


def _at_most(alive: Mask) -> Int32s:
    """Return the most labels ahead of nodes if only those that reach a final are known."""
    most: Int32s = frozen(np.where(alive, np.int32(ENDLESS), np.int32(-1)))
    return most


def _by_label(arcs: Int32s, topology: Topology, labels: Int32s) -> ArcIndex:
    index = by_node_and_label(arcs, topology.src, labels, topology.num_nodes)
    return ArcIndex(*map(frozen, index))


def operand(
    topology: Topology,
    labels: Int32s,
    by_label: ArcIndex,
    failures: FailureArcs | None = None,
    bounds: Bounds | None = None,
) -> Operand:
    """Return one side of a composition, with the labels to match.

    Args:
        topology: of the side.
        labels: of each arc.
        by_label: arcs by source, then by label; all, or those that can match.
        failures: the failure arcs of the side.
        bounds: the least and most labels ahead of each node; ``FAR`` and -1 if it reaches no final.
            Unless given, no node is known to be a dead end.
    """
    if bounds is None:
        alive = topology.coaccessible
        bounds = frozen(np.where(alive, np.int32(0), np.int32(FAR))), _at_most(alive)
    alive, final, start_offsets = ends(
        bounds[0], topology.starts, topology.finals, topology.node_offsets
    )
    fail = np.empty(0, dtype=np.int32)
    if failures is not None:
        final, fail = failures.final, failures.arcs
    return Operand(
        *by_label,
        labels,
        topology.dst,
        frozen(alive),
        frozen(final),
        topology.starts,
        frozen(start_offsets),
        frozen(fail),
        *bounds,
        topology.node_offsets,
    )
