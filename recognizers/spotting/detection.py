"""Objects found on a page: the best of neighbouring windows, and how many of them are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognizers.spotting.pyramid import Places

__all__ = ["Detection", "average_precision", "detections", "hits"]


class Detection(NamedTuple):
    """Something found: its class, how sure (log probability), its middle and height in pixels."""

    label: int
    score: float
    x: float
    y: float
    size: float


def detections(
    penalties: Tensor,
    places: Places,
    *,
    least: float = -7.0,
    most: int | None = 200,
    label: int | None = None,
) -> list[Detection]:
    """Return what is found on one page, best first, from penalties ``[N, C]``, the last rubbish.

    The score of a class is its log probability at a place, among all classes. Of detections of one
    class near each other (the middle of one within half its height of the other's) only the best
    stays. Scores below ``least`` are left out, and all but the best ``most`` (``None``: no limit).
    With a ``label``, only that class is looked for.
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
    """Return which detections, best first, hit an object of a page that none before has hit.

    A hit has the object's class, its middle in the object's box (widened to half its height, if it
    is narrower), and a height between half and twice the box's.
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

    An object that is never found counts as zero. ``scores`` and ``hit`` are of all detections on
    all pages, which hold ``objects`` objects.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True]), 2)
    0.8333333333333333
    """
    ranked = hit[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].sum() / objects) if objects else 0.0
