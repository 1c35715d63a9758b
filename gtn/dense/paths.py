"""The best path, frame by frame: Viterbi and alignment (paper, section V)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.data import Sources
from gtn.dense.problems import Lengths, Problems, silent_cycles_summed
from gtn.graph import Graph, check_penalties
from gtn.kernels.alignment import best_paths
from gtn.paths import chains
from gtn.paths import viterbi_penalty_float64 as path_penalty
from gtn.tensors import as_index

__all__ = [
    "Alignment",
    "alignment",
    "viterbi_path",
    "viterbi_penalty",
    "viterbi_penalty_float64",
]


def viterbi_penalty(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return the least path penalty (eq. 10): ``[]`` or ``[B]`` in nats, of the emissions' dtype.

    O(T A) for each problem. ``inf`` if there is no path, with gradient zero; otherwise the gradient
    is one for what the best path uses. Arguments and errors as in :func:`forward_penalty`, but a
    cycle of epsilon arcs is an error only if its penalty is negative (``NegativeCycleError``).

    >>> import gtn
    >>> viterbi_penalty(torch.tensor([[0.5, 1.0], [2.0, 0.25]]), gtn.string([1, 1]))
    tensor(1.2500)
    """
    total = viterbi_penalty_float64(emissions, graph, lengths=lengths)
    return total.to(device=emissions.device, dtype=emissions.dtype)


def viterbi_penalty_float64(
    emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None
) -> torch.Tensor:
    """Return the Viterbi penalty in float64 on the CPU, for differences before rounding."""
    graph = silent_cycles_summed(emissions, graph, "tropical").without_data()
    return path_penalty(_best_path(Problems.of(emissions, graph, lengths), emissions, graph))


def viterbi_path(emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None) -> Graph:
    """Return the path of least penalty as a chain: one arc per frame, and those that read nothing.

    O(T A) for each problem, memory O(T N) for each thread. On ties, starting at a node wins over
    entering it, then the lowest arc wins, and at the end the lowest final node.

    Returns:
        A chain, or a batch of them, with the labels, symbols and arc data of the graph, in the
        emissions' dtype, differentiable; without nodes if there is no path. Its ``sources`` are
        the arcs of ``linear(emissions[b])`` (``t * C + c``; -1 where none is read) and those of
        the graph. Arguments as in :func:`forward_penalty`.

    Raises:
        CyclicGraphError: epsilon arcs form a cycle on a path; the message names it.
        GraphError: as in :func:`forward_penalty`.

    >>> import gtn
    >>> either = gtn.Graph.from_arcs([(0, 0, "a"), (0, 0, "b", 0.125)], final=0)
    >>> gtn.path_text(viterbi_path(torch.tensor([[0.5, 1.0], [2.0, 0.25]]), either))
    'ab'
    """
    problems = Problems.of(emissions, graph, lengths, "tropical")
    return _best_path(problems, emissions, graph).to(emissions.device, emissions.dtype)


class Alignment(NamedTuple):
    """What the best path does in each frame; -1 after the last frame and if there is no path.

    Attributes:
        labels: the class that is read, ``int64 [B, T]`` or ``[T]``.
        arcs: the arc that reads it, of the same shape; for a batch of graphs, as numbered in the
            batch.
    """

    labels: torch.Tensor
    arcs: torch.Tensor


def alignment(emissions: torch.Tensor, graph: Graph, *, lengths: Lengths = None) -> Alignment:
    """Return which class and which arc the best path takes in each frame.

    The path and errors of :func:`viterbi_path`, frame by frame: forced alignment, if the graph is
    a transcription.

    >>> import gtn
    >>> held = gtn.Graph.from_arcs([(0, 1, 0), (1, 1, 0), (1, 2, 1), (2, 2, 1)], final=2)
    >>> alignment(torch.tensor([[0.0, 9.0], [1.0, 2.0], [1.0, 0.0]]), held)
    Alignment(labels=tensor([0, 0, 1]), arcs=tensor([0, 1, 2]))
    """
    problems = Problems.of(emissions, graph, lengths, "tropical")
    arcs, frames, offsets, *_ = _best_arcs(problems, *problems.inputs(emissions, graph))
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    reads = frames >= 0
    shape = (len(problems.lengths), emissions.shape[-2])
    found = np.full((2, *shape), -1, dtype=np.int64)
    found[:, owner[reads], frames[reads]] = graph.ilabels[arcs[reads]], arcs[reads]
    tensor = torch.from_numpy(found if problems.is_batch else found.squeeze(1))
    return Alignment(*tensor.to(emissions.device))


def _best_arcs(problems: Problems, *inputs: torch.Tensor) -> tuple[NDArray[np.int32], ...]:
    """Return the arcs of the best paths, their frames, offsets, starts and finals."""
    for what, values in zip(("arc", "start", "final"), inputs[1:], strict=True):
        check_penalties(values.detach(), len(values), what)
    parts = problems.run(best_paths, problems.arrays(*inputs))
    arcs, frames, _, starts, finals = (
        np.concatenate(part) for part in zip(*(part[:5] for part in parts))
    )
    lengths = np.concatenate([np.diff(part[2]) for part in parts])
    return arcs, frames, np.append(0, np.cumsum(lengths)), starts, finals


def _best_path(problems: Problems, emissions: torch.Tensor, graph: Graph) -> Graph:
    """Return the best paths in float64."""
    inputs = problems.inputs(emissions, graph)
    arcs, frames, offsets, starts, finals = _best_arcs(problems, *inputs)
    exists, owner = finals >= 0, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    graph = graph.with_penalties(inputs[1], start_penalties=inputs[2], final_penalties=inputs[3])
    found = chains(
        graph,
        arcs,
        offsets,
        starts[exists],
        finals[exists],
        exists=exists,
        batch=problems.is_batch,
    )
    _, length, classes = inputs[0].shape
    reads = np.flatnonzero(frames >= 0)
    of_linear = np.where(frames >= 0, frames * np.int64(classes) + graph.ilabels[arcs], -1)
    places = owner[reads] * (length * classes) + of_linear[reads]
    of_frames = inputs[0].reshape(-1).index_select(0, as_index(places))
    return found._with(
        penalties=found.penalties.index_add(0, as_index(reads), of_frames),
        sources=(Sources(of_linear), *found.sources),
    )
