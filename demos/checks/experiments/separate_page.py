"""``python -m demos.checks separate``: trained apart against trained together, as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from demos.tables import in_markdown

__all__ = ["cut_in_errors", "table_of"]

NAMES = {
    "apart": "trained on characters, penalties by hand",
    "longer": "the same, trained for as long as the next",
    "together": "the first, then trained through the graphs",
}


def table_of(folds: Sequence[dict[str, Any]], titles: Mapping[str, str] = NAMES) -> str:
    """Return a table in Markdown of all stages with a title: means and standard errors.

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
    """Return the share of a stage's wrong fields that training together removes.

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
