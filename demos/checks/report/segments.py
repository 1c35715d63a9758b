"""Pictures of a field read by over-segmentation: cuts, pieces, both graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

import gtn
from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.reading.segments import SegmentReading
from demos.checks.report.pictures import Character, data_uri, draw, likely_part
from recognizers.segmentation import Segmentation
from recognizers.segmentation.graph import INK, segmentation_graph

__all__ = ["Steps", "segment_pictures", "segment_steps"]

TINTS = ((31, 95, 168), (200, 55, 27), (46, 125, 80), (146, 84, 160))
"""Colours of successive pieces of ink."""


@dataclass(frozen=True)
class Steps:
    """The graphs of one reading, of the field as it is."""

    segmentation: Segmentation
    segments: gtn.Graph
    interpretation: gtn.Graph
    best: gtn.Graph
    reading: Reading


@torch.no_grad()
def segment_steps(reader: CheckReader, image: np.ndarray) -> Steps:
    """Read one field and keep the intermediate graphs."""
    assert isinstance(reader.recognize, SegmentReading)
    segmentation = reader.recognize.prepare(image)
    segments = segmentation_graph(segmentation)
    interpretation = gtn.compose(reader.recognize(segments), reader.grammar())
    reading = reader.read([image])[0]
    spelled = gtn.string(reading.text, symbols=interpretation.osymbols)
    best = gtn.viterbi_path(gtn.compose(interpretation, spelled))
    if not best.num_nodes:  # the text was read in another view of the field only
        best = gtn.viterbi_path(interpretation)
    return Steps(segmentation, segments, interpretation, best, reading)


def segment_pictures(reader: CheckReader, image: np.ndarray) -> tuple[Reading, dict[str, Any]]:
    """Return the reading of a field, and the pictures of how it came about."""
    steps = segment_steps(reader, image)
    segmentation = steps.segmentation
    shown = {
        "pieces": data_uri(_tinted(segmentation)),
        "count": segmentation.num_nodes - 1 if segmentation.num_arcs else 0,
        "cuts": [" ".join(f"{x:.1f},{y:.1f}" for x, y in line) for line in segmentation.cuts],
    }
    return steps.reading, shown | (_graphs(reader, steps) if steps.best.num_arcs else {})


def _graphs(reader: CheckReader, steps: Steps) -> dict[str, Any]:
    """Return the pictures of the graphs."""
    graph = steps.interpretation
    path = _best_arcs(steps)
    segments = _segment_of_arcs(reader, steps)
    posteriors = gtn.arc_posteriors(graph.double()).float()
    # The posterior of a segment is the sum over all that it is read as.
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
    return {
        "characters": characters,
        "segmentation": draw(drawn, drawn_arcs, segments[path], None),
        "segmentation_left_out": steps.segments.num_arcs - drawn.num_arcs,
        "interpretation": draw(read, read_arcs, path, posteriors),
        "interpretation_left_out": graph.num_arcs - read.num_arcs,
        "interpretation_arcs": graph.num_arcs,
    }


@torch.no_grad()
def _segments(reader: CheckReader, steps: Steps) -> gtn.Graph:
    """Return the segmentation graph with the penalties of its segments, its label as a word."""
    assert isinstance(reader.recognize, SegmentReading)
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


def _tinted(segmentation: Segmentation) -> Image.Image:
    """Return the ink on white, each piece in a colour different from its neighbours."""
    ink = segmentation.image.astype(np.float32)[..., None] / 255.0
    tints = np.array([*TINTS, (120, 120, 120)], np.float32)
    owner = np.where(segmentation.pieces >= 0, segmentation.pieces % len(TINTS), len(TINTS))
    return Image.fromarray(np.rint(255 * (1 - ink) + tints[owner] * ink).astype(np.uint8))
