"""The field location transformer: from a whole check to a field graph (T_field, section X-A).

The check graph is one arc that carries the whole image; this transformer replaces it by a graph
whose arcs carry the fields that may hold the amount, each with a penalty near 0 if that is likely
and a large one if not. Paths through it compete: a field by itself leads from the start to the
final node; dollars and cents follow each other. The recognizer and the grammar have their say
before one path is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import nn

import gtn
from recognizers.fields.candidates import ROLES, Candidates, candidate_fields
from recognizers.fields.features import FEATURES, field_features
from recognizers.fields.ink import CheckInk, ink_of_check

__all__ = ["FieldPenalty", "LocatedFields", "field_graph", "likeliest", "locate_fields"]

HAND_SET = {
    "amount": {"bias": 6.0, "sign_before": -3.0, "sign_first": -3.0, "framed": -2.0, "x": -1.5},
    "dollars": {"bias": 7.0, "sign_before": -3.0, "sign_first": -3.0, "framed": -2.0, "x": -1.5},
    "cents": {"rule_under": -0.5},
}
"""Initial coefficients of :class:`FieldPenalty` for each role, in nats per unit."""

SHARED = {
    "height_squared": 1.0,
    "aspect_squared": 0.7,
    "last_line": 6.0,
    "ink_behind": 1.0,
    "ink_before": 1.0,
    "density_squared": 1.0,
    "alike_before": 2.0,
    "alike_behind": 1.0,
}
"""Coefficients for whole amounts and for dollars."""

MARGIN = 4
"""Pixels of paper around the image of a field."""


@dataclass(frozen=True)
class LocatedFields:
    """The candidate fields of a check of h x w pixels. N fields, M pairs, F features.

    Attributes:
        boxes: x, y, width, height of each field's ink in pixels, float32 ``[N, 4]``.
        roles: the role of each, an index of ``ROLES``, int64 ``[N]``.
        features: float32 ``[N, F]``, named by ``FEATURES``.
        pairs: numbers of fields that may be dollars and cents, int64 ``[M, 2]``.
        images: the own ink of each and nothing else, uint8 ``[H_i, W_i]``, 255 paper.
        shape: h and w.
    """

    boxes: np.ndarray
    roles: np.ndarray
    features: np.ndarray
    pairs: np.ndarray
    images: tuple[np.ndarray, ...]
    shape: tuple[int, int]


def locate_fields(grey: np.ndarray) -> LocatedFields:
    """Find the candidate fields of a check, uint8 ``[H, W]``, 255 white.

    Raises:
        ValueError: ``grey`` is not a two-dimensional array of uint8, or is too small.

    >>> grey = np.full((200, 400), 220, np.uint8)
    >>> for x in (300, 308, 316):
    ...     grey[40:60, x : x + 4] = 40
    >>> found = locate_fields(grey)
    >>> found.boxes.tolist(), found.images[0].shape
    ([[300.0, 40.0, 20.0, 20.0]], (28, 28))
    """
    ink = ink_of_check(grey)
    candidates = candidate_fields(ink)
    boxes = candidates.boxes.astype(np.float32)
    boxes[:, 2:] -= boxes[:, :2]
    return LocatedFields(
        boxes,
        candidates.roles,
        field_features(ink, candidates),
        candidates.pairs,
        tuple(_images(ink, candidates)),
        (grey.shape[0], grey.shape[1]),
    )


class FieldPenalty(nn.Module):
    """Penalty of a field in nats, linear in its features, with coefficients for each role.

    ``penalty = bias[role] + features @ coefficients[role]``, differentiable in all of them, set by
    hand at first (``HAND_SET``): a currency sign, a frame and a place on the right make a field
    likely; an unusual size or shape, and text on both sides, make it unlikely (section X-A).

    Shapes: ``[N, F]`` (columns named by ``FEATURES``) and roles ``[N]`` to ``[N]``.

    >>> penalty = FieldPenalty()
    >>> float(penalty(torch.zeros(1, len(FEATURES)), torch.tensor([0])).detach())
    6.0
    """

    def __init__(self) -> None:
        super().__init__()
        values = torch.zeros(len(ROLES), len(FEATURES))
        biases = torch.zeros(len(ROLES))
        for r, role in enumerate(ROLES):
            chosen = HAND_SET[role] | (SHARED if role != "cents" else {})
            biases[r] = chosen.pop("bias", 0.0)
            for name, value in chosen.items():
                values[r, FEATURES.index(name)] = value
        self.coefficients = nn.Parameter(values)
        self.bias = nn.Parameter(biases)

    def forward(self, features: torch.Tensor, roles: torch.Tensor) -> torch.Tensor:
        """Return the penalties ``[N]`` of fields with features ``[N, F]`` and roles ``[N]``."""
        rows = self.coefficients.index_select(0, roles)
        return (rows * features.to(rows)).sum(dim=1) + self.bias.index_select(0, roles)


def likeliest(
    found: LocatedFields, penalties: torch.Tensor, count: int, within: float = np.inf
) -> LocatedFields:
    """Return the fields of the ``count`` paths of least penalty: fields, or pairs of them.

    Paths more than ``within`` nats behind the best are dropped, too, and with a pair its fields,
    unless another pair has them.

    >>> grey = np.full((200, 400), 220, np.uint8)
    >>> for x in (20, 28, 36, 300, 308, 316):
    ...     grey[40:60, x : x + 4] = 40
    >>> found = locate_fields(grey)
    >>> likeliest(found, torch.tensor([1.0, 0.0]), 1).boxes.tolist()
    [[300.0, 40.0, 20.0, 20.0]]
    """
    each = penalties.detach().numpy()
    alone = np.flatnonzero(found.roles == 0)
    of_paths = np.concatenate([each[alone], each[found.pairs].sum(axis=1)])
    best = np.sort(np.argsort(of_paths, kind="stable")[:count])
    best = best[of_paths[best] <= of_paths.min(initial=np.inf) + within]
    pairs = found.pairs[best[best >= len(alone)] - len(alone)]
    kept = np.unique(np.concatenate([alone[best[best < len(alone)]], pairs.ravel()]))
    number = np.full(len(each), -1)
    number[kept] = np.arange(len(kept))
    return LocatedFields(
        found.boxes[kept],
        found.roles[kept],
        found.features[kept],
        number[pairs],
        tuple(found.images[i] for i in kept),
        found.shape,
    )


def field_graph(found: LocatedFields, penalties: torch.Tensor | None = None) -> gtn.Graph:
    """Make the field graph: start 0, final 1, and a node between each dollars field and its cents.

    Arcs are labelled by their role, an index of ``ROLES``. Arc data: ``field``, the number of the
    candidate, ``features`` and ``field_box`` (x, y, width, height in pixels). A field that is in
    several pairs has an arc in each. Without a candidate there is no arc, so no path.

    Args:
        found: the candidates.
        penalties: of each candidate, ``[N]`` in nats, as of :class:`FieldPenalty`; 0 without.

    >>> grey = np.full((200, 400), 220, np.uint8)
    >>> for x in (20, 28, 36, 300, 308, 316):
    ...     grey[40:60, x : x + 4] = 40
    >>> field_graph(locate_fields(grey))
    Graph: 2 nodes, 2 arcs, start 0, final 1
      0 -> 1  amount  0
      0 -> 1  amount  0
    """
    alone = np.flatnonzero(found.roles == 0)
    dollars, owner = np.unique(found.pairs[:, 0], return_inverse=True)
    cents = found.pairs[:, 1]
    fields = np.concatenate([alone, dollars, cents]).astype(np.int64)
    counts = len(alone), len(dollars), len(cents)
    middle = 2 + np.arange(len(dollars))
    src = np.concatenate([np.zeros(counts[0] + counts[1], np.int64), middle[owner]])
    dst = np.concatenate([np.ones(counts[0], np.int64), middle, np.ones(counts[2], np.int64)])
    index = torch.from_numpy(fields)
    table = gtn.SymbolTable(ROLES)
    return gtn.from_arrays(
        src,
        dst,
        found.roles[fields],
        penalties=None if penalties is None else penalties.index_select(0, index),
        start=0,
        final=1,
        num_nodes=2 + len(dollars),
        symbols=table,
        data={
            "field": index,
            "features": torch.from_numpy(found.features).index_select(0, index),
            "field_box": torch.from_numpy(found.boxes).index_select(0, index),
        },
    )


def _images(ink: CheckInk, candidates: Candidates) -> Sequence[np.ndarray]:
    """Return each candidate's own ink on white paper, its darkest black."""
    images = []
    own = np.zeros(len(ink.boxes) + 1, dtype=bool)
    for box, components in zip(candidates.boxes, candidates.components, strict=True):
        x, y, right, bottom = box
        first, left = max(y - 1, 0), max(x - 1, 0)
        window = (slice(first, bottom + 1), slice(left, right + 1))
        own[components + 1] = True
        mask = own[ink.labels[window]]
        own[components + 1] = False
        halo = ndimage.maximum_filter(mask.view(np.uint8), 3) > 0
        levels = np.where(halo, ink.levels[window], 0.0)
        image = np.full((bottom - y + 2 * MARGIN, right - x + 2 * MARGIN), 255, np.uint8)
        dark = max(float(np.quantile(levels[mask], 0.8)), 1.0)
        value = 255.0 - np.clip(levels * (255.0 / dark), 0.0, 255.0)
        top, at = MARGIN - (y - first), MARGIN - (x - left)
        image[top : top + mask.shape[0], at : at + mask.shape[1]] = np.rint(value)
        images.append(image)
    return images
