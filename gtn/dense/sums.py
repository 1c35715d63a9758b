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

Float64s = NDArray[np.float64]
_ARRAYS = {torch.float32: np.float32, torch.float64: np.float64}


def forward_penalty(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return minus the logarithm of the sum of exp(-penalty) over all paths (eqs. 13 and 14).

    O(T A) for each problem, for value and gradient together; memory O(T (N + C)) for each thread,
    besides the gradient itself. ``inf`` if there is no path, with gradient zero. The gradients are
    the posteriors; they flow to the emissions and to the arc, start and final penalties.

    Args:
        emissions: ``[T, C]`` or ``[B, T, C]`` in nats, float32 or float64.
        graph: a graph, or a batch of B; its input labels are classes.
        lengths: the frames of each problem, ``[B]`` (a number for ``[T, C]``); all T unless given.

    Returns:
        ``[]`` or ``[B]`` in nats, of the emissions' dtype.

    Raises:
        DivergentGraphError: the sum over a cycle of epsilon arcs on a path is infinite.
        GraphError: a NaN or -inf penalty, naming the arc, or frame and class (if the graph reads
            the class); shapes that do not fit; an arc whose label is not a class, naming the arc;
            fewer symbols in the graph's table than classes.

    >>> import gtn
    >>> emissions = torch.tensor([[0.5, 1.0], [2.0, 0.25]])
    >>> forward_penalty(emissions, gtn.string([0, 1]))
    tensor(0.7500)
    >>> forward_penalty(emissions.expand(3, 2, 2), gtn.string([0]), lengths=[1, 2, 1])
    tensor([0.5000,    inf, 0.5000])
    """
    total = _forward_penalty(emissions, graph, lengths, rounded=True)
    return total if emissions.is_cpu else total.to(emissions.device)


def forward_penalty_float64(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return the forward penalty in float64 on the CPU, for differences before rounding."""
    return _forward_penalty(emissions, graph, lengths, rounded=False)


def _forward_penalty(
    emissions: torch.Tensor, graph: Graph, lengths: Lengths, *, rounded: bool
) -> torch.Tensor:
    """Return the forward penalty on the CPU, in float64 or rounded to the emissions' dtype."""
    graph = silent_cycles_summed(emissions, graph, "log")
    problems = Problems.of(emissions, graph, lengths)
    inputs = problems.inputs(emissions, graph, dtype=None)
    dtype = emissions.dtype if rounded else torch.float64
    if not torch.is_grad_enabled():  # autograd functions cannot tell, and would do more
        inputs = tuple(part.detach() for part in inputs)
    result: torch.Tensor = _Totals.apply(*inputs, problems, dtype)  # type: ignore[no-untyped-call]
    return result if problems.is_batch else result.squeeze(0)


def posteriors(emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None) -> torch.Tensor:
    """Return the probability of reading each class in each frame: ``[B, T, C]`` or ``[T, C]``.

    In a frame of a problem with a path they sum to one; elsewhere they are zero. The gradient of
    the forward penalty with respect to the emissions, computed directly and itself differentiable.

    >>> import gtn
    >>> either = gtn.Graph.from_arcs([(0, 0, 0), (0, 0, 1)], final=0)
    >>> posteriors(torch.tensor([[1.0, 2.0]]), either)
    tensor([[0.7311, 0.2689]])
    """
    graph = silent_cycles_summed(emissions, graph, "log")
    problems = Problems.of(emissions, graph, lengths)
    of_emissions, *_ = _posteriors(*problems.inputs(emissions, graph), problems)
    found = of_emissions if problems.is_batch else of_emissions.squeeze(0)
    return found.to(device=emissions.device, dtype=emissions.dtype)


def arc_posteriors(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return how often a path takes each arc, on average: ``[A]`` (``[B, A]`` if B share a graph).

    The gradient of the forward penalty with respect to the arcs' penalties, itself differentiable.

    Raises:
        CyclicGraphError: epsilon arcs form a cycle on a path; the message names it.
        GraphError: as in :func:`forward_penalty`.

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

    If a gradient may be asked for, the posteriors are computed along with the value, and handed
    out with the first gradient. Emissions in float32 are not copied, and get their gradient in
    float32.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> torch.Tensor:
        inputs: tuple[torch.Tensor, ...] = arguments[:4]
        problems: Problems = arguments[4]
        totals = np.empty(len(problems.lengths))
        wanted = ctx.needs_input_grad
        if wanted[0] or wanted[1] or wanted[2] or wanted[3]:
            ctx.found = _found(inputs, problems, totals, arcs=wanted[1])
        else:
            problems.run(kernels.totals, problems.arrays(*inputs), totals)
        ctx.problems = problems
        ctx.save_for_backward(*inputs)
        return torch.from_numpy(totals.astype(_ARRAYS[arguments[5]], copy=False))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        problems: Problems = ctx.problems
        factors, wanted = gradients[0], ctx.needs_input_grad
        inputs: tuple[torch.Tensor, ...] = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            found = _posteriors(*(part.double() for part in inputs), problems)
            of_emissions = found[0] * factors.reshape(-1, 1, 1) if wanted[0] else None
        else:
            arrays, ctx.found = ctx.found, None
            if arrays is None:  # asked for a second time
                totals = np.empty(len(problems.lengths))
                arrays = _found(inputs, problems, totals, arcs=wanted[1])
            found = tuple(torch.from_numpy(part) for part in arrays)
            of_emissions = _times(found[0], factors) if wanted[0] else None
        topology = problems.topology
        return (
            of_emissions,
            _per_arc(found[1], factors, topology.src, problems) if wanted[1] else None,
            _per_arc(found[2], factors, topology.starts, problems) if wanted[2] else None,
            _per_arc(found[3], factors, topology.finals, problems) if wanted[3] else None,
            None,
            None,
        )


def _found(
    inputs: tuple[torch.Tensor, ...], problems: Problems, totals: Float64s, *, arcs: bool
) -> list[NDArray[Any]]:
    """Fill in the forward penalties; return the posteriors, those of arcs only if wanted."""
    arrays = problems.arrays(*inputs)
    found = problems.room(arrays, arcs=arcs)
    problems.run(kernels.posteriors, arrays, arcs, totals, *found)
    return found


def _times(rows: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Multiply the rows of each problem by its factor, in place."""
    if all(factor == 1.0 for factor in factors.tolist()):  # as for a sum of losses
        return rows
    return rows.mul_(factors.to(rows).reshape(-1, 1, 1))


class _Posteriors(torch.autograd.Function):
    """Posteriors of emissions ``[B, T, C]``, arcs, starts and finals (a row per sharing problem).

    They are the gradient of the forward penalty, so their derivative is symmetric: the same
    kernel carries a direction forward and a gradient back.
    """

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[torch.Tensor, ...]:
        inputs: tuple[torch.Tensor, ...] = arguments[:4]
        problems: Problems = arguments[4]
        found = _found(inputs, problems, np.empty(len(problems.lengths)), arcs=True)
        ctx.problems = problems
        ctx.save_for_backward(*inputs)
        return tuple(torch.from_numpy(part) for part in found)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        problems: Problems = ctx.problems
        if torch.is_grad_enabled():  # to be differentiated again
            return *second_derivative(ctx.saved_tensors, gradients, problems), None
        arrays = problems.arrays(*ctx.saved_tensors)
        direction = tuple(as_array(gradient) for gradient in gradients)
        found = [np.zeros_like(part) for part in direction]
        problems.run(covariances, arrays, direction, *found)
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
    """Return the value of each arc, start or final, times the factor of its problem."""
    if problems.shared:
        return _added(rows * factors.unsqueeze(1))
    owner = as_index(problems.topology.graph_of_nodes(nodes))
    return rows.squeeze(0) * factors.index_select(0, owner)


def _posteriors(*arguments: Any) -> tuple[torch.Tensor, ...]:
    result: tuple[torch.Tensor, ...] = _Posteriors.apply(*arguments)  # type: ignore[no-untyped-call]
    return result
