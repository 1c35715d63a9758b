"""The best paths, one after the other: all of them, or one for each string."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gtn.arguments import whole_number
from gtn.batch import GraphBatch, traced
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph, check_penalties
from gtn.indexes import LARGEST, ArcIndex, frozen
from gtn.kernels.n_best import n_best_paths
from gtn.kernels.n_best_strings import n_best_strings
from gtn.paths.viterbi import chains, together
from gtn.paths.ways import least_ways
from gtn.product.failure import check_reads_none
from gtn.symbols import EPSILON
from gtn.tensors import as_array, float64_penalties
from gtn.topology import Topology

__all__ = ["best_of_each", "n_best"]

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


def n_best(
    graph: Graph,
    count: int,
    *others: Graph,
    distinct: bool | str = False,
    beam: float | None = None,
    max_active: int | None = None,
    failure: int | str | None = None,
    symbols: str = "match",
    suffixes: Sequence[str] | None = None,
) -> GraphBatch | list[GraphBatch]:
    """Return the ``count`` paths of least penalty, best first; exact, cycles included.

    O(A log A + count L log A) for paths of L arcs; the least penalties to the end, computed first,
    take O(N A) only where an arc of negative penalty lies on a cycle. Paths differ in their arcs,
    so two may spell the same string. ``distinct`` asks for the best path of each of the ``count``
    best strings instead. It determinizes along these strings only, in time proportional to the arcs
    that leave the nodes their prefixes reach, leaving out what is worse than the worst of them.

    Args:
        graph: graph or batch; with ``others``, the best paths of their composition, as in
            :func:`viterbi_path` (with ``beam``, ``max_active``, ``failure``, ``symbols``,
            ``suffixes``): ``n_best(lattice, 10, lexicon, grammar, beam=8.0)``.
        count: how many paths.
        distinct: ``"output"`` (or ``True``) or ``"input"``: paths with different label sequences
            on that side, epsilons left out.

    Returns:
        A batch of chains, as :func:`viterbi_path` makes them (fewer, if the graph has fewer
        paths); for a batch, a list of such batches. Penalties are differentiable. The arcs of path
        i in the graph are ``paths.sources[0].then(paths[i].sources[0])``: the sources of
        ``paths[i]`` alone are arcs of the batch of paths.

    Raises:
        NegativeCycleError: a cycle of negative penalty lies on a path.
        GraphError: a count below one; a NaN or -inf penalty; an unknown side; a failure arc.
        TypeError: a count that is not a whole number.

    >>> import gtn, torch
    >>> g = gtn.linear(torch.tensor([[0.0, 1.0], [0.0, 0.5]]), symbols=gtn.SymbolTable("ab"))
    >>> gtn.path_text(n_best(g, 3))
    ['aa', 'ab', 'ba']
    >>> gtn.path_text(n_best(gtn.union(g, g), 3, distinct=True))
    ['aa', 'ab', 'ba']
    """
    check_graph(graph)
    count = whole_number(count, "count")
    if count < 1:
        raise GraphError(f"n_best of {count} paths; at least one can be asked for")
    count = min(count, LARGEST)  # as many as are numbered
    if distinct not in (False, True, "input", "output"):
        raise GraphError(f"distinct={distinct!r}; it is False, 'input' or 'output' (or True)")
    side = "output" if distinct is True else distinct or None
    if others or beam is not None or max_active is not None or failure is not None:
        joint = together(graph, others, beam, max_active, failure, symbols, suffixes)
        found = n_best(joint, count, distinct=distinct)
        if isinstance(found, list):
            return [traced(paths, joint) for paths in found]
        return traced(found, joint)
    paths, offsets = best_of_each(graph, count, side)
    return list(paths._parts(offsets)) if isinstance(graph, GraphBatch) else paths


def best_of_each(graph: Graph, count: int, side: str | None) -> tuple[GraphBatch, Int64s]:
    """Return the best paths of all graphs of a batch as one batch, and ``offsets [B + 1]`` in it.

    Args:
        graph: graph (a batch of one) or batch.
        count: how many paths of each graph.
        side: the labels in which paths are to differ, ``"input"`` or ``"output"``; None: any arcs.
    """
    check_reads_none(graph, "the graph")
    topology = graph.topology
    check_penalties(graph.penalties, graph.num_arcs, "arc")
    penalties, starts, finals = (as_array(p) for p in float64_penalties(graph))
    remaining, leaving = least_ways(topology, penalties, starts, finals, backward=True)
    labels, (begins, by_node) = _arcs(topology, side)
    # Nodes and arcs, numbered as in their own graphs.
    owner, before = topology.arc_graph, topology.node_offsets
    dst = frozen(topology.dst - before[owner])
    by_node = frozen(by_node - topology.arc_offsets[owner])
    cuts = zip(
        pairwise(before.tolist()),
        pairwise(topology.arc_offsets.tolist()),
        pairwise(topology.start_offsets.tolist()),
        pairwise(topology.final_offsets.tolist()),
    )
    nothing = np.empty(0, dtype=np.int32)
    ways, lengths, firsts, lasts, counts = [nothing], [nothing], [nothing], [nothing], [0]
    for (n0, n1), (a0, a1), (s0, s1), (f0, f1) in cuts:
        on = leaving[n0:n1]
        given = (
            frozen(begins[n0 : n1 + 1] - np.int32(a0)),
            by_node[a0:a1],
            dst[a0:a1],
            frozen(topology.starts[s0:s1] - np.int32(n0)),
            frozen(topology.finals[f0:f1] - np.int32(n0)),
            penalties[a0:a1],
            starts[s0:s1],
            finals[f0:f1],
            remaining[n0:n1],
            np.where(on < 0, on, on - np.int32(a0)),
        )
        if side is None:
            arcs, offsets, first, last = n_best_paths(count, *given)
        else:
            names, most = _without_gaps(labels[a0:a1])
            arcs, offsets, first, last = n_best_strings(count, most, names, *given)
        ways.append(arcs + np.int32(a0))
        lengths.append(np.diff(offsets))
        firsts.append(first + np.int32(s0))
        lasts.append(last + np.int32(f0))
        counts.append(len(first))
    found = np.concatenate(firsts)
    paths = chains(
        graph,
        np.concatenate(ways),
        np.cumsum(np.concatenate([[0], *lengths])),
        found,
        np.concatenate(lasts),
        exists=np.ones(len(found), dtype=np.bool_),
        batch=True,
    )
    assert isinstance(paths, GraphBatch)
    return paths, np.cumsum(counts)


def _arcs(topology: Topology, side: str | None) -> tuple[Int32s, ArcIndex]:
    """Return the labels of one side, and the arcs by node (and by label, if a side counts)."""
    if side is None:
        return topology.olabels, topology.outgoing
    if side == "input":
        return topology.ilabels, topology.outgoing_by_ilabel
    return topology.olabels, topology.outgoing_by_olabel


def _without_gaps(labels: Int32s) -> tuple[Int32s, int]:
    """Return labels, numbered anew if there are large gaps between them, and a bound on them."""
    most = int(labels.max(initial=EPSILON))
    if most > 4 * len(labels) + 1024:
        numbers = np.unique(np.append(labels, EPSILON), return_inverse=True)[1]
        labels = frozen((numbers[:-1] + EPSILON).astype(np.int32))
        most = int(labels.max(initial=EPSILON))
    return labels, most + 1
