"""What the commands of the digit recognizers do with their options."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import typer

from demos.checkpoint import write_whole
from demos.command_line import echo_problems
from demos.figures import echo_figures, figures_folder, keep_figures, machine
from demos.image_folders import echo_bad, image_files, load_each
from demos.mnist.baselines import run_baseline, validate_baseline
from demos.mnist.choices import RESULTS
from demos.mnist.compare import compare as write_comparison
from demos.mnist.evaluate import evaluate as evaluate_network
from demos.mnist.evaluate import load_digits
from demos.mnist.field_digits import cut_digits
from demos.mnist.models import load_model, shipped
from demos.mnist.options import (
    Baseline,
    Compare,
    CutDigits,
    Download,
    Evaluate,
    Pictures,
    Read,
    Robustness,
    Ship,
    Time,
    Train,
    TrainSizes,
    numbers_of,
    settings_of,
)
from demos.mnist.own_digits import OwnDigits, is_digit, load_digit, own_digits, train_on_own
from demos.mnist.pictures import draw_pictures
from demos.mnist.read import DigitReader, evaluate_folder
from demos.mnist.recipes import RECIPES, with_settings
from demos.mnist.robustness import robustness as measure_changes
from demos.mnist.rows import finish, ship, train_row, validate_recipe
from demos.mnist.sizes import train_sizes
from demos.mnist.timing import measure_time
from demos.run_state import training_into
from recognizers.datasets.download import download_mnist
from recognizers.datasets.fields import FieldSetError, find_data, load_fields
from recognizers.datasets.mirrors import MIRRORS
from recognizers.datasets.mnist import has_mnist


def train(given: Train) -> None:
    """Train a row on MNIST or on the user's own digits, and print its errors."""
    if given.own is not None:
        _train_on_own(given, given.own)
        return
    ending = "-validated" if given.validate else ""
    out = given.out or Path("runs") / "mnist" / f"{given.row}-seed{given.seed}{ending}"
    row, seed, data = given.row, given.seed, given.data
    if given.validate:
        settings = given.setting or []
        with training_into(out):
            wrong = validate_recipe(
                row, settings, seed, data, out, given.results, progress=given.progress
            )
        typer.echo(json.dumps({"row": row, "seed": seed, "validation_error": wrong}))
        return
    with training_into(out):
        trained = train_row(row, seed, data, out, progress=given.progress)
    result = finish(row, seed, trained, data, given.results)
    typer.echo(json.dumps({"row": row, "seed": seed, "error": result.error}))


def _train_on_own(given: Train, data: Path) -> None:
    recipe = with_settings(RECIPES[given.row], given.setting or [])
    if given.validate or recipe.boosted or (given.alone and given.digits is not None):
        raise typer.BadParameter(
            f"{data} has labels.csv: one network is trained on its digits, with those of "
            "--digits or --alone; --holdout measures it",
            param_hint="--validate" if given.validate else "--row" if recipe.boosted else "--alone",
        )
    name = f"{given.row}-{data.resolve().name}-seed{given.seed}"
    out = given.out or Path("runs") / "mnist" / name
    with training_into(out):
        own, held_out = _own(data, given.holdout)
        mnist = None if given.alone else load_digits(recipe.model, "train", given.digits)
        metrics = train_on_own(
            recipe,
            given.seed,
            own,
            out,
            mnist=mnist,
            held_out=held_out,
            row=given.row,
            progress=given.progress,
        )
    figures = {"row": given.row, "seed": given.seed}
    figures |= {"own": len(own.fields), "mnist": metrics["mnist"]}
    typer.echo(json.dumps(figures | metrics.get("held_out", {})))


def evaluate(given: Evaluate) -> None:
    """Print a network's errors on MNIST's test digits or on the user's own."""
    data = given.data
    if data is not None and given.own is None and not has_mnist(data, "test"):
        raise FieldSetError(f"{data}: neither a labels.csv nor the test digits of MNIST")
    if given.own is not None:
        figures, wrong, problems = evaluate_folder(
            DigitReader(given.checkpoint or shipped()), given.own, holdout=given.holdout
        )
        echo_problems(problems)
        for name, truth, text in wrong:
            if not is_digit(truth):
                _echo_odd(name, truth)
            typer.echo(f"{name}  {truth}  read {text}")
        if given.keep is not None:
            keep_figures(given.keep, figures)
        echo_figures(figures, given.as_json)
        return
    model, network, _ = load_model(given.checkpoint or shipped())
    figures = evaluate_network(model, network, load_digits(model, "test", data))
    keys = ("n", "error", "reject_for_half_percent", "parameters")
    line = {"model": model} | {key: figures[key] for key in keys}
    if given.keep is not None:
        keep_figures(given.keep, line)
    if given.as_json:
        typer.echo(json.dumps(line))
        return
    for name, value in line.items():
        typer.echo(f"{name:24} {value}")
    typer.echo(f"{'digits per second':24} {figures['n'] / figures['seconds']:,.0f}")


def read(given: Read) -> None:
    """Print each file's digit and its probability."""
    reader = DigitReader(given.checkpoint or shipped())
    for path, frame in echo_bad(load_each(image_files(given.paths), load_digit), given.as_json):
        best, second = ({"digit": d, "probability": p} for d, p in reader.read(frame)[:2])
        if given.as_json:
            typer.echo(json.dumps({"file": str(path), **best, "second": second}))
        else:
            typer.echo(f"{path}  {best['digit']}  {best['probability']:.3f}")


def baseline(given: Baseline) -> None:
    """Fit a row that is not a LeNet, and print its error."""
    row, seed = given.row, given.seed
    if given.validate:
        wrong = validate_baseline(
            row,
            seed,
            given.data,
            given.results,
            settings=settings_of(given.setting),
            digits=given.digits,
        )
        typer.echo(json.dumps({"row": row, "seed": seed, "validation_error": wrong}))
        return
    result = run_baseline(row, seed, given.data, given.out, given.results, progress=True)
    typer.echo(json.dumps({"row": row, "seed": seed, "error": result.error}))


def compare(given: Compare) -> None:
    """Write the page of all results."""
    typer.echo(str(write_comparison(given.results, given.page, given.data)))


def train_on_parts(given: TrainSizes) -> None:
    """Train on parts of the digits, and print where the figures are."""
    sizes = numbers_of(given.sizes)
    with training_into(given.out):
        path = train_sizes(sizes, given.seed, given.data, given.out, given.results)
    typer.echo(str(path))


def robustness(given: Robustness) -> None:
    """Print and write the share wrong of changed digits."""
    some = given.digits is not None and given.results is None
    folder = None if some else figures_folder(given.results, given.checkpoint, [shipped()], RESULTS)
    figures = measure_changes(given.checkpoint or shipped(), given.data, folder, given.digits)
    if given.as_json:
        typer.echo(json.dumps(figures))
        return
    for name, pairs in figures["curves"].items():
        typer.echo(name + "  " + "  ".join(f"{amount:g}: {wrong:.2%}" for amount, wrong in pairs))


def pictures(given: Pictures) -> None:
    """Write the page of pictures."""
    checkpoint = given.checkpoint or shipped()
    page = draw_pictures(checkpoint, given.out, given.data, digit=given.digit, seed=given.seed)
    typer.echo(str(page))


def download(given: Download) -> None:
    """Fetch the files, and print where they are."""
    for path in download_mnist(given.folder, given.url or MIRRORS):
        typer.echo(str(path))


def ship_rows(given: Ship) -> None:
    """Copy the weights of rows into the package."""
    for row in given.rows:
        for path in ship(row, given.results):
            typer.echo(str(path))


def time_training(given: Time) -> None:
    """Print and write how long a pass takes."""
    figures = measure_time(given.steps)
    if given.write is not None:
        where = {"machine": machine(), "torch": torch.__version__}
        write_whole(given.write, json.dumps(figures | where, indent=2) + "\n")
    if given.as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:40} {value:,.3g}" if value < 100 else f"{name:40} {value:,.0f}")


def cut_field_digits(given: CutDigits) -> None:
    """Write the digits of fields, and print how many there are."""
    count, problems = cut_digits(find_data(given.data, "car"), given.out)
    echo_problems(problems)
    typer.echo(f"{count} digits and labels.csv in {given.out}")


def _own(data: Path, holdout: int) -> tuple[OwnDigits, OwnDigits | None]:
    """Return the digits of a folder with labels.csv to learn, and those held out, if any."""
    found = load_fields(data)
    rest, last = found.to_learn(holdout), found.held_out(holdout)[1]
    rows = [one for one in rest if one.split in ("", "train")]
    if len(rows) < len(rest):
        echo_problems([f"rows of the split validation, {len(rest) - len(rows)}"])
    own, problems = own_digits(rows, found.problems)
    held_out, more = own_digits(last, measured=True) if last else (None, [])
    echo_problems([*problems, *more])
    for one in held_out.odd if held_out is not None else ():
        _echo_odd(one.name, one.text)
    return own, held_out


def _echo_odd(name: str, text: str) -> None:
    typer.echo(f"{name}: the text {text!r} is not a single digit; it counts as an error", err=True)
