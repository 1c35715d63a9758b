"""The options that several commands have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import GRAMMARS, LOSSES, RECOGNIZERS, SHIPPED_READERS
from demos.command_line import figures_to_write, require_file, require_known

__all__ = [
    "CORES",
    "Checkpoint",
    "Data",
    "Further",
    "Grammar",
    "Holdout",
    "Keep",
    "Loss",
    "Passes",
    "Recognizer",
    "ShippedReader",
    "Views",
    "Whole",
    "Workers",
    "require_reader",
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
Grammar = Annotated[str, typer.Option(help=f"One of {', '.join(GRAMMARS)}.")]
Recognizer = Annotated[str, typer.Option(help=f"One of {', '.join(RECOGNIZERS)}.")]
Loss = Annotated[str, typer.Option(help=f"One of {', '.join(LOSSES)}.")]
Keep = Annotated[
    Path | None, typer.Option(callback=figures_to_write, help="File for the result, for compare.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that prepare and read.")]
Whole = Annotated[bool, typer.Option("--whole", help="Whole checks, not fields.")]


def require_reader(recognizer: str | None, checkpoint: Path | None) -> None:
    """Stop if no reader is shipped by a name, if it is beside a checkpoint, or if that is none."""
    if recognizer is not None:
        require_known(recognizer, SHIPPED_READERS, "--recognizer")
        if checkpoint is not None:
            wrong = "names a shipped reader, and --checkpoint another"
            raise typer.BadParameter(wrong, param_hint="--recognizer")
    require_file(checkpoint)
