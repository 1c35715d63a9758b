"""The report: one page that shows how fields were read, graph by graph (paper, Fig. 33)."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

import gtn
from demos.checks.checkpoint import write_whole
from demos.checks.reader import CheckReader, Steps
from grammars import RUBBISH
from recognizers.images import ImageError, load_field
from recognizers.segmentation import Segmentation
from recognizers.segmentation_graph import INK

__all__ = ["likely_part", "write_report"]

LEAST_POSTERIOR = 0.001
"""Arcs of a smaller posterior are left out of a picture."""

MOST_ARCS = 150
"""Most arcs of a picture, beside those of the best path."""

TINTS = ((31, 95, 168), (200, 55, 27), (46, 125, 80), (146, 84, 160))
"""Colours of successive pieces of ink."""


@dataclass(frozen=True)
class Character:
    """A segment of the best path: its box in pixels of the file, and what it was read as."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Card:
    """What the page shows of one file."""

    number: int
    name: str
    truth: str | None = None
    error: str = ""
    text: str = ""
    confidence: float = 0.0
    accepted: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()
    width: int = 0
    height: int = 0
    picture: str = ""
    pieces: str = ""
    count: int = 0
    cuts: list[str] = field(default_factory=list)
    characters: list[Character] = field(default_factory=list)
    segmentation: Markup | None = None
    segmentation_left_out: int = 0
    interpretation: Markup | None = None
    interpretation_left_out: int = 0
    interpretation_arcs: int = 0

    @property
    def right(self) -> bool | None:
        """Whether the text is the truth; None where either is not known."""
        return None if self.truth is None or self.error else self.text == self.truth


def write_report(
    reader: CheckReader,
    paths: Sequence[Path],
    directory: Path,
    truths: Sequence[str] | None = None,
) -> Path:
    """Read the files and write ``directory/report.html``, which needs no other file; return it.

    A file that cannot be read gets a line that says why; the others are shown.

    Args:
        reader: the reader whose graphs are shown.
        paths: image files, in the order of the page.
        directory: made where it does not exist.
        truths: the right text of each file, where it is known.

    Raises:
        ValueError: not as many truths as files.
    """
    if truths is not None and len(truths) != len(paths):
        raise ValueError(f"{len(truths)} truths for {len(paths)} files; one each is needed")
    known = list(truths) if truths is not None else [None] * len(paths)
    cards = [
        _card(reader, number, Path(path), truth)
        for number, (path, truth) in enumerate(zip(paths, known, strict=True), 1)
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    readable = [card for card in cards if not card.error]
    page = environment.get_template("report.html").render(
        cards=cards,
        readable=len(readable),
        accepted=sum(card.accepted for card in readable),
        right=sum(card.right is True for card in readable),
        judged=truths is not None,
        threshold=reader.threshold,
        views=reader.views,
        grammar=reader.rules.name,
        rubbish=RUBBISH,
        least_posterior=LEAST_POSTERIOR,
        most_arcs=MOST_ARCS,
    )
    target = Path(directory) / "report.html"
    write_whole(target, page)
    return target


def likely_part(
    graph: gtn.Graph, posteriors: torch.Tensor, path: np.ndarray, least: float = LEAST_POSTERIOR
) -> tuple[gtn.Graph, np.ndarray]:
    """Return the arcs that matter for a picture, and which arcs of ``graph`` they are.

    Arcs with a posterior of ``least`` and more stay, the ``MOST_ARCS`` best of them, and those of
    a path; then all that is on no way from start to final goes.

    Args:
        graph: a single graph.
        posteriors: ``[A]``, as of :func:`gtn.arc_posteriors`.
        path: indexes of arcs that stay, whatever their posterior.
        least: 0 to leave out only what is too much.

    >>> g = gtn.from_arcs([(0, 1, 0, 0.0), (0, 1, 1, 1.0), (0, 1, 2, 20.0)], final=1)
    >>> part, arcs = likely_part(g, gtn.arc_posteriors(g), np.array([0]))
    >>> part.num_arcs, arcs.tolist()
    (2, [0, 1])
    """
    shares = posteriors.detach().cpu().numpy()
    best = np.argsort(-shares, kind="stable")[:MOST_ARCS]
    kept = np.union1d(best[shares[best] >= least], path).astype(np.int64)
    where = torch.from_numpy(kept)
    part = gtn.from_arrays(
        np.asarray(graph.src)[kept],
        np.asarray(graph.dst)[kept],
        np.asarray(graph.ilabels)[kept],
        np.asarray(graph.olabels)[kept],
        penalties=graph.penalties.detach().index_select(0, where),
        start=np.asarray(graph.starts).tolist(),
        final=np.asarray(graph.finals).tolist(),
        num_nodes=graph.num_nodes,
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data={key: graph.data[key][where] for key in ("image",) if key in graph.data},
    )
    useful = gtn.connect(part)
    return useful, kept[useful.sources[0].index]


# -- one file ---------------------------------------------------------------------------------


def _card(reader: CheckReader, number: int, path: Path, truth: str | None) -> Card:
    try:
        image = load_field(path)
    except ImageError as error:
        return Card(number, path.name, truth, error=str(error))
    steps = reader.steps(image)
    reading, segmentation = steps.reading, steps.segmentation
    card = Card(
        number,
        path.name,
        truth,
        text=reading.text,
        confidence=reading.confidence,
        accepted=reading.accepted,
        alternatives=reading.alternatives,
        width=image.shape[1],
        height=image.shape[0],
        picture=_data_uri(Image.fromarray(image)),
        pieces=_data_uri(_tinted(segmentation)),
        count=segmentation.num_nodes - 1 if segmentation.num_arcs else 0,
        cuts=[" ".join(f"{x:.1f},{y:.1f}" for x, y in line) for line in segmentation.cuts],
    )
    if steps.best.num_arcs == 0:
        return card
    return _with_graphs(reader, card, steps)


def _with_graphs(reader: CheckReader, card: Card, steps: Steps) -> Card:
    """Add the pictures of the graphs."""
    graph = steps.interpretation
    path = _best_arcs(steps)
    segments = _segment_of_arcs(reader, steps)
    posteriors = gtn.arc_posteriors(graph.double()).float()
    # A segment is as probable as all that it is read as.
    of_segments = torch.zeros(steps.segments.num_arcs).index_add(
        0, torch.from_numpy(segments.astype(np.int64)), posteriors
    )
    texts = graph.isymbols.decode(np.asarray(graph.ilabels)[path].tolist())
    characters = [
        Character(*steps.segmentation.boxes[arc].tolist(), text)
        for arc, text in zip(segments[path].tolist(), texts, strict=True)
    ]
    drawn, drawn_arcs = likely_part(_segments(reader, steps), of_segments, segments[path], 0.0)
    read, read_arcs = likely_part(graph, posteriors, path)
    return replace(
        card,
        characters=characters,
        segmentation=_picture(drawn, drawn_arcs, segments[path], None),
        segmentation_left_out=steps.segments.num_arcs - drawn.num_arcs,
        interpretation=_picture(read, read_arcs, path, posteriors),
        interpretation_left_out=graph.num_arcs - read.num_arcs,
        interpretation_arcs=graph.num_arcs,
    )


@torch.no_grad()
def _segments(reader: CheckReader, steps: Steps) -> gtn.Graph:
    """Return the segmentation graph with the penalties of its segments, its label as a word."""
    penalties = reader.recognize.segment_penalty(steps.segments.data["features"])
    named = gtn.SymbolTable({INK: "ink"})
    return steps.segments.with_penalties(penalties).with_symbols(named)


def _best_arcs(steps: Steps) -> np.ndarray:
    """Return the arcs of the interpretation graph on the best path that spells the text, [L]."""
    graph = steps.interpretation
    spelled = gtn.compose(graph, gtn.string(steps.reading.text, symbols=graph.osymbols))
    path = gtn.viterbi_path(spelled)
    return spelled.sources[0].then(path.sources[0]).index.astype(np.int64)


def _segment_of_arcs(reader: CheckReader, steps: Steps) -> np.ndarray:
    """Return the segment that each arc of the interpretation graph reads, ``[A]``."""
    # T_rec makes one arc per class of each segment, one segment after the other.
    return steps.interpretation.sources[0].index // len(reader.recognize.symbols)


def _picture(
    part: gtn.Graph, arcs: np.ndarray, path: np.ndarray, posteriors: torch.Tensor | None
) -> Markup:
    """Draw a part of a graph: its ``arcs`` in the whole graph, the best ``path`` emphasised."""
    color = None
    if posteriors is not None:
        color = posteriors.index_select(0, torch.from_numpy(arcs))
    svg = gtn.to_svg(
        part,
        engine="layered",
        images="image",
        highlight=np.flatnonzero(np.isin(arcs, path)),
        color=color,
        max_arcs=10_000,
        background=None,
    )
    return Markup(svg)  # made by gtn, which escapes every text


def _tinted(segmentation: Segmentation) -> Image.Image:
    """Return the ink on white, each piece in another colour than its neighbours."""
    ink = segmentation.image.astype(np.float32)[..., None] / 255.0
    tints = np.array([*TINTS, (120, 120, 120)], np.float32)
    owner = np.where(segmentation.pieces >= 0, segmentation.pieces % len(TINTS), len(TINTS))
    return Image.fromarray(np.rint(255 * (1 - ink) + tints[owner] * ink).astype(np.uint8))


def _data_uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
