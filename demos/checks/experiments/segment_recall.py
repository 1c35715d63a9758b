"""``python -m demos.checks segmentation``: for which digits the segmenter proposes an arc."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from demos.tables import in_markdown
from recognizers.segmentation import segment_field
from recognizers.segmentation.quality import SegmentationQuality, measure_segmentation, read_boxes
from recognizers.segmentation.rules import CUTS

__all__ = ["LEAST_OVERLAP", "measure", "result_of", "table_of"]

LEAST_OVERLAP = 0.7

COLUMNS = ["cuts", "fields", "digits", "arcs per digit", "digits with an arc", "fields with a path"]


def result_of(name: str, quality: SegmentationQuality) -> dict[str, Any]:
    """Return the figures of a measurement to keep; digits without an arc as [file, position]."""
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


def measure(folder: Path, cuts: Sequence[str], every: int) -> list[dict[str, Any]]:
    """Measure each way to cut on every ``every``-th field that has boxes."""
    names = sorted(read_boxes(folder / "boxes.csv"))[::every]
    results = []
    for name in cuts:
        segment = partial(segment_field, rules=CUTS[name])
        quality = measure_segmentation(folder, names, least_overlap=LEAST_OVERLAP, segment=segment)
        results.append(result_of(name, quality))
    return results
