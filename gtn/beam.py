"""Pruned composition on the fly: decoding with large lexicons and grammars (token passing)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gtn.data import Sources, compose_index
from gtn.errors import GraphError, NegativeCycleError
from gtn.failure import FailureArcs, check_never_asked, failure_label
from gtn.graph import Graph, check_penalties
from gtn.indexes import frozen, grouped
from gtn.kernels.beam import NEGATIVE, TOO_MANY, Readers, Writer
from gtn.kernels.reachability import reach
from gtn.product import (
    Product,
    as_read,
    common_length,
    filter_mode,
    in_common_tables,
    is_acceptor,
)
from gtn.tensors import as_array, float64_penalties
from gtn.token_passing import passed
from gtn.topology import Topology

__all__ = ["pruned"]

Int32s = NDArray[np.int32]


def pruned(
    graphs: Sequence[Graph],
    *,
    filter: str = "sequence",
    symbols: str = "match",
    suffixes: Sequence[str] | None = None,
    failure: int | str | None = None,
    beam: float = np.inf,
    max_active: int | None = None,
) -> Graph:
    """Return the composition of several graphs as far as a beam keeps it, without building more.

    What ``gtn.compose(…, beam=…)`` and ``gtn.viterbi_path(lattice, lexicon, grammar, beam=…)``
    are made of. Each graph reads what the one before it writes; the first is usually a lattice,
    the others a lexicon and a grammar. A token is a tuple of nodes. Nodes of the first graph are
    taken in topological order, all tokens at a node together: the same ink or time lies behind
    them. Of these, those that arrive more than ``beam`` behind the best are dropped, and of the
    rest the ``max_active`` best are followed (of equally good ones, those found first), through
    epsilons that the others read and then along the arcs of the node. Tokens that recombine meet
    in one node of the result, which has all arcs between tokens that were followed, except those
    that arrive more than ``beam`` behind.

    With ``beam=inf`` and no ``max_active`` it is the whole composition: the same paths, each
    once. The time is that of the moves of the tokens followed, M log M, whatever the size of the
    other graphs (but for one pass over their penalties, and over all their arrays if there are
    more than two graphs); indexes of their topologies are made once.

    Args:
        graphs: at least two graphs or batches; the first acyclic.
        filter, symbols: as in :func:`gtn.compose`, between each graph and the next.
        suffixes: one ending per graph, for keys of arc data that several have.
        failure: input label (or symbol) of failure arcs of the last graph; see
            :func:`gtn.compose`.
        beam: in nats, >= 0.
        max_active: how many tokens to follow at each node of the first graph.

    Returns:
        A connected graph, differentiable in the penalties of all operands, whose ``sources`` are
        arcs of each of them. Where the beam loses every path, a graph without nodes: its Viterbi
        and forward penalties are ``inf``; a larger beam may find one.

    Raises:
        CyclicGraphError: a cycle of the first graph lies on a path.
        NegativeCycleError: a cycle of negative penalty on which the first graph stands still, so
            that no token is the best.
        GraphError: a wrong beam; otherwise as :func:`gtn.compose`.

    >>> import gtn, torch
    >>> lattice = gtn.linear(
    ...     torch.tensor([[0.25, 1.0], [1.0, 0.25]]), symbols=gtn.SymbolTable("ab"))
    >>> lexicon = gtn.closure(gtn.union(gtn.string("ab"), gtn.string("bb")))
    >>> pruned([lattice, lexicon], beam=0.5).num_arcs, pruned([lattice, lexicon]).num_arcs
    (4, 8)
    """
    if not beam >= 0:
        raise GraphError(f"beam={beam}; a beam is a number of nats >= 0, or inf")
    if max_active is not None and not max_active >= 1:
        raise GraphError(f"max_active={max_active}; at least one token must be followed")
    mode = filter_mode(filter)
    common_length(*(g.topology for g in graphs))
    if symbols == "match":
        graphs = list(graphs)
        for i in range(len(graphs) - 1):
            graphs[i : i + 2] = in_common_tables(graphs[i], graphs[i + 1])
    written = [as_read(a, b, symbols) for a, b in pairwise(graphs)]
    failures, label = None, failure_label(graphs[-1], failure)
    if label is not None:
        failures = FailureArcs.of(graphs[-1].topology, label)
        check_never_asked(written[-1], label, f"graph {len(graphs) - 2}")
    found = _passed(graphs, written, failures, mode, float(beam), max_active)
    acceptor = symbols == "match" and all(map(is_acceptor, graphs))
    return _product(graphs, found, failures, written, acceptor).graph(graphs, suffixes)


class _Found(NamedTuple):
    """What lies within the beam and on a path; T tokens, A arcs, S starts, G graphs, B long."""

    tokens: Int32s  # [T, G]: node of each graph
    ends: Int32s  # [2, A]: source and destination token
    arcs: Int32s  # [A, G]: arc of each graph, -1 where it stood still
    starts: Int32s  # [S]: tokens,
    start_entries: Int32s  # [S, G]: and the start of each graph
    finals: Int32s  # [F]: tokens,
    final_entries: Int32s  # [F, G]: and the final of each graph
    offsets: Int32s  # [B + 1]: the tokens of each product


def _passed(
    graphs: Sequence[Graph],
    written: list[Int32s],
    failures: FailureArcs | None,
    mode: int,
    beam: float,
    max_active: int | None,
) -> _Found:
    """Return what token passing keeps."""
    topologies = [g.topology for g in graphs]
    length = common_length(*topologies)
    penalties = [[as_array(p) for p in float64_penalties(g)] for g in graphs]
    # Nodes and arcs of the readers are numbered through.
    node_shifts = np.cumsum([0, 0, *(t.num_nodes for t in topologies[1:-1])])
    arc_shifts = np.cumsum([0, 0, *(t.num_arcs for t in topologies[1:-1])])
    writer = _writer(topologies[0], written[0], penalties[0][0])
    readers = _readers(
        topologies[1:], [*written[1:], graphs[-1].olabels], [p[0] for p in penalties[1:]], failures
    )
    entries, entry_offsets = _start_entries(topologies, length)
    rows = [t.starts[entries[:, i]] + node_shifts[i] for i, t in enumerate(topologies)]
    ahead = np.sum([p[1][entries[:, i]] for i, p in enumerate(penalties)], axis=0)
    tokens, kept, arrived, arcs, ways, begun, offsets, status, at = passed(
        writer,
        readers,
        _order(topologies[0], length),
        (frozen(np.stack(rows, axis=1).astype(np.int32)), ahead, entry_offsets),
        mode,
        beam,
        max_active,
    )
    if status:
        _complain(
            graphs, status, len(tokens), tokens[at] - node_shifts if status == NEGATIVE else None
        )
    latest = arrived + beam
    tried = kept[arcs[:, 1]] & ((arcs[:, 2] < 0) | (ways <= latest[arcs[:, 1]]))
    arcs = np.compress(tried, arcs, axis=0)
    started = begun >= 0
    first = begun[started]
    started[started] = kept[first] & (ahead[started] <= latest[first])
    final = [writer.final[tokens[:, 0]]]
    final += [readers.final[tokens[:, i]] for i in range(1, len(graphs))]
    ended = kept & (np.stack(final) >= 0).all(axis=0)
    alive = _between(len(tokens), arcs, begun[started], np.flatnonzero(ended).astype(np.int32))
    arcs = np.compress(alive[arcs[:, 0]] & alive[arcs[:, 1]], arcs, axis=0)
    started[started] = alive[begun[started]]
    ended &= alive
    new = np.cumsum(alive, dtype=np.int32) - np.int32(1)
    return _Found(
        (tokens[alive] - node_shifts).astype(np.int32),
        np.ascontiguousarray(new[arcs[:, :2]].T),
        np.where(arcs[:, 2:] < 0, -1, arcs[:, 2:] - arc_shifts).astype(np.int32),
        new[begun[started]],
        entries[started],
        new[ended],
        np.stack(final, axis=1)[ended],
        np.append(0, np.cumsum(alive))[offsets].astype(np.int32),
    )


def _between(count: int, arcs: Int32s, starts: Int32s, finals: Int32s) -> NDArray[np.bool_]:
    """Return which tokens lie on a path from a start to a final, ``[count]``."""
    alive = np.ones(count, dtype=np.bool_)
    for seeds, near, far in ((starts, 0, 1), (finals, 1, 0)):
        src, dst = (frozen(np.ascontiguousarray(arcs[:, c])) for c in (near, far))
        alive &= reach(frozen(seeds), count, dst, *grouped(src, count))
    return alive


def _product(
    graphs: Sequence[Graph],
    found: _Found,
    failures: FailureArcs | None,
    written: Sequence[Int32s],
    acceptor: bool,
) -> Product:
    """Return the structure of the pruned composition."""
    offsets = found.offsets
    graph_of_arcs = np.searchsorted(offsets, found.ends[0], side="right")
    arc_offsets = np.cumsum(np.bincount(graph_of_arcs, minlength=len(offsets))[: len(offsets)])
    batch = any(g.topology.is_batch for g in graphs)
    plain = all(labels is g.olabels for labels, g in zip(written, graphs, strict=False))
    same = acceptor or (plain and all(g.topology.is_acceptor for g in graphs))
    olabels = None if same else compose_index(graphs[-1].olabels, found.arcs[:, -1])
    topology = Topology(
        len(found.tokens),
        found.ends[0],
        found.ends[1],
        compose_index(graphs[0].ilabels, found.arcs[:, 0]),
        olabels,
        starts=found.starts,
        finals=found.finals,
        node_offsets=offsets if batch else None,
        arc_offsets=arc_offsets if batch else None,
        check=False,
    )
    sources = [Sources(frozen(np.ascontiguousarray(column))) for column in found.arcs.T]
    backed_off = None
    if failures is not None:
        here = found.tokens[:, -1]
        sources[-1] = failures.sources(here[found.ends[0]], sources[-1].index)
        backed_off = failures.final_sources(here[found.finals])
    return Product(
        topology,
        tuple(sources),
        tuple(np.ascontiguousarray(column) for column in found.start_entries.T),
        tuple(np.ascontiguousarray(column) for column in found.final_entries.T),
        backed_off,
        acceptor,
    )


def _writer(topology: Topology, written: Int32s, penalties: NDArray[np.float64]) -> Writer:
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
        frozen(penalties),
    )


def _readers(
    topologies: Sequence[Topology],
    written: Sequence[Int32s],
    penalties: Sequence[NDArray[np.float64]],
    failures: FailureArcs | None,
) -> Readers:
    """Return the readers one after the other; the arrays of a single one are not copied."""
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
    """Return tuples of starts ``[S, G]`` of products one by one, and offsets ``[length + 1]``."""
    parts = [np.empty((0, len(topologies)), dtype=np.int64)]
    for i in range(length):
        ranges = [np.arange(*t.start_offsets[min(i, t.batch_size - 1) :][:2]) for t in topologies]
        grids = np.meshgrid(*ranges, indexing="ij")
        parts.append(np.stack([grid.ravel() for grid in grids], axis=1))
    offsets = np.cumsum([len(part) for part in parts])
    entries, ends = np.concatenate(parts).astype(np.int32), offsets.astype(np.int32)
    return frozen(entries), frozen(ends)


def _order(topology: Topology, length: int) -> tuple[Int32s, Int32s]:
    """Return the nodes in topological order, graph by graph, and offsets ``[length + 1]``."""
    order = topology.path_order
    if not topology.is_batch:
        # A single graph goes with each of a batch: its nodes are taken again and again.
        ends = np.arange(length + 1) * len(order)
        return frozen(np.tile(order, length)), frozen(ends.astype(np.int32))
    owner = topology.graph_of_nodes(order)
    by_graph = order[np.argsort(owner, kind="stable")]
    ends = np.searchsorted(np.sort(owner), np.arange(length + 1))
    return frozen(by_graph), frozen(ends.astype(np.int32))


def _complain(graphs: Sequence[Graph], status: int, tokens: int, nodes: Int32s | None) -> None:
    """Raise what a status of the kernel says."""
    if status == TOO_MANY:
        raise GraphError(
            f"after {tokens} tokens there are too many tokens or arcs; a smaller beam keeps fewer"
        )
    if nodes is not None:
        raise NegativeCycleError(
            f"a cycle of negative penalty is read while the first graph stands still at node "
            f"{nodes[0]}, the others going round at nodes {nodes[1:].tolist()}: no token is best"
        )
    for graph in graphs:
        check_penalties(graph.penalties, graph.num_arcs, "arc")
