"""Commands of the reader of lines of digits."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import torch
import typer

from demos.command_line import echo_problems
from demos.figures import echo_figures, figures_folder, keep_figures
from demos.image_folders import echo_bad, image_files, load_each
from demos.run_state import training_into
from demos.strings.choices import RESULTS
from demos.strings.compose import compose_lines, compose_pages
from demos.strings.drawing import draw_line, draw_page, heat_map, write_figure
from demos.strings.evaluate import evaluate as evaluate_lines
from demos.strings.evaluate import evaluate_folder, held_out_strings
from demos.strings.labelled_lines import lines_to_learn, what_is_odd
from demos.strings.lines import ink_of, load_line
from demos.strings.options import (
    Compose,
    Evaluate,
    EvaluateSpotter,
    Read,
    Report,
    Speed,
    Spot,
    Train,
    TrainSpotter,
)
from demos.strings.reader import StringReader, shipped_checkpoint
from demos.strings.report import write_page, write_pictures
from demos.strings.results import write_run, write_spotter
from demos.strings.settings import Settings, SpotSettings
from demos.strings.speed import measure
from demos.strings.spotter import Spotter, evaluate_spotter, shipped_spotter, train_spotter
from demos.strings.train import train as train_reader
from grammars.regex import regex
from recognizers.classes import DIGITS
from recognizers.datasets.fields import find_data, load_fields
from recognizers.datasets.mnist import load_mnist
from recognizers.images import load_field


def train(given: Train) -> None:
    """Train a reader, and print its figures as a line of JSON."""
    folder = find_data(given.digits, "mnist", option="--digits")
    settings = Settings(
        network=given.network,
        characters=given.characters,
        strings=given.strings,
        bfloat16=given.bfloat16,
        seed=given.seed,
    )
    with training_into(given.out):
        own = None
        if given.data is not None:
            found = load_fields(given.data)
            untrained = StringReader(given.network, step=settings.step)
            own, problems = lines_to_learn(
                found.to_learn(given.holdout), untrained, seed=given.seed
            )
            echo_problems([*found.problems, *problems])
        metrics = train_reader(load_mnist(folder, "train"), settings, given.out, own=own)
    if given.results is not None:
        test = load_mnist(folder, "test")
        path = write_run(given.out, test, given.results, data=given.data, holdout=given.holdout)
        typer.echo(f"figures: {path}")
    typer.echo(json.dumps(metrics))


def evaluate(given: Evaluate) -> None:
    """Print a reader's misreadings and figures."""
    reader = load(given.checkpoint)
    if given.data is not None:
        figures, wrong, problems = evaluate_folder(reader, given.data, holdout=given.holdout)
        echo_problems(problems)
        for name, truth, _ in wrong:
            if odd := what_is_odd(truth):
                typer.echo(f"{name}: {odd}; it counts as an error", err=True)
        for name, truth, text in wrong:
            typer.echo(f"{name}  {truth}  read {text}")
    else:
        test = load_mnist(find_data(given.digits, "mnist", option="--digits"), "test")
        figures, _ = evaluate_lines(
            reader, held_out_strings(test, given.count, noise=given.noise, recipe=given.recipe)
        )
    echo_figures(figures, given.as_json)


def read(given: Read) -> None:
    """Print the readings, and write pictures of how they were found."""
    reader = load(given.checkpoint)
    constraint = None if given.grammar is None else regex(given.grammar.removeprefix("regex:"))
    taken = {path.resolve() for path in given.paths}  # a picture must not overwrite an image read
    for path, line in echo_bad(load_each(image_files(given.paths), load_line), given.as_json):
        reading = reader.read([line], constraint)[0]
        if given.as_json:
            spans = [[float(a), float(b)] for a, b in reading.spans]
            found = {"text": reading.text, "confidence": reading.confidence, "spans": spans}
            typer.echo(json.dumps({"file": str(path)} | found))
        else:
            typer.echo(f"{path}  {reading.text or '(nothing)'}  {reading.confidence:.3f}")
        if given.pictures is not None:
            names = itertools.chain([path.name], (f"{path.name}-{n}" for n in itertools.count(2)))
            places = ((given.pictures / f"{name}.{given.form}").resolve() for name in names)
            place = next(one for one in places if one not in taken)  # a.png and b/a.png are not one
            taken.add(place)
            write_figure(draw_line(reader, line, reading), place)


def compose(given: Compose) -> None:
    """Write lines or pages with their texts."""
    found = load_mnist(find_data(given.digits, "mnist", option="--digits"), given.part)
    if given.what == "lines":
        compose_lines(
            found, given.out, given.count, recipe=given.recipe, noise=given.noise, seed=given.seed
        )
    else:
        compose_pages(found, given.out, given.count, seed=given.seed)
    typer.echo(f"{given.count} {given.what} and labels.csv in {given.out}")


def spot(given: Spot) -> None:
    """Print where the digit is found, and draw a heat map of where it may be."""
    spotter = Spotter.load(given.checkpoint or shipped_spotter())
    octaves = np.arange(0, math.log2(given.tallest / 20.0) + 0.01, 0.5)
    spotter.pyramid.octaves = tuple(octaves.tolist())
    page = ink_of(load_field(given.path))
    label = DIGITS.index(given.what)
    floor = math.log(max(given.least, 1e-6))
    found = spotter.spot(page, least=floor, label=label)
    for one in found:
        place = {"x": one.x, "y": one.y, "height": one.size, "probability": math.exp(one.score)}
        if given.as_json:
            typer.echo(json.dumps(place))
        else:
            values = "  ".join(f"{name} {value:.2f}" for name, value in place.items())
            typer.echo(values)
    if not found and not given.as_json:
        typer.echo(f"no {given.what} with a probability of {given.least:g} or more")
    if given.picture is not None:
        with torch.no_grad():
            scores = torch.log_softmax(-spotter.penalties(page[None])[0].double(), dim=1)
        places = spotter.pyramid.places(*page.shape)
        heat = heat_map(scores[:, label].numpy(), places, *page.shape)
        write_figure(draw_page(page, heat, found, given.what), given.picture)


def evaluate_spotter_on_pages(given: EvaluateSpotter) -> None:
    """Print how well a spotter finds digits."""
    spotter = Spotter.load(given.checkpoint or shipped_spotter())
    figures = evaluate_spotter(
        spotter, load_mnist(find_data(given.digits, "mnist", option="--digits"), "test")
    )
    if given.as_json:
        typer.echo(json.dumps(figures))
    else:
        typer.echo(f"{figures['n']} pages, average precision {figures['average_precision']:.3f}")


def train_spotter_on_pages(given: TrainSpotter) -> None:
    """Train a spotter, and print its figures as a line of JSON."""
    folder = find_data(given.digits, "mnist", option="--digits")
    settings = SpotSettings(positions=given.positions, steps=given.steps, seed=given.seed)
    with training_into(given.out):
        metrics = train_spotter(load_mnist(folder, "train"), settings, given.out)
    if given.results is not None:
        path = write_spotter(given.out, load_mnist(folder, "test"), given.results)
        typer.echo(f"figures: {path}")
    typer.echo(json.dumps(metrics))


def speed(given: Speed) -> None:
    """Print and write how long reading lines takes."""
    found = measure(load(given.checkpoint))
    folder = figures_folder(given.results, given.checkpoint, [shipped_checkpoint()], RESULTS)
    keep_figures(folder / "speed.json", found)
    typer.echo(json.dumps(found))


def report(given: Report) -> None:
    """Write the page and its pictures."""
    typer.echo(f"page: {write_page(given.results, given.page)}")
    if given.pictures:
        test = load_mnist(find_data(given.digits, "mnist", option="--digits"), "test")
        spotter = Spotter.load(shipped_spotter())
        for path in write_pictures(load(None), spotter, test, given.page.with_suffix("")):
            typer.echo(f"picture: {path}")


def load(checkpoint: Path | None) -> StringReader:
    """Load a reader from a file, or the shipped one."""
    return StringReader.load(checkpoint or shipped_checkpoint())
