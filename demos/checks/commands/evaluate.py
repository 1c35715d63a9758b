"""Commands that measure readers on labelled fields: ``evaluate``, and ``combine`` for several."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.checks.commands.arguments import (
    called,
    checkpoint_of,
    load_reader,
    measured_fields,
)
from demos.checks.commands.whole import evaluate_whole
from demos.checks.experiments.compare import keep_result
from demos.checks.measuring.calibration import expected_calibration_error
from demos.checks.measuring.curves import write_plots
from demos.checks.measuring.evaluate import evaluate as evaluate_fields
from demos.checks.measuring.evaluate import figures_of, not_written
from demos.checks.options import (
    CORES,
    Checkpoint,
    Data,
    Holdout,
    Keep,
    ShippedReader,
    Views,
    Whole,
    Workers,
)
from demos.checks.reading.combination import WAYS, read_together
from demos.checks.report.dataset import write_dataset_page
from demos.checks.report.fields import write_report
from demos.checks.report.page import MOST_SHOWN, shown_of
from demos.command_line import echo_problems, folder_to_write, page_to_write, require_known
from demos.figures import echo_figures
from recognizers.datasets.fields import Field

__all__ = ["combine", "evaluate"]


def evaluate(
    data: Data = None,
    checkpoint: Checkpoint = None,
    recognizer: ShippedReader = None,
    holdout: Holdout = 0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    report: Annotated[
        Path | None, typer.Option(callback=folder_to_write, help="Folder for a page of the errors.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            callback=page_to_write, help="File for a page over all fields: curves, confusions."
        ),
    ] = None,
    plots: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for error-reject.svg and reliability.svg."
        ),
    ] = None,
    keep: Keep = None,
    views: Views = None,
    whole: Whole = False,
    workers: Workers = CORES,
) -> None:
    """Measure a reader on labelled fields (with --holdout N on the last N only), or on checks."""
    if whole:
        chosen = {"views": views, "as_json": as_json, "report": report, "keep": keep}
        if holdout or page is not None or plots is not None or recognizer is not None:
            raise typer.BadParameter(
                "--holdout, --page, --plots and --recognizer are for fields, not for --whole"
            )
        evaluate_whole(data, checkpoint, workers=workers, **chosen)
        return
    fields, on = measured_fields(data, holdout)
    reader = load_reader(checkpoint_of(checkpoint, recognizer), views)
    _echo_odd(not_written([reader.rules], fields), f"the grammar {reader.rules.name!r} does not")
    figures = evaluate_fields(reader, fields, workers=workers)
    if keep is not None:
        more = {
            "parameters": sum(p.numel() for p in reader.parameters()),
            "training_seconds": reader.training_facts.report.get("seconds"),
            "views": reader.views,
            "calibration_error": expected_calibration_error(figures["outcomes"]),
        }
        keep_result(keep, called(reader), on, figures, **more)
    outcomes = figures["outcomes"]
    _show(figures, as_json)
    if report is not None:
        by_name = {one.name: one.path for one in fields}
        wrong = [o for o in outcomes if not o.exact]
        worst = sorted(wrong, key=lambda o: -o.reading.confidence)[:MOST_SHOWN]
        truths = [o.truth for o in worst]
        paths = [by_name[o.name] for o in worst]
        chosen = shown_of(len(wrong), len(outcomes), "Read wrong")
        written_to = write_report(reader, paths, report, truths, chosen)
        typer.echo(f"report: {written_to}", err=as_json)
    if plots is not None:
        write_plots(outcomes, reader.threshold, plots)
    if page is not None:
        write_dataset_page(reader, figures, fields, on, page)
        typer.echo(f"page: {page}", err=True)


def combine(
    checkpoint: Annotated[list[Path], typer.Option(help="A reader; give two or more.")],
    way: Annotated[str, typer.Option(help=f"One of {', '.join(WAYS)}.")] = WAYS[0],
    scale: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0, max=1000.0, help="How much each reader's penalties count; default 1."
        ),
    ] = None,
    data: Data = None,
    holdout: Holdout = 0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    keep: Keep = None,
    views: Views = None,
    workers: Workers = CORES,
) -> None:
    """Measure several readers together: their graphs intersected, or united."""
    require_known(way, WAYS, "--way")
    scales = scale or [1.0] * len(checkpoint)
    if len(checkpoint) < 2 or len(scales) != len(checkpoint):
        raise typer.BadParameter("two readers or more, and one scale for each or none at all")
    readers = [load_reader(one, views) for one in checkpoint]
    fields, on = measured_fields(data, holdout)
    paths = [one.path for one in fields]
    results = read_together(readers, paths, way, scales=scales, workers=workers)
    seen = [name for reader in readers for name in reader.training_facts.seen]
    # What one of them writes can be read: an intersection of nothing gives way to the union.
    odd = not_written([reader.rules for reader in readers], fields)
    _echo_odd(odd, "the grammars do not")
    figures = figures_of(results, fields, seen, odd)
    if keep is not None:
        name = f"{way} of {' and '.join(map(called, readers))}"
        parameters = sum(p.numel() for reader in readers for p in reader.parameters())
        keep_result(keep, name, on, figures, parameters=parameters, scales=scales)
    _show(figures, as_json)


def _echo_odd(odd: Iterable[Field], why: str) -> None:
    """Say of which fields no reading can be right, whatever is read."""
    for one in odd:
        typer.echo(f"{one.name}: {why} write {one.text!r}; it counts as an error", err=True)


def _show(figures: dict[str, Any], as_json: bool) -> None:
    """Print what was read wrong, and the figures."""
    echo_problems(figures["problems"])
    wrong = [o for o in figures["outcomes"] if not o.exact]
    longest = max((len(o.name) for o in wrong), default=0)
    for o in wrong:
        read = o.reading
        typer.echo(f"{o.name:<{longest}}  {o.truth:>9}  read {read.text:>9}  {read.confidence:.3f}")
    kept = {k: v for k, v in figures.items() if k not in ("outcomes", "problems")}
    echo_figures(kept, as_json)
