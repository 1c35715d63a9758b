"""The CTC loss and its gradient: frame by frame, by general composition, and torch's own."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

import gtn
from benchmarks.case import Answer, Case, Entrant, Goal, Question, Race
from gtn.nn import ctc_graphs


class Problem(NamedTuple):
    """Emissions of a batch (minus log probabilities) and their target labels."""

    emissions: torch.Tensor  # [B, T, C]
    targets: torch.Tensor  # [B, U]


def problem(batch: int, frames: int, classes: int, labels: int) -> Problem:
    """Return random emissions in float32, normalised, and random targets without the blank 0."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, frames, classes, generator=generator)
    targets = torch.randint(1, classes, (batch, labels), generator=generator)
    return Problem(-logits.log_softmax(2), targets)


def by_frames(emissions: torch.Tensor, targets: torch.Tensor) -> Any:
    """Return losses and gradient by ``gtn.dense``, including making the targets' graphs."""
    losses = gtn.dense.forward_penalty(emissions, ctc_graphs(targets))
    losses.sum().backward()
    return losses.detach(), emissions.grad


def by_composition(emissions: torch.Tensor, targets: torch.Tensor) -> Any:
    """Return losses and gradient by composition of each chain with the graph of its target."""
    graphs = ctc_graphs(targets)
    losses = torch.stack(
        [gtn.forward_penalty(gtn.compose(gtn.linear(e), g)) for e, g in zip(emissions, graphs)]
    )
    losses.sum().backward()
    return losses.detach(), emissions.grad


def by_torch(log_probabilities: torch.Tensor, targets: torch.Tensor) -> Any:
    """Return losses and gradient by torch, from its preferred layout ``[T, B, C]``."""
    frames, batch, _ = log_probabilities.shape
    lengths = torch.full((batch,), frames), torch.full((batch,), targets.shape[1])
    losses = F.ctc_loss(log_probabilities, targets, *lengths, reduction="none")
    losses.sum().backward()
    return losses.detach(), log_probabilities


def _ours(result: Any) -> Answer:
    losses, posteriors = result
    return _answer(losses, posteriors)


def _theirs(result: Any) -> Answer:
    # torch's gradient is exp(log probability) less the posterior of the class.
    losses, given = result
    return _answer(losses, (given.detach().exp() - given.grad).transpose(0, 1))


def _answer(losses: torch.Tensor, posteriors: torch.Tensor) -> Answer:
    wanted = posteriors.double()
    places = torch.arange(wanted.numel(), dtype=torch.float64).reshape(wanted.shape).cos()
    return {
        "loss": float(losses.double().sum()),
        "posteriors": float(wanted.square().sum()),
        "their places": float((wanted * places).sum() / len(wanted)),
    }


class _Inputs:
    def __init__(self, **sizes: Any) -> None:
        self.problems = {name: problem(*size) for name, size in sizes.items()}


def _race(name: str, *, composition: bool, goals: tuple[Goal, ...]) -> Race:
    def entrants(inputs: _Inputs) -> list[Entrant]:
        emissions, targets = inputs.problems[name]
        there = (-emissions).transpose(0, 1).contiguous()

        def ours() -> tuple[torch.Tensor, ...]:
            return emissions.clone().requires_grad_(), targets

        def theirs() -> tuple[torch.Tensor, ...]:
            return there.clone().requires_grad_(), targets

        found = [
            Entrant("gtn", by_frames, ours, _ours),
            Entrant("gtn, two threads", by_frames, ours, _ours, threads=2),
            Entrant("torch", by_torch, theirs, _theirs),
            Entrant("torch, two threads", by_torch, theirs, _theirs, threads=2),
        ]
        if composition:
            found.append(Entrant("gtn, by composition", by_composition, ours, _ours))
        return found

    def question(inputs: _Inputs) -> Question:
        emissions, targets = inputs.problems[name]
        return Question("ctc", {"emissions": emissions.numpy(), "targets": targets.numpy()})

    return Race(name.replace("_", " "), entrants, question, goals=goals, rtol=1e-2)


_FASTER = Goal("torch / gtn", at_least=1.3)
_SHARED = Goal("gtn / gtn, two threads", at_least=1.7)

CTC = Case(
    "ctc",
    "CTC, forward and backward (sizes are batch, frames, classes and labels)",
    {
        "full": {
            "short_batch_1": (1, 150, 28, 40),
            "short_batch_32": (32, 150, 28, 40),
            "long_batch_1": (1, 1000, 100, 200),
            "long_batch_32": (32, 1000, 100, 200),
        },
        "quick": {
            "short_batch_1": (1, 150, 28, 40),
            "short_batch_32": (32, 150, 28, 40),
            "long_batch_1": (1, 1000, 100, 200),
            "long_batch_32": (8, 1000, 100, 200),
        },
        "smallest": {
            "short_batch_1": (1, 12, 5, 3),
            "short_batch_32": (4, 12, 5, 3),
            "long_batch_1": (1, 20, 8, 6),
            "long_batch_32": (4, 20, 8, 6),
        },
    },
    _Inputs,
    (
        _race("short_batch_1", composition=True, goals=(_FASTER,)),
        _race("short_batch_32", composition=True, goals=(_FASTER, _SHARED)),
        _race("long_batch_1", composition=True, goals=(_FASTER,)),
        _race("long_batch_32", composition=False, goals=(_FASTER, _SHARED)),
    ),
)
