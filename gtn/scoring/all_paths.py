"""Scoring over all paths: forward penalty and arc posteriors (paper, section VI-C).

Both are exact, also on graphs with cycles, and differentiable to any order with respect to arc,
start and final penalties (:mod:`gtn.scoring.recursion`). The arithmetic is float64 whatever the
dtype of the penalties.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from gtn.graph import Graph, check_graph
from gtn.kernels import masses as kernels
from gtn.product.failure import check_reads_none
from gtn.scoring.recursion import exp_minus, path_sums, potentials, shares, solve
from gtn.tensors import as_array, as_given, as_index, float64_penalties, needs_gradient
from gtn.topology import Topology

__all__ = [
    "Posteriors",
    "arc_posteriors",
    "forward_penalty",
    "forward_penalty_float64",
    "posteriors_float64",
]


def forward_penalty(graph: Graph) -> torch.Tensor:
    """Return minus the logarithm of the sum over all paths of exp(-penalty): eqs. 13 and 14.

    O(N + A) on acyclic graphs. Exact also on graphs with cycles, by a linear solve in each
    strongly connected component that lies on a path: about O(m) for m nodes that look like the
    closure of a chain or a tree, up to O(m^3) if arcs lead anywhere, as in a random graph. Never
    more than the Viterbi penalty; ``inf`` if there is no path, with gradient zero. The gradient
    with respect to an arc's penalty is the arc's posterior (eqs. 15 and 16).

    Returns:
        ``[]`` in nats, ``[B]`` for a batch; in the penalties' dtype.

    Raises:
        DivergentGraphError: the sum is infinite, or too near to it for rounding to tell; the
            message names the component that does not converge.
        GraphError: a NaN or -inf penalty, or a failure arc; the message names the arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0)], final=1).double()
    >>> round(forward_penalty(g).item(), 12)  # -log(e^-1 + e^-2)
    0.686738312482
    >>> loop = gtn.Graph.from_arcs([(0, 0, 7, 1.0)], final=0).double()
    >>> forward_penalty(loop).item()  # log(1 - 1/e): one, two, … times round
    -0.45867514538708193
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    return as_given(forward_penalty_float64(graph), graph)


def forward_penalty_float64(graph: Graph) -> torch.Tensor:
    """Return the forward penalty in float64 on the CPU, for differences before rounding."""
    arcs, starts, finals = float64_penalties(graph)
    topology = graph.topology
    sums = path_sums(topology, arcs, starts, finals)
    return _total(potentials(sums, arcs, starts), finals, topology)


def arc_posteriors(graph: Graph) -> torch.Tensor:
    """Return how often a path drawn at random, in proportion to exp(-penalty), uses each arc.

    The gradient of the forward penalty, computed directly and itself differentiable: ``[A]``. On
    acyclic graphs a probability (posteriors sum to one on every cut); on graphs with cycles an
    expected number. Zero if there is no path.

    Raises:
        DivergentGraphError, GraphError: as in :func:`forward_penalty`.

    >>> import gtn
    >>> arc_posteriors(gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0)], final=1))
    tensor([0.7311, 0.2689])
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    return as_given(posteriors_float64(graph).arcs, graph)


class Posteriors(NamedTuple):
    """How often a path drawn at random uses each arc, start and final; float64, differentiable.

    Attributes:
        arcs, starts, finals: ``[A]``, ``[S]``, ``[F]``.
        arc_shares, start_shares: the probability that a path at the arc's destination came there
            by the arc, ``[A]``, and that a path at a start node began there, ``[S]``.
    """

    arcs: torch.Tensor
    starts: torch.Tensor
    finals: torch.Tensor
    arc_shares: torch.Tensor
    start_shares: torch.Tensor


def posteriors_float64(graph: Graph) -> Posteriors:
    """Return the posteriors of arcs, starts and finals in float64 on the CPU."""
    arcs, starts, finals = float64_penalties(graph)
    topology = graph.topology
    sums = path_sums(topology, arcs, starts, finals)
    nodes = potentials(sums, arcs, starts)
    total = _total(nodes, finals, topology)
    ends, begins = as_index(topology.finals), as_index(topology.starts)
    owner = as_index(topology.graph_of_nodes(topology.finals))
    end_shares = exp_minus(
        nodes.index_select(0, ends) + finals, total.reshape(-1).index_select(0, owner)
    )
    seeds = torch.zeros_like(nodes).index_add(0, ends, end_shares)
    arc_shares = shares(arcs, nodes, topology)
    start_shares = exp_minus(starts, nodes.index_select(0, begins))
    visits = solve(sums, arc_shares, seeds, transposed=True)
    return Posteriors(
        arc_shares * visits.index_select(0, as_index(topology.dst)),
        start_shares * visits.index_select(0, begins),
        end_shares,
        arc_shares,
        start_shares,
    )


def _total(nodes: torch.Tensor, finals: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Return the sum over the ways to end (eq. 14): ``[]``, or ``[B]`` for a batch."""
    totals: torch.Tensor
    if needs_gradient(nodes, finals):
        totals = _Totals.apply(nodes, finals, topology)  # type: ignore[no-untyped-call]
    else:
        totals = _totals(nodes, finals, topology)
    return totals if topology.is_batch else totals.squeeze(0)


def _totals(nodes: torch.Tensor, finals: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Return minus the log of the sum over the finals of each graph, ``[B]``."""
    ends = as_array(nodes), topology.finals, as_array(finals), topology.node_offsets
    return torch.from_numpy(kernels.totals(*ends))


class _Totals(torch.autograd.Function):
    """:func:`_totals`, differentiable."""

    @staticmethod
    def forward(
        ctx: Any, nodes: torch.Tensor, finals: torch.Tensor, topology: Topology
    ) -> torch.Tensor:
        found = _totals(nodes, finals, topology)
        ctx.topology = topology
        ctx.save_for_backward(nodes, finals, found)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        topology: Topology = ctx.topology
        nodes, finals, found = ctx.saved_tensors
        if not torch.is_grad_enabled():
            values = as_array(nodes), topology.finals, as_array(finals), topology.node_offsets
            sums = as_array(found), as_array(gradients[0])
            return *map(torch.from_numpy, kernels.total_gradients(*values, *sums)), None
        ends = as_index(topology.finals)
        owner = as_index(topology.graph_of_nodes(topology.finals))
        share = exp_minus(nodes.index_select(0, ends) + finals, found.index_select(0, owner))
        due = share * gradients[0].index_select(0, owner)
        return torch.zeros_like(nodes).index_add(0, ends, due), due, None
