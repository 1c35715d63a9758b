"""Topology: the structure and labels of a graph, with the indexes that algorithms need."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gtn.arguments import whole_number
from gtn.errors import CyclicGraphError, GraphError, counted
from gtn.indexes import (
    ArcIndex,
    Components,
    by_ends,
    by_label,
    check_counts,
    check_offsets,
    first_where,
    frozen,
    grouped,
    integers,
)
from gtn.kernels.reachability import find_cycle, reach, strong_components, topological_order
from gtn.symbols import EPSILON

__all__ = ["Topology", "check_labels"]

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]
Made = TypeVar("Made")
_FIELDS = (
    "num_nodes",
    "src",
    "dst",
    "ilabels",
    "olabels",
    "starts",
    "finals",
    "node_offsets",
    "arc_offsets",
    "is_batch",
)


def check_labels(labels: Int32s, name: str) -> None:
    """Raise ``GraphError`` for the first label that is neither >= 0 nor epsilon."""
    bad = first_where(labels < EPSILON)
    if bad is not None:
        raise GraphError(
            f"arc {bad} has {name[:-1]} {labels[bad]}; labels are >= 0, or EPSILON == -1"
        )


class Topology:
    """Nodes, arcs and labels of one graph or of a batch of graphs; immutable.

    A batch is one disjoint graph: the nodes of graph i are ``node_offsets[i]`` to
    ``node_offsets[i + 1] - 1``, its arcs ``arc_offsets[i]`` to ``arc_offsets[i + 1] - 1``. To every
    algorithm a single graph is a batch of one.

    Each index (arcs by source, by destination, by label; topological order; reachability) is
    computed once, when first needed, and is never stale, because nothing changes. Pickling and
    copying drop the indexes.

    Args:
        num_nodes: N.
        src, dst: nodes of each arc, ``[A]``.
        ilabels, olabels: labels >= 0, or ``EPSILON``; ``[A]``. ``olabels=None``: an acceptor.
        starts, finals: node numbers, strictly increasing, ``[S]`` and ``[F]``.
        node_offsets, arc_offsets: ``[B + 1]``, for a batch.
        is_batch: whether it is a batch; by default, if offsets are given.
        check: whether to check all of it; operations of the library know that theirs is right.
        known: values of properties that are known already, such as ``has_input_epsilons``.

    Raises:
        GraphError: naming the first arc or node that is wrong.
        TypeError: ``num_nodes`` is not a whole number.

    >>> t = Topology(3, [0, 1, 0], [1, 2, 2], [7, 8, 9], starts=[0], finals=[2])
    >>> t.num_arcs, t.is_acyclic, t.is_deterministic
    (3, True, True)
    >>> t.outgoing.arcs[t.outgoing.offsets[0]:t.outgoing.offsets[1]]
    array([0, 2], dtype=int32)
    """

    num_nodes: int
    src: Int32s
    dst: Int32s
    ilabels: Int32s
    olabels: Int32s
    starts: Int32s
    finals: Int32s
    node_offsets: Int32s
    arc_offsets: Int32s
    is_batch: bool

    def __init__(
        self,
        num_nodes: int,
        src: ArrayLike,
        dst: ArrayLike,
        ilabels: ArrayLike,
        olabels: ArrayLike | None = None,
        *,
        starts: ArrayLike,
        finals: ArrayLike,
        node_offsets: ArrayLike | None = None,
        arc_offsets: ArrayLike | None = None,
        is_batch: bool | None = None,
        check: bool = True,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        if (node_offsets is None) != (arc_offsets is None):
            raise GraphError("a batch has both node_offsets and arc_offsets; one is missing")
        part = self.__dict__
        part["num_nodes"] = whole_number(num_nodes, "num_nodes")
        part["src"] = integers(src, "src", check)
        part["dst"] = integers(dst, "dst", check)
        # Nodes, arcs and offsets must not become others in 32 bits.
        check_counts(self.num_nodes, len(self.src))
        part["ilabels"] = read = integers(ilabels, "ilabels", check)
        part["olabels"] = read if olabels is None else integers(olabels, "olabels", check)
        part["starts"] = integers(starts, "starts", check)
        part["finals"] = integers(finals, "finals", check)
        part["is_batch"] = node_offsets is not None if is_batch is None else is_batch
        if node_offsets is None or arc_offsets is None:
            node_offsets, arc_offsets = [0, self.num_nodes], [0, len(self.src)]
        part["node_offsets"] = integers(node_offsets, "node_offsets", check)
        part["arc_offsets"] = integers(arc_offsets, "arc_offsets", check)
        if check:
            self._check()
        if known is not None:
            self.__dict__.update(known)

    def _check(self) -> None:
        if self.num_nodes < 0:
            raise GraphError(f"num_nodes={self.num_nodes}; a number of nodes is >= 0")
        for name in ("dst", "ilabels", "olabels"):
            if len(getattr(self, name)) != self.num_arcs:
                raise GraphError(
                    f"{name} has {len(getattr(self, name))} entries for {self.num_arcs} arcs"
                )
        for name in ("src", "dst"):
            nodes = getattr(self, name)
            bad = first_where((nodes < 0) | (nodes >= self.num_nodes))
            if bad is not None:
                end = "source" if name == "src" else "destination"
                raise GraphError(
                    f"arc {bad} has {end} node {nodes[bad]}, which does not exist: "
                    f"nodes are 0 to {self.num_nodes - 1}"
                )
        for name in ("ilabels", "olabels"):
            check_labels(getattr(self, name), name)
        for name in ("starts", "finals"):
            nodes = getattr(self, name)
            bad = first_where((nodes < 0) | (nodes >= self.num_nodes))
            if bad is not None:
                raise GraphError(
                    f"{name[:-1]} node {nodes[bad]} does not exist: "
                    f"nodes are 0 to {self.num_nodes - 1}"
                )
            bad = first_where(np.diff(nodes) <= 0)
            if bad is not None:
                raise GraphError(
                    f"{name} must increase strictly, but {nodes[bad]} is followed by "
                    f"{nodes[bad + 1]}"
                )
        check_offsets(self.node_offsets, self.num_nodes, self.arc_offsets, self.num_arcs)
        if not self.is_batch and self.batch_size != 1:
            raise GraphError(f"offsets of {self.batch_size} graphs, but is_batch=False needs one")
        if self.is_batch:
            owner = self.arc_graph
            for nodes in (self.src, self.dst):
                bad = first_where(self.graph_of_nodes(nodes) != owner)
                if bad is not None:
                    raise GraphError(
                        f"arc {bad} belongs to graph {owner[bad]} of the batch but touches "
                        f"node {nodes[bad]} of another"
                    )

    # -- size ---------------------------------------------------------------------------------

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.src)

    @property
    def batch_size(self) -> int:
        """Number of graphs: 1 unless this is a batch."""
        return len(self.node_offsets) - 1

    def graph_of_nodes(self, nodes: Int32s) -> NDArray[np.int64]:
        """Return which graph of the batch each node belongs to."""
        return np.searchsorted(self.node_offsets, nodes, side="right") - 1

    @cached_property
    def arc_graph(self) -> NDArray[np.int64]:
        """Which graph of the batch each arc belongs to, ``[A]``."""
        sizes = np.diff(self.arc_offsets)
        return frozen(np.repeat(np.arange(self.batch_size), sizes))  # type: ignore[no-any-return]

    # -- ends ---------------------------------------------------------------------------------

    @cached_property
    def start_offsets(self) -> Int32s:
        """Where the starts of each graph of the batch begin among :attr:`starts`, ``[B + 1]``."""
        offsets = np.searchsorted(self.starts, self.node_offsets).astype(np.int32)
        return frozen(offsets)  # type: ignore[no-any-return]

    @cached_property
    def final_offsets(self) -> Int32s:
        """Where the finals of each graph of the batch begin among :attr:`finals`, ``[B + 1]``."""
        offsets = np.searchsorted(self.finals, self.node_offsets).astype(np.int32)
        return frozen(offsets)  # type: ignore[no-any-return]

    @cached_property
    def final_of_nodes(self) -> Int32s:
        """Which of :attr:`finals` each node is, -1: none, ``[N]``."""
        final = np.full(self.num_nodes, -1, dtype=np.int32)
        final[self.finals] = np.arange(len(self.finals), dtype=np.int32)
        return frozen(final)  # type: ignore[no-any-return]

    # -- indexes ------------------------------------------------------------------------------

    @cached_property
    def _by_source(self) -> tuple[Int32s, Int32s, Int32s]:
        return by_ends(self.src, self.dst, self.num_nodes)

    @cached_property
    def _by_destination(self) -> tuple[Int32s, Int32s, Int32s]:
        return by_ends(self.dst, self.src, self.num_nodes)

    @property
    def outgoing(self) -> ArcIndex:
        """Arcs by source node, in increasing order of arcs."""
        return ArcIndex(*self._by_source[:2])

    @property
    def incoming(self) -> ArcIndex:
        """Arcs by destination node, in increasing order of arcs."""
        return ArcIndex(*self._by_destination[:2])

    @property
    def outgoing_ends(self) -> Int32s:
        """Destinations of the arcs of :attr:`outgoing`, in their order, ``[A]``."""
        return self._by_source[2]

    @property
    def incoming_ends(self) -> Int32s:
        """Sources of the arcs of :attr:`incoming`, in their order, ``[A]``."""
        return self._by_destination[2]

    @cached_property
    def outgoing_by_ilabel(self) -> ArcIndex:
        """Arcs by source node, within a node by input label (epsilon first), then by arc."""
        return by_label(self.src, self.ilabels, self.num_nodes)

    @cached_property
    def outgoing_by_olabel(self) -> ArcIndex:
        """Arcs by source node, within a node by output label (epsilon first), then by arc."""
        if not self.is_acceptor:
            return by_label(self.src, self.olabels, self.num_nodes)
        return self.outgoing_by_ilabel

    @cached_property
    def is_ascending(self) -> bool:
        """Whether every arc leads to a node with a larger number, as is usual in products."""
        return bool((self.src < self.dst).all())

    @cached_property
    def _kahn(self) -> tuple[Int32s, int]:
        if self.is_ascending:
            return frozen(np.arange(self.num_nodes, dtype=np.int32)), self.num_nodes
        order, found = topological_order(self.num_nodes, self.dst, *self.outgoing)
        return frozen(order), int(found)

    @property
    def is_acyclic(self) -> bool:
        """Whether no path comes back to its first node."""
        return self._kahn[1] == self.num_nodes

    @property
    def order_of_acyclic(self) -> Int32s:
        """A topological order of the nodes of the graphs in the batch that have no cycle."""
        order = self._kahn[0][: self._kahn[1]]
        graphs = self.graph_of_nodes(order)
        ordered = np.bincount(graphs, minlength=self.batch_size)
        found: Int32s = frozen(order[(ordered == np.diff(self.node_offsets))[graphs]])
        return found

    @property
    def order(self) -> Int32s:
        """A topological order of the nodes, ``[N]``.

        Raises:
            CyclicGraphError: naming the nodes of a cycle.
        """
        if not self.is_acyclic:
            raise CyclicGraphError(f"the graph has a cycle: {self.describe_cycle()}")
        return self._kahn[0]

    @cached_property
    def cycle(self) -> Int32s:
        """The arcs of one cycle, in order; empty where there is none."""
        everywhere = frozen(np.ones(self.num_nodes, dtype=np.bool_))
        arcs: Int32s = frozen(find_cycle(self.num_nodes, self.dst, *self.outgoing, everywhere))
        return arcs

    def describe_cycle(self, arcs: Int32s | None = None) -> str:
        """Return the nodes and arcs of a cycle as text, for messages."""
        arcs = self.cycle if arcs is None else arcs
        nodes = [str(n) for n in self.src[arcs[:8]]]
        back = "…" if len(arcs) > 8 else str(self.src[arcs[0]])
        named = ", ".join(str(a) for a in arcs[:8]) + (", …" if len(arcs) > 8 else "")
        where = self.describe_graph(self.src[arcs[0]])
        return f"nodes {' -> '.join([*nodes, back])} (arcs {named}){where}"

    def describe_graph(self, node: int) -> str:
        """Return the end of a message that says which graph of a batch a node is in, or ""."""
        graph = int(self.graph_of_nodes(np.array([node], dtype=np.int32))[0])
        return f" in graph {graph} of the batch" if self.is_batch else ""

    @cached_property
    def components(self) -> Components:
        """Strongly connected components in topological order; every node is in one."""
        found = strong_components(self.num_nodes, self.starts, self.dst, *self.outgoing)
        return Components(*(frozen(array) for array in found))

    @cached_property
    def reversed(self) -> Topology:
        """The topology with every arc reversed and starts as finals; arcs keep their numbers."""
        turned = self._rebuilt(
            self.dst, self.src, self.ilabels, self.olabels, self.finals, self.starts
        )
        for own, other in (("_by_source", "_by_destination"), ("_by_destination", "_by_source")):
            if own in self.__dict__:
                turned.__dict__[other] = self.__dict__[own]
        return turned

    @cached_property
    def accessible(self) -> Mask:
        """Which nodes can be reached from a start node, ``[N]``."""
        mask: Mask = frozen(reach(self.starts, self.num_nodes, self.dst, *self.outgoing))
        return mask

    @cached_property
    def coaccessible(self) -> Mask:
        """From which nodes a final node can be reached, ``[N]``."""
        mask: Mask = frozen(reach(self.finals, self.num_nodes, self.src, *self.incoming))
        return mask

    @cached_property
    def on_paths(self) -> Mask:
        """Which nodes lie on a path from a start to a final node, ``[N]``."""
        mask: Mask = frozen(self.accessible & self.coaccessible)
        return mask

    @cached_property
    def path_order(self) -> Int32s:
        """A topological order of the nodes that matter for paths.

        All nodes if the graph is acyclic; otherwise those on a path from start to final.

        Raises:
            CyclicGraphError: naming the nodes of a cycle that lies on a path.
        """
        if self.is_acyclic:
            return self._kahn[0]
        useful = self.on_paths
        kept = useful[self.src] & useful[self.dst]
        src, dst = frozen(self.src[kept]), frozen(self.dst[kept])
        order, found = topological_order(self.num_nodes, dst, *grouped(src, self.num_nodes))
        if found != self.num_nodes:
            cycle = find_cycle(self.num_nodes, self.dst, *self.outgoing, useful)
            raise CyclicGraphError(f"the graph has a cycle: {self.describe_cycle(cycle)}")
        between: Int32s = frozen(order[useful[order]])
        return between

    @cached_property
    def reverse_path_order(self) -> Int32s:
        """:attr:`path_order`, last node first."""
        order: Int32s = frozen(np.ascontiguousarray(self.path_order[::-1]))
        return order

    @cached_property
    def is_connected(self) -> bool:
        """Whether every node lies on a path from a start to a final node."""
        return bool(self.on_paths.all())

    @cached_property
    def is_acceptor(self) -> bool:
        """Whether every arc has equal input and output labels."""
        return self.ilabels is self.olabels or bool((self.ilabels == self.olabels).all())

    @cached_property
    def has_input_epsilons(self) -> bool:
        """Whether an arc reads nothing."""
        return bool((self.ilabels == EPSILON).any())

    @cached_property
    def has_output_epsilons(self) -> bool:
        """Whether an arc writes nothing."""
        return bool((self.olabels == EPSILON).any())

    @property
    def has_epsilons(self) -> bool:
        """Whether an arc reads nothing or writes nothing."""
        return self.has_input_epsilons or self.has_output_epsilons

    @cached_property
    def is_deterministic(self) -> bool:
        """Whether there is at most one start and, at every node, one arc per input label.

        A graph with an input epsilon is not deterministic. A batch is if all its graphs are.
        """
        starts = np.bincount(self.graph_of_nodes(self.starts), minlength=self.batch_size)
        if self.has_input_epsilons or (starts > 1).any():
            return False
        arcs = self.outgoing_by_ilabel.arcs
        src, labels = self.src[arcs], self.ilabels[arcs]
        return not bool(((src[1:] == src[:-1]) & (labels[1:] == labels[:-1])).any())

    # -- what other modules derive from it ----------------------------------------------------

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what another module derives from the topology, made at the first call per key."""
        made = self._made  # another thread may put another dict in its place at any time
        if key not in made:
            made[key] = make()
        found: Made = made[key]
        return found

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    # -- copies -------------------------------------------------------------------------------

    def relabelled(self, ilabels: Int32s, olabels: Int32s | None) -> Topology:
        """Return the same structure with other labels (``olabels=None``: an acceptor)."""
        return self._rebuilt(self.src, self.dst, ilabels, olabels, self.starts, self.finals)

    def ending(self, finals: Int32s) -> Topology:
        """Return the same structure with other final nodes."""
        ends = self.starts, finals
        return self._rebuilt(self.src, self.dst, self.ilabels, self.olabels, *ends)

    def labels_of(self, arcs: Int32s | slice) -> tuple[Int32s, Int32s | None]:
        """Return the input and output labels of some arcs, as the constructor takes them."""
        return self.ilabels[arcs], None if self.is_acceptor else self.olabels[arcs]

    def only(self, arcs: Mask, starts: Mask, finals: Mask) -> Topology:
        """Return all nodes with some of the arcs, starts and finals: masks ``[A], [S], [F]``.

        For questions about paths: one graph without outputs, its arcs numbered anew (unless all
        stay: then this topology).
        """
        if arcs.all() and starts.all() and finals.all():
            return self
        return Topology(
            self.num_nodes,
            self.src[arcs],
            self.dst[arcs],
            self.ilabels[arcs],
            starts=self.starts[starts],
            finals=self.finals[finals],
            check=False,
        )

    def _rebuilt(
        self,
        src: Int32s,
        dst: Int32s,
        ilabels: Int32s,
        olabels: Int32s | None,
        starts: Int32s,
        finals: Int32s,
    ) -> Topology:
        return Topology(
            self.num_nodes,
            src,
            dst,
            ilabels,
            olabels,
            starts=starts,
            finals=finals,
            node_offsets=self.node_offsets,
            arc_offsets=self.arc_offsets,
            is_batch=self.is_batch,
            check=False,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in _FIELDS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for value in state.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise AttributeError(f"a topology does not change; {name} is already set")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        batch = f", {counted(self.batch_size, 'graph')}" if self.is_batch else ""
        nodes, arcs = counted(self.num_nodes, "node"), counted(self.num_arcs, "arc")
        return f"Topology({nodes}, {arcs}{batch})"
