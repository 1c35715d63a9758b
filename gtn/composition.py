"""Composition: one graph reads what the other writes (paper, section VIII)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gtn.beam import pruned
from gtn.data import Sources
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_graph
from gtn.kernels.composition import FILTERS, explore
from gtn.kernels.matching import match
from gtn.product import (
    Relabelling,
    as_read,
    columns,
    common_length,
    filter_mode,
    in_common_tables,
    is_acceptor,
    relabelled,
    relabelling,
    trimmed,
)
from gtn.product.failure import (
    FailureArcs,
    check_left,
    check_never_asked,
    checked_failure,
    failure_label,
)
from gtn.product.sides import is_lookup, most_looked_up, operands
from gtn.symbols import BACK_OFF
from gtn.topology import Topology

__all__ = ["ComposePlan", "compose", "intersect"]

Int32s = NDArray[np.int32]
_ARRAYS = ("src", "dst", "ilabels", "olabels", "starts", "finals", "node_offsets", "arc_offsets")
_ROOM = 1024
_LIMIT = int(np.iinfo(np.int32).max) - 1


def compose(
    a: Graph,
    b: Graph,
    *,
    filter: str = "sequence",
    symbols: str = "match",
    suffixes: tuple[str, str] | None = None,
    failure: int | str | None = None,
    beam: float | None = None,
    max_active: int | None = None,
) -> Graph:
    """Return the graph of all pairs of a path of ``a`` and a path of ``b`` that reads its output.

    An arc of the result has the input label of ``a``'s arc, the output label of ``b``'s arc and
    the sum of their penalties; where one side follows an epsilon alone, the other stands still
    (label ``EPSILON``, penalty 0). Start and final penalties add, arc data of both follow, and
    only nodes on a path from a start to a final are kept. Two acceptors with different tables give
    an acceptor with ``a``'s table. Also written ``a @ b``.

    Args:
        a, b: graphs, or batches of the same length; a single graph goes with each of a batch.
        filter: how epsilons that ``a`` writes and epsilons that ``b`` reads are interleaved.
            ``"sequence"`` (first those of ``a``) and ``"match"`` (together as long as both have
            some) give exactly one path for each pair of paths. ``"trivial"`` gives every
            interleaving: a smaller graph, right for least penalties, wrong for sums over paths.
        symbols: ``"match"`` compares symbols, so operands may have different tables (one without
            labels and without a table goes with any); ``"ignore"`` compares labels as integers.
        suffixes: two endings for keys of arc data that both operands have.
        failure: the input label (or symbol) of the failure arcs of ``b``. By default, arcs that
            read the symbol ``gtn.BACK_OFF`` are failure arcs, unless symbols are ignored; ``a``
            may have none. A failure arc reads nothing and is
            followed only where no arc of its node carries the label that ``a`` writes; the label
            is then looked up at its destination, and so on: exact n-gram back-off. Likewise, a
            string that stops at a node that is not final ends at the first final node that failure
            arcs lead to. Their penalties add. The failure arcs and the arc they lead to become one
            arc of the result with several sources in ``b``, so reading ``b``'s arc data needs a
            ``reduce``. An arc of penalty ``inf``, or one that leads nowhere, also counts as an arc
            of its node: it forbids its label.
        beam, max_active: explore on the fly and follow only what is likely: see
            :func:`gtn.beam.pruned`. ``a`` must then be acyclic, and pruned paths are lost.

    Raises:
        SymbolError: a table on one side and none on the other.
        DataError: a key of arc data on both sides, and no suffixes.
        GraphError: batches of different lengths; an unknown filter; a result that is too large;
            failure arcs that form a cycle, that write something, or two at one node.
        CyclicGraphError: with a beam, a cycle of ``a`` that lies on a path.

    The example of the paper's Fig. 28, a recognition graph and a lexicon:

    >>> import gtn
    >>> recognized = gtn.Graph.from_arcs(
    ...     [(0, 1, "c", 0.4), (0, 1, "o", 1.0), (0, 1, "d", 1.8),
    ...      (1, 2, "a", 0.2), (1, 2, "u", 0.8), (1, 2, "x", 0.1),
    ...      (2, 3, "p", 0.2), (2, 3, "t", 0.8)], final=3)
    >>> lexicon = gtn.Graph.from_arcs(
    ...     [(0, 1, "b"), (1, 2, "a"), (2, 3, "r"), (0, 4, "c"), (4, 5, "a"), (5, 3, "p"),
    ...      (5, 3, "t"), (5, 3, "r"), (4, 6, "u"), (6, 3, "t"), (6, 7, "r"), (7, 3, "e")], final=3)
    >>> compose(recognized, lexicon)
    Graph: 5 nodes, 6 arcs, start 0, final 4
      0 -> 1  c  0.4
      1 -> 2  a  0.2
      1 -> 3  u  0.8
      2 -> 4  p  0.2
      2 -> 4  t  0.8
      3 -> 4  t  0.8

    A model that has seen ``x`` at node 0, and backs off to node 1 for the rest, at 0.5:

    >>> model = gtn.Graph.from_arcs(
    ...     [(0, 2, "x", 0.25), (0, 1, "#", 0.5), (1, 2, "x", 2.0), (1, 2, "y", 3.0)], final=2)
    >>> written = gtn.Graph.from_arcs([(0, 1, "x"), (0, 1, "y")], final=1)
    >>> backed_off = compose(written, model, failure="#")
    >>> backed_off
    Graph: 2 nodes, 2 arcs, start 0, final 1
      0 -> 1  x  0.25
      0 -> 1  y  3.5
    >>> backed_off.sources[1].of(1)
    array([1, 3], dtype=int32)
    """
    check_graph(a, b)
    if beam is not None or max_active is not None:
        return pruned(
            [a, b],
            filter=filter,
            symbols=symbols,
            suffixes=suffixes,
            failure=failure,
            beam=np.inf if beam is None else beam,
            max_active=max_active,
        )
    if symbols == "match":
        check_left(a, "a")
        a, b = in_common_tables(a, b)
    acceptor = symbols == "match" and is_acceptor(a) and is_acceptor(b)
    relabel = relabelling(a.osymbols, b.isymbols, symbols)
    few = a.num_arcs < b.num_arcs and is_lookup(a.topology, b.topology)
    if relabel is not None and few:
        # Relabel the few arcs rather than the many.
        topology = a.topology.relabelled(a.ilabels, as_read(a, b, symbols))
        a, relabel = a._with(topology=topology), None
    plan = ComposePlan(
        a.topology,
        b.topology,
        filter=filter,
        relabel=relabel,
        failure=failure_label(b, failure, symbols),
        acceptor=acceptor,
    )
    return plan(a, b, suffixes=suffixes, symbols="ignore")  # symbols were compared above


def intersect(
    a: Graph,
    b: Graph,
    *,
    filter: str = "sequence",
    symbols: str = "match",
    suffixes: tuple[str, str] | None = None,
) -> Graph:
    """Return the acceptor of the strings that both acceptors accept; penalties add.

    The result has ``a``'s labels and tables. Arguments as in :func:`compose`. Also ``a & b``.

    Raises:
        GraphError: an operand is not an acceptor, naming the first arc whose labels differ.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, "x", 1.0), (0, 1, "y", 2.0)], final=1)
    >>> intersect(a, gtn.string("y"))
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  y  2
    """
    check_graph(a, b)
    for name, graph in (("a", a), ("b", b)):
        if graph.isymbols != graph.osymbols and symbols != "ignore":
            raise GraphError(
                f"intersection is of acceptors, but {name} has different input and output symbols; "
                "use compose, or project first"
            )
        if not graph.topology.is_acceptor:
            arc = int(np.argmax(graph.ilabels != graph.olabels))
            raise GraphError(
                f"intersection is of acceptors, but arc {arc} of {name} reads and writes "
                f"{graph.symbol_pair(arc)}; use compose, or project first"
            )
    result = compose(a, b, filter=filter, symbols=symbols, suffixes=suffixes)
    topology = result.topology.relabelled(result.ilabels, None)
    return result._with(topology=topology, osymbols=result.isymbols)


class ComposePlan:
    """The structure of a composition: made once, applied to any penalties.

    Of graphs whose symbols have different tables, or with failure arcs: :meth:`of`.

    Args:
        a, b: topologies, of graphs or of batches.
        filter: as in :func:`compose`.
        relabel: ``int32``, entry ``[label + 1]`` is what an input label of ``b`` becomes before
            it is compared: the second result of ``a.osymbols.merge(b.isymbols)``. Or a pair of
            arrays: labels in increasing order (epsilon too), and what each becomes.
        failure: the input label (of ``b``, before relabelling) of its failure arcs.
        acceptor: whether both are acceptors of symbols whose labels ``relabel`` makes agree: the
            result is then an acceptor with ``a``'s table.

    Attributes:
        topology: of the result.
        sources: for each operand, the arc behind each arc (-1 where that side stood still); with
            ``failure``, all arcs of ``b`` behind each arc.

    Raises:
        GraphError: as in :func:`compose`.

    >>> import gtn, torch
    >>> a, b = gtn.linear(torch.tensor([[1.0, 2.0]])), gtn.string([1])
    >>> plan = ComposePlan(a.topology, b.topology)
    >>> plan(a, b).penalties, plan(a.with_penalties(3 * a.penalties), b).penalties
    (tensor([2.]), tensor([6.]))
    """

    def __init__(
        self,
        a: Topology,
        b: Topology,
        *,
        filter: str = "sequence",
        relabel: Relabelling | None = None,
        failure: int | None = None,
        acceptor: bool = False,
    ) -> None:
        for name, given in (("a", a), ("b", b)):
            if not isinstance(given, Topology):
                raise GraphError(
                    f"{name} is a Topology, not {type(given).__name__}; ComposePlan.of takes graphs"
                )
        _check_relabelling(relabel)
        mode = filter_mode(filter)
        graphs = common_length(a, b)
        read = b
        if relabel is not None:
            read = b.relabelled(relabelled(b.ilabels, relabel), b.olabels)
        failures = None
        if isinstance(failure, str):
            raise GraphError(
                f"failure={failure!r} is a symbol, and topologies have none; its label is "
                f"graph.isymbols.label({failure!r})"
            )
        if failure is not None:
            failure = checked_failure(failure)
            failures = FailureArcs.of(b, failure)
            label = np.array([failure], dtype=np.int32)
            asked = label if relabel is None else relabelled(label, relabel)
            check_never_asked(a.olabels, int(asked[0]), "a")
        lookup, too_many = failures is None and is_lookup(a, read), True
        left, right = operands(a, b, read, failures, whole=lookup)
        # Where one side has no epsilons, every filter allows every move.
        free = failures is None and not (a.has_output_epsilons and read.has_input_epsilons)
        mode = FILTERS["trivial"] if free else mode
        if lookup:
            most = most_looked_up(a, read)
            *rows, too_many = explore(left, right, graphs, mode, _ROOM, most)
            found = columns(*rows)
        if lookup and too_many:
            # A larger result is found sooner without the arcs that cannot match.
            left, right = operands(a, b, read)
        if too_many and free:
            nodes, arcs, starts, offsets, too_many = match(
                left, right, graphs, _ROOM + a.num_arcs + b.num_arcs, _LIMIT
            )
            found = nodes, arcs, starts, offsets
        elif too_many:
            *rows, too_many = explore(left, right, graphs, mode, _ROOM, _LIMIT)
            found = columns(*rows)
        if too_many:
            raise GraphError(
                f"the composition has more than {_LIMIT} nodes or arcs; prune the operands, or "
                "search it without building it"
            )
        self.a, self.b = a, b
        self._failure = failure
        self._relabels = relabel is not None
        self._product = trimmed(
            a,
            b,
            found,
            left,
            right,
            same=relabel is None and a.is_acceptor and b.is_acceptor,
            acceptor=bool(acceptor),
            failures=failures,
        )

    @classmethod
    def of(
        cls, a: Graph, b: Graph, *, filter: str = "sequence", failure: int | str | None = None
    ) -> ComposePlan:
        """Return the plan of ``compose(a, b)``, for graphs with these topologies and tables.

        Args:
            a, b: graphs or batches, with any penalties.
            filter, failure: as in :func:`compose`.

        Raises:
            GraphError, SymbolError: as in :func:`compose`.

        Compose with a model that backs off, where the other graph has more symbols; its penalties
        may be learned:

        >>> import gtn, torch
        >>> model = gtn.from_arcs([(0, 1, "b", 0.5), (0, 0, "a"), (1, 0, gtn.BACK_OFF)], final=1)
        >>> seen = gtn.linear(torch.zeros(3, 3), symbols=gtn.SymbolTable("-ab"))
        >>> plan = ComposePlan.of(seen, model)
        >>> gtn.equal(plan(seen, model), seen @ model)
        True
        """
        check_graph(a, b)
        check_left(a, "a")
        a, b = in_common_tables(a, b)
        return cls(
            a.topology,
            b.topology,
            filter=filter,
            relabel=relabelling(a.osymbols, b.isymbols, "match"),
            failure=failure_label(b, failure),
            acceptor=is_acceptor(a) and is_acceptor(b),
        )

    @property
    def topology(self) -> Topology:
        """The topology of the result."""
        return self._product.topology

    @property
    def sources(self) -> tuple[Sources, ...]:
        """For each operand, the arc behind each arc of the result, -1 where it stood still."""
        return self._product.sources

    def __call__(
        self,
        a: Graph,
        b: Graph,
        *,
        suffixes: tuple[str, str] | None = None,
        symbols: str = "match",
    ) -> Graph:
        """Return the composition of graphs that have the planned topologies.

        Args:
            a, b: the graphs.
            suffixes: as in :func:`compose`.
            symbols: ``"ignore"`` compares labels as integers, whatever the tables.

        Raises:
            GraphError: a graph of another topology.
            SymbolError: different tables, and a plan without ``relabel``.
            DataError: a key of arc data on both sides, and no suffixes.
        """
        check_graph(a, b)
        for name, graph, planned in (("a", a, self.a), ("b", b, self.b)):
            if not _same(graph.topology, planned):
                raise GraphError(
                    f"{name} has {graph.topology!r}, which is not the {planned!r} that this "
                    "composition was planned for; make a new plan"
                )
        if symbols not in ("match", "ignore"):
            raise SymbolError(f"symbols={symbols!r}; known are 'match' and 'ignore'")
        if symbols == "match":
            a, b = in_common_tables(a, b)
            if not self._relabels and a.osymbols != b.isymbols:
                raise SymbolError(
                    "a writes symbols of another table than b reads; plan with ComposePlan.of(a, "
                    'b), or call with symbols="ignore"'
                )
            check_left(a, "a")
            own = failure_label(b, self._failure)
            if own != self._failure:
                raise GraphError(
                    f"b has failure arcs that read {BACK_OFF!r}; plan with ComposePlan.of(a, b), "
                    f"or with failure={own}, its label"
                )
        return self._product.graph([a, b], suffixes)

    def __repr__(self) -> str:
        return f"ComposePlan({self.a!r} @ {self.b!r} = {self.topology!r})"


def _check_relabelling(relabel: Any) -> None:
    """Check that new labels are what kernels take: one array, or a pair of equal length."""
    rows = relabel if isinstance(relabel, tuple) else (relabel,)
    right = all(isinstance(r, np.ndarray) and r.dtype == np.int32 and r.ndim == 1 for r in rows)
    if relabel is None or (right and len({len(row) for row in rows}) == 1 and len(rows) <= 2):
        return
    raise GraphError(
        "relabel is an int32 array, the second result of a.osymbols.merge(b.isymbols), or a pair "
        f"of such arrays of equal length, not {relabel!r}"
    )


def _same(a: Topology, b: Topology) -> bool:
    """Return whether two topologies are the same object, or equal (after pickling, say)."""
    return a is b or (
        a.num_nodes == b.num_nodes
        and a.is_batch == b.is_batch
        and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in _ARRAYS)
    )
