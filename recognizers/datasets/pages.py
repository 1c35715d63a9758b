"""Pages of scattered digits and clutter, to find digits on (object spotting, section VII)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from recognizers.datasets.pasting import extents, paste, warped
from recognizers.datasets.strings import checked_digits

__all__ = ["PageRecipe", "Pages", "draw_pages", "present"]

_TRIES = 40
"""Places tried for each thing on a page; a thing that fits nowhere is left out."""


@dataclass(frozen=True)
class PageRecipe:
    """How pages are made; ranges are drawn from uniformly, both ends included.

    Attributes:
        side: pixels of either side of a page.
        digits: number of digits on a page (fewer if there is no room).
        size: factor of MNIST's 20 pixels, its logarithm drawn uniformly.
        slant: greatest shift in pixels per pixel of height.
        clutter: number of dots, dashes, crosses and polygons, which do not touch digits.
        waves: number of long wavy lines, which may cross anything.
        noise: share of the pixels that are inverted.
    """

    side: int = 128
    digits: tuple[int, int] = (1, 5)
    size: tuple[float, float] = (1.0, 2.5)
    slant: float = 0.2
    clutter: tuple[int, int] = (3, 9)
    waves: tuple[int, int] = (0, 1)
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.side < 32:
            raise ValueError(f"a page has 32 pixels a side at least, not {self.side}")
        if not 0 < self.size[0] <= self.size[1]:
            raise ValueError(f"sizes go from a factor above 0 upwards, not {self.size}")


class Pages(NamedTuple):
    """Pages of one batch.

    Attributes:
        images: uint8 ``[B, side, side]``, 0 paper, 255 ink.
        owner: the page of each digit, int64 ``[n]``.
        labels: which digit, int64 ``[n]``.
        boxes: the box of its ink, int64 ``[n, 4]``: x0, y0, x1, y1, ends excluded.
    """

    images: NDArray[np.uint8]
    owner: NDArray[np.int64]
    labels: NDArray[np.int64]
    boxes: NDArray[np.int64]


def draw_pages(
    images: Tensor | NDArray[np.uint8],
    labels: Tensor | NDArray[np.uint8],
    recipe: PageRecipe,
    count: int,
    rng: np.random.Generator,
) -> Pages:
    """Return ``count`` pages with digits and clutter by a recipe.

    Args:
        images: uint8 ``[N, 28, 28]`` single digits, 0 paper, and ``labels [N]``.
        recipe: how pages are made.
        count: number of pages.
        rng: the generator of everything drawn.

    Raises:
        ValueError: images or labels of another shape or type.

    >>> digit = np.zeros((1, 28, 28), np.uint8)
    >>> digit[:, 4:24, 8:20] = 255
    >>> pages = draw_pages(digit, np.array([7]), PageRecipe(), 4, np.random.default_rng(0))
    >>> pages.images.shape, pages.owner
    ((4, 128, 128), array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3]))
    >>> present(pages)[:, 7]
    array([ True,  True,  True,  True])
    """
    images, labels = checked_digits(images, labels)
    side = recipe.side
    owner = np.repeat(np.arange(count), rng.integers(*recipe.digits, size=count, endpoint=True))
    chosen = rng.integers(len(images), size=len(owner))
    scale = np.exp(rng.uniform(*np.log(recipe.size), size=len(owner)))
    slant = rng.uniform(-recipe.slant, recipe.slant, size=len(owner))
    matrices = np.zeros((len(owner), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1 / scale
    matrices[:, 0, 1] = slant / scale
    room = min(side, int(np.ceil(32 * recipe.size[1])))
    glyphs = warped(images, chosen, matrices, room, room)
    boxes = extents(glyphs)
    things = rng.integers(*recipe.clutter, size=count, endpoint=True)
    thing_owner = np.repeat(np.arange(count), things)
    radius = np.where(rng.random(len(thing_owner)) < 0.5, 3.0, rng.uniform(8, 20, len(thing_owner)))
    # Place digits first, then clutter, each apart from the others.
    owners = np.concatenate((owner, thing_owner))
    sides = np.concatenate((boxes[:, 2:] - boxes[:, :2], np.stack((2 * radius,) * 2, axis=1)))
    corners = _places(owners, sides + 4, count, side, rng.random((len(owners), _TRIES, 2)))
    found = corners[:, 0] >= 0
    canvases = np.zeros((count, side, side), dtype=np.uint8)
    places = corners[: len(owner)] + 2
    kept = found[: len(owner)]
    offsets = (places - boxes[:, :2])[kept]
    paste(canvases, glyphs[kept], owner[kept], offsets[:, 0], offsets[:, 1])
    middles = corners[len(owner) :] + 2 + radius[:, None]
    for i in np.flatnonzero(found[len(owner) :]):
        for points in _thing(middles[i], radius[i], rng):
            _stroke(canvases[thing_owner[i]], points, rng.uniform(1.5, 3.5))
    for page, waves in enumerate(rng.integers(*recipe.waves, size=count, endpoint=True)):
        for _ in range(waves):
            _stroke(canvases[page], _wave(side, rng), rng.uniform(1.0, 2.5))
    if recipe.noise:
        hit = rng.random(canvases.shape, dtype=np.float32) < recipe.noise
        canvases ^= hit.view(np.uint8) * np.uint8(255)
    on_page = np.concatenate((places, places + boxes[:, 2:] - boxes[:, :2]), axis=1)
    return Pages(canvases, owner[kept], labels[chosen][kept].astype(np.int64), on_page[kept])


def present(pages: Pages, classes: int = 10) -> NDArray[np.bool_]:
    """Return which digits are somewhere on each page, ``[B, classes]``, without their places."""
    found = np.zeros((len(pages.images), classes), dtype=np.bool_)
    found[pages.owner, pages.labels] = True
    return found


def _thing(
    middle: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Return the strokes of a thing: a dot or dash if it is small, else a cross or polygon."""
    turn = rng.uniform(0, np.pi)
    if radius < 4:
        reach = rng.uniform(0, radius)
        end = reach * np.array([np.cos(turn), np.sin(turn)])
        return [np.stack((middle - end, middle + end))]
    kind = int(rng.integers(4))
    corners = kind + 3  # a triangle, a square, a pentagon; then a cross
    if kind < 3:
        angles = turn + np.arange(corners + 1) * (2 * np.pi / corners)
        return [middle + 0.9 * radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)]
    arms = [np.array([np.cos(a), np.sin(a)]) for a in (turn, turn + np.pi / 2)]
    return [np.stack((middle - 0.9 * radius * arm, middle + 0.9 * radius * arm)) for arm in arms]


def _wave(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a line from edge to edge that oscillates around its course."""
    along = np.linspace(0, side, 25)
    swing = rng.uniform(1, 6) * np.sin(along * rng.uniform(0.03, 0.12) + rng.uniform(0, 6))
    across = rng.uniform(0, side) + swing + rng.uniform(-0.4, 0.4) * along
    points = np.stack((along, across), axis=1)
    return points if rng.random() < 0.5 else points[:, ::-1].copy()


@njit(cache=True, nogil=True)
def _places(owner, sides, count, room, draws):
    """Return upper left corners int64 ``[n, 2]`` of boxes that meet no other of their page, or -1.

    ``sides [n, 2]`` are their widths and heights, ``draws [n, tries, 2]`` the places to try, as
    shares of the room left. O(n tries n/count).
    """
    n = len(owner)
    corners = np.full((n, 2), -1, dtype=np.int64)
    of_page = np.full((count, n + 1), -1, dtype=np.int64)
    used = np.zeros(count, dtype=np.int64)
    for i in range(n):
        page = owner[i]
        free_x, free_y = room - sides[i, 0], room - sides[i, 1]
        if free_x < 0 or free_y < 0:
            continue
        for t in range(draws.shape[1]):
            x, y = int(draws[i, t, 0] * free_x), int(draws[i, t, 1] * free_y)
            meets = False
            for k in range(used[page]):
                j = of_page[page, k]
                if (
                    x < corners[j, 0] + sides[j, 0]
                    and corners[j, 0] < x + sides[i, 0]
                    and y < corners[j, 1] + sides[j, 1]
                    and corners[j, 1] < y + sides[i, 1]
                ):
                    meets = True
                    break
            if not meets:
                corners[i, 0], corners[i, 1] = x, y
                of_page[page, used[page]] = i
                used[page] += 1
                break
    return corners


@njit(cache=True, nogil=True)
def _stroke(canvas, points, thickness):
    """Draw a line through points ``[k, 2]`` (x, y) with soft edges, in place; darker ink stays."""
    height, width = canvas.shape
    reach = thickness / 2 + 1
    for k in range(len(points) - 1):
        ax, ay = points[k]
        dx, dy = points[k + 1, 0] - ax, points[k + 1, 1] - ay
        squared = dx * dx + dy * dy
        top = max(0, int(min(ay, ay + dy) - reach))
        bottom = min(height, int(max(ay, ay + dy) + reach) + 2)
        left = max(0, int(min(ax, ax + dx) - reach))
        right = min(width, int(max(ax, ax + dx) + reach) + 2)
        for y in range(top, bottom):
            for x in range(left, right):
                along = 0.0
                if squared > 0:
                    along = min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / squared))
                away = np.hypot(x - ax - along * dx, y - ay - along * dy)
                value = 255 * min(1.0, max(0.0, thickness / 2 + 0.5 - away))
                if value > canvas[y, x]:
                    canvas[y, x] = np.uint8(value)
