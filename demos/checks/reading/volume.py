"""Read many files on all cores, in bounded memory; one bad file costs one error.

Files are read in groups; lines of equal width in a group go through the network together. Each
process reads whole groups, from the file to its texts. So does this process, which begins at once
while the others start. Only a few groups are in flight at a time, however many files there are, and
results come in the order of the files.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

import torch

from demos.checks.reading.reader import CheckReader, Reading
from demos.image_folders import load_each
from demos.processes import processes
from recognizers.images import ImageError, load_field

__all__ = ["Result", "read_files"]

Result = tuple[Path, Reading | ImageError]
"""A file with its reading or its error."""

UNDER_WAY = 3
"""Groups per process that are being read, or whose results wait to be fetched."""


def read_files(reader: CheckReader, paths: Iterable[Path], *, workers: int = 1) -> Iterator[Result]:
    """Yield each file with its reading, or with an error that names what is wrong with it.

    Args:
        reader: the reader; it is not changed.
        paths: files; a few groups are taken ahead of the results.
        workers: processes that read, this one included. Others are started only for more than
            one group of files (``reader.recognize.together``).

    Raises:
        ChildProcessError: a worker process died, perhaps for lack of memory.
    """
    reader = reader.for_reading()
    left = iter(paths)
    groups = iter(lambda: list(islice(left, reader.recognize.together)), [])
    first = list(islice(groups, 2))
    ahead = chain(first, groups)
    if workers <= 1 or len(first) < 2:
        for group in ahead:
            yield from read_group(reader, group)
        return
    with processes(workers - 1, _start, pickle.dumps(reader)) as pool, _one_thread():
        yield from _shared(reader, pool, ahead, workers)


def read_group(reader: CheckReader, paths: Sequence[Path]) -> list[Result]:
    """Return the results of a few files, which are read as one batch."""
    images = [image for _, image in load_each(paths, load_field)]
    readings = iter(reader.read([one for one in images if not isinstance(one, ImageError)]))
    return [
        (path, one if isinstance(one, ImageError) else next(readings))
        for path, one in zip(paths, images, strict=True)
    ]


def _shared(
    reader: CheckReader, pool: ProcessPoolExecutor, groups: Iterator[list[Path]], workers: int
) -> Iterator[Result]:
    """Yield the results of the groups in order, some of them read here, most in the pool."""
    waiting: deque[Future[list[Result]] | list[Result]] = deque()
    while True:
        for group in islice(groups, max(0, UNDER_WAY * (workers - 1) - _unread(waiting))):
            waiting.append(pool.submit(_read_elsewhere, group))
        if not waiting:
            return
        head = waiting[0]
        if isinstance(head, list):
            waiting.popleft()
            yield from head
        elif not head.done() and len(waiting) < UNDER_WAY * workers * 2:
            # No result to yield yet: read a group in this process, if one is left.
            mine = next(groups, None)
            if mine is None:
                yield from head.result()
                waiting.popleft()
            else:
                waiting.append(read_group(reader, mine))
        else:
            waiting.popleft()
            yield from head.result()


def _unread(waiting: Iterable[Future[list[Result]] | list[Result]]) -> int:
    return sum(isinstance(one, Future) and not one.done() for one in waiting)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread; the other cores run the other processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_reader: CheckReader | None = None  # of a process of the pool


def _start(content: bytes) -> None:
    """Set up a process of the pool."""
    global _reader
    torch.set_num_threads(1)
    _reader = pickle.loads(content)


def _read_elsewhere(paths: Sequence[Path]) -> list[Result]:
    assert _reader is not None
    return read_group(_reader, paths)
