"""Minimization: deterministic graphs with as few nodes as their strings and penalties need."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble, gather
from gtn.data import Sources
from gtn.determinization.determinism import (
    Symbols,
    arcs_by_symbol,
    nondeterminism,
    outgoing_by_symbol,
    symbols_of,
)
from gtn.determinization.determinization import (
    Semiring,
    check_semiring,
    check_unweighted,
    tolerance,
    unweighted,
)
from gtn.errors import GraphError
from gtn.graph import Graph, check_all_penalties, check_graph
from gtn.indexes import frozen, grouped, numbered
from gtn.kernels.minimization import breadth_first_blocks, coarsest_partition, windows
from gtn.optimization import connect, finite_part
from gtn.paths.distance import distances_float64
from gtn.pushing import pushed_float64
from gtn.tensors import as_array, as_given, as_index, float64_penalties
from gtn.topology import Topology

__all__ = ["minimize"]

Int32s = NDArray[np.int32]
Array = NDArray[Any]


def minimize(
    graph: Graph,
    *,
    semiring: Semiring = "log",
    merge: Literal["mass", "sources"] = "mass",
    delta: float | None = None,
) -> Graph:
    """Return the smallest deterministic graph that gives each string the same penalty.

    Penalties are pushed to the start, then nodes with the same futures become one: O(A log A)
    (Mohri 2009; Valmari 2012). The result is pushed, and a canonical form: after
    ``minimize(determinize(g))``, equivalent graphs have the same arrays, up to ``delta``, because
    nodes are numbered breadth first from the start and arcs are ordered by node and label. Merged
    arcs keep the list of their sources, as in :func:`gtn.determinize`. On a batch, graph by graph.

    (A cyclic graph that is determinized only up to ``delta`` has no such form: see
    :func:`gtn.determinize`.)

    Penalties of strings are exact (within ``delta``, where merged penalties agree no better). For
    derivatives there is a choice, as arcs of equal penalty that come from different parameters
    become one:

    - ``merge="mass"`` gives the smallest graph. A merged arc has the mean penalty of its sources,
      weighted by their forward mass (tropical: that of the best way). This keeps the first
      derivatives of the graph's own forward (Viterbi) penalty, but not those of other quantities,
      nor higher ones.
    - ``merge="sources"`` merges only futures made of the same source arcs (``graph.sources``) with
      equal penalties, and does not push. All derivatives are exact if penalties are functions of
      those sources alone, as after composition. Without sources, or with final penalties that need
      gradients, nothing is merged.

    Args:
        graph: graph or batch, deterministic (pairs of labels count as one symbol each); cycles
            are fine.
        semiring: ``"log"``, ``"tropical"``, or ``"boolean"``, for which all penalties must be
            zero.
        merge: which arcs become one, see above.
        delta: how far apart pushed penalties may be, in nats, to count as equal; unless given,
            1e-9 for penalties in float64 and 1e-5 for float32.

    Raises:
        GraphError: a graph that is not deterministic, naming what makes it so; with
            ``"boolean"``, a penalty that is not zero.
        DivergentGraphError, NegativeCycleError: as :func:`gtn.push`.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs(
    ...     [(0, 1, "a", 1.0), (0, 2, "b"), (1, 3, "c", 1.0), (2, 4, "c", 2.0)], final=[3, 4])
    >>> minimize(g, semiring="tropical")
    Graph: 3 nodes, 3 arcs, start 0 (2), final 2
      0 -> 1  a  0
      0 -> 1  b  0
      1 -> 2  c  0
    """
    check_graph(graph)
    check_semiring(semiring)
    if merge not in ("mass", "sources"):
        raise GraphError(f"merge={merge!r}; it is 'mass' or 'sources'")
    problem = nondeterminism(graph.topology)
    if problem is not None:
        raise GraphError(f"{problem}: the graph is not deterministic; determinize it first")
    if semiring == "boolean":
        return _boolean(graph)
    delta = tolerance(graph, delta)
    check_all_penalties(graph)  # now, while arcs still have their numbers
    part = finite_part(graph)[0]
    if part.num_nodes == 0:
        return part
    if merge == "sources":
        return _by_sources(part, graph, delta)
    arcs, starts, finals = pushed_float64(part, "start", semiring)
    symbols = symbols_of(part.topology)
    merged = _merge(
        part.topology, symbols, _alike(symbols.of_arc, arcs, delta), _alike(None, finals, delta)
    )
    # Each node's share of its block; pushed, the mass ahead of every node is one.
    pushed = part.double().with_penalties(
        arcs.detach(), start_penalties=starts.detach(), final_penalties=finals.detach()
    )
    mass = _shares(as_array(distances_float64(pushed, "forward", semiring)), merged, semiring)
    t = part.topology
    shares = torch.where(arcs.isfinite(), arcs * torch.from_numpy(mass[t.src]), arcs)  # not 0 inf
    arcs = torch.zeros(len(merged.leaders), dtype=torch.float64).index_add(
        0, as_index(merged.arc), shares
    )
    finals = torch.zeros(len(merged.finals), dtype=torch.float64).index_add(
        0, as_index(merged.final), finals * torch.from_numpy(mass[t.finals])
    )
    return _assembled(part, merged, arcs, starts, finals)


def _boolean(graph: Graph) -> Graph:
    check_unweighted(graph, "a boolean minimize")
    part = connect(graph)
    t = part.topology
    if t.num_nodes == 0:
        return part
    symbols = symbols_of(t)
    merged = _merge(t, symbols, symbols.of_arc, np.zeros(len(t.finals), dtype=np.int32))
    return unweighted(
        graph,
        symbols,
        symbols.of_arc[merged.leaders],
        part.sources[0].then(merged.sources),
        src=merged.node[t.src[merged.leaders]],
        dst=merged.node[t.dst[merged.leaders]],
        starts=merged.node[t.starts],
        finals=merged.finals,
        node_offsets=merged.node_offsets,
    )


def _by_sources(part: Graph, graph: Graph, delta: float) -> Graph:
    """Merge futures made of the same sources; any of them stands for all."""
    t = part.topology
    arcs, starts, finals = float64_penalties(part)
    symbols = symbols_of(t)
    kind = _alike(symbols.of_arc, arcs, delta)
    operands = [s.then(part.sources[0]) for s in graph.sources] or [part.sources[0]]
    for sources in operands:
        kind = _numbered(kind, *_fingerprints(sources))
    own = part.final_penalties.requires_grad
    of_final = np.arange(len(t.finals), dtype=np.int32) if own else _alike(None, finals, delta)
    merged = _merge(t, symbols, kind, of_final)
    first = np.zeros(len(merged.finals), dtype=np.int32)
    first[merged.final[::-1]] = np.arange(len(t.finals), dtype=np.int32)[::-1]
    return _assembled(part, merged, gather(arcs, merged.leaders), starts, gather(finals, first))


def _fingerprints(sources: Sources) -> tuple[Array, Array]:
    """Return two numbers for each arc that tell lists of sources apart (128 bits, scrambled)."""
    if sources.offsets is None:
        return sources.index.astype(np.int64), np.zeros(len(sources), dtype=np.int64)
    owner = np.repeat(np.arange(len(sources)), np.diff(sources.offsets))
    prints = []
    for factor in (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)):
        x = (sources.index.astype(np.uint64) + np.uint64(1)) * factor
        x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        total = np.zeros(len(sources), dtype=np.uint64)
        np.add.at(total, owner, x ^ (x >> np.uint64(32)))
        prints.append(total.astype(np.int64))
    return prints[0], prints[1]


def _numbered(*columns: Array) -> Int32s:
    """Return a number for each row of some columns, the same for equal rows."""
    return np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1).astype(np.int32)


def _alike(groups: Int32s | None, penalties: torch.Tensor, delta: float) -> Int32s:
    """Number penalties: equal numbers within one group (all, if None) and within delta."""
    values = as_array(penalties)
    groups = np.zeros(len(values), dtype=np.int32) if groups is None else groups
    order = np.lexsort((values, groups))
    number: Int32s = windows(frozen(groups), values, order, delta)
    return number


class _Merged(NamedTuple):
    """Which nodes, arcs and finals become one."""

    node: Int32s  # new number of each node
    node_offsets: Int32s
    arc: Int32s  # new number of each arc
    leaders: Int32s  # for each new arc, one that it was made from
    sources: Sources
    final: Int32s  # new number of each final
    finals: Int32s  # new final nodes


def _merge(t: Topology, symbols: Symbols, kind: Int32s, of_final: Int32s) -> _Merged:
    """Find and number the nodes with the same futures, given the kinds of arcs and of finals."""
    out = outgoing_by_symbol(t, symbols)
    final = np.zeros(t.num_nodes, dtype=np.int32)
    final[t.finals] = of_final + 1
    nodes = np.arange(t.num_nodes, dtype=np.int32)
    # The first partition: by graph of the batch, and by final.
    kinds = int(final.max(initial=0)) + 1
    first = numbered(kinds * t.graph_of_nodes(nodes) + final)[1]
    block = coarsest_partition(t.src, *t.incoming, *_groups(first), *_groups(kind))
    number = breadth_first_blocks(frozen(block), t.starts, t.dst, out.offsets, out.arcs)
    node = frozen(number[block])
    # Sort arcs by new source and symbol: a run of equal ones becomes one arc.
    src = frozen(node[t.src])
    order = grouped(src, int(node.max()) + 1, arcs_by_symbol(symbols).arcs).arcs
    keys = np.stack((src[order], symbols.of_arc[order]))
    is_head = np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)][: len(order)]
    arc = np.empty(t.num_arcs, dtype=np.int32)
    arc[order] = np.cumsum(is_head) - 1
    finals, of_merged = numbered(node[t.finals])
    heads = np.flatnonzero(is_head)
    return _Merged(
        node,
        # Blocks are numbered graph by graph, so the largest number so far counts those before.
        np.maximum.accumulate(np.r_[np.int32(-1), node])[t.node_offsets] + 1,
        arc,
        order[heads],
        Sources(order, np.r_[heads, len(order)].astype(np.int32)),
        of_merged,
        finals,
    )


def _groups(keys: Int32s) -> tuple[Int32s, Int32s]:
    """Return positions grouped by key, and where those of each key begin."""
    offsets, members = grouped(frozen(keys), int(keys.max(initial=-1)) + 1)
    return members, offsets


def _shares(distance: NDArray[np.float64], merged: _Merged, semiring: str) -> Array:
    """Return the share of each node in the mass of its merged node."""
    least = np.full(int(merged.node_offsets[-1]), np.inf)
    np.minimum.at(least, merged.node, distance)
    least = least[merged.node]
    above = np.subtract(distance, least, out=np.zeros_like(distance), where=least < np.inf)
    if semiring == "tropical":
        best = np.flatnonzero(above == 0)
        mass = np.zeros(len(distance))
        mass[best[np.unique(merged.node[best], return_index=True)[1]]] = 1.0
        return mass
    mass = np.exp(-above)
    total: Array = np.bincount(merged.node, mass, minlength=int(merged.node_offsets[-1]))
    shares: Array = mass / total[merged.node]
    return shares


def _assembled(
    part: Graph, merged: _Merged, arcs: torch.Tensor, starts: torch.Tensor, finals: torch.Tensor
) -> Graph:
    t = part.topology
    src = merged.node[t.src[merged.leaders]]
    topology = Topology(
        int(merged.node_offsets[-1]),
        src,
        merged.node[t.dst[merged.leaders]],
        *t.labels_of(merged.leaders),
        starts=merged.node[t.starts],
        finals=merged.finals,
        node_offsets=merged.node_offsets,
        arc_offsets=np.searchsorted(src, merged.node_offsets),
        is_batch=t.is_batch,
        check=False,
    )
    return assemble(
        topology,
        as_given(arcs, part),
        as_given(starts, part),
        as_given(finals, part),
        isymbols=part.isymbols,
        osymbols=part.osymbols,
        data=part.data.take(merged.sources),
        sources=(part.sources[0].then(merged.sources),),
    )
