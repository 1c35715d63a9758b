"""Commands for whole checks: compose, train, evaluate, read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from demos.checkpoint import CheckpointError
from demos.checks.experiments.compare import keep_result
from demos.checks.options.evaluate import Evaluate
from demos.checks.options.whole import ComposeChecks, TrainFields, WholeTable
from demos.checks.reading.reader import CheckReader
from demos.checks.report.page import MOST_SHOWN, shown_of
from demos.checks.report.whole import write_whole_report
from demos.checks.whole.data import KnownCheck, known_checks, write_checks
from demos.checks.whole.evaluate import evaluate_checks
from demos.checks.whole.reader import SHIPPED_WHOLE, WholeReader
from demos.checks.whole.settings import WholeSettings
from demos.checks.whole.train import train_whole
from demos.command_line import echo_problems
from demos.figures import echo_figures, load_figures
from demos.run_state import training_into
from demos.tables import in_markdown, write_into
from recognizers.datasets.check_layouts import FAMILIES
from recognizers.datasets.fields import find_data

__all__ = ["compose_checks", "evaluate_whole", "load_whole", "train_fields", "whole_table"]


def compose_checks(given: ComposeChecks) -> None:
    """Write checks with their texts."""
    write_checks(given.out, given.part, given.count, given.seed, given.digits)
    typer.echo(f"{given.count} checks, labels.csv and truth.jsonl in {given.out}")


def train_fields(given: TrainFields) -> None:
    """Train a reader of whole checks, and print its figures as a line of JSON."""
    with training_into(given.out):
        found, problems = known_checks(given.data)
        checks = [one for one in found if one.split != "test"]
        echo_problems(problems)
        settings = WholeSettings(
            recognizer=given.recognizer,
            grammar=given.grammar,
            composed=given.composed,
            drawn=given.drawn,
            line_passes=given.line_passes,
            global_passes=given.global_passes,
            seed=given.seed,
        )
        folder = find_data(given.digits, "mnist", option="--digits")
        begin = None if given.start is None else _reader_of_fields(given.start)
        typer.echo(
            json.dumps(
                train_whole(checks[: given.count], settings, given.out, digits=folder, start=begin)
            )
        )


def _reader_of_fields(path: Path) -> CheckReader:
    """Load a reader of fields, or the one inside a reader of whole checks."""
    try:
        return CheckReader.load(path)
    except CheckpointError:
        return WholeReader.load(path).reader


def whole_table(given: WholeTable) -> None:
    """Print the table of a stored result, and write it into a page."""
    figures = load_figures(given.result)
    if "groups" not in figures:
        raise ValueError(
            f"{given.result}: not the figures of whole checks, which evaluate --whole --keep saves"
        )
    content = table_of(figures)
    if given.page is not None:
        write_into(given.page, content, "whole")
    typer.echo(content)


def table_of(result: dict[str, Any]) -> str:
    """Return a result of whole checks as a table in Markdown: all checks, then each kind.

    >>> shares = {"n": 2, "correct": 0.5, "error": 0.0, "reject": 0.5, "exact": 1.0}
    >>> print(table_of({**shares, "groups": {"printed": shares}}).splitlines()[2])
    | all | 2 | 50.0% | 0.0% | 50.0% | 100.0% |
    """
    names = ("n", "correct", "error", "reject", "exact")
    heads = ["checks", "number", "correct", "error", "reject", "exact, none rejected"]
    rows = []
    for name, figures in {"all": result, **result["groups"]}.items():
        shown = [f"{figures[key]:.1%}" for key in names[1:]]
        rows.append([name, str(figures["n"]), *shown])
    return in_markdown(heads, rows)


def load_whole(checkpoint: Path | None, views: int | None = None) -> WholeReader:
    """Load a reader of whole checks from a checkpoint, or the shipped one."""
    reader = WholeReader.load(checkpoint or SHIPPED_WHOLE)
    reader.views = views or reader.views
    return reader


def _layouts_of(checks: Sequence[KnownCheck], folder: Path) -> str:
    """Return "unseen layouts" if no training sees those of the checks, else name the folder."""
    unseen = {family.name for family in FAMILIES["test"]}
    return (
        "unseen layouts" if all(c.family in unseen for c in checks) else f"the folder {folder.name}"
    )


def evaluate_whole(given: Evaluate) -> None:
    """Measure a reader on whole checks, for ``evaluate --whole``."""
    assert given.data is not None  # Evaluate ensures it
    reader = load_whole(given.checkpoint, given.views)
    found, problems = known_checks(given.data)
    checks = [one for one in found if one.split == "test"] or found
    figures = evaluate_checks(reader, checks, workers=given.workers)
    echo_problems([*problems, *figures["problems"]])
    for o in figures["outcomes"]:
        if not o.exact:
            sure = "accepted" if o.reading.accepted else "rejected"
            read = f"read {o.reading.text:>10}  {o.reading.confidence:.3f}"
            typer.echo(f"{o.name}  {o.truth:>10}  {read}  {sure}")
    parameters = sum(p.numel() for p in reader.parameters())
    if given.keep is not None:
        name = f"whole checks, {reader.reader.recognizer}"
        seconds = reader.report.get("seconds")
        keep_result(
            given.keep, name, f"{len(checks)} checks of {_layouts_of(checks, given.data)}", figures,
            parameters=parameters, training_seconds=seconds,
        )  # fmt: skip
    kept = {k: v for k, v in figures.items() if k not in ("outcomes", "problems")}
    echo_figures(kept, given.as_json)
    if given.report is not None:
        by_name = {one.name: one for one in checks}
        worst = [o for o in figures["outcomes"] if not o.exact or not o.reading.accepted]
        chosen = shown_of(len(worst), len(figures["outcomes"]), "Read wrong or rejected")
        worst = sorted(worst, key=lambda o: -o.reading.confidence)[:MOST_SHOWN]
        paths = [by_name[o.name].path for o in worst]
        page = write_whole_report(reader, paths, given.report, [o.truth for o in worst], chosen)
        typer.echo(f"report: {page}", err=given.as_json)
