"""Derivatives beyond the second, for which the product is built."""

from __future__ import annotations

import torch

from gtn.batch import assemble
from gtn.composition import compose
from gtn.construction import linear
from gtn.dense.problems import Problems
from gtn.scoring import forward_penalty_float64

__all__ = ["second_derivative"]

Tensors = tuple[torch.Tensor, ...]


def second_derivative(inputs: Tensors, direction: Tensors, problems: Problems) -> Tensors:
    """Return the derivative of posteriors along a direction, itself differentiable to any order.

    O(T A) memory, unlike the kernel that gives only its value. The arguments are emissions
    ``[B, T, C]``, arc, start and final penalties; the direction has a row per problem if the
    problems share a graph.
    """
    # Views, because one input may be computed from another, and derivatives here are partial. The
    # direction may have a part for inputs that need no gradient.
    parts = [
        part.view_as(part) if part.requires_grad else part.detach().requires_grad_()
        for part in inputs
    ]
    graph = assemble(problems.topology, *parts[1:])
    posteriors, ways = [], []
    for b, length in enumerate(problems.lengths.tolist()):
        one = graph if problems.shared else graph[b]  # type: ignore[index]
        value = forward_penalty_float64(compose(linear(parts[0][b, :length]), one))
        if not value.isfinite():
            continue
        each = torch.autograd.grad(value, parts, create_graph=True, allow_unused=True)
        row = b if problems.shared else 0
        along = (direction[0], *(rows[row] for rows in direction[1:]))
        for posterior, way in zip(each, along, strict=True):
            if posterior is not None:
                posteriors.append(posterior)
                ways.append(way)
    if not posteriors:
        return tuple(torch.zeros_like(part) for part in parts)
    # The direction may also be computed from the inputs, but is not differentiated here.
    found = torch.autograd.grad(posteriors, parts, ways, create_graph=True, allow_unused=True)
    return tuple(torch.zeros_like(p) if f is None else f for p, f in zip(parts, found))
