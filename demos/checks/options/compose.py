"""Options of the programs that write fields to train on."""

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
    """Compose amount fields of the small handwritten digits that scikit-learn carries."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ]
    part: Annotated[str, typer.Option(help=f"One of {', '.join(PARTS)}.")] = "test"
    count: Annotated[int, typer.Option(min=1, help="How many fields.")] = 12
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse an unknown part."""
        require_known(self.part, PARTS, "--part")


@dataclass(frozen=True)
class ComposeMnist:
    """Compose amount fields of the training digits of MNIST."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ]
    count: Annotated[int, typer.Option(min=1, help="How many fields.")] = 3000
    digits: Mnist = None
    seed: Seed = 0
    cropped: Annotated[
        bool, typer.Option(help="Fields as they are cut out of checks, hardly higher than digits.")
    ] = False


@dataclass(frozen=True)
class ComposeInk:
    """Compose amount fields of the pen-written digits of UNIPEN."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ]
    count: Annotated[int, typer.Option(min=1, help="How many fields.")] = 6000
    data: Annotated[
        Path | None, typer.Option(help="Folder of UNIPEN; default: unipen in $GTN_DATA.")
    ] = None
    seed: Seed = 0


@dataclass(frozen=True)
class ComposeDecimals:
    """Compose fields with decimal numbers of the digits of MNIST and drawn signs."""

    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ]
    count: Annotated[int, typer.Option(min=1, help="How many fields.")] = 1000
    part: Annotated[str, typer.Option(help="Whose digits: train or test, of MNIST.")] = "train"
    digits: Mnist = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse an unknown part."""
        require_known(self.part, PARTS, "--part")
