"""The commands that read ink: ``read``, ``pad``, ``demo``, ``beam``, ``spelling``, ``report``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from demos.checkpoint import CheckpointError
from demos.words.kept_ink import KeptInk
from demos.words.pad import PadServer
from demos.words.read import (
    MOST_SHOWN,
    Card,
    Reader,
    card,
    words_of,
    write_report,
)
from demos.words.read_files import NamedInk, inks_of
from demos.words.reader import BEAM, FREE_BEAM, SYSTEMS, WordReader, WordReading, shipped_reader
from demos.words.report_beam import write_beams
from demos.words.report_page import write_page
from demos.words.report_spelling import write_spelling
from demos.words.spelling import SPELLING_ORDER
from recognizers.datasets.fields import find_data
from recognizers.online.ink import InkError

__all__ = ["PAGE", "System", "add_to", "known", "load_reader"]

PAGE = "What docs/words.md shows"
"""Heading of the commands that measure and draw what that page shows."""

RESULTS = Path("results") / "words"
OWN_INK = Path(__file__).parent / "ink"

Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]
System = Annotated[str, typer.Option(help=f"Of the shipped readers: {', '.join(SYSTEMS)}.")]
Lexicon = Annotated[
    Path | None, typer.Option(help="A file with a word to a line; default: frequent English.")
]
Size = Annotated[int, typer.Option("--words", min=1, help="How many words of English.")]
Free = Annotated[
    bool, typer.Option("--free", help="Any letters, as they follow each other in words; no list.")
]
Order = Annotated[
    int, typer.Option(min=0, help="With --free: of so many letters in a row; 0: all are alike.")
]
Beam = Annotated[
    float | None, typer.Option(min=0.0, help=f"In nats; default {BEAM:g}, --free {FREE_BEAM:g}.")
]
Page = Annotated[Path, typer.Option(help="The page of pictures to write.")]


def read(
    paths: Annotated[
        list[Path], typer.Argument(help="Ink (JSON strokes, InkML, UNIPEN), or folders of it.")
    ],
    checkpoint: Checkpoint = None,
    system: System = SYSTEMS[0],
    lexicon: Lexicon = None,
    size: Size = 25_000,
    free: Free = False,
    order: Order = SPELLING_ORDER,
    beam: Beam = None,
    count: Annotated[int, typer.Option(min=1, help="How many words are told.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per word.")] = False,
    page: Page = Path("report/words.html"),
    pictures: Annotated[bool, typer.Option(help="Whether to write the page.")] = True,
) -> None:
    """Read pen-written words: the likeliest five with posteriors, and a page of how."""
    reader = make_reader(checkpoint, system, lexicon, size, free, beam, order)
    cards: list[Card] = []
    failed = left_out = 0
    for name, found in inks_of(paths):
        for one in [found] if isinstance(found, InkError) else found:
            drawn = pictures and len(cards) < MOST_SHOWN
            left_out += pictures and not drawn
            if isinstance(one, InkError):
                failed += 1
                line = json.dumps({"file": name, "error": str(one)})
                typer.echo(line if as_json else f"error: {one}", err=not as_json)
                if drawn:
                    cards.append(Card(len(cards) + 1, Path(name).name, error=str(one)))
                continue
            reading, shown = _read(reader, one, len(cards) + 1, count, drawn)
            typer.echo(_line(one, reading, as_json))
            if shown is not None:
                cards.append(shown)
    if pictures and cards:
        typer.echo(f"pictures: {write_report(cards, reader, page, left_out)}", err=as_json)
    if failed:
        raise typer.Exit(1)


def _read(
    reader: Reader, one: NamedInk, number: int, count: int, drawn: bool
) -> tuple[WordReading, Card | None]:
    if not drawn:
        return reader.read(one.ink, count), None
    return card(reader, one.ink, number, Path(one.name).name, one.label, count)


def _line(one: NamedInk, reading: WordReading, as_json: bool) -> str:
    if not as_json:
        words = "  ".join(f"{r.text} {r.posterior:.3f}" for r in reading.readings)
        name = one.name if one.label is None else f"{one.name} [{one.label}]"
        return f"{name}  {words or '(nothing)'}"
    words_ = [
        {"text": r.text, "posterior": r.posterior, "penalty": r.penalty} for r in reading.readings
    ]
    label = {} if one.label is None else {"label": one.label}
    return json.dumps({"file": one.name, "text": reading.text, **label, "words": words_})


def pad(
    checkpoint: Checkpoint = None,
    system: System = SYSTEMS[0],
    lexicon: Lexicon = None,
    size: Size = 25_000,
    free: Free = False,
    order: Order = SPELLING_ORDER,
    beam: Beam = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8123,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for what is written, with labels.csv, for adapt.")
    ] = None,
) -> None:
    """Serve a page on this machine on which one writes and is read, until interrupted."""
    reader = make_reader(checkpoint, system, lexicon, size, free, beam, order)
    with PadServer(reader, port, None if keep is None else KeptInk(keep)) as server:
        typer.echo(f"Open {server.address} and write; end with Ctrl-C.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")


def demo(
    checkpoint: Checkpoint = None,
    system: System = SYSTEMS[0],
    page: Page = Path("report/words.html"),
) -> None:
    """Read the words that come with the package, which are written by code."""
    started = time.perf_counter()
    reader = make_reader(checkpoint, system, None, 25_000, False, 15.0)
    cards = []
    for name, found in inks_of([OWN_INK]):
        if isinstance(found, InkError):
            raise found
        _, shown = card(reader, found[0].ink, len(cards) + 1, Path(name).name, found[0].label)
        cards.append(shown)
        words = "  ".join(f"{text} {share:.3f}" for text, share, _ in shown.words)
        typer.echo(f"{shown.label or '':14} {'' if shown.right else '*':1} {words}")
    right = sum(one.right is True for one in cards)
    seconds = time.perf_counter() - started
    typer.echo(f"{right} of {len(cards)} right, in {seconds:.1f} s")
    typer.echo(f"Open {write_report(cards, reader, page)} to see how they were read.")


def beam(
    data: Annotated[
        Path | None, typer.Option(help="UNIPEN data; default: unipen in $GTN_DATA.")
    ] = None,
    checkpoint: Checkpoint = None,
    system: System = SYSTEMS[0],
    size: Annotated[
        list[int] | None, typer.Option(min=1, help="Words of a lexicon; default 25000, 250000.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many words are read.")] = 1000,
    cache: Annotated[Path | None, typer.Option(help="A folder that keeps what was read.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = RESULTS,
) -> None:
    """Measure error and time of decoding words of the test against the width of the beam."""
    reader = load_reader(checkpoint, system)
    place = find_data(data, "unipen")
    sizes = size or [25_000, 250_000]
    path = write_beams(reader, place, results, sizes=sizes, count=count, cache=cache)
    typer.echo(f"figures: {path}")


def spelling(
    data: Annotated[
        Path | None, typer.Option(help="UNIPEN data; default: unipen in $GTN_DATA.")
    ] = None,
    checkpoint: Checkpoint = None,
    system: System = SYSTEMS[0],
    count: Annotated[int, typer.Option(min=1, help="How many words are read.")] = 1000,
    cache: Annotated[Path | None, typer.Option(help="A folder that keeps what was read.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = RESULTS,
) -> None:
    """Measure reading of test words without a list, by n-grams of letters of each order."""
    reader = load_reader(checkpoint, system)
    place = find_data(data, "unipen")
    path = write_spelling(reader, place, results, count=count, cache=cache)
    typer.echo(f"figures: {path}")


def report(
    checkpoint: Checkpoint = None,
    results: Annotated[Path, typer.Option(help="Folder of the figures.")] = RESULTS,
    page: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/words.md"),
) -> None:
    """Write the page of figures and pictures from what the runs left; our own ink alone."""
    if not any(results.glob("*.json")):
        raise FileNotFoundError(f"{results}: no figures (*.json) to write the page of")
    try:
        reader = make_reader(checkpoint, SYSTEMS[0], None, 25_000, False, 15.0)
    except CheckpointError as error:
        if checkpoint is not None:
            raise
        typer.echo(f"nothing is read for the page: {error}", err=True)
        reader = None
    for path in write_page(reader, results, page):
        typer.echo(str(path))


def load_reader(checkpoint: Path | None, system: str) -> WordReader:
    """The reader of a file, or the shipped one of a system."""
    known(system)
    return shipped_reader(system) if checkpoint is None else WordReader.load(checkpoint)


def known(system: str) -> str:
    """The name of a system, if it is one."""
    if system not in SYSTEMS:
        raise typer.BadParameter(
            f"{system!r} is none of {', '.join(SYSTEMS)}", param_hint="--system"
        )
    return system


def make_reader(
    checkpoint: Path | None,
    system: str,
    lexicon: Path | None,
    size: int,
    free: bool,
    beam: float | None,
    order: int = SPELLING_ORDER,
) -> Reader:
    """A reader of a file, or a shipped one, with the list of words that was asked for."""
    if free and lexicon is not None:
        raise typer.BadParameter("any letters, or the words of a file; not both")
    network = load_reader(checkpoint, system)
    words = None if free else words_of(lexicon, size)
    if words is not None and words.problems:
        typer.echo(words.summary(), err=True)
    return Reader(network, words, beam, order)


def add_to(app: typer.Typer) -> None:
    """Add the commands to a command line."""
    for command in (read, pad, demo):
        app.command()(command)
    for command in (beam, spelling, report):
        app.command(rich_help_panel=PAGE)(command)
