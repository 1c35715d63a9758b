"""Commands about several trainings: ``crossvalidate``, and ``compare`` for stored results."""

from __future__ import annotations

import json

import typer

from demos.checks.commands.arguments import fields_in, further_in, settings_of
from demos.checks.experiments.compare import (
    keep_result,
    name_of,
    read_results,
    table,
)
from demos.checks.experiments.crossvalidate import crossvalidate as crossvalidate_fields
from demos.checks.experiments.crossvalidate import doubtful_names
from demos.checks.options.compare import Compare, Crossvalidate
from demos.run_state import training_into
from demos.tables import write_into

__all__ = ["compare", "crossvalidate"]


def crossvalidate(given: Crossvalidate) -> None:
    """Train and measure a reader for each fold, and print the figures as a line of JSON."""
    settings = settings_of(
        given.recognizer, given.passes, grammar=given.grammar, loss=given.loss, seed=given.seed
    )
    with training_into(given.out):
        found = fields_in(given.data)
        fields = found.to_learn(0)
        left_out = set() if given.doubtful is None else doubtful_names(given.doubtful, fields)
        figures = crossvalidate_fields(
            fields,
            settings,
            given.out,
            folds=given.folds,
            block=given.block,
            further=further_in(given.further, found),
            doubtful=left_out,
            workers=given.workers,
        )
    if given.keep is not None:
        figures = figures.get("doubtful", figures)
        together = f", {given.block} successive names together" if given.block > 1 else ""
        less = f", without {len(left_out)} labels in doubt" if left_out else ""
        on = f"{given.folds} folds of {len(fields)}{together}{less}"
        seconds = figures["seconds"] / given.folds
        keep_result(
            given.keep, name_of(given.recognizer, given.loss), on, figures, training_seconds=seconds
        )
    typer.echo(json.dumps({k: v for k, v in figures.items() if k != "run"}))


def compare(given: Compare) -> None:
    """Print the table of stored results, and write it into a page."""
    content = table(read_results(given.folder))
    if given.page is not None:
        write_into(given.page, content, "comparison")
    typer.echo(content)
