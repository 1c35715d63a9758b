"""Between torch and the kernels: penalties as float64 arrays, results as the tensors asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.graph import Graph, check_penalties

__all__ = ["as_array", "as_given", "as_index", "float64_penalties"]


def float64_penalties(graph: Graph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return arc, start and final penalties as float64 tensors on the CPU, differentiable.

    The arcs are checked by the kernels on the way; starts and finals here.

    Raises:
        GraphError: a start or final penalty that is NaN or -inf.
    """
    arcs, starts, finals = (
        p.to(device="cpu", dtype=torch.float64)
        for p in (graph.penalties, graph.start_penalties, graph.final_penalties)
    )
    check_penalties(starts, len(starts), "start")
    check_penalties(finals, len(finals), "final")
    return arcs, starts, finals


def as_given(result: torch.Tensor, graph: Graph) -> torch.Tensor:
    """Return a result on the device and in the dtype of the graph's penalties."""
    return result.to(device=graph.penalties.device, dtype=graph.penalties.dtype)


def as_array(tensor: torch.Tensor) -> NDArray[np.float64]:
    """Return a float64 tensor as the array that kernels take; it carries no gradient."""
    array: NDArray[np.float64] = tensor.detach().contiguous().numpy()
    return array


def as_index(numbers: NDArray[Any]) -> torch.Tensor:
    """Return node or arc numbers as the index tensor that ``index_select`` takes."""
    return torch.from_numpy(numbers.astype(np.int64))
