"""Pruning: keep what matters of a graph, by posterior or by distance from the best path."""

from __future__ import annotations

import math

import numpy as np
import torch

from gtn.batch import traced
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph, check_penalties
from gtn.optimization import finite_part
from gtn.paths.distance import distances_float64
from gtn.product.failure import check_reads_none
from gtn.scoring import posteriors_float64
from gtn.tensors import as_index, float64_penalties

__all__ = ["prune"]

ROUNDING = 1e-12


def prune(graph: Graph, *, posterior: float | None = None, beam: float | None = None) -> Graph:
    """Return the graph without the arcs, starts and finals that matter little; connected.

    Exactly one criterion is given. By ``beam``, what lies on a path at most so much worse than
    the best one stays, and the best path always does. By ``posterior``, what a path drawn at
    random uses at least so often stays (if a path is left through it). Nodes and arcs keep their
    order; arc data follow; penalties and their gradients are those of what stays. Forbidden arcs
    (``inf``) go. One pass forward and one back; on a batch, graph by graph.

    Args:
        graph: a graph or a batch.
        posterior: least posterior that stays, above 0 (:func:`gtn.arc_posteriors`).
        beam: greatest distance from the best path that stays, in nats; 0: best paths only.

    Raises:
        NegativeCycleError: by beam, and a cycle on a path has a negative penalty.
        DivergentGraphError: by posterior, and the sum over all paths is infinite.
        GraphError: none or both criteria, or one out of range; a NaN or -inf penalty;
            a failure arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0), (0, 1, 9, 5.0)], final=1)
    >>> prune(g, beam=1.5).ilabels, prune(g, posterior=0.5).ilabels
    (array([7, 8], dtype=int32), array([7], dtype=int32))
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    if (posterior is None) == (beam is None):
        raise GraphError("prune by posterior=… or by beam=…; exactly one is given")
    if posterior is not None and not posterior > 0:
        raise GraphError(f"posterior={posterior}; arcs are kept above a posterior > 0")
    if beam is not None and not beam >= 0:
        raise GraphError(f"beam={beam}; it is a distance from the best path, 0 or more nats")
    penalties = (graph.penalties, graph.start_penalties, graph.final_penalties)
    for what, own in zip(("arc", "start", "final"), penalties, strict=True):
        check_penalties(own, len(own), what)  # before what is left gets other numbers
    graph = finite_part(graph)[0]
    if posterior is not None:
        least = posterior * (1 - ROUNDING)  # of equal posteriors one may round below
        kept = [part >= least for part in posteriors_float64(graph.detach())[:3]]
    else:
        kept = _within(graph.detach(), beam or 0.0)
    penalties = (graph.penalties, graph.start_penalties, graph.final_penalties)
    arcs, starts, finals = (
        torch.where(keep.to(own.device), own, math.inf)
        for keep, own in zip(kept, penalties, strict=True)
    )
    rest = graph.with_penalties(arcs, start_penalties=starts, final_penalties=finals)
    return traced(finite_part(rest)[0], graph)


def _within(graph: Graph, beam: float) -> list[torch.Tensor]:
    """Return which arcs, starts and finals lie on a path within the beam of its graph's best."""
    topology = graph.topology
    ahead, behind = (
        distances_float64(graph, direction, "tropical") for direction in ("forward", "backward")
    )
    arcs, starts, finals = float64_penalties(graph)
    src, dst, begins, ends = (
        as_index(n) for n in (topology.src, topology.dst, topology.starts, topology.finals)
    )
    owners = [as_index(topology.graph_of_nodes(n)) for n in (topology.starts, topology.finals)]
    through = (
        ahead.index_select(0, src) + arcs + behind.index_select(0, dst),
        starts + behind.index_select(0, begins),
        ahead.index_select(0, ends) + finals,
    )
    best = arcs.new_full((topology.batch_size,), torch.inf)
    best = best.scatter_reduce(0, owners[1], through[2], "amin")
    # The three sums round differently; what is equal must not seem worse. How much they do is
    # of the size of the distances along the paths that count, not of those far beyond the beam.
    owner = as_index(topology.graph_of_nodes(np.arange(topology.num_nodes, dtype=np.int32)))
    total, size = ahead + behind, torch.maximum(ahead.abs(), behind.abs())
    near = total <= (best + beam).index_select(0, owner) + ROUNDING * size
    near &= total.isfinite()
    sizes = torch.zeros_like(best).scatter_reduce(0, owner[near], size[near], "amax")
    limits = best + beam + ROUNDING * sizes
    arc_owner = as_index(topology.arc_graph)
    return [
        (part <= limits.index_select(0, owner))
        for part, owner in zip(through, (arc_owner, *owners), strict=True)
    ]
