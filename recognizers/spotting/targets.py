"""Training targets for finding objects: where they are, or only that they are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gtn.construction import from_arrays
from gtn.graph import Graph
from recognizers.spotting.pyramid import OBJECT, Places

__all__ = ["IGNORED", "somewhere", "targets_of"]

IGNORED = -1
"""The target of a place so near an object that both answers are acceptable."""


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

    Windows of the nearest resolution whose middle is within 2.5 pixels (of that resolution) of an
    object's have its class; windows up to 7 pixels and 0.8 octaves away are ``IGNORED``, all others
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
