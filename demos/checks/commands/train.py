"""Commands that make a reader: ``train``, and ``calibrate`` for an existing one."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from demos.checks.choices import SHIPPED_READERS
from demos.checks.commands.arguments import (
    fields_in,
    further_in,
    load_reader,
    settings_of,
)
from demos.checks.options.train import Calibrate, Train
from demos.checks.reading.reader import shipped_checkpoint
from demos.checks.training.recalibration import recalibrate
from demos.checks.training.train import train as train_fields
from demos.command_line import echo_problems
from demos.run_state import training_into

__all__ = ["calibrate", "train"]


def train(given: Train) -> None:
    """Train a reader, and print its figures as a line of JSON."""
    settings = settings_of(
        given.recognizer,
        given.passes,
        grammar=given.grammar,
        loss=given.loss,
        digits=given.digits,
        seed=given.seed,
    )
    with training_into(given.out):
        # The held-out files are never opened.
        found = fields_in(given.data)
        fields = found.to_learn(given.holdout)
        others = further_in(given.further, found)
        begun = None
        if given.start is not None:
            is_shipped = given.start in SHIPPED_READERS
            begun = load_reader(
                shipped_checkpoint(given.start) if is_shipped else Path(given.start)
            )
        metrics = train_fields(
            fields,
            settings,
            given.out,
            further=others,
            start=begun,
            workers=given.workers,
            infeasible=given.infeasible,
        )
    echo_problems(metrics["problems"])
    for remark in metrics["remarks"]:
        typer.echo(remark, err=True)
    typer.echo(json.dumps(metrics))


def calibrate(given: Calibrate) -> None:
    """Write a reader with a new scale and threshold, and print their effect."""
    reader = load_reader(given.checkpoint, given.views)
    fields = fields_in(given.data).to_learn(given.holdout)
    figures = recalibrate(reader, fields, workers=given.workers)
    for remark in figures["remarks"]:
        typer.echo(remark, err=True)
    typer.echo(json.dumps(figures))
    reader.save(given.out)
