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
    """Train one network, with adaptive RBF centres, by each criterion, and compare the results.

    Resumes where it was interrupted: finished criteria are not trained again.
    """

    out: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the figures and the plot.")
    ]
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv; default: car or checks.")
    ] = None
    fields: Annotated[int, typer.Option(min=1, help="Number of training fields.")] = Budget.fields
    validation: Annotated[int, typer.Option(min=1, help="Number of validation fields.")] = (
        Budget.validation
    )
    passes: Annotated[int, typer.Option(min=1, help="Passes over the fields.")] = Budget.passes
    digit_steps: Annotated[
        int, typer.Option(min=1, help="Batches of single digits to pretrain on.")
    ] = Budget.digit_steps
    digits: Annotated[
        str, typer.Option(help="Digits to pretrain on: an MNIST folder, small, or auto.")
    ] = Budget.digits
    loss: Annotated[
        list[str] | None, typer.Option(help="Criterion to train by; may be repeated; default: all.")
    ] = None
    seed: Seed = 0
    page: TablePage = None

    def __post_init__(self) -> None:
        """Refuse unknown criteria."""
        for name in self.loss or ():
            require_known(name, CRITERIA, "--loss")
        require_folder(self.data)


@dataclass(frozen=True)
class Segmentation:
    """Measure the segmenter against boxes.csv: the digits that some arc overlaps by 0.7 or more."""

    context: typer.Context
    data: Data = None
    cuts: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(CUTS)}; may be repeated; default: all."),
    ] = None
    every: Annotated[int, typer.Option(min=1, help="Measure every N-th field.")] = 1
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the figures.")
    ] = None
    measured: Annotated[
        Path | None, typer.Option(help="Table this file, written by --keep, and measure nothing.")
    ] = None
    page: TablePage = None

    def __post_init__(self) -> None:
        """Refuse unknown cuts, and options of measuring where nothing is measured."""
        if self.measured is not None:
            others = ["data", "cuts", "every", "keep"]
            refuse_given(self.context, others, "with --measured, nothing is measured")
        for name in self.cuts or ():
            require_known(name, CUTS, "--cuts")


@dataclass(frozen=True)
class Separate:
    """Train a system part by part, then as a whole, and measure both in each fold.

    With --loss, the table compares the criteria that trained the whole, and has its own place on
    the page. The data need boxes.csv. Resumes where it was interrupted: finished folds are not
    trained again.
    """

    out: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the figures of the folds.")
    ]
    data: Data = None
    recognizer: Annotated[str, typer.Option(help="A recognizer that reads segments.")] = (
        Effort.recognizer
    )
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = Effort.folds
    fold: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this fold, from 0; may be repeated.")
    ] = None
    apart: Annotated[int, typer.Option(min=1, help="Passes over characters, part by part.")] = (
        Effort.apart
    )
    longer: Annotated[int, typer.Option(min=1, help="Further such passes, for comparison.")] = (
        Effort.longer
    )
    together: Annotated[int, typer.Option(min=1, help="Passes over fields, as a whole.")] = (
        Effort.together
    )
    loss: Annotated[
        list[str] | None,
        typer.Option(help="Also train the whole by this criterion; may be repeated."),
    ] = None
    seed: Seed = 0
    page: TablePage = None
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse folds that do not exist, and unknown names."""
        require_known(self.recognizer, CUTTING, "--recognizer")
        if any(number >= self.folds for number in self.fold or ()):
            last = f"of {self.folds} folds, the last is {self.folds - 1}"
            raise typer.BadParameter(last, param_hint="--fold")
        for name in self.loss or ():
            require_known(name, CRITERIA, "--loss")
        require_folder(self.data)


@dataclass(frozen=True)
class Speed:
    """Measure how many fields are read per second."""

    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="Checkpoint of a reader; may be repeated; default: the shipped sdnn."),
    ] = None
    data: Data = None
    repeat: Annotated[int, typer.Option(min=1, help="Times to read the fields.")] = 4
    workers: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Number of worker processes; may be repeated; default: 1, and all cores."
        ),
    ] = None
    views: Views = None
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the figures.")
    ] = None
    page: TablePage = None

    def __post_init__(self) -> None:
        """Refuse missing files and folders."""
        for one in self.checkpoint or ():
            require_file(one)
        require_folder(self.data)
