"""The word normaliser: four flexible lines fitted to the turning points of a pen (section IX).

Ascender, core, base and descender line share slope and curvature:
y_l(x) = κ (x - x0)² + s (x - x0) + y_l. Tops of the trajectory belong to the core or the ascender
line, bottoms to the base or the descender line, each by a Gaussian around the line, or to neither
(a uniform background). Expectation maximisation finds the lines that maximise the joint
probability of points and lines. The prior of the distances between lines keeps them from
collapsing onto each other; those of κ and s keep short words straight.

The paper gives no numbers. Ours, in units of the height of the core: residuals 0.14; distance
from base to core 1 ± 0.2, from core to ascender 0.9 ± 0.25, from base to descender 0.8 ± 0.25;
slope ± 0.15 (less for words of a few letters), curvature such that the ends of a word bend by
± 0.3. The height of the core itself is at first one of five shares of the height of the ink, all
tried at once with two slopes each; the one with the largest joint probability goes on, with its
core height as found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizers.online.extrema import Extrema, extrema
from recognizers.online.ink import Ink

__all__ = [
    "LINES",
    "ROWS_OF_LINES",
    "Fit",
    "Lines",
    "by_height",
    "fit_lines",
    "normalized",
    "on_lines",
    "turning_points",
]

LINES = ("ascender", "core", "base", "descender")

ROWS_OF_LINES = (18.0, 13.5, 6.5, 1.5)
"""Rows of the four lines in an annotated image of 20 rows, counted from the lowest."""

MARGIN = 3.0
"""Free columns to the left of a normalised word."""

_LEAST_SIZE = 1e-100
_DIGITS = 1e-9
_LEAST_HEIGHT = 1e-6  # of the width
_SHARES = np.array([0.25, 0.35, 0.5, 0.7, 1.0])
_SIGMA = 0.14
_TEMPERING = (0.35, 0.3, 0.25, 0.2, 0.17, *(_SIGMA,) * 9)
_DISTANCES = np.array([1.0, 0.9, 0.8])  # base-core, core-ascender, base-descender
_DISTANCE_SDS = np.array([0.2, 0.25, 0.25])
# Densities per unit of ink would favour small cores, densities per core large ones; in between:
_SCALE_FREE = 0.7
_LEAST_DISTANCES = np.array([0.5, 0.3, 0.3])
# Shares of tops and bottoms: on the nearer line (core, base), on the outer one, on neither.
_TOPS = np.array([0.62, 0.30, 0.08])
_BOTTOMS = np.array([0.78, 0.14, 0.08])
# Features of a point on each line in (κ, s, base, core - base, ascender - core, base - descender).
_ON_LINE = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, -1.0]])


@dataclass(frozen=True)
class Lines:
    """Four lines y_l(x) = curvature (x - centre)² + slope (x - centre) + y_l, in ink units.

    >>> lines = Lines(0.0, 0.0, 0.1, 2.0, 1.0, 0.0, -1.0)
    >>> lines.at(10.0).tolist(), lines.core_height
    ([3.0, 2.0, 1.0, 0.0], 1.0)
    """

    centre: float
    curvature: float
    slope: float
    ascender: float
    core: float
    base: float
    descender: float

    @property
    def core_height(self) -> float:
        """The distance from base to core line: the height of a small letter."""
        return self.core - self.base

    @property
    def levels(self) -> np.ndarray:
        """The heights y_l of the four lines at the centre, from above, float64 [4]."""
        return np.array([self.ascender, self.core, self.base, self.descender])

    def with_core(self, factor: float) -> Lines:
        """Return the lines with core and distances `factor` times as high; the base line stays.

        >>> Lines(0.0, 0.0, 0.0, 19.0, 10.0, 0.0, -8.0).with_core(0.5).levels.tolist()
        [9.5, 5.0, 0.0, -4.0]
        """
        levels = self.base + factor * (self.levels - self.base)
        return Lines(self.centre, self.curvature, self.slope, *map(float, levels))

    def bend(self, x: np.ndarray | float) -> np.ndarray:
        """Return what slope and curvature add at x, in the shape of x."""
        away = np.asarray(x, dtype=np.float64) - self.centre
        return self.curvature * away**2 + self.slope * away

    def at(self, x: np.ndarray | float) -> np.ndarray:
        """Return the heights of the four lines at x [...], from above: [4, ...]."""
        bend = self.bend(x)
        return self.levels.reshape(4, *(1,) * bend.ndim) + bend


@dataclass(frozen=True)
class Fit:
    """Lines, and the turning points that they were fitted to.

    `shares` [E, 3] says how much of each turning point belongs to the nearer line (core for tops,
    base for bottoms), to the outer one (ascender, descender) and to neither.
    """

    lines: Lines
    extrema: Extrema
    shares: np.ndarray
    log_probability: float


def fit_lines(ink: Ink) -> Fit:
    """Fit the four lines to a word, or to as little as one character or one point.

    Without turning points (empty ink, a dot, a dash) the lines are those of the prior around the
    ink. Some 15 steps of EM run on ten starts at once: about 2 ms for any ink of up to about a
    hundred turning points.

    >>> word = Ink([[(i, 10 * (i % 2)) for i in range(9)]])
    >>> lines = fit_lines(word).lines
    >>> round(lines.base), round(lines.core)
    (0, 10)
    """
    left, low, right, high = ink.bounds
    found = turning_points(ink)
    centre, unit = 0.5 * (left + right), _height(found)
    if unit <= max(_least(ink), _LEAST_HEIGHT * (right - left)):
        size = max(high - low, 0.25 * (right - left))
        size = size if size > _least(ink) else 1.0
        levels = 0.5 * (low + high) + size * np.array([1.4, 0.5, -0.5, -1.3])
        lines = Lines(centre, 0.0, 0.0, *map(float, levels))
        return Fit(lines, found, np.tile([0.0, 0.0, 1.0], (len(found.points), 1)), 0.0)
    origin = float(np.median(found.points[~found.is_top, 1]))
    problem = _Problem(found, centre, origin, unit)
    heights, slopes = problem.starts()
    theta, log_p = problem.run(heights, slopes, _TEMPERING)
    best = int(np.argmax(log_p))
    # Once more, from the height of the core that was found.
    theta = theta[[best]]
    heights = theta[:, 3].clip(0.5 * heights[best], 2.0 * heights[best])
    theta, log_p = problem.run(heights, theta[:, 1], (_SIGMA,) * 4, theta)
    shares, _ = problem.expect(theta, heights, _SIGMA)
    curvature, slope, base, *gaps = theta[0]
    core, up, down = np.maximum(gaps, _LEAST_DISTANCES * heights[0])
    levels = origin + unit * np.array([base + core + up, base + core, base, base - down])
    lines = Lines(centre, float(curvature / unit), float(slope), *map(float, levels))
    return Fit(lines, found, shares[0], float(log_p[0]))


def _least(ink: Ink) -> float:
    """Return the size up to which sizes count as zero, for lack of precision of coordinates."""
    return max(_DIGITS * float(np.abs(ink.points).max(initial=0.0)), _LEAST_SIZE)


def turning_points(ink: Ink) -> Extrema:
    """Return the turning points that the lines are fitted to: some four for each letter."""
    heights = ink.points[:, 1]
    # Quantiles, so that a stray point does not decide what counts as a turn.
    spread = float(np.subtract(*np.quantile(heights, [0.95, 0.05]))) if len(heights) else 0.0
    found = extrema(ink, 0.08 * spread)
    return found if spread > 0.0 else Extrema(found.points[:0], found.is_top[:0], found.counts[:0])


def _height(found: Extrema) -> float:
    """Return a robust height of the ink: from the lower to the upper turning points."""
    if not found.is_top.any() or found.is_top.all():
        return 0.0
    return float(np.subtract(*np.quantile(found.points[:, 1], [0.9, 0.1])))


class _Problem:
    """EM for K starts at once, in coordinates where the height of the ink is about one."""

    def __init__(self, found: Extrema, centre: float, origin: float, unit: float) -> None:
        self.x = (found.points[:, 0] - centre) / unit
        self.y = (found.points[:, 1] - origin) / unit
        self.counts, self.is_top = found.counts, found.is_top
        self.width = float(np.ptp(np.clip(self.x, -100.0, 100.0)))
        nearer, outer = np.where(self.is_top, 1, 2), np.where(self.is_top, 0, 3)
        own = np.stack([self.x**2, self.x, np.ones_like(self.x)], axis=1)
        # [E, 2, 6]: the features of each point on its nearer and on its outer line.
        self.features = np.concatenate(
            [np.repeat(own[:, None], 2, 1), _ON_LINE[np.stack([nearer, outer], 1)]], axis=2
        )
        flat = self.features.reshape(-1, 6)
        self.products = (flat[:, :, None] * flat[:, None]).reshape(-1, 36)
        self.sums = flat * np.repeat(self.y, 2)[:, None]
        prior = np.where(self.is_top[:, None], _TOPS, _BOTTOMS)
        self.log_prior = np.log(prior[:, :2])
        self.background = prior[:, 2] / (float(np.ptp(np.clip(self.y, -3.0, 3.0))) + 1.0)

    def starts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return heights and slopes [K] to start from: each share, level and along the ink."""
        x = self.x - self.x.mean()
        along = float(x @ self.y / max(x @ x, 1e-12))
        slopes = np.array([0.0, np.clip(along, -0.5, 0.5) if self.width > 2.0 else 0.0])
        return np.repeat(_SHARES, 2), np.tile(slopes, len(_SHARES))

    def prior(self, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means [K, 6] and precisions [K, 6] of the prior, for core heights [K]."""
        letters = self.width / heights
        half = np.maximum(0.5 * self.width, heights)
        mean = np.zeros((len(heights), 6))
        mean[:, 3:] = _DISTANCES * heights[:, None]
        sd = np.empty((len(heights), 6))
        sd[:, 0] = 0.3 * heights / half**2 * np.clip(letters / 4.0, 0.1, 1.0)
        sd[:, 1] = 0.15 * np.clip(letters / 4.0, 0.2, 1.0)
        sd[:, 2] = 10.0
        sd[:, 3:] = _DISTANCE_SDS * heights[:, None]
        return mean, 1.0 / sd**2

    def expect(
        self, theta: np.ndarray, heights: np.ndarray, sigma: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the shares [K, E, 3] of the points, and their log probability [K]."""
        sd = (sigma * heights)[:, None, None]
        residual = (self.y[:, None] - np.einsum("elf,kf->kel", self.features, theta)) / sd
        log_sd = np.log(sd * np.sqrt(2.0 * np.pi))
        density = np.exp(self.log_prior - 0.5 * np.minimum(residual**2, 1400.0) - log_sd)
        total = density.sum(axis=2) + self.background
        shares = np.empty((*total.shape, 3))
        shares[:, :, :2] = density / total[:, :, None]
        shares[:, :, 2] = self.background / total
        return shares, np.log(total) @ self.counts

    def run(
        self,
        heights: np.ndarray,
        slopes: np.ndarray,
        tempering: tuple[float, ...],
        theta: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return parameters [K, 6] and joint log probabilities [K] after a step per `tempering`."""
        mean, precision = self.prior(heights)
        if theta is None:
            theta = mean.copy()
            theta[:, 1] = slopes
        for sigma in tempering:
            shares, _ = self.expect(theta, heights, sigma)
            parts = shares[:, :, :2] * self.counts[:, None] / (sigma * heights[:, None, None]) ** 2
            parts = parts.reshape(len(heights), -1)
            left = (parts @ self.products).reshape(-1, 6, 6)
            left[:, range(6), range(6)] += precision
            right = parts @ self.sums + precision * mean
            theta = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        _, log_p = self.expect(theta, heights, _SIGMA)
        log_p += _SCALE_FREE * self.counts.sum() * np.log(heights)
        return theta, log_p - 0.5 * (precision * (theta - mean) ** 2).sum(axis=1)


def on_lines(ink: Ink, lines: Lines) -> Ink:
    """Return the ink with its lines straight and on the rows of an annotated image, in pixels.

    The four lines move to `ROWS_OF_LINES`. Ink between them is interpolated linearly; ink beyond
    the outer ones keeps the scale of the core, but stays within the 20 rows. Columns have the
    scale of the core; the word begins at column `MARGIN`.

    >>> lines = Lines(0.0, 0.0, 0.0, 20.0, 10.0, 0.0, -10.0)
    >>> on_lines(Ink([[(5, 0), (15, 10), (15, 20)]]), lines).points.tolist()
    [[3.0, 6.5], [10.0, 13.5], [10.0, 18.0]]
    """
    if ink.is_empty:
        return ink
    x, y = ink.points.T
    rows = np.array(ROWS_OF_LINES[::-1])
    scale = (rows[2] - rows[1]) / lines.core_height
    levels = lines.levels[::-1]
    straight = y - lines.bend(x)
    inside = np.interp(straight, levels, rows)
    beyond = np.maximum(straight - levels[-1], 0.0) + np.minimum(straight - levels[0], 0.0)
    points = np.empty_like(ink.points)
    points[:, 0] = np.minimum((x - x.min()) * scale + MARGIN, 1e9)
    points[:, 1] = np.clip(inside + beyond * scale, 0.0, 19.0)
    return ink.with_points(points)


def normalized(ink: Ink) -> Ink:
    """Return a word normalised for `amap`: its lines fitted, straightened and put on their rows.

    >>> word = Ink([[(i, 10 * (i % 2)) for i in range(9)]])
    >>> [round(v) for v in normalized(word).bounds[1::2]]  # base and core line
    [6, 14]
    """
    return on_lines(ink, fit_lines(ink).lines)


def by_height(ink: Ink, low: float = 2.0, high: float = 17.0) -> Ink:
    """Return the ink scaled to reach from row `low` to row `high`, without a word normaliser.

    The word normaliser is measured against this. Ink without height moves to the middle.

    >>> by_height(Ink([[(0, 0), (60, 30)]])).points.tolist()
    [[3.0, 2.0], [33.0, 17.0]]
    """
    if ink.is_empty:
        return ink
    left, bottom, right, top = ink.bounds
    size = max(top - bottom, 0.1 * (right - left))
    scale = (high - low) / (size if size > _least(ink) else 1.0)
    shift = 0.5 * (low + high) - 0.5 * (bottom + top) * scale
    points = ink.points * scale
    points[:, 0] += MARGIN - left * scale
    points[:, 1] += shift
    return ink.with_points(points)
