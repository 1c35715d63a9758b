"""Programs that write training fields: ``python -m demos.checks.compose_...``."""

from __future__ import annotations

import numpy as np
import typer

from demos.checks.composing.decimals import compose_decimal
from demos.checks.composing.fields import write_fields
from demos.checks.composing.ink import digit_images
from demos.checks.options.compose import ComposeDecimals, ComposeFields, ComposeInk, ComposeMnist
from demos.image_folders import save_labelled
from recognizers.datasets.cropped_amounts import CroppedFields
from recognizers.datasets.fields import find_data
from recognizers.datasets.mnist import load_mnist
from recognizers.datasets.written_amounts import MnistFields

__all__ = ["compose_decimals", "compose_fields", "compose_ink", "compose_mnist"]


def compose_fields(given: ComposeFields) -> None:
    """Write fields composed of scikit-learn's small digits."""
    write_fields(given.out, given.part, given.count, given.seed)
    typer.echo(f"{given.count} fields and labels.csv in {given.out}")


def compose_mnist(given: ComposeMnist) -> None:
    """Write fields composed of MNIST's training digits."""
    images, labels = load_mnist(find_data(given.digits, "mnist", option="--digits"), "train")
    kind = CroppedFields if given.cropped else MnistFields
    composer = kind(np.asarray(images), np.asarray(labels))
    fields = (composer.compose(np.random.default_rng([given.seed, i])) for i in range(given.count))
    save_labelled(given.out, ((one.image, one.text) for one in fields), "mnist", given.count)
    typer.echo(f"{given.count} fields and labels.csv in {given.out}")


def compose_ink(given: ComposeInk) -> None:
    """Write fields composed of UNIPEN digits, each field by one writer."""
    images, labels = digit_images(find_data(given.data, "unipen"), given.seed)
    composer = CroppedFields(images, labels)
    fields = (composer.compose(np.random.default_rng([given.seed, i])) for i in range(given.count))
    save_labelled(given.out, ((one.image, one.text) for one in fields), "ink", given.count)
    typer.echo(f"{given.count} fields and labels.csv in {given.out}")


def compose_decimals(given: ComposeDecimals) -> None:
    """Write fields of decimal numbers."""
    images, labels = load_mnist(find_data(given.digits, "mnist", option="--digits"), given.part)
    composer = MnistFields(np.asarray(images), np.asarray(labels))
    fields = (
        compose_decimal(composer, np.random.default_rng([given.seed, i]))
        for i in range(given.count)
    )
    save_labelled(given.out, ((one.image, one.text) for one in fields), given.part, given.count)
    typer.echo(f"{given.count} fields and labels.csv in {given.out}")
