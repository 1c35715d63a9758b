"""Commands that read images: ``read``, and ``demo`` for the shipped fields."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from demos.checks.commands.arguments import checkpoint_of, load_reader
from demos.checks.commands.whole import load_whole
from demos.checks.options.read import Demo, Read
from demos.checks.reading.json_lines import appended, line_of, unread, written
from demos.checks.reading.reader import Reading
from demos.checks.reading.volume import read_files
from demos.checks.report.fields import write_report
from demos.checks.report.whole import write_whole_report
from demos.checks.whole.evaluate import read_checks
from demos.checks.whole.reader import SHIPPED_WHOLE
from demos.image_folders import image_files
from recognizers.datasets.fields import file_hash, load_fields
from recognizers.images import ImageError

__all__ = ["DEMO_FIELDS", "demo", "read"]


DEMO_FIELDS = Path(__file__).parents[1] / "fields"
"""The folder of the shipped fields."""


def read(given: Read) -> None:
    """Print the readings or write them to a file; exit with 1 if any image cannot be read."""
    if given.whole:
        checkpoint = given.checkpoint or SHIPPED_WHOLE
    else:
        checkpoint = checkpoint_of(given.checkpoint, given.recognizer)
    reader: Any = (load_whole if given.whole else load_reader)(checkpoint, given.views)
    read_each: Any = read_checks if given.whole else read_files
    show: Any = write_whole_report if given.whole else write_report
    files: Iterable[Path] = image_files(given.paths)
    if given.report is not None:
        files = list(files)
    made_by = f"{file_hash(checkpoint)}, {reader.views} views"
    if given.out is not None:
        left = unread(files, written(given.out, made_by))
        found = appended(given.out, read_each(reader, left, workers=given.workers), made_by)
        failed = found["errors"]
        typer.echo(f"{given.out}: {', '.join(f'{v:.0f} {k}' for k, v in found.items())}")
    else:
        failed = 0
        for path, result in read_each(reader, files, workers=given.workers):
            bad = isinstance(result, ImageError)
            failed += bad
            if given.as_json:
                typer.echo(json.dumps(line_of((path, result), made_by)))
            else:
                typer.echo(str(result) if bad else f"{path}  {_shown(result)}", err=bad)
    if given.report is not None:
        typer.echo(f"report: {show(reader, list(files), given.report)}", err=given.as_json)
    if failed:
        raise typer.Exit(1)


def _shown(reading: Reading) -> str:
    verdict = "accept" if reading.accepted else "reject"
    return f"{reading.text or '(nothing)'}  {reading.confidence:.3f}  {verdict}"


def demo(given: Demo) -> None:
    """Print each reading beside the true text, and write the page of pictures."""
    started = time.perf_counter()
    reader = load_reader(checkpoint_of(None, given.recognizer))
    fields = load_fields(DEMO_FIELDS).fields
    right = 0
    typer.echo(f"{'file':16} {'written':>9} {'read':>9}  confidence")
    readings = read_files(reader, [one.path for one in fields])
    for one, (_, reading) in zip(fields, readings, strict=True):
        if isinstance(reading, ImageError):
            raise reading
        right += reading.text == one.text
        verdict = "accept" if reading.accepted else "reject"
        mark = " " if reading.text == one.text else "*"
        row = f"{one.name:16} {one.text:>9} {reading.text:>9}{mark} {reading.confidence:9.3f}"
        typer.echo(f"{row}  {verdict}")
    page = write_report(
        reader, [one.path for one in fields], given.report, [f.text for f in fields]
    )
    seconds = time.perf_counter() - started
    typer.echo(f"{right} of {len(fields)} exactly right, in {seconds:.1f} s")
    typer.echo(f"Open {page} to see how they were read.")
