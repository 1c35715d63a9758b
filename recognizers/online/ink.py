"""Ink: what a pen wrote, as an immutable value. x grows rightwards and y upwards, in any unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

__all__ = ["MAX_COORDINATE", "Ink", "InkError"]

MAX_COORDINATE = 1e12
"""Largest coordinate, in ink units; beyond it, differences of points lose precision."""


class InkError(ValueError):
    """Invalid ink; the message names the file, or the stroke and the point."""


class Ink:
    """Strokes of a pen, each a polyline of at least one point; immutable.

    `points` float64 [N, 2] holds the points of all strokes in the order they were written, and
    stroke i is `points[offsets[i] : offsets[i + 1]]`. A stroke of one point is a dot. Both arrays
    are read-only.

    >>> ink = Ink([[(0, 0), (1, 2)], [(1, 1)]])
    >>> ink
    Ink(2 strokes, 3 points)
    >>> ink.bounds
    (0.0, 0.0, 1.0, 2.0)
    >>> [len(stroke) for stroke in ink]
    [2, 1]
    """

    __slots__ = ("offsets", "points")

    points: np.ndarray
    offsets: np.ndarray

    def __init__(self, strokes: Iterable[Any] = ()) -> None:
        """Take strokes, each [n, 2] of anything that NumPy converts to numbers.

        Strokes without points are left out. Raises InkError, naming stroke and point, for a point
        that is not a pair of finite numbers within ±`MAX_COORDINATE`.
        """
        arrays = []
        for i, stroke in enumerate(strokes):
            try:
                array = np.asarray(stroke, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise InkError(f"stroke {i} is not a list of points (x, y): {error}") from error
            if array.size == 0:
                continue
            if array.ndim != 2 or array.shape[1] != 2:
                raise InkError(f"stroke {i} must be [points, 2], not {list(array.shape)}")
            arrays.append(array)
        points = np.concatenate(arrays) if arrays else np.empty((0, 2))
        self._set(points, np.cumsum([0, *map(len, arrays)]))

    @classmethod
    def of(cls, points: np.ndarray, offsets: np.ndarray) -> Ink:
        """Return ink of arrays, points [N, 2] and offsets [S+1], without strokes that are empty.

        >>> Ink.of(np.zeros((3, 2)), np.array([0, 2, 2, 3]))
        Ink(2 strokes, 3 points)
        """
        points = np.array(points, dtype=np.float64)
        offsets = np.array(offsets, dtype=np.int64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise InkError(f"points must be [N, 2], not {list(points.shape)}")
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(points):
            raise InkError(f"offsets must go from 0 to {len(points)}, the number of points")
        if (np.diff(offsets) < 0).any():
            raise InkError("offsets must not fall")
        ink = cls.__new__(cls)
        keep = np.concatenate(([True], np.diff(offsets) > 0))
        ink._set(points, offsets[keep])
        return ink

    def _set(self, points: np.ndarray, offsets: np.ndarray) -> None:
        # NaN fails this comparison as well.
        wrong = np.flatnonzero(~(np.abs(points) <= MAX_COORDINATE).all(axis=1))
        if len(wrong):
            stroke = int(np.searchsorted(offsets, wrong[0], side="right")) - 1
            x, y = points[wrong[0]]
            raise InkError(
                f"point {wrong[0] - offsets[stroke]} of stroke {stroke} is ({x:g}, {y:g}); "
                f"coordinates are finite and within ±{MAX_COORDINATE:g}"
            )
        points.flags.writeable = False
        offsets.flags.writeable = False
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "offsets", offsets)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("ink is immutable; make new ink instead")

    def __reduce__(self) -> tuple[Any, ...]:
        return Ink.of, (self.points, self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, stroke: int) -> np.ndarray:
        """The points [n, 2] of one stroke."""
        index = range(len(self))[stroke]
        return self.points[self.offsets[index] : self.offsets[index + 1]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ink):
            return NotImplemented
        return np.array_equal(self.points, other.points) and np.array_equal(
            self.offsets, other.offsets
        )

    def __hash__(self) -> int:
        return hash((self.points.tobytes(), self.offsets.tobytes()))

    def __repr__(self) -> str:
        return f"Ink({len(self)} strokes, {len(self.points)} points)"

    @property
    def strokes(self) -> tuple[np.ndarray, ...]:
        """The strokes, each [n, 2], in the order they were written."""
        return tuple(self)

    @property
    def is_empty(self) -> bool:
        """Whether there is no point at all."""
        return len(self.points) == 0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x, least y, largest x, largest y; all zero for empty ink."""
        if self.is_empty:
            return (0.0, 0.0, 0.0, 0.0)
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))

    def with_points(self, points: np.ndarray) -> Ink:
        """Return the same strokes with other points [N, 2]."""
        return Ink.of(points, self.offsets)

    def transformed(self, matrix: Any, shift: Any = (0.0, 0.0)) -> Ink:
        """Return the ink with every point p replaced by `matrix` [2, 2] p + `shift` [2].

        >>> Ink([[(1, 2)]]).transformed([[1, 0], [0, -1]], (0, 10)).strokes[0]
        array([[1., 8.]])
        """
        return self.with_points(self.points @ np.asarray(matrix, float).T + np.asarray(shift))

    def reversed(self) -> Ink:
        """Return the strokes in the opposite order, each from its end to its start."""
        return Ink.of(self.points[::-1], len(self.points) - self.offsets[::-1])

    def select(self, strokes: Iterable[int]) -> Ink:
        """Return some of the strokes, in the order given.

        >>> Ink([[(0, 0)], [(1, 1)], [(2, 2)]]).select([2, 0]).points.tolist()
        [[2.0, 2.0], [0.0, 0.0]]
        """
        return Ink(self[i] for i in strokes)

    def joined(self, *others: Ink) -> Ink:
        """Return this ink followed by the others, as one."""
        return Ink(stroke for ink in (self, *others) for stroke in ink)
