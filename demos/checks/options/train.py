"""Options of the commands that train or calibrate a reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.choices import LOSSES, RECOGNIZERS, SHIPPED, SHIPPED_READERS
from demos.checks.options.shared import (
    CORES,
    Data,
    Further,
    Grammar,
    Loss,
    Passes,
    Recognizer,
    Views,
    Workers,
)
from demos.checks.training.settings import Settings
from demos.command_line import (
    Holdout,
    Seed,
    checkpoint_to_write,
    folder_to_write,
    refuse_given,
    require_file,
    require_folder,
    require_known,
)

__all__ = ["Calibrate", "Train"]


@dataclass(frozen=True)
class Train:
    """Train a reader from fields and only their texts; resumes where it was interrupted."""

    context: typer.Context
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, the log and the state."
        ),
    ]
    data: Data = None
    further: Further = None
    grammar: Grammar = "car"
    loss: Loss = "discriminative-forward"
    recognizer: Recognizer = SHIPPED
    passes: Passes = None
    digits: Annotated[
        str, typer.Option(help="Digits to pretrain on: an MNIST folder, small, or auto.")
    ] = Settings.digits
    start: Annotated[
        str | None,
        typer.Option(
            help=f"Reader to start from: a checkpoint, or {' or '.join(SHIPPED_READERS)}."
        ),
    ] = None
    holdout: Holdout = 0
    infeasible: Annotated[
        str, typer.Option(help="On a text outside the grammar: raise an error, or skip the field.")
    ] = "raise"
    seed: Seed = 0
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse unknown names, and digits for a recognizer that is not pretrained on them."""
        require_known(self.infeasible, ("raise", "skip"), "--infeasible")
        if not self.recognizer.startswith("lenet5"):
            why = f"{self.recognizer} does not read single digits, so it is not pretrained on them"
            refuse_given(self.context, ["digits"], why)
        require_known(self.recognizer, RECOGNIZERS, "--recognizer")
        require_known(self.loss, LOSSES, "--loss")
        require_folder(self.data)


@dataclass(frozen=True)
class Calibrate:
    """Refit a reader's scale and threshold on the validation fields of its training.

    Give the same --data and --holdout as for training. The new reader keeps the given --views.
    With fewer than 24 validation fields, scale and threshold stay as they are.
    """

    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a reader written by train.")]
    out: Annotated[
        Path, typer.Option(callback=checkpoint_to_write, help="File for the calibrated reader.")
    ]
    data: Data = None
    holdout: Holdout = 0
    views: Views = None
    workers: Workers = CORES

    def __post_init__(self) -> None:
        """Refuse missing files and folders."""
        require_file(self.checkpoint)
        require_folder(self.data)
