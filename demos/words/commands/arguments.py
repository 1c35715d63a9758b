"""What the commands share: options, and what they make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import folder_to_write, require_known
from demos.words.reading.lexicon import SIZE, file_words, task_words
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
    "system_of",
    "words_of_task",
]

RESULTS = Path("results") / "words"
"""Where the figures of `docs/words.md` are kept."""

Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]
System = Annotated[
    str | None,
    typer.Option(help=f"Of the shipped readers: {', '.join(SYSTEMS)} (the first)."),
]
Lexicon = Annotated[
    Path | None, typer.Option(help="A file with a word to a line; default: frequent English.")
]
Size = Annotated[
    int | None,
    typer.Option("--words", min=1, help=f"How many words of English; default {SIZE}."),
]
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


def system_of(given: str | None, other: Path | None, option: str = "--checkpoint") -> str:
    """The system of the shipped reader that is taken; refuse it beside another reader."""
    if given is None:
        return SYSTEMS[0]
    require_known(given, SYSTEMS, "--system")
    if other is not None:
        wrong = f"names a shipped reader, and {option} another"
        raise typer.BadParameter(wrong, param_hint="--system")
    return given


def load_reader(checkpoint: Path | None, system: str | None) -> WordReader:
    """The reader of a file, or the shipped one of a system."""
    shipped = system_of(system, checkpoint)
    return shipped_reader(shipped) if checkpoint is None else WordReader.load(checkpoint)


def make_reader(
    checkpoint: Path | None,
    system: str | None,
    lexicon: Path | None,
    size: int | None,
    free: bool,
    beam: float | None,
    order: int | None = None,
) -> Reader:
    """A reader of a file, or a shipped one, with the list of words that was asked for."""
    if free and lexicon is not None:
        raise typer.BadParameter("any letters, or the words of a file; not both")
    if size is not None and (free or lexicon is not None):
        wrong = "of English; not with --free, nor with a --lexicon"
        raise typer.BadParameter(wrong, param_hint="--words")
    if order is not None and not free:
        raise typer.BadParameter("of any letters; give --free, too", param_hint="--order")
    network = load_reader(checkpoint, system)
    words = None if free else words_of(lexicon, size or SIZE)
    if words is not None and words.problems:
        typer.echo(words.summary(), err=True)
    return Reader(network, words, beam, SPELLING_ORDER if order is None else order)


def words_of_task(lexicon: Path | None, labels: list[str]) -> WordList:
    """The words of a file, or else those of the task, which has all labels."""
    listed = task_words(labels) if lexicon is None else file_words(lexicon)
    if listed.problems:
        typer.echo(listed.summary(), err=True)
    return listed
