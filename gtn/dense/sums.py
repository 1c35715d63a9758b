"""Sums over all paths, frame by frame: forward penalty and posteriors (paper, section VI-C)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.dense.higher import second_derivative
from gtn.dense.problems import Lengths, Problems, silent_cycles_summed
from gtn.graph import Graph
from gtn.kernels import dense as kernels
from gtn.kernels.covariances import covariances
from gtn.tensors import as_array, as_index

__all__ = ["arc_posteriors", "forward_penalty", "forward_penalty_float64", "posteriors"]


def forward_penalty(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return minus the logarithm of the sum of exp(-penalty) over all paths (eqs. 13 and 14).

    O(T A) for each problem, for value and gradient together; memory O(T (N + C)) for each thread
    beside the gradient itself. ``inf`` where there is no path, with gradient zero. The gradients
    are the posteriors; they flow to the emissions and to the arc, start and final penalties.

    Args:
        emissions: ``[T, C]`` or ``[B, T, C]`` in nats, float32 or float64.
        graph: a graph, or a batch of B; its input labels are classes.
        lengths: the frames of each problem, ``[B]`` (a number for ``[T, C]``); all T unless given.

    Returns:
        ``[]`` or ``[B]`` in nats, of the emissions' dtype.

    Raises:
        DivergentGraphError: the sum over a cycle of epsilon arcs on a path is infinite.
        GraphError: a NaN or -inf penalty, naming frame and class (if the graph reads it), or arc;
            shapes that do not fit.

    >>> import gtn
    >>> emissions = torch.tensor([[0.5, 1.0], [2.0, 0.25]])
    >>> forward_penalty(emissions, gtn.string([0, 1]))
    tensor(0.7500)
    >>> forward_penalty(emissions.expand(3, 2, 2), gtn.string([0]), lengths=[1, 2, 1])
    tensor([0.5000,    inf, 0.5000])
    """
    total = _forward_penalty(emissions, graph, lengths, rounded=True)
    return total.to(emissions.device)


def forward_penalty_float64(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return the forward penalty in float64 on the CPU, for differences before rounding."""
    return _forward_penalty(emissions, graph, lengths, rounded=False)


def _forward_penalty(
    emissions: torch.Tensor, graph: Graph, lengths: Lengths, *, rounded: bool
) -> torch.Tensor:
    """Return the forward penalty on the CPU, in float64 or rounded to the emissions' dtype."""
    graph = silent_cycles_summed(graph, "log")
    problems = Problems.of(emissions, graph, lengths)
    inputs = problems.inputs(emissions, graph, dtype=None)
    dtype = emissions.dtype if rounded else torch.float64
    if not torch.is_grad_enabled():  # autograd functions do not see it, and would get ready
        inputs = tuple(part.detach() for part in inputs)
    result: torch.Tensor = _Totals.apply(*inputs, problems, dtype)  # type: ignore[no-untyped-call]
    return result if problems.is_batch else result.squeeze(0)


def posteriors(emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None) -> torch.Tensor:
    """Return the probability of reading each class in each frame: ``[B, T, C]`` or ``[T, C]``.

    In a frame of a problem that has a path they sum to one; elsewhere they are zero. The gradient
    of the forward penalty to the emissions, computed directly and itself differentiable.

    >>> import gtn
    >>> either = gtn.Graph.from_arcs([(0, 0, 0), (0, 0, 1)], final=0)
    >>> posteriors(torch.tensor([[1.0, 2.0]]), either)
    tensor([[0.7311, 0.2689]])
    """
    graph = silent_cycles_summed(graph, "log")
    problems = Problems.of(emissions, graph, lengths)
    of_emissions, *_ = _posteriors(*problems.inputs(emissions, graph), problems)
    found = of_emissions if problems.is_batch else of_emissions.squeeze(0)
    return found.to(device=emissions.device, dtype=emissions.dtype)


def arc_posteriors(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return how often a path takes each arc, on average: ``[A]`` (``[B, A]`` if B share a graph).

    The gradient of the forward penalty to the arcs' penalties, itself differentiable.

    Raises:
        CyclicGraphError: epsilon arcs form a cycle, on a path or not; the message names it.
        GraphError: as :func:`forward_penalty`.

    >>> import gtn
    >>> either = gtn.Graph.from_arcs([(0, 0, 0), (0, 0, 1)], final=0)
    >>> arc_posteriors(torch.zeros(6, 2), either)
    tensor([3., 3.])
    """
    problems = Problems.of(emissions, graph, lengths)
    _, of_arcs, *_ = _posteriors(*problems.inputs(emissions, graph), problems)
    found = of_arcs if problems.shared and problems.is_batch else of_arcs.squeeze(0)
    return found.to(device=emissions.device, dtype=emissions.dtype)


# -- derivatives -----------------------------------------------------------------------------------


class _Totals(torch.autograd.Function):
    """Forward penalties ``[B]`` of emissions, arc, start and final penalties.

    Where a gradient may be asked for, the posteriors are computed along with the value. Emissions
    in float32 are not copied, and have their gradient in float32.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> torch.Tensor:
        inputs: tuple[torch.Tensor, ...] = arguments[:4]
        problems: Problems = arguments[4]
        dtype: torch.dtype = arguments[5]
        given = problems.masses(*inputs[1:])
        totals = np.empty(len(problems.lengths))
        run = (as_array(inputs[0]), given)
        if any(ctx.needs_input_grad):
            arcs_wanted = ctx.needs_input_grad[1]
            ctx.found = problems.zeros(*inputs, arcs=arcs_wanted)
            problems.run(kernels.posteriors, *run, arcs_wanted, totals, *ctx.found)
        else:
            problems.run(kernels.totals, *run, totals)
        ctx.problems = problems
        ctx.save_for_backward(*inputs)
        return torch.from_numpy(totals).to(dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        problems: Problems = ctx.problems
        if torch.is_grad_enabled():  # to be differentiated again
            emissions, *penalties = ctx.saved_tensors
            found = _posteriors(emissions.double(), *penalties, problems)
        else:
            found = tuple(torch.from_numpy(part) for part in ctx.found)
        topology, factors, wanted = problems.topology, gradients[0], ctx.needs_input_grad
        return (
            found[0] * factors.to(found[0]).reshape(-1, 1, 1) if wanted[0] else None,
            _per_arc(found[1], factors, topology.src, problems) if wanted[1] else None,
            _per_arc(found[2], factors, topology.starts, problems) if wanted[2] else None,
            _per_arc(found[3], factors, topology.finals, problems) if wanted[3] else None,
            None,
            None,
        )


class _Posteriors(torch.autograd.Function):
    """Posteriors of emissions ``[B, T, C]``, arcs, starts and finals (a row per sharing problem).

    They are the gradient of the forward penalty, so their derivative is symmetric: the same
    kernel carries a direction forward and a gradient back.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[torch.Tensor, ...]:
        inputs: tuple[torch.Tensor, ...] = arguments[:4]
        problems: Problems = arguments[4]
        found, totals = problems.zeros(*inputs), np.empty(len(problems.lengths))
        given = problems.masses(*inputs[1:])
        problems.run(kernels.posteriors, as_array(inputs[0]), given, True, totals, *found)
        ctx.problems = problems
        ctx.save_for_backward(*inputs)
        return tuple(torch.from_numpy(part) for part in found)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        problems: Problems = ctx.problems
        if torch.is_grad_enabled():  # to be differentiated again
            return *second_derivative(ctx.saved_tensors, gradients, problems), None
        emissions, *penalties = (as_array(part) for part in ctx.saved_tensors)
        direction = tuple(as_array(gradient) for gradient in gradients)
        found = [np.zeros_like(part) for part in direction]
        problems.run(covariances, emissions, tuple(penalties), direction, *found)
        return torch.from_numpy(found[0]), *(_added(torch.from_numpy(p)) for p in found[1:]), None


class _Added(torch.autograd.Function):
    """The sum of rows, from first to last: torch's own sum depends on the number of threads."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor) -> torch.Tensor:
        ctx.count = len(rows)
        return torch.from_numpy(np.add.reduce(as_array(rows), axis=0))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0].expand(ctx.count, -1)


def _added(rows: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = _Added.apply(rows)  # type: ignore[no-untyped-call]
    return result


def _per_arc(
    rows: torch.Tensor, factors: torch.Tensor, nodes: NDArray[np.int32], problems: Problems
) -> torch.Tensor:
    """Return what belongs to each arc, start or final, times the factor of its problem."""
    if problems.shared:
        return _added(rows * factors.unsqueeze(1))
    owner = as_index(problems.topology.graph_of_nodes(nodes))
    return rows.squeeze(0) * factors.index_select(0, owner)


def _posteriors(*arguments: Any) -> tuple[torch.Tensor, ...]:
    result: tuple[torch.Tensor, ...] = _Posteriors.apply(*arguments)  # type: ignore[no-untyped-call]
    return result
