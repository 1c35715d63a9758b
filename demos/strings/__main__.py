"""``python -m demos.strings train|evaluate|read|spot|compose``: the reader of lines of digits."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from demos.command_line import (
    Mnist,
    Seed,
    echo_problems,
    file_to_write,
    folder_to_write,
    refuse_given,
    require_known,
    run,
)
from demos.figures import echo_figures, figures_folder, keep_figures
from demos.image_folders import echo_bad, image_files, load_each
from demos.strings.compose import compose_lines, compose_pages
from demos.strings.drawing import draw_line, draw_page, heat_map, write_figure
from demos.strings.evaluate import RECIPES, TEST_STRINGS, evaluate_folder, held_out_strings
from demos.strings.evaluate import evaluate as evaluate_lines
from demos.strings.labelled_lines import lines_to_learn, what_is_odd
from demos.strings.lines import ink_of, load_line
from demos.strings.reader import NETWORKS, StringReader, shipped_checkpoint
from demos.strings.report import write_page, write_pictures
from demos.strings.results import write_run, write_spotter
from demos.strings.speed import measure
from demos.strings.spotter import (
    SpotSettings,
    Spotter,
    evaluate_spotter,
    shipped_spotter,
    train_spotter,
)
from demos.strings.train import Settings
from demos.strings.train import train as train_reader
from grammars.regex import regex
from recognizers.classes import DIGITS
from recognizers.datasets.fields import find_data, load_fields
from recognizers.datasets.mnist import load_mnist
from recognizers.images import load_field

app = typer.Typer(
    help="Reads lines of digits without segmenting them, and finds digits on pages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

RESULTS = Path("results/strings")
FORMS = ("svg", "png")

Holdout = Annotated[
    int,
    typer.Option(
        min=0, help="The last N names of --data: training leaves them out, evaluate measures them."
    ),
]
PAGE = "What docs/strings.md shows"
PAGES = "Digits on pages"
Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]


@app.command()
def train(
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the readers, the log and the state."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv: lines to learn from, too.")
    ] = None,
    holdout: Holdout = 0,
    digits: Mnist = None,
    network: Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = NETWORKS[0],
    characters: Annotated[int, typer.Option(min=1, help="Steps on windows.")] = Settings.characters,
    strings: Annotated[int, typer.Option(min=1, help="Steps on lines.")] = Settings.strings,
    bfloat16: Annotated[
        bool, typer.Option(help="Whether the network learns with products in half precision.")
    ] = Settings.bfloat16,
    seed: Seed = 0,
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for the figures of all stages on the fixed test."
        ),
    ] = None,
) -> None:
    """Train on characters among neighbours, then on whole strings; goes on where interrupted."""
    require_known(network, NETWORKS, "--network")
    folder = find_data(digits, "mnist", option="--digits")
    settings = Settings(
        network=network, characters=characters, strings=strings, bfloat16=bfloat16, seed=seed
    )
    own = None
    _check(data, holdout)
    if data is not None:
        found = load_fields(data)
        untrained = StringReader(network, step=settings.step)
        own, problems = lines_to_learn(found.to_learn(holdout), untrained, seed=seed)
        echo_problems([*found.problems, *problems])
    metrics = train_reader(load_mnist(folder, "train"), settings, out, own=own)
    if results is not None:
        test = load_mnist(folder, "test")
        typer.echo(f"figures: {write_run(out, test, results, data=data, holdout=holdout)}")
    typer.echo(json.dumps(metrics))


@app.command()
def evaluate(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv; default: the synthetic test.")
    ] = None,
    holdout: Holdout = 0,
    digits: Mnist = None,
    checkpoint: Checkpoint = None,
    count: Annotated[
        int, typer.Option(min=1, help="Strings of the synthetic test.")
    ] = TEST_STRINGS,
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0,
    recipe: Annotated[str, typer.Option(help="Of the synthetic test: paper or free.")] = "paper",
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Measure a reader on strings that no training has seen, or on labelled images of lines."""
    require_known(recipe, RECIPES, "--recipe")
    _check(data, holdout)
    if data is not None:
        others = ["digits", "count", "noise", "recipe"]
        refuse_given(context, others, "--data has the lines that are read")
    reader = load(checkpoint)
    if data is not None:
        figures, wrong, problems = evaluate_folder(reader, data, holdout=holdout)
        echo_problems(problems)
        for name, truth, _ in wrong:
            if odd := what_is_odd(truth):
                typer.echo(f"{name}: {odd}; it counts as an error", err=True)
        for name, truth, text in wrong:
            typer.echo(f"{name}  {truth}  read {text}")
    else:
        test = load_mnist(find_data(digits, "mnist", option="--digits"), "test")
        figures, _ = evaluate_lines(
            reader, held_out_strings(test, count, noise=noise, recipe=recipe)
        )
    echo_figures(figures, as_json)


@app.command()
def read(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Images of lines, or folders of images.")],
    checkpoint: Checkpoint = None,
    grammar: Annotated[
        str | None, typer.Option(help="A regular expression that the string matches.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for a picture of each line and its outputs."
        ),
    ] = None,
    form: Annotated[str, typer.Option(help=f"Of the pictures: {' or '.join(FORMS)}.")] = "svg",
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per file.")] = False,
) -> None:
    """Read lines of digits: string and confidence, and a picture of how they were read."""
    require_known(form, FORMS, "--form")
    if pictures is None:
        refuse_given(context, ["form"], "no --pictures are drawn")
    reader = load(checkpoint)
    constraint = None if grammar is None else regex(grammar.removeprefix("regex:"))
    taken = {path.resolve() for path in paths}  # what is read is no place for a picture
    if pictures is not None and form == "png" and any(map(taken.__contains__, _around(pictures))):
        raise typer.BadParameter(
            f"{pictures} is read, so its pictures would be, too; choose another folder",
            param_hint="--pictures",
        )
    for path, line in echo_bad(load_each(image_files(paths), load_line), as_json):
        reading = reader.read([line], constraint)[0]
        if as_json:
            spans = [[float(a), float(b)] for a, b in reading.spans]
            found = {"text": reading.text, "confidence": reading.confidence, "spans": spans}
            typer.echo(json.dumps({"file": str(path)} | found))
        else:
            typer.echo(f"{path}  {reading.text or '(nothing)'}  {reading.confidence:.3f}")
        if pictures is not None:
            names = itertools.chain([path.name], (f"{path.name}-{n}" for n in itertools.count(2)))
            places = ((pictures / f"{name}.{form}").resolve() for name in names)
            place = next(one for one in places if one not in taken)  # a.png and b/a.png are two
            taken.add(place)
            write_figure(draw_line(reader, line, reading), place)


def _around(folder: Path) -> list[Path]:
    """The folder and all that it is in."""
    place = folder.resolve()
    return [place, *place.parents]


@app.command()
def compose(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="lines or pages.")],
    out: Annotated[
        Path, typer.Argument(callback=folder_to_write, help="Folder for the images and labels.csv.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 12,
    part: Annotated[str, typer.Option(help="Of MNIST's digits: train or test.")] = "test",
    recipe: Annotated[str, typer.Option(help="Of lines: paper or free.")] = "paper",
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0,
    seed: Seed = 0,
    digits: Mnist = None,
) -> None:
    """Write lines, or pages of scattered digits, as images: something to read, spot and learn."""
    require_known(what, ("lines", "pages"), "what")
    require_known(part, ("train", "test"), "--part")
    require_known(recipe, RECIPES, "--recipe")
    if what == "pages":
        refuse_given(context, ["recipe", "noise"], "it is of lines")
    found = load_mnist(find_data(digits, "mnist", option="--digits"), part)
    if what == "lines":
        compose_lines(found, out, count, recipe=recipe, noise=noise, seed=seed)
    else:
        compose_pages(found, out, count, seed=seed)
    typer.echo(f"{count} {what} and labels.csv in {out}")


@app.command(rich_help_panel=PAGES)
def spot(
    path: Annotated[Path, typer.Argument(help="Image of a page.")],
    what: Annotated[str, typer.Option(help="The digit to find.")],
    checkpoint: Annotated[Path | None, typer.Option(help="A spotter; default: shipped.")] = None,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least probability.")] = 0.5,
    tallest: Annotated[
        float,
        typer.Option(
            min=20.0, max=2000.0, help="Pixels of the highest digits; the lowest have 20."
        ),
    ] = 56.0,
    picture: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="A .svg or .png of what is found.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each find.")] = False,
) -> None:
    """Find a digit anywhere on a page, in several sizes; with a heat map of where it may be."""
    if what not in DIGITS or len(what) != 1:
        raise typer.BadParameter(f"{what!r} is no digit", param_hint="--what")
    if picture is not None and picture.resolve() == path.resolve():
        raise typer.BadParameter(f"{picture} is the page itself", param_hint="--picture")
    if picture is not None and picture.suffix.lower()[1:] not in FORMS:
        raise typer.BadParameter(f"{picture} is no .svg or .png file", param_hint="--picture")
    spotter = Spotter.load(checkpoint or shipped_spotter())
    octaves = np.arange(0, math.log2(tallest / 20.0) + 0.01, 0.5)
    spotter.pyramid.octaves = tuple(octaves.tolist())
    page = ink_of(load_field(path))
    label = DIGITS.index(what)
    floor = math.log(max(least, 1e-6))
    found = spotter.spot(page, least=floor, label=label)
    for one in found:
        place = {"x": one.x, "y": one.y, "height": one.size, "probability": math.exp(one.score)}
        if as_json:
            typer.echo(json.dumps(place))
        else:
            values = "  ".join(f"{name} {value:.2f}" for name, value in place.items())
            typer.echo(values)
    if not found and not as_json:
        typer.echo(f"no {what} with a probability of {least:g} or more")
    if picture is not None:
        with torch.no_grad():
            scores = torch.log_softmax(-spotter.penalties(page[None])[0].double(), dim=1)
        places = spotter.pyramid.places(*page.shape)
        heat = heat_map(scores[:, label].numpy(), places, *page.shape)
        write_figure(draw_page(page, heat, found, what), picture)


@app.command("evaluate-spotter", rich_help_panel=PAGES)
def evaluate_spotter_command(
    digits: Mnist = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A spotter; default: shipped.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Measure a spotter on pages that no training has seen."""
    spotter = Spotter.load(checkpoint or shipped_spotter())
    figures = evaluate_spotter(
        spotter, load_mnist(find_data(digits, "mnist", option="--digits"), "test")
    )
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        typer.echo(f"{figures['n']} pages, average precision {figures['average_precision']:.3f}")


@app.command("train-spotter", rich_help_panel=PAGES)
def train_spotter_command(
    out: Annotated[
        Path,
        typer.Option(
            callback=folder_to_write, help="Folder for the spotter, its log and its state."
        ),
    ],
    digits: Mnist = None,
    positions: Annotated[
        bool, typer.Option(help="Whether to learn from positions, or only from what is on a page.")
    ] = True,
    steps: Annotated[int, typer.Option(min=1, help="Steps on pages.")] = SpotSettings.steps,
    seed: Seed = 0,
    results: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="Folder for the figures on the fixed pages."),
    ] = None,
) -> None:
    """Train what finds digits on pages of digits and clutter; goes on where interrupted."""
    folder = find_data(digits, "mnist", option="--digits")
    settings = SpotSettings(positions=positions, steps=steps, seed=seed)
    metrics = train_spotter(load_mnist(folder, "train"), settings, out)
    if results is not None:
        typer.echo(f"figures: {write_spotter(out, load_mnist(folder, 'test'), results)}")
    typer.echo(json.dumps(metrics))


@app.command(rich_help_panel=PAGE)
def speed(
    checkpoint: Checkpoint = None,
    results: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help=f"Folder of the figures; default: {RESULTS.as_posix()}, or that of another "
            "checkpoint.",
        ),
    ] = None,
) -> None:
    """Measure how long lines of several widths take, and what one pass saves."""
    found = measure(load(checkpoint))
    folder = figures_folder(results, checkpoint, [shipped_checkpoint()], RESULTS)
    keep_figures(folder / "speed.json", found)
    typer.echo(json.dumps(found))


@app.command(rich_help_panel=PAGE)
def report(
    context: typer.Context,
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = RESULTS,
    page: Annotated[Path, typer.Option(callback=file_to_write, help="The page to write.")] = Path(
        "docs/strings.md"
    ),
    digits: Mnist = None,
    pictures: Annotated[bool, typer.Option(help="Whether to draw them, too.")] = True,
) -> None:
    """Write the page of figures and pictures from what the runs left."""
    if not pictures:
        refuse_given(context, ["digits"], "--no-pictures has none drawn")
    typer.echo(f"page: {write_page(results, page)}")
    if pictures:
        test = load_mnist(find_data(digits, "mnist", option="--digits"), "test")
        spotter = Spotter.load(shipped_spotter())
        for path in write_pictures(load(None), spotter, test, page.with_suffix("")):
            typer.echo(f"picture: {path}")


def _check(data: Path | None, holdout: int) -> None:
    if holdout and data is None:
        raise typer.BadParameter("holds out lines of --data", param_hint="--holdout")


def load(checkpoint: Path | None) -> StringReader:
    """Return a reader from a file, or the shipped one."""
    return StringReader.load(checkpoint or shipped_checkpoint())


if __name__ == "__main__":
    run(app)
