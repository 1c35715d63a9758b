"""Produce a row of the table: train, measure, write the result, ship the weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from demos.checkpoint import WEIGHTS, write_whole
from demos.mnist.boost import train_boosted
from demos.mnist.choices import RESULTS
from demos.mnist.evaluate import evaluate, load_digits
from demos.mnist.models import save_model
from demos.mnist.recipes import RECIPES, with_settings
from demos.mnist.results import (
    Result,
    ResultError,
    add_choice,
    read_results,
    result_path,
    write_result,
)
from demos.mnist.train import Trained, split, train_network

__all__ = ["card", "finish", "ship", "train_row", "validate_recipe"]


def validate_recipe(
    row: str,
    settings: Sequence[str],
    seed: int,
    data: Path | None,
    out: Path,
    folder: Path = RESULTS,
    *,
    progress: bool = True,
) -> float:
    """Train on 55,000 digits and return the share of wrong answers on the other 5,000.

    ``settings``, each KEY=JSON, replace those of the row. A line that records the trial is added
    to ``choices.jsonl`` in ``folder``.
    """
    recipe = with_settings(RECIPES[row], settings)
    training, validation = split(load_digits(recipe.model, "train", data))
    train = train_boosted if recipe.boosted else train_network
    trained = train(recipe, seed, training, out, validation=validation, progress=progress)
    wrong = trained.passes[-1]["validation_wrong"]
    tried = {text.partition("=")[0] for text in settings} | {"optimizer", "passes"}
    given = {key: value for key, value in asdict(recipe).items() if key in tried}
    add_choice(folder, row, seed, given, len(training.labels), wrong)
    return wrong


def train_row(
    row: str, seed: int, data: Path | None, out: Path, *, progress: bool = True
) -> Trained:
    """Train a row on all training digits."""
    recipe = RECIPES[row]
    digits = load_digits(recipe.model, "train", data)
    train = train_boosted if recipe.boosted else train_network
    return train(recipe, seed, digits, out, progress=progress)


def finish(
    row: str, seed: int, trained: Trained, data: Path | None, folder: Path = RESULTS
) -> Result:
    """Measure a trained row on the test digits; write weights and result; return the result."""
    recipe = RECIPES[row]
    model = "boosted-lenet-4" if recipe.boosted else recipe.model
    figures = evaluate(model, trained.network, load_digits(model, "test", data))
    result = Result(
        row=row,
        model=model,
        seed=seed,
        configuration=asdict(recipe),
        command=f"python -m demos.mnist train --row {row} --seed {seed}",
        passes=trained.passes,
        **figures | {"seconds": {"training": trained.seconds, "test": figures["seconds"]}},
    )
    weights = result_path(row, seed, folder).with_suffix(".safetensors")
    about = {"row": row, "seed": seed, "command": result.command}
    save_model(weights, model, trained.network, about)
    write_result(result, folder)
    return result


def ship(row: str, folder: Path = RESULTS, weights: Path = WEIGHTS) -> list[Path]:
    """Copy the weights of seed 0 of a row to ``weights`` and write the card; return both files.

    It ships seed 0, not the best seed, so that the test digits choose nothing.

    Raises:
        ResultError: seed 0 of the row has no result or no weights.
    """
    path = result_path(row, 0, folder)
    source = path.with_suffix(".safetensors")
    for wanted in (path, source):
        if not wanted.is_file():
            raise ResultError(f"{wanted}: no such file; train the row with seed 0 first")
    target = weights / f"{row}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    write_whole(target.with_suffix(".md"), card(read_results(folder, row)))
    return [target, target.with_suffix(".md")]


PROMPTED = {
    "lenet-1": "a first test figure (2.40%, by SDLM at the published rates)",
    "lenet-4": "first test figures (1.21% with place codes, 1.26% by SDLM at the published rates)",
    "lenet-5-best": "a first test figure (0.57%, with narrower distortions)",
    "svm-4": "a first test figure (1.33%, with a kernel that was not homogeneous)",
    "rs-svm-5": "a first test figure (1.34%, with a kernel that was not homogeneous)",
}
"""What a card must add if a test figure was seen before a choice."""


def card(results: list[Result]) -> str:
    """Return the card of the weights of a row, from the results of its seeds, seed 0 first."""
    first = results[0]
    errors = ", ".join(f"{r.error:.2%}" for r in results)
    seeds = ", ".join(str(r.seed) for r in results)
    reject = first.reject_for_half_percent
    lines = [
        f"# {first.row}.safetensors",
        "",
        f"The network {first.model} of the row {first.row} of `docs/mnist.md`: "
        f"{first.parameters:,} trained parameters, "
        f"{'float16' if first.model.startswith('boosted') else 'float32'}.",
        "",
        f"* Command: `{first.command}`, one torch thread, on {first.machine}; "
        f"{first.seconds['training'] / 60:.1f} minutes, torch {first.torch}.",
        f"* Seed {first.seed}. Settings and a line for each pass: "
        f"`results/mnist/{first.row}-seed{first.seed}.json`.",
        "* Data: the 60,000 training digits of MNIST; settings were chosen on the last 5,000 of "
        "them with a network trained on the others, not on the test digits"
        + (
            f"; but the search for other settings was prompted by {PROMPTED[first.row]}."
            if first.row in PROMPTED
            else "."
        ),
        f"* On the {first.n:,} test digits: {first.error:.2%} wrong; rejecting "
        f"{reject:.2%} leaves 0.5% wrong."
        if reject is not None
        else f"* On the {first.n:,} test digits: {first.error:.2%} wrong.",
        f"* Seeds {seeds}: {errors} wrong.",
    ]
    return "\n".join(lines) + "\n"
