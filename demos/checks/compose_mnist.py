"""``python -m demos.checks.compose_mnist OUT``: amount fields composed of MNIST's digits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from demos.command_line import Mnist, Seed, folder_to_write, run_command
from demos.image_folders import save_labelled
from recognizers.datasets.cropped_amounts import CroppedFields
from recognizers.datasets.fields import find_data
from recognizers.datasets.mnist import load_mnist
from recognizers.datasets.written_amounts import MnistFields

__all__ = ["command"]


def command(
    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ],
    count: Annotated[int, typer.Option(min=1, help="How many fields.")] = 3000,
    digits: Mnist = None,
    seed: Seed = 0,
    cropped: Annotated[
        bool, typer.Option(help="Fields as they are cut out of checks, hardly higher than digits.")
    ] = False,
) -> None:
    """Compose amount fields of the training digits of MNIST."""
    images, labels = load_mnist(find_data(digits, "mnist", option="--digits"), "train")
    kind = CroppedFields if cropped else MnistFields
    composer = kind(np.asarray(images), np.asarray(labels))
    fields = (composer.compose(np.random.default_rng([seed, i])) for i in range(count))
    save_labelled(out, ((one.image, one.text) for one in fields), "mnist", count)
    typer.echo(f"{count} fields and labels.csv in {out}")


if __name__ == "__main__":
    run_command(command)
