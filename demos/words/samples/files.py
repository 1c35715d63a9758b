"""Load ink of any format: JSON strokes, InkML, and UNIPEN data files, which hold many words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from recognizers.online.ink import Ink, InkError
from recognizers.online.ink_files import INK_SUFFIXES, MAX_BYTES, load_ink
from recognizers.online.unipen import UnipenReader
from recognizers.online.unipen_trees import FolderTree

__all__ = ["NamedInk", "ink_of_file", "inks_of"]

SUFFIXES = INK_SUFFIXES | {".dat"}
_WORD, _CHARACTER = "WORD", "CHARACTER"


class NamedInk(NamedTuple):
    """Ink of a file: its origin, the ink, and its label if the file has one."""

    name: str
    ink: Ink
    label: str | None


def inks_of(paths: Iterable[Path]) -> Iterator[tuple[str, list[NamedInk] | InkError]]:
    """Yield the name of each file, also of those in folders, with its inks or its error.

    A bad file yields an error in the place of its inks.
    """
    for path in paths:
        if not path.is_dir():
            yield str(path), _or_error(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not inside:
            known = ", ".join(sorted(SUFFIXES))
            yield str(path), InkError(f"{path}: no file of ink in this folder ({known})")
        for one in inside:
            yield str(one), _or_error(one)


def _or_error(path: Path) -> list[NamedInk] | InkError:
    try:
        return ink_of_file(path)
    except InkError as error:
        return error


def ink_of_file(path: Path) -> list[NamedInk]:
    """Load the inks of a file: one from JSON or InkML, all words from UNIPEN (begins with a dot).

    A UNIPEN file gives its words; without words, its characters; without either, all its ink as
    one word. Files that it includes are looked for beside it, and in `include/` beside the folder
    `data/` that it is in.

    Raises:
        InkError: the file is missing, too large, breaks its format or has no ink; the message
            begins with its path.
    """
    head = b""
    if path.is_file() and path.stat().st_size <= MAX_BYTES:
        try:
            head = path.read_bytes().lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        except OSError as error:
            raise InkError(f"{path}: cannot be read: {error.strerror}") from error
    if head == b".":
        found = _unipen(path)
    else:
        ink, label = load_ink(path)
        found = [NamedInk(str(path), ink, label)]
    if all(one.ink.is_empty for one in found):
        raise InkError(f"{path}: no stroke has a point, so there is nothing to read")
    return [one for one in found if not one.ink.is_empty]


@dataclass(frozen=True)
class _OneFile(FolderTree):
    """One data file, whatever its suffix, in its tree or beside what it includes."""

    name: str = ""

    @property
    def data_files(self) -> list[str]:  # type: ignore[override]
        """Return the one name."""
        return [self.name]

    def read(self, name: str) -> bytes | None:
        """Read as from a folder; make a data file without segments one word."""
        content = super().read(name)
        if name == self.name and content is not None and b".SEGMENT" not in content:
            content += b"\n.SEGMENT WORD 0-\n"
        return content


def _unipen(path: Path) -> list[NamedInk]:
    parts = path.resolve().parts
    # The root of the tree is the parent of the nearest folder data/.
    above = [i for i, part in enumerate(parts[:-1]) if part == "data"]
    root = Path(*parts[: above[-1]]) if above else path.resolve().parent
    reader = UnipenReader(root)
    segments = list(reader.read_tree(_OneFile(root, path.resolve().relative_to(root).as_posix())))
    if reader.problems:
        problem = reader.problems[0]
        line = f", line {problem.line}" if problem.line else ""
        raise InkError(f"{path}{line}: {problem.message}")
    kinds = {s.kind for s in segments}
    kind = next((k for k in (_WORD, _CHARACTER) if k in kinds), None)
    kept = [s for s in segments if kind is None or s.kind == kind]
    if len(kept) == 1:
        return [NamedInk(str(path), kept[0].ink, kept[0].label or None)]
    return [NamedInk(f"{path}:{s.line}", s.ink, s.label or None) for s in kept]
