"""The page on a data set: figures, curves, confusions, the worst errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from demos.checkpoint import write_whole
from demos.checks.measuring.calibration import expected_calibration_error
from demos.checks.measuring.confusions import NOTHING, aligned, confusions
from demos.checks.measuring.curves import error_reject_figure, reliability_figure
from demos.checks.measuring.evaluate import Outcome
from demos.checks.reading.reader import CheckReader
from demos.checks.report.pictures import data_uri
from demos.pages import fill_file
from demos.plots import as_svg
from recognizers.datasets.fields import Field
from recognizers.images import load_field

__all__ = ["WORST", "write_dataset_page"]

WORST = 40
"""Most errors shown with their pictures."""


@dataclass(frozen=True)
class Cell:
    """A count in the table of confusions: its description, and its shade, 0 to 1."""

    count: int
    shade: float
    title: str


@dataclass(frozen=True)
class Error:
    """An error on the page: its picture, and the pairs of characters that differ."""

    outcome: Outcome
    picture: str
    pairs: tuple[tuple[str, str], ...]


def write_dataset_page(
    reader: CheckReader, figures: Mapping[str, Any], fields: Sequence[Field], on: str, target: Path
) -> Path:
    """Write one self-contained page on how a data set was read; return it.

    Args:
        reader: the reader that was measured.
        figures: as :func:`demos.checks.measuring.evaluate.figures_of` returns them.
        fields: those that were read.
        on: what the fields are called.
        target: the file.
    """
    outcomes: list[Outcome] = figures["outcomes"]
    by_name = {one.name: one.path for one in fields}
    wrong = sorted((o for o in outcomes if not o.exact), key=lambda o: -o.reading.confidence)
    characters = [*reader.rules.characters, NOTHING]
    page = fill_file(
        Path(__file__).parent,
        "dataset.html",
        on=on,
        recognizer=reader.recognizer,
        grammar=reader.rules.name,
        threshold=reader.threshold,
        scale=reader.scale,
        figures=figures,
        calibration_error=expected_calibration_error(outcomes),
        curves=[
            ("Error and rejection", _svg(error_reject_figure(outcomes, reader.threshold))),
            ("Reliability", _svg(reliability_figure(outcomes))),
        ]
        if outcomes
        else [],
        characters=characters,
        table=_table(outcomes, characters),
        pairs=[(x, y, count) for (x, y), count in confusions(outcomes).most_common() if x != y][
            :12
        ],
        wrong=len(wrong),
        errors=[_error(one, by_name[one.name]) for one in wrong[:WORST]],
    )
    write_whole(target, page, errors="replace")
    return target


def _error(outcome: Outcome, path: Path) -> Error:
    pairs = aligned(outcome.truth, outcome.reading.text)
    image = Image.fromarray(load_field(path))
    image.thumbnail((480, 160))
    return Error(outcome, data_uri(image), tuple(pair for pair in pairs if pair[0] != pair[1]))


def _table(outcomes: Sequence[Outcome], characters: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    """Return the rows of the table: one per character of the truth, the last for insertions."""
    counts = confusions(outcomes)
    most = max((count for (x, y), count in counts.items() if x != y), default=1)
    rows = []
    for x in characters:
        cells = []
        for y in characters:
            count = counts[x, y]
            said = f"{_named(x)} read as {_named(y)}: {count}"
            cells.append(Cell(count, 0.0 if x == y else count / most, said))
        rows.append((x, cells))
    return rows


def _named(character: str) -> str:
    return character if character != NOTHING else "nothing"


def _svg(figure: Figure) -> Markup:
    """Return a plot to embed in the page; matplotlib escapes its texts."""
    text = as_svg(figure)
    return Markup(text[text.index("<svg") :])
