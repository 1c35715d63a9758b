"""Reading by over-segmentation: segments of ink, a network on each, a recognition graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

import gtn
from demos.words.reading.letters import LETTERS, SYMBOLS, letter_network, letter_penalties
from recognizers.online.amap import PLANES
from recognizers.online.ink import Ink
from recognizers.online.network import MAPS
from recognizers.online.segmentation import (
    FEATURES,
    MOST_WIDTH,
    InkSegmentation,
    segment_ink,
)
from recognizers.online.segmentation_graph import segment_images, segmentation_graphs

__all__ = ["SegmentReading"]

AT_ONCE = 1024


class SegmentReading(nn.Module):
    """The segmentation and recognition transformers of Fig. 30.

    The penalty of a letter on a segment is the network's plus a term for the size and surroundings
    of the segment: a learned number for each letter and feature, initially zero. With `halved` the
    network's products are in half precision. With `context` the network also sees the ink beside a
    segment, in five further planes.
    """

    def __init__(
        self,
        output: str = "softmax",
        *,
        maps: Sequence[int] = MAPS,
        width: float = MOST_WIDTH,
        context: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = letter_network(output, maps, seed, 2 * PLANES if context else PLANES)
        self.geometry = nn.Parameter(torch.zeros(len(FEATURES), len(LETTERS)))
        self.halved, self.width, self.context = False, width, context

    @property
    def models(self) -> None:
        """Return no character models: a segment is a character."""
        return None

    def cut(self, ink: Ink) -> InkSegmentation:
        """Cut a normalised word into segments."""
        return segment_ink(ink, self.width)

    def images(
        self,
        words: Sequence[InkSegmentation],
        rng: np.random.Generator | None = None,
        strength: float = 1.0,
    ) -> np.ndarray:
        """Return images [A, planes, 20, 18] of all segments; with `rng`, words are distorted."""
        return segment_images(words, rng, strength, context=self.context)

    def graphs(self, words: Sequence[InkSegmentation]) -> gtn.GraphBatch:
        """Return the segmentation graphs of words, with the image of each segment on its arc."""
        return segmentation_graphs(words, self.images(words))

    def forward(self, graph: gtn.Graph) -> gtn.Graph:
        """Return the recognition graph (or batch) of a segmentation graph (or batch)."""
        images = graph.data["image"].contiguous(memory_format=torch.channels_last)
        letters = self.penalties(images)[:, : len(LETTERS)]
        return gtn.expand(graph, letters + self.beside(graph), symbols=SYMBOLS)

    def penalties(self, images: Tensor) -> Tensor:
        """Return penalties [A, 27] of letters and rubbish for images of segments, in nats."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.halved):
            parts = [self.network(part) for part in images.split(AT_ONCE) if len(part)]
        found = torch.cat(parts) if parts else images.new_zeros(0, len(self.network.classes))
        return letter_penalties(found)

    def beside(self, graph: gtn.Graph) -> Tensor:
        """Return what geometry adds to the penalties of letters, [A, 26] in nats."""
        features: Tensor = graph.data["features"]
        return features @ self.geometry
