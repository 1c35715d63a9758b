"""``python -m demos.checks train|evaluate|read``: the command line of the check reader."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.checkpoint import CheckpointError
from demos.checks.evaluate import evaluate as evaluate_fields
from demos.checks.evaluate import read_files
from demos.checks.networks import RECOGNIZERS
from demos.checks.reader import CheckReader, shipped_checkpoint
from demos.checks.report import write_report
from demos.checks.train import LOSSES, Settings
from demos.checks.train import train as train_fields
from grammars import NAMES
from gtn import GraphError
from recognizers.datasets.fields import Field, FieldSetError, find_data, load_fields
from recognizers.images import IMAGE_SUFFIXES, ImageError

app = typer.Typer(
    help="Reads handwritten amounts: segmentation, recognition, grammar, Viterbi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

CORES = os.cpu_count() or 1
DEMO_FIELDS = Path(__file__).parent / "fields"

Data = Annotated[
    Path | None, typer.Option(help="Folder with labels.csv; default: car or checks in $GTN_DATA.")
]
Holdout = Annotated[int, typer.Option(min=0, help="The last N file names.")]
Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]
Views = Annotated[
    int | None,
    typer.Option(min=1, help="In how many versions a field is read; default: the reader's."),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that segment fields.")]


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for the reader, its log and its state.")],
    data: Data = None,
    further: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of further fields, of which some are drawn in each pass."),
    ] = None,
    grammar: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "car",
    loss: Annotated[str, typer.Option(help=f"One of {', '.join(LOSSES)}.")] = (
        "discriminative-forward"
    ),
    recognizer: Annotated[str, typer.Option(help=f"One of {', '.join(RECOGNIZERS)}.")] = (
        Settings.recognizer
    ),
    passes: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the fields; default: what suits the recognizer."),
    ] = None,
    digits: Annotated[
        str, typer.Option(help="Single digits to pretrain on: an MNIST folder, small, or auto.")
    ] = Settings.digits,
    holdout: Holdout = 0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    workers: Workers = CORES,
) -> None:
    """Train a reader from fields and their texts alone; goes on where it was interrupted."""
    if loss not in LOSSES:
        raise typer.BadParameter(f"{loss!r} is none of {', '.join(LOSSES)}", param_hint="--loss")
    if recognizer not in RECOGNIZERS:
        known = ", ".join(RECOGNIZERS)
        raise typer.BadParameter(f"{recognizer!r} is none of {known}", param_hint="--recognizer")
    found = load_fields(find_data(data, "car", "checks"))
    _report_problems(found.problems)
    others: list[Field] = []
    for folder in further or []:
        composed = load_fields(folder)
        _report_problems(composed.problems)
        others += composed.fields
    given = {"grammar": grammar, "loss": loss, "digits": digits, "seed": seed}
    settings = Settings.of(recognizer, **given, **({} if passes is None else {"passes": passes}))
    # The held-out files are never opened.
    fields = found.held_out(holdout)[0]
    metrics = train_fields(fields, settings, out, further=others, workers=workers)
    typer.echo(json.dumps(metrics))


@app.command()
def evaluate(
    data: Data = None,
    checkpoint: Checkpoint = None,
    holdout: Holdout = 0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for a page of the errors.")] = None,
    views: Views = None,
    workers: Workers = CORES,
) -> None:
    """Measure a reader on labelled fields (with --holdout N on the last N only)."""
    found = load_fields(find_data(data, "car", "checks"))
    _report_problems(found.problems)
    fields = found.held_out(holdout)[1] if holdout else list(found.fields)
    reader = _load(checkpoint, views)
    figures = evaluate_fields(reader, fields, workers=workers)
    outcomes = figures.pop("outcomes")
    problems = figures.pop("problems")
    _report_problems(problems)
    wrong = [o for o in outcomes if not o.exact]
    for o in wrong:
        typer.echo(f"{o.name}  {o.truth:>9}  read {o.reading.text:>9}  {o.reading.confidence:.3f}")
    if report is not None:
        by_name = {one.name: one.path for one in fields}
        worst = sorted(wrong, key=lambda o: -o.reading.confidence)[:24]
        page = write_report(reader, [by_name[o.name] for o in worst], report)
        typer.echo(f"report: {page}")
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for name, value in figures.items():
            typer.echo(f"{name:24} {value:.4g}")


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    checkpoint: Checkpoint = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for one page of pictures.")] = None,
    views: Views = None,
    workers: Workers = 1,
) -> None:
    """Read amounts from images: text, confidence, accepted or rejected."""
    reader = _load(checkpoint, views)
    failed = 0
    files = _files(paths)
    for path, result in read_files(reader, files, workers=workers):
        if isinstance(result, ImageError):
            failed += 1
            typer.echo(
                json.dumps({"file": str(path), "error": str(result)}) if as_json else str(result),
                err=not as_json,
            )
        elif as_json:
            alternatives = [{"text": t, "posterior": p} for t, p in result.alternatives]
            line = {
                "file": str(path),
                "text": result.text,
                "confidence": result.confidence,
                "accepted": result.accepted,
                "alternatives": alternatives,
            }
            typer.echo(json.dumps(line))
        else:
            verdict = "accept" if result.accepted else "reject"
            typer.echo(f"{path}  {result.text or '(nothing)'}  {result.confidence:.3f}  {verdict}")
    if report is not None:
        typer.echo(f"report: {write_report(reader, files, report)}", err=as_json)
    if failed:
        raise typer.Exit(1)


@app.command()
def demo(
    report: Annotated[Path, typer.Option(help="Folder for the page of pictures.")] = Path("report"),
) -> None:
    """Read the fields that come with the package, which no training has seen."""
    started = time.perf_counter()
    reader = _load(None)
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
    page = write_report(reader, [one.path for one in fields], report, [f.text for f in fields])
    seconds = time.perf_counter() - started
    typer.echo(f"{right} of {len(fields)} exactly right, in {seconds:.1f} s")
    typer.echo(f"Open {page} to see how they were read.")


def _load(checkpoint: Path | None, views: int | None = None) -> CheckReader:
    reader = CheckReader.load(checkpoint or shipped_checkpoint())
    reader.views = views or reader.views
    return reader


def _files(paths: list[Path]) -> list[Path]:
    """Return the files, and the images of the folders (theirs, and those of images/)."""
    found = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
            if not inside:
                raise ImageError(f"{path}: no image in this folder")
            found += inside
        else:
            found.append(path)
    return found


def _report_problems(problems: list[str] | tuple[str, ...]) -> None:
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)


def main() -> None:
    """Run the command line; errors of the user's files end in one line, not in a traceback."""
    try:
        app()
    except (CheckpointError, FieldSetError, GraphError, ImageError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
