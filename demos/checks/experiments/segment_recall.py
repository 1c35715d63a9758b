"""``python -m demos.checks segmentation``: which digits the segmenter gives an arc of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.checks.options import Data
from demos.command_line import TablePage, figures_to_write, refuse_given, require_known
from demos.figures import keep_figures, load_figures, machine
from demos.tables import in_markdown, write_into
from recognizers.datasets.fields import find_data
from recognizers.segmentation import segment_field
from recognizers.segmentation.quality import SegmentationQuality, measure_segmentation, read_boxes
from recognizers.segmentation.rules import CUTS

__all__ = ["command", "result_of", "table_of"]

LEAST_OVERLAP = 0.7

COLUMNS = ["cuts", "fields", "digits", "arcs per digit", "digits with an arc", "fields with a path"]


def result_of(name: str, quality: SegmentationQuality) -> dict[str, Any]:
    """Return what is kept of a measurement; the digits without an arc as (file, position)."""
    return {
        "cuts": name,
        "fields": quality.fields,
        "digits": quality.digits,
        "arcs_per_digit": quality.arcs_per_digit,
        "digit_recall": quality.digit_recall,
        "field_recall": quality.field_recall,
        "missed": [list(one) for one in quality.missed],
    }


def table_of(results: Sequence[dict[str, Any]]) -> str:
    """Return the measurements as a table in Markdown.

    >>> quality = SegmentationQuality(3, 12, 0.75, 0.5, 11.5, (("a.png", 0),), ("a.png",))
    >>> print(table_of([result_of("usual", quality)]).splitlines()[2])
    | usual | 3 | 12 | 11.5 | 75.00% | 50.0% |
    """
    rows = []
    for one in results:
        counts = [str(one["fields"]), str(one["digits"]), f"{one['arcs_per_digit']:.1f}"]
        rows.append(
            [one["cuts"], *counts, f"{one['digit_recall']:.2%}", f"{one['field_recall']:.1%}"]
        )
    return in_markdown(COLUMNS, rows)


def command(
    context: typer.Context,
    data: Data = None,
    cuts: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(CUTS)}; default: all.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Measure every so many-th field.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the measurements.")
    ] = None,
    measured: Annotated[
        Path | None, typer.Option(help="File that --keep wrote: it is tabled, nothing is measured.")
    ] = None,
    page: TablePage = None,
) -> None:
    """Measure the segmenter against boxes.csv: digits with an arc that overlaps by 0.7 or more."""
    if measured is not None:
        others = ["data", "cuts", "every", "keep"]
        refuse_given(context, others, "--measured has nothing measured")
        kept = load_figures(measured)
        if "results" not in kept:
            raise ValueError(f"{measured}: not what --keep of this command writes")
        results = kept["results"]
    else:
        results = _measure(find_data(data, "car", "checks"), cuts or list(CUTS), every)
        result = {"least_overlap": LEAST_OVERLAP, "results": results, "machine": machine()}
        if keep is not None:
            keep_figures(keep, result)
    if page is not None:
        write_into(page, table_of(results), "segmentation")
    typer.echo(table_of(results))


def _measure(folder: Path, cuts: Sequence[str], every: int) -> list[dict[str, Any]]:
    names = sorted(read_boxes(folder / "boxes.csv"))[::every]
    results = []
    for name in cuts:
        require_known(name, CUTS, "--cuts")
        segment = partial(segment_field, rules=CUTS[name])
        quality = measure_segmentation(folder, names, least_overlap=LEAST_OVERLAP, segment=segment)
        results.append(result_of(name, quality))
    return results
