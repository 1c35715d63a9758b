"""Columns of items that must not overlap: their order and their heights."""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

__all__ = ["Box", "Columns", "crossings", "isotonic", "place", "reduce_crossings"]

Floats = NDArray[np.float64]


class Box(NamedTuple):
    """The room that an item takes around its point, in pixels to each side."""

    left: float
    right: float
    above: float
    below: float


class Columns:
    """Items in columns from left to right, joined from each column to the next.

    ``items[c]`` are the items of a column from top to bottom, ``of[i]`` is the column of item i.
    """

    def __init__(self, count: int) -> None:
        self.items: list[list[int]] = [[] for _ in range(count)]
        self.of: list[int] = []
        self.boxes: list[Box] = []
        self.before: list[list[int]] = []
        self.after: list[list[int]] = []
        self.joints: dict[tuple[int, int], float] = {}

    def add(self, column: int, box: Box) -> int:
        """Add an item at the bottom of a column and return its number."""
        item = len(self.of)
        self.items[column].append(item)
        self.of.append(column)
        self.boxes.append(box)
        self.before.append([])
        self.after.append([])
        return item

    def join(self, a: int, b: int, straightness: float) -> None:
        """Join an item to one of the next column, the more level, the greater ``straightness``."""
        self.after[a].append(b)
        self.before[b].append(a)
        self.joints[a, b] = straightness


def crossings(columns: Columns, column: int) -> int:
    """Return how many joints cross between a column and the next."""
    position = {item: p for p, item in enumerate(columns.items[column + 1])}
    seen: list[int] = []
    count = 0
    for item in columns.items[column]:
        ends = sorted(position[b] for b in columns.after[item])
        count += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
        for end in ends:
            insort(seen, end)
    return count


def reduce_crossings(columns: Columns, sweeps: int = 24, patience: int = 6) -> None:
    """Order the items of each column by barycentre sweeps, keeping the best order seen.

    Stops after ``patience`` sweeps without a better order.
    """
    best, fewest, since = [list(c) for c in columns.items], _all_crossings(columns), 0
    for sweep in range(sweeps):
        forward = sweep % 2 == 0
        order = range(1, len(columns.items)) if forward else range(len(columns.items) - 2, -1, -1)
        for c in order:
            fixed = columns.items[c - 1 if forward else c + 1]
            position = {item: float(p) for p, item in enumerate(fixed)}
            _sort(columns, c, position, columns.before if forward else columns.after)
        count = _all_crossings(columns)
        since += 1
        if count < fewest or (sweep == 0 and count == fewest):  # of two, the straighter
            best, fewest, since = [list(c) for c in columns.items], count, 0
        if count == 0 or since == patience:
            break
    columns.items = best


def _all_crossings(columns: Columns) -> int:
    return sum(crossings(columns, c) for c in range(len(columns.items) - 1))


def _sort(
    columns: Columns, column: int, position: dict[int, float], neighbours: list[list[int]]
) -> None:
    """Sort a column by the mean position of neighbours; items without any keep their place."""
    items = columns.items[column]
    key = {
        i: sum(position[n] for n in neighbours[i]) / len(neighbours[i])
        for i in items
        if neighbours[i]
    }
    moved = iter(sorted((i for i in items if i in key), key=lambda i: key[i]))
    columns.items[column] = [next(moved) if i in key else i for i in items]


def place(columns: Columns, gap: float, sweeps: int = 60) -> Floats:
    """Return the height of each item: near its neighbours' level, clear of others in its column.

    Block coordinate descent on the weighted squared height differences of the joints; each
    block, a column, is an isotonic regression.
    """
    y = np.zeros(len(columns.of))
    spacing: list[Floats] = []
    for items in columns.items:
        boxes = [columns.boxes[i] for i in items]
        steps = [a.below + gap + b.above for a, b in pairwise(boxes)]
        offsets = np.cumsum([0.0, *steps]) if boxes else np.zeros(0)
        spacing.append(offsets)
        if boxes:
            y[items] = offsets - offsets[-1] / 2
    pulls, towards = _pulls(columns)
    last = len(columns.items) - 1
    for sweep in range(sweeps):
        for c in range(last + 1) if sweep % 2 == 0 else range(last, -1, -1):
            items = columns.items[c]
            if items:
                wanted = np.where(pulls[items] > 0, towards[c] @ y, y[items])
                strengths = np.maximum(pulls[items], 1e-3)
                y[items] = isotonic(wanted - spacing[c], strengths) + spacing[c]
    return y


def _pulls(columns: Columns) -> tuple[Floats, list[csr_array]]:
    """Return the strength of each item's joints; by column, the matrix that averages over them."""
    count = len(columns.of)
    if not columns.joints:
        return np.zeros(count), [csr_array((len(c), count)) for c in columns.items]
    a, b = np.array(list(columns.joints)).T
    strengths = np.array(list(columns.joints.values()))
    both = csr_array(
        (np.tile(strengths, 2), (np.concatenate([a, b]), np.concatenate([b, a]))), (count, count)
    )
    pulls = both.sum(1)
    mean = diags_array(1 / np.maximum(pulls, 1e-9)) @ both
    return pulls, [mean[items] for items in columns.items]


def isotonic(values: Floats, strengths: Floats) -> Floats:
    """Return the non-decreasing row nearest to the values in weighted squares, by pooling.

    >>> isotonic(np.array([1.0, 3.0, 2.0]), np.ones(3)).tolist()
    [1.0, 2.5, 2.5]
    """
    pools: list[list[float]] = []  # mean, strength, length
    for value, strength in zip(values.tolist(), strengths.tolist(), strict=True):
        pools.append([value, strength, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, weight, length = pools.pop()
            pool = pools[-1]
            pool[0] = (pool[0] * pool[1] + mean * weight) / (pool[1] + weight)
            pool[1] += weight
            pool[2] += length
    return np.repeat([p[0] for p in pools], [int(p[2]) for p in pools])
