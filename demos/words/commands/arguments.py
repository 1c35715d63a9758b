"""Make readers and lists of words from the options of commands."""

from __future__ import annotations

from pathlib import Path

import typer

from demos.words.choices import SIZE, SPELLING_ORDER, SYSTEMS
from demos.words.options.read import Pad, Read
from demos.words.reading.lexicon import file_words, task_words
from demos.words.reading.reader import WordReader, shipped_reader
from demos.words.report.page import Reader, words_of
from grammars.words import WordList

__all__ = ["load_reader", "make_reader", "order_of", "reader_of_english", "words_of_task"]


def load_reader(checkpoint: Path | None, system: str | None) -> WordReader:
    """Load the reader of a file, or the shipped one of a system."""
    if checkpoint is None:
        return shipped_reader(system or SYSTEMS[0])
    return WordReader.load(checkpoint)


def make_reader(given: Read | Pad) -> Reader:
    """Return the reader that the options ask for, with their list of words, or none."""
    network = load_reader(given.checkpoint, given.system)
    words = None if given.free else words_of(given.lexicon, given.size or SIZE)
    if words is not None and words.problems:
        typer.echo(words.summary(), err=True)
    return Reader(network, words, given.beam, order_of(given.order))


def reader_of_english(checkpoint: Path | None, system: str | None) -> Reader:
    """Return a reader, of a file or shipped, of frequent English, with a narrower beam."""
    network = load_reader(checkpoint, system)
    return Reader(network, words_of(None, SIZE), 15.0, SPELLING_ORDER)


def order_of(given: int | None) -> int:
    """Return the order of n-grams of letters that was asked for, or the default one."""
    return SPELLING_ORDER if given is None else given


def words_of_task(lexicon: Path | None, size: int | None, labels: list[str]) -> WordList:
    """Return the words of a file, or `size` words of the task, with all labels."""
    listed = task_words(labels, size or SIZE) if lexicon is None else file_words(lexicon)
    if listed.problems:
        typer.echo(listed.summary(), err=True)
    return listed
