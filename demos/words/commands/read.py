"""The commands that read ink: ``read``, ``pad``, ``demo``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import typer

from demos.words.commands.arguments import make_reader, reader_of_english
from demos.words.options.read import Demo, Pad, Read
from demos.words.pad.kept_ink import KeptInk
from demos.words.pad.server import PadServer
from demos.words.reading.reader import WordReading
from demos.words.report.page import MOST_SHOWN, Card, Reader, card, write_report
from demos.words.samples.files import NamedInk, inks_of
from recognizers.online.ink import InkError

__all__ = ["OWN_INK", "demo", "pad", "read"]

OWN_INK = Path(__file__).parents[1] / "ink"
"""Words written by code, shipped with the package."""


def read(given: Read) -> None:
    """Print the words of each ink, and write the page; ink that cannot be read ends in an error."""
    reader = make_reader(given)
    cards: list[Card] = []
    failed = left_out = 0
    for name, found in inks_of(given.paths):
        for one in [found] if isinstance(found, InkError) else found:
            drawn = given.pictures and len(cards) < MOST_SHOWN
            left_out += given.pictures and not drawn
            if isinstance(one, InkError):
                failed += 1
                line = json.dumps({"file": name, "error": str(one)})
                typer.echo(line if given.as_json else f"error: {one}", err=not given.as_json)
                if drawn:
                    cards.append(Card(len(cards) + 1, Path(name).name, error=str(one)))
                continue
            reading, shown = _read(reader, one, len(cards) + 1, given.count, drawn)
            typer.echo(_line(one, reading, given.as_json))
            if shown is not None:
                cards.append(shown)
    if given.pictures and cards:
        typer.echo(
            f"pictures: {write_report(cards, reader, given.page, left_out)}", err=given.as_json
        )
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


def pad(given: Pad) -> None:
    """Print where the page is, and serve it."""
    reader = make_reader(given)
    keep = None if given.keep is None else KeptInk(given.keep)
    with PadServer(reader, given.port, keep) as server:
        typer.echo(f"Open {server.address} and write; end with Ctrl-C.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")


def demo(given: Demo) -> None:
    """Print what is read, and write the page of how."""
    started = time.perf_counter()
    reader = reader_of_english(given.checkpoint, given.system)
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
    typer.echo(f"Open {write_report(cards, reader, given.page)} to see how they were read.")
