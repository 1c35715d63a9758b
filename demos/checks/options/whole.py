"""Options of the commands for whole checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import PARTS_OF_CHECKS, RESULTS, SWEEPING
from demos.checks.whole.settings import WholeSettings
from demos.command_line import (
    Mnist,
    Seed,
    TablePage,
    folder_to_write,
    refuse_given,
    require_file,
    require_known,
)

__all__ = ["ComposeChecks", "TrainFields", "WholeTable"]


@dataclass(frozen=True)
class ComposeChecks:
    """Compose whole checks; the layouts of the part test are in no other part."""

    out: Annotated[
        Path,
        typer.Argument(
            callback=folder_to_write, help="Folder for the images, labels.csv and the truth."
        ),
    ]
    part: Annotated[str, typer.Option(help=f"One of {', '.join(PARTS_OF_CHECKS)}.")] = "train"
    count: Annotated[int, typer.Option(min=1, help="How many checks.")] = 450
    seed: Seed = 0
    digits: Mnist = None

    def __post_init__(self) -> None:
        """Refuse an unknown part."""
        require_known(self.part, PARTS_OF_CHECKS, "--part")


@dataclass(frozen=True)
class TrainFields:
    """Train a reader of whole checks; goes on where it was interrupted."""

    context: typer.Context
    data: Annotated[Path, typer.Option(help="Folder of composed checks.")]
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, its log and its state."
        ),
    ]
    start: Annotated[
        Path | None,
        typer.Option(help="A reader whose network is begun with."),
    ] = None
    recognizer: Annotated[str, typer.Option(help="What reads the fields.")] = "sdnn"
    grammar: Annotated[str, typer.Option(help="Grammar of the amounts.")] = "amounts"
    count: Annotated[
        int | None, typer.Option(min=1, help="Take the first so many checks only.")
    ] = None
    composed: Annotated[
        int, typer.Option(min=0, help="Composed lines beside those of the checks.")
    ] = WholeSettings.composed
    drawn: Annotated[int, typer.Option(min=0, help="How many of them are drawn in each pass.")] = (
        WholeSettings.drawn
    )
    line_passes: Annotated[int, typer.Option(min=0, help="Passes of the network over lines.")] = (
        WholeSettings.line_passes
    )
    global_passes: Annotated[
        int, typer.Option(min=0, help="Passes of the small parameters over whole checks.")
    ] = WholeSettings.global_passes
    digits: Mnist = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse what trains a network on lines for one that reads none."""
        if self.recognizer not in SWEEPING:
            why = f"{self.recognizer} reads segments, and is taken as it is"
            refuse_given(self.context, ["composed", "drawn", "line_passes"], why)
        require_file(self.start)


@dataclass(frozen=True)
class WholeTable:
    """Table what evaluate --whole kept."""

    result: Annotated[Path, typer.Argument(help="What evaluate --whole kept.")] = (
        RESULTS / "whole.json"
    )
    page: TablePage = None
