"""Folders of field images with their texts: ``labels.csv`` (``file,text[,split]``) and images.

The images are in ``images/`` or beside ``labels.csv``. A bad row is reported with its line; the
other rows are kept. The files of the rows are not opened, so they may hold something else than
images, such as ink.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

__all__ = [
    "Field",
    "FieldSet",
    "FieldSetError",
    "file_hash",
    "find_data",
    "fingerprints",
    "load_fields",
    "nothing_read",
    "split_in_blocks",
]


SPLITS = ("", "train", "validation", "test")
"""Values of a column ``split``; an empty one leaves the choice to the program."""


_UNCLOSED = (
    "a quote that opens here is not closed in this line; a text that has quotes itself stands in "
    "quotes, with each of its own twice"
)


class FieldSetError(ValueError):
    """A folder without a usable ``labels.csv``; the message names the file and line."""


@dataclass(frozen=True)
class Field:
    """One field image: its file, its text, and its split in ``labels.csv``.

    ``called`` is its name if the file's own is not enough, since it is in a subfolder.
    """

    path: Path
    text: str
    split: str = ""
    called: str = ""

    @property
    def name(self) -> str:
        """The file's name, with its folders below that of the set and its ``images``."""
        return self.called or self.path.name


@dataclass(frozen=True)
class FieldSet:
    """The fields of a folder, ordered by name, and the problems of other rows."""

    directory: Path
    fields: tuple[Field, ...]
    problems: tuple[str, ...] = field(default=())

    def held_out(self, count: int) -> tuple[list[Field], list[Field]]:
        """Return (other fields, those held out: split ``test`` or the last ``count`` by name).

        Raises:
            FieldSetError: a negative count, or one that leaves nothing.
        """
        if not 0 <= count < max(len(self.fields), 1):
            raise FieldSetError(
                f"{self.directory}: cannot hold out {count} of {len(self.fields)} fields"
            )
        cut = len(self.fields) - count
        parts: tuple[list[Field], list[Field]] = ([], [])
        for place, one in enumerate(self.fields):
            parts[place >= cut or one.split == "test"].append(one)
        return parts

    def to_learn(self, count: int) -> list[Field]:
        """Return the fields that training may see: all but those held out.

        Raises:
            FieldSetError: as :meth:`held_out`; all fields are held out.
        """
        rest = self.held_out(count)[0]
        if not rest:
            raise FieldSetError(f"{self.directory}: all {len(self.fields)} fields are held out")
        return rest

    def measured(self, count: int) -> list[Field]:
        """Return the fields to measure on: those held out, or all if there are none.

        Raises:
            FieldSetError: as :meth:`held_out`.
        """
        return self.held_out(count)[1] or list(self.fields)


def load_fields(directory: str | Path) -> FieldSet:
    """Read ``labels.csv`` of a folder.

    Some rows become a problem ``file:line: …`` in the result instead of an error: those whose file
    is missing or already named, that have no file name or end before the text, a split that is not
    one of ``SPLITS``, or an unclosed quote. An empty text is kept: for readers that can write it,
    nothing is written there; others name it as an error. Files are found in ``images/`` or beside
    ``labels.csv``, and nowhere else.

    Raises:
        FieldSetError: no folder, no ``labels.csv``, no column ``file`` or ``text``, or several of
            one of them, not UTF-8, or no usable row.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "labels.csv").write_text("file,text\\na.png,12\\nb.png,7\\n")
    ...     _ = (Path(folder) / "a.png").write_bytes(b"")
    ...     found = load_fields(folder)
    >>> [f.text for f in found.fields], [p.split(": ", 1)[1] for p in found.problems]
    (['12'], ['b.png does not exist in this folder'])
    """
    directory = Path(directory)
    labels = directory / "labels.csv"
    if not directory.is_dir():
        raise FieldSetError(f"{directory}: no such folder")
    if not labels.is_file():
        raise FieldSetError(f"{labels}: no such file; it holds the columns file,text")
    fields: dict[Path, Field] = {}
    problems: list[str] = []
    try:
        with labels.open(newline="", encoding="utf-8-sig") as file:
            rows = _rows(file.readlines())
    except UnicodeDecodeError as error:
        raise FieldSetError(f"{labels}: not UTF-8 text ({error.reason})") from error
    line, names = next(rows, (1, []))
    if isinstance(names, str):
        raise FieldSetError(f"{labels}:{line}: {names}")
    missing = {"file", "text"} - set(names)
    if missing:
        raise FieldSetError(
            f"{labels}:{line}: no column {' and '.join(sorted(missing))}; "
            f"the first line is file,text or file,text,split"
        )
    twice = [name for name in ("file", "text", "split") if names.count(name) > 1]
    if twice:
        raise FieldSetError(f"{labels}:{line}: the column {twice[0]} stands here more than once")
    for line, cells in rows:
        where = f"{labels}:{line}"
        if isinstance(cells, str):
            problems.append(f"{where}: {cells}")
            continue
        row = dict(zip(names, cells))
        name, text = row.get("file", "").strip(), row.get("text", "").strip()
        if not name:
            problems.append(f"{where}: no file is named")
            continue
        path, split = _find(directory, name), row.get("split", "").strip()
        if path is None:
            problems.append(f"{where}: {name} does not exist in this folder")
        elif path.resolve() in fields:
            problems.append(f"{where}: {name} stands here for the second time")
        elif "text" not in row:
            problems.append(f"{where}: {name} has no text")
        elif any(cells[len(names) :]):  # an extra comma at the end of a line does no harm
            problems.append(
                f"{where}: {name} has more cells than there are columns; a text with a comma "
                "stands in quotes"
            )
        elif split not in SPLITS:
            splits = ", ".join(filter(None, SPLITS))
            problems.append(f"{where}: split {split!r} of {name} is not one of {splits}")
        else:
            fields[path.resolve()] = Field(path, text, split, _called(directory, path))
    if not fields:
        named = f": {problems[0]}" if problems else ""
        raise FieldSetError(f"{labels}: no field to read{named}")
    ordered = sorted(fields.values(), key=lambda f: f.name)
    return FieldSet(directory, tuple(ordered), tuple(problems))


def _rows(lines: Sequence[str]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the rows of a table, each with the line it begins in, or what is wrong there.

    A quoted cell, such as a note, may span several lines; file and text may not. After a line with
    a bad quote, the next line begins a new row, so that rows inside that quote are still read.
    """
    begin, names = 0, list[str]()
    while begin < len(lines):
        # By index: islice goes over all lines before, which adds up where many quotes are wrong.
        rest = map(lines.__getitem__, range(begin, len(lines)))
        reader, first, wrong = csv.reader(rest), begin, ""
        while not wrong:
            first = begin + reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:  # a cell is too long, as with an unclosed quote
                wrong = str(error) if begin + reader.line_num == first + 1 else _UNCLOSED
                continue
            end = begin + reader.line_num
            if end > first + 1 or end == len(lines):
                wrong = _wrong_quote(lines[first:end], dict(zip(names, cells)))
            if cells and not wrong:
                if not names:
                    names = cells = [name.strip() for name in cells]
                yield first + 1, cells
        yield first + 1, wrong
        begin = first + 1


def _wrong_quote(lines: Sequence[str], row: Mapping[str, str]) -> str:
    """Return what is wrong with a quote in a row that spans these lines, or an empty text."""
    try:
        for _ in csv.reader(lines, strict=True):
            pass
    except csv.Error as error:
        if len(lines) > 1 or "end of data" in str(error):
            return _UNCLOSED
    torn = [name for name in ("file", "text") if set("\r\n") & set(row.get(name, "").strip())]
    return _UNCLOSED if torn else ""


def find_data(given: Path | None, *names: str, option: str = "--data") -> Path:
    """Return the folder of a data set: the one given, or a subfolder of ``$GTN_DATA``.

    ``option`` is the command-line option for the message.

    Raises:
        FieldSetError: nothing is given, and ``GTN_DATA`` is not set or has no such subfolder.
    """
    if given is not None:
        return given
    root = os.environ.get("GTN_DATA")
    if not root:
        raise FieldSetError(
            f"no data: give {option} DIR, or set GTN_DATA to the folder that holds {names[0]}/"
        )
    for name in names:
        if (Path(root) / name).is_dir():
            return Path(root) / name
    raise FieldSetError(f"{root}: no folder {' or '.join(names)} in it (GTN_DATA)")


def file_hash(path: str | Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file's content."""
    with Path(path).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def nothing_read(problems: Sequence[str]) -> FieldSetError:
    """Return the error for a set none of whose files can be read, with the reasons."""
    first = f"; the first of {len(problems)} that cannot: {problems[0]}" if problems else ""
    return FieldSetError(f"no file is read{first}")


def fingerprints(fields: Sequence[Field]) -> list[list[str]]:
    """Return what training depends on: for each field, the hash of its file, its text and split.

    The list is sorted, so the order of the fields does not matter.
    """
    return sorted([file_hash(one.path), one.text, one.split] for one in fields)


def _find(directory: Path, name: str) -> Path | None:
    """Return the file of a name inside the folder; a name that leads out of it is not found."""
    root = directory.resolve()
    for folder in (directory / "images", directory):
        path = folder / name
        try:
            found = path.is_file()
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return None
        if found and path.resolve().is_relative_to(root):
            return path
    return None


def _called(directory: Path, path: Path) -> str:
    """Return the name of a file in the folder, or in the folder of its images."""
    images, place = directory / "images", Path(os.path.normpath(path))
    inside = images if place.is_relative_to(os.path.normpath(images)) else directory
    return place.relative_to(os.path.normpath(inside)).as_posix()


def split_in_blocks(
    fields: Sequence[Field], share: float, seed: int, block: int = 24
) -> tuple[list[int], list[int]]:
    """Return indexes of (training, validation) fields; about ``share`` of them for validation.

    Successive names are often from one hand, or one bank, so blocks of ``block`` successive names
    stay together: validation then measures other hands. A column ``split`` with the values
    ``train`` and ``validation`` is obeyed; fields of the split ``test`` are in neither.
    """
    kept: tuple[list[int], list[int]] = ([], [])
    by_name = sorted(range(len(fields)), key=lambda i: fields[i].name)
    block = max(1, min(block, round(share * len(fields))))  # smaller blocks of few fields
    blocks = np.random.default_rng(seed).permutation(math.ceil(len(fields) / block))
    chosen = set(blocks[: round(share * len(blocks))].tolist())
    for place, i in enumerate(by_name):
        drawn = int(place // block in chosen)
        if fields[i].split != "test":
            kept[{"train": 0, "validation": 1}.get(fields[i].split, drawn)].append(i)
    return sorted(kept[0]), sorted(kept[1])
