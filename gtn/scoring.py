"""Scoring over all paths: forward penalty and arc posteriors (paper, section VI-C).

Both are differentiable to arc, start and final penalties, to any order: the gradient of the
forward penalty is a linear solve along the graph, and the derivative of such a solve is the same
solve along the reversed graph. The arithmetic is float64 whatever the dtype of the penalties.
"""

from __future__ import annotations

from typing import Any

import torch

from gtn.graph import Graph, check_penalties
from gtn.kernels import scoring as kernels
from gtn.tensors import as_array, as_given, as_index, float64_penalties
from gtn.topology import Topology

__all__ = ["arc_posteriors", "forward_penalty", "forward_penalty_float64"]


def forward_penalty(graph: Graph) -> torch.Tensor:
    """Return minus the logarithm of the sum over all paths of exp(-penalty): eqs. 13 and 14.

    O(N + A). Never more than the Viterbi penalty; ``inf`` where there is no path, with gradient
    zero. The gradient to an arc's penalty is the arc's posterior (eqs. 15 and 16).

    Returns:
        ``[]`` in nats, ``[B]`` for a batch; of the penalties' dtype.

    Raises:
        CyclicGraphError: a cycle lies on a path; the message names it.
        GraphError: a NaN or -inf penalty; the message names the arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0)], final=1).double()
    >>> forward_penalty(g).item()  # -log(e^-1 + e^-2)
    0.6867383124817772
    """
    return as_given(forward_penalty_float64(graph), graph)


def forward_penalty_float64(graph: Graph) -> torch.Tensor:
    """Return the forward penalty in float64 on the CPU, for differences before rounding."""
    arcs, starts, finals = float64_penalties(graph)
    topology = graph.topology
    potentials = _potentials(arcs, starts, topology)
    return _total(potentials, finals, topology)


def arc_posteriors(graph: Graph) -> torch.Tensor:
    """Return for each arc the probability that a path uses it (a path has exp(-penalty)).

    The gradient of the forward penalty, computed directly and itself differentiable: ``[A]``.
    On every cut of the graph the posteriors sum to one; without a path they are zero.

    >>> import gtn
    >>> arc_posteriors(gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0)], final=1))
    tensor([0.7311, 0.2689])
    """
    arcs, starts, finals = float64_penalties(graph)
    topology = graph.topology
    potentials = _potentials(arcs, starts, topology)
    total = _total(potentials, finals, topology)
    ends = as_index(topology.finals)
    ways = potentials.index_select(0, ends) + finals
    owner = as_index(topology.graph_of_nodes(topology.finals))
    end_shares = _exp_minus(ways, total.reshape(-1).index_select(0, owner))
    seeds = torch.zeros_like(potentials).index_add(0, ends, end_shares)
    shares = _shares(arcs, potentials, topology)
    mass = _solve(shares, seeds, topology, True)
    return as_given(shares * mass.index_select(0, as_index(topology.dst)), graph)


def _total(potentials: torch.Tensor, finals: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Add the ways to end, per graph of the batch (eq. 14): ``[]``, or ``[B]`` for a batch."""
    ways = potentials.index_select(0, as_index(topology.finals)) + finals
    owner = as_index(topology.graph_of_nodes(topology.finals))
    none = ways.new_full((topology.batch_size,), torch.inf)
    least = none.scatter_reduce(0, owner, ways.detach(), "amin")
    base = torch.where(least.isfinite(), least, 0.0)
    mass = torch.zeros_like(none).index_add(0, owner, torch.exp(base.index_select(0, owner) - ways))
    feasible = mass > 0
    totals = torch.where(feasible, base - torch.log(torch.where(feasible, mass, 1.0)), none)
    return totals if topology.is_batch else totals.squeeze(0)


def _shares(arcs: torch.Tensor, potentials: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Return each arc's share in its destination's sum, differentiable; 0 where it has none."""
    ways = arcs + potentials.index_select(0, as_index(topology.src))
    return _exp_minus(ways, potentials.index_select(0, as_index(topology.dst)))


def _exp_minus(ways: torch.Tensor, totals: torch.Tensor) -> torch.Tensor:
    """Return exp(totals - ways), 0 (with gradient 0) where either is infinite."""
    both = ways.isfinite() & totals.isfinite()
    zero = ways.new_zeros(())
    difference = torch.where(both, totals, zero) - torch.where(both, ways, zero)
    return torch.where(both, torch.exp(difference), zero)


class _Potentials(torch.autograd.Function):
    """Forward potentials ``[N]`` of arc and start penalties (eq. 13)."""

    @staticmethod
    def forward(
        ctx: Any, arcs: torch.Tensor, starts: torch.Tensor, topology: Topology
    ) -> torch.Tensor:
        values, shares, start_shares, bad = kernels.forward_potentials(
            topology.path_order,
            *topology.incoming,
            topology.src,
            topology.starts,
            as_array(arcs),
            as_array(starts),
        )
        if bad >= 0:
            check_penalties(arcs.detach(), topology.num_arcs, "arc")
        potentials = torch.from_numpy(values)
        ctx.topology = topology
        ctx.shares, ctx.start_shares = shares, start_shares
        ctx.save_for_backward(arcs, starts, potentials)
        return potentials

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        topology: Topology = ctx.topology
        arcs, starts, potentials = ctx.saved_tensors
        start_nodes = as_index(topology.starts)
        if not torch.is_grad_enabled():
            mass, products = kernels.solve(
                topology.reverse_path_order,
                *topology.outgoing,
                topology.dst,
                ctx.shares,
                as_array(gradients[0]),
            )
            start_gradient = torch.from_numpy(ctx.start_shares * mass[topology.starts])
            return torch.from_numpy(products), start_gradient, None
        # To be differentiated again: the same in torch, with shares as functions of the inputs.
        shares = _shares(arcs, potentials, topology)
        start_shares = _exp_minus(starts, potentials.index_select(0, start_nodes))
        adjoint = _solve(shares, gradients[0], topology, True)
        return (
            shares * adjoint.index_select(0, as_index(topology.dst)),
            start_shares * adjoint.index_select(0, start_nodes),
            None,
        )


class _Solve(torch.autograd.Function):
    """Solve ``x_n = u_n + Σ t_a x_src(a)`` over arcs into n; transposed: arcs out of n, x_dst(a).

    Closed under differentiation: the derivative to u is the transposed solve.
    """

    @staticmethod
    def forward(
        ctx: Any, factors: torch.Tensor, given: torch.Tensor, topology: Topology, transposed: bool
    ) -> torch.Tensor:
        order = topology.reverse_path_order if transposed else topology.path_order
        index = topology.outgoing if transposed else topology.incoming
        other = topology.dst if transposed else topology.src
        solution, _ = kernels.solve(order, *index, other, as_array(factors), as_array(given))
        ctx.topology, ctx.transposed = topology, transposed
        result = torch.from_numpy(solution)
        ctx.save_for_backward(factors, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        topology: Topology = ctx.topology
        factors, solution = ctx.saved_tensors
        adjoint = _solve(factors, gradients[0], topology, not ctx.transposed)
        here, there = (
            (topology.src, topology.dst) if ctx.transposed else (topology.dst, topology.src)
        )
        product = adjoint.index_select(0, as_index(here)) * solution.index_select(
            0, as_index(there)
        )
        return product, adjoint, None, None


def _potentials(arcs: torch.Tensor, starts: torch.Tensor, topology: Topology) -> torch.Tensor:
    result: torch.Tensor = _Potentials.apply(arcs, starts, topology)  # type: ignore[no-untyped-call]
    return result


def _solve(
    factors: torch.Tensor, given: torch.Tensor, topology: Topology, transposed: bool
) -> torch.Tensor:
    result: torch.Tensor = _Solve.apply(factors, given, topology, transposed)  # type: ignore[no-untyped-call]
    return result
