"""Commands that measure readers on labelled fields: ``evaluate``, and ``combine`` for several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
from demos.checks.options.evaluate import Combine, Evaluate
from demos.checks.reading.combination import read_together
from demos.checks.report.dataset import write_dataset_page
from demos.checks.report.fields import write_report
from demos.checks.report.page import MOST_SHOWN, shown_of
from demos.command_line import echo_problems
from demos.figures import echo_figures
from recognizers.datasets.fields import Field

__all__ = ["combine", "evaluate"]


def evaluate(given: Evaluate) -> None:
    """Print a reader's misreadings and figures, and write the pages about them."""
    if given.whole:
        evaluate_whole(given)
        return
    fields, on = measured_fields(given.data, given.holdout)
    reader = load_reader(checkpoint_of(given.checkpoint, given.recognizer), given.views)
    _echo_odd(not_written([reader.rules], fields), f"the grammar {reader.rules.name!r} does not")
    figures = evaluate_fields(reader, fields, workers=given.workers)
    if given.keep is not None:
        more = {
            "parameters": sum(p.numel() for p in reader.parameters()),
            "training_seconds": reader.training_facts.report.get("seconds"),
            "views": reader.views,
            "calibration_error": expected_calibration_error(figures["outcomes"]),
        }
        keep_result(given.keep, called(reader), on, figures, **more)
    outcomes = figures["outcomes"]
    _show(figures, given.as_json)
    if given.report is not None:
        by_name = {one.name: one.path for one in fields}
        wrong = [o for o in outcomes if not o.exact]
        worst = sorted(wrong, key=lambda o: -o.reading.confidence)[:MOST_SHOWN]
        truths = [o.truth for o in worst]
        paths = [by_name[o.name] for o in worst]
        chosen = shown_of(len(wrong), len(outcomes), "Read wrong")
        written_to = write_report(reader, paths, given.report, truths, chosen)
        typer.echo(f"report: {written_to}", err=given.as_json)
    if given.plots is not None:
        write_plots(outcomes, reader.threshold, given.plots)
    if given.page is not None:
        write_dataset_page(reader, figures, fields, on, given.page)
        typer.echo(f"page: {given.page}", err=True)


def combine(given: Combine) -> None:
    """Print misreadings and figures of several readers that read together."""
    scales = given.scale or [1.0] * len(given.checkpoint)
    readers = [load_reader(one, given.views) for one in given.checkpoint]
    fields, on = measured_fields(given.data, given.holdout)
    paths = [one.path for one in fields]
    results = read_together(readers, paths, given.way, scales=scales, workers=given.workers)
    seen = [name for reader in readers for name in reader.training_facts.seen]
    # A text in any of the grammars can be read: an empty intersection gives way to the union.
    odd = not_written([reader.rules for reader in readers], fields)
    _echo_odd(odd, "the grammars do not")
    figures = figures_of(results, fields, seen, odd)
    if given.keep is not None:
        name = f"{given.way} of {' and '.join(map(called, readers))}"
        parameters = sum(p.numel() for reader in readers for p in reader.parameters())
        keep_result(given.keep, name, on, figures, parameters=parameters, scales=scales)
    _show(figures, given.as_json)


def _echo_odd(odd: Iterable[Field], why: str) -> None:
    """Print the fields that cannot be read right, since no grammar has their text."""
    for one in odd:
        typer.echo(f"{one.name}: {why} write {one.text!r}; it counts as an error", err=True)


def _show(figures: dict[str, Any], as_json: bool) -> None:
    """Print the misreadings and the figures."""
    echo_problems(figures["problems"])
    wrong = [o for o in figures["outcomes"] if not o.exact]
    longest = max((len(o.name) for o in wrong), default=0)
    for o in wrong:
        read = o.reading
        typer.echo(f"{o.name:<{longest}}  {o.truth:>9}  read {read.text:>9}  {read.confidence:.3f}")
    kept = {k: v for k, v in figures.items() if k not in ("outcomes", "problems")}
    echo_figures(kept, as_json)
