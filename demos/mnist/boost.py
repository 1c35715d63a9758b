"""Train boosted networks: the second and third on patterns filtered from distorted digits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from demos.checkpoint import load_checkpoint, save_checkpoint
from demos.mnist.models import KIND, boosted, rounded
from demos.mnist.recipes import Recipe
from demos.mnist.train import AT_ONCE, Digits, Trained, distorted, penalties_of, train_network
from demos.run_state import training_into
from recognizers.boosting import disagreements, half_wrong, threshold_for_cost
from recognizers.distortion import Distortion

__all__ = ["train_boosted"]


def train_boosted(
    recipe: Recipe,
    seed: int,
    training: Digits,
    out: Path,
    *,
    validation: Digits | None = None,
    progress: bool = True,
) -> Trained:
    """Train three networks after Drucker et al.; resume where interrupted.

    The first follows the recipe. The second is trained on ``recipe.boosted`` patterns, half of
    which the first gets wrong; the third on as many patterns on which the two disagree. These are
    filtered from stronger distortions of the training digits, kept in ``out``, and seen
    ``recipe.boosted_passes`` times without further distortion. Above a threshold the first network
    answers alone; it is set so that an undistorted training digit costs ``recipe.cost`` networks.

    Raises:
        CheckpointError: as :func:`train_network`; ``out`` is locked also between the networks.
    """
    later = replace(recipe, distortion=None, passes=recipe.boosted_passes)
    steps: dict[str, Trained] = {}
    seconds = 0.0

    def train(name: str, how: Recipe, digits: Digits, number: int) -> nn.Module:
        steps[name] = train_network(
            how,
            3 * seed + number,
            digits,
            out / name,
            validation=validation,
            progress=progress,
        )
        return steps[name].network.eval()

    with training_into(out, make=True):
        first = train("first", recipe, training, 0)
        found, took = _found(
            out / "second.patterns.safetensors",
            lambda: half_wrong(
                first, _stream(recipe, training, 7 * seed + 1, progress), recipe.boosted
            ),
        )
        seconds += took
        second = train("second", later, found, 1)
        found, took = _found(
            out / "third.patterns.safetensors",
            lambda: disagreements(
                first, second, _stream(recipe, training, 7 * seed + 2, progress), recipe.boosted
            ),
        )
        seconds += took
        third = train("third", later, found, 2)
        threshold = threshold_for_cost(penalties_of(first, training.inputs), recipe.cost)
        network = rounded(boosted(threshold, recipe.output, first, second, third))
        passes = [
            {"network": name} | line for name, trained in steps.items() for line in trained.passes
        ]
        if validation is not None:
            answers = penalties_of(network, validation.inputs).argmin(1)
            wrong = float((answers != validation.labels).double().mean())
            passes.append(
                {
                    "network": "all",
                    "cost": network.cost(validation.inputs),
                    "validation_wrong": wrong,
                }
            )
            if progress:
                tqdm.write(json.dumps(passes[-1]))
    return Trained(network, passes, seconds + sum(t.seconds for t in steps.values()))


def _stream(
    recipe: Recipe, digits: Digits, seed: int, progress: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield distorted training digits, drawn at random without end."""
    generator = torch.Generator().manual_seed(1_000_003 * seed + 500_009)
    distort = Distortion(**recipe.stream or {})
    bar = tqdm(desc="filtering", unit="digit", disable=not progress, leave=False)
    while True:
        chosen = torch.randint(len(digits.labels), (AT_ONCE,), generator=generator)
        moved = distorted(digits.inputs[chosen], distort, recipe.originals, generator)
        bar.update(AT_ONCE)
        # Smaller batches fit the processor's cache.
        yield from zip(moved.split(240), digits.labels[chosen].split(240), strict=True)


def _found(path: Path, find: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Digits, float]:
    """Return the patterns of a file, found and written first if it is missing; and the seconds."""
    about: dict[str, Any]
    if path.exists():
        tensors, about = load_checkpoint(path, kind=KIND)
        return Digits(tensors["inputs"], tensors["labels"]), about["seconds"]
    started = time.perf_counter()
    digits = Digits(*find())
    about = {"seconds": time.perf_counter() - started}
    save_checkpoint(path, digits._asdict(), about, kind=KIND)
    return digits, about["seconds"]
