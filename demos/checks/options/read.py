"""Options of the commands that read images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

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
    """Read amounts from images: text, confidence, accepted or rejected."""

    context: typer.Context
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")]
    checkpoint: Checkpoint = None
    recognizer: ShippedReader = None
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False
    out: Annotated[
        Path | None,
        typer.Option(
            callback=file_to_write,
            help="File for the lines of JSON; files that it has a line of are skipped.",
        ),
    ] = None
    report: Annotated[
        Path | None, typer.Option(callback=folder_to_write, help="Folder for one page of pictures.")
    ] = None
    views: Views = None
    whole: Whole = False
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse what is for fields beside ``--whole``, and ``--json`` beside a file for it."""
        if self.whole and self.recognizer is not None:
            raise typer.BadParameter("--recognizer is for fields, not for --whole")
        if self.out is not None:
            why = "--out has the lines of JSON written to a file"
            refuse_given(self.context, ["as_json"], why)
        require_reader(self.recognizer, self.checkpoint)


@dataclass(frozen=True)
class Demo:
    """Read the fields that come with the package, which no training has seen.

    By default with the reader whose every step can be drawn: cuts, segmentation
    graph, recognition, grammar, best path.
    """

    report: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the page of pictures.")
    ] = Path("report")
    recognizer: ShippedReader = "two-stream"

    def __post_init__(self) -> None:
        """Refuse a reader that does not come with the package."""
        require_reader(self.recognizer, None)
