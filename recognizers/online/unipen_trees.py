"""Where UNIPEN files lie: folders and tar archives with `data/` and `include/` inside."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["ArchiveTree", "FolderTree", "Tree", "TreeError", "find_trees"]

MAX_BYTES = 1 << 31
"""Most bytes of an unpacked archive, whose header may promise anything."""

ARCHIVES = (".tar.xz", ".tar.gz", ".tgz", ".tar.bz2", ".tar")


class TreeError(ValueError):
    """A folder or an archive that cannot be read; the message begins with its path."""


@dataclass(frozen=True)
class FolderTree:
    """An unpacked tree: a folder with `data/` and `include/`."""

    path: Path

    @cached_property
    def data_files(self) -> list[str]:
        """Paths of the data files, relative to the tree, in a fixed order (see `by_place`)."""
        found = (p for p in (self.path / "data").rglob("*.dat") if p.is_file())
        return sorted((p.relative_to(self.path).as_posix() for p in found), key=by_place)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none of that name."""
        path = self.path / name
        return path.read_bytes() if path.is_file() else None

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of every file, which tell whether something changed."""
        files = sorted(p for p in self.path.rglob("*") if p.is_file())
        return [
            (p.relative_to(self.path).as_posix(), p.stat().st_size, p.stat().st_mtime_ns)
            for p in files
        ]


@dataclass(frozen=True)
class ArchiveTree:
    """A tree inside a tar archive, unpacked into memory on first use; nothing goes to disk.

    Links inside the archive are not followed: it has its files only.
    """

    path: Path

    @cached_property
    def _files(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        total = 0
        try:
            with tarfile.open(self.path) as archive:
                for member in archive:
                    if not member.isfile():
                        continue
                    total += member.size
                    if total > MAX_BYTES:
                        raise TreeError(f"{self.path}: more than {MAX_BYTES:,} bytes unpacked")
                    content = archive.extractfile(member)
                    assert content is not None  # it is a file
                    files[_below_root(member.name)] = content.read()
                _check_end(archive)
        except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
            last = f" after {list(files)[-1]}" if files else ""
            raise TreeError(f"{self.path}: damaged, or not an archive{last} ({error})") from error
        return files

    @cached_property
    def data_files(self) -> list[str]:
        """Paths of the data files inside the archive, in a fixed order (see `by_place`)."""
        names = (n for n in self._files if n.startswith("data/") and n.endswith(".dat"))
        return sorted(names, key=by_place)

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none of that name."""
        return self._files.get(name)

    def stamp(self) -> list[tuple[str, int, int]]:
        """Return name, size and time of the archive, which tell whether something changed."""
        status = self.path.stat()
        return [(self.path.name, status.st_size, status.st_mtime_ns)]


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise ReadError unless an archive that was read to its end has one, a block of zeros.

    `tarfile` takes a damaged header for the end, and the end of the file, too.
    """
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"at byte {archive.offset} is neither a file nor the end")


Tree = FolderTree | ArchiveTree


def by_place(name: str) -> tuple[str, ...]:
    """Return a sort key that puts files that share ink (the same in `1a`, `1b`, `1c`) together.

    >>> sorted(["data/1b/x.dat", "data/1a/y.dat", "data/1a/x.dat"], key=by_place)
    ['data/1a/x.dat', 'data/1b/x.dat', 'data/1a/y.dat']
    """
    parts = name.split("/")
    return (*parts[2:], *parts[:2])


def _below_root(name: str) -> str:
    """Return the name of a member from `data/` or `include/` on, whatever folders are above."""
    parts = [p for p in name.split("/") if p not in ("", ".")]
    for i, part in enumerate(parts):
        if part in ("data", "include"):
            return "/".join(parts[i:])
    return "/".join(parts)


def find_trees(path: str | Path) -> Iterator[Callable[[], Tree]]:
    """Yield makers of the trees at `path`: a tree, an archive, or a folder of trees or archives.

    A maker is called when its tree is read, and an archive is dropped with its tree, so that only
    one archive at a time is in memory.

    Raises:
        TreeError: there is no tree and no archive at `path`.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> (Path(folder.name) / "data" / "1a").mkdir(parents=True)
        >>> [make().data_files for make in find_trees(folder.name)]
        [[]]
        >>> folder.cleanup()
    """
    path = Path(path)
    if path.is_file():
        return iter([lambda: ArchiveTree(path)])
    if not path.is_dir():
        raise TreeError(f"{path}: no such file or folder")
    if (path / "data").is_dir():
        return iter([lambda: FolderTree(path)])
    makers: list[Callable[[], Tree]] = []
    for inside in sorted(path.iterdir()):
        if inside.is_file() and inside.name.lower().endswith(ARCHIVES):
            makers.append(lambda p=inside: ArchiveTree(p))  # type: ignore[misc]
        elif (inside / "data").is_dir():
            makers.append(lambda p=inside: FolderTree(p))  # type: ignore[misc]
    if not makers:
        raise TreeError(
            f"{path}: neither a tree (no folder data/ inside) nor a folder of trees or archives "
            f"({', '.join(ARCHIVES)})"
        )
    return iter(makers)
