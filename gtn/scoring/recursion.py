"""The two differentiable recursions along a graph behind every sum over its paths.

Potentials (eq. 13) turn penalties into sums; the linear solve turns shares of those sums into
derivatives, and is closed under differentiation: the derivative of a solve is the same solve
along the reversed graph. So these two give gradients of any order. On acyclic graphs both are one
pass over the arcs; on graphs with cycles, :mod:`gtn.scoring.cycles` solves component by component.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.graph import check_penalties
from gtn.kernels import masses as kernels
from gtn.scoring.cycles import CyclicSums
from gtn.tensors import as_array, as_index, check_untransformed, needs_gradient
from gtn.topology import Topology

__all__ = [
    "AcyclicSums",
    "PathSums",
    "as_shares",
    "exp_minus",
    "path_sums",
    "potentials",
    "shares",
    "solve",
]

Float64s = NDArray[np.float64]
Int32s = NDArray[np.int32]
Sums = tuple[Float64s, Float64s, Int32s]  # as of `kernels.forward_masses`


class PathSums(Protocol):
    """The results of one pass along a graph with its penalties: numbers, without derivatives.

    Attributes:
        topology: of the graph.
        potentials: minus the log of the sum over all ways to each node, ``[N]``.
    """

    topology: Topology
    potentials: Float64s

    @property
    def shares(self) -> Float64s:
        """Shares of the arcs in their destinations' sums, ``[A]``."""

    @property
    def start_shares(self) -> Float64s:
        """Shares of the starts in their nodes' sums, ``[S]``."""

    def solve(self, given: Float64s, transposed: bool) -> tuple[Float64s, Float64s]:
        """Solve ``x_n = given_n + Σ_a shares_a x_src(a)`` over arcs into n.

        Transposed: over arcs out of n, ``x_dst(a)``. Returns ``x [N]`` and the products ``[A]``.
        """


class AcyclicSums:
    """:class:`PathSums` in one pass over the arcs of an acyclic graph: O(N + A)."""

    def __init__(self, topology: Topology, arcs: Float64s, starts: Float64s) -> None:
        self.topology, self.bad = topology, -1
        self._sums: Sums
        ways = topology.order, *topology.incoming, topology.incoming_ends
        given = topology.starts, arcs, starts
        weights, masses, levels, fine = kernels.forward_masses(*ways, *given)
        if fine:
            self._sums = weights, masses, levels
            with np.errstate(divide="ignore"):  # unreachable nodes have mass 0
                logs = np.log(masses)
            logs += kernels.LEVEL * levels
            self.potentials = np.subtract(0.0, logs, out=logs)
        else:
            self.potentials, parts, self.bad = kernels.forward_potentials(*ways, *given)
            self._sums = as_shares(topology, parts)
        self._starts = starts

    @cached_property
    def shares(self) -> Float64s:
        """As :class:`PathSums`."""
        offsets, arcs = self.topology.incoming
        weights, masses, levels = self._sums
        result: Float64s = kernels.shares(
            offsets, arcs, self.topology.incoming_ends, weights, masses, levels
        )
        return result

    @cached_property
    def start_shares(self) -> Float64s:
        """As :class:`PathSums`."""
        totals = self.potentials[self.topology.starts]
        both = np.isfinite(totals) & np.isfinite(self._starts)
        less = np.where(both, totals, -np.inf) - np.where(both, self._starts, 0.0)
        found: Float64s = np.exp(less)
        return found

    def solve(self, given: Float64s, transposed: bool) -> tuple[Float64s, Float64s]:
        """As :class:`PathSums`."""
        topology = self.topology
        solved = kernels.solve_back if transposed else kernels.solve
        ways = topology.order, *topology.incoming, topology.incoming_ends
        return solved(*ways, *self._sums, given)


def as_shares(topology: Topology, shares: Float64s) -> Sums:
    """Return the sums (weights, masses and levels) that have the given shares, by place."""
    return shares, np.ones(topology.num_nodes), np.zeros(topology.num_nodes, dtype=np.int32)


def path_sums(
    topology: Topology,
    arcs: torch.Tensor,
    starts: torch.Tensor,
    finals: torch.Tensor | None = None,
) -> PathSums:
    """Return the results of one pass along a graph.

    Args:
        topology: any graph or batch.
        arcs, starts: penalties, float64.
        finals: penalties; if given, only components on a path count, and nodes on no path may have
            any potential. None: all reachable nodes count.

    Raises:
        DivergentGraphError: a component that counts has an infinite sum.
        GraphError: a NaN or -inf penalty; the message names the arc.
        NotImplementedError: derivatives in a mode other than reverse mode.
    """
    check_untransformed(arcs, starts, *(() if finals is None else (finals,)))
    if topology.is_acyclic:
        sums = AcyclicSums(topology, as_array(arcs), as_array(starts))
        if sums.bad >= 0:
            check_penalties(arcs.detach(), topology.num_arcs, "arc")
        return sums
    check_penalties(arcs.detach(), topology.num_arcs, "arc")
    ends = None if finals is None else as_array(finals)
    return CyclicSums(topology, as_array(arcs), as_array(starts), ends)


def potentials(sums: PathSums, arcs: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """Return the potentials ``[N]``, differentiable in the arc and start penalties."""
    if not needs_gradient(arcs, starts):
        return torch.from_numpy(sums.potentials)
    result: torch.Tensor = _Potentials.apply(arcs, starts, sums)  # type: ignore[no-untyped-call]
    return result


def solve(
    sums: PathSums, factors: torch.Tensor, given: torch.Tensor, transposed: bool = False
) -> torch.Tensor:
    """Solve ``x_n = given_n + Σ_a factors_a x_src(a)``, differentiable in factors and given.

    Args:
        sums: of the graph; the factors are its shares.
        factors: the shares as :func:`shares` gives them, for their derivatives; ``[A]``.
        given: ``[N]``.
        transposed: over arcs out of n, ``x_dst(a)``, instead.
    """
    result: torch.Tensor = _Solve.apply(factors, given, sums, transposed)  # type: ignore[no-untyped-call]
    return result


def shares(arcs: torch.Tensor, potentials: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Return each arc's share in its destination's sum, differentiable; 0 where it has none."""
    ways = arcs + potentials.index_select(0, as_index(topology.src))
    return exp_minus(ways, potentials.index_select(0, as_index(topology.dst)))


def exp_minus(ways: torch.Tensor, totals: torch.Tensor) -> torch.Tensor:
    """Return exp(totals - ways), 0 (with gradient 0) where either is infinite."""
    both = ways.isfinite() & totals.isfinite()
    zero = ways.new_zeros(())
    difference = torch.where(both, totals, zero) - torch.where(both, ways, zero)
    return torch.where(both, torch.exp(difference), zero)


class _Potentials(torch.autograd.Function):
    """Forward potentials ``[N]`` of arc and start penalties (eq. 13)."""

    @staticmethod
    def forward(ctx: Any, arcs: torch.Tensor, starts: torch.Tensor, sums: PathSums) -> torch.Tensor:
        found = torch.from_numpy(sums.potentials)
        ctx.sums = sums
        ctx.save_for_backward(arcs, starts, found)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        sums: PathSums = ctx.sums
        arcs, starts, found = ctx.saved_tensors
        topology = sums.topology
        if not torch.is_grad_enabled():
            mass, products = sums.solve(as_array(gradients[0]), True)
            start_gradient = None
            if ctx.needs_input_grad[1]:
                start_gradient = torch.from_numpy(sums.start_shares * mass[topology.starts])
            return torch.from_numpy(products), start_gradient, None
        # For further derivatives: the same in torch, with shares as functions of the inputs.
        start_nodes = as_index(topology.starts)
        parts = shares(arcs, found, topology)
        start_shares = exp_minus(starts, found.index_select(0, start_nodes))
        adjoint = solve(sums, parts, gradients[0], transposed=True)
        return (
            parts * adjoint.index_select(0, as_index(topology.dst)),
            start_shares * adjoint.index_select(0, start_nodes),
            None,
        )


class _Solve(torch.autograd.Function):
    """The linear solve, closed under differentiation: the derivative in u is its transpose."""

    @staticmethod
    def forward(
        ctx: Any, factors: torch.Tensor, given: torch.Tensor, sums: PathSums, transposed: bool
    ) -> torch.Tensor:
        solution, _ = sums.solve(as_array(given), transposed)
        ctx.sums, ctx.transposed = sums, transposed
        result = torch.from_numpy(solution)
        ctx.save_for_backward(factors, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        topology: Topology = ctx.sums.topology
        factors, solution = ctx.saved_tensors
        adjoint = solve(ctx.sums, factors, gradients[0], not ctx.transposed)
        here, there = (
            (topology.src, topology.dst) if ctx.transposed else (topology.dst, topology.src)
        )
        product = adjoint.index_select(0, as_index(here)) * solution.index_select(
            0, as_index(there)
        )
        return product, adjoint, None, None
