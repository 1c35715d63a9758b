"""The options that several commands of the check reader have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.reading.networks import RECOGNIZERS
from demos.checks.reading.reader import SHIPPED_READERS
from demos.checks.training.train import LOSSES
from demos.command_line import figures_to_write

__all__ = [
    "CORES",
    "Checkpoint",
    "Data",
    "Further",
    "Holdout",
    "Keep",
    "Loss",
    "Passes",
    "Recognizer",
    "ShippedReader",
    "Views",
    "Whole",
    "Workers",
]

CORES = os.cpu_count() or 1

Data = Annotated[
    Path | None, typer.Option(help="Folder with labels.csv; default: car or checks in $GTN_DATA.")
]
Holdout = Annotated[
    int,
    typer.Option(
        min=0,
        help="The last N file names, beside rows of the split test: training leaves them out, "
        "evaluate measures on them.",
    ),
]
Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]
ShippedReader = Annotated[
    str | None,
    typer.Option(
        "--recognizer", help=f"Of the shipped readers: {', '.join(SHIPPED_READERS)} (the first)."
    ),
]
Views = Annotated[
    int | None,
    typer.Option(
        min=1, max=1000, help="In how many versions a field is read; default: the reader's."
    ),
]
Further = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of further fields, of which some are drawn in each pass."),
]
Passes = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the fields; default: what suits the recognizer."),
]
Recognizer = Annotated[str, typer.Option(help=f"One of {', '.join(RECOGNIZERS)}.")]
Loss = Annotated[str, typer.Option(help=f"One of {', '.join(LOSSES)}.")]
Keep = Annotated[
    Path | None, typer.Option(callback=figures_to_write, help="File for the result, for compare.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that prepare and read.")]
Whole = Annotated[bool, typer.Option("--whole", help="Whole checks, not fields.")]
