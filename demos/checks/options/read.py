"""Options of the commands that read images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import SHIPPED_READERS
from demos.checks.options.shared import (
    CORES,
    Checkpoint,
    ShippedReader,
    Views,
    Whole,
    Workers,
    require_reader,
)
from demos.command_line import file_to_write, folder_to_write, refuse_given

__all__ = ["Demo", "Read"]


@dataclass(frozen=True)
class Read:
    """Print the amount in each image and its confidence, and whether it is accepted or rejected."""

    context: typer.Context
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")]
    checkpoint: Checkpoint = None
    recognizer: ShippedReader = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per file.")] = (
        False
    )
    out: Annotated[
        Path | None,
        typer.Option(
            callback=file_to_write,
            help="File for the lines of JSON; images that have a line in it are skipped.",
        ),
    ] = None
    report: Annotated[
        Path | None, typer.Option(callback=folder_to_write, help="Folder for a page of pictures.")
    ] = None
    views: Views = None
    whole: Whole = False
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse options of fields with ``--whole``, and ``--json`` with ``--out``."""
        if self.whole and self.recognizer is not None:
            raise typer.BadParameter("--recognizer is for fields, not for --whole")
        if self.out is not None:
            why = "--out already writes the lines of JSON, to a file"
            refuse_given(self.context, ["as_json"], why)
        require_reader(self.recognizer, self.checkpoint)


@dataclass(frozen=True)
class Demo:
    """Read the fields shipped with the package, which no training has seen.

    The default reader is the one whose every step can be drawn: cuts, segmentation
    graph, recognition, grammar, best path.
    """

    report: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for a page of pictures.")
    ] = Path("report")
    recognizer: Annotated[
        str, typer.Option(help=f"A shipped reader: {', '.join(SHIPPED_READERS)}.")
    ] = "two-stream"

    def __post_init__(self) -> None:
        """Refuse a reader that is not shipped."""
        require_reader(self.recognizer, None)
