"""Options of the commands that measure what ``docs/checks.md`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import CRITERIA, CUTS, CUTTING
from demos.checks.experiments.settings import Budget, Effort
from demos.checks.options.shared import CORES, Data, Views, Workers
from demos.command_line import (
    Seed,
    TablePage,
    figures_to_write,
    folder_to_write,
    refuse_given,
    require_file,
    require_folder,
    require_known,
)

__all__ = ["Criteria", "Segmentation", "Separate", "Speed"]


@dataclass(frozen=True)
class Criteria:
    """Train one network by each criterion, with adaptive RBF centres, and show what becomes of it.

    Goes on where it was interrupted: a criterion that is done is not trained again.
    """

    out: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the figures and the plot.")
    ]
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv; default: car or checks.")
    ] = None
    fields: Annotated[int, typer.Option(min=1, help="To train on.")] = Budget.fields
    validation: Annotated[int, typer.Option(min=1, help="To measure on.")] = Budget.validation
    passes: Annotated[int, typer.Option(min=1, help="Over the fields.")] = Budget.passes
    digit_steps: Annotated[int, typer.Option(min=1, help="Batches of single digits before.")] = (
        Budget.digit_steps
    )
    digits: Annotated[str, typer.Option(help="MNIST folder, small, or auto.")] = Budget.digits
    loss: Annotated[list[str] | None, typer.Option(help="Criteria; default: all there are.")] = None
    seed: Seed = 0
    page: TablePage = None

    def __post_init__(self) -> None:
        """Refuse unknown criteria."""
        for name in self.loss or ():
            require_known(name, CRITERIA, "--loss")
        require_folder(self.data)


@dataclass(frozen=True)
class Segmentation:
    """Measure the segmenter against boxes.csv: digits with an arc that overlaps by 0.7 or more."""

    context: typer.Context
    data: Data = None
    cuts: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(CUTS)}; default: all.")] = (
        None
    )
    every: Annotated[int, typer.Option(min=1, help="Measure every so many-th field.")] = 1
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the measurements.")
    ] = None
    measured: Annotated[
        Path | None, typer.Option(help="File that --keep wrote: it is tabled, nothing is measured.")
    ] = None
    page: TablePage = None

    def __post_init__(self) -> None:
        """Refuse unknown cuts, and what says how to measure where nothing is measured."""
        if self.measured is not None:
            others = ["data", "cuts", "every", "keep"]
            refuse_given(self.context, others, "--measured has nothing measured")
        for name in self.cuts or ():
            require_known(name, CUTS, "--cuts")


@dataclass(frozen=True)
class Separate:
    """Train a system part by part, and then as a whole, and measure both in each fold.

    With --loss, the table is that of the criteria by which the whole was trained, and has a place
    of its own on the page. Needs boxes.csv in the data. Goes on where it was interrupted: a fold
    that is done is not trained again.
    """

    out: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the figures of the folds.")
    ]
    data: Data = None
    recognizer: Annotated[str, typer.Option(help="One that reads segments.")] = Effort.recognizer
    folds: Annotated[int, typer.Option(min=2, help="How many.")] = Effort.folds
    fold: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this one; may be given again.")
    ] = None
    apart: Annotated[int, typer.Option(min=1, help="Passes over characters.")] = Effort.apart
    longer: Annotated[int, typer.Option(min=1, help="More such passes.")] = Effort.longer
    together: Annotated[int, typer.Option(min=1, help="Passes over fields.")] = Effort.together
    loss: Annotated[
        list[str] | None,
        typer.Option(help="Show what this other criterion makes of it; may be given again."),
    ] = None
    seed: Seed = 0
    page: TablePage = None
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse a fold that there is not, and unknown names."""
        require_known(self.recognizer, CUTTING, "--recognizer")
        if any(number >= self.folds for number in self.fold or ()):
            last = f"of {self.folds} folds, the last is {self.folds - 1}"
            raise typer.BadParameter(last, param_hint="--fold")
        for name in self.loss or ():
            require_known(name, CRITERIA, "--loss")
        require_folder(self.data)


@dataclass(frozen=True)
class Speed:
    """Measure how many fields are read in a second."""

    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="Readers; default: the shipped sdnn.")
    ] = None
    data: Data = None
    repeat: Annotated[int, typer.Option(min=1, help="How often the fields are read.")] = 4
    workers: Annotated[
        list[int] | None, typer.Option(min=1, help="Processes; default: 1, and all cores.")
    ] = None
    views: Views = None
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the measurements.")
    ] = None
    page: TablePage = None

    def __post_init__(self) -> None:
        """Refuse what is not there."""
        for one in self.checkpoint or ():
            require_file(one)
        require_folder(self.data)
