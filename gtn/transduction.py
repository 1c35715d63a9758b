"""Generalized transduction: graph transformers given by functions on arcs (paper, section VIII)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gtn.batch import assemble, gather, traced
from gtn.data import ArcData, Column, Sources
from gtn.errors import GraphError, bad_penalty
from gtn.graph import Graph, check_graph, check_penalties
from gtn.indexes import check_counts, integers
from gtn.optimization import only_arcs
from gtn.product.exploration import Check, explored
from gtn.product.failure import check_left, check_reads_none
from gtn.symbols import EPSILON, SymbolTable
from gtn.tensors import as_mask
from gtn.topology import Topology

__all__ = ["ArcTable", "expand", "transduce"]

Int32s = NDArray[np.int32]
Made = torch.Tensor | tuple[torch.Tensor, Mapping[str, Any]]


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
        penalties: ``[A, C]``, in nats, as a network gives them for the A arcs.
        symbols: the text of the classes.
        labels: of the classes, ``[C]``; 0, 1, 2 … unless given.

    Raises:
        GraphError: a wrong shape; labels that are not integers; a penalty that is NaN or -inf.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 0, 0.5), (1, 2, 0, 0.25)], final=2)
    >>> expand(g, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    Graph: 3 nodes, 4 arcs, start 0, final 2
      0 -> 1  0  1.5
      0 -> 1  1  2.5
      1 -> 2  0  3.25
      1 -> 2  1  4.25
    """
    check_graph(g)
    if not isinstance(penalties, torch.Tensor):
        raise GraphError(f"penalties must be a torch.Tensor, not {type(penalties).__name__}")
    if penalties.ndim != 2 or len(penalties) != g.num_arcs:
        raise GraphError(
            f"penalties must be [{g.num_arcs}, C], one row per arc, not {list(penalties.shape)}"
        )
    if penalties.is_meta:
        raise GraphError("penalties are on the meta device, where tensors have no values")
    classes = penalties.shape[1]
    check_counts(g.num_nodes, g.num_arcs * classes)
    named = integers(np.arange(classes) if labels is None else labels, "labels")
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
        np.tile(named, g.num_arcs),
        starts=old.starts,
        finals=old.finals,
        node_offsets=old.node_offsets,
        arc_offsets=old.arc_offsets * np.int32(classes),
        is_batch=old.is_batch,
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
        value = penalties.detach()[arc, label].item()
        raise bad_penalty(f"arc {arc}, class {label} has penalty", value)


@dataclass(frozen=True, eq=False)
class ArcTable:
    """One side of P pairs of arcs, as :func:`transduce` passes it to ``fprop``.

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
    """Return the composition of two graphs, with your functions to match arcs and set penalties.

    The paper's generalized transduction (section VIII-C), in blocks: ``check`` decides the
    structure, ``fprop`` computes all created arcs in one differentiable call; autograd is the
    paper's ``bprop``. Plain composition is the case "labels equal, penalties add". Epsilons,
    batches, starts and finals are as in :func:`gtn.compose`; labels are compared as integers, not
    as symbols.

    Args:
        g1, g2: graphs, or batches of the same length; a single graph goes with each of a batch.
        check: called with the output labels of arcs of g1 and the input labels of arcs of g2
            (``int32 [P]`` each, none of them epsilon); returns ``bool [P]``: which pairs become
            arcs. It must depend on the labels alone.
        fprop: called with both sides of the P created arcs (one side may stand still on an
            epsilon of the other); returns their penalties ``[P]``, or penalties and a mapping of
            arc data, which is added to that of both operands. ``+inf`` drops an arc.
        filter: as in :func:`gtn.compose`.
        suffixes: two endings for keys of arc data that both operands have.

    Raises:
        GraphError: answers of the wrong length; penalties that are NaN or -inf; failure arcs
            (``gtn.BACK_OFF``), which only :func:`gtn.compose` follows.
        DataError: a key of arc data on both sides and neither suffixes nor a new column for it.

    Match digits that differ by at most 1, with the difference as penalty:

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
    check_graph(g1, g2)
    check_left(g1, "g1")
    check_reads_none(g2, "g2", "gtn.compose follows it, transduce does not")
    made = explored(g1.topology, g2.topology, check, filter)
    tables = _table(g1, made.sources[0]), _table(g2, made.sources[1])
    answer = fprop(*tables)
    penalties, columns = answer if isinstance(answer, tuple) else (answer, {})
    check_penalties(penalties, made.topology.num_arcs, "arc")
    start_penalties, final_penalties = made.end_penalties(g1, g2)
    for key, column in ArcData(columns).columns().items():
        if len(column) != made.topology.num_arcs:
            raise GraphError(
                f"fprop gave {len(column)} rows of data {key!r} for {made.topology.num_arcs} arcs"
            )
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
    return _finite(graph)


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
    """Return the graph without forbidden arcs, and without what they leave on no path."""
    finite = as_mask(g.penalties.detach() < torch.inf)
    if finite.all():
        return g
    return traced(only_arcs(g, finite), g)
