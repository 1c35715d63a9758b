"""Finding objects on pages: a network swept over a page at several resolutions (section VII).

With positions the network learns what is in the middle of each window. Without them, from "these
digits are somewhere on the page" alone, all places are parallel arcs between two nodes, as the
paper proposes for faces: the forward penalty of a class is over everywhere it may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gtn.construction import from_arrays
from gtn.graph import Graph
from recognizers.datasets.mnist import BACKGROUND
from recognizers.sdnn import LineError, SpaceDisplacementNetwork

__all__ = [
    "Detection",
    "Places",
    "Pyramid",
    "average_precision",
    "detections",
    "hits",
    "somewhere",
    "targets_of",
]

OBJECT = 20.0
"""Pixels that an object is high where the network finds it best, as MNIST's digits."""

IGNORED = -1
"""The target of a place so near an object that either answer is right."""


@dataclass(frozen=True)
class Places:
    """Where the windows of a pyramid are, all resolutions one after the other.

    Attributes:
        x, y: of the middle of each window, in pixels of the page, ``[N]``.
        size: how high an object is that the window is made for, in pixels of the page, ``[N]``.
        shapes: rows and columns of each resolution.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    size: NDArray[np.float64]
    shapes: tuple[tuple[int, int], ...]


class Detection(NamedTuple):
    """Something found: its class, how sure (log probability), its middle and height in pixels."""

    label: int
    score: float
    x: float
    y: float
    size: float


class Pyramid(nn.Module):
    """Pages ``[B, 1, H, W]`` to penalties ``[B, N, C]`` of all windows at all resolutions.

    - `network`: as of :class:`recognizers.sdnn.SpaceDisplacementNetwork`, whose maps it uses.
    - `octaves`: resolutions, as the binary logarithm of the reduction.
    - `margin`: pixels of background around each resolution, so that windows are centred on
      objects at the edge.

    >>> from recognizers.spot_network import SpotNetwork
    >>> pyramid = Pyramid(SpotNetwork())
    >>> penalties = pyramid(torch.full((1, 1, 64, 80), -0.1))
    >>> penalties.shape, len(pyramid.places(64, 80).x), pyramid.places(64, 80).shapes
    (torch.Size([1, 376, 11]), 376, ((13, 17), (9, 12), (5, 7), (3, 4)))
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        octaves: Sequence[float] = (0.0, 0.5, 1.0, 1.5),
        margin: int = 9,
    ) -> None:
        super().__init__()
        self.sdnn = SpaceDisplacementNetwork(network)
        self.octaves = tuple(octaves)
        self.margin = margin

    def forward(self, pages: Tensor) -> Tensor:
        """Return the penalties of all windows; a resolution smaller than a window has none.

        Raises:
            LineError: pages that are smaller than a window at every resolution.
        """
        height, width = pages.shape[2:]
        found = []
        for size in self._sizes(height, width):
            if self._rows(size) is None:
                continue
            if size == (height, width):
                page = pages
            else:
                page = functional.interpolate(pages, size, mode="bilinear", antialias=True)
            page = functional.pad(page, (self.margin,) * 4, value=BACKGROUND)
            found.append(self.sdnn.maps(page).flatten(2).transpose(1, 2))
        if not found:
            least = " x ".join(str(side - 2 * self.margin) for side in self.sdnn.field[::-1])
            raise LineError(
                f"a page of {width} x {height} pixels is smaller than a window, {least} without "
                "its margin, at every resolution; add background"
            )
        return torch.cat(found, dim=1)

    def places(self, height: int, width: int) -> Places:
        """Return where the windows are of pages of this size."""
        xs, ys, sizes, shapes = [], [], [], []
        (field_h, field_w), (step_h, step_w) = self.sdnn.field, self.sdnn.stride
        for h, w in self._sizes(height, width):
            shape = self._rows((h, w))
            if shape is None:
                continue
            rows = (np.arange(shape[0]) * step_h + field_h / 2 - self.margin) * (height / h)
            columns = (np.arange(shape[1]) * step_w + field_w / 2 - self.margin) * (width / w)
            y, x = np.meshgrid(rows, columns, indexing="ij")
            xs.append(x.ravel())
            ys.append(y.ravel())
            sizes.append(np.full(x.size, OBJECT * height / h))
            shapes.append(shape)
        x, y, size = (np.concatenate([np.empty(0), *part]) for part in (xs, ys, sizes))
        return Places(x, y, size, tuple(shapes))

    def _sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        factors = [2.0**-octave for octave in self.octaves]
        return [(max(1, round(f * height)), max(1, round(f * width))) for f in factors]

    def _rows(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """Return rows and columns of the outputs of a resolution; None if there are none."""
        room = [s + 2 * self.margin - f for s, f in zip(size, self.sdnn.field, strict=True)]
        if min(room) < 0:
            return None
        rows, columns = (r // s + 1 for r, s in zip(room, self.sdnn.stride, strict=True))
        return rows, columns


def somewhere(count: int) -> Graph:
    """Return the graph of an object at one of ``count`` places, or at none (section VII).

    It reads one frame: class x < ``count`` is place x, and writes 1 ("there"); class ``count`` is
    "nowhere", and writes 0. So the discriminative forward loss (eq. 17) of the target [1] is
    minus the log probability that the object is somewhere, summed over all places.

    >>> somewhere(2)
    Graph: 2 nodes, 3 arcs, start 0, final 1
      0 -> 1  0:1  0
      0 -> 1  1    0
      0 -> 1  2:0  0
    """
    places = np.arange(count + 1)
    zeros = np.zeros_like(places)
    return from_arrays(zeros, zeros + 1, places, np.where(places < count, 1, 0), final=1)


def targets_of(
    places: Places,
    owner: NDArray[np.int64],
    labels: NDArray[np.int64],
    boxes: NDArray[np.int64],
    pages: int,
    rubbish: int,
) -> NDArray[np.int64]:
    """Return the class of every window of pages whose objects are known, int64 ``[B, N]``.

    An object is in the window of the nearest resolution whose middle is within 2.5 of its pixels
    of the object's; windows up to 7 pixels and 0.8 octaves away are ``IGNORED``, all others
    ``rubbish``. An object with ``boxes`` x0, y0, x1, y1 is as high as its box.
    """
    x, y = (boxes[:, :2] + boxes[:, 2:]).T[:, :, None] / 2
    height = (boxes[:, 3] - boxes[:, 1])[:, None]
    scale = OBJECT / places.size  # pixels of a resolution for one of the page
    away = np.maximum(np.abs(places.x - x), np.abs(places.y - y)) * scale
    octaves = np.abs(np.log2(height / places.size))
    near, at = (away < 7) & (octaves < 0.8), (away <= 2.5) & (octaves <= 0.27)
    found = np.full((pages, len(places.x)), rubbish, dtype=np.int64)
    for these, values in ((near, None), (at, labels)):
        objects, windows = np.nonzero(these)
        found[owner[objects], windows] = IGNORED if values is None else values[objects]
    return found


def detections(
    penalties: Tensor,
    places: Places,
    *,
    least: float = -7.0,
    most: int | None = 200,
    label: int | None = None,
) -> list[Detection]:
    """Return what is found on one page, best first, from penalties ``[N, C]``, the last rubbish.

    The score of a class is its log probability at a place, among all classes; of a class at
    places that are near each other the best one stays: where the middle of one is within half its
    height of the other's. Scores below ``least`` are left out, and all but the best ``most``
    (``None``: none for that). With a ``label``, only that class is looked for.
    """
    scores = torch.log_softmax(-penalties.detach().double(), dim=1)[:, :-1].numpy()
    found: list[Detection] = []
    for each in range(scores.shape[1]) if label is None else [label]:
        order = np.argsort(-scores[:, each], kind="stable")
        order = order[scores[order, each] >= least]
        while len(order):
            best, order = order[0], order[1:]
            x, y, size = places.x[best], places.y[best], places.size[best]
            found.append(
                Detection(each, float(scores[best, each]), float(x), float(y), float(size))
            )
            reach = 0.5 * np.maximum(places.size[order], size)
            away = np.maximum(np.abs(places.x[order] - x), np.abs(places.y[order] - y))
            order = order[away > reach]
    found.sort(key=lambda one: -one.score)
    return found[:most]


def hits(
    found: Sequence[Detection], labels: NDArray[np.int64], boxes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which detections, best first, are an object of a page that none before has hit.

    One that has the object's class, its middle in the object's box (made as wide as half its
    height, if it is narrower), and a height between half and twice the box's.
    """
    free = np.ones(len(labels), dtype=np.bool_)
    result = np.zeros(len(found), dtype=np.bool_)
    x0, y0, x1, y1 = boxes.T.astype(np.float64)
    extra = np.maximum(0.0, (0.5 * (y1 - y0) - (x1 - x0)) / 2)
    for i, one in enumerate(found):
        ratio = one.size / np.maximum(y1 - y0, 1)
        fits = (x0 - extra <= one.x) & (one.x <= x1 + extra) & (y0 <= one.y) & (one.y <= y1)
        fits &= free & (labels == one.label) & (ratio >= 0.5) & (ratio <= 2.0)
        if fits.any():
            result[i] = True
            free[int(np.argmax(fits))] = False
    return result


def average_precision(scores: NDArray[np.float64], hit: NDArray[np.bool_], objects: int) -> float:
    """Return the mean over all objects of the precision at the score at which each is found.

    Zero for an object that is never found. ``scores`` and ``hit`` are of all detections on all
    pages, of which ``objects`` are to be found.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True]), 2)
    0.8333333333333333
    """
    ranked = hit[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].sum() / objects) if objects else 0.0
