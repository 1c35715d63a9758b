"""Segmenting many files: over all cores, in order, one bad file costs one error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from recognizers.images import ImageError, load_field
from recognizers.segmentation import Segmentation, segment_field

__all__ = ["segment_files"]


def segment_files(
    paths: Sequence[Path], workers: int = 1
) -> Iterator[tuple[Path, Segmentation | ImageError]]:
    """Yield each file with its segmentation, or with the error that names what is wrong with it.

    The results come in the order of the paths. ``workers`` above one starts as many processes.
    """
    if workers <= 1 or len(paths) < 16:
        yield from ((path, _segment(path)) for path in paths)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from zip(paths, pool.map(_segment, paths, chunksize=4), strict=True)


def _segment(path: Path) -> Segmentation | ImageError:
    try:
        return segment_field(load_field(path))
    except ImageError as error:
        return ImageError(*error.args)
