"""Candidate cuts through the ink of a field: more than needed, on purpose.

Three heuristics (LeCun et al. 1998, sections V and X): minima of the vertical projection, minima of
the distance between the upper and the lower contour, and *hit and deflect* from above and from
below. A cut is a path with one column for every row: the pixels of row y left of ``path[y]`` lie
to its left. Paths are stacked as int ``[N, H]``.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

USUAL_SLANT = 0.2
"""Tangent of the slant that is most common in handwriting; others need better evidence."""


def estimate_slant(mask: np.ndarray, least: float = -0.5, most: float = 1.0) -> float:
    """Estimate the slant of the writing as a tangent, positive where it leans to the right.

    It is the slant whose removal makes the vertical projection most peaked (largest sum of
    squares), among steps of 0.05 from ``least`` to ``most``, those near ``USUAL_SLANT`` first.

    Example:
        >>> mask = np.zeros((30, 40), bool)
        >>> rows = np.arange(30)
        >>> for column in (5, 18):
        ...     mask[rows, column + (29 - rows) // 2] = True
        >>> bool(abs(estimate_slant(mask) - 0.5) < 0.06)
        True
    """
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        return 0.0
    slants = np.arange(least, most + 1e-9, 0.05)
    count = len(slants)
    moved = columns[None, :] + np.rint(slants[:, None] * rows[None, :]).astype(np.int64)
    moved -= moved.min()
    width = int(moved.max()) + 1
    index = (moved + width * np.arange(count)[:, None]).ravel()
    profile = np.bincount(index, minlength=width * count).reshape(count, width)
    # a light smoothing keeps the rounding of single columns from deciding
    smooth = profile[:, :-1] + profile[:, 1:]
    peaked = (smooth.astype(np.float64) ** 2).sum(axis=1) * (
        1.0 - 0.2 * np.abs(slants - USUAL_SLANT)
    )
    return float(slants[int(peaked.argmax())])


def row_shifts(height: int, slant: float) -> np.ndarray:
    """Return how far each row moves to the right to remove ``slant``, int ``[H]``, least 0.

    Example:
        >>> row_shifts(5, 0.5)
        array([0, 0, 1, 2, 2])
    """
    shifts = np.rint(slant * np.arange(height)).astype(np.int64)
    return shifts - shifts.min()


def shear(image: np.ndarray, shifts: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Move row y of ``[H, W]`` to the right by ``shifts[y]`` whole pixels; ``[H, W + max shift]``.

    Whole pixels, so that :func:`unshear` gives back every pixel.

    Example:
        >>> shear(np.array([[1, 2], [3, 4]]), np.array([0, 1]))
        array([[1, 2, 0], [0, 3, 4]])
    """
    height, width = image.shape
    moved = np.full((height, width + int(shifts.max(initial=0))), fill, dtype=image.dtype)
    columns = np.arange(width)[None, :] + shifts[:, None]
    np.put_along_axis(moved, columns, image, axis=1)
    return moved


def unshear(image: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Undo :func:`shear`.

    Example:
        >>> unshear(np.array([[1, 2, 0], [0, 3, 4]]), np.array([0, 1]))
        array([[1, 2], [3, 4]])
    """
    width = image.shape[1] - int(shifts.max(initial=0))
    return np.take_along_axis(image, np.arange(width)[None, :] + shifts[:, None], axis=1)


def local_minima(profile: np.ndarray) -> np.ndarray:
    """Return the positions of the local minima of a profile ``[W]``; a plateau gives its middle.

    Example:
        >>> local_minima(np.array([3, 1, 1, 1, 4, 2, 5]))
        array([2, 5])
    """
    change = np.flatnonzero(np.diff(profile)) + 1
    firsts = np.concatenate([[0], change])
    lasts = np.concatenate([change, [len(profile)]]) - 1
    values = profile[firsts]
    lower_left = np.concatenate([[np.inf], values[:-1]]) > values
    lower_right = np.concatenate([values[1:], [np.inf]]) > values
    minima = lower_left & lower_right
    return ((firsts + lasts) // 2)[minima]


def projection_minima(mask: np.ndarray) -> np.ndarray:
    """Return the columns where the vertical projection of the ink ``[H, W]`` is least.

    Example:
        >>> projection_minima(np.array([[1, 1, 0, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]], bool))
        array([2])
    """
    profile = ndimage.uniform_filter1d(mask.sum(axis=0).astype(np.float64), 3, mode="nearest")
    return local_minima(np.rint(3.0 * profile).astype(np.int64))


def contour_minima(mask: np.ndarray) -> np.ndarray:
    """Return the columns where the upper and the lower contour of the ink come closest.

    Example:
        >>> contour_minima(np.array([[1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], bool))
        array([2])
    """
    inked = mask.any(axis=0)
    height = mask.shape[0]
    distance = np.where(inked, height - mask.argmax(axis=0) - mask[::-1].argmax(axis=0), 0)
    smooth = ndimage.uniform_filter1d(distance.astype(np.float64), 3, mode="nearest")
    return local_minima(np.rint(3.0 * smooth).astype(np.int64))


def straight_cuts(columns: np.ndarray, height: int) -> np.ndarray:
    """Return vertical paths ``[N, H]`` at the given columns ``[N]``."""
    return np.repeat(np.asarray(columns, dtype=np.int64)[:, None], height, axis=1)


def hit_and_deflect(mask: np.ndarray, reach: int) -> np.ndarray:
    """Drop a line on every column of the ink ``[H, W]`` from above; one path for each, ``[W, H]``.

    A line falls through paper. Where it hits ink, it is deflected along the contour, sideways up
    to ``reach`` pixels, to the nearest column where it can fall on. If there is none (a local
    minimum of the upper profile), it goes straight down through the ink. Lines that meet stay
    together from there on (section X).

    Example:
        >>> ink = np.array([[0, 0, 0, 0], [1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], bool)
        >>> hit_and_deflect(ink, 4)[0]
        array([0, 2, 2, 2])
    """
    height, width = mask.shape
    paper = ~mask
    columns = np.arange(width)
    upper, lower = paper[:-1], paper[1:]
    door = upper & lower
    left_door = np.maximum.accumulate(np.where(door, columns, -1), axis=1)
    left_wall = np.maximum.accumulate(np.where(upper, -1, columns), axis=1)
    right_door = np.minimum.accumulate(np.where(door, columns, width)[:, ::-1], axis=1)[:, ::-1]
    right_wall = np.minimum.accumulate(np.where(upper, width, columns)[:, ::-1], axis=1)[:, ::-1]
    far = 2 * width
    to_left = np.where(left_door > left_wall, columns - left_door, far)
    to_right = np.where(right_door < right_wall, right_door - columns, far)
    sideways = np.where(to_left <= to_right, left_door, right_door)
    deflected = upper & ~lower & (np.minimum(to_left, to_right) <= reach)
    step = np.where(deflected, sideways, columns)
    paths = np.empty((height, width), dtype=np.int64)
    paths[0] = columns
    for row in range(height - 1):
        paths[row + 1] = step[row][paths[row]]
    return paths.T


def hit_and_deflect_from_below(mask: np.ndarray, reach: int) -> np.ndarray:
    """Send lines up from below: :func:`hit_and_deflect` on the field turned upside down."""
    return hit_and_deflect(mask[::-1], reach)[:, ::-1]


def candidate_cuts(mask: np.ndarray, reach: int) -> np.ndarray:
    """Collect the paths of all heuristics through the ink ``[H, W]``, each once, ``[N, H]``.

    Example:
        >>> ink = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], bool)
        >>> candidate_cuts(ink, 4).shape[1]
        3
    """
    height = mask.shape[0]
    columns = np.concatenate([projection_minima(mask), contour_minima(mask)])
    return np.unique(
        np.concatenate(
            [
                straight_cuts(columns, height),
                hit_and_deflect(mask, reach),
                hit_and_deflect_from_below(mask, reach),
            ]
        ),
        axis=0,
    )


def choose_cuts(
    ink: np.ndarray,
    paths: np.ndarray,
    *,
    most_ink: float,
    spacing: float,
    least_width: float,
    hollow: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the cuts of one connected piece of ink ``[H, W]`` among candidate paths ``[N, H]``.

    A cut's ink is the number of ink pixels it crosses. Cuts are taken in the order of their ink
    plus ``hollow`` times the paper between its first and last ink pixel, since a cut that enters a
    loop goes through a character rather than between two. Not taken are cuts with more than
    ``most_ink``, cuts that would leave less than ``least_width`` pixels on one side, and near
    duplicates, which cross the ink nearer than ``spacing`` to a cut already taken. All lengths are
    in pixels.

    Returns:
        The chosen paths ``[K, H]`` from left to right, adjusted so that they do not cross, and
        their ink ``[K]``.
    """
    height, width = ink.shape
    rows = np.arange(height)
    inside = (paths >= 0) & (paths < width)
    crossed = ink[rows, np.clip(paths, 0, width - 1)] & inside
    amount = crossed.sum(axis=1)
    keep = (amount > 0) & (amount <= most_ink)
    paths, crossed, amount = paths[keep], crossed[keep], amount[keep]
    if len(paths) == 0:
        return np.empty((0, height), dtype=np.int64), np.empty(0)
    centre = (paths * crossed).sum(axis=1) / amount
    bend = np.abs(np.diff(paths, axis=1)).sum(axis=1)
    edge = np.minimum(centre, width - centre)
    span = height - crossed.argmax(axis=1) - crossed[:, ::-1].argmax(axis=1)
    # straight and central cuts first among equals
    order = np.lexsort((-edge, amount + hollow * (span - amount) + 0.05 * bend))
    chosen: list[int] = []
    columns = np.arange(width)
    inked_rows = ink.any(axis=1)
    for number in order:
        if edge[number] < 0.5 * least_width:
            continue
        if any(abs(centre[number] - centre[other]) < spacing for other in chosen):
            continue
        left = (ink & (columns[None, :] < paths[number][:, None]))[inked_rows]
        right = ink[inked_rows] & ~left
        if min(extent(left), extent(right)) < least_width:
            continue
        chosen.append(int(number))
    chosen.sort(key=lambda number: (centre[number], number))
    nested = np.maximum.accumulate(paths[chosen], axis=0) if chosen else paths[:0]
    return nested, amount[chosen].astype(np.float64)


def extent(mask: np.ndarray) -> int:
    """Return the number of columns between the first and the last column with ink."""
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[-1] - columns[0] + 1) if columns.size else 0
