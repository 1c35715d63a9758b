"""Pruning: keep the likely part of a graph, by posterior or by distance from the best path."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gtn.arguments import real_number
from gtn.batch import traced
from gtn.errors import GraphError
from gtn.graph import Graph, check_all_penalties, check_graph
from gtn.optimization import finite_part
from gtn.paths.distance import distances_float64
from gtn.product.failure import check_reads_none
from gtn.scoring import posteriors_float64
from gtn.tensors import as_index, float64_penalties

__all__ = ["Bounds", "checked_distance", "part_within", "prune", "rounding"]

Int32s = NDArray[np.int32]
_ROUNDING = 1e-12


def prune(graph: Graph, *, posterior: float | None = None, beam: float | None = None) -> Graph:
    """Return the graph without its unlikely arcs, starts and finals; connected.

    Give exactly one criterion. ``beam`` keeps what lies on a path at most so much worse than the
    best one; the best path always stays. ``posterior`` keeps what a random path uses at least so
    often (a probability on acyclic graphs, an expected number round cycles), unless no path
    through it is left. Nodes and arcs keep their order; arc data follow; what stays keeps its
    penalties and their gradients. Forbidden arcs (``inf``) are dropped. One pass forward and one
    back; on a batch, graph by graph.

    Args:
        graph: a graph or a batch.
        posterior: least posterior to keep, above 0 (:func:`gtn.arc_posteriors`).
        beam: greatest distance from the best path to keep, in nats; 0: best paths only.

    Raises:
        NegativeCycleError: with ``beam``, if a cycle on a path has a negative penalty.
        DivergentGraphError: with ``posterior``, if the sum over all paths is infinite.
        GraphError: none or both criteria, or one out of range; a NaN or -inf penalty;
            a failure arc.
        TypeError: a criterion that is not a number.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0), (0, 1, 9, 5.0)], final=1)
    >>> prune(g, beam=1.5).ilabels, prune(g, posterior=0.5).ilabels
    (array([7, 8], dtype=int32), array([7], dtype=int32))
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    if (posterior is None) == (beam is None):
        raise GraphError("prune by posterior=… or by beam=…; exactly one is given")
    if posterior is not None:
        posterior = real_number(posterior, "posterior")
        if not posterior > 0:
            raise GraphError(f"posterior={posterior}; arcs are kept above a posterior > 0")
    if beam is not None:
        beam = checked_distance(beam)
    check_all_penalties(graph)  # now, while arcs still have their numbers
    graph = finite_part(graph)[0]
    if posterior is not None:
        least = posterior * (1 - _ROUNDING)  # one of two equal posteriors may round below it
        kept = [part >= least for part in posteriors_float64(graph.detach())[:3]]
        return traced(_only(graph, kept)[0], graph)
    return traced(part_within(graph, beam or 0.0)[0], graph)


def checked_distance(beam: float) -> float:
    """Return a distance from the best path as a float.

    Raises:
        GraphError: it is negative or NaN.
        TypeError: it is not a number.
    """
    beam = real_number(beam, "beam")
    if not beam >= 0:
        raise GraphError(f"beam={beam}; it is a distance from the best path, 0 or more nats")
    return beam


def part_within(graph: Graph, beam: float) -> tuple[Graph, Int32s]:
    """Return the connected part on paths within the beam of the best, and its nodes' old numbers.

    Args:
        graph: all its penalties are finite, and every node is on a path.
        beam: in nats.
    """
    return _only(graph, Bounds.of(graph, beam).within(graph))


def _only(graph: Graph, kept: list[torch.Tensor]) -> tuple[Graph, Int32s]:
    """Return the connected part of some arcs, starts and finals, and its nodes' old numbers."""
    penalties = (graph.penalties, graph.start_penalties, graph.final_penalties)
    arcs, starts, finals = (
        torch.where(keep.to(own.device), own, math.inf)
        for keep, own in zip(kept, penalties, strict=True)
    )
    rest = graph.with_penalties(arcs, start_penalties=starts, final_penalties=finals)
    return finite_part(rest)


def rounding(nodes: ArrayLike) -> NDArray[np.float64]:
    """Return by how much sums along a path may differ when they are added up in another order.

    A share of the greatest sum of a part of the path. Each of n additions rounds by 2^-53 of its
    result at most, and all of them may round the same way: they do where penalties are equal. Sums
    that are compared are made of up to four sums along the path.

    Args:
        nodes: how many nodes a path may have.
    """
    share: NDArray[np.float64] = _ROUNDING + np.asarray(nodes) * 2.0**-50
    return share


class Bounds(NamedTuple):
    """Least penalties to and from each node, and the most that a path may cost.

    All are float64, on the CPU.
    """

    ahead: torch.Tensor  # of a way from a start to each node, [N]
    behind: torch.Tensor  # of a way from each node to an end, [N]
    limits: torch.Tensor  # of a path, by graph: the best one's penalty plus the beam, [B]

    @classmethod
    def of(cls, graph: Graph, beam: float) -> Bounds:
        """Return the bounds of paths at most ``beam`` worse than the best of their graph."""
        topology, graph = graph.topology, graph.detach()
        ahead, behind = (
            distances_float64(graph, direction, "tropical") for direction in ("forward", "backward")
        )
        ends = ahead.index_select(0, as_index(topology.finals)) + float64_penalties(graph)[2]
        best = ends.new_full((topology.batch_size,), torch.inf)
        owner = as_index(topology.graph_of_nodes(topology.finals))
        best = best.scatter_reduce(0, owner, ends, "amin")
        # Equal sums along paths may round differently, and must not seem worse. The rounding error
        # is relative to the distances on paths within the beam, not to those far beyond it.
        owner = as_index(topology.graph_of_nodes(np.arange(topology.num_nodes, dtype=np.int32)))
        total, size = ahead + behind, torch.maximum(ahead.abs(), behind.abs())
        share = torch.from_numpy(rounding(np.diff(topology.node_offsets)))
        near = total <= (best + beam).index_select(0, owner) + share.index_select(0, owner) * size
        near &= total.isfinite()
        sizes = torch.zeros_like(best).scatter_reduce(0, owner[near], size[near], "amax")
        return cls(ahead, behind, best + beam + share * sizes)

    def within(self, graph: Graph) -> list[torch.Tensor]:
        """Return which arcs, starts and finals lie on a path within the limit of their graph."""
        topology = graph.topology
        arcs, starts, finals = float64_penalties(graph.detach())
        src, dst, begins, ends = (
            as_index(n) for n in (topology.src, topology.dst, topology.starts, topology.finals)
        )
        through = (
            self.ahead.index_select(0, src) + arcs + self.behind.index_select(0, dst),
            starts + self.behind.index_select(0, begins),
            self.ahead.index_select(0, ends) + finals,
        )
        owners = (topology.graph_of_nodes(n) for n in (topology.starts, topology.finals))
        return [
            part <= self.limits.index_select(0, as_index(owner))
            for part, owner in zip(through, (topology.arc_graph, *owners), strict=True)
        ]
