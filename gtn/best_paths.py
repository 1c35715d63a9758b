"""The best paths, one after the other: all of them, or one for each string."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gtn.batch import GraphBatch
from gtn.errors import GraphError, NegativeCycleError
from gtn.graph import Graph, check_graph, check_penalties
from gtn.kernels import scoring as kernels
from gtn.kernels.n_best import n_best_paths
from gtn.kernels.n_best_strings import n_best_strings
from gtn.paths import chains, on_finite_paths, together, traced
from gtn.symbols import EPSILON
from gtn.tensors import as_array, float64_penalties
from gtn.topology import ArcIndex, Topology, frozen

__all__ = ["n_best"]

Int32s = NDArray[np.int32]


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

    O(A log A + count L log A) for paths of L arcs, after the least penalties to the end (O(N A)
    at worst where there are cycles). Paths are told apart by their arcs, so two may spell the
    same string, unless ``distinct`` is asked for: then the best path of each of the ``count`` best
    strings, by determinization along these strings only, in time proportional to the arcs that
    leave what their prefixes reach, without what is worse than the worst of them.

    Args:
        graph: graph or batch; with ``others``, the best paths of their composition, as in
            :func:`viterbi_path` (with ``beam``, ``max_active``, ``failure``, ``symbols``,
            ``suffixes``): ``n_best(lattice, 10, lexicon, grammar, beam=8.0)``.
        count: how many paths.
        distinct: ``"output"`` (or ``True``) or ``"input"``: paths with different label sequences
            on that side, epsilons left out.

    Returns:
        A batch of chains, as :func:`viterbi_path` makes them (fewer, if the graph has fewer
        paths); for a batch, a list of them. Penalties are differentiable.

    Raises:
        NegativeCycleError: a cycle of negative penalty lies on a path.
        GraphError: a count below one; a NaN or -inf penalty; an unknown side.

    >>> import gtn, torch
    >>> from gtn.paths import path_text
    >>> g = gtn.linear(torch.tensor([[0.0, 1.0], [0.0, 0.5]]), symbols=gtn.SymbolTable("ab"))
    >>> [path_text(p) for p in n_best(g, 3)]
    ['aa', 'ab', 'ba']
    >>> [path_text(p) for p in n_best(gtn.union(g, g), 3, distinct=True)]
    ['aa', 'ab', 'ba']
    """
    check_graph(graph)
    count = operator.index(count)
    if count < 1:
        raise GraphError(f"n_best of {count} paths; at least one can be asked for")
    if distinct not in (False, True, "input", "output"):
        raise GraphError(f"distinct={distinct!r}; it is False, 'input' or 'output' (or True)")
    side = "output" if distinct is True else distinct or None
    if others or beam is not None or max_active is not None or failure is not None:
        joint = together(graph, others, beam, max_active, failure, symbols, suffixes)
        found = n_best(joint, count, distinct=distinct)
        if isinstance(found, list):
            return [traced(paths, joint) for paths in found]
        result: GraphBatch = traced(found, joint)
        return result
    if isinstance(graph, GraphBatch):
        return [
            # The arcs of graph i are named as arcs of the batch.
            paths._with(sources=(one.sources[0].then(paths.sources[0]),))
            for one, paths in ((one, _n_best(one, count, side)) for one in graph)
        ]
    return _n_best(graph, count, side)


def _n_best(graph: Graph, count: int, side: str | None) -> GraphBatch:
    topology = graph.topology
    check_penalties(graph.penalties, graph.num_arcs, "arc")
    arcs, starts, finals = (as_array(p) for p in float64_penalties(graph))
    remaining, leaving = _to_the_end(topology, arcs, starts, finals)
    if side is None:
        path_arcs, offsets, first, last = n_best_paths(
            count,
            *topology.outgoing,
            topology.dst,
            topology.starts,
            topology.finals,
            arcs,
            starts,
            finals,
            remaining,
            leaving,
        )
    else:
        labels, by_label = _labels(topology, side)
        path_arcs, offsets, first, last = n_best_strings(
            count,
            int(labels.max(initial=-1)) + 1,
            labels,
            *by_label,
            topology.dst,
            topology.starts,
            topology.finals,
            arcs,
            starts,
            finals,
            remaining,
            leaving,
        )
    exists = np.ones(len(first), dtype=np.bool_)
    paths = chains(graph, path_arcs, offsets, first, last, exists=exists, batch=True)
    assert isinstance(paths, GraphBatch)
    return paths


def _labels(topology: Topology, side: str) -> tuple[Int32s, ArcIndex]:
    """Return the labels of one side, numbered without large gaps, and the arcs by label."""
    labels, by_label = topology.olabels, topology.outgoing_by_olabel
    if side == "input":
        labels, by_label = topology.ilabels, topology.outgoing_by_ilabel
    if int(labels.max(initial=-1)) > 4 * topology.num_arcs + 1024:
        numbers = np.unique(np.append(labels, EPSILON), return_inverse=True)[1]
        labels = frozen((numbers[:-1] + EPSILON).astype(np.int32))
    return labels, by_label


def _to_the_end(
    topology: Topology,
    arcs: NDArray[np.float64],
    starts: NDArray[np.float64],
    finals: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Int32s]:
    """Return the least penalty from each node to the end, and the arc it leaves on or -1."""
    # Viterbi along the reversed graph.
    if topology.is_acyclic:
        remaining, leaving, _ = kernels.viterbi(
            topology.reverse_path_order,
            *topology.outgoing,
            topology.outgoing_ends,
            topology.finals,
            arcs,
            finals,
        )
        return remaining, leaving
    useful = on_finite_paths(topology, arcs, starts, finals)
    remaining, leaving, _, cycle = kernels.shortest_from(
        useful,
        *topology.incoming,
        topology.dst,
        topology.src,
        topology.finals,
        arcs,
        finals,
    )
    if len(cycle):
        raise NegativeCycleError(
            f"a cycle has the negative penalty {arcs[cycle].sum():.6g}, so there are no best "
            f"paths: {topology.describe_cycle(np.ascontiguousarray(cycle[::-1]))}"
        )
    return remaining, leaving
