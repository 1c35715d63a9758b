"""Derivatives of operations on graphs, compared with finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from gtn.errors import GraphError
from gtn.graph import Graph

__all__ = ["assert_derivatives"]

_PENALTIES = ("penalties", "start_penalties", "final_penalties")


def assert_derivatives(
    operation: Callable[..., Any], *graphs: Graph, order: int = 2, fast: bool = False
) -> None:
    """Assert that an operation's derivatives with respect to all penalties of graphs are right.

    They are compared with finite differences (``torch.autograd.gradcheck`` and ``gradgradcheck``),
    in float64. Infinite penalties stay as they are; infinite values in the result are left out.
    Avoid ties, as of two best paths: there the result has no derivative to compare.

    Args:
        operation: called with as many graphs; returns a tensor, several of them, or a graph, all
            penalties of which count.
        graphs: graphs or batches; derivatives are tested at their penalties.
        order: 2, or 1 for the first derivatives alone.
        fast: whether to compare along one random direction instead of for each penalty.

    Raises:
        GraphError: another order.
        torch.autograd.gradcheck.GradcheckError: a derivative off by more than a thousandth plus
            1e-5; a NaN in the result.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, "a", 1.0), (0, 1, "b", 2.0)], final=1)
    >>> assert_derivatives(gtn.forward_penalty, g)
    >>> assert_derivatives(lambda g: gtn.forward_penalty(g.detach()), g)
    Traceback (most recent call last):
    torch.autograd.gradcheck.GradcheckError: Jacobian mismatch for output 0 ...
    """
    if order not in (1, 2):
        raise GraphError(f"order={order!r}; the first derivatives, or those and the second: 1 or 2")
    whole = [getattr(g, name).detach().double() for g in graphs for name in _PENALTIES]
    finite = [penalties.isfinite() for penalties in whole]

    def function(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parts = [p.masked_scatter(f, v) for p, f, v in zip(whole, finite, values, strict=True)]
        made = operation(
            *(
                g.with_penalties(arcs, start_penalties=starts, final_penalties=finals)
                for g, arcs, starts, finals in zip(graphs, parts[::3], parts[1::3], parts[2::3])
            )
        )
        if isinstance(made, Graph):
            made = tuple(getattr(made, name) for name in _PENALTIES)
        tensors = (made,) if isinstance(made, torch.Tensor) else made
        # Results that depend on no penalty have derivative zero, which gradcheck does not accept.
        zero = sum(0 * value.sum() for value in values)
        return tuple(tensor[~tensor.isinf()] + zero for tensor in tensors)

    leaves = [p[f].clone().requires_grad_() for p, f in zip(whole, finite, strict=True)]
    assert torch.autograd.gradcheck(function, leaves, fast_mode=fast)
    if order > 1:
        assert torch.autograd.gradgradcheck(function, leaves, fast_mode=fast)
