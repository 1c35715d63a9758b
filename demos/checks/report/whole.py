"""The page of whole checks: candidate fields on the image, the field graph, the reading.

It follows Fig. 33 of the paper: from the check graph to the field graph, the segmentation or sweep
of the winning field, the interpretation graph, and the answer with its confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image

import gtn
from demos.checks.reading.lines import LineReading
from demos.checks.report.lines import line_pictures
from demos.checks.report.page import FileCard, cards_of, write_page
from demos.checks.report.pictures import LEAST_POSTERIOR, data_uri, draw, likely_part
from demos.checks.report.segments import segment_pictures
from demos.checks.whole.reader import BEAM, Prepared, WholeReader
from grammars import RUBBISH
from recognizers.fields import field_graph, locate_fields
from recognizers.fields.candidates import ROLES
from recognizers.images import ImageError, load_field

__all__ = ["write_whole_report"]

THUMB = (28, 112)
"""Height and width of the picture of a field on an arc."""


@dataclass(frozen=True)
class FieldOnPage:
    """A candidate: its box in pixels, what it may hold, its penalty, and its probability."""

    number: int
    x: float
    y: float
    width: float
    height: float
    role: str
    penalty: float
    posterior: float
    best: bool
    picture: str


@dataclass(frozen=True)
class CheckCard(FileCard):
    """The card of a whole check on the page."""

    located: int = 0
    fields: list[FieldOnPage] = field(default_factory=list)
    field_graph: Markup | None = None
    readings: list[dict[str, Any]] = field(default_factory=list)
    interpretation: Markup | None = None
    interpretation_arcs: int = 0
    interpretation_left_out: int = 0


def write_whole_report(
    reader: WholeReader,
    paths: Sequence[Path],
    directory: Path,
    truths: Sequence[str] | None = None,
    chosen: str = "",
) -> Path:
    """Read checks and write the self-contained ``directory/report.html``; return its path.

    A file that cannot be read gets a line that says why. The arguments are
    those of :func:`demos.checks.report.fields.write_report`.

    Raises:
        ValueError: not as many truths as files.
    """
    cards = cards_of(partial(_card, reader), paths, truths)
    return write_page(
        "whole.html",
        directory,
        cards,
        judged=truths is not None,
        chosen=chosen,
        threshold=reader.threshold,
        grammar=reader.reader.rules.name,
        rubbish=RUBBISH,
        sweeping=isinstance(reader.reader.recognize, LineReading),
        least_posterior=LEAST_POSTERIOR,
    )


@torch.no_grad()
def _card(reader: WholeReader, number: int, path: Path, truth: str | None) -> CheckCard:
    try:
        image = load_field(path)
        found = locate_fields(image)
    except (ImageError, ValueError) as error:
        return CheckCard(number, path.name, truth, error=str(error))
    check = reader.chosen(found)
    reading = reader.read_prepared([check])[0]
    shown: dict[str, Any] = {}
    if check.pictures and reading.text:
        shown = _graphs(reader, check, reading.text)
    return CheckCard(
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
        located=len(found.boxes),
        **shown,
    )


def _graphs(reader: WholeReader, check: Prepared, text: str) -> dict[str, Any]:
    """Return the candidates, the pictures of the graphs, and how the best fields were read."""
    decoder = reader.decoder
    fields = field_graph(check.fields, reader.penalties(check.fields))
    recognition = reader.recognition_graph(check, decoder)
    graph = gtn.compose(recognition, decoder, beam=BEAM)
    spelled = gtn.compose(graph, gtn.string(text, symbols=graph.osymbols))
    best = gtn.viterbi_path(spelled)
    path = spelled.sources[0].then(best.sources[0]).index.astype(np.int64)
    posteriors = gtn.arc_posteriors(graph.double()).float()
    # Each field's graph is entered by its own arc, whose posterior is the field's share.
    entered = recognition.sources[0].then(graph.sources[0]).index
    shares = np.zeros(fields.num_arcs)
    np.add.at(shares, entered[entered >= 0], posteriors.numpy()[entered >= 0])
    chosen = entered[path]
    chosen = chosen[chosen >= 0].astype(np.int64)
    numbers = fields.data["field"].numpy()
    best_fields = numbers[chosen].tolist()
    part, arcs = likely_part(graph.without_data(), posteriors, path)
    kept = np.argsort(-shares, kind="stable")[:8]
    drawn, drawn_arcs = likely_part(
        _with_pictures(fields, check), torch.from_numpy(shares), np.union1d(kept, chosen), 1.0
    )
    return {
        "fields": _on_page(reader, check, numbers, shares, set(best_fields)),
        "field_graph": draw(drawn, drawn_arcs, chosen, None),
        "readings": [_reading(reader, check, k) for k in best_fields],
        "interpretation": draw(part, arcs, path, posteriors),
        "interpretation_arcs": graph.num_arcs,
        "interpretation_left_out": graph.num_arcs - part.num_arcs,
    }


def _on_page(
    reader: WholeReader, check: Prepared, numbers: np.ndarray, shares: np.ndarray, best: set[int]
) -> list[FieldOnPage]:
    """Return the candidates with the most probable last, to be drawn on top."""
    penalties = reader.penalties(check.fields).tolist()
    total = np.zeros(len(penalties))
    np.add.at(total, numbers, shares)
    order = np.lexsort((total, [k in best for k in range(len(total))])).tolist()
    return [
        FieldOnPage(
            k + 1,
            *check.fields.boxes[k].tolist(),
            role=ROLES[check.fields.roles[k]],
            penalty=penalties[k],
            posterior=float(total[k]),
            best=k in best,
            picture=data_uri(Image.fromarray(check.fields.images[k])),
        )
        for k in order
    ]


def _with_pictures(fields: gtn.Graph, check: Prepared) -> gtn.Graph:
    """Return the field graph with a small picture of each field.

    Every path ends at its own node, so that each arc is drawn separately.
    """
    high, wide = THUMB
    rows = np.zeros((fields.num_arcs, high, wide), np.float32)
    for row, k in zip(rows, fields.data["field"].tolist(), strict=True):
        ink = Image.fromarray(255 - check.fields.images[k])
        ink.thumbnail((wide, high), Image.Resampling.BOX)
        top, left = (high - ink.height) // 2, (wide - ink.width) // 2
        row[top : top + ink.height, left : left + ink.width] = np.asarray(ink)
    ends = np.asarray(fields.dst).copy()
    last = ends == 1
    ends[last] = fields.num_nodes + np.arange(last.sum())
    return gtn.from_arrays(
        np.asarray(fields.src),
        ends,
        np.asarray(fields.ilabels),
        penalties=fields.penalties,
        start=0,
        final=ends[last].tolist(),
        symbols=fields.isymbols,
        data={"image": torch.from_numpy(rows)},
    )


def _reading(reader: WholeReader, check: Prepared, number: int) -> dict[str, Any]:
    """Return how one field was read by itself, as the page of fields shows it."""
    image = check.fields.images[number]
    sweeping = isinstance(reader.reader.recognize, LineReading)
    alone, shown = (line_pictures if sweeping else segment_pictures)(reader.reader, image)
    return {
        "role": ROLES[check.fields.roles[number]],
        "text": alone.text,
        "width": image.shape[1],
        "height": image.shape[0],
        "picture": data_uri(Image.fromarray(image)),
        "emissions": "",
        "classes": [],
        "columns": 0,
        "pieces": "",
        "cuts": [],
        "characters": [],
        "segmentation": None,
        **{k: v for k, v in shown.items() if not k.startswith("interpretation")},
    }
