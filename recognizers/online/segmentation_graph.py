"""Segmentation graphs of words, with the ink of each segment on its arc (Fig. 30)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

import gtn
from gtn.batch import assemble
from gtn.data import ArcData, Column
from gtn.topology import Topology
from recognizers.online.amap import COLUMNS, PLANES, ROWS, amaps_of
from recognizers.online.ink_batch import InkBatch
from recognizers.online.segmentation import ROOM, InkSegmentation, members

__all__ = ["INK", "segment_images", "segmentation_graph", "segmentation_graphs"]

INK = 0
"""Label of every arc of a segmentation graph: a piece of ink, not yet read."""

NEIGHBOURS = 12
"""Most pieces on each side of a segment that are drawn beside it, if they reach into its image."""


def segment_images(
    words: Sequence[InkSegmentation],
    rng: np.random.Generator | None = None,
    strength: float = 1.0,
    *,
    context: bool = False,
) -> np.ndarray:
    """Return annotated images, float32 [A, 5, 20, 18], of all segments of all words, in order.

    A segment stands in the middle of the columns, narrowed if it is too wide, and on the rows that
    it has in the word. With `rng` the words are distorted first, each as a whole
    (`InkBatch.distorted`). With `context` there are five more planes, [A, 10, 20, 18]: the ink of
    the word beside the segment, in the same columns and rows. The meaning of a piece of ink can
    depend on the ink beside it; the paper's network does not see that.
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
    planes = 2 * PLANES if context else PLANES
    if not len(src):
        return np.empty((0, planes, ROWS, COLUMNS), dtype=np.float32)
    # Least and largest x of pieces, then of segments.
    starts = strokes[pieces[:-1]]
    lefts, rights = (u.reduceat(points[:, 0], starts) for u in (np.minimum, np.maximum))
    own, segment = members(src, dst - src), np.repeat(np.arange(len(src)), dst - src)
    firsts = np.cumsum(dst - src) - (dst - src)
    left = np.minimum.reduceat(lefts[own], firsts)
    right = np.maximum.reduceat(rights[own], firsts)
    middle, scale = 0.5 * (left + right), np.minimum(1.0, ROOM / np.maximum(right - left, 1e-9))
    if context:
        # Two images in a row for each segment: its pieces, and those beside it.
        word = np.repeat(np.arange(len(words)), [len(w) for w in words])
        beside, near = _beside(src, dst, shifts[word], (shifts + counts)[word])
        half = (0.5 * COLUMNS + 1.0) / scale[beside]
        seen = np.maximum(lefts[near] - middle[beside], middle[beside] - rights[near]) < half
        own = np.concatenate((own, near[seen]))
        image = np.concatenate((2 * segment, 2 * beside[seen] + 1))
        order = np.argsort(image, kind="stable")
        own, image = own[order], image[order]
        segment, number = image // 2, np.bincount(image, minlength=2 * len(src))
    else:
        number = dst - src
    which = members(pieces[own], np.diff(pieces)[own])
    lengths = np.diff(strokes)[which]
    drawn = points[members(strokes[:-1][which], lengths)]
    owner = np.repeat(np.repeat(segment, np.diff(pieces)[own]), lengths)
    drawn[:, 0] = (drawn[:, 0] - middle[owner]) * scale[owner] + 0.5 * (COLUMNS - 1)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    lines = np.concatenate(([0], np.cumsum(np.diff(pieces)[own])))
    inks = lines[np.concatenate(([0], np.cumsum(number)))]
    return amaps_of(drawn, bounds, inks).reshape(len(src), planes, ROWS, COLUMNS)


def _beside(
    src: np.ndarray, dst: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of a segment and a piece beside it in its word, up to `NEIGHBOURS` per side.

    first, last [A]: where the pieces of each segment's word begin and end.
    """
    before = np.minimum(src - first, NEIGHBOURS)
    after = np.minimum(last - dst, NEIGHBOURS)
    numbers = np.arange(len(src))
    segments = np.concatenate((np.repeat(numbers, before), np.repeat(numbers, after)))
    return segments, np.concatenate((members(src - before, before), members(dst, after)))


def _joined(offsets: Sequence[np.ndarray]) -> np.ndarray:
    """Return the offsets of several lists in a row."""
    lengths = [np.diff(each) for each in offsets]
    return np.concatenate(([0], np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))))


def segmentation_graph(word: InkSegmentation) -> gtn.Graph:
    """Return the segmentation graph of a word: acyclic, start 0, final the last node.

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
    """Return the batch of segmentation graphs of words.

    `images`: those of the segments, if they are drawn already; else `segment_images` draws them,
    without context.

    Raises:
        GraphError: there is no word.
    """
    if not words:
        raise gtn.GraphError("a batch of segmentation graphs needs at least one word")
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
