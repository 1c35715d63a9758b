"""Show a run as text: lines while it runs, and the tables of ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import numpy as np

__all__ = ["lines", "tables", "with_tables"]

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def lines(row: Mapping[str, Any]) -> str:
    """Return a row as lines for the terminal, ratio first.

    >>> entrants = [{"name": "gtn", "ratio": 1.0, "ms": 2.5}, {"name": "x", "ratio": 4.0, "ms": 10}]
    >>> print(lines({"case": "c", "task": "t", "entrants": entrants, "figures": {}, "goals": []}))
    c: t
          1 x      2.5 ms  gtn
          4 x       10 ms  x
    """
    found = [f"{row['case']}: {row['task']}"]
    found += [
        f"{_number(e['ratio']):>7} x {_number(e['ms']):>8} ms  {e['name']}" for e in row["entrants"]
    ]
    found += [f"{_number(value):>21}  {name}" for name, value in row["figures"].items()]
    found += [
        f"{_sign(goal):>21}  {goal['goal']}: {_number(goal['found'])}" for goal in row["goals"]
    ]
    return "\n".join(found)


def tables(record: Mapping[str, Any]) -> str:
    """Return the tables of a record in Markdown: the goals, then every case."""
    machine = ", ".join(f"{k} {v}" for k, v in record["machine"].items() if k != "processor")
    parts = [
        f"Measured on {record['machine']['processor']} ({machine}), {record['size']} sizes.",
        "### Goals",
        "`OpenFst / gtn ≥ 10`: OpenFst should take at least ten times as long as gtn.",
        _table(("case", "goal", "measured", ""), _goals(record["rows"])),
    ]
    for title, group in groupby(record["rows"], key=lambda row: row["title"]):
        rows = list(group)
        parts += [f"### {title}", _size(rows[0]["size"])]
        for row in rows:
            parts += _row(row)
    return "\n\n".join(parts)


def with_tables(page: str, record: Mapping[str, Any]) -> str:
    """Return a page with the tables of a record between its marks.

    >>> record = {"machine": {"processor": "P"}, "size": "full", "rows": []}
    >>> print(with_tables(f"before\\n{BEGIN}\\nold\\n{END}\\nafter", record))
    before
    <!-- benchmarks: begin -->
    <BLANKLINE>
    Measured on P (), full sizes.
    ...
    <!-- benchmarks: end -->
    after
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables(record)}\n\n{END}{after}"


def _size(size: Mapping[str, Any]) -> str:
    """Return the size of a case as text.

    >>> _size({"frames": 12, "few_words": 2000, "batch": [1, 32]})
    'Sizes: frames 12, few words 2,000, batch 1 x 32.'
    """
    said = {
        name.replace("_", " "): " x ".join(f"{n:,}" for n in np.atleast_1d(value).tolist())
        for name, value in size.items()
    }
    return f"Sizes: {', '.join(f'{name} {value}' for name, value in said.items())}."


def _goals(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, ...]]:
    for row in rows:
        for goal in row["goals"]:
            name = f"{row['case']}: {row['task']}"
            yield name, goal["goal"], _number(goal["found"]), _sign(goal)


def _row(row: Mapping[str, Any]) -> list[str]:
    found = []
    rates = dict(row["figures"])
    if row["entrants"]:
        cells = []
        words = set()
        for entrant in row["entrants"]:
            name = entrant["name"]
            own = [key for key in rates if key.startswith(f"{name}, ns per ")]
            rate = f"{_number(rates.pop(own[0]))} ns" if own else ""
            words |= {key.removeprefix(f"{name}, ns ") for key in own}
            cells.append(
                (f"{_number(entrant['ratio'])} x", name, f"{_number(entrant['ms'])} ms", rate)
            )
        heads = ("ratio", row["task"], "time", next(iter(words), ""))
        width = 4 if words else 3
        found.append(_table(heads[:width], (c[:width] for c in cells)))
    if rates:
        found.append(_table((row["task"], ""), ((k, _number(v)) for k, v in rates.items())))
    if row["points"]:
        heads = tuple(row["points"][0])
        cells = (tuple(_number(v) for v in p.values()) for p in row["points"])
        found.append(_table(heads, cells))
    return found


def _sign(goal: Mapping[str, Any]) -> str:
    return "reached" if goal["reached"] else "missed"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _number(value: float) -> str:
    """Return a number as text with three digits and thousands separators.

    >>> _number(0.012345), _number(9.876), _number(123456)
    ('0.0123', '9.88', '123,000')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
