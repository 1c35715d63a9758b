"""Joining: several graphs side by side in one, with epsilon arcs and nodes between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble, gather, repeat
from gtn.data import ArcData, JoinedSources, Sources
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.symbols import EPSILON, SymbolTable, merged_labels
from gtn.topology import Topology

__all__ = [
    "Epsilons",
    "Operands",
    "Places",
    "in_one_dtype",
    "joined_tables",
    "spokes",
    "taken",
]

Array = NDArray[Any]


class Epsilons(NamedTuple):
    """New epsilon arcs: the graph of the batch that each belongs to, its nodes and penalty."""

    owner: Array
    src: Array
    dst: Array
    penalties: torch.Tensor


def spokes(
    graph: Graph,
    nodes: Array,
    renumbered: Array,
    penalties: torch.Tensor,
    hubs: Array,
    where: Array,
    *,
    into: bool,
) -> Epsilons:
    """Return epsilon arcs between starts or finals and one node for each graph of a batch.

    Args:
        nodes, renumbered, penalties: starts or finals of ``graph``, in its numbers and in those
            of the result.
        hubs: the one node of each graph, ``[B]``.
        where: which graphs get such arcs, ``[B]``.
        into: whether the arcs lead to the hub (or from it).
    """
    owner = graph.topology.graph_of_nodes(nodes)
    kept = np.flatnonzero(where[owner])
    owner, ends = owner[kept], renumbered[kept]
    src, dst = (ends, hubs[owner]) if into else (hubs[owner], ends)
    return Epsilons(owner, src, dst, taken(penalties, kept))


class Places:
    """The places, in a result, of the nodes or arcs of several operands and of new ones.

    Args:
        offsets: by graph of the batch, ``[B + 1]``, of each operand.
        extra: how many new ones each graph of the result gets, ``[B]``.
    """

    def __init__(self, offsets: Sequence[Array], extra: Array) -> None:
        sizes = np.array([*(np.diff(o) for o in offsets), extra], dtype=np.int64)
        self.offsets = np.r_[0, np.cumsum(sizes.sum(axis=0))]
        if self.offsets[-1] > np.iinfo(np.int32).max:
            raise GraphError(f"{self.offsets[-1]} nodes or arcs are too many for one graph")
        first = self.offsets[:-1] + np.cumsum(sizes, axis=0) - sizes
        self.new = first[-1]  # the first new one of each graph
        self._operands = [np.asarray(o, dtype=np.int64) for o in offsets]
        self._shifts = [f - o[:-1] for f, o in zip(first, self._operands)]

    def of(self, operand: int, items: Array) -> Array:
        """Return the places of some nodes or arcs of an operand."""
        graphs = np.searchsorted(self._operands[operand], items, side="right") - 1
        places: Array = items + self._shifts[operand][graphs]
        return places


class Operands:
    """Operands of one length, dtype and pair of symbol tables, to be joined in one graph."""

    def __init__(self, operands: Sequence[Graph], symbols: str) -> None:
        if symbols not in ("match", "ignore"):
            raise GraphError(f"symbols={symbols!r}; known are 'match' and 'ignore'")
        for k, given in enumerate(operands):
            if not isinstance(given, Graph):
                raise GraphError(
                    f"operand {k} is of type {type(given).__name__}; graphs are given one by one, "
                    "as in union(a, b, c)"
                )
        lengths = {g.topology.batch_size for g in operands if g.topology.is_batch}
        if len(lengths) > 1:
            raise GraphError(f"batches of {' and '.join(map(str, sorted(lengths)))} graphs")
        self.is_batch = bool(lengths)
        self.length = lengths.pop() if lengths else 1
        self.given = operands
        self.graphs = in_one_dtype(
            [
                repeat(g, self.length) if self.is_batch and not g.topology.is_batch else g
                for g in operands
            ]
        )
        inputs, outputs = joined_tables(self.graphs, symbols)
        self.isymbols, self.ilabels = inputs
        self.osymbols, self.olabels = outputs

    def place_nodes(self, extra: Array | None = None) -> Places:
        """Return where the nodes go, with room for new ones."""
        none = np.zeros(self.length, dtype=np.int64)
        offsets = [g.topology.node_offsets for g in self.graphs]
        return Places(offsets, none if extra is None else extra)

    def joined(
        self,
        nodes: Places,
        epsilons: Sequence[Epsilons],
        starts: Sequence[int] | None,
        finals: Sequence[int] | None,
    ) -> Graph:
        """Return the graph of all operands and some epsilon arcs.

        Args:
            nodes: the places of the operands' nodes.
            epsilons: the new arcs, in any order.
            starts, finals: the operands whose starts and finals are those of the result; None:
                the first new node of each graph, with penalty 0.
        """
        graphs = self.graphs
        owner = np.concatenate([np.empty(0, dtype=np.int64), *(e.owner for e in epsilons)])
        by_owner = np.argsort(owner, kind="stable")
        counts = np.bincount(owner, minlength=self.length)
        places = Places([g.topology.arc_offsets for g in graphs], counts)
        # The arcs of all operands, then the new ones; sorted into their places.
        new = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        new += np.repeat(places.new, counts)
        place = [places.of(k, np.arange(g.num_arcs)) for k, g in enumerate(graphs)]
        fresh = np.empty(len(owner), dtype=np.int64)
        fresh[by_owner] = new
        order = np.argsort(np.concatenate([*place, fresh]), kind="stable").astype(np.int32)
        src, dst = (
            np.concatenate(
                [
                    *(nodes.of(k, getattr(g, end)) for k, g in enumerate(graphs)),
                    *(getattr(e, end) for e in epsilons),
                ]
            )[order]
            for end in ("src", "dst")
        )
        silent = np.full(len(owner), EPSILON, dtype=np.int32)
        ilabels = np.concatenate([*self.ilabels, silent])[order]
        acceptor = self.olabels is self.ilabels
        start_nodes, start_penalties = self._ends(nodes, "start", starts)
        final_nodes, final_penalties = self._ends(nodes, "final", finals)
        topology = Topology(
            int(nodes.offsets[-1]),
            src,
            dst,
            ilabels,
            None if acceptor else np.concatenate([*self.olabels, silent])[order],
            starts=start_nodes,
            finals=final_nodes,
            node_offsets=nodes.offsets,
            arc_offsets=places.offsets,
            is_batch=self.is_batch,
            check=False,
        )
        lengths = [*(g.num_arcs for g in graphs), len(owner)]
        data = ArcData.concatenate([*(g.data for g in graphs), ArcData()], lengths)
        penalties = torch.cat([*(g.penalties for g in graphs), *(e.penalties for e in epsilons)])
        return assemble(
            topology,
            gather(penalties, order),
            start_penalties,
            final_penalties,
            isymbols=self.isymbols,
            osymbols=self.osymbols,
            data=data.take(Sources(order)),
            sources=self._sources(order, lengths),
        )

    def _ends(
        self, nodes: Places, name: str, operands: Sequence[int] | None
    ) -> tuple[Array, torch.Tensor]:
        """Return the starts or finals of some operands, sorted, and their penalties."""
        graphs = self.graphs
        none = graphs[0].penalties.new_zeros(0)
        if operands is None:
            return nodes.new, none.new_zeros(self.length)
        parts = [nodes.of(k, getattr(graphs[k], f"{name}s")) for k in operands]
        joined = np.concatenate([np.empty(0, dtype=np.int64), *parts])
        order = np.argsort(joined, kind="stable").astype(np.int32)
        penalties = torch.cat([none, *(getattr(graphs[k], f"{name}_penalties") for k in operands)])
        return joined[order], gather(penalties, order)

    def _sources(self, order: NDArray[np.int32], lengths: Sequence[int]) -> JoinedSources:
        """Return for each arc the operand and its arc there; new arcs come from none."""
        count = len(self.graphs)
        operand = np.repeat(np.r_[np.arange(count), -1], lengths)
        arcs = [
            # A single graph beside batches was repeated: its sources are arcs of the one given.
            graph.sources[0].index
            if graph.topology.is_batch != given.topology.is_batch
            else np.arange(graph.num_arcs)
            for given, graph in zip(self.given, self.graphs)
        ]
        return JoinedSources(
            operand[order], np.concatenate([*arcs, np.full(lengths[-1], -1)])[order], count
        )


def in_one_dtype(graphs: Sequence[Graph]) -> list[Graph]:
    """Return graphs with penalties of the larger type of theirs."""
    dtype = graphs[0].penalties.dtype
    for graph in graphs[1:]:
        dtype = torch.promote_types(dtype, graph.penalties.dtype)
    return [g if g.penalties.dtype == dtype else g.to(dtype) for g in graphs]


def joined_tables(
    graphs: Sequence[Graph], symbols: str, whats: Sequence[str] | None = None
) -> tuple[tuple[SymbolTable | None, list[Array]], tuple[SymbolTable | None, list[Array]]]:
    """Return of each side the common table of several graphs, and the labels of each in its terms.

    Where all are acceptors of one table, both sides are the same arrays.

    Args:
        graphs: all of them.
        symbols: ``"match"`` or ``"ignore"``.
        whats: what errors call the graphs where a user cannot choose ``symbols``; unless given,
            operands.
    """
    inputs = _joined_labels(
        [g.isymbols for g in graphs], [g.ilabels for g in graphs], "input", symbols, whats
    )
    if all(g.topology.olabels is g.topology.ilabels and g.isymbols == g.osymbols for g in graphs):
        return inputs, inputs
    tables, labels = [g.osymbols for g in graphs], [g.olabels for g in graphs]
    return inputs, _joined_labels(tables, labels, "output", symbols, whats)


def _joined_labels(
    tables: Sequence[SymbolTable | None],
    labels: Sequence[Array],
    side: str,
    symbols: str,
    whats: Sequence[str] | None,
) -> tuple[SymbolTable | None, list[Array]]:
    """Return the common table of several operands, and the labels of each in its terms.

    Operands that have neither a table nor a label other than epsilon go with any.
    """
    speaks = [t is not None or row.max(initial=EPSILON) >= 0 for t, row in zip(tables, labels)]
    one = speaks.index(True) if any(speaks) else 0
    first = tables[one]
    if symbols == "ignore":
        if first is not None:
            for k, row in enumerate(labels):
                unknown = row[~first.known(row)]
                if len(unknown):
                    raise SymbolError(
                        f"operand {k} has {side} label {unknown[0]}, which is not in the table "
                        f"of the first: {first!r}"
                    )
        return first, list(labels)
    for k, table in enumerate(tables):
        if speaks[k] and (table is None) != (first is None):
            with_, without = (
                f"operand {n}" if whats is None else whats[n]
                for n in ((one, k) if table is None else (k, one))
            )
            other = "" if whats is not None else ", or compare labels with symbols='ignore'"
            raise SymbolError(
                f"{with_} has {side} symbols and {without} has none; give it a table with "
                f"with_symbols{other}"
            )
    if first is None:
        return None, list(labels)
    return merged_labels([first if table is None else table for table in tables], labels)


def taken(penalties: torch.Tensor, index: Array) -> torch.Tensor:
    """Return ``penalties[index]``, differentiable, for an index of any integer type."""
    return gather(penalties, index.astype(np.int32))
