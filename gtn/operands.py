"""Operands: the two sides of a composition, laid out for the kernels that explore it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gtn.failure import FailureArcs
from gtn.indexes import ArcIndex, frozen, grouped
from gtn.kernels.composition import Operand
from gtn.kernels.lookahead import ends, least_labels, most_labels
from gtn.kernels.shared_labels import by_node_and_label, shared_labels
from gtn.topology import Topology

__all__ = ["operand", "operands"]

Int32s = NDArray[np.int32]
_LARGE = 256  # arcs


def operands(
    a: Topology, b: Topology, read: Topology, failures: FailureArcs | None = None
) -> tuple[Operand, Operand]:
    """Return the two sides of a composition.

    Arcs whose label the other side does not have are left out where they are many, and so are
    nodes from which no final can be reached. Where ``a`` is acyclic, dead ends are known: pairs
    of nodes at which ``b`` has to read more labels than ``a`` can write, as in the middle of a
    word at the end of a lattice.

    Args:
        a, b: topologies.
        read: ``b`` with the input labels that are to be matched.
        failures: of ``b``, if it has any.
    """
    fewer = False
    if failures is None and a.num_arcs + b.num_arcs >= _LARGE:
        *found, fewer = shared_labels(a.olabels, read.ilabels)
    if fewer:
        of_a, of_b, labels_a, labels_b = map(frozen, found)
        index_a = _by_label(of_a, a, labels_a)
        index_b = _by_label(of_b, b, labels_b)
        src, counts = frozen(b.src[of_b]), labels_b[of_b] >= 0
        incoming = grouped(frozen(b.dst[of_b]), b.num_nodes)
    else:
        labels_a, labels_b = a.olabels, read.ilabels
        index_a, index_b = a.outgoing_by_olabel, read.outgoing_by_ilabel
        src, counts, incoming = b.src, labels_b >= 0, b.incoming
    if a.is_acyclic:
        most = most_labels(a.order, *index_a, a.dst, labels_a, a.finals)
    else:
        most = np.where(a.coaccessible, np.int32(0), np.int32(-1))
        counts[:] = False
    if failures is not None:
        counts[failures.arcs[failures.arcs >= 0]] = False
    least = least_labels(*incoming, src, frozen(counts), b.finals)
    return (
        operand(a, labels_a, index_a, ahead=most),
        operand(b, labels_b, index_b, failures, ahead=least),
    )


def _by_label(arcs: Int32s, topology: Topology, labels: Int32s) -> ArcIndex:
    index = by_node_and_label(arcs, topology.src, labels, topology.num_nodes)
    return ArcIndex(*map(frozen, index))


def operand(
    topology: Topology,
    labels: Int32s,
    by_label: ArcIndex,
    failures: FailureArcs | None = None,
    ahead: Int32s | None = None,
) -> Operand:
    """Return one side of a composition, with the labels that are to be matched.

    Args:
        topology: of the side.
        labels: of each arc.
        by_label: arcs by source, then by label; all, or those that can match.
        failures: the failure arcs of the side.
        ahead: how many labels lie ahead of each node at most (at least); -1 and ``FAR``: no
            final can be reached. Unless given, nothing is a dead end.
    """
    if ahead is None:
        ahead = np.where(topology.coaccessible, np.int32(0), np.int32(-1))
    ahead = frozen(ahead)
    alive, final, start_offsets = ends(
        ahead, topology.starts, topology.finals, topology.node_offsets
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
        ahead,
    )
