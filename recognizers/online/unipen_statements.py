r"""The UNIPEN 1.0 format, one file at a time: statements, pen components, delineations, labels.

A keyword counts only in column one; everything up to the next keyword is its argument. Only the
statements that say something about ink are kept.
"""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

import numpy as np

__all__ = ["FormatError", "Piece", "SegmentLine", "Statement", "delineation", "segment", "split"]

KEPT = frozenset(
    b"COORD HIERARCHY INCLUDE PEN_DOWN PEN_UP SEGMENT START_SET WRITER_ID "
    b"X_POINTS_PER_INCH X_POINTS_PER_MM Y_POINTS_PER_INCH Y_POINTS_PER_MM".split()
)
_KEYWORD = re.compile(rb"^\.([A-Za-z][A-Za-z0-9_]*)", re.MULTILINE)
_SEGMENT = re.compile(
    r"""\s*(?P<kind>[^\s"]+)
        (?:\s+(?P<delineation>[^\s"]+))?
        (?:\s+(?P<quality>[^\s"]+))?
        (?:\s*"(?P<label>(?:[^"\\]|\\.)*)")?\s*\Z""",
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(r"(?:(\d+)(?::(\d+))?)?(-)?(?:(\d+)(?::(\d+))?)?\Z", re.ASCII)
_ESCAPES = {"n": " ", "t": " "}


class FormatError(ValueError):
    """A file breaks the format; `file` and `line` (from 1) say where, the message what."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}, line {line}: {message}")
        self.file, self.line, self.message = file, line, message


class Statement(NamedTuple):
    """One statement: its keyword, its argument as text, its numbers (of pen components), its line.

    `numbers` is float64 [values] for `PEN_DOWN` and `PEN_UP`, empty for all others.
    """

    keyword: str
    argument: str
    numbers: np.ndarray
    line: int


class SegmentLine(NamedTuple):
    """The arguments of `.SEGMENT`; `delineation` is "?" and the rest "" if left out."""

    kind: str
    delineation: str
    quality: str
    label: str


class Piece(NamedTuple):
    """Components `first` to `last`, both included, from `start` in the first to `end` in the last.

    Components and points count from 0. None stands for an open end: the last component of all, the
    last point of the last component.
    """

    first: int
    start: int
    last: int | None
    end: int | None


_NO_NUMBERS = np.empty(0)


def split(content: bytes, file: str) -> list[Statement]:
    r"""Return the statements of a file that say something about ink (`KEPT`), in order.

    `file` is the name that errors carry. Time is proportional to the length; numbers are read by
    NumPy, one call per component.

    Raises:
        FormatError: a coordinate that is not a finite number, or a file without any keyword.

    Example:
        >>> text = b".COORD X Y\n.COMMENT of .PEN_UP\n.PEN_DOWN\n1 2\n3 4\n.PEN_UP\n"
        >>> [(s.keyword, s.numbers.tolist(), s.line) for s in split(text, "a.dat")]
        [('COORD', [], 1), ('PEN_DOWN', [1.0, 2.0, 3.0, 4.0], 3), ('PEN_UP', [], 6)]
    """
    content = content.removeprefix(b"\xef\xbb\xbf")  # a mark of UTF-8 is before column one
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found = list(_KEYWORD.finditer(content))
    if not found and content.strip():
        raise FormatError(file, 1, "no keyword (a word that begins with a dot in column one)")
    statements = []
    ends = [m.start() for m in found[1:]] + [len(content)] * bool(found)
    line = 1
    counted_to = 0
    with warnings.catch_warnings():
        # This is how most versions of NumPy report something other than a number.
        warnings.simplefilter("error", DeprecationWarning)
        for match, end in zip(found, ends, strict=True):
            keyword = match.group(1)
            if keyword not in KEPT:
                continue
            start = match.start()
            line += content.count(b"\n", counted_to, start)
            counted_to = start
            argument = content[match.end() : end]
            if keyword in (b"PEN_DOWN", b"PEN_UP"):
                numbers = _numbers(argument, file, line)
                statements.append(Statement(keyword.decode(), "", numbers, line))
            else:
                text = argument.decode("latin-1")
                statements.append(Statement(keyword.decode(), text, _NO_NUMBERS, line))
    return statements


def _numbers(text: bytes, file: str, line: int) -> np.ndarray:
    if not text.strip():
        return _NO_NUMBERS
    try:
        numbers = np.fromstring(text.decode("latin-1"), dtype=np.float64, sep=" ")
    except (DeprecationWarning, ValueError):
        raise _wrong_number(text, file, line) from None
    # Also catches numbers that overflow, and nan and inf, which NumPy takes for numbers.
    if not np.isfinite(numbers.sum()) or np.abs(numbers).max() > 1e15:
        raise _wrong_number(text, file, line)
    return numbers


def _wrong_number(text: bytes, file: str, line: int) -> FormatError:
    for number, row in enumerate(text.decode("latin-1").split("\n")):
        for token in row.split():
            try:
                good = abs(float(token)) <= 1e15 and "_" not in token
            except ValueError:
                good = False
            if not good:
                shown = token if len(token) <= 40 else token[:40] + "…"
                return FormatError(file, line + number, f"{shown!r} is not a coordinate")
    return FormatError(file, line, "coordinates that cannot be read")


def segment(argument: str) -> SegmentLine:
    r"""Return the arguments of a `.SEGMENT` statement: kind, delineation, quality, label.

    Inside a label \" is a quote and \\ a backslash; tabs and new lines, written \t and \n or as
    they are, count as spaces.

    Raises:
        ValueError: the arguments are not of this form.

    Example:
        >>> segment(r' WORD 12-13 OK "\"If" ')
        SegmentLine(kind='WORD', delineation='12-13', quality='OK', label='"If')
        >>> segment(" TEXT")
        SegmentLine(kind='TEXT', delineation='?', quality='', label='')
    """
    match = _SEGMENT.match(argument)
    if match is None:
        shown = argument.strip()[:80]
        raise ValueError(f'.SEGMENT {shown!r} is not of the form KIND DELINEATION QUALITY "LABEL"')
    label = re.sub(
        r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), match["label"] or "", flags=re.DOTALL
    )
    return SegmentLine(
        match["kind"],
        match["delineation"] or "?",
        match["quality"] or "",
        re.sub(r"[\t\n]", " ", label),
    )


def delineation(text: str) -> list[Piece]:
    """Return the pieces of a delineation such as `12`, `12-13`, `3:12-5:4` or `1:40-3:9,6`.

    A lone `A:M` is that one point; an end left open (`-5`, `3-`) is the first or the last
    component.

    Raises:
        ValueError: the text is not of this form, or a piece ends before it begins.

    Example:
        >>> delineation("1:40-3:9,6")
        [Piece(first=1, start=40, last=3, end=9), Piece(first=6, start=0, last=6, end=None)]
    """
    pieces = []
    for part in text.split(","):
        match = _PART.match(part)
        first, start, dash, last, end = match.groups() if match else (None,) * 5
        # Without a dash there is one end, and it comes first; with one, at least one of the two.
        if not (first or (dash and last)) or (last and not dash):
            raise ValueError(f"delineation {text!r}: {part!r} is not of the form A, A-B or A:M-B:N")
        if not dash:
            point = None if start is None else int(start)
            whole = int(first or 0)
            pieces.append(Piece(whole, int(start or 0), whole, point))
            continue
        piece = Piece(
            int(first or 0),
            int(start or 0),
            None if last is None else int(last),
            None if end is None else int(end),
        )
        if piece.last is not None and (
            piece.last < piece.first
            or (piece.last == piece.first and piece.end is not None and piece.end < piece.start)
        ):
            raise ValueError(f"delineation {text!r}: {part!r} ends before it begins")
        pieces.append(piece)
    return pieces
