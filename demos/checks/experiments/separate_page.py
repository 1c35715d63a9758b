"""``python -m demos.checks separate``: trained apart against trained together, as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from demos.checkpoint import write_whole
from demos.checks.experiments.separate import TOGETHER, Effort, compare_trainings
from demos.checks.options import CORES, Data, Workers
from demos.checks.reading.networks import RECOGNIZERS, SWEEPING
from demos.checks.training.segments import CRITERIA
from demos.command_line import Seed, TablePage, folder_to_write, require_known
from demos.figures import machine
from demos.tables import in_markdown, write_into
from recognizers.datasets.fields import find_data, load_fields
from recognizers.segmentation.quality import read_boxes

__all__ = ["command", "cut_in_errors", "table_of"]

NAMES = {
    "apart": "trained on characters, penalties by hand",
    "longer": "the same, trained for as long as the next",
    "together": "the first, then trained through the graphs",
}


def table_of(folds: Sequence[dict[str, Any]], titles: Mapping[str, str] = NAMES) -> str:
    """Return a table in Markdown, of all stages that have a title: means with standard errors.

    >>> figures = {"exact": 0.75, "digit_error": 0.125, "seconds": 90.0}
    >>> print(table_of([{"n": 4, **{stage: figures for stage in NAMES}}]).splitlines()[4])
    | the first, then trained through the graphs | 25.0% | 12.5% | 2 |
    """
    rows = []
    for stage, title in titles.items():
        wrong = _share([1.0 - fold[stage]["exact"] for fold in folds])
        digits = _share([fold[stage]["digit_error"] for fold in folds])
        minutes = np.mean([fold[stage]["seconds"] for fold in folds]) / 60.0
        rows.append([title, wrong, digits, f"{minutes:.0f}"])
    return in_markdown(["system", "fields wrong", "digit error", "training, minutes"], rows)


def cut_in_errors(folds: Sequence[dict[str, Any]], before: str = "apart") -> float:
    """Return the share of the wrong fields of a stage that training together takes away.

    >>> cut_in_errors([{"n": 10, "apart": {"exact": 0.6}, "together": {"exact": 0.8}}])
    0.5
    """
    wrong = [
        sum(fold["n"] * (1.0 - fold[stage]["exact"]) for fold in folds)
        for stage in (before, "together")
    ]
    return round(1.0 - wrong[1] / wrong[0], 9) if wrong[0] else 0.0


def _share(values: Sequence[float]) -> str:
    spread = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.1%}" + (f" ± {100 * spread:.1f}" if spread else "")


def command(
    out: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the figures of the folds.")
    ],
    data: Data = None,
    recognizer: Annotated[str, typer.Option(help="One that reads segments.")] = Effort.recognizer,
    folds: Annotated[int, typer.Option(min=2, help="How many.")] = Effort.folds,
    fold: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this one; may be given again.")
    ] = None,
    apart: Annotated[int, typer.Option(min=1, help="Passes over characters.")] = Effort.apart,
    longer: Annotated[int, typer.Option(min=1, help="More such passes.")] = Effort.longer,
    together: Annotated[int, typer.Option(min=1, help="Passes over fields.")] = Effort.together,
    loss: Annotated[
        list[str] | None,
        typer.Option(help="Show what this other criterion makes of it; may be given again."),
    ] = None,
    seed: Seed = 0,
    page: TablePage = None,
    workers: Workers = CORES,
) -> None:
    """Train a system part by part, and then as a whole, and measure both in each fold.

    With --loss, the table is that of the criteria by which the whole was trained, and has a place
    of its own on the page. Needs boxes.csv in the data. Goes on where it was interrupted: a fold
    that is done is not trained again.
    """
    cutting = [name for name in RECOGNIZERS if name not in SWEEPING]
    require_known(recognizer, cutting, "--recognizer")
    if any(number >= folds for number in fold or ()):
        raise typer.BadParameter(f"of {folds} folds, the last is {folds - 1}", param_hint="--fold")
    for name in loss or ():
        if name not in CRITERIA:
            raise typer.BadParameter(
                f"{name!r}; known are {', '.join(CRITERIA)}", param_hint="--loss"
            )
    effort = replace(
        Effort(),
        recognizer=recognizer,
        folds=folds,
        apart=apart,
        longer=longer,
        together=together,
        seed=seed,
    )
    found = load_fields(find_data(data, "car", "checks"))
    lines = compare_trainings(
        found.to_learn(0),
        read_boxes(found.directory / "boxes.csv"),
        effort,
        out,
        only=fold or (),
        criteria=[name for name in loss or () if name != TOGETHER],
        workers=workers,
    )
    summary = (
        f"{sum(line['n'] for line in lines)} fields in {len(lines)} of {folds} folds, "
        f"`{recognizer}`, one view, seed {seed}; {machine()}."
    )
    if loss:
        criteria = {"together" if name == TOGETHER else name: name for name in loss}
        name, content = "separate-criteria", table_of(lines, {"apart": NAMES["apart"], **criteria})
    else:
        name, content = "separate", table_of(lines)
        summary += (
            f" Training through the graphs takes away {cut_in_errors(lines):.0%} of the wrong "
            f"fields of the system trained apart, and {cut_in_errors(lines, 'longer'):.0%} of "
            "those of the one trained apart for longer."
        )
    write_whole(out / f"{name}.md", f"{content}\n\n{summary}\n")
    if page is not None:
        write_into(page, f"{content}\n\n{summary}", name)
    typer.echo(f"{content}\n\n{summary}")
