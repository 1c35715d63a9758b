"""Commands that run the experiments of ``docs/checks.md``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import typer

from demos.checkpoint import write_whole
from demos.checks.choices import CRITERIA, CUTS
from demos.checks.experiments import criteria_page, segment_recall, separate_page
from demos.checks.experiments.criteria import compare_criteria
from demos.checks.experiments.separate import TOGETHER, compare_trainings
from demos.checks.experiments.settings import Budget, Effort
from demos.checks.experiments.speed import measure, table_of
from demos.checks.options.experiments import Criteria, Segmentation, Separate, Speed
from demos.checks.options.shared import CORES
from demos.checks.reading.reader import CheckReader, shipped_checkpoint
from demos.figures import keep_figures, load_figures, machine
from demos.plots import as_svg
from demos.run_state import training_into
from demos.tables import write_into
from recognizers.datasets.fields import find_data, load_fields
from recognizers.segmentation.quality import read_boxes

__all__ = ["criteria", "segmentation", "separate", "speed"]


def criteria(given: Criteria) -> None:
    """Train by each criterion, and write and print the results."""
    names: Sequence[str] = given.loss or tuple(CRITERIA)
    budget = replace(
        Budget(),
        fields=given.fields,
        validation=given.validation,
        passes=given.passes,
        digit_steps=given.digit_steps,
        digits=given.digits,
        seed=given.seed,
    )
    with training_into(given.out):
        found = load_fields(find_data(given.data, "car", "checks")).to_learn(0)
        result: dict[str, Any] = compare_criteria(found, budget, given.out, criteria=names)
    write_whole(given.out / "criteria.svg", as_svg(criteria_page.curves_of(result["criteria"])))
    content = criteria_page.table_of(result["criteria"])
    if given.page is not None:
        trained = (
            f"{result['training_fields']} fields, {budget.passes} passes, seed {budget.seed}, "
            f"measured on {result['validation_fields']} others; {machine()}."
        )
        write_into(given.page, f"{content}\n\n{trained}", "criteria")
    typer.echo(content)


def segmentation(given: Segmentation) -> None:
    """Print the measurements, new or stored, and write them into a page."""
    if given.measured is not None:
        kept = load_figures(given.measured)
        if "results" not in kept:
            raise ValueError(f"{given.measured}: not what --keep of this command writes")
        results = kept["results"]
    else:
        folder, cuts = find_data(given.data, "car", "checks"), given.cuts or CUTS
        results = segment_recall.measure(folder, cuts, given.every)
        least = segment_recall.LEAST_OVERLAP
        result = {"least_overlap": least, "results": results, "machine": machine()}
        if given.keep is not None:
            keep_figures(given.keep, result)
    if given.page is not None:
        write_into(given.page, segment_recall.table_of(results), "segmentation")
    typer.echo(segment_recall.table_of(results))


def separate(given: Separate) -> None:
    """Train and measure the systems, and write and print a table of them."""
    effort = replace(
        Effort(),
        recognizer=given.recognizer,
        folds=given.folds,
        apart=given.apart,
        longer=given.longer,
        together=given.together,
        seed=given.seed,
    )
    with training_into(given.out):
        found = load_fields(find_data(given.data, "car", "checks"))
        lines = compare_trainings(
            found.to_learn(0),
            read_boxes(found.directory / "boxes.csv"),
            effort,
            given.out,
            only=given.fold or (),
            criteria=[name for name in given.loss or () if name != TOGETHER],
            workers=given.workers,
        )
    summary = (
        f"{sum(line['n'] for line in lines)} fields in {len(lines)} of {given.folds} folds, "
        f"`{given.recognizer}`, one view, seed {given.seed}; {machine()}."
    )
    if given.loss:
        by_name = {"together" if name == TOGETHER else name: name for name in given.loss}
        titles = {"apart": separate_page.NAMES["apart"], **by_name}
        name, content = "separate-criteria", separate_page.table_of(lines, titles)
    else:
        name, content = "separate", separate_page.table_of(lines)
        cut, longer = (separate_page.cut_in_errors(lines, stage) for stage in ("apart", "longer"))
        summary += (
            f" Training through the graphs takes away {cut:.0%} of the wrong fields of the system "
            f"trained apart, and {longer:.0%} of those of the one trained apart for longer."
        )
    write_whole(given.out / f"{name}.md", f"{content}\n\n{summary}\n")
    if given.page is not None:
        write_into(given.page, f"{content}\n\n{summary}", name)
    typer.echo(f"{content}\n\n{summary}")


def speed(given: Speed) -> None:
    """Print a line of JSON for each measurement, and write a table of them into a page."""
    paths = [one.path for one in load_fields(find_data(given.data, "car", "checks")).fields]
    rows = []
    for path in given.checkpoint or [shipped_checkpoint("sdnn")]:
        reader = CheckReader.load(path)
        reader.views = given.views or reader.views
        for count in given.workers or sorted({1, CORES}):
            rows.append(measure(reader, paths, count, given.repeat))
            typer.echo(json.dumps(rows[-1]))
    result = {"measurements": rows, "machine": machine()}
    if given.keep is not None:
        keep_figures(given.keep, result)
    if given.page is not None:
        write_into(given.page, f"{table_of(rows)}\n\nMeasured on {result['machine']}.", "speed")
