"""The commands that have a reader of words learn a hand: ``adapt``, and ``hands``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from demos.words.adapt import RATE, STEPS, adapt_folder
from demos.words.hands import measure_hands
from demos.words.read_commands import PAGE, System, known
from demos.words.reader import SYSTEMS, shipped_path
from demos.words.train_words import Settings
from recognizers.datasets.fields import find_data

__all__ = ["add_to"]

Start = Annotated[Path | None, typer.Option(help="A reader to begin with; default: the shipped.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(adapt)
    app.command(rich_help_panel=PAGE)(hands)


def adapt(
    data: Annotated[
        Path, typer.Option(help="Folder with labels.csv (file,text) and files of ink, a word each.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the reader, its log and its state.")],
    start: Start = None,
    system: System = SYSTEMS[0],
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N file names: not learned, but read before and after."),
    ] = 0,
    steps: Annotated[
        int, typer.Option(min=1, help=f"Steps of {Settings.word_batch} words.")
    ] = STEPS,
    rate: Annotated[float, typer.Option(min=0.0, help="Of learning.")] = RATE,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    progress: Annotated[bool, typer.Option(help="Show a bar and a line for each pass.")] = True,
) -> None:
    """Have a reader learn one's own hand from a folder of ink; goes on where it was interrupted."""
    metrics, problems = adapt_folder(
        data, start or shipped_path(known(system)), out, holdout=holdout, steps=steps, rate=rate,
        seed=seed, progress=progress,
    )  # fmt: skip
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
    typer.echo(json.dumps(metrics | {"left_out": len(problems)}))


def hands(
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/words/hands"),
    data: Annotated[
        Path | None, typer.Option(help="UNIPEN data; default: unipen in $GTN_DATA.")
    ] = None,
    system: System = SYSTEMS[0],
    cache: Annotated[Path | None, typer.Option(help="A folder that keeps what was read.")] = None,
    rate: Annotated[float, typer.Option(min=0.0, help="Of learning.")] = RATE,
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = Path("results/words"),
) -> None:
    """Adapt a shipped reader to each writer of the test with 200 words; measure what it brings."""
    name = known(system) if rate == RATE else f"{known(system)}-rate{rate:g}"
    path, place = results / f"hands-{name}.json", find_data(data, "unipen")
    measure_hands(place, shipped_path(system), out / name, path, cache, rate=rate)
    typer.echo(f"figures: {path}")
