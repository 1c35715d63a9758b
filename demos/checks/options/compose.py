"""Options of the programs that compose training fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import PARTS
from demos.command_line import Mnist, Seed, folder_to_write, require_known

__all__ = ["ComposeDecimals", "ComposeFields", "ComposeInk", "ComposeMnist"]


@dataclass(frozen=True)
class ComposeFields:
    """Compose amount fields from the small handwritten digits of scikit-learn."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv."),
    ]
    part: Annotated[str, typer.Option(help=f"Part of the digits to use: {' or '.join(PARTS)}.")] = (
        "test"
    )
    count: Annotated[int, typer.Option(min=1, help="Number of fields.")] = 12
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse an unknown part."""
        require_known(self.part, PARTS, "--part")


@dataclass(frozen=True)
class ComposeMnist:
    """Compose amount fields from the training digits of MNIST."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv."),
    ]
    count: Annotated[int, typer.Option(min=1, help="Number of fields.")] = 3000
    digits: Mnist = None
    seed: Seed = 0
    cropped: Annotated[
        bool,
        typer.Option(
            help="Crop fields as those cut from checks are: hardly higher than the digits."
        ),
    ] = False


@dataclass(frozen=True)
class ComposeInk:
    """Compose amount fields from the pen-written digits of UNIPEN."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv."),
    ]
    count: Annotated[int, typer.Option(min=1, help="Number of fields.")] = 6000
    data: Annotated[
        Path | None, typer.Option(help="UNIPEN data; default: unipen in $GTN_DATA.")
    ] = None
    seed: Seed = 0


@dataclass(frozen=True)
class ComposeDecimals:
    """Compose fields with decimal numbers from MNIST digits and drawn signs."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv."),
    ]
    count: Annotated[int, typer.Option(min=1, help="Number of fields.")] = 1000
    part: Annotated[str, typer.Option(help="Part of MNIST to take digits from: train or test.")] = (
        "train"
    )
    digits: Mnist = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse an unknown part."""
        require_known(self.part, PARTS, "--part")
