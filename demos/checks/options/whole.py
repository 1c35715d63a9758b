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
    """Compose whole checks; the test part has layouts of its own."""

    out: Annotated[
        Path,
        typer.Argument(
            callback=folder_to_write, help="Folder for the images, labels.csv and the ground truth."
        ),
    ]
    part: Annotated[str, typer.Option(help=f"Part to compose: {' or '.join(PARTS_OF_CHECKS)}.")] = (
        "train"
    )
    count: Annotated[int, typer.Option(min=1, help="Number of checks.")] = 450
    seed: Seed = 0
    digits: Mnist = None

    def __post_init__(self) -> None:
        """Refuse an unknown part."""
        require_known(self.part, PARTS_OF_CHECKS, "--part")


@dataclass(frozen=True)
class TrainFields:
    """Train a reader of whole checks; resumes where it was interrupted."""

    context: typer.Context
    data: Annotated[Path, typer.Option(help="Folder of composed checks.")]
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, the log and the state."
        ),
    ]
    start: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of a reader whose network to start from."),
    ] = None
    recognizer: Annotated[str, typer.Option(help="Recognizer of the fields.")] = "sdnn"
    grammar: Annotated[str, typer.Option(help="Grammar of the amounts.")] = "amounts"
    count: Annotated[
        int | None, typer.Option(min=1, help="Use only the first N checks; default: all.")
    ] = None
    composed: Annotated[
        int, typer.Option(min=0, help="Number of composed lines to add to those of the checks.")
    ] = WholeSettings.composed
    drawn: Annotated[
        int, typer.Option(min=0, help="Number of composed lines drawn in each pass.")
    ] = WholeSettings.drawn
    line_passes: Annotated[
        int, typer.Option(min=0, help="Passes over lines, training the network.")
    ] = WholeSettings.line_passes
    global_passes: Annotated[
        int,
        typer.Option(min=0, help="Passes over whole checks, training the few other parameters."),
    ] = WholeSettings.global_passes
    digits: Mnist = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Refuse options of training on lines for a recognizer of segments."""
        if self.recognizer not in SWEEPING:
            why = f"{self.recognizer} reads segments, and is used as it is"
            refuse_given(self.context, ["composed", "drawn", "line_passes"], why)
        require_file(self.start)


@dataclass(frozen=True)
class WholeTable:
    """Table the result of evaluate --whole."""

    result: Annotated[Path, typer.Argument(help="File saved by evaluate --whole --keep.")] = (
        RESULTS / "whole.json"
    )
    page: TablePage = None
