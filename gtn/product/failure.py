"""Failure arcs: exact back-off, as in n-gram models, where rare events share a back-off model.

A failure arc is followed only where no arc of its node carries the label asked for; it reads
nothing, and the label is then looked up at its destination, and so on. With an epsilon arc instead,
both the seen event and the backed-off one would count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtn.arguments import whole_number
from gtn.batch import gather
from gtn.data import Sources, compose_index
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.indexes import LARGEST, frozen, grouped
from gtn.kernels import failure as kernels
from gtn.kernels.reachability import find_cycle
from gtn.product.gathering import sums_of_sources
from gtn.symbols import BACK_OFF, EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = [
    "FailureArcs",
    "check_left",
    "check_never_asked",
    "check_reads_none",
    "checked_failure",
    "failure_label",
    "with_ends",
]

Int32s = NDArray[np.int32]


class FailureArcs:
    """The failure arcs of a topology: those whose input label is the failure label.

    Args:
        topology: of the graph that is read with back-off.
        label: the failure label.

    Attributes:
        arcs: the failure arc of each node, or -1, ``[N]``.
        final: the final at which a string that stops at a node ends, or -1, ``[N]``: the node's
            own, otherwise that of the first final node that failure arcs lead to.

    Raises:
        GraphError: two failure arcs at a node, a failure arc that writes something, or a cycle of
            failure arcs, naming the arc; an invalid label.

    >>> backing_off = Topology(3, [0, 0, 1], [1, 2, 2], [9, 5, 9], starts=[0], finals=[2])
    >>> failures = FailureArcs(backing_off, 9)
    >>> failures.arcs, failures.final
    (array([ 0,  2, -1], dtype=int32), array([0, 0, 0], dtype=int32))
    """

    def __init__(self, topology: Topology, label: int) -> None:
        if label < 0:
            raise GraphError(
                f"failure={label}: a failure label is a label of its own, >= 0 (epsilon arcs are "
                "followed always)"
            )
        t = topology
        # Only its arrays, so that what a topology caches does not refer to the topology.
        self._src, self._dst, self._finals = t.src, t.dst, t.finals
        found = np.flatnonzero(t.ilabels == label).astype(np.int32)
        written = t.olabels[found]
        for arc in found[(written != EPSILON) & (written != label)][:1].tolist():
            raise GraphError(
                f"failure arc {arc} writes label {t.olabels[arc]}; a failure arc writes nothing "
                f"(EPSILON, or the failure label {label} in an acceptor). Where arcs are made for "
                f"each symbol of a table, that of failure arcs, {BACK_OFF!r}, has none"
            )
        arcs = np.full(t.num_nodes, -1, dtype=np.int32)
        arcs[t.src[found]] = found
        for arc in found[arcs[t.src[found]] != found][:1].tolist():
            node = t.src[arc]
            raise GraphError(
                f"arcs {arc} and {arcs[node]} are both failure arcs of node {node}; a node backs "
                "off to one node"
            )
        self.arcs: Int32s = frozen(arcs)
        _check_cycles(t, found)
        self.final: Int32s = frozen(kernels.resolve(self.arcs, t.dst, t.final_of_nodes))

    @classmethod
    def of(cls, topology: Topology, label: int) -> FailureArcs:
        """Return the failure arcs of a topology, computed once."""
        return topology.once((cls, label), lambda: cls(topology, label))

    def sources(self, nodes: Int32s, arcs: Int32s) -> Sources:
        """Return the failure arcs from each node to the source of an arc, and that arc.

        Args:
            nodes: ``[K]``.
            arcs: ``[K]``, -1: none, and no failure arcs.
        """
        return self._follow(nodes, compose_index(self._src, arcs), arcs)

    def final_sources(self, nodes: Int32s) -> Sources:
        """Return the failure arcs from each node to the final node it ends in."""
        ends = self._finals[self.final[nodes]]
        return self._follow(nodes, ends, np.full(len(nodes), -1, dtype=np.int32))

    def _follow(self, nodes: Int32s, ends: Int32s, last: Int32s) -> Sources:
        nodes, ends, last = (
            frozen(np.ascontiguousarray(x, dtype=np.int32)) for x in (nodes, ends, last)
        )
        return Sources(*kernels.follow(nodes, ends, last, self.arcs, self._dst))


def _check_cycles(t: Topology, found: Int32s) -> None:
    src, dst = frozen(t.src[found]), frozen(t.dst[found])
    everywhere = frozen(np.ones(t.num_nodes, dtype=np.bool_))
    cycle = find_cycle(t.num_nodes, dst, *grouped(src, t.num_nodes), everywhere)
    if len(cycle):
        raise GraphError(
            f"failure arc {found[cycle[0]]} is part of a cycle of failure arcs, which would "
            f"look for a label for ever: {t.describe_cycle(found[cycle])}"
        )


def failure_label(graph: Graph, failure: int | str | None, symbols: str = "match") -> int | None:
    """Return the failure label of a graph, given as a label or as one of its input symbols.

    Unless given, it is that of ``BACK_OFF``, if arcs of the graph read that symbol and symbols are
    not ignored.

    Raises:
        SymbolError: a symbol that the graph does not have.
        GraphError: arcs read ``BACK_OFF``, but another label is given.
        TypeError: neither a symbol nor an integer.
    """
    own = None if symbols == "ignore" else _used(graph.isymbols, graph.topology, "ilabels")
    if failure is None:
        return own
    if not isinstance(failure, str):
        label = checked_failure(failure)
    elif graph.isymbols is None:
        raise SymbolError(f"failure={failure!r} is a symbol, but the graph that reads has no table")
    else:
        label = graph.isymbols.label(failure)
    if own not in (None, label):
        raise GraphError(
            f"failure={failure!r}, but the graph that reads has failure arcs for {BACK_OFF!r}, "
            "too; without failure= these are followed"
        )
    return label


def checked_failure(failure: Any) -> int:
    """Return a failure label, not a symbol, as Python's number.

    Raises:
        GraphError: it does not fit 32 bits.
        TypeError: it is not an integer.
    """
    label = whole_number(failure, "failure")
    if label > LARGEST:
        raise GraphError(f"failure={label} is not a label; labels are 0 to {LARGEST}")
    return label


def with_ends(graph: Graph) -> Graph:
    """Return the graph with all nodes final that could end by backing off.

    Their final penalty is that of the first final node that failure arcs lead to plus the penalties
    of these arcs. So what is appended to finals is appended to these nodes, too.
    """
    label = failure_label(graph, None)
    if label is None:
        return graph
    failures = FailureArcs.of(graph.topology, label)
    ends = np.flatnonzero(failures.final >= 0).astype(np.int32)
    way = sums_of_sources(graph.penalties, failures.final_sources(ends))
    penalties = gather(graph.final_penalties, failures.final[ends]) + way
    return graph._with(topology=graph.topology.ending(frozen(ends)), final_penalties=penalties)


def check_reads_none(graph: Graph, name: str, instead: str | None = None) -> None:
    """Check that no arc reads ``BACK_OFF``, in operations that do not follow failure arcs.

    The paths of a graph with failure arcs depend on the string to be read: by itself it has none
    that could be added up, ranked, drawn or reversed.

    Raises:
        GraphError: naming the arc, and ending with what to do ``instead`` (compose first).
    """
    label = _used(graph.isymbols, graph.topology, "ilabels")
    if label is not None:
        arc = int(np.argmax(graph.ilabels == label))
        if instead is None:
            instead = f"first compose {name} with what it is to read, as in text @ graph"
        raise GraphError(f"arc {arc} of {name} is a failure arc, it reads {BACK_OFF!r}; {instead}")


def check_left(graph: Graph, name: str) -> None:
    """Check that the first graph of a composition has no failure arcs.

    They would become arcs of the result, at nodes that may have lost arcs, and so be followed for
    labels for which they were not followed before.

    Raises:
        GraphError: naming the arc.
    """
    label = _used(graph.osymbols, graph.topology, "olabels")
    if label is not None:
        check_never_asked(graph.olabels, label, name)
    check_reads_none(graph, name)


def _used(table: SymbolTable | None, topology: Topology, side: str) -> int | None:
    """Return the label of ``BACK_OFF`` if a table has it and arcs of the topology use it."""
    if table is None or BACK_OFF not in table:
        return None
    label = table.label(BACK_OFF)
    labels = getattr(topology, side)
    return label if topology.once((side, label), lambda: bool((labels == label).any())) else None


def check_never_asked(written: Int32s, failure: int, name: str) -> None:
    """Check that no arc writes the failure label, which cannot be looked up.

    Raises:
        GraphError: naming the arc.
    """
    asking = written == failure
    if asking.any():
        raise GraphError(
            f"arc {int(np.argmax(asking))} of {name} writes the failure label; failure arcs are "
            "followed where a label is missing and cannot be asked for: they belong to the graph "
            "that reads, the second one of a composition"
        )
