"""Cascades: graphs, each reading what the one before it writes, laid out for token passing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gtn.beam.token_passing import Passed, Starts, TokenPassing
from gtn.data import Sources, compose_index
from gtn.errors import CyclicGraphError, GraphError, NegativeCycleError
from gtn.graph import Graph, check_penalties
from gtn.indexes import check_counts, frozen, grouped
from gtn.kernels.beam import FINE, NEGATIVE, TOO_MANY, Readers, Writer
from gtn.kernels.reachability import reach
from gtn.product import Product, as_read, in_common_tables, is_acceptor
from gtn.product.failure import FailureArcs, check_left, check_never_asked, failure_label
from gtn.tensors import as_array, float64_penalties
from gtn.topology import Topology

__all__ = ["Cascade", "Followed", "followed", "on_paths"]

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Followed(NamedTuple):
    """The part of a search's T tokens, arcs and S starts that lies on a path."""

    tokens: Mask  # [T]
    arcs: NDArray[np.int64]  # the numbers of the arcs, increasing
    started: Mask  # [S]
    ended: Mask  # [T]: the tokens at which a path ends


class _Found(NamedTuple):
    """The part within the beam and on a path: T tokens, A arcs, S starts, F finals.

    G is the number of graphs of the cascade, B that of products.
    """

    tokens: Int32s  # [T, G]: node of each graph
    ends: Int32s  # [2, A]: source and destination token
    arcs: Int32s  # [A, G]: arc of each graph, -1 if it stood still
    starts: Int32s  # [S]: the tokens,
    start_entries: Int32s  # [S, G]: and the start of each graph
    finals: Int32s  # [F]: the tokens,
    final_entries: Int32s  # [F, G]: and the final of each graph
    offsets: Int32s  # [B + 1]: where the tokens of each product begin


@dataclass(frozen=True)
class Cascade:
    """Graphs, each reading what the one before it writes, laid out for token passing.

    Attributes:
        graphs: G graphs or batches.
        written: the output labels of each graph but the last, as labels of the next.
        failures: the failure arcs of the last graph, or None.
        penalties: of the arcs, starts and finals of each graph, in float64.
        readers: all graphs but the first, concatenated, with consecutive numbers of nodes and arcs.
        node_shifts, arc_shifts: what to add to a graph's own numbers to get these, ``[G]``.
        acceptor: whether all are acceptors with one symbol table.
    """

    graphs: Sequence[Graph]
    written: Sequence[Int32s]
    failures: FailureArcs | None
    penalties: Sequence[Sequence[Float64s]]
    readers: Readers
    node_shifts: NDArray[np.int64]
    arc_shifts: NDArray[np.int64]
    acceptor: bool

    @classmethod
    def of(cls, graphs: Sequence[Graph], symbols: str, failure: int | str | None) -> Cascade:
        """Return the layout of graphs; ``symbols`` and ``failure`` as in :func:`pruned`.

        Raises:
            GraphError: as :func:`gtn.compose`.
        """
        graphs = list(graphs)
        if symbols == "match":
            for i, graph in enumerate(graphs[:-1]):
                check_left(graph, f"graph {i}")
                graphs[i : i + 2] = in_common_tables(graphs[i], graphs[i + 1])
        written = [as_read(a, b, symbols) for a, b in pairwise(graphs)]
        failures, label = None, failure_label(graphs[-1], failure, symbols)
        if label is not None:
            failures = FailureArcs.of(graphs[-1].topology, label)
            check_never_asked(written[-1], label, f"graph {len(graphs) - 2}")
        penalties = [[as_array(p) for p in float64_penalties(g)] for g in graphs]
        topologies = [g.topology for g in graphs]
        read = [*written[1:], graphs[-1].olabels]
        return cls(
            graphs,
            written,
            failures,
            penalties,
            _readers(topologies[1:], read, [p[0] for p in penalties[1:]], failures),
            np.cumsum([0, 0, *(t.num_nodes for t in topologies[1:-1])]),
            np.cumsum([0, 0, *(t.num_arcs for t in topologies[1:-1])]),
            symbols == "match" and all(map(is_acceptor, graphs)),
        )

    def search(self, length: int, mode: int, beam: float, max_active: int | None) -> TokenPassing:
        """Return the search for ``length`` products, with tokens at all starts."""
        topologies = [g.topology for g in self.graphs]
        entries, offsets = _start_entries(topologies, length)
        rows = [
            t.starts[entries[:, i]] + shift
            for i, (t, shift) in enumerate(zip(topologies, self.node_shifts, strict=True))
        ]
        ahead = np.sum([p[1][entries[:, i]] for i, p in enumerate(self.penalties)], axis=0)
        nodes = frozen(np.stack(rows, axis=1).astype(np.int32))
        return TokenPassing(
            self.readers,
            Starts(nodes, ahead, offsets, entries),
            topologies[0].num_nodes,
            mode,
            beam,
            max_active,
        )

    def writer(self) -> Writer:
        """Return the first graph, laid out."""
        topology, written = self.graphs[0].topology, self.written[0]
        if written is topology.olabels:
            by_label = topology.outgoing_by_olabel
        else:
            by_label = topology.relabelled(written, None).outgoing_by_ilabel
        return Writer(
            *by_label,
            written,
            topology.dst,
            topology.coaccessible,
            topology.final_of_nodes,
            frozen(self.penalties[0][0]),
        )

    def order(self, length: int) -> tuple[Int32s, Int32s]:
        """Return the nodes of the first graph in topological order, for ``length`` products.

        They are grouped by graph of the batch; offsets ``[length + 1]`` come second.

        Raises:
            CyclicGraphError: a cycle lies on a path.
        """
        topology = self.graphs[0].topology
        try:
            order = topology.path_order
        except CyclicGraphError as error:
            raise CyclicGraphError(
                f"a search goes through its first graph once, and {error}; put a graph without "
                "cycles in front of it, or compose them without a beam"
            ) from error
        if not topology.is_batch:
            # A single graph goes with each graph of a batch: repeat its nodes.
            ends = np.arange(length + 1) * len(order)
            return frozen(np.tile(order, length)), frozen(ends.astype(np.int32))
        owner = topology.graph_of_nodes(order)
        by_graph = order[np.argsort(owner, kind="stable")]
        ends = np.searchsorted(np.sort(owner), np.arange(length + 1))
        return frozen(by_graph), frozen(ends.astype(np.int32))

    def check(self, search: TokenPassing) -> None:
        """Raise the error that a search has met, if any.

        Raises:
            GraphError: too many tokens or arcs; a NaN or -inf penalty, naming it.
            NegativeCycleError: a cycle of negative penalty, so that no token is best.
        """
        if search.status == FINE:
            return
        if search.status == TOO_MANY:
            raise GraphError(
                f"after {search.count} tokens there are too many tokens or arcs; a smaller beam "
                "keeps fewer"
            )
        if search.status == NEGATIVE:
            nodes = search.at - self.node_shifts
            raise NegativeCycleError(
                f"a cycle of negative penalty is read while the first graph stands still at node "
                f"{nodes[0]}, the others going round at nodes {nodes[1:].tolist()}: no token is "
                "best"
            )
        for graph in self.graphs:
            check_penalties(graph.penalties, graph.num_arcs, "arc")
        raise GraphError("the penalties of a path add up to less than float64 can hold")

    def product(self, search: TokenPassing) -> Product:
        """Return the structure of the pruned composition, from what a search has kept.

        Raises:
            GraphError: as :meth:`check`.
        """
        self.check(search)
        passed = search.passed()
        tokens, final = passed.tokens, self.graphs[0].topology.final_of_nodes
        parts = [final[tokens[:, 0]]]
        parts += [self.readers.final[tokens[:, i]] for i in range(1, len(self.graphs))]
        finals = np.stack(parts, axis=1)
        ended = passed.kept & (finals >= 0).all(axis=1)
        return self.product_of(passed, search.starts, followed(passed, search, ended), finals)

    def product_of(
        self, passed: Passed, starts: Starts, kept: Followed, finals: Int32s | None = None
    ) -> Product:
        """Return the structure of a part of what a search has found.

        Args:
            finals: the final that the node of each graph is, ``[T, G]``; if None, paths end
                without final penalties.
        """
        found = self._numbered(passed, starts, kept, finals)
        graphs, offsets = self.graphs, found.offsets
        graph_of_arcs = np.searchsorted(offsets, found.ends[0], side="right")
        arc_offsets = np.cumsum(np.bincount(graph_of_arcs, minlength=len(offsets))[: len(offsets)])
        plain = all(labels is g.olabels for labels, g in zip(self.written, graphs, strict=False))
        same = self.acceptor or (plain and all(g.topology.is_acceptor for g in graphs))
        olabels = None if same else compose_index(graphs[-1].olabels, found.arcs[:, -1])
        topology = Topology(
            len(found.tokens),
            found.ends[0],
            found.ends[1],
            compose_index(graphs[0].ilabels, found.arcs[:, 0]),
            olabels,
            starts=found.starts,
            finals=found.finals,
            node_offsets=offsets,
            arc_offsets=arc_offsets,
            is_batch=any(g.topology.is_batch for g in graphs),
            check=False,
        )
        sources = [Sources(frozen(np.ascontiguousarray(column))) for column in found.arcs.T]
        backed_off = None
        if self.failures is not None:
            here = found.tokens[:, -1]
            sources[-1] = self.failures.sources(here[found.ends[0]], sources[-1].index)
            ends = here[found.finals]
            if finals is None:
                nowhere = np.full(len(ends), -1, dtype=np.int32)
                backed_off = self.failures.sources(ends, nowhere)
            else:
                backed_off = self.failures.final_sources(ends)
        return Product(
            topology,
            tuple(sources),
            tuple(np.ascontiguousarray(column) for column in found.start_entries.T),
            tuple(np.ascontiguousarray(column) for column in found.final_entries.T),
            backed_off,
            self.acceptor,
        )

    def _numbered(
        self, passed: Passed, starts: Starts, kept: Followed, finals: Int32s | None
    ) -> _Found:
        """Return a part of what a search has found, with consecutive numbers of tokens."""
        tokens, arcs = passed.tokens[kept.tokens], passed.arcs[kept.arcs]
        new = np.cumsum(kept.tokens, dtype=np.int32) - np.int32(1)
        ended = np.flatnonzero(kept.ended)
        if finals is None:
            final_entries = np.full((len(ended), len(self.graphs)), -1, dtype=np.int32)
        else:
            final_entries = finals[ended]
        return _Found(
            (tokens - self.node_shifts).astype(np.int32),
            np.ascontiguousarray(new[arcs[:, :2]].T),
            np.where(arcs[:, 2:] < 0, -1, arcs[:, 2:] - self.arc_shifts).astype(np.int32),
            new[passed.begun[kept.started]],
            starts.entries[kept.started],
            new[ended],
            final_entries,
            np.append(0, np.cumsum(kept.tokens))[passed.offsets].astype(np.int32),
        )


def followed(passed: Passed, search: TokenPassing, ended: Mask) -> Followed:
    """Return the part within the beam and on a path to the tokens in ``ended``, ``[T]``."""
    arcs, starts, latest = passed.arcs, search.starts, passed.arrived + search.beam
    tried = passed.kept[arcs[:, 1]]
    tried &= (arcs[:, 2] < 0) | (passed.ways <= latest[arcs[:, 1]])
    started = passed.begun >= 0
    first = passed.begun[started]
    started[started] = passed.kept[first] & (starts.penalties[started] <= latest[first])
    tokens, chosen = on_paths(passed, np.flatnonzero(tried), passed.begun[started], ended)
    started[started] = tokens[passed.begun[started]]
    return Followed(tokens, chosen, started, ended & tokens)


def on_paths(
    passed: Passed, arcs: NDArray[np.int64], starts: Int32s, ended: Mask
) -> tuple[Mask, NDArray[np.int64]]:
    """Return which tokens, ``[T]``, and which of some arcs lie on a path of these arcs.

    Args:
        arcs: numbers of arcs.
        starts: numbers of the tokens at which paths begin.
        ended: the tokens at which paths end, a mask ``[T]``.
    """
    count, finals = len(ended), np.flatnonzero(ended).astype(np.int32)
    src, dst = (frozen(passed.arcs[arcs, end]) for end in (0, 1))
    tokens = reach(frozen(starts), count, dst, *grouped(src, count))
    tokens &= reach(frozen(finals), count, src, *grouped(dst, count))
    return tokens, arcs[tokens[src] & tokens[dst]]


def _readers(
    topologies: Sequence[Topology],
    written: Sequence[Int32s],
    penalties: Sequence[Float64s],
    failures: FailureArcs | None,
) -> Readers:
    """Return the readers, concatenated; the arrays of a single reader are not copied."""
    check_counts(
        sum(t.num_nodes for t in topologies), sum(t.num_arcs for t in topologies), "search"
    )
    nodes = np.cumsum([0, *(t.num_nodes for t in topologies)], dtype=np.int32)
    arcs = np.cumsum([0, *(t.num_arcs for t in topologies)], dtype=np.int32)

    def joined(parts: Sequence[Any], shifts: Int32s | None = None) -> Any:
        if len(parts) == 1:
            return frozen(parts[0])
        if shifts is not None:
            parts = [part + shift for part, shift in zip(parts, shifts, strict=False)]
        return frozen(np.concatenate(parts))

    final = [t.final_of_nodes for t in topologies]
    fail = np.empty(0, dtype=np.int32)
    if failures is not None:
        final[-1] = failures.final
        shifted = np.where(failures.arcs < 0, np.int32(-1), failures.arcs + arcs[-2])
        fail = np.append(np.full(nodes[-2], -1, dtype=np.int32), shifted)
    return Readers(
        joined([t.outgoing_by_ilabel.offsets for t in topologies], arcs),
        joined([t.outgoing_by_ilabel.arcs for t in topologies], arcs),
        joined([t.ilabels for t in topologies]),
        joined(written),
        joined([t.dst for t in topologies], nodes),
        joined([t.coaccessible for t in topologies]),
        joined(final),
        frozen(fail),
        joined(penalties),
    )


def _start_entries(topologies: Sequence[Topology], length: int) -> tuple[Int32s, Int32s]:
    """Return tuples of starts ``[S, G]``, product by product, and offsets ``[length + 1]``."""
    parts = [np.empty((0, len(topologies)), dtype=np.int64)]
    for i in range(length):
        ranges = [np.arange(*t.start_offsets[min(i, t.batch_size - 1) :][:2]) for t in topologies]
        grids = np.meshgrid(*ranges, indexing="ij")
        parts.append(np.stack([grid.ravel() for grid in grids], axis=1))
    offsets = np.cumsum([len(part) for part in parts])
    entries, ends = np.concatenate(parts).astype(np.int32), offsets.astype(np.int32)
    return frozen(entries), frozen(ends)
