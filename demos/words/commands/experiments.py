"""What ``docs/words.md`` shows: ``beam``, ``spelling``, ``hands``; ``report`` writes the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demos.checkpoint import CheckpointError
from demos.command_line import file_to_write, folder_to_write, require_known
from demos.figures import figures_folder
from demos.words.commands.arguments import (
    RESULTS,
    Checkpoint,
    System,
    load_reader,
    make_reader,
)
from demos.words.experiments.beam import write_beams
from demos.words.experiments.hands import measure_hands
from demos.words.experiments.page import write_page
from demos.words.experiments.spelling import write_spelling
from demos.words.reading.reader import SYSTEMS, shipped_path
from demos.words.training.adapt import RATE
from recognizers.datasets.fields import find_data

__all__ = ["beam", "hands", "report", "spelling"]

Unipen = Annotated[Path | None, typer.Option(help="UNIPEN data; default: unipen in $GTN_DATA.")]
Results = Annotated[
    Path | None,
    typer.Option(
        callback=folder_to_write,
        help=f"Folder of the figures; default: {RESULTS.as_posix()}, or that of another "
        "checkpoint.",
    ),
]


def beam(
    data: Unipen = None,
    checkpoint: Checkpoint = None,
    system: System = None,
    size: Annotated[
        list[int] | None, typer.Option(min=1, help="Words of a lexicon; default 25000, 250000.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many words are read.")] = 1000,
    cache: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="A folder that keeps what was read."),
    ] = None,
    results: Results = None,
) -> None:
    """Measure error and time of decoding words of the test against the width of the beam."""
    reader = load_reader(checkpoint, system)
    place = find_data(data, "unipen")
    folder = figures_folder(results, checkpoint, map(shipped_path, SYSTEMS), RESULTS)
    sizes = size or [25_000, 250_000]
    path = write_beams(reader, place, folder, sizes=sizes, count=count, cache=cache)
    typer.echo(f"figures: {path}")


def spelling(
    data: Unipen = None,
    checkpoint: Checkpoint = None,
    system: System = None,
    count: Annotated[int, typer.Option(min=1, help="How many words are read.")] = 1000,
    cache: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="A folder that keeps what was read."),
    ] = None,
    results: Results = None,
) -> None:
    """Measure reading of test words without a list, by n-grams of letters of each order."""
    reader = load_reader(checkpoint, system)
    place = find_data(data, "unipen")
    folder = figures_folder(results, checkpoint, map(shipped_path, SYSTEMS), RESULTS)
    path = write_spelling(reader, place, folder, count=count, cache=cache)
    typer.echo(f"figures: {path}")


def report(
    checkpoint: Checkpoint = None,
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = RESULTS,
    page: Annotated[Path, typer.Option(callback=file_to_write, help="The page to write.")] = Path(
        "docs/words.md"
    ),
) -> None:
    """Write the page of figures and pictures from what the runs left; our own ink alone."""
    if not any(results.glob("*.json")):
        raise FileNotFoundError(f"{results}: no figures (*.json) to write the page of")
    try:
        reader = make_reader(checkpoint, None, None, None, False, 15.0)
    except CheckpointError as error:
        if checkpoint is not None:
            raise
        typer.echo(f"nothing is read for the page: {error}", err=True)
        reader = None
    for path in write_page(reader, results, page):
        typer.echo(str(path))


def hands(
    out: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the runs.")
    ] = Path("runs/words/hands"),
    data: Unipen = None,
    system: Annotated[
        str, typer.Option(help=f"Of the shipped readers: {', '.join(SYSTEMS)}.")
    ] = SYSTEMS[0],
    cache: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="A folder that keeps what was read."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of learning.")] = RATE,
    results: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder of the figures.")
    ] = Path("results/words"),
) -> None:
    """Adapt a shipped reader to each writer of the test with 200 words; measure what it brings."""
    require_known(system, SYSTEMS, "--system")
    name = system if rate == RATE else f"{system}-rate{rate:g}"
    path, place = results / f"hands-{name}.json", find_data(data, "unipen")
    measure_hands(place, shipped_path(system), out / name, path, cache, rate=rate)
    typer.echo(f"figures: {path}")
