"""Composition: what one graph writes, the other one reads (paper, section VIII)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble, gather
from gtn.data import Sources
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.kernels.composition import FILTERS, Operand, explore, trim
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import ArcIndex, Topology, frozen

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
) -> Graph:
    """Return the graph of all pairs of a path of ``a`` and a path of ``b`` that reads its output.

    An arc of the result has the input label of ``a``'s arc, the output label of ``b``'s arc and
    the sum of their penalties; where one side follows an epsilon alone, the other stands still
    (label ``EPSILON``, penalty 0). Start and final penalties add, arc data of both follow, and
    only nodes on a path from a start to a final are kept. Also written ``a @ b``.

    Args:
        a, b: graphs, or batches of the same length; a single graph goes with each of a batch.
        filter: how epsilons that ``a`` writes and epsilons that ``b`` reads are interleaved.
            ``"sequence"`` (first those of ``a``) and ``"match"`` (together as long as both have
            some) give exactly one path for each pair of paths. ``"trivial"`` gives every
            interleaving: smaller, right for the least penalty, wrong for sums over paths.
        symbols: ``"match"`` compares symbols, so that operands may have different tables;
            ``"ignore"`` compares labels as integers.
        suffixes: two endings for keys of arc data that both operands have.

    Raises:
        SymbolError: a table on one side and none on the other.
        DataError: a key of arc data on both sides, and no suffixes.
        GraphError: batches of different lengths; an unknown filter; a result that is too large.

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
    """
    relabel = relabelling(a.osymbols, b.isymbols, symbols)
    plan = ComposePlan(a.topology, b.topology, filter=filter, relabel=relabel)
    return plan(a, b, suffixes=suffixes)


def intersect(
    a: Graph,
    b: Graph,
    *,
    filter: str = "sequence",
    symbols: str = "match",
    suffixes: tuple[str, str] | None = None,
) -> Graph:
    """Return the acceptor of the strings that both acceptors accept; penalties add.

    The result has ``a``'s labels and tables. Arguments as in :func:`compose`.

    Raises:
        GraphError: an operand is no acceptor, naming the first arc that writes not what it reads.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, "x", 1.0), (0, 1, "y", 2.0)], final=1)
    >>> intersect(a, gtn.string("y"))
    Graph: 2 nodes, 1 arcs, start 0, final 1
      0 -> 1  y  2
    """
    for name, graph in (("a", a), ("b", b)):
        if not graph.topology.is_acceptor:
            arc = int(np.argmax(graph.ilabels != graph.olabels))
            raise GraphError(
                f"intersection is of acceptors, but arc {arc} of {name} reads and writes "
                f"{graph.symbol_pair(arc)}; use compose, or project first"
            )
        if graph.isymbols != graph.osymbols and symbols != "ignore":
            raise GraphError(
                f"intersection is of acceptors, but {name} has different input and output symbols"
            )
    result = compose(a, b, filter=filter, symbols=symbols, suffixes=suffixes)
    return assemble(
        result.topology.relabelled(result.ilabels, None),
        result.penalties,
        result.start_penalties,
        result.final_penalties,
        isymbols=a.isymbols,
        osymbols=a.osymbols,
        data=result.data,
        sources=result.sources,
    )


class ComposePlan:
    """The structure of a composition: made once, applied to any penalties.

    Args:
        a, b: topologies, of graphs or of batches.
        filter: as in :func:`compose`.
        relabel: ``int32``, entry ``[label + 1]`` is what an input label of ``b`` becomes before
            it is compared: the second result of ``a.osymbols.merge(b.isymbols)``.

    Attributes:
        topology: of the result.
        sources: for each operand, the arc behind each arc (-1 where that side stood still).

    Raises:
        GraphError: as :func:`compose`.

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
        relabel: Int32s | None = None,
    ) -> None:
        mode = filter_mode(filter)
        graphs = common_length(a, b)
        left = operand(a, a.olabels, a.outgoing_by_olabel)
        if relabel is None:
            right = operand(b, b.ilabels, b.outgoing_by_ilabel)
        else:
            other = b.relabelled(_relabelled(b.ilabels, relabel), b.olabels)
            right = operand(b, other.ilabels, other.outgoing_by_ilabel)
        nodes, arcs, starts, offsets, too_many = explore(left, right, graphs, mode, _ROOM, _LIMIT)
        if too_many:
            raise GraphError(
                f"the composition has more than {_LIMIT} nodes or arcs; prune the operands, or "
                "search it without building it"
            )
        self.a, self.b = a, b
        self._product = product(
            a,
            b,
            (nodes, arcs, starts, offsets),
            left,
            right,
            acceptor=relabel is None and a.is_acceptor and b.is_acceptor,
        )

    @property
    def topology(self) -> Topology:
        """The topology of the result."""
        return self._product.topology

    @property
    def sources(self) -> tuple[Sources, Sources]:
        """For each operand, the arc behind each arc of the result, -1 where it stood still."""
        return self._product.sources

    def __call__(self, a: Graph, b: Graph, *, suffixes: tuple[str, str] | None = None) -> Graph:
        """Return the composition of graphs that have the planned topologies.

        Raises:
            GraphError: a graph of another topology.
            DataError: a key of arc data on both sides, and no suffixes.
        """
        for name, graph, planned in (("a", a, self.a), ("b", b, self.b)):
            if not _same(graph.topology, planned):
                raise GraphError(
                    f"{name} has {graph.topology!r}, which is not the {planned!r} that this "
                    "composition was planned for; make a new plan"
                )
        made = self._product
        left, right = made.sources
        start_penalties, final_penalties = made.end_penalties(a, b)
        return assemble(
            made.topology,
            gather(a.penalties, left.index) + gather(b.penalties, right.index),
            start_penalties,
            final_penalties,
            isymbols=a.isymbols,
            osymbols=b.osymbols,
            data=a.data.take(left).merged(b.data.take(right), suffixes),
            sources=made.sources,
        )

    def __repr__(self) -> str:
        return f"ComposePlan({self.a!r} @ {self.b!r} = {self.topology!r})"


@dataclass(frozen=True, eq=False)
class Product:
    """The structure of a graph made of pairs of arcs, and where its parts come from.

    Attributes:
        topology: of the result.
        sources: for each operand, the arc behind each arc.
        starts, finals: for each operand, which of its starts (finals) is behind each.
    """

    topology: Topology
    sources: tuple[Sources, Sources]
    starts: tuple[Int32s, Int32s]
    finals: tuple[Int32s, Int32s]

    def end_penalties(self, a: Graph, b: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the start and final penalties of the result, sums of those of both sides."""
        return (
            gather(a.start_penalties, self.starts[0]) + gather(b.start_penalties, self.starts[1]),
            gather(a.final_penalties, self.finals[0]) + gather(b.final_penalties, self.finals[1]),
        )


def product(
    a: Topology,
    b: Topology,
    found: tuple[Int32s, Int32s, Int32s, Int32s],
    left: Operand,
    right: Operand,
    *,
    acceptor: bool = False,
) -> Product:
    """Return the trimmed product of what an exploration has found (nodes, arcs, starts, offsets).

    ``acceptor`` says that input and output labels of the result are known to agree.
    """
    nodes, pairs, begin, offsets = found
    arcs, starts, finals, node_offsets, arc_offsets = trim(
        nodes, pairs, begin, offsets, left.final, right.final, a.ilabels, b.olabels
    )
    batch = a.is_batch or b.is_batch
    topology = Topology(
        int(node_offsets[-1]),
        arcs[0],
        arcs[1],
        arcs[2],
        None if acceptor else arcs[3],
        starts=starts[0],
        finals=finals[0],
        node_offsets=node_offsets if batch else None,
        arc_offsets=arc_offsets if batch else None,
        check=False,
    )
    sources = Sources(frozen(arcs[4])), Sources(frozen(arcs[5]))
    return Product(topology, sources, (starts[1], starts[2]), (finals[1], finals[2]))


def operand(topology: Topology, labels: Int32s, by_label: ArcIndex) -> Operand:
    """Return one side of a composition, with the labels that are to be matched."""
    final = np.full(topology.num_nodes, -1, dtype=np.int32)
    final[topology.finals] = np.arange(len(topology.finals), dtype=np.int32)
    start_offsets = np.searchsorted(topology.starts, topology.node_offsets).astype(np.int32)
    return Operand(
        *by_label,
        labels,
        topology.dst,
        topology.coaccessible,
        frozen(final),
        topology.starts,
        frozen(start_offsets),
    )


def filter_mode(filter: str) -> int:
    """Return the number of a filter; raises ``GraphError`` for an unknown name."""
    if filter not in FILTERS:
        raise GraphError(f"filter={filter!r}; known are {', '.join(map(repr, FILTERS))}")
    return FILTERS[filter]


def common_length(a: Topology, b: Topology) -> int:
    """Return how many graphs the product has; raises ``GraphError`` where lengths differ."""
    if a.is_batch and b.is_batch and a.batch_size != b.batch_size:
        raise GraphError(
            f"a batch of {a.batch_size} graphs meets a batch of {b.batch_size}; batches must be "
            "equally long (a single graph goes with each)"
        )
    return max(a.batch_size, b.batch_size) if a.batch_size and b.batch_size else 0


def relabelling(
    written: SymbolTable | None, read: SymbolTable | None, symbols: str
) -> Int32s | None:
    """Return what becomes of the labels that are read, or None where they stay.

    Raises:
        SymbolError: a table on one side only, or an unknown choice.
    """
    if symbols not in ("match", "ignore"):
        raise SymbolError(f"symbols={symbols!r}; known are 'match' and 'ignore'")
    if symbols == "ignore" or (written is None and read is None):
        return None
    if written is None or read is None:
        with_table, without = ("a", "b") if read is None else ("b", "a")
        raise SymbolError(
            f"{with_table} has a symbol table where {without} has none; give {without} one "
            "(with_symbols), or compare labels as integers: symbols='ignore'"
        )
    return None if written == read else written.merge(read)[1]


def _relabelled(labels: Int32s, relabel: Int32s) -> Int32s:
    """Return relabelled labels; what has no new label gets one that matches nothing."""
    nothing = np.int32(np.iinfo(np.int32).max)
    position = np.minimum(labels + np.int64(1), len(relabel))
    new: Int32s = np.append(relabel, np.int32(-2))[position].astype(np.int32)
    return np.where(new < EPSILON, nothing, new)


def _same(a: Topology, b: Topology) -> bool:
    """Whether two topologies are one, or have equal parts (after pickling, say)."""
    return a is b or (
        a.num_nodes == b.num_nodes
        and a.is_batch == b.is_batch
        and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in _ARRAYS)
    )
