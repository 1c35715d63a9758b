"""The segmentation graph of a field, and the segment penalty of its arcs (``T_seg``, section X)."""

from __future__ import annotations

import torch
from torch import nn

import gtn
from recognizers.segmentation.features import FEATURES
from recognizers.segmentation.images import to_input
from recognizers.segmentation.oversegmentation import Segmentation

INK = 0
"""Label of every arc of a segmentation graph: a piece of ink, not yet read."""

HAND_SET = {
    "too_wide": 2.0,
    "gap_inside": 1.5,
    "cut_before": 0.1,
    "cut_after": 0.1,
}
"""Initial coefficients of :class:`SegmentPenalty`, in nats per unit; the others are 0."""


class SegmentPenalty(nn.Module):
    """Penalty of a segment in nats, linear in its geometric features: near 0 where it is likely.

    ``penalty = bias + features @ coefficients``, differentiable in both, initially set by hand
    (``HAND_SET``): segments pay for gaps inside, for deep cuts on either side and for being wider
    than high (LeCun et al. 1998, section X: gap between pieces, agreement with the baseline).

    Shapes: ``[A, F]`` (columns named by ``FEATURES``) to ``[A]``.

    Example:
        >>> penalty = SegmentPenalty()
        >>> float(penalty(torch.zeros(1, len(FEATURES))).detach())
        0.0
    """

    def __init__(self) -> None:
        super().__init__()
        values = [HAND_SET.get(name, 0.0) for name in FEATURES]
        self.coefficients = nn.Parameter(torch.tensor(values))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the penalties ``[A]`` of segments with features ``[A, F]``."""
        return features.to(self.coefficients) @ self.coefficients + self.bias


def segmentation_graph(segmentation: Segmentation, penalty: nn.Module | None = None) -> gtn.Graph:
    """Make the segmentation graph: acyclic, start 0, final the last node, every arc labelled INK.

    Arc data: ``image`` (network input, float32 ``[A, 1, 32, 32]``, -0.1 paper, 1.175 ink),
    ``surroundings`` (the same for ``[A, 2, 32, 32]``: the segment on its line, and other ink),
    ``features`` (float32 ``[A, F]``), ``box`` (x, y, width, height in pixels of the file, float32
    ``[A, 4]``). The penalties are ``penalty(features)``, zero without ``penalty``. A field without
    ink gives a graph of two nodes and no arc, so without a path.

    Example:
        >>> import numpy as np
        >>> from recognizers.segmentation import segment_field
        >>> field = np.full((40, 80), 230, np.uint8)
        >>> field[8:32, 15:19] = 30
        >>> field[8:32, 45:49] = 30
        >>> graph = segmentation_graph(segment_field(field), SegmentPenalty())
        >>> graph.num_nodes, graph.num_arcs, tuple(graph.data["image"].shape)
        (3, 2, (2, 1, 32, 32))
    """
    features = torch.from_numpy(segmentation.features)
    return gtn.Graph.from_arrays(
        segmentation.src,
        segmentation.dst,
        [INK] * segmentation.num_arcs,
        penalties=None if penalty is None else penalty(features),
        start=0,
        final=segmentation.num_nodes - 1,
        num_nodes=segmentation.num_nodes,
        data={
            "image": torch.from_numpy(to_input(segmentation.images)[:, None]),
            "surroundings": torch.from_numpy(to_input(segmentation.surroundings)),
            "features": features,
            "box": torch.from_numpy(segmentation.boxes),
        },
    )
