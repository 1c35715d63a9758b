"""The commands for whole checks: compose, train, evaluate, read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.checkpoint import CheckpointError
from demos.checks.experiments.compare import RESULTS, keep_result
from demos.checks.reading.networks import SWEEPING
from demos.checks.reading.reader import CheckReader
from demos.checks.report.page import MOST_SHOWN, shown_of
from demos.checks.report.whole import write_whole_report
from demos.checks.whole.data import KnownCheck, known_checks, write_checks
from demos.checks.whole.evaluate import evaluate_checks
from demos.checks.whole.loop import WholeSettings
from demos.checks.whole.reader import SHIPPED_WHOLE, WholeReader
from demos.checks.whole.train import train_whole
from demos.command_line import Mnist, Seed, TablePage, echo_problems, folder_to_write, refuse_given
from demos.figures import echo_figures, load_figures
from demos.tables import in_markdown, write_into
from recognizers.datasets.check_layouts import FAMILIES
from recognizers.datasets.fields import find_data

__all__ = ["compose_checks", "evaluate_whole", "load_whole", "train_fields", "whole_table"]


def compose_checks(
    out: Annotated[
        Path,
        typer.Argument(
            callback=folder_to_write, help="Folder for the images, labels.csv and the truth."
        ),
    ],
    part: Annotated[str, typer.Option(help=f"One of {', '.join(FAMILIES)}.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="How many checks.")] = 450,
    seed: Seed = 0,
    digits: Mnist = None,
) -> None:
    """Compose whole checks; the layouts of the part test are in no other part."""
    write_checks(out, part, count, seed, digits)
    typer.echo(f"{count} checks, labels.csv and truth.jsonl in {out}")


def train_fields(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="Folder of composed checks.")],
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the reader, its log and its state."
        ),
    ],
    start: Annotated[
        Path | None,
        typer.Option(help="A reader whose network is begun with."),
    ] = None,
    recognizer: Annotated[str, typer.Option(help="What reads the fields.")] = "sdnn",
    grammar: Annotated[str, typer.Option(help="Grammar of the amounts.")] = "amounts",
    count: Annotated[
        int | None, typer.Option(min=1, help="Take the first so many checks only.")
    ] = None,
    composed: Annotated[
        int, typer.Option(min=0, help="Composed lines beside those of the checks.")
    ] = WholeSettings.composed,
    drawn: Annotated[
        int, typer.Option(min=0, help="How many of them are drawn in each pass.")
    ] = WholeSettings.drawn,
    line_passes: Annotated[
        int, typer.Option(min=0, help="Passes of the network over lines.")
    ] = WholeSettings.line_passes,
    global_passes: Annotated[
        int, typer.Option(min=0, help="Passes of the small parameters over whole checks.")
    ] = WholeSettings.global_passes,
    digits: Mnist = None,
    seed: Seed = 0,
) -> None:
    """Train a reader of whole checks; goes on where it was interrupted."""
    if recognizer not in SWEEPING:
        why = f"{recognizer} reads segments, and is taken as it is"
        refuse_given(context, ["composed", "drawn", "line_passes"], why)
    found, problems = known_checks(data)
    checks = [one for one in found if one.split != "test"]
    echo_problems(problems)
    settings = WholeSettings(
        recognizer=recognizer,
        grammar=grammar,
        composed=composed,
        drawn=drawn,
        line_passes=line_passes,
        global_passes=global_passes,
        seed=seed,
    )
    folder = find_data(digits, "mnist", option="--digits")
    begin = None if start is None else _reader_of_fields(start)
    typer.echo(json.dumps(train_whole(checks[:count], settings, out, digits=folder, start=begin)))


def _reader_of_fields(path: Path) -> CheckReader:
    """Return a reader of fields, or that of a reader of whole checks."""
    try:
        return CheckReader.load(path)
    except CheckpointError:
        return WholeReader.load(path).reader


def whole_table(
    result: Annotated[Path, typer.Argument(help="What evaluate --whole kept.")] = RESULTS
    / "whole.json",
    page: TablePage = None,
) -> None:
    """Table what evaluate --whole kept."""
    figures = load_figures(result)
    if "groups" not in figures:
        raise ValueError(f"{result}: no figures of whole checks; evaluate --whole --keep has some")
    content = table_of(figures)
    if page is not None:
        write_into(page, content, "whole")
    typer.echo(content)


def table_of(result: dict[str, Any]) -> str:
    """Return a result of whole checks as a table in Markdown, all checks first, then kinds.

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
    """Return the reader of whole checks of a checkpoint, or the one that is shipped."""
    reader = WholeReader.load(checkpoint or SHIPPED_WHOLE)
    reader.views = views or reader.views
    return reader


def _layouts_of(checks: Sequence[KnownCheck], folder: Path) -> str:
    """Say whether the checks are of layouts that no training sees; otherwise of which folder."""
    unseen = {family.name for family in FAMILIES["test"]}
    return (
        "unseen layouts" if all(c.family in unseen for c in checks) else f"the folder {folder.name}"
    )


def evaluate_whole(
    data: Path | None,
    checkpoint: Path | None,
    *,
    views: int | None,
    as_json: bool,
    report: Path | None,
    keep: Path | None,
    workers: int,
) -> None:
    """Measure a reader on whole checks: what ``evaluate --whole`` does."""
    if data is None:
        raise typer.BadParameter("name the folder of checks", param_hint="--data")
    reader = load_whole(checkpoint, views)
    found, problems = known_checks(data)
    checks = [one for one in found if one.split == "test"] or found
    figures = evaluate_checks(reader, checks, workers=workers)
    echo_problems([*problems, *figures["problems"]])
    for o in figures["outcomes"]:
        if not o.exact:
            sure = "accepted" if o.reading.accepted else "rejected"
            read = f"read {o.reading.text:>10}  {o.reading.confidence:.3f}"
            typer.echo(f"{o.name}  {o.truth:>10}  {read}  {sure}")
    parameters = sum(p.numel() for p in reader.parameters())
    if keep is not None:
        name = f"whole checks, {reader.reader.recognizer}"
        seconds = reader.report.get("seconds")
        keep_result(
            keep, name, f"{len(checks)} checks of {_layouts_of(checks, data)}", figures,
            parameters=parameters, training_seconds=seconds,
        )  # fmt: skip
    kept = {k: v for k, v in figures.items() if k not in ("outcomes", "problems")}
    echo_figures(kept, as_json)
    if report is not None:
        by_name = {one.name: one for one in checks}
        worst = [o for o in figures["outcomes"] if not o.exact or not o.reading.accepted]
        chosen = shown_of(len(worst), len(figures["outcomes"]), "Read wrong or rejected")
        worst = sorted(worst, key=lambda o: -o.reading.confidence)[:MOST_SHOWN]
        paths = [by_name[o.name].path for o in worst]
        page = write_whole_report(reader, paths, report, [o.truth for o in worst], chosen)
        typer.echo(f"report: {page}", err=as_json)
