"""``python -m demos.mnist``: the command line of the digit recognizers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from demos.checkpoint import write_whole
from demos.command_line import (
    Mnist,
    Seed,
    echo_problems,
    figures_to_write,
    file_to_write,
    folder_to_write,
    refuse_given,
    require_known,
    run,
)
from demos.figures import echo_figures, figures_folder, keep_figures, machine
from demos.image_folders import echo_bad, image_files, load_each
from demos.mnist.baselines import BASELINES, run_baseline, validate_baseline
from demos.mnist.compare import compare as write_comparison
from demos.mnist.evaluate import evaluate as evaluate_network
from demos.mnist.evaluate import load_digits
from demos.mnist.models import load_model, shipped
from demos.mnist.own_digits import OwnDigits, load_digit, own_digits, train_on_own
from demos.mnist.pictures import draw_pictures
from demos.mnist.read import DigitReader, evaluate_folder
from demos.mnist.recipes import RECIPES, with_settings
from demos.mnist.results import RESULTS
from demos.mnist.robustness import robustness as measure_changes
from demos.mnist.rows import finish, ship, train_row, validate_recipe
from demos.mnist.sizes import SIZES, train_sizes
from demos.mnist.timing import measure_time
from recognizers.datasets.download import MIRRORS, download_mnist
from recognizers.datasets.fields import FieldSetError, load_fields
from recognizers.datasets.mnist import has_mnist

app = typer.Typer(
    help="Handwritten digits: LeNet-5 and its rivals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

PAGE = "What docs/mnist.md shows"
DataOrLabels = Annotated[
    Path | None,
    typer.Option(help="Folder of MNIST, or with labels.csv; default: mnist in $GTN_DATA."),
]
Holdout = Annotated[
    int, typer.Option(min=0, help="The last N names of labels.csv are not learned, but measured.")
]
Checkpoint = Annotated[Path | None, typer.Option(help="A network; default: the shipped LeNet-5.")]
Kept = Annotated[Path, typer.Option(help="Folder of the results.")]
Results = Annotated[Path, typer.Option(callback=folder_to_write, help="Folder of the results.")]


@app.command()
def train(
    context: typer.Context,
    row: Annotated[str, typer.Option(help=f"One of {', '.join(RECIPES)}.")] = "lenet-5",
    seed: Seed = 0,
    validate: Annotated[
        bool, typer.Option(help="Train on 55,000, validate on 5,000; write no result but a line.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another setting of the recipe, KEY=JSON; with --validate or digits of one's own.",
        ),
    ] = None,
    data: DataOrLabels = None,
    digits: Annotated[
        Path | None,
        typer.Option(
            help="Folder of MNIST, learned beside digits of one's own; default: mnist in $GTN_DATA."
        ),
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Only digits of one's own.")] = False,
    holdout: Holdout = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder of the run; default: runs/mnist/ROW-seedN."
        ),
    ] = None,
    results: Results = RESULTS,
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True,
) -> None:
    """Train a row of the table and measure it; goes on where it was interrupted.

    Of a folder with labels.csv (file,text) the digits are learned as the row's
    recipe says, beside MNIST's, and out/network.safetensors is written.
    """
    require_known(row, RECIPES, "--row")
    if data is not None and (data / "labels.csv").is_file():
        why = "what is measured of digits of one's own is in metrics.json of --out"
        refuse_given(context, ["results"], why)
        recipe = with_settings(RECIPES[row], setting or [])
        if validate or recipe.boosted or (alone and digits is not None):
            raise typer.BadParameter(
                f"{data} has labels.csv: one network is trained on its digits, with those of "
                "--digits or --alone; --holdout measures it",
                param_hint="--validate" if validate else "--row" if recipe.boosted else "--alone",
            )
        out = out or Path("runs") / "mnist" / f"{row}-{data.resolve().name}-seed{seed}"
        own, held_out = _own(data, holdout)
        mnist = None if alone else load_digits(recipe.model, "train", digits)
        metrics = train_on_own(
            recipe, seed, own, out, mnist=mnist, held_out=held_out, row=row, progress=progress
        )
        figures = {"row": row, "seed": seed, "own": len(own.fields), "mnist": metrics["mnist"]}
        typer.echo(json.dumps(figures | metrics.get("held_out", {})))
        return
    for option, given in (("--digits", digits), ("--alone", alone), ("--holdout", holdout)):
        if given:
            raise typer.BadParameter("only with a folder that has labels.csv", param_hint=option)
    ending = "-validated" if validate else ""
    out = out or Path("runs") / "mnist" / f"{row}-seed{seed}{ending}"
    if setting and not validate:
        raise typer.BadParameter("only with --validate", param_hint="--set")
    if validate:
        wrong = validate_recipe(row, setting or [], seed, data, out, results, progress=progress)
        typer.echo(json.dumps({"row": row, "seed": seed, "validation_error": wrong}))
        return
    trained = train_row(row, seed, data, out, progress=progress)
    result = finish(row, seed, trained, data, results)
    typer.echo(json.dumps({"row": row, "seed": seed, "error": result.error}))


@app.command()
def evaluate(
    data: DataOrLabels = None,
    holdout: Holdout = 0,
    checkpoint: Checkpoint = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    keep: Annotated[
        Path | None, typer.Option(callback=figures_to_write, help="File for the figures.")
    ] = None,
) -> None:
    """Measure a network on the 10,000 test digits, or on labelled images of digits."""
    if data is not None and not (data / "labels.csv").is_file() and not has_mnist(data, "test"):
        raise FieldSetError(f"{data}: neither a labels.csv nor the test digits of MNIST")
    if data is not None and (data / "labels.csv").is_file():
        figures, wrong, problems = evaluate_folder(
            DigitReader(checkpoint or shipped()), data, holdout=holdout
        )
        echo_problems(problems)
        for name, truth, text in wrong:
            typer.echo(f"{name}  {truth}  read {text}")
        if keep is not None:
            keep_figures(keep, figures)
        echo_figures(figures, as_json)
        return
    if holdout:
        raise typer.BadParameter("holds out rows of labels.csv", param_hint="--holdout")
    model, network, _ = load_model(checkpoint or shipped())
    figures = evaluate_network(model, network, load_digits(model, "test", data))
    keys = ("n", "error", "reject_for_half_percent", "parameters")
    line = {"model": model} | {key: figures[key] for key in keys}
    if keep is not None:
        keep_figures(keep, line)
    if as_json:
        typer.echo(json.dumps(line))
        return
    for name, value in line.items():
        typer.echo(f"{name:24} {value}")
    typer.echo(f"{'digits per second':24} {figures['n'] / figures['seconds']:,.0f}")


@app.command()
def read(
    paths: Annotated[
        list[Path], typer.Argument(help="Images of single digits, or folders of images.")
    ],
    checkpoint: Checkpoint = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False,
) -> None:
    """Read single digits, dark on light or light on dark: digit and probability."""
    reader = DigitReader(checkpoint or shipped())
    for path, frame in echo_bad(load_each(image_files(paths), load_digit), as_json):
        best, second = ({"digit": d, "probability": p} for d, p in reader.read(frame)[:2])
        if as_json:
            typer.echo(json.dumps({"file": str(path), **best, "second": second}))
        else:
            typer.echo(f"{path}  {best['digit']}  {best['probability']:.3f}")


@app.command()
def baseline(
    context: typer.Context,
    row: Annotated[str, typer.Argument(help=f"One of {', '.join(BASELINES)}.")],
    seed: Seed = 0,
    validate: Annotated[
        bool, typer.Option(help="Fit on 55,000, validate on 5,000; write no result but a line.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another setting of the row, KEY=JSON; with --validate."),
    ] = None,
    digits: Annotated[
        int | None, typer.Option(min=10, help="Fit on so many digits only; with --validate.")
    ] = None,
    data: Mnist = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder of the run; default: runs/mnist/ROW-seedN."
        ),
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Fit and measure a method that LeNet-5 is compared with (Fig. 9)."""
    if validate:
        refuse_given(context, ["out"], "--validate writes no more than a line of --results")
        given = dict(_setting(text) for text in setting or [])
        wrong = validate_baseline(row, seed, data, results, settings=given, digits=digits)
        typer.echo(json.dumps({"row": row, "seed": seed, "validation_error": wrong}))
        return
    if setting or digits:
        raise typer.BadParameter("only with --validate", param_hint="--set, --digits")
    result = run_baseline(row, seed, data, out, results, progress=True)
    typer.echo(json.dumps({"row": row, "seed": seed, "error": result.error}))


def _setting(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(
            f"{text!r} is not KEY=JSON ({error})", param_hint="--set"
        ) from error


@app.command(rich_help_panel=PAGE)
def compare(
    page: Annotated[
        Path, typer.Option(callback=file_to_write, help="The page that is written.")
    ] = Path("docs/mnist.md"),
    data: Mnist = None,
    results: Kept = RESULTS,
) -> None:
    """Write the table and the plots of all results (Figs. 5, 6 and 9 to 12)."""
    typer.echo(str(write_comparison(results, page, data)))


@app.command("train-sizes", rich_help_panel=PAGE)
def train_on_parts(
    sizes: Annotated[
        str, typer.Option(help="Numbers of training digits, with commas between.")
    ] = ",".join(map(str, SIZES)),
    seed: Seed = 0,
    data: Mnist = None,
    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder of the runs.")] = Path(
        "runs/mnist/sizes"
    ),
    results: Results = RESULTS,
) -> None:
    """Train LeNet-5 on parts of the training digits (Figs. 5 and 6); goes on where it stopped."""
    try:
        numbers = [int(text) for text in sizes.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"{sizes!r} holds no numbers", param_hint="--sizes") from error
    typer.echo(str(train_sizes(numbers, seed, data, out, results)))


@app.command(rich_help_panel=PAGE)
def robustness(
    checkpoint: Checkpoint = None,
    digits: Annotated[
        int | None, typer.Option(min=1, help="The first so many test digits; default: all.")
    ] = None,
    data: Mnist = None,
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help=f"Folder of the figures; default: {RESULTS.as_posix()}, or that of another "
            "checkpoint; none for some of the digits.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Measure scaled, shifted, turned and noisy test digits (section III-E)."""
    some = digits is not None and results is None
    folder = None if some else figures_folder(results, checkpoint, [shipped()], RESULTS)
    figures = measure_changes(checkpoint or shipped(), data, folder, digits)
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, pairs in figures["curves"].items():
        typer.echo(name + "  " + "  ".join(f"{amount:g}: {wrong:.2%}" for amount, wrong in pairs))


@app.command()
def pictures(
    checkpoint: Checkpoint = None,
    digit: Annotated[int, typer.Option(min=0, help="Test digit whose maps are shown.")] = 0,
    data: Mnist = None,
    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder of the page.")] = Path(
        "runs/mnist/pictures"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the map of states.")] = 0,
) -> None:
    """Draw filters, feature maps, codes, saliency, the map of F6 and the missed digits (Fig. 8)."""
    typer.echo(str(draw_pictures(checkpoint or shipped(), out, data, digit=digit, seed=seed)))


@app.command()
def download(
    folder: Annotated[Path, typer.Argument(help="Where the four files go.")],
    url: Annotated[
        list[str] | None,
        typer.Option(help=f"Address of a folder that has them; default: {', '.join(MIRRORS)}."),
    ] = None,
) -> None:
    """Fetch MNIST and check it; files that are there and right are left alone."""
    for path in download_mnist(folder, url or MIRRORS):
        typer.echo(str(path))


@app.command("ship", rich_help_panel=PAGE)
def ship_rows(
    rows: Annotated[list[str], typer.Argument(help="Rows whose seed 0 comes with the package.")],
    results: Kept = RESULTS,
) -> None:
    """Put the weights of finished rows into recognizers/weights, with cards from the results."""
    for row in rows:
        for path in ship(row, results):
            typer.echo(str(path))


@app.command("time", rich_help_panel=PAGE)
def time_training(
    steps: Annotated[int, typer.Option(min=10, help="Batches that are timed.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            callback=figures_to_write, help="File for the figures, such as results/mnist/time.json."
        ),
    ] = None,
) -> None:
    """Time a pass of LeNet-5 beside a plain torch LeNet, in turns; and the evaluation."""
    figures = measure_time(steps)
    if write is not None:
        where = {"machine": machine(), "torch": torch.__version__}
        write_whole(write, json.dumps(figures | where, indent=2) + "\n")
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:40} {value:,.3g}" if value < 100 else f"{name:40} {value:,.0f}")


def _own(data: Path, holdout: int) -> tuple[OwnDigits, OwnDigits | None]:
    """Digits of a folder with labels.csv to learn, and those that are held out, if any are."""
    found = load_fields(data)
    rest, last = found.to_learn(holdout), found.held_out(holdout)[1]
    rows = [one for one in rest if one.split in ("", "train")]
    if len(rows) < len(rest):
        echo_problems([f"rows of the split validation, {len(rest) - len(rows)}"])
    own, problems = own_digits(rows, found.problems)
    held_out, more = own_digits(last) if last else (None, [])
    echo_problems([*problems, *more])
    return own, held_out


if __name__ == "__main__":
    run(app)
