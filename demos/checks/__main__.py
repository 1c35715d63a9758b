"""``python -m demos.checks``: the command line of the check reader.

``train``, ``evaluate``, ``read``, ``demo``; ``combine`` reads with two readers together,
``crossvalidate`` trains and measures one reader per fold, ``compare`` tables what was measured;
``criteria`` trains one small network by each criterion, ``separate`` a system part by part and as
a whole; ``speed`` counts fields per second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from demos.checks.commands.whole import add_commands, evaluate_whole, load_whole
from demos.checks.experiments.compare import (
    RESULTS,
    keep_result,
    name_of,
    read_results,
    table,
    write_into,
)
from demos.checks.experiments.criteria_page import command as criteria_command
from demos.checks.experiments.crossvalidate import crossvalidate as crossvalidate_fields
from demos.checks.experiments.crossvalidate import doubtful_names
from demos.checks.experiments.segment_recall import command as segmentation_command
from demos.checks.experiments.separate_page import command as separate_command
from demos.checks.experiments.speed import command as speed_command
from demos.checks.measuring.calibration import expected_calibration_error
from demos.checks.measuring.curves import write_plots
from demos.checks.measuring.evaluate import evaluate as evaluate_fields
from demos.checks.measuring.evaluate import figures_of
from demos.checks.options import (
    CORES,
    Checkpoint,
    Data,
    Further,
    Holdout,
    Keep,
    Loss,
    Passes,
    Recognizer,
    ShippedReader,
    Views,
    Workers,
)
from demos.checks.reading.combination import WAYS, read_together
from demos.checks.reading.json_lines import appended, line_of, unread, written
from demos.checks.reading.networks import RECOGNIZERS
from demos.checks.reading.reader import (
    SHIPPED,
    SHIPPED_READERS,
    CheckReader,
    Reading,
    shipped_checkpoint,
)
from demos.checks.reading.volume import read_files
from demos.checks.report.dataset import write_dataset_page
from demos.checks.report.fields import write_report
from demos.checks.report.whole import write_whole_report
from demos.checks.training.recalibration import recalibrate
from demos.checks.training.train import LOSSES, Settings
from demos.checks.training.train import train as train_fields
from demos.checks.whole.evaluate import read_checks
from demos.checks.whole.reader import SHIPPED_WHOLE
from demos.command_line import run
from demos.figures import echo_figures
from demos.image_folders import image_files
from grammars import NAMES
from recognizers.datasets.fields import Field, FieldSet, file_hash, find_data, load_fields
from recognizers.images import ImageError

app = typer.Typer(
    help="Reads handwritten amounts: segmentation, recognition, grammar, Viterbi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

PAGE = "What docs/checks.md shows"
app.command("criteria", rich_help_panel=PAGE)(criteria_command)
app.command("segmentation", rich_help_panel=PAGE)(segmentation_command)
app.command("separate", rich_help_panel=PAGE)(separate_command)
app.command("speed", rich_help_panel=PAGE)(speed_command)
add_commands(app)

Whole = Annotated[bool, typer.Option("--whole", help="Whole checks, not fields.")]
DEMO_FIELDS = Path(__file__).parent / "fields"


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for the reader, its log and its state.")],
    data: Data = None,
    further: Further = None,
    grammar: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "car",
    loss: Loss = "discriminative-forward",
    recognizer: Recognizer = SHIPPED,
    passes: Passes = None,
    digits: Annotated[
        str, typer.Option(help="Single digits to pretrain on: an MNIST folder, small, or auto.")
    ] = Settings.digits,
    start: Annotated[
        str | None,
        typer.Option(
            help=f"A reader to begin with: a checkpoint, or {' or '.join(SHIPPED_READERS)}."
        ),
    ] = None,
    holdout: Holdout = 0,
    infeasible: Annotated[
        str, typer.Option(help="A text that the grammar does not write: raise, or skip.")
    ] = "raise",
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    workers: Workers = CORES,
) -> None:
    """Train a reader from fields and their texts alone; goes on where it was interrupted."""
    _check(infeasible, ("raise", "skip"), "--infeasible")
    _check(loss, LOSSES, "--loss")
    _check(recognizer, RECOGNIZERS, "--recognizer")
    given = {"grammar": grammar, "loss": loss, "digits": digits, "seed": seed}
    settings = Settings.of(recognizer, **given, **({} if passes is None else {"passes": passes}))
    # The held-out files are never opened.
    fields = _fields(data).to_learn(holdout)
    others = _further(further)
    begun = None
    if start is not None:
        begun = _load(shipped_checkpoint(start) if start in SHIPPED_READERS else Path(start))
    metrics = train_fields(
        fields,
        settings,
        out,
        further=others,
        start=begun,
        workers=workers,
        infeasible=infeasible,
    )
    _report_problems(metrics["problems"])
    typer.echo(json.dumps(metrics))


@app.command()
def evaluate(
    data: Data = None,
    checkpoint: Checkpoint = None,
    recognizer: ShippedReader = None,
    holdout: Holdout = 0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    report: Annotated[Path | None, typer.Option(help="Folder for a page of the errors.")] = None,
    page: Annotated[
        Path | None, typer.Option(help="File for a page over all fields: curves, confusions.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for error-reject.svg and reliability.svg.")
    ] = None,
    keep: Keep = None,
    views: Views = None,
    whole: Whole = False,
    workers: Workers = CORES,
) -> None:
    """Measure a reader on labelled fields (with --holdout N on the last N only), or on checks."""
    if whole:
        chosen = {"views": views, "as_json": as_json, "report": report, "keep": keep}
        if holdout or page is not None or plots is not None or recognizer is not None:
            raise typer.BadParameter(
                "--holdout, --page, --plots and --recognizer are for fields, not for --whole"
            )
        evaluate_whole(data, checkpoint, workers=workers, **chosen)
        return
    fields, on = _measured_on(data, holdout)
    reader = _load(_checkpoint(checkpoint, recognizer), views)
    figures = evaluate_fields(reader, fields, workers=workers)
    if keep is not None:
        more = {
            "parameters": sum(p.numel() for p in reader.parameters()),
            "training_seconds": reader.training_facts.report.get("seconds"),
            "views": reader.views,
            "calibration_error": expected_calibration_error(figures["outcomes"]),
        }
        keep_result(keep, _named(reader), on, figures, **more)
    outcomes = figures["outcomes"]
    _show(figures, as_json)
    if report is not None:
        by_name = {one.name: one.path for one in fields}
        wrong = [o for o in outcomes if not o.exact]
        worst = sorted(wrong, key=lambda o: -o.reading.confidence)[:24]
        truths = [o.truth for o in worst]
        written_to = write_report(reader, [by_name[o.name] for o in worst], report, truths)
        typer.echo(f"report: {written_to}", err=as_json)
    if plots is not None:
        write_plots(outcomes, reader.threshold, plots)
    if page is not None:
        write_dataset_page(reader, figures, fields, on, page)
        typer.echo(f"page: {page}", err=True)


@app.command()
def calibrate(
    checkpoint: Annotated[Path, typer.Argument(help="A reader that was trained by train.")],
    out: Annotated[Path, typer.Option(help="File for the calibrated reader.")],
    data: Data = None,
    holdout: Holdout = 0,
    views: Views = None,
    workers: Workers = CORES,
) -> None:
    """Fit a reader's scale and threshold anew on the validation fields of its own training.

    Give the data and the --holdout that it was trained with. The new reader keeps the --views.
    """
    reader = _load(checkpoint, views)
    fields = _fields(data).to_learn(holdout)
    typer.echo(json.dumps(recalibrate(reader, fields, workers=workers)))
    reader.save(out)


@app.command()
def combine(
    checkpoint: Annotated[list[Path], typer.Option(help="A reader; give two or more.")],
    way: Annotated[str, typer.Option(help=f"One of {', '.join(WAYS)}.")] = WAYS[0],
    scale: Annotated[
        list[float] | None, typer.Option(help="How much each reader's penalties count; default 1.")
    ] = None,
    data: Data = None,
    holdout: Holdout = 0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    keep: Keep = None,
    views: Views = None,
    workers: Workers = CORES,
) -> None:
    """Measure several readers together: their graphs intersected, or united."""
    _check(way, WAYS, "--way")
    scales = scale or [1.0] * len(checkpoint)
    if len(checkpoint) < 2 or len(scales) != len(checkpoint):
        raise typer.BadParameter("two readers or more, and one scale for each or none at all")
    readers = [_load(one, views) for one in checkpoint]
    fields, on = _measured_on(data, holdout)
    paths = [one.path for one in fields]
    results = read_together(readers, paths, way, scales=scales, workers=workers)
    seen = [name for reader in readers for name in reader.training_facts.seen]
    figures = figures_of(results, fields, seen)
    if keep is not None:
        name = f"{way} of {' and '.join(map(_named, readers))}"
        parameters = sum(p.numel() for reader in readers for p in reader.parameters())
        keep_result(keep, name, on, figures, parameters=parameters, scales=scales)
    _show(figures, as_json)


@app.command(rich_help_panel=PAGE)
def crossvalidate(
    out: Annotated[Path, typer.Option(help="Folder for the readers and figures of all folds.")],
    folds: Annotated[int, typer.Option(min=2, help="How many.")] = 5,
    block: Annotated[int, typer.Option(min=1, help="Successive names that stay together.")] = 24,
    data: Data = None,
    further: Further = None,
    grammar: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "car",
    loss: Loss = "discriminative-forward",
    recognizer: Recognizer = SHIPPED,
    passes: Passes = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    doubtful: Annotated[
        Path | None, typer.Option(help="Table of fields (file) that are not to count.")
    ] = None,
    keep: Keep = None,
    workers: Workers = CORES,
) -> None:
    """Train and measure a reader for each fold; goes on where it was interrupted."""
    _check(loss, LOSSES, "--loss")
    _check(recognizer, RECOGNIZERS, "--recognizer")
    given = {"grammar": grammar, "loss": loss, "seed": seed}
    settings = Settings.of(recognizer, **given, **({} if passes is None else {"passes": passes}))
    fields = _fields(data).to_learn(0)
    left_out = set() if doubtful is None else doubtful_names(doubtful, fields)
    figures = crossvalidate_fields(
        fields,
        settings,
        out,
        folds=folds,
        block=block,
        further=_further(further),
        doubtful=left_out,
        workers=workers,
    )
    if keep is not None:
        figures = figures.get("doubtful", figures)
        together = f", {block} successive names together" if block > 1 else ""
        less = f", without {len(left_out)} labels in doubt" if left_out else ""
        on = f"{folds} folds of {len(fields)}{together}{less}"
        seconds = figures["seconds"] / folds
        keep_result(keep, name_of(recognizer, loss), on, figures, training_seconds=seconds)
    typer.echo(json.dumps({k: v for k, v in figures.items() if k != "run"}))


@app.command(rich_help_panel=PAGE)
def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of results.")] = RESULTS,
    page: Annotated[
        Path | None, typer.Option(help="Page of which the table is to be rewritten.")
    ] = None,
) -> None:
    """Table the results that evaluate, combine and crossvalidate kept."""
    content = table(read_results(folder))
    if page is not None:
        write_into(page, content)
    typer.echo(content)


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    checkpoint: Checkpoint = None,
    recognizer: ShippedReader = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the lines of JSON; files that it has a line of are skipped."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for one page of pictures.")] = None,
    views: Views = None,
    whole: Whole = False,
    workers: Workers = CORES,
) -> None:
    """Read amounts from images: text, confidence, accepted or rejected."""
    if whole and recognizer is not None:
        raise typer.BadParameter("--recognizer is for fields, not for --whole")
    checkpoint = (checkpoint or SHIPPED_WHOLE) if whole else _checkpoint(checkpoint, recognizer)
    reader: Any = (load_whole if whole else _load)(checkpoint, views)
    read_each: Any = read_checks if whole else read_files
    show: Any = write_whole_report if whole else write_report
    files: Iterable[Path] = image_files(paths)
    if report is not None:
        files = list(files)
    made_by = f"{file_hash(checkpoint)}, {reader.views} views"
    if out is not None:
        left = unread(files, written(out, made_by))
        found = appended(out, read_each(reader, left, workers=workers), made_by)
        failed = found["errors"]
        typer.echo(f"{out}: {', '.join(f'{v:.0f} {k}' for k, v in found.items())}")
    else:
        failed = 0
        for path, result in read_each(reader, files, workers=workers):
            bad = isinstance(result, ImageError)
            failed += bad
            if as_json:
                typer.echo(json.dumps(line_of((path, result), made_by)))
            else:
                typer.echo(str(result) if bad else f"{path}  {_shown(result)}", err=bad)
    if report is not None:
        typer.echo(f"report: {show(reader, list(files), report)}", err=as_json)
    if failed:
        raise typer.Exit(1)


def _shown(reading: Reading) -> str:
    verdict = "accept" if reading.accepted else "reject"
    return f"{reading.text or '(nothing)'}  {reading.confidence:.3f}  {verdict}"


@app.command()
def demo(
    report: Annotated[Path, typer.Option(help="Folder for the page of pictures.")] = Path("report"),
    recognizer: ShippedReader = "two-stream",
) -> None:
    """Read the fields that come with the package, which no training has seen.

    By default with the reader whose every step can be drawn: cuts, segmentation
    graph, recognition, grammar, best path.
    """
    started = time.perf_counter()
    reader = _load(_checkpoint(None, recognizer))
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


def _checkpoint(given: Path | None, recognizer: str | None) -> Path:
    """Return the checkpoint that is given, or that of a shipped reader."""
    if recognizer is not None:
        _check(recognizer, SHIPPED_READERS, "--recognizer")
    if given is None:
        return shipped_checkpoint(recognizer or SHIPPED)
    if recognizer is not None:
        wrong = "names a shipped reader, and --checkpoint another"
        raise typer.BadParameter(wrong, param_hint="--recognizer")
    return given


def _load(checkpoint: Path, views: int | None = None) -> CheckReader:
    reader = CheckReader.load(checkpoint)
    reader.views = views or reader.views
    return reader


def _fields(data: Path | None) -> FieldSet:
    found = load_fields(find_data(data, "car", "checks"))
    _report_problems(found.problems)
    return found


def _further(folders: list[Path] | None) -> list[Field]:
    others: list[Field] = []
    for folder in folders or []:
        composed = load_fields(folder)
        _report_problems(composed.problems)
        others += composed.to_learn(0)
    return others


def _named(reader: CheckReader) -> str:
    """Return what a reader is called, by its recognizer and by what trained it."""
    report = reader.training_facts.report
    name = name_of(reader.recognizer, report.get("settings", {}).get("loss", Settings.loss))
    further = {
        "begun with another": report.get("start"),
        "no prior over lengths": reader.rules.name == "car:no-prior",
    }
    return ", ".join([name, *(what for what, is_so in further.items() if is_so)])


def _measured_on(data: Path | None, holdout: int) -> tuple[list[Field], str]:
    """Return the fields that are measured on, and what to call them."""
    found = _fields(data)
    fields = found.measured(holdout)
    marked = any(one.split == "test" for one in found.fields)
    held_out = f"{'the test,' if marked else 'the last'} {len(fields)} of {len(found.fields)}"
    which = held_out if marked or holdout else f"all {len(fields)}"
    return fields, f"{found.directory.name}: {which}"


def _check(value: str, known: Sequence[str], option: str) -> None:
    if value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)


def _show(figures: dict[str, Any], as_json: bool) -> None:
    """Print what was read wrong, and the figures."""
    _report_problems(figures["problems"])
    for o in figures["outcomes"]:
        if not o.exact:
            read = o.reading
            typer.echo(f"{o.name}  {o.truth:>9}  read {read.text:>9}  {read.confidence:.3f}")
    kept = {k: v for k, v in figures.items() if k not in ("outcomes", "problems")}
    echo_figures(kept, as_json)


def _report_problems(problems: list[str] | tuple[str, ...]) -> None:
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)


if __name__ == "__main__":
    run(app)
