"""Read ink and show in pictures how it was read, on one self-contained page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

import gtn
from demos.checkpoint import write_whole
from demos.pages import fill_file
from demos.words.choices import BEAM, FREE_BEAM, SPELLING_ORDER
from demos.words.reading.lexicon import file_words, task_words
from demos.words.reading.reader import WordReader, WordReading
from demos.words.report.drawing import (
    Graphs,
    draw_graphs,
    draw_lines,
    draw_outputs,
    draw_pieces,
    draw_planes,
)
from grammars.decoding import Decoder
from grammars.words import WordList
from recognizers.online.ink import Ink

__all__ = ["MOST_SHOWN", "Card", "Reader", "card", "words_of", "write_report"]

MOST_SHOWN = 24
"""Most words whose pictures are on one page."""

MOST_ACTIVE = 4000
"""Most tokens followed at one place, so that no ink takes long."""


class Reader:
    """A reader of words with what it looks for: a list of words, or any letters.

    Attributes:
        words: the list; None: any letters.
        order: with any letters, how many in a row are weighed as they follow each other in words
            (`WordReader.spelling`); 0: all are alike.

    The default beam, in nats, is `BEAM`, or without a list `FREE_BEAM`.
    """

    def __init__(
        self,
        reader: WordReader,
        words: WordList | None,
        beam: float | None = None,
        order: int = SPELLING_ORDER,
    ) -> None:
        self.reader, self.words, self.order = reader, words, order
        if beam is None:
            beam = FREE_BEAM if words is None else BEAM
        graph: gtn.Graph | None = None
        if words is not None:
            graph = reader.lexicon(words)
        elif order:
            graph = reader.spelling(order)
        self.decoder: Decoder = reader.decoder(graph, beam).with_beam(beam, MOST_ACTIVE)

    def read(self, ink: Ink, count: int = 5) -> WordReading:
        """Read a word; return its likeliest readings and all intermediate graphs.

        If the beam keeps fewer words than asked for, read once more without one, among fewer
        tokens.
        """
        reading = self.reader.read(ink, self.decoder, count)
        wanted = count if self.words is None else min(count, len(self.words))
        if len(reading.readings) >= wanted or ink.is_empty:
            return reading
        return self.reader.read(ink, self.decoder.with_beam(math.inf, MOST_ACTIVE // 4), count)

    @property
    def about(self) -> str:
        """What the reader looks for, in words."""
        if self.words is None:
            return (
                "any letters, as they follow each other in words" if self.order else "any letters"
            )
        return f"{len(self.words):,} words"


def words_of(path: Path | None, size: int) -> WordList:
    """Return the words of a file (`file_words`), or the `size` most frequent ones of English."""
    return task_words([], size) if path is None else file_words(path)


@dataclass(frozen=True)
class Card:
    """What a page shows of one word."""

    number: int
    name: str
    label: str | None = None
    error: str = ""
    words: tuple[tuple[str, float, float], ...] = ()
    lines: Markup | None = None
    planes: list[tuple[str, str]] = field(default_factory=list)
    columns: int = 0
    count: int = 0
    pieces: Markup | None = None
    outputs: tuple[str, list[str], int] | None = None
    graphs: Graphs | None = None

    @property
    def text(self) -> str:
        """The likeliest word."""
        return self.words[0][0] if self.words else ""

    @property
    def right(self) -> bool | None:
        """Whether the likeliest word is the label; None if there is no label or an error."""
        return None if self.label is None or self.error else self.text == self.label.lower()


def card(
    reader: Reader,
    ink: Ink,
    number: int = 1,
    name: str = "",
    label: str | None = None,
    count: int = 5,
) -> tuple[WordReading, Card]:
    """Read a word and draw how it was read."""
    reading = reader.read(ink, count)
    graphs = draw_graphs(reading)
    cut = reading.segmentation
    return reading, Card(
        number,
        name,
        label,
        words=tuple((one.text, one.posterior, one.penalty) for one in reading.readings),
        lines=draw_lines(ink, reading),
        planes=draw_planes(reading.planes),
        columns=reading.planes.shape[2],
        count=0 if cut is None else cut.num_pieces,
        pieces=None if cut is None else draw_pieces(cut, graphs.letters if graphs else []),
        outputs=draw_outputs(reading.segments) if cut is None else None,
        graphs=graphs,
    )


def write_report(cards: Sequence[Card], reader: Reader, path: Path, left_out: int = 0) -> Path:
    """Write the page of some words as one self-contained file; return its path."""
    known = [one for one in cards if one.right is not None]
    page = fill_file(
        Path(__file__).parents[1],
        "report/report.html",
        cards=cards,
        judged=len(known),
        right=sum(one.right is True for one in known),
        failed=sum(bool(one.error) for one in cards),
        about=reader.about,
        listed=reader.words is not None,
        sweeping=reader.reader.system == "sdnn",
        left_out=left_out,
    )
    write_whole(path, page, errors="replace")
    return path
