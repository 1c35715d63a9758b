"""The graphs of connectionist temporal classification, laid out arc by arc."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

__all__ = ["ctc_arcs"]


@njit(cache=True, nogil=True)
def ctc_arcs(
    labels: Int64s, counts: Int64s, blank: int
) -> tuple[int, Int32s, Int32s, Int32s, Int32s, Int32s, Int32s, Int32s, Int32s]:
    """Return the parts of the graphs of B targets: O(their labels).

    For U labels, the nodes are before, at and after each label. Arcs lead to each node from itself
    and from the one before, and to a label from the previous label, skipping the blank, unless the
    two are equal.

    Args:
        labels: of all targets, concatenated.
        counts: how many each target has, ``[B]``.

    Returns:
        The first sample with the blank or a negative label, or -1. Source, destination, input
        and output label of each arc, by destination; starts, finals, ``node_offsets`` and
        ``arc_offsets [B + 1]``.
    """
    batch, num_nodes = len(counts), len(counts) + 2 * len(labels)
    src = np.empty(3 * num_nodes, dtype=np.int32)
    dst = np.empty(3 * num_nodes, dtype=np.int32)
    read = np.empty(3 * num_nodes, dtype=np.int32)
    written = np.full(3 * num_nodes, -1, dtype=np.int32)
    starts = np.empty(batch, dtype=np.int32)
    finals = np.empty(2 * batch, dtype=np.int32)
    node_offsets = np.zeros(batch + 1, dtype=np.int32)
    arc_offsets = np.zeros(batch + 1, dtype=np.int32)
    first, before, a, f = 0, 0, 0, 0  # node, label, arc and final
    wrong = -1
    for b in range(batch):
        nodes = 2 * counts[b] + 1
        starts[b] = first
        for place in range(nodes):
            at_label = place % 2 == 1
            label = labels[before + place // 2] if at_label else blank
            if at_label and (label == blank or label < 0) and wrong < 0:
                wrong = b
            for back in range(3):
                if back > place or (back == 2 and not at_label):
                    continue
                if back == 2 and (place < 3 or labels[before + place // 2 - 1] == label):
                    continue
                src[a], dst[a], read[a] = first + place - back, first + place, label
                if back > 0 and at_label:
                    written[a] = label
                a += 1
            if place >= nodes - 2:
                finals[f] = first + place
                f += 1
        first += nodes
        before += counts[b]
        node_offsets[b + 1] = first
        arc_offsets[b + 1] = a
    return (
        wrong, src[:a], dst[:a], read[:a], written[:a], starts, finals[:f], node_offsets,
        arc_offsets,
    )  # fmt: skip
