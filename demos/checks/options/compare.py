"""Options of the commands that compare several trainings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import LOSSES, RECOGNIZERS, RESULTS, SHIPPED
from demos.checks.options.shared import (
    CORES,
    Data,
    Further,
    Grammar,
    Keep,
    Loss,
    Passes,
    Recognizer,
    Workers,
)
from demos.command_line import (
    Seed,
    TablePage,
    folder_to_write,
    require_file,
    require_folder,
    require_known,
)

__all__ = ["Compare", "Crossvalidate"]


@dataclass(frozen=True)
class Crossvalidate:
    """Train and measure a reader for each fold; resumes where it was interrupted."""

    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the readers and figures of all folds."
        ),
    ]
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5
    block: Annotated[
        int, typer.Option(min=1, help="Number of successive names kept in one fold.")
    ] = 24
    data: Data = None
    further: Further = None
    grammar: Grammar = "car"
    loss: Loss = "discriminative-forward"
    recognizer: Recognizer = SHIPPED
    passes: Passes = None
    seed: Seed = 0
    doubtful: Annotated[
        Path | None,
        typer.Option(help="CSV file naming the fields (column file) that do not count."),
    ] = None
    keep: Keep = None
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse unknown names."""
        require_known(self.recognizer, RECOGNIZERS, "--recognizer")
        require_known(self.loss, LOSSES, "--loss")
        require_folder(self.data)
        require_file(self.doubtful)


@dataclass(frozen=True)
class Compare:
    """Table the results that evaluate, combine and crossvalidate saved with --keep."""

    folder: Annotated[Path, typer.Argument(help="Folder of results.")] = RESULTS
    page: TablePage = None
