"""``python -m demos.checks speed``: fields read per second, by one process and by more."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demos.checks.reading.reader import CheckReader
from demos.checks.reading.volume import read_files
from demos.tables import in_markdown

__all__ = ["measure", "table_of"]

COLUMNS = ["recognizer", "processes", "fields", "fields per second", "per second of processor time"]


def measure(
    reader: CheckReader, paths: Sequence[Path], workers: int, repeat: int = 1
) -> dict[str, Any]:
    """Measure how long it takes to read all files ``repeat`` times.

    The time covers everything from opening the files to the texts, and the start of other
    processes. ``processor_seconds`` sums over all processes; on a busy machine it says more than
    ``seconds``. The first 64 fields are read beforehand, so that kernels are loaded.
    """
    for _ in read_files(reader, paths[:64]):
        pass
    begun, started = os.times(), time.perf_counter()
    count = sum(1 for _ in read_files(reader, list(paths) * repeat, workers=workers))
    seconds, ended = time.perf_counter() - started, os.times()
    return {
        "recognizer": reader.recognizer,
        "views": reader.views,
        "processes": workers,
        "fields": count,
        "seconds": seconds,
        "processor_seconds": sum(ended[:4]) - sum(begun[:4]),
    }


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """Return the measurements as a table in Markdown.

    >>> row = {"recognizer": "sdnn", "views": 1, "processes": 2, "fields": 900}
    >>> print(table_of([{**row, "seconds": 2.0, "processor_seconds": 3.0}]).splitlines()[2])
    | sdnn | 2 | 900 | 450 | 300 |
    """
    lines = []
    for row in rows:
        name = row["recognizer"] + (f", {row['views']} views" if row["views"] > 1 else "")
        rates = [row["fields"] / row[key] for key in ("seconds", "processor_seconds")]
        lines.append(
            [name, str(row["processes"]), str(row["fields"]), *(f"{rate:.0f}" for rate in rates)]
        )
    return in_markdown(COLUMNS, lines)
