"""Many inks in flat arrays, for training: select, place, distort and draw them all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizers.online.amap import COLUMNS, ROWS, amaps_of
from recognizers.online.ink import Ink

__all__ = ["InkBatch", "in_box"]


def in_box(ink: Ink, rows: int = ROWS, columns: int = COLUMNS, margin: float = 2.0) -> Ink:
    """Return the ink scaled and shifted to fill the middle of an image, in its pixels.

    This is the normalisation of single characters. The aspect is kept, and `margin` pixels stay
    free on both sides of the larger dimension. A single point, or equal points, move to the middle.

    >>> in_box(Ink([[(0, 0), (30, 60)]])).points.tolist()
    [[4.75, 2.0], [12.25, 17.0]]
    """
    if ink.is_empty:
        return ink
    left, low, right, high = ink.bounds
    room = np.array([columns, rows]) - 1.0 - 2.0 * margin
    size = np.array([right - left, high - low])
    ratios = room[size > 0.0] / size[size > 0.0]
    # Sizes below the precision of the coordinates count as zero.
    ratio = ratios.min() if len(ratios) and np.isfinite(ratios).all() else 0.0
    middle = np.array([left, low]) + 0.5 * size
    centre = 0.5 * (np.array([columns, rows]) - 1.0)
    return ink.with_points((ink.points - middle) * ratio + centre)


class InkBatch:
    """B inks as `points` [N, 2], `strokes` [S+1] into points, and `inks` [B+1] into strokes.

    >>> batch = InkBatch.of([Ink([[(0, 0)], [(1, 1), (2, 2)]]), Ink(), Ink([[(5, 5)]])])
    >>> len(batch), batch.take([2, 0]).points[:, 0].tolist()
    (3, [5.0, 0.0, 1.0, 2.0])
    """

    def __init__(self, points: np.ndarray, strokes: np.ndarray, inks: np.ndarray) -> None:
        self.points, self.strokes, self.inks = points, strokes, inks

    @classmethod
    def of(cls, inks: Sequence[Ink]) -> InkBatch:
        """Return the batch of some inks, one behind the other."""
        points = np.concatenate([np.empty((0, 2)), *(ink.points for ink in inks)])
        starts = np.cumsum([0, *(len(ink.points) for ink in inks)])
        strokes = [ink.offsets[:-1] + start for ink, start in zip(inks, starts, strict=False)]
        ends = np.concatenate([*strokes, [len(points)]]).astype(np.int64)
        return cls(points, ends, np.cumsum([0, *map(len, inks)]))

    def __len__(self) -> int:
        return len(self.inks) - 1

    def take(self, which: Sequence[int] | np.ndarray) -> InkBatch:
        """Return the inks of these indexes, in this order."""
        which = np.asarray(which, dtype=np.int64)
        strokes, inks = _gathered(self.inks, which)
        points, offsets = _gathered(self.strokes, strokes)
        return InkBatch(self.points[points], offsets, inks)

    def distorted(
        self, rng: np.random.Generator, strength: float = 1.0, *, turning: float = 1.0
    ) -> InkBatch:
        """Return every ink turned, slanted, scaled, shifted and bent by random amounts, in pixels.

        Standard deviations at strength 1: angles of 0.1 rad, slants of 0.2, scales of 12% (in x and
        y), shifts of half a pixel and waves of half a pixel along a period of 10 to 30 pixels.
        `turning` scales only the angles: words are long and their lines level, so they are turned
        less. The same generator state gives the same inks.
        """
        count = len(self)
        if strength == 0.0 or not len(self.points):
            return self
        normal = rng.normal(size=(8, count)) * strength
        periods = rng.uniform(10.0, 30.0, size=(2, count))
        phases = rng.uniform(0.0, 2.0 * np.pi, size=(2, count))
        owner = np.repeat(np.arange(count), np.diff(self.strokes[self.inks]))
        centre = 0.5 * (np.array([COLUMNS, ROWS]) - 1.0)
        x, y = (self.points - centre).T
        wave = 2.0 * np.pi / periods
        bent_x = x + 0.5 * normal[6][owner] * np.sin(y * wave[0][owner] + phases[0][owner])
        bent_y = y + 0.5 * normal[7][owner] * np.sin(x * wave[1][owner] + phases[1][owner])
        wide, high = np.exp(0.12 * normal[0]), np.exp(0.12 * normal[1])
        sine, cosine = np.sin(0.1 * turning * normal[2]), np.cos(0.1 * turning * normal[2])
        slant = 0.2 * normal[3]
        slanted = bent_x * wide[owner] + slant[owner] * bent_y
        raised = bent_y * high[owner]
        points = np.empty_like(self.points)
        points[:, 0] = cosine[owner] * slanted - sine[owner] * raised + centre[0]
        points[:, 1] = sine[owner] * slanted + cosine[owner] * raised + centre[1]
        points += 0.5 * normal[4:6].T[owner]
        return InkBatch(points, self.strokes, self.inks)

    def amaps(self, columns: int = COLUMNS, rows: int = ROWS) -> np.ndarray:
        """Return annotated images, float32 [B, 5, rows, columns], of the inks, in pixels."""
        return amaps_of(self.points, self.strokes, self.inks, columns, rows)


def _gathered(offsets: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indexes of the members of groups `which` of `offsets`, and the new offsets."""
    lengths = offsets[which + 1] - offsets[which]
    ends = np.concatenate(([0], np.cumsum(lengths)))
    members = np.arange(ends[-1]) + np.repeat(offsets[which] - ends[:-1], lengths)
    return members, ends
