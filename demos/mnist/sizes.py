"""Train LeNet-5 on parts of the training digits: Fig. 6, and Fig. 5 pass by pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from demos.checkpoint import write_whole
from demos.figures import load_figures, machine
from demos.mnist.choices import RESULTS, SIZES
from demos.mnist.evaluate import load_digits
from demos.mnist.recipes import RECIPES, Recipe
from demos.mnist.train import Digits, train_network
from demos.run_state import training_into

__all__ = ["SIZES_FILE", "train_sizes"]

SIZES_FILE = "training-sizes.json"


def train_sizes(
    sizes: Sequence[int] = SIZES,
    seed: int = 0,
    data: Path | None = None,
    out: Path = Path("runs/mnist/sizes"),
    folder: Path = RESULTS,
    *,
    recipe: Recipe | None = None,
    progress: bool = True,
) -> Path:
    """Train on the first digits, for each of ``sizes``; test after each pass; return the JSON file.

    The default recipe is that of the row lenet-5; the number of passes is the same for all sizes.
    The test digits are only measured on: they choose and stop nothing. Runs finished in ``folder``
    are not repeated, and those interrupted in ``out`` resume.

    Raises:
        ValueError: a size is below 1 or above the number of training digits.
        CheckpointError: another process runs in ``out``.
    """
    recipe = recipe or RECIPES["lenet-5"]
    digits = load_digits(recipe.model, "train", data)
    test = load_digits(recipe.model, "test", data)
    for count in sizes:  # before hours are spent on the others
        if not 1 <= count <= len(digits.labels):
            raise ValueError(f"size {count}: there are {len(digits.labels)} training digits")
    configuration = json.loads(json.dumps(asdict(recipe)))
    path = Path(folder) / SIZES_FILE
    with training_into(out, make=True):
        runs: list[dict[str, Any]] = load_figures(path)["runs"] if path.exists() else []
        for count in sizes:
            key = {"digits": count, "seed": seed, "configuration": configuration}
            if any(key.items() <= run.items() for run in runs):
                continue
            part = Digits(digits.inputs[:count], digits.labels[:count])
            trained = train_network(
                recipe, seed, part, out / f"{count}-seed{seed}", validation=test, progress=progress
            )
            passes = [
                {
                    "pass": line["pass"],
                    "wrong": line["wrong"],
                    "test_wrong": line["validation_wrong"],
                }
                for line in trained.passes
            ]
            run = key | {
                "error": passes[-1]["test_wrong"],
                "seconds": trained.seconds,
                "command": f"python -m demos.mnist train-sizes --sizes {count} --seed {seed}",
                "machine": machine(),
                "passes": passes,
            }
            runs = [*(r for r in runs if (r["digits"], r["seed"]) != (count, seed)), run]
            runs.sort(key=lambda r: (r["digits"], r["seed"]))
            lines = ",\n".join("  " + json.dumps(r) for r in runs)
            write_whole(path, f'{{"runs": [\n{lines}\n]}}\n')
    return path
