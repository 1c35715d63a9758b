"""Segmentation graphs of words, with the ink of each segment on its arc (Fig. 30)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

import gtn
from gtn.batch import assemble
from gtn.data import ArcData, Column
from gtn.topology import Topology
from recognizers.online.amap import COLUMNS, amaps_of
from recognizers.online.ink_batch import InkBatch
from recognizers.online.segmentation import ROOM, InkSegmentation, members

__all__ = ["INK", "segment_images", "segmentation_graph", "segmentation_graphs"]

INK = 0
"""Label of every arc of a segmentation graph: a piece of ink, not yet read."""


def segment_images(
    words: Sequence[InkSegmentation],
    rng: np.random.Generator | None = None,
    strength: float = 1.0,
) -> np.ndarray:
    """Annotated images float32 [A, 5, 20, 18] of all segments of all words, in their order.

    A segment stands in the middle of the columns, narrowed where it is wider than there is room,
    and on the rows that it has in the word. With `rng` the words are distorted first, each as a
    whole (`InkBatch.distorted`).
    """
    points = np.concatenate([np.empty((0, 2)), *(w.points for w in words)])
    strokes, pieces = _joined([w.strokes for w in words]), _joined([w.pieces for w in words])
    counts = np.array([w.num_pieces for w in words])
    if rng is not None:
        inks = pieces[np.concatenate(([0], np.cumsum(counts)))]
        points = InkBatch(points, strokes, inks).distorted(rng, strength, turning=0.15).points
    # Piece p of a word is piece p + shift of all.
    shifts = np.cumsum(counts) - counts
    src, dst = (
        np.concatenate([np.empty(0, int), *(getattr(w, end) + s for w, s in zip(words, shifts))])
        for end in ("src", "dst")
    )
    first, number = pieces[src], pieces[dst] - pieces[src]
    which = members(first, number)
    lengths = np.diff(strokes)[which]
    inks = np.concatenate(([0], np.cumsum(number)))
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    own = points[members(strokes[:-1][which], lengths)]
    if len(own):
        starts = bounds[inks[:-1]]
        left = np.minimum.reduceat(own[:, 0], starts)
        right = np.maximum.reduceat(own[:, 0], starts)
        scale = np.minimum(1.0, ROOM / np.maximum(right - left, 1e-9))
        owner = np.repeat(np.arange(len(src)), np.diff(bounds[inks]))
        away = own[:, 0] - 0.5 * (left + right)[owner]
        own[:, 0] = away * scale[owner] + 0.5 * (COLUMNS - 1)
    return amaps_of(own, bounds, inks)


def _joined(offsets: Sequence[np.ndarray]) -> np.ndarray:
    """Offsets of several lists behind each other."""
    lengths = [np.diff(each) for each in offsets]
    return np.concatenate(([0], np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))))


def segmentation_graph(word: InkSegmentation) -> gtn.Graph:
    """The segmentation graph of a word: acyclic, start 0, final the last node.

    Arc data: ``image`` (float32 [A, 5, 20, 18], as `segment_images`), ``features`` (float32
    [A, F]), ``box`` (least x and y, largest x and y, in pixels of the word, float32 [A, 4]). Ink
    without points gives a graph of one node, which reads nothing.

    >>> from recognizers.online.ink import Ink
    >>> from recognizers.online.segmentation import segment_ink
    >>> graph = segmentation_graph(segment_ink(Ink([[(3, 7), (3, 13)], [(12, 7), (12, 13)]])))
    >>> graph.num_nodes, graph.num_arcs, tuple(graph.data["image"].shape)
    (3, 3, (3, 5, 20, 18))
    """
    return segmentation_graphs([word])[0]


def segmentation_graphs(
    words: Sequence[InkSegmentation], images: np.ndarray | None = None
) -> gtn.GraphBatch:
    """The batch of segmentation graphs of words; `images` where they are drawn already."""
    nodes = np.cumsum([0, *(w.num_pieces + 1 for w in words)])
    arcs = np.cumsum([0, *map(len, words)])

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(w, name) for w in words])

    shift = np.repeat(nodes[:-1], np.diff(arcs))
    topology = Topology(
        int(nodes[-1]),
        joined("src") + shift,
        joined("dst") + shift,
        np.full(arcs[-1], INK),
        starts=nodes[:-1],
        finals=nodes[1:] - 1,
        node_offsets=nodes,
        arc_offsets=arcs,
    )
    if images is None:
        images = segment_images(words)
    data = ArcData(
        {
            "image": Column(torch.from_numpy(images)),
            "features": Column(torch.from_numpy(joined("features"))),
            "box": Column(torch.from_numpy(joined("boxes"))),
        }
    )
    zeros = torch.zeros(int(arcs[-1])), torch.zeros(len(words)), torch.zeros(len(words))
    graph = assemble(topology, *zeros, data=data)
    assert isinstance(graph, gtn.GraphBatch)
    return graph
