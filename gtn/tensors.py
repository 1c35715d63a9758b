"""Between torch and the kernels: penalties as float64 arrays, results as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd import forward_ad

from gtn.errors import GraphError
from gtn.graph import Graph, check_penalties

__all__ = [
    "Lengths",
    "as_array",
    "as_given",
    "as_index",
    "as_mask",
    "check_untransformed",
    "checked_lengths",
    "float64_penalties",
    "is_transformed",
    "needs_gradient",
]

Lengths = torch.Tensor | NDArray[Any] | Sequence[int] | int | None
"""How many frames each of several problems has; None: all of them."""

_NO_TRANSFORMS = (
    "sums over paths have derivatives of any order in reverse mode (backward, torch.autograd.grad, "
    "torch.autograd.functional), but not by the transforms of torch.func or in forward mode"
)


def float64_penalties(graph: Graph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return arc, start and final penalties as float64 tensors on the CPU, differentiable.

    Arc penalties are checked later, by the kernels; those of starts and finals here.

    Raises:
        GraphError: a start or final penalty that is NaN or -inf.
    """
    parts = (graph.penalties, graph.start_penalties, graph.final_penalties)
    arcs, starts, finals = (part.cpu().double() for part in parts)
    for what, ends in (("start", starts), ("final", finals)):
        if not as_array(ends).min(initial=0.0) > -np.inf:  # true of NaN, too
            check_penalties(ends, len(ends), what)
    return arcs, starts, finals


def checked_lengths(lengths: Lengths, count: int, frames: int) -> NDArray[np.int64]:
    """Return the lengths of ``count`` problems of up to ``frames`` frames.

    Raises:
        GraphError: not ``count`` integers; one out of range, naming its problem.
    """
    if lengths is None:
        every = np.empty(count, dtype=np.int64)
        every.fill(frames)
        return every
    given = np.atleast_1d(lengths.cpu().numpy() if isinstance(lengths, torch.Tensor) else lengths)
    if given.shape != (count,) or (count and given.dtype.kind not in "iu"):
        raise GraphError(
            f"lengths must be {count} whole numbers, not {given.dtype} of shape {list(given.shape)}"
        )
    wrong = (given < 0) | (given > frames)
    if wrong.any():
        b = int(np.argmax(wrong))
        raise GraphError(f"problem {b} has length {given[b]}, but there are {frames} frames")
    return given.astype(np.int64)


def as_given(result: torch.Tensor, graph: Graph) -> torch.Tensor:
    """Return a result on the device and in the dtype of the graph's penalties."""
    return result.to(device=graph.penalties.device, dtype=graph.penalties.dtype)


def as_array(tensor: torch.Tensor) -> NDArray[np.float64]:
    """Return a tensor on the CPU, usually float64, as the array that kernels take.

    Raises:
        NotImplementedError: the tensor is inside a transform of ``torch.func``.
    """
    array: NDArray[np.float64] = _numbers(tensor)
    return array


def as_mask(tensor: torch.Tensor) -> NDArray[np.bool_]:
    """Return a boolean tensor, on any device, as an array.

    Raises:
        NotImplementedError: as :func:`as_array`.
    """
    mask: NDArray[np.bool_] = _numbers(tensor.cpu())
    return mask


def _numbers(tensor: torch.Tensor) -> NDArray[Any]:
    try:
        array: NDArray[Any] = tensor.detach().resolve_neg().contiguous().numpy()
    except RuntimeError as error:  # a tensor wrapped by the transform
        raise NotImplementedError(_NO_TRANSFORMS) from error
    return array


def as_index(numbers: NDArray[Any]) -> torch.Tensor:
    """Return node or arc numbers as the index tensor that ``index_select`` takes."""
    return torch.from_numpy(numbers.astype(np.int64))


def is_transformed(*tensors: torch.Tensor) -> bool:
    """Return whether a transform of ``torch.func`` or forward-mode differentiation is active.

    Both see torch's own operations, but not the kernels.
    """
    if torch._C._are_functorch_transforms_active():
        return True
    if forward_ad._current_level < 0:
        return False
    tangent_of: Any = forward_ad.unpack_dual
    return any(tangent_of(part).tangent is not None for part in tensors)


def needs_gradient(*tensors: torch.Tensor) -> bool:
    """Return whether autograd must record operations on some tensors.

    Recording a function of our own costs more than the function itself on a small graph.
    """
    return torch.is_grad_enabled() and any(part.requires_grad for part in tensors)


def check_untransformed(*tensors: torch.Tensor) -> None:
    """Check that derivatives, if any, are reverse mode, the only one that kernels support.

    Raises:
        NotImplementedError: otherwise.
    """
    if is_transformed(*tensors):
        raise NotImplementedError(_NO_TRANSFORMS)
