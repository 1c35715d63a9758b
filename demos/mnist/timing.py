"""Time training against a plain torch LeNet, on the same machine and in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from demos.mnist.recipes import RECIPES, Recipe
from demos.mnist.train import penalties_of
from recognizers.lenet import LeNet5
from recognizers.sdlm import SDLM

__all__ = ["measure_time", "plain_lenet"]

DIGITS = 60_000
ROUND = 25
"""Batches that a network takes before the next one's turn."""


def plain_lenet() -> nn.Module:
    """Build LeNet-5 as in tutorials: Conv2d, Tanh, AvgPool2d, all maps connected, ten sums."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(),
        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def measure_time(steps: int = 300) -> dict[str, float]:
    """Return seconds of a pass over 60,000 digits, by name, from medians over ``steps`` batches.

    The plain network (cross-entropy, plain gradient steps) and LeNet-5 as trained for the row
    "lenet-5" take turns, so that other work on the machine slows both alike. Each pass includes
    one of the 20 estimates of the curvature. The digits are noise, since content does not matter.
    """
    torch.manual_seed(0)
    recipe = RECIPES["lenet-5"]
    batch = recipe.batch
    x, t = torch.randn(ROUND * batch, 1, 32, 32), torch.randint(0, 10, (ROUND * batch,))
    plain = plain_lenet()
    descent = torch.optim.SGD(plain.parameters(), lr=1e-3)
    plain_step = _stepper(plain, functional.cross_entropy, descent)
    ours, ours_step, estimate = _paper_training(recipe, x, t)
    seconds: dict[str, list[float]] = {"plain": [], "ours": [], "pattern": [], "curvature": []}
    for turn in range(-1, max(1, steps // ROUND)):
        sides = (
            ("plain", plain_step, batch),
            ("ours", ours_step, batch),
            ("pattern", ours_step, 1),
        )
        for name, step, size in sides:
            pairs = list(zip(x.split(size), t.split(size), strict=True))[:ROUND]
            each = [_seconds(lambda one=one, step=step: step(*one)) for one in pairs]
            seconds[name] += each if turn >= 0 else []  # the first turn warms up
        if turn % 4 == 0:
            seconds["curvature"].append(_seconds(estimate))
    curvature = statistics.median(seconds["curvature"])
    plain_pass = statistics.median(seconds["plain"]) * DIGITS / batch
    ours_pass = statistics.median(seconds["ours"]) * DIGITS / batch + curvature
    inputs = torch.randn(10 * steps, 1, 32, 32)
    reading = min(_seconds(lambda: penalties_of(ours, inputs)) for _ in range(3))
    return {
        "plain_pass_seconds": plain_pass,
        "lenet5_pass_seconds": ours_pass,
        "ratio": ours_pass / plain_pass,
        "lenet5_pass_by_pattern_seconds": statistics.median(seconds["pattern"]) * DIGITS
        + curvature,
        "curvature_seconds": curvature,
        "digits_read_per_second": len(inputs) / reading,
    }


def _stepper(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
) -> Callable[[Tensor, Tensor], None]:
    def step(x: Tensor, t: Tensor) -> None:
        optimizer.zero_grad()
        loss(network(x), t).backward()
        optimizer.step()

    return step


def _paper_training(
    recipe: Recipe, x: Tensor, t: Tensor
) -> tuple[nn.Module, Callable[[Tensor, Tensor], None], Callable[[], None]]:
    network = LeNet5(
        initialization=recipe.initialization, generator=torch.Generator().manual_seed(0)
    )
    optimizer = SDLM(network.parameters(), lr=recipe.rates[-1], mu=recipe.mu)
    loss = recipe.loss_function()
    curved = recipe.loss_function(recipe.curvature_loss)
    samples = torch.randn(recipe.samples, 1, 32, 32), torch.randint(0, 10, (recipe.samples,))
    optimizer.estimate(network, *samples, curved)
    step = _stepper(
        network, lambda penalties, labels: loss(penalties, labels) * len(labels), optimizer
    )
    return network, step, lambda: optimizer.estimate(network, *samples, curved)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
