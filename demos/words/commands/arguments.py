"""What the commands share: options, and what they make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import folder_to_write, require_known
from demos.words.reading.lexicon import file_words, task_words
from demos.words.reading.reader import BEAM, FREE_BEAM, SYSTEMS, WordReader, shipped_reader
from demos.words.reading.spelling import SPELLING_ORDER
from demos.words.report.page import Reader, words_of
from grammars.words import WordList

__all__ = [
    "RESULTS",
    "Beam",
    "Cache",
    "Checkpoint",
    "Free",
    "Lexicon",
    "Order",
    "Size",
    "System",
    "load_reader",
    "make_reader",
    "words_of_task",
]

RESULTS = Path("results") / "words"
"""Where the figures of `docs/words.md` are kept."""

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
    int | None,
    typer.Option(
        min=0,
        help="With --free: of so many letters in a row; 0: all are alike; "
        f"default {SPELLING_ORDER}.",
    ),
]
Beam = Annotated[
    float | None, typer.Option(min=0.0, help=f"In nats; default {BEAM:g}, --free {FREE_BEAM:g}.")
]
Cache = Annotated[
    Path | None,
    typer.Option(
        callback=folder_to_write, help="A folder that keeps what was read, for the next time."
    ),
]


def load_reader(checkpoint: Path | None, system: str) -> WordReader:
    """The reader of a file, or the shipped one of a system."""
    require_known(system, SYSTEMS, "--system")
    return shipped_reader(system) if checkpoint is None else WordReader.load(checkpoint)


def make_reader(
    checkpoint: Path | None,
    system: str,
    lexicon: Path | None,
    size: int,
    free: bool,
    beam: float | None,
    order: int | None = None,
) -> Reader:
    """A reader of a file, or a shipped one, with the list of words that was asked for."""
    if free and lexicon is not None:
        raise typer.BadParameter("any letters, or the words of a file; not both")
    if order is not None and not free:
        raise typer.BadParameter("of any letters; give --free, too", param_hint="--order")
    network = load_reader(checkpoint, system)
    words = None if free else words_of(lexicon, size)
    if words is not None and words.problems:
        typer.echo(words.summary(), err=True)
    return Reader(network, words, beam, SPELLING_ORDER if order is None else order)


def words_of_task(lexicon: Path | None, labels: list[str]) -> WordList:
    """The words of a file, or else those of the task, which has all labels."""
    listed = task_words(labels) if lexicon is None else file_words(lexicon)
    if listed.problems:
        typer.echo(listed.summary(), err=True)
    return listed
