"""Commands about several trainings: ``crossvalidate``, and ``compare`` for what was kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.commands.arguments import fields_in, further_in, settings_of
from demos.checks.experiments.compare import (
    RESULTS,
    keep_result,
    name_of,
    read_results,
    table,
)
from demos.checks.experiments.crossvalidate import crossvalidate as crossvalidate_fields
from demos.checks.experiments.crossvalidate import doubtful_names
from demos.checks.options import CORES, Data, Further, Keep, Loss, Passes, Recognizer, Workers
from demos.checks.reading.reader import SHIPPED
from demos.command_line import Seed, TablePage, folder_to_write
from demos.tables import write_into
from grammars import NAMES

__all__ = ["compare", "crossvalidate"]


def crossvalidate(
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the readers and figures of all folds."
        ),
    ],
    folds: Annotated[int, typer.Option(min=2, help="How many.")] = 5,
    block: Annotated[int, typer.Option(min=1, help="Successive names that stay together.")] = 24,
    data: Data = None,
    further: Further = None,
    grammar: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "car",
    loss: Loss = "discriminative-forward",
    recognizer: Recognizer = SHIPPED,
    passes: Passes = None,
    seed: Seed = 0,
    doubtful: Annotated[
        Path | None, typer.Option(help="Table of fields (file) that are not to count.")
    ] = None,
    keep: Keep = None,
    workers: Workers = CORES,
) -> None:
    """Train and measure a reader for each fold; goes on where it was interrupted."""
    settings = settings_of(recognizer, passes, grammar=grammar, loss=loss, seed=seed)
    found = fields_in(data)
    fields = found.to_learn(0)
    left_out = set() if doubtful is None else doubtful_names(doubtful, fields)
    figures = crossvalidate_fields(
        fields,
        settings,
        out,
        folds=folds,
        block=block,
        further=further_in(further, found),
        doubtful=left_out,
        workers=workers,
    )
    if keep is not None:
        figures = figures.get("doubtful", figures)
        together = f", {block} successive names together" if block > 1 else ""
        less = f", without {len(left_out)} labels in doubt" if left_out else ""
        on = f"{folds} folds of {len(fields)}{together}{less}"
        seconds = figures["seconds"] / folds
        keep_result(keep, name_of(recognizer, loss), on, figures, training_seconds=seconds)
    typer.echo(json.dumps({k: v for k, v in figures.items() if k != "run"}))


def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of results.")] = RESULTS,
    page: TablePage = None,
) -> None:
    """Table the results that evaluate, combine and crossvalidate kept."""
    content = table(read_results(folder))
    if page is not None:
        write_into(page, content, "comparison")
    typer.echo(content)
