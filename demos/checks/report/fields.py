"""The report: one page that shows how fields were read, graph by graph (paper, Fig. 33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from demos.checks.reading.lines import LineReading
from demos.checks.reading.reader import CheckReader
from demos.checks.report.lines import line_pictures
from demos.checks.report.page import FileCard, cards_of, write_page
from demos.checks.report.pictures import LEAST_POSTERIOR, MOST_ARCS, Character, data_uri
from demos.checks.report.segments import segment_pictures
from grammars import RUBBISH
from recognizers.images import ImageError, load_field
from recognizers.segmentation.binarization import dark_on_light

__all__ = ["write_report"]


@dataclass(frozen=True)
class Card(FileCard):
    """The card of a field on the page."""

    pieces: str = ""
    emissions: str = ""
    classes: list[str] = field(default_factory=list)
    columns: int = 0
    count: int = 0
    cuts: list[str] = field(default_factory=list)
    characters: list[Character] = field(default_factory=list)
    segmentation: Markup | None = None
    segmentation_left_out: int = 0
    interpretation: Markup | None = None
    interpretation_left_out: int = 0
    interpretation_arcs: int = 0


def write_report(
    reader: CheckReader,
    paths: Sequence[Path],
    directory: Path,
    truths: Sequence[str] | None = None,
    chosen: str = "",
) -> Path:
    """Read the files and write the self-contained ``directory/report.html``; return its path.

    A file that cannot be read gets a line that says why.

    Args:
        reader: the reader whose graphs are shown.
        paths: image files, in the order of the page.
        directory: created if missing.
        truths: the right text of each file, where known.
        chosen: says what these files are a part of; shown instead of how many are right.

    Raises:
        ValueError: not as many truths as files.
    """
    cards = cards_of(partial(_card, reader), paths, truths)
    return write_page(
        "fields.html",
        directory,
        cards,
        judged=truths is not None,
        chosen=chosen,
        threshold=reader.threshold,
        views=reader.views,
        grammar=reader.rules.name,
        rubbish=RUBBISH,
        sweeping=isinstance(reader.recognize, LineReading),
        least_posterior=LEAST_POSTERIOR,
        most_arcs=MOST_ARCS,
    )


def _card(reader: CheckReader, number: int, path: Path, truth: str | None) -> Card:
    try:
        image = load_field(path)
    except ImageError as error:
        return Card(number, path.name, truth, error=str(error))
    sweeping = isinstance(reader.recognize, LineReading)
    reading, shown = (line_pictures if sweeping else segment_pictures)(reader, dark_on_light(image))
    return Card(
        number,
        path.name,
        truth,
        text=reading.text,
        confidence=reading.confidence,
        accepted=reading.accepted,
        alternatives=reading.alternatives,
        width=image.shape[1],
        height=image.shape[0],
        picture=data_uri(Image.fromarray(image)),
        **shown,
    )
