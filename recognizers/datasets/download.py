"""A checked download of MNIST: four files, each kept only if its content is the original's."""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from recognizers.datasets.mirrors import MIRRORS
from recognizers.datasets.mnist import MD5, IdxError, read_idx

MOST_BYTES = 64 << 20
"""More than any file of MNIST has; a longer answer is not read to its end."""

PIECE = 1 << 16


class DownloadError(OSError):
    """Some files did not arrive; the message names each of them and why."""


def download_mnist(
    directory: str | Path, mirrors: Sequence[str] = MIRRORS, *, timeout: float = 30.0
) -> list[Path]:
    """Fetch the four gzipped IDX files into `directory`, created if missing; return their paths.

    A file that is there with the original's content is not fetched again. A download is checked
    before it gets its name: the MD5 of the decompressed content must be that of the original (the
    gzip wrapping differs between mirrors). If a file fails with one mirror, the next is tried; if
    it fails with all, an older file stays as it was, and the other files are still fetched.
    `timeout` is in seconds, for each answer of a server.

    Raises DownloadError naming the files that did not arrive, and ValueError for no mirror.

    >>> download_mnist("data/mnist")  # doctest: +SKIP
    """
    mirrors = [mirrors] if isinstance(mirrors, str) else list(mirrors)
    if not mirrors:
        raise ValueError("mirrors must hold at least one address")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths, problems = [], []
    for name in MD5:
        path = directory / f"{name}.gz"
        paths.append(path)
        if _problem(path, name) is None:
            continue
        found = [_fetch(f"{base.rstrip('/')}/{path.name}", path, name, timeout) for base in mirrors]
        if None not in found:
            kept = ", the file of that name is kept" if path.exists() else ""
            problems.append(f"{path}: {'; '.join(filter(None, found))}{kept}")
    if problems:
        raise DownloadError("\n".join(problems))
    return paths


def _fetch(address: str, path: Path, name: str, timeout: float) -> str | None:
    """Fetch one file, unless it is there by now; return what went wrong, or None."""
    if _problem(path, name) is None:
        return None
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            try:
                with urllib.request.urlopen(address, timeout=timeout) as answer:
                    _copy(answer, file)
            except (OSError, ValueError, http.client.HTTPException) as error:
                return f"{address} did not answer ({error})"
        problem = _problem(Path(temporary), name)
        if problem is not None:
            return f"what {address} sent is not the original: {problem}"
        Path(temporary).chmod(0o644)
        shutil.move(temporary, path)
        return None
    finally:
        Path(temporary).unlink(missing_ok=True)


def _copy(answer: BinaryIO, file: BinaryIO) -> None:
    total = 0
    while piece := answer.read(PIECE):
        total += len(piece)
        if total > MOST_BYTES:
            raise OSError(f"more than {MOST_BYTES:,} bytes")
        file.write(piece)


def _problem(path: Path, name: str) -> str | None:
    """Return what is wrong with the content of a file, None if it is the original's."""
    if not path.is_file():
        return "no such file"
    try:
        read_idx(path, 3 if "images" in name else 1, md5=MD5[name])
    except IdxError as error:
        return str(error).removeprefix(f"{path}: ")
    return None
