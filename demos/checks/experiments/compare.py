"""The table of all readers on the same fields, from their stored results.

``evaluate``, ``combine`` and ``crossvalidate`` each write a result to ``results/checks``; the table
is made from these files alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demos.checks.training.settings import Settings
from demos.figures import keep_figures, load_figures, machine
from demos.tables import in_markdown

__all__ = ["keep_result", "name_of", "read_results", "table"]

COLUMNS = {
    "name": "reader",
    "on": "fields",
    "exact": "exactly right",
    "digit_error": "digit error",
    "accepted_at_1pct_error": "accepted at 1% error",
    "parameters": "parameters",
    "training_seconds": "training, minutes",
}


def name_of(recognizer: str, loss: str = Settings.loss) -> str:
    """Return the name of a reader: its recognizer, and its criterion unless that is the default.

    >>> name_of("sdnn"), name_of("crnn", "ctc")
    ('sdnn', 'crnn by ctc')
    """
    return recognizer if loss == Settings.loss else f"{recognizer} by {loss}"


def keep_result(path: Path, name: str, on: str, figures: dict[str, Any], **more: Any) -> None:
    """Write a result: the figures, of which reader, on which fields, and on which machine."""
    kept = {k: v for k, v in figures.items() if k not in ("outcomes", "problems")}
    outcomes = figures.get("outcomes", [])
    wrong = {o.name: [o.truth, o.reading.text] for o in outcomes if not o.exact}
    wrong = figures.get("wrong", wrong)  # folds know theirs already
    content = {"name": name, "on": on, **kept, **more, "wrong": wrong, "machine": machine()}
    keep_figures(path, content)


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return the results in a folder, by the fields measured on, the best first.

    Raises:
        ValueError: there is no result, or a file is not one; the message names it.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        result = load_figures(path)
        if not {"name", "on", "exact"} <= result.keys():
            raise ValueError(f"{path}: not a result; name, on and exact are in one")
        if not isinstance(result["exact"], int | float):
            raise ValueError(f"{path}: exact is {result['exact']!r}, not a number")
        found.append(result)
    if not found:
        raise ValueError(f"{folder}: no result; `evaluate --keep FILE` writes one")
    return sorted(found, key=lambda r: (r["on"], -r["exact"]))


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return the results as a table in Markdown.

    >>> print(table([{"name": "a", "on": "12", "exact": 0.75}]).splitlines()[2])
    | a | 12 | 75.0% |  |  |  |  |
    """
    rows = [[_cell(name, result) for name in COLUMNS] for result in results]
    return in_markdown(list(COLUMNS.values()), rows)


def _cell(name: str, result: dict[str, Any]) -> str:
    value = result.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if name == "parameters":
        return f"{value:,}"
    if name == "training_seconds":
        return f"{value / 60:.0f}"
    spread = result.get("standard_errors", {}).get(name)
    return f"{value:.1%}" + (f" ± {100 * spread:.1f}" if spread is not None else "")
