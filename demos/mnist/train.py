"""Train the networks on MNIST: on all 60,000 digits, or on 55,000, validated on 5,000."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from demos.checkpoint import write_whole
from demos.mnist.models import KIND, MODELS
from demos.mnist.recipes import Recipe
from demos.run_state import (
    RunState,
    averaged,
    in_order,
    moments_of,
    numbered,
    restore_moments,
)
from recognizers.datasets.mnist import BACKGROUND
from recognizers.distortion import Distortion
from recognizers.sdlm import SDLM

__all__ = ["VALIDATION", "Digits", "Trained", "distorted", "penalties_of", "split", "train_network"]

VALIDATION = 5000
"""Number of training digits, the last ones, on which choices are made."""

AT_ONCE = 2400
"""Number of digits drawn and distorted at once."""


class Digits(NamedTuple):
    """Inputs of a network, float32 [N, 1, H, W], and their labels, int64 [N]."""

    inputs: Tensor
    labels: Tensor


class Trained(NamedTuple):
    """A trained network, its log (one dict for each pass) and the seconds it took."""

    network: nn.Module
    passes: list[dict[str, Any]]
    seconds: float


def split(digits: Digits) -> tuple[Digits, Digits]:
    """Split digits into those to train on and the last ``VALIDATION``."""
    cut = max(1, len(digits.labels) - VALIDATION)
    return (
        Digits(digits.inputs[:cut], digits.labels[:cut]),
        Digits(digits.inputs[cut:], digits.labels[cut:]),
    )


@torch.no_grad()
def penalties_of(network: nn.Module, inputs: Tensor, batch: int = 250) -> Tensor:
    """Return penalties [N, classes] of inputs [N, 1, H, W]."""
    return torch.cat([network(part) for part in inputs.split(batch)])


def distorted(
    inputs: Tensor, distort: Distortion, originals: float, generator: torch.Generator
) -> Tensor:
    """Distort the inputs, except for a random share ``originals``, which stays as it is."""
    kept = torch.rand(len(inputs), generator=generator) < originals
    moved = distort(inputs, generator, BACKGROUND)
    moved[kept] = inputs[kept]
    return moved


def train_network(
    recipe: Recipe,
    seed: int,
    training: Digits,
    out: Path,
    *,
    validation: Digits | None = None,
    data: str = "",
    progress: bool = True,
) -> Trained:
    """Train a network; resume an interrupted run from ``out/state.safetensors``.

    ``out`` also holds ``log.jsonl``, with a line for each pass: mean loss and share wrong during
    the pass, and the share of ``validation`` wrong after it. The seed determines the result,
    whether or not the run was interrupted. ``data``, such as a hash, tells the digits from as many
    others.

    Raises:
        CheckpointError: ``out`` holds a run of another recipe or seed, or of other digits.
    """
    run = {"recipe": asdict(recipe), "seed": seed, "digits": len(training.labels)}
    run |= {"data": data} if data else {}
    loop = _Loop(recipe, seed, training, out, run)
    loop.resume()
    write_whole(out / "recipe.json", json.dumps(run, indent=2) + "\n")
    for number in range(len(loop.passes), recipe.passes):
        loop.one_pass(number, validation, progress)
    return Trained(loop.final(), loop.passes, loop.seconds)


class _Loop:
    """Passes over the digits; the state file holds all that the next pass depends on."""

    def __init__(
        self, recipe: Recipe, seed: int, training: Digits, out: Path, run: dict[str, Any]
    ) -> None:
        self.recipe, self.seed, self.training = recipe, seed, training
        others = "another recipe or seed, or of other digits"
        self.state = RunState(out, {"run": run}, others, KIND)
        self.network = MODELS[recipe.model].build(
            output=recipe.output,
            initialization=recipe.initialization,
            generator=torch.Generator().manual_seed(seed),
        )
        self.loss = recipe.loss_function()
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer: torch.optim.Optimizer
        if recipe.optimizer == "sdlm":
            self.optimizer = SDLM(
                self.parameters, lr=recipe.rates[0], mu=recipe.mu, curvature=recipe.curvature
            )
        else:
            self.optimizer = torch.optim.AdamW(
                self.parameters, lr=recipe.rates[0], weight_decay=recipe.decay, foreach=True
            )
        self.distort = None if recipe.distortion is None else Distortion(**recipe.distortion)
        self.average = [p.detach().clone() for p in self.parameters]
        self.passes: list[dict[str, Any]] = []
        self.seconds = 0.0

    def one_pass(self, number: int, validation: Digits | None, progress: bool) -> None:
        """Go through the training digits once, log it, and write the state."""
        started = time.perf_counter()
        recipe, (inputs, labels) = self.recipe, self.training
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + number)
        line: dict[str, Any] = {"pass": number + 1, "rate": recipe.rate(number)}
        self._set_rate(recipe.rate(number))
        if isinstance(self.optimizer, SDLM):
            line |= self._estimate(generator)
        order = torch.randperm(len(labels), generator=generator)
        chunk = max(1, AT_ONCE // recipe.batch) * recipe.batch
        total, wrong, seen = 0.0, 0, 0
        bar = tqdm(
            total=len(labels),
            desc=f"pass {number + 1}/{recipe.passes}",
            unit="digit",
            disable=not progress,
            leave=False,
        )
        for chosen in order.split(chunk):
            given, wanted = inputs.index_select(0, chosen), labels.index_select(0, chosen)
            if self.distort is not None:
                given = distorted(given, self.distort, recipe.originals, generator)
            for x, t in zip(given.split(recipe.batch), wanted.split(recipe.batch), strict=True):
                self._set_rate(recipe.rate(number + seen / len(labels)))
                penalties = self.network(x)
                loss = self.loss(penalties, t)
                if recipe.optimizer == "sdlm":  # the paper takes one step for each pattern
                    loss = loss * len(t)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                if recipe.averaging:
                    # At first the mean is over a few steps, so that it forgets the initial values.
                    steps = (number * len(labels) + seen) / recipe.batch + 1.0
                    share = max(recipe.averaging, 1.0 / (1.0 + 0.1 * steps))
                    torch._foreach_lerp_(self.average, self.parameters, share)
                total += loss.item() * (1 if recipe.optimizer == "sdlm" else len(t))
                wrong += int((penalties.detach().argmin(1) != t).sum())
                seen += len(t)
            bar.update(len(chosen))
            bar.set_postfix(loss=f"{total / seen:.3f}", wrong=f"{wrong / seen:.2%}")
        bar.close()
        line |= {"loss": total / seen, "wrong": wrong / seen}
        self.seconds += time.perf_counter() - started
        if validation is not None:
            answers = penalties_of(self.final(), validation.inputs).argmin(1)
            line["validation_wrong"] = float((answers != validation.labels).double().mean())
        line["seconds"] = time.perf_counter() - started
        self.passes.append(line)
        self._save()
        if progress:
            tqdm.write(json.dumps(line))

    def final(self) -> nn.Module:
        """Return the network to keep, with the running mean of the parameters if there is one."""
        if not self.recipe.averaging:
            return self.network
        like = MODELS[self.recipe.model].build(**self.network.settings)
        return averaged(self.network, like, self.average)

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def _estimate(self, generator: torch.Generator) -> dict[str, Any]:
        chosen = torch.randperm(len(self.training.labels), generator=generator)
        chosen = chosen[: self.recipe.samples]
        self.optimizer.estimate(
            self.network,
            self.training.inputs[chosen],
            self.training.labels[chosen],
            self.recipe.loss_function(self.recipe.curvature_loss),
            generator,
            self.network.features if self.recipe.curvature_loss == "bound" else None,
        )
        rates = torch.cat([r.flatten() for r in self.optimizer.rates()])
        return {"least_rate": float(rates.min()), "greatest_rate": float(rates.max())}

    def _save(self) -> None:
        self.state.write_log(self.passes)
        parts = {"network": self.network.state_dict(), "average": numbered(self.average)}
        if not isinstance(self.optimizer, SDLM):  # SDLM estimates its own before every pass
            parts["optimizer"] = moments_of(self.optimizer)
        self.state.save(parts, passes=self.passes, seconds=self.seconds)

    def resume(self) -> None:
        """Resume from the state file, if there is one."""
        found = self.state.load()
        if found is None:
            return
        parts, about = found
        self.network.load_state_dict(parts["network"])
        restore_moments(self.optimizer, parts.get("optimizer", {}))
        self.average = in_order(parts["average"])
        self.passes, self.seconds = about["passes"], about["seconds"]
