"""Pictures of the report: graphs, their likely parts, images embedded in the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image

import gtn

__all__ = ["LEAST_POSTERIOR", "MOST_ARCS", "Character", "data_uri", "draw", "likely_part"]

LEAST_POSTERIOR = 0.001
"""Arcs with a smaller posterior are left out of a picture."""

MOST_ARCS = 150
"""Most arcs in a picture, besides those of the best path."""


@dataclass(frozen=True)
class Character:
    """A character of the best path: its box in pixels of the file, and what it was read as."""

    x: float
    y: float
    width: float
    height: float
    text: str


def likely_part(
    graph: gtn.Graph, posteriors: torch.Tensor, path: np.ndarray, least: float = LEAST_POSTERIOR
) -> tuple[gtn.Graph, np.ndarray]:
    """Return the likely part of a graph, and the indexes of its arcs in ``graph``.

    Keep the arcs with a posterior of at least ``least``, no more than the ``MOST_ARCS`` best, and
    those of a path; then drop arcs on no path from start to final.

    Args:
        graph: a single graph.
        posteriors: ``[A]``, as of :func:`gtn.arc_posteriors`.
        path: indexes of arcs to keep, whatever their posterior.
        least: lowest posterior to keep; with 0 only ``MOST_ARCS`` limits the arcs.

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


def draw(
    part: gtn.Graph, arcs: np.ndarray, path: np.ndarray, posteriors: torch.Tensor | None
) -> Markup:
    """Draw a part of a graph, given by its ``arcs``, with the best ``path`` emphasised."""
    color = None
    if posteriors is not None:
        color = posteriors.index_select(0, torch.from_numpy(arcs))
    svg = gtn.to_svg(
        part,
        engine="layered",
        images="image" if "image" in part.data else None,
        highlight=np.flatnonzero(np.isin(arcs, path)),
        color=color,
        max_arcs=10_000,
        background=None,
    )
    return Markup(svg)  # made by gtn, which escapes every text


def data_uri(image: Image.Image) -> str:
    """Return an image as a data URI."""
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
