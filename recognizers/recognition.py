"""The recognition transformer: a network reads every segment (T_rec; paper, sections V and X)."""

from __future__ import annotations

import torch
from torch import nn

import gtn
from recognizers.segmentation.features import FEATURES
from recognizers.segmentation.graph import SegmentPenalty

__all__ = ["ClassGeometry", "RecognitionTransformer"]


class ClassGeometry(nn.Module):
    """Penalty of each class for a segment of this size and place, linear in its features.

    The network sees size-normalised ink, in which a point may look like a zero and a dash like a
    one; the height, width and place of a segment tell them apart. Zero at first.

    Shapes: ``[A, F]`` (columns named by ``FEATURES``) to ``[A, C]``, in nats.

    >>> ClassGeometry(11)(torch.zeros(2, len(FEATURES))).shape
    torch.Size([2, 11])
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(len(FEATURES), classes))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the penalties ``[A, C]`` of features ``[A, F]``."""
        return features.to(self.coefficients) @ self.coefficients


class RecognitionTransformer(nn.Module):
    """Segmentation graphs to recognition graphs: one arc per class in place of each segment.

    All segments of all fields go through the network as one batch. The penalty of an arc is the
    sum of the segment's penalty, the network's penalty of the class, and a penalty of the class
    for the segment's size and place (:class:`ClassGeometry`). Images and boxes stay on the arcs.

    Args:
        network: ``[A, 1, 32, 32]`` to penalties ``[A, C]``: LeNet-5, or any module. A network
            that reads other arc data names it in its attribute ``reads``:
            :class:`recognizers.segment_networks.two_stream.TwoStream` reads
            ``("image", "surroundings")``. If it has an attribute ``classes``, their number or
            their names, this is checked against the symbols.
        symbols: the symbols of the C classes, in order.

    Raises:
        ValueError: the network has another number of classes than the table has symbols.

    >>> import numpy as np
    >>> from recognizers.lenet import LeNet5
    >>> from recognizers.segmentation import segment_field
    >>> from recognizers.segmentation.graph import segmentation_graph
    >>> field = np.full((40, 80), 230, np.uint8)
    >>> field[8:32, 15:19] = field[8:32, 45:49] = 30
    >>> read = RecognitionTransformer(LeNet5(rubbish=True), gtn.SymbolTable("0123456789□"))
    >>> read(segmentation_graph(segment_field(field))).num_arcs
    22
    """

    def __init__(self, network: nn.Module, symbols: gtn.SymbolTable) -> None:
        super().__init__()
        self.network = network
        self.symbols = symbols
        self.segment_penalty = SegmentPenalty()
        self.class_geometry = ClassGeometry(len(symbols))
        self.reads: tuple[str, ...] = tuple(getattr(network, "reads", ("image",)))
        classes = getattr(network, "classes", None)
        count = classes if isinstance(classes, int | None) else len(classes)
        if count is not None and count != len(symbols):
            raise ValueError(f"the network has {count} classes, the table {len(symbols)} symbols")

    def forward(self, graph: gtn.Graph) -> gtn.Graph:
        """Return the recognition graph (or batch) of a segmentation graph (or batch)."""
        features = graph.data["features"]
        penalties = self.network(*(graph.data[name] for name in self.reads))
        penalties = penalties + self.class_geometry(features)
        segments = graph.with_penalties(graph.penalties + self.segment_penalty(features))
        return gtn.expand(segments, penalties, symbols=self.symbols)
