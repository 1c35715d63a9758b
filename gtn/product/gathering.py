"""Gathering: penalties of a product, each the sum of penalties of its operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import gather
from gtn.data import Sources
from gtn.kernels import gathering as kernels
from gtn.tensors import as_array, as_index, is_transformed, needs_gradient

__all__ = ["gathered_sums", "sum_of", "sums_of_sources"]

Int32s = NDArray[np.int32]
Row = tuple[Sequence[torch.Tensor], Sequence[Int32s]]


def gathered_sums(*rows: Row) -> tuple[torch.Tensor, ...]:
    """Return, for each row, the sums of the penalties at its indexes (0 where an index is -1).

    Args:
        rows: penalties of each operand, and for each operand an index ``[K]`` into them.

    Returns:
        A tensor ``[K]`` for each row, differentiable to any order.
    """
    given = [part for values, _ in rows for part in values]
    if (
        all(len(values) == 2 for values, _ in rows)
        and all(part.dtype == given[0].dtype for part in given)
        and all(part.device.type == "cpu" for part in given)
        and not is_transformed(*given)
    ):
        pairs = [(first, second) for _, (first, second) in rows]
        if not needs_gradient(*given):
            return tuple(_sums(pairs, given))
        found: tuple[torch.Tensor, ...] = _GatheredSums.apply(pairs, *given)  # type: ignore[no-untyped-call]
        return found
    return tuple(
        sum_of([gather(part, index) for part, index in zip(values, indexes, strict=True)])
        for values, indexes in rows
    )


def _sums(pairs: list[tuple[Int32s, Int32s]], values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return ``a[i] + b[j]`` for each pair of indexes, of the values two by two."""
    arrays = [as_array(part) for part in values]
    return [
        torch.from_numpy(kernels.gathered_sum(a, i, b, j))
        for (i, j), a, b in zip(pairs, arrays[::2], arrays[1::2])
    ]


class _GatheredSums(torch.autograd.Function):
    """``a[i] + b[j]`` in one pass, for several pairs; linear, so its derivative is linear, too."""

    @staticmethod
    def forward(
        ctx: Any, pairs: list[tuple[Int32s, Int32s]], *values: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        ctx.pairs, ctx.counts = pairs, [len(part) for part in values]
        ctx.set_materialize_grads(False)
        sums = _sums(pairs, values)
        needed = ctx.needs_input_grad[1:]
        ctx.mark_non_differentiable(
            *(s for s, a, b in zip(sums, needed[::2], needed[1::2]) if not (a or b))
        )
        return tuple(sums)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> Any:
        indexes = [index for pair in ctx.pairs for index in pair]
        due = [gradient for gradient in gradients for _ in range(2)]
        return None, *(
            _scattered(gradient, index, count) if needed and gradient is not None else None
            for gradient, index, count, needed in zip(
                due, indexes, ctx.counts, ctx.needs_input_grad[1:]
            )
        )


def _scattered(values: torch.Tensor, index: Int32s, count: int) -> torch.Tensor:
    """Return the sums of the values that have each index, differentiable."""
    if torch.is_grad_enabled():
        sums: torch.Tensor = _Scattered.apply(values, index, count)  # type: ignore[no-untyped-call]
        return sums
    return torch.from_numpy(kernels.scattered(as_array(values), index, count))


class _Scattered(torch.autograd.Function):
    """The sums of the values that have each index."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, index: Int32s, count: int) -> torch.Tensor:
        ctx.index = index
        return torch.from_numpy(kernels.scattered(as_array(values), index, count))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gather(gradients[0], ctx.index), None, None


def sums_of_sources(penalties: torch.Tensor, sources: Sources) -> torch.Tensor:
    """Return the sum of the penalties of the sources of each arc, differentiable."""
    if sources.offsets is None:
        return gather(penalties, sources.index)
    owner = np.repeat(np.arange(len(sources)), np.diff(sources.offsets))
    found = gather(penalties, sources.index)
    return found.new_zeros(len(sources)).index_add(0, as_index(owner).to(found.device), found)


def sum_of(terms: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sum of terms, added from first to last."""
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
