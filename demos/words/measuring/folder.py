"""Measure a reader of words on a folder of ink with ``labels.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gtn
from demos.words.choices import SPELLING_ORDER
from demos.words.measuring.words import tell
from demos.words.reading.letters import folded
from demos.words.reading.reader import WordReader
from demos.words.samples.files import inks_of
from demos.words.samples.words import Words
from recognizers.datasets.fields import Field, load_fields, nothing_read
from recognizers.online.ink import Ink, InkError

__all__ = [
    "LabelledWord",
    "as_words",
    "evaluate_folder",
    "labels_of",
    "load_folder",
    "load_rows",
]


class LabelledWord(NamedTuple):
    """A word of a folder: its file, the ink as written, and its label in small letters."""

    name: str
    ink: Ink
    label: str

    @property
    def is_written(self) -> bool:
        """Whether readers can write the label: it has only the letters a-z."""
        return folded(self.label) == self.label


def load_folder(directory: str | Path, *, holdout: int = 0) -> tuple[list[LabelledWord], list[str]]:
    """Load the words of a folder with ``labels.csv``; say what was left out and why.

    The files have the formats of `demos.words.samples.files.ink_of_file`, with one ink each. Only
    ``labels.csv`` (``file,text``) gives the labels. If rows are held out (those of the split
    ``test``, and the last `holdout` by file name), only their words are returned. Texts with
    characters other than letters are kept.

    Raises:
        FieldSetError: ``labels.csv`` is unusable or has fewer rows than are held out, or no file
            can be read.
    """
    rows = load_fields(directory)
    words, problems = load_rows(rows.measured(holdout), measured=True)
    problems = [*rows.problems, *problems]
    if not words:
        raise nothing_read(problems)
    return words, problems


def load_rows(
    rows: Sequence[Field], *, measured: bool = False
) -> tuple[list[LabelledWord], list[str]]:
    """Load the words of some rows of ``labels.csv``; say what was left out and why.

    Texts with characters other than letters are left out, unless the words are to be measured:
    then they count as errors.
    """
    words, problems = [], []
    for row, (_, inks) in zip(rows, inks_of(one.path for one in rows), strict=True):
        label = folded(row.text)
        if isinstance(inks, InkError):
            problems.append(str(inks))
        elif not row.text:
            problems.append(f"{row.path}: labels.csv has no text for it")
        elif label is None and not measured:
            problems.append(f"{row.path}: {row.text!r} has other characters than the letters a-z")
        elif len(inks) > 1:
            problems.append(f"{row.path}: {len(inks)} inks, but a row gives the text of one")
        else:
            words.append(LabelledWord(row.name, inks[0].ink, label or row.text.lower()))
    return words, problems


def labels_of(rows: Sequence[Field]) -> list[str]:
    """Return the texts of rows in small letters, without those that have other characters."""
    return [label for row in rows if (label := folded(row.text))]


def as_words(reader: WordReader, words: Sequence[LabelledWord]) -> Words:
    """Return the words in the form that a reader takes."""
    nobody = [""] * len(words)
    inks = [one.ink for one in words]
    labels = [one.label for one in words]
    return Words([*map(reader.normalize, inks)], labels, nobody, nobody, written=inks)


def evaluate_folder(
    reader: WordReader,
    words: Sequence[LabelledWord],
    lexicon: gtn.Graph,
    order: int = SPELLING_ORDER,
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Return the figures of a reader (`tell`) on words of a folder, and its errors.

    An error is (file, truth, what was read with the lexicon). Words missing from the lexicon and
    words with characters other than letters count as errors, so leaving a word out improves no
    figure. ``not_written`` counts the latter.
    """
    told = tell(reader, as_words(reader, words), lexicon, order)
    rows = zip(words, told.with_lexicon, strict=True)
    figures = told.figures() | {"not_written": sum(not one.is_written for one in words)}
    return figures, [(o.name, o.label, text) for o, text in rows if text != o.label]
