"""The commands that read ink: ``read``, ``pad``, ``demo``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import folder_to_write, page_to_write, refuse_given
from demos.words.commands.arguments import (
    Beam,
    Checkpoint,
    Free,
    Lexicon,
    Order,
    Size,
    System,
    make_reader,
)
from demos.words.pad.kept_ink import KeptInk
from demos.words.pad.server import PadServer
from demos.words.reading.reader import WordReading
from demos.words.report.page import MOST_SHOWN, Card, Reader, card, write_report
from demos.words.samples.files import NamedInk, inks_of
from recognizers.online.ink import InkError

__all__ = ["OWN_INK", "demo", "pad", "read"]

OWN_INK = Path(__file__).parents[1] / "ink"
"""Words written by code, which come with the package."""

Page = Annotated[Path, typer.Option(help="The page of pictures to write.")]


def read(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(help="Ink (JSON strokes, InkML, UNIPEN), or folders of it.")
    ],
    checkpoint: Checkpoint = None,
    system: System = None,
    lexicon: Lexicon = None,
    size: Size = None,
    free: Free = False,
    order: Order = None,
    beam: Beam = None,
    count: Annotated[int, typer.Option(min=1, help="How many words are told.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per word.")] = False,
    page: Page = Path("report/words.html"),
    pictures: Annotated[bool, typer.Option(help="Whether to write the page.")] = True,
) -> None:
    """Read pen-written words: the likeliest five with posteriors, and a page of how."""
    if pictures:
        page_to_write(page)
    else:
        refuse_given(context, ["page"], "--no-pictures has none written")
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
    system: System = None,
    lexicon: Lexicon = None,
    size: Size = None,
    free: Free = False,
    order: Order = None,
    beam: Beam = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8123,
    keep: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for what is written, with labels.csv, for adapt."
        ),
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
    system: System = None,
    page: Page = Path("report/words.html"),
) -> None:
    """Read the words that come with the package, which are written by code."""
    page_to_write(page)
    started = time.perf_counter()
    reader = make_reader(checkpoint, system, None, None, False, 15.0)
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
