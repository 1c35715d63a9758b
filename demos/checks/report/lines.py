"""Pictures of a field read in one sweep: the outputs by column, and their interpretations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

import gtn
from demos.checks.reading.lines import LineReading, decoded, edges
from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.report.pictures import LEAST_POSTERIOR, Character, data_uri, draw, likely_part
from recognizers.lines.images import as_batch, normalise_line, placement

__all__ = ["line_pictures"]

SHOWN = 24
"""Most texts in the graph that is drawn."""

CELL = 12
"""Pixels of one output in its picture."""


@torch.no_grad()
def line_pictures(reader: CheckReader, image: np.ndarray) -> tuple[Reading, dict[str, Any]]:
    """Return the reading of a field, and the pictures of how it came about."""
    recognize = reader.recognize
    assert isinstance(recognize, LineReading)
    reading = reader.read([image])[0]
    line = normalise_line(image)
    if not line.any():
        return reading, {}
    emissions = recognize(as_batch([line]))[0].double()
    decoder = recognize.decoder(reader.grammar()).double()
    shares = gtn.dense.posteriors(emissions, decoder)
    shown = {
        "classes": list(recognize.symbols),
        "emissions": data_uri(_map(shares)),
        "columns": len(shares),
        "count": len(shares),
    }
    spelled = gtn.compose(decoder, gtn.string(reading.text, symbols=decoder.osymbols))
    labels, arcs = gtn.dense.alignment(emissions, spelled)
    if (labels < 0).any():  # the text was read in another view of the field only
        return reading, shown
    places = _edges(image.shape, line.shape[1], len(labels))
    shown["characters"] = _characters(
        labels.numpy(), arcs.numpy(), places, image.shape[0], recognize.symbols
    )
    return reading, shown | _interpretations(emissions, decoder, reading.text)


def _map(shares: torch.Tensor) -> Image.Image:
    """Draw the posteriors ``[T, C]`` of the classes by column, one row per class."""
    dark = 1.0 - shares.T.clamp(0.0, 1.0).sqrt().numpy()[..., None]
    ink = np.array([31, 95, 168], np.float64)
    pixels = np.rint(ink + dark * (255.0 - ink)).astype(np.uint8)
    return Image.fromarray(np.kron(pixels, np.ones((CELL, CELL, 1), np.uint8)))


def _edges(shape: tuple[int, ...], wide: int, columns: int) -> np.ndarray:
    """Return the edges of the columns in the picture, in pixels: ``[T + 1]``."""
    width, left, _ = placement((shape[0], shape[1]))
    return (edges(columns, wide) - left) * (shape[1] / width)


def _characters(
    labels: np.ndarray, arcs: np.ndarray, places: np.ndarray, height: int, table: gtn.SymbolTable
) -> list[Character]:
    """Return the runs of outputs that form one character, as boxes as high as the picture."""
    begins = np.flatnonzero(np.append(True, arcs[1:] != arcs[:-1]))
    found: list[Character] = []
    blank = len(table) - 1
    last = blank
    for at, until in zip(begins, np.append(begins[1:], len(arcs)), strict=True):
        label = int(labels[at])
        if label == blank:
            last = blank
            continue
        if label == last and found:  # the arc of the first output, then that of the others
            before = found.pop()
            found.append(Character(before.x, 0.0, places[until] - before.x, height, before.text))
        else:
            width = float(places[until] - places[at])
            found.append(Character(float(places[at]), 0.0, width, height, table.symbol(label)))
        last = label
    return found


def _interpretations(emissions: torch.Tensor, decoder: gtn.Graph, text: str) -> dict[str, Any]:
    """Draw one graph of the likely texts: a path for each, with its share.

    Return nothing if this view of the field has no text; the reading then comes from other views.
    """
    likely = decoded(emissions[None], decoder, SHOWN)[0]
    if not likely:
        return {}
    texts = sorted((t for t in likely if likely[t] >= LEAST_POSTERIOR or t == text), key=likely.get)
    strings = gtn.strings(texts, symbols=decoder.osymbols).double()
    each = torch.tensor([likely[t] for t in texts], dtype=torch.float64).clamp(min=1e-300)
    union = gtn.union(*strings.with_penalties(strings.penalties, start_penalties=-each.log()))
    graph = gtn.push(gtn.minimize(gtn.determinize(gtn.remove_epsilon(union)))).float()
    spelled = gtn.compose(graph, gtn.string(text, symbols=graph.osymbols))
    path = spelled.sources[0].then(gtn.viterbi_path(spelled).sources[0]).index.astype(np.int64)
    posteriors = gtn.arc_posteriors(graph.double()).float()
    part, arcs = likely_part(graph, posteriors, path)
    return {
        "interpretation": draw(part, arcs, path, posteriors),
        "interpretation_left_out": graph.num_arcs - part.num_arcs,
        "interpretation_arcs": graph.num_arcs,
    }
