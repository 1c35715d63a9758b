"""The options that several commands share."""

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
Checkpoint = Annotated[
    Path | None, typer.Option(help="Checkpoint of a reader; default: the shipped one.")
]
ShippedReader = Annotated[
    str | None,
    typer.Option(
        "--recognizer", help=f"A shipped reader: {', '.join(SHIPPED_READERS)} (default: the first)."
    ),
]
Views = Annotated[
    int | None,
    typer.Option(
        min=1, max=1000, help="Versions of each field to read; default: the reader's own number."
    ),
]
Further = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of further fields; each pass draws some of them. May be repeated."),
]
Passes = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the fields; default: depends on the recognizer."),
]
Grammar = Annotated[str, typer.Option(help=f"One of {', '.join(GRAMMARS)}.")]
Recognizer = Annotated[str, typer.Option(help=f"One of {', '.join(RECOGNIZERS)}.")]
Loss = Annotated[str, typer.Option(help=f"One of {', '.join(LOSSES)}.")]
Keep = Annotated[
    Path | None,
    typer.Option(callback=figures_to_write, help="File for the result, which compare tables."),
]
Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]
Whole = Annotated[bool, typer.Option("--whole", help="Process whole checks, not fields.")]


def require_reader(recognizer: str | None, checkpoint: Path | None) -> None:
    """Stop at an unknown shipped reader, one given beside a checkpoint, or a missing checkpoint."""
    if recognizer is not None:
        require_known(recognizer, SHIPPED_READERS, "--recognizer")
        if checkpoint is not None:
            wrong = "names a shipped reader, but --checkpoint is given, too"
            raise typer.BadParameter(wrong, param_hint="--recognizer")
    require_file(checkpoint)
