"""Generalized transduction: graph transformers given by functions on arcs (paper, section VIII)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gtn.batch import assemble, gather
from gtn.composition import Product, common_length, filter_mode, operand, product
from gtn.data import ArcData, Column, Sources
from gtn.errors import GraphError
from gtn.graph import Graph, check_penalties
from gtn.kernels.composition import FILTERS, Operand, number
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = ["ArcTable", "expand", "replace", "transduce"]

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]
Check = Callable[[Int32s, Int32s], Any]
Made = torch.Tensor | tuple[torch.Tensor, Mapping[str, Any]]
_BLOCK = 1 << 20


def expand(
    g: Graph,
    penalties: torch.Tensor,
    *,
    symbols: SymbolTable | None = None,
    labels: ArrayLike | None = None,
) -> Graph:
    """Return the graph in which each arc becomes C parallel arcs, one per class (a recognizer).

    Arc ``a * C + c`` has label c, penalty ``g.penalties[a] + penalties[a, c]`` and the data of
    arc a. The labels of ``g`` are dropped.

    Args:
        g: a graph or a batch.
        penalties: ``[A, C]``, in nats: what a network says to the A arcs.
        symbols: the text of the classes.
        labels: of the classes, ``[C]``; 0, 1, 2 … unless given.

    Raises:
        GraphError: a wrong shape; a penalty that is NaN or -inf.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 0, 0.5), (1, 2, 0, 0.25)], final=2)
    >>> expand(g, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    Graph: 3 nodes, 4 arcs, start 0, final 2
      0 -> 1  0  1.5
      0 -> 1  1  2.5
      1 -> 2  0  3.25
      1 -> 2  1  4.25
    """
    if penalties.ndim != 2 or len(penalties) != g.num_arcs:
        raise GraphError(
            f"penalties must be [{g.num_arcs}, C], one row per arc, not {list(penalties.shape)}"
        )
    classes = penalties.shape[1]
    named = np.arange(classes) if labels is None else np.asarray(labels)
    if named.shape != (classes,):
        raise GraphError(f"labels must be [{classes}], not of shape {list(named.shape)}")
    if classes and named.min() < EPSILON:
        raise GraphError(f"label {named.min()} is negative; labels are >= 0, or EPSILON == -1")
    old = g.topology
    arcs = Sources(np.repeat(np.arange(g.num_arcs, dtype=np.int32), classes))
    topology = Topology(
        old.num_nodes,
        old.src[arcs.index],
        old.dst[arcs.index],
        np.tile(named.astype(np.int32), g.num_arcs),
        starts=old.starts,
        finals=old.finals,
        node_offsets=old.node_offsets if old.is_batch else None,
        arc_offsets=old.arc_offsets * np.int32(classes) if old.is_batch else None,
        check=False,
    )
    total = (g.penalties[:, None] + penalties).reshape(-1)
    _check_rows(penalties, classes)
    return Graph.with_symbols(
        assemble(
            topology,
            total,
            g.start_penalties.to(total.dtype),
            g.final_penalties.to(total.dtype),
            data=g.data.take(arcs),
            sources=(arcs,),
        ),
        symbols,
    )


def _check_rows(penalties: torch.Tensor, classes: int) -> None:
    wrong = ~(penalties.detach() > -torch.inf)
    if wrong.any():
        arc, label = divmod(int(wrong.reshape(-1).nonzero()[0]), classes)
        raise GraphError(
            f"arc {arc}, class {label} has penalty {penalties.detach()[arc, label].item()}; "
            "a penalty is a finite number, or inf to forbid"
        )


def replace(g: Graph, batch: Graph, *, suffixes: tuple[str, str] | None = None) -> Graph:
    """Return the graph in which arc i is graph i of a batch (a segmenter in a field graph).

    In front of graph i stands, for each of its starts, an epsilon arc with arc i's penalty plus
    the start penalty, and arc i's data; behind it, for each of its finals, an epsilon arc with
    the final penalty. Labels and symbols are those of the batch; those of ``g`` are dropped.

    Args:
        g: a graph (or a batch) with A arcs.
        batch: A graphs.
        suffixes: two endings for keys of arc data that both have.

    Raises:
        GraphError: not one graph per arc, or penalties of another dtype.
        DataError: a key of arc data on both sides, and no suffixes.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 0, 0.5)], final=1)
    >>> replace(g, gtn.GraphBatch.from_graphs([gtn.string("ab")]))
    Graph: 5 nodes, 4 arcs, start 0, final 1
      0 -> 2  ε  0.5
      2 -> 3  a  0
      3 -> 4  b  0
      4 -> 1  ε  0
    """
    outer, inner = g.topology, batch.topology
    if inner.batch_size != g.num_arcs:
        raise GraphError(
            f"{inner.batch_size} graphs cannot replace {g.num_arcs} arcs; give one graph per arc"
        )
    # Each graph of the result has its nodes of g first, then those of the graphs of its arcs.
    shift = inner.node_offsets[outer.arc_offsets]
    outside = np.arange(outer.num_nodes, dtype=np.int32)
    outside += shift[outer.graph_of_nodes(outside)]
    inside = np.arange(inner.num_nodes, dtype=np.int32)
    inside += outer.node_offsets[outer.arc_graph + 1][inner.graph_of_nodes(inside)]

    entry, leave = inner.graph_of_nodes(inner.starts), inner.graph_of_nodes(inner.finals)
    owner = np.concatenate([entry, inner.arc_graph, leave])
    order = np.argsort(owner, kind="stable")
    counts = len(entry), inner.num_arcs, len(leave)

    def joined(*parts: Any) -> Int32s:
        """Return values of entries, inner arcs and exits as those of the arcs of the result."""
        columns = [np.broadcast_to(part, n) for part, n in zip(parts, counts, strict=True)]
        return np.concatenate(columns)[order].astype(np.int32)

    topology = Topology(
        outer.num_nodes + inner.num_nodes,
        joined(outside[outer.src[entry]], inside[inner.src], inside[inner.finals]),
        joined(inside[inner.starts], inside[inner.dst], outside[outer.dst[leave]]),
        joined(EPSILON, inner.ilabels, EPSILON),
        None if inner.is_acceptor else joined(EPSILON, inner.olabels, EPSILON),
        starts=outside[outer.starts],
        finals=outside[outer.finals],
        node_offsets=outer.node_offsets + shift if outer.is_batch else None,
        arc_offsets=np.searchsorted(owner[order], outer.arc_offsets) if outer.is_batch else None,
        check=False,
    )
    from_g = Sources(joined(entry, -1, -1))
    from_batch = Sources(joined(-1, np.arange(inner.num_arcs), -1))
    penalties = (
        gather(g.penalties, from_g.index)
        + gather(batch.penalties, from_batch.index)
        + gather(batch.start_penalties, joined(np.arange(len(entry)), -1, -1))
        + gather(batch.final_penalties, joined(-1, -1, np.arange(len(leave))))
    )
    return assemble(
        topology,
        penalties,
        g.start_penalties.to(penalties.dtype),
        g.final_penalties.to(penalties.dtype),
        isymbols=batch.isymbols,
        osymbols=batch.osymbols,
        data=g.data.take(from_g).merged(batch.data.take(from_batch), suffixes),
        sources=(from_g, from_batch),
    )


@dataclass(frozen=True, eq=False)
class ArcTable:
    """One side of P arc pairs, as ``fprop`` of :func:`transduce` gets it.

    Attributes:
        ilabels, olabels: ``int32 [P]``, ``EPSILON`` where this side stood still.
        penalties: ``[P]``, differentiable, 0 where this side stood still.
        data: the arc data, one row per pair; the fill where this side stood still.
        mask: bool tensor ``[P]``, False where this side stood still.
        arcs: ``int32 [P]``, the arcs of the operand, -1 where it stood still.
    """

    ilabels: Int32s
    olabels: Int32s
    penalties: torch.Tensor
    data: ArcData
    mask: torch.Tensor
    arcs: Int32s

    def __len__(self) -> int:
        return len(self.arcs)


def transduce(
    g1: Graph,
    g2: Graph,
    *,
    check: Check,
    fprop: Callable[[ArcTable, ArcTable], Made],
    filter: str = "sequence",
    suffixes: tuple[str, str] | None = None,
) -> Graph:
    """Return the composition of two graphs whose arcs pair up, and cost, as functions say.

    The paper's generalized transduction (section VIII-B), in blocks: ``check`` builds the
    structure, ``fprop`` computes all created arcs in one differentiable call; autograd is the
    paper's ``bprop``. Plain composition is the case "labels equal, penalties add". Epsilons,
    batches, starts and finals are as in :func:`gtn.compose`; labels are integers here, symbols
    are not compared.

    Args:
        g1, g2: graphs, or batches of the same length; a single graph goes with each of a batch.
        check: called with the output labels of arcs of g1 and the input labels of arcs of g2
            (``int32 [P]`` each, none of them epsilon); returns ``bool [P]``, which pairs become
            arcs. It must depend on the labels alone.
        fprop: called with both sides of the P created arcs, where one may stand still on an
            epsilon of the other; returns their penalties ``[P]``, or penalties and a mapping of
            arc data, which is added to that of both operands. ``+inf`` drops an arc.
        filter: as in :func:`gtn.compose`.
        suffixes: two endings for keys of arc data that both operands have.

    Raises:
        GraphError: answers of the wrong length; penalties that are NaN or -inf.
        DataError: a key of arc data on both sides and neither suffixes nor a new column for it.

    Digits pair with digits that are at most 1 off, at a penalty for the distance:

    >>> import gtn
    >>> a, b = gtn.string([3, 7]), gtn.Graph.from_arcs([(0, 0, 4), (0, 0, 7)], final=0)
    >>> transduce(
    ...     a, b,
    ...     check=lambda left, right: abs(left - right) <= 1,
    ...     fprop=lambda left, right: torch.as_tensor(abs(left.olabels - right.ilabels) / 2.0))
    Graph: 3 nodes, 2 arcs, start 0, final 2
      0 -> 1  3:4  0.5
      1 -> 2  7  0
    """
    made = _explored(g1.topology, g2.topology, check, filter)
    tables = _table(g1, made.sources[0]), _table(g2, made.sources[1])
    answer = fprop(*tables)
    penalties, columns = answer if isinstance(answer, tuple) else (answer, {})
    check_penalties(penalties, made.topology.num_arcs, "arc")
    start_penalties, final_penalties = made.end_penalties(g1, g2)
    left, right = tables[0].data, tables[1].data
    both = _without(left, columns).merged(_without(right, columns), suffixes)
    graph = assemble(
        made.topology,
        penalties,
        start_penalties.to(penalties.dtype),
        final_penalties.to(penalties.dtype),
        isymbols=g1.isymbols,
        osymbols=g2.osymbols,
        data=ArcData(both.columns() | ArcData(columns).columns()),
        sources=made.sources,
    )
    return _finite(graph.with_data())


def _table(g: Graph, sources: Sources) -> ArcTable:
    arcs = sources.index
    moved = arcs >= 0

    def labels(of_arcs: Int32s) -> Int32s:
        return np.where(moved, np.append(of_arcs, np.int32(EPSILON))[arcs], np.int32(EPSILON))

    return ArcTable(
        labels(g.ilabels),
        labels(g.olabels),
        gather(g.penalties, arcs),
        g.data.take(sources),
        torch.from_numpy(moved).to(g.penalties.device),
        arcs,
    )


def _without(data: ArcData, columns: Mapping[str, Column | Any]) -> ArcData:
    return ArcData({k: column for k, column in data.columns().items() if k not in columns})


def _finite(g: Graph) -> Graph:
    """Return the graph without forbidden arcs and what is no longer on a path."""
    finite = (g.penalties.detach() < torch.inf).cpu().numpy()
    if finite.all():
        return g
    old = g.topology
    left = Topology(
        old.num_nodes,
        old.src[finite],
        old.dst[finite],
        old.ilabels[finite],
        starts=old.starts,
        finals=old.finals,
        check=False,
    )
    kept = left.accessible & left.coaccessible
    new = np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)
    before = np.concatenate(([0], np.cumsum(kept)))
    arcs = np.flatnonzero(finite & kept[old.src] & kept[old.dst]).astype(np.int32)
    starts, finals = (np.flatnonzero(kept[nodes]) for nodes in (old.starts, old.finals))
    topology = Topology(
        int(before[-1]),
        new[old.src[arcs]],
        new[old.dst[arcs]],
        old.ilabels[arcs],
        old.olabels[arcs],
        starts=new[old.starts[starts]],
        finals=new[old.finals[finals]],
        node_offsets=before[old.node_offsets] if old.is_batch else None,
        arc_offsets=np.searchsorted(arcs, old.arc_offsets) if old.is_batch else None,
        check=False,
    )
    sources = Sources(arcs)
    return assemble(
        topology,
        gather(g.penalties, arcs),
        gather(g.start_penalties, starts.astype(np.int32)),
        gather(g.final_penalties, finals.astype(np.int32)),
        isymbols=g.isymbols,
        osymbols=g.osymbols,
        data=g.data.take(sources),
        sources=tuple(s.then(sources) for s in g.sources),
    )


def _explored(a: Topology, b: Topology, check: Check, filter: str) -> Product:
    """Return the product of two graphs, explored level by level."""
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
    return product(a, b, _by_graph(a, b, graphs, nodes, arcs, starts), left, right)


def _start_pairs(left: Operand, right: Operand, graphs: int) -> Int64s:
    """Return which start of each side begins each start pair, ``[2, S]``, graph by graph."""
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
    a: Topology, b: Topology, graphs: int, nodes: Int64s, arcs: Int64s, starts: Int64s
) -> tuple[Int32s, Int32s, Int32s, Int32s]:
    """Return nodes, arcs, starts and node offsets with the graphs of a batch one by one."""
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
    parts = (nodes[order], arcs, begin, offsets)
    return tuple(np.ascontiguousarray(part, dtype=np.int32) for part in parts)


def _rows(*columns: Any) -> Int32s:
    return np.stack(columns, axis=1).astype(np.int32)


class _Steps:
    """The arcs that leave pairs of nodes, all pairs of a level at once."""

    def __init__(self, a: Operand, b: Operand, mode: int, check: Check) -> None:
        self.sides = [_Side(a), _Side(b)]
        self.mode, self.check = mode, check

    def of(self, level: Int64s) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Return owner (index into the level), destination ``[K, 3]``, arc of a and of b."""
        a, b = self.sides
        na, nb = level[:, 0], level[:, 1]
        still = np.zeros(len(level), dtype=np.int64), np.ones(len(level), dtype=np.int64)
        begins = a.begin[na], a.real[na], b.begin[nb], b.real[nb]
        a_begin, a_real, b_begin, b_real = begins
        a_count, b_count = a_real - a_begin, b_real - b_begin
        after_a, after_b, after_both = self._after_epsilon(level)
        real = (a_real, a.end[na] - a_real, b_real, b.end[nb] - b_real)
        blocks = [
            self._block(level, after_a, (a_begin, a_count, *still), b_moves=False),
            self._block(level, after_b, (*still, b_begin, b_count), a_moves=False),
            self._block(level, after_both, (a_begin, a_count, b_begin, b_count)),
            *self._checked(level, real),
        ]
        return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))

    def _after_epsilon(self, level: Int64s) -> tuple[Int64s, Int64s, Int64s]:
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
        level: Int64s,
        after: Int64s,
        ranges: tuple[Int64s, Int64s, Int64s, Int64s],
        *,
        a_moves: bool = True,
        b_moves: bool = True,
    ) -> tuple[Int64s, Int64s, Int64s, Int64s]:
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

    def _checked(
        self, level: Int64s, ranges: tuple[Int64s, Int64s, Int64s, Int64s]
    ) -> list[tuple[Int64s, Int64s, Int64s, Int64s]]:
        """Return the pairs of arcs without epsilon that pass the check, in blocks."""
        total = np.cumsum(ranges[1] * ranges[3])
        cuts = np.searchsorted(total, np.arange(_BLOCK, int(total[-1]) + 1, _BLOCK), side="left")
        blocks = []
        for part in np.split(np.arange(len(level)), np.unique(cuts + 1)):
            after = np.zeros(len(part), dtype=np.int64)
            owner, to, arc_a, arc_b = self._block(
                level[part], after, tuple(r[part] for r in ranges)
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
