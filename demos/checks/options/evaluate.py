"""Options of the commands that measure readers on labelled fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import WAYS
from demos.checks.options.shared import (
    CORES,
    Checkpoint,
    Data,
    Keep,
    ShippedReader,
    Views,
    Whole,
    Workers,
    require_reader,
)
from demos.command_line import (
    Holdout,
    folder_to_write,
    page_to_write,
    require_file,
    require_folder,
    require_known,
)

__all__ = ["Combine", "Evaluate"]


@dataclass(frozen=True)
class Evaluate:
    """Measure a reader on labelled fields, or those of them held out, or on whole checks."""

    data: Data = None
    checkpoint: Checkpoint = None
    recognizer: ShippedReader = None
    holdout: Holdout = 0
    as_json: Annotated[
        bool, typer.Option("--json", help="End with the figures as one line of JSON.")
    ] = False
    report: Annotated[
        Path | None, typer.Option(callback=folder_to_write, help="Folder for a page of the errors.")
    ] = None
    page: Annotated[
        Path | None,
        typer.Option(
            callback=page_to_write, help="File (HTML) for a page on all fields: curves, confusions."
        ),
    ] = None
    plots: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for error-reject.svg and reliability.svg."
        ),
    ] = None
    keep: Keep = None
    views: Views = None
    whole: Whole = False
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse options of fields with ``--whole``, and ``--whole`` without data."""
        of_fields = self.holdout or any(
            one is not None for one in (self.page, self.plots, self.recognizer)
        )
        if self.whole and of_fields:
            raise typer.BadParameter(
                "--holdout, --page, --plots and --recognizer are for fields, not for --whole"
            )
        if self.whole and self.data is None:
            raise typer.BadParameter("name the folder of checks", param_hint="--data")
        require_reader(self.recognizer, self.checkpoint)
        require_folder(self.data)


@dataclass(frozen=True)
class Combine:
    """Measure several readers combined, by the intersection or the union of their graphs."""

    checkpoint: Annotated[
        list[Path], typer.Option(help="Checkpoint of a reader; give two or more.")
    ]
    way: Annotated[str, typer.Option(help=f"How to combine: {' or '.join(WAYS)}.")] = WAYS[0]
    scale: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0,
            max=1000.0,
            help="Factor on each reader's penalties, in their order; default: 1.",
        ),
    ] = None
    data: Data = None
    holdout: Holdout = 0
    as_json: Annotated[
        bool, typer.Option("--json", help="End with the figures as one line of JSON.")
    ] = False
    keep: Keep = None
    views: Views = None
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse an unknown way, and scales that are not one per reader."""
        require_known(self.way, WAYS, "--way")
        count = len(self.checkpoint)
        if count < 2 or (self.scale and len(self.scale) != count):
            raise typer.BadParameter(
                "give two readers or more, and one scale for each reader or none"
            )
        for one in self.checkpoint:
            require_file(one)
        require_folder(self.data)
