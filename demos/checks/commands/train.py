"""Commands that make a reader: ``train``, and ``calibrate`` for one that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.commands.arguments import (
    fields_in,
    further_in,
    load_reader,
    settings_of,
)
from demos.checks.options import (
    CORES,
    Data,
    Further,
    Holdout,
    Loss,
    Passes,
    Recognizer,
    Views,
    Workers,
)
from demos.checks.reading.reader import SHIPPED, SHIPPED_READERS, shipped_checkpoint
from demos.checks.training.recalibration import recalibrate
from demos.checks.training.settings import Settings
from demos.checks.training.train import train as train_fields
from demos.command_line import (
    Seed,
    checkpoint_to_write,
    echo_problems,
    folder_to_write,
    refuse_given,
    require_known,
)
from grammars import NAMES

__all__ = ["calibrate", "train"]


def train(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, its log and its state."
        ),
    ],
    data: Data = None,
    further: Further = None,
    grammar: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "car",
    loss: Loss = "discriminative-forward",
    recognizer: Recognizer = SHIPPED,
    passes: Passes = None,
    digits: Annotated[
        str, typer.Option(help="Single digits to pretrain on: an MNIST folder, small, or auto.")
    ] = Settings.digits,
    start: Annotated[
        str | None,
        typer.Option(
            help=f"A reader to begin with: a checkpoint, or {' or '.join(SHIPPED_READERS)}."
        ),
    ] = None,
    holdout: Holdout = 0,
    infeasible: Annotated[
        str, typer.Option(help="A text that the grammar does not write: raise, or skip.")
    ] = "raise",
    seed: Seed = 0,
    workers: Workers = CORES,
) -> None:
    """Train a reader from fields and their texts alone; goes on where it was interrupted."""
    require_known(infeasible, ("raise", "skip"), "--infeasible")
    if not recognizer.startswith("lenet5"):
        why = f"{recognizer} does not read single digits, so it is not pretrained on them"
        refuse_given(context, ["digits"], why)
    settings = settings_of(recognizer, passes, grammar=grammar, loss=loss, digits=digits, seed=seed)
    # The held-out files are never opened.
    found = fields_in(data)
    fields = found.to_learn(holdout)
    others = further_in(further, found)
    begun = None
    if start is not None:
        begun = load_reader(shipped_checkpoint(start) if start in SHIPPED_READERS else Path(start))
    metrics = train_fields(
        fields,
        settings,
        out,
        further=others,
        start=begun,
        workers=workers,
        infeasible=infeasible,
    )
    echo_problems(metrics["problems"])
    for remark in metrics["remarks"]:
        typer.echo(remark, err=True)
    typer.echo(json.dumps(metrics))


def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="A reader that was trained by train.")],
    out: Annotated[
        Path, typer.Option(callback=checkpoint_to_write, help="File for the calibrated reader.")
    ],
    data: Data = None,
    holdout: Holdout = 0,
    views: Views = None,
    workers: Workers = CORES,
) -> None:
    """Fit a reader's scale and threshold anew on the validation fields of its own training.

    Give the data and the --holdout that it was trained with. The new reader keeps the --views.
    """
    reader = load_reader(checkpoint, views)
    fields = fields_in(data).to_learn(holdout)
    typer.echo(json.dumps(recalibrate(reader, fields, workers=workers)))
    reader.save(out)
