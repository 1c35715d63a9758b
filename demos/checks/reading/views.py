"""Views of a field, as it is and varied; and the preparation of many files on all cores, in order.

One bad file costs one error.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import transform

from demos.processes import processes
from recognizers.images import ImageError, load_field
from recognizers.segmentation.binarization import dark_on_light

__all__ = ["Prepare", "Views", "prepare_files", "variant"]

Prepare = Callable[[np.ndarray], Any]
"""How a reader prepares a picture: a function that can be sent to processes."""


def prepare_files(
    paths: Sequence[Path],
    prepare: Prepare,
    workers: int = 1,
    variants: int = 0,
    *,
    views: int = 1,
) -> Iterator[tuple[Path, list[Any] | ImageError]]:
    """Yield each file with its prepared pictures, or with an error that says what is wrong.

    The results come in the order of the paths. ``workers`` above one starts as many processes. The
    list holds the field's :class:`Views`, first the field as it is, then ``variants`` results of
    :func:`variant`, which differ from file to file; each prepared by ``prepare``.
    """
    work = partial(_prepared, prepare=prepare, variants=variants, count=views)
    if workers <= 1 or len(paths) < 16:
        yield from ((path, work(path)) for path in paths)
        return
    with processes(workers) as pool:
        yield from zip(paths, pool.map(work, paths, chunksize=4), strict=True)


class Views(Sequence[Any]):
    """A field as it is and ``count - 1`` variants of it, each made and prepared on demand.

    Light writing on dark paper is inverted first. All fields are varied in the same ways. A field
    read wrong in one view, because a cut fell badly or the hand is unusual, is mostly read right in
    others.

    >>> some = Views(np.full((40, 100), 230, np.uint8), np.shape, 5)
    >>> len(some), some[0], len(some[1:])
    (5, (40, 100), 4)
    """

    def __init__(self, grey: np.ndarray, prepare: Prepare, count: int) -> None:
        self.grey, self.prepare, self.count = dark_on_light(grey), prepare, count

    def __len__(self) -> int:
        """Return the number of views."""
        return self.count

    def __getitem__(self, which: Any) -> Any:
        """Return a prepared view, or a list of those in a slice."""
        if isinstance(which, slice):
            return [self[number] for number in range(self.count)[which]]
        number = range(self.count)[which]
        if number == 0:
            return self.prepare(self.grey)
        return self.prepare(variant(self.grey, np.random.default_rng(number - 1)))


def variant(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a field as another hand might have written it: stretched, slanted, turned, bolder.

    This changes where ink touches and where cuts fall, which distorting single segments cannot do.
    Paper that comes into view is filled in from the border.

    >>> field = np.full((40, 100), 230, np.uint8)
    >>> variant(field, np.random.default_rng(0)).shape
    (40, 102)
    """
    height, width = grey.shape
    stretch = np.exp(rng.uniform(-0.25, 0.25))
    across = np.exp(rng.uniform(-0.1, 0.1))
    map_ = transform.AffineTransform(
        scale=(stretch * across, across),
        rotation=rng.uniform(-0.04, 0.04),
        shear=(rng.uniform(-0.3, 0.3), 0.0),
    )
    middle = np.array([width, height]) / 2
    wide = max(8, round(width * max(1.0, stretch * across)))
    centred = transform.AffineTransform(translation=-middle) + map_
    centred += transform.AffineTransform(translation=(wide / 2, height / 2))
    warped = transform.warp(
        grey, centred.inverse, output_shape=(height, wide), mode="edge", preserve_range=True
    )
    bolder = rng.uniform(-0.6, 0.6)
    other = (ndimage.grey_erosion if bolder > 0 else ndimage.grey_dilation)(warped, size=(2, 2))
    return np.clip(warped + abs(bolder) * (other - warped), 0, 255).astype(np.uint8)


def _prepared(path: Path, prepare: Prepare, variants: int, count: int) -> list[Any] | ImageError:
    try:
        grey = load_field(path)
    except ImageError as error:
        return ImageError(*error.args)
    # The variants of a file depend only on its name, so that a run can be repeated.
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    views = Views(grey, prepare, count)
    drawn = (prepare(variant(views.grey, rng)) for _ in range(variants))
    return [*views, *drawn]
