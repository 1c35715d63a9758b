"""Segments of UNIPEN data: labelled characters and words with their ink, read lazily.

A data file is read with everything it includes. Components are the strokes between `.PEN_DOWN` and
`.PEN_UP`, and the movements in the air after `.PEN_UP`; those with a point are counted from 0, anew
in each data file and at `.START_SET`. If the resolutions of x and y differ (`.X_POINTS_PER_INCH`
and the like), y is converted to the unit of x. A file that breaks the format anywhere is left out
as a whole, because its count of components cannot be trusted; it is reported with file and line,
and counted with its segments.
"""

from __future__ import annotations

import math
import posixpath
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recognizers.online.ink import Ink, InkError
from recognizers.online.unipen_statements import (
    FormatError,
    Piece,
    SegmentLine,
    Statement,
    delineation,
    segment,
    split,
)
from recognizers.online.unipen_trees import Tree, TreeError, find_trees

__all__ = ["Problem", "Segment", "UnipenReader"]

_FILES_KEPT = 32
_MOST_INCLUDES = 1000
_DEEPEST = 50
_PER_INCH = {"_POINTS_PER_INCH": 1.0, "_POINTS_PER_MM": 25.4}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of ink and what was written.

    `category` is the folder under `data/` ("1a" digits, "1b" upper case, "1c" lower case, "6"
    words), `contributor` the folder under that; `writer` is unique only together with it.
    `quality` is "GOOD", "OK", "BAD" or "?". Pen-up movements are not in the ink.
    """

    label: str
    ink: Ink = field(repr=False)
    kind: str
    category: str
    contributor: str
    writer: str
    quality: str
    file: str
    line: int


class Problem(NamedTuple):
    """Why a file was left out: where (line 0: the whole file), what, and how many segments."""

    file: str
    line: int
    message: str
    segments: int

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{place}: {self.message} ({self.segments} segments left out)"


class UnipenReader:
    """The segments at `path`: a tree (`data/` and `include/` inside), a tar archive of one, or a
    folder of trees or archives. Iterating reads; every iteration begins anew.

    `categories`: only these folders under `data/`; others are not opened. `problems` says what
    was left out by the last iteration, `files` how many data files were read.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> place = Path(folder.name, "data", "1a", "own"); place.mkdir(parents=True)
    >>> _ = (place / "a.dat").write_text(
    ...     '.COORD X Y\\n.PEN_DOWN\\n0 9 0 0\\n.PEN_UP\\n.SEGMENT CHARACTER 0 OK "1"\\n')
    >>> _ = (place / "b.dat").write_text('.COORD X Y\\n.PEN_DOWN\\n0 O\\n.SEGMENT CHARACTER 0\\n')
    >>> reader = UnipenReader(folder.name)
    >>> [(s.label, s.contributor, s.ink) for s in reader]
    [('1', 'own', Ink(1 strokes, 2 points))]
    >>> [(p.line, p.message, p.segments) for p in reader.problems]
    [(3, "'O' is not a coordinate", 1)]
    >>> folder.cleanup()
    """

    def __init__(self, path: str | Path, categories: Collection[str] | None = None) -> None:
        self.path = Path(path)
        self.categories = None if categories is None else frozenset(categories)
        self.problems: list[Problem] = []
        self.files = 0

    def trees(self) -> Iterator[Callable[[], Tree]]:
        """Yield makers of the trees at the path; TreeError if there is none."""
        return find_trees(self.path)

    def __iter__(self) -> Iterator[Segment]:
        self.problems, self.files = [], 0
        for make in self.trees():
            yield from self.read_tree(make())

    def read_tree(self, tree: Tree) -> Iterator[Segment]:
        """Yield the segments of one tree; problems are added to `problems`."""
        try:
            names = tree.data_files
        except (TreeError, OSError) as error:
            message = str(error).removeprefix(f"{tree.path}: ")
            self.problems.append(Problem(str(tree.path), 0, message, 0))
            return
        files = _Files(tree)
        for name in names:
            if self.categories is not None and _place(name)[0] not in self.categories:
                continue
            try:
                segments = _DataFile(files, name).segments()
            except FormatError as error:
                count = files.segments_in(name)
                problem = Problem(f"{tree.path}/{error.file}", error.line, error.message, count)
                self.problems.append(problem)
                continue
            self.files += 1
            yield from segments


def _place(name: str) -> tuple[str, str]:
    """Return category and contributor of a data file by its folders; "" if they are missing."""
    folders = name.split("/")[1:-1]
    return (folders[0] if folders else "", folders[1] if len(folders) > 1 else "")


class _Files:
    """The statements of a tree's files; the latest are kept in memory, because files share ink."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._kept: OrderedDict[str, list[Statement]] = OrderedDict()

    def statements(self, name: str) -> list[Statement] | None:
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        try:
            content = self.tree.read(name)
        except OSError as error:
            raise FormatError(name, 0, f"cannot be read ({error})") from error
        if content is None:
            return None
        statements = split(content, name)
        self._kept[name] = statements
        if len(self._kept) > _FILES_KEPT:
            self._kept.popitem(last=False)
        return statements

    def segments_in(self, name: str) -> int:
        """Return how many `.SEGMENT` a file has, even if it cannot be read otherwise."""
        try:
            content = self.tree.read(name) or b""
        except OSError:
            return 0
        return content.startswith(b".SEGMENT") + content.count(b"\n.SEGMENT")


class _Wanted(NamedTuple):
    """A `.SEGMENT` that waits for the end of its set; `level` is its rank in the hierarchy."""

    line: SegmentLine
    at: int  # number of components before it
    level: int
    file: str
    number: int


class _DataFile:
    """What a data file says, statement by statement, includes in their place."""

    def __init__(self, files: _Files, name: str) -> None:
        self.files, self.name = files, name
        self.category, self.contributor = _place(name)
        self.writer = ""
        self.columns: tuple[int, int, int] | None = None  # x, y, how many
        self.per_inch: dict[str, float] = {}  # points of X and of Y
        self.included = 0
        self.hierarchy: list[str] = []
        self.done: list[Segment] = []
        self._start_set()

    def segments(self) -> list[Segment]:
        self._walk(self.name, ())
        self._end_set()
        return self.done

    def _start_set(self) -> None:
        self.components: list[np.ndarray] = []
        self.is_down: list[bool] = []
        self.writers: list[str] = []
        self.wanted: list[_Wanted] = []

    def _walk(self, name: str, above: tuple[str, ...]) -> None:
        statements = self.files.statements(name)
        if statements is None:
            raise FormatError(name, 0, "there is no such file any more")
        for s in statements:
            if s.keyword in ("PEN_DOWN", "PEN_UP"):
                self._component(s, name)
            elif s.keyword == "SEGMENT":
                try:
                    line = segment(s.argument)
                except ValueError as error:
                    raise FormatError(name, s.line, str(error)) from error
                kinds = self.hierarchy
                level = kinds.index(line.kind) if line.kind in kinds else len(kinds)
                self.wanted.append(_Wanted(line, len(self.components), level, name, s.line))
            elif s.keyword == "INCLUDE":
                self._include(s, name, above)
            elif s.keyword == "COORD":
                self._coordinates(s, name)
            elif s.keyword[1:] in _PER_INCH:
                self._resolution(s, name)
            elif s.keyword == "WRITER_ID":
                self.writer = " ".join(s.argument.split())
            elif s.keyword == "HIERARCHY":
                self.hierarchy = s.argument.split()
            else:  # START_SET
                self._end_set()

    def _include(self, s: Statement, name: str, above: tuple[str, ...]) -> None:
        words = s.argument.split()
        if not words:
            raise FormatError(name, s.line, ".INCLUDE without the name of a file")
        self.included += 1
        # A file may include another twice, which includes a third twice, and so on.
        if self.included > _MOST_INCLUDES or len(above) >= _DEEPEST:
            message = f"more than {_MOST_INCLUDES:,} includes, or {_DEEPEST} in each other"
            raise FormatError(name, s.line, message)
        for folder in ("include", posixpath.dirname(name), ""):
            candidate = posixpath.normpath(posixpath.join(folder, words[0]))
            if candidate.startswith(("/", "../")) or self.files.statements(candidate) is None:
                continue  # outside the tree, or not there
            if candidate in (*above, name):
                raise FormatError(name, s.line, f"{words[0]} is included by itself")
            self._walk(candidate, (*above, name))
            return
        raise FormatError(name, s.line, f"there is no include/{words[0]}")

    def _coordinates(self, s: Statement, name: str) -> None:
        names = s.argument.upper().split()
        if names.count("X") != 1 or names.count("Y") != 1:
            raise FormatError(name, s.line, f".COORD {' '.join(names)} needs one X and one Y")
        self.columns = (names.index("X"), names.index("Y"), len(names))

    def _resolution(self, s: Statement, name: str) -> None:
        try:
            points = float(s.argument)
        except ValueError:
            points = 0.0
        if not 0.0 < points < math.inf:
            message = f".{s.keyword} {s.argument.strip()[:40]!r} is not a number above zero"
            raise FormatError(name, s.line, message)
        self.per_inch[s.keyword[0]] = points * _PER_INCH[s.keyword[1:]]

    def _component(self, s: Statement, name: str) -> None:
        if not len(s.numbers):
            return
        if self.columns is None:
            raise FormatError(name, s.line, f".{s.keyword} before any .COORD")
        x, y, width = self.columns
        if len(s.numbers) % width:
            raise FormatError(
                name,
                s.line,
                f".{s.keyword} has {len(s.numbers)} numbers, which is not a multiple of the "
                f"{width} of .COORD",
            )
        points = s.numbers.reshape(-1, width)[:, [x, y]]
        if len(set(self.per_inch.values())) == 2:
            points[:, 1] *= self.per_inch["X"] / self.per_inch["Y"]
        self.components.append(points)
        self.is_down.append(s.keyword == "PEN_DOWN")
        self.writers.append(self.writer)

    def _end_set(self) -> None:
        for i, wanted in enumerate(self.wanted):
            try:
                if wanted.line.delineation == "?":
                    pieces = self._implied(i)
                else:
                    pieces = delineation(wanted.line.delineation)
                ink = self._ink(pieces)
            except (InkError, ValueError) as error:
                raise FormatError(wanted.file, wanted.number, str(error)) from error
            first = pieces[0].first if pieces else None
            self.done.append(
                Segment(
                    wanted.line.label,
                    ink,
                    wanted.line.kind,
                    self.category,
                    self.contributor,
                    self.writer if first is None else self.writers[first],
                    wanted.line.quality or "?",
                    self.name,
                    wanted.number,
                )
            )
        self._start_set()

    def _implied(self, i: int) -> list[Piece]:
        """Return the piece without delineation: up to the next segment of this rank or higher."""
        wanted = self.wanted[i]
        later = (w.at for w in self.wanted[i + 1 :] if w.level <= wanted.level)
        end = next(later, len(self.components))
        return [Piece(wanted.at, 0, end - 1, None)] if end > wanted.at else []

    def _ink(self, pieces: list[Piece]) -> Ink:
        strokes = []
        count = len(self.components)
        for piece in pieces:
            last = count - 1 if piece.last is None else piece.last
            if max(piece.first, last) >= count:
                raise ValueError(
                    f"the segment names component {max(piece.first, last)}, but there are {count}, "
                    "counted from 0"
                )
            for component in range(piece.first, last + 1):
                points = self.components[component]
                start = piece.start if component == piece.first else 0
                end = len(points) - 1
                if component == last and piece.end is not None:
                    end = piece.end
                if start >= len(points) or end >= len(points):
                    raise ValueError(
                        f"the segment names point {max(start, end)} of component {component}, "
                        f"which has {len(points)}, counted from 0"
                    )
                if self.is_down[component]:
                    strokes.append(points[start : end + 1])
        return Ink(strokes)
