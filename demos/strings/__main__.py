"""``python -m demos.strings train|evaluate|read|spot``: the command line of the line reader."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from demos.checks.checkpoint import CheckpointError
from demos.strings.evaluate import TEST_STRINGS, evaluate_folder, held_out_strings
from demos.strings.evaluate import evaluate as evaluate_lines
from demos.strings.reader import NETWORKS, StringReader, shipped_checkpoint
from demos.strings.results import write_run, write_spotter
from demos.strings.spotter import SpotSettings, train_spotter
from demos.strings.train import Settings
from demos.strings.train import train as train_reader
from gtn import GraphError
from recognizers.datasets.fields import FieldSetError, find_data
from recognizers.datasets.mnist import load_mnist
from recognizers.images import ImageError

app = typer.Typer(
    help="Reads lines of digits without segmenting them, and finds digits on pages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Digits = Annotated[
    Path | None, typer.Option(help="Folder of the MNIST files; default: mnist in $GTN_DATA.")
]
Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for the readers, the log and the state.")],
    digits: Digits = None,
    network: Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = NETWORKS[0],
    characters: Annotated[int, typer.Option(min=1, help="Steps on windows.")] = Settings.characters,
    strings: Annotated[int, typer.Option(min=1, help="Steps on lines.")] = Settings.strings,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    results: Annotated[
        Path | None, typer.Option(help="Folder for the figures of all stages on the fixed test.")
    ] = None,
) -> None:
    """Train on characters among neighbours, then on whole strings; goes on where interrupted."""
    if network not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise typer.BadParameter(f"{network!r} is none of {known}", param_hint="--network")
    folder = find_data(digits, "mnist")
    settings = Settings(network=network, characters=characters, strings=strings, seed=seed)
    metrics = train_reader(load_mnist(folder, "train"), settings, out)
    if results is not None:
        typer.echo(f"figures: {write_run(out, load_mnist(folder, 'test'), results)}")
    typer.echo(json.dumps(metrics))


@app.command()
def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv; default: the synthetic test.")
    ] = None,
    digits: Digits = None,
    checkpoint: Checkpoint = None,
    count: Annotated[
        int, typer.Option(min=1, help="Strings of the synthetic test.")
    ] = TEST_STRINGS,
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of inverted pixels.")] = 0.0,
    recipe: Annotated[str, typer.Option(help="Of the synthetic test: paper or free.")] = "paper",
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Measure a reader on strings that no training has seen, or on labelled images of lines."""
    reader = load(checkpoint)
    if data is not None:
        figures, wrong, problems = evaluate_folder(reader, data)
        for problem in problems:
            typer.echo(f"left out: {problem}", err=True)
        for name, truth, text in wrong:
            typer.echo(f"{name}  {truth}  read {text}")
    else:
        test = load_mnist(find_data(digits, "mnist"), "test")
        figures, _ = evaluate_lines(
            reader, held_out_strings(test, count, noise=noise, recipe=recipe)
        )
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for name, value in figures.items():
            typer.echo(f"{name:14} {value:.4g}")


@app.command("train-spotter")
def train_spotter_command(
    out: Annotated[Path, typer.Option(help="Folder for the spotter, its log and its state.")],
    digits: Digits = None,
    positions: Annotated[
        bool, typer.Option(help="Whether to learn from positions, or only from what is on a page.")
    ] = True,
    steps: Annotated[int, typer.Option(min=1, help="Steps on pages.")] = SpotSettings.steps,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    results: Annotated[
        Path | None, typer.Option(help="Folder for the figures on the fixed pages.")
    ] = None,
) -> None:
    """Train what finds digits on pages of digits and clutter; goes on where interrupted."""
    folder = find_data(digits, "mnist")
    settings = SpotSettings(positions=positions, steps=steps, seed=seed)
    metrics = train_spotter(load_mnist(folder, "train"), settings, out)
    if results is not None:
        typer.echo(f"figures: {write_spotter(out, load_mnist(folder, 'test'), results)}")
    typer.echo(json.dumps(metrics))


def load(checkpoint: Path | None) -> StringReader:
    """Return a reader from a file, or the shipped one."""
    return StringReader.load(checkpoint or shipped_checkpoint())


def main() -> None:
    """Run the command line; errors of the user's files end in one line, not in a traceback."""
    try:
        app()
    except (CheckpointError, FieldSetError, GraphError, ImageError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
