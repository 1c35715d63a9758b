"""The commands behind ``docs/words.md``: ``beam``, ``spelling``, ``hands``, and ``report``."""

from __future__ import annotations

import typer

from demos.checkpoint import CheckpointError
from demos.figures import figures_folder
from demos.run_state import training_into
from demos.words.choices import RATE, RESULTS, SYSTEMS
from demos.words.commands.arguments import load_reader, reader_of_english
from demos.words.experiments.beam import write_beams
from demos.words.experiments.hands import measure_hands
from demos.words.experiments.page import write_page
from demos.words.experiments.spelling import write_spelling
from demos.words.options.experiments import Beam, Hands, Report, Spelling
from demos.words.reading.reader import shipped_path
from recognizers.datasets.fields import find_data

__all__ = ["beam", "hands", "report", "spelling"]


def beam(given: Beam) -> None:
    """Write the figures of beams of several widths."""
    reader = load_reader(given.checkpoint, given.system)
    place = find_data(given.data, "unipen")
    folder = figures_folder(given.results, given.checkpoint, map(shipped_path, SYSTEMS), RESULTS)
    sizes = given.size or [25_000, 250_000]
    path = write_beams(reader, place, folder, sizes=sizes, count=given.count, cache=given.cache)
    typer.echo(f"figures: {path}")


def spelling(given: Spelling) -> None:
    """Write the figures of n-grams of several orders."""
    reader = load_reader(given.checkpoint, given.system)
    place = find_data(given.data, "unipen")
    folder = figures_folder(given.results, given.checkpoint, map(shipped_path, SYSTEMS), RESULTS)
    path = write_spelling(reader, place, folder, count=given.count, cache=given.cache)
    typer.echo(f"figures: {path}")


def report(given: Report) -> None:
    """Write the page and its pictures; without a reader that comes along, the page alone."""
    if not any(given.results.glob("*.json")):
        raise FileNotFoundError(f"{given.results}: no figures (*.json) to write the page of")
    try:
        reader = reader_of_english(given.checkpoint, None)
    except CheckpointError as error:
        if given.checkpoint is not None:
            raise
        typer.echo(f"nothing is read for the page: {error}", err=True)
        reader = None
    for path in write_page(reader, given.results, given.page):
        typer.echo(str(path))


def hands(given: Hands) -> None:
    """Write what a reader gains by learning each hand."""
    name = given.system if given.rate == RATE else f"{given.system}-rate{given.rate:g}"
    path, place = given.results / f"hands-{name}.json", find_data(given.data, "unipen")
    out, start = given.out / name, shipped_path(given.system)
    with training_into(out):
        measure_hands(place, start, out, path, given.cache, rate=given.rate)
    typer.echo(f"figures: {path}")
