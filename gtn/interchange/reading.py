"""Reading OpenFst's text format, as written by ``fstprint`` or by hand."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.construction import from_arrays
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.indexes import LARGEST
from gtn.interchange.binary import is_binary, symbols_of_binary
from gtn.interchange.writing import EPSILON_NAMES, INFINITE
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable

__all__ = [
    "Symbols",
    "fields_of",
    "from_openfst_symbols",
    "from_openfst_text",
    "quoted",
    "table_of",
    "whole_number",
]

Symbols = SymbolTable | str | os.PathLike[str]
Int64s = NDArray[np.int64]

_BETWEEN = re.compile("[ \t]+")
_AT_ONCE = 1 << 22  # bytes read at once; more take more memory and are no faster
_MOST_DIGITS = 18  # every number of so many digits fits 64 bits
_MOST_SHOWN = 80  # characters of a text in a message


def from_openfst_text(
    text: str | os.PathLike[str],
    *,
    acceptor: bool = False,
    symbols: Symbols | None = None,
    isymbols: Symbols | None = None,
    osymbols: Symbols | None = None,
    dtype: torch.dtype | None = None,
) -> Graph:
    """Return the graph of a text in OpenFst's format, or of a file with such a text (a ``Path``).

    Nodes are numbered in the order of the states' numbers, so node n is state n if no number is
    missing. Arcs keep their order. Labels are one lower than in the text; epsilon is ``EPSILON``.

    Args:
        text: the text itself (``str``), or the path of a file (``pathlib.Path``), in UTF-8.
        acceptor: arcs have one label, as for ``fstcompile --acceptor``.
        symbols, isymbols, osymbols: if the text has symbols, the table of both sides or one each:
            a ``SymbolTable``, or the text or path of a table in OpenFst's format. Epsilon is the
            symbol of label 0 in such a text; otherwise ``<eps>``, ``<epsilon>`` or ``ε``.
        dtype: of the penalties; unless given, torch's default dtype.

    Raises:
        GraphError, SymbolError: naming the file and the line.

    O(text length).

    >>> import gtn
    >>> gtn.from_openfst_text("0 1 a b 0.5\\n1", symbols="<eps> 0\\na 1\\nb 2")
    Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  a:b  0.5
    """
    content, file = _content(text, "text")
    given = [symbols if isymbols is None else isymbols, symbols if osymbols is None else osymbols]
    tables = [table_of(one) for one in given]
    if given[0] is given[1]:
        tables[1] = tables[0]
    if acceptor:
        tables[1] = tables[0]
    reader = _Reader(file, acceptor, tables, dtype or torch.get_default_dtype())
    for lines in _some_lines(content.encode()):
        reader.read(lines)
    return reader.graph()


def from_openfst_symbols(text: str | os.PathLike[str]) -> SymbolTable:
    """Return the table of a text in OpenFst's format, or of a file with such a text (a ``Path``).

    Labels are one lower than in the text; the symbol of label 0 is epsilon, which is not in the
    table. A file may also be in OpenFst's binary format.

    Raises:
        SymbolError: naming the file and the line.
        GraphError: a file that is not a text in UTF-8, or a damaged binary file.

    >>> import gtn
    >>> gtn.from_openfst_symbols("<eps> 0\\na 1\\nb 2").label("b")
    1
    """
    return _read_symbols(text)[0]


def _content(text: str | os.PathLike[str], kind: str) -> tuple[str, str]:
    """Return a text, and the name that messages give it."""
    if isinstance(text, str):
        if re.fullmatch(r"\S+", text) and not text.isdigit():
            raise GraphError(
                f"{text!r} is not {kind} in OpenFst's format; a file is a Path({text!r})"
            )
        return text, kind
    content = Path(text).read_bytes()
    if is_binary(content):
        raise GraphError(
            f"{os.fspath(text)} is in OpenFst's binary format, which gtn.from_openfst_binary reads"
        )
    try:
        return content.decode("utf-8-sig"), os.fspath(text)
    except UnicodeDecodeError as error:
        raise GraphError(f"{os.fspath(text)}: not a text in UTF-8 ({error})") from error


def table_of(symbols: Symbols | None) -> tuple[SymbolTable, set[str]] | None:
    """Return a table, and the names that stand for epsilon."""
    if symbols is None:
        return None
    if isinstance(symbols, SymbolTable):
        return symbols, {name for name in EPSILON_NAMES if name not in symbols}
    return _read_symbols(symbols)


def _read_symbols(text: str | os.PathLike[str]) -> tuple[SymbolTable, set[str]]:
    if not isinstance(text, str):
        binary = symbols_of_binary(Path(text).read_bytes(), os.fspath(text))
        if binary is not None:
            return binary
    content, file = _content(text, "symbols")
    found: dict[int, str] = {}
    epsilons = set()
    seen: dict[str, int] = {}
    for number, line in enumerate(content.split("\n"), 1):
        fields = fields_of(line)
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].isascii() or not fields[1].isdigit():
            raise SymbolError(
                f"{file}:{number}: {quoted(line)} is not a symbol and its label, an integer >= 0"
            )
        symbol, label = fields[0], whole_number(fields[1])
        if not 0 <= label <= LARGEST or symbol in seen or label - 1 in found:
            why = "is there twice" if 0 <= label <= LARGEST else "does not fit 32 bits"
            raise SymbolError(f"{file}:{number}: {quoted(line)}: a symbol or label {why}")
        seen[symbol] = label
        if label == 0:
            epsilons.add(symbol)
        elif symbol == EPSILON_TEXT:
            raise SymbolError(
                f"{file}:{number}: {EPSILON_TEXT!r} has label {label}; it is kept for epsilon, 0"
            )
        else:
            found[label - 1] = symbol
    table = SymbolTable(found)
    return table, epsilons or {name for name in EPSILON_NAMES if name not in table}


def fields_of(line: str) -> list[str]:
    """Return the fields of a line, between spaces and tabs."""
    return [field for field in _BETWEEN.split(line.rstrip("\r")) if field]


def quoted(text: str) -> str:
    """Return a text of a file for a message, a long one cut."""
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…")


def whole_number(field: str) -> int:
    """Return a field as an integer; -1 if it is not one, or exceeds 64 bits."""
    digits = field.lstrip("0") or "0"  # Python reads no more than a few thousand
    if len(digits) > _MOST_DIGITS + 1 or not (digits.isascii() and digits.isdigit()):
        return -1
    value = int(digits)
    return value if value < 1 << 63 else -1


def _penalty(field: bytes) -> float:
    try:
        # Python reads 1_000 as a number, OpenFst does not.
        return float(field) if b"_" not in field else math.nan
    except ValueError:
        return math.nan


def _some_lines(content: bytes) -> Iterator[bytes]:
    """Return a text in pieces of whole lines, each line ending in a line feed."""
    if b"\r" in content:
        content = re.sub(rb"(?<!\r)\r++(?=\n|\Z)", b"", content)
    at = 0
    while at < len(content):
        end = content.find(b"\n", min(at + _AT_ONCE, len(content) - 1)) + 1
        yield content[at:end] if end else content[at:] + b"\n"
        at = end or len(content)


class _Fields:
    """The places of fields in a text: of all fields, or of one column of lines of one kind."""

    def __init__(self, text: bytes, begins: Int64s, ends: Int64s, lines: Int64s) -> None:
        self.text, self.begins, self.ends, self.lines = text, begins, ends, lines

    @classmethod
    def of(cls, text: bytes) -> _Fields:
        """Return all fields of a text of lines, with the numbers of their lines, from 0."""
        characters = np.frombuffer(text, dtype=np.uint8)
        is_end = characters == ord("\n")
        is_between = is_end | (characters == ord(" ")) | (characters == ord("\t"))
        # Each field ends before a separator, since the last character ends a line.
        changes = np.flatnonzero(is_between[1:] != is_between[:-1]) + 1
        changes = changes if is_between[0] else np.concatenate([[0], changes])
        begins, ends = changes[::2], changes[1::2]
        return cls(text, begins, ends, np.cumsum(is_end)[begins])

    def __len__(self) -> int:
        return len(self.begins)

    def __getitem__(self, chosen: Any) -> _Fields:
        return _Fields(self.text, self.begins[chosen], self.ends[chosen], self.lines[chosen])

    def __iter__(self) -> Iterator[bytes]:
        text = self.text
        return (text[a:b] for a, b in zip(self.begins.tolist(), self.ends.tolist(), strict=True))

    def whole_numbers(self) -> Int64s:
        """Return the fields as integers; -1 for a field that is not one, or exceeds 64 bits."""
        values = np.zeros(len(self), dtype=np.int64)
        lengths = self.ends - self.begins
        characters = np.frombuffer(self.text, dtype=np.uint8)
        is_number = np.ones(len(self), dtype=np.bool_)
        for i in range(min(lengths.max(initial=0), _MOST_DIGITS)):
            within = i < lengths
            digits = characters[np.where(within, self.begins + i, 0)].astype(np.int64) - ord("0")
            is_number &= ~within | ((digits >= 0) & (digits <= 9))
            values = np.where(within, 10 * values + digits, values)
        values[~is_number] = -1
        for i in np.flatnonzero(lengths > _MOST_DIGITS).tolist():
            values[i] = whole_number(self.text_of(i))
        return values

    def text_of(self, i: int) -> str:
        return self.text[self.begins[i] : self.ends[i]].decode()


class _Reader:
    """The part of a graph read so far, some lines at a time; columns are checked as a whole."""

    def __init__(
        self,
        file: str,
        acceptor: bool,
        tables: list[tuple[SymbolTable, set[str]] | None],
        dtype: torch.dtype,
    ) -> None:
        self.file, self.acceptor, self.tables, self.dtype = file, acceptor, tables, dtype
        self.label_of = [
            None
            if table is None
            else {symbol.encode(): table[0].label(symbol) for symbol in table[0]}
            | {name.encode(): EPSILON for name in table[1]}
            for table in tables
        ]
        self.lines = 0
        self.start: int | None = None
        self.arcs: list[tuple[NDArray[Any], ...]] = []
        self.ends: list[tuple[NDArray[Any], ...]] = []
        self.problems: list[tuple[int, type[GraphError], str]] = []

    def read(self, text: bytes) -> None:
        """Read some lines."""
        fields = _Fields.of(text)
        fields.lines += self.lines + 1
        self.lines += text.count(b"\n")
        if not len(fields):
            return
        first = np.flatnonzero(np.diff(fields.lines, prepend=0))  # of each line
        counts = np.diff(first, append=len(fields))
        labels = 1 if self.acceptor else 2
        is_end = counts <= 2
        is_arc = (counts == 2 + labels) | (counts == 3 + labels)
        for i in np.flatnonzero(~is_end & ~is_arc)[:1]:
            self._not_an_arc(fields[first[i] : first[i] + counts[i]])
        arcs, ends = first[is_arc], first[is_end]
        read = (
            self._states(fields[arcs]),
            self._states(fields[arcs + 1]),
            self._labels(fields[arcs + 2], 0),
            self._labels(fields[arcs + 1 + labels], labels - 1),
            self._penalties(fields, arcs + 2 + labels, counts[is_arc] == 3 + labels),
        )
        states = self._states(fields[ends])
        penalties = self._penalties(fields, ends + 1, counts[is_end] == 2)
        if self.problems:
            line, kind, message = min(self.problems, key=lambda problem: problem[0])
            raise kind(f"{self.file}:{line}: {message}")
        self.arcs.append(read)
        self.ends.append((states, penalties, fields.lines[ends]))
        if self.start is None:
            self.start = int(self._states(fields[:1])[0])

    def graph(self) -> Graph:
        """Return the graph of all lines."""
        src, dst, ilabels, olabels, penalties = (
            np.concatenate([np.empty(0, dtype=kind), *parts])
            for kind, parts in zip(
                ["i8"] * 4 + ["f8"], zip(*self.arcs) if self.arcs else [()] * 5, strict=True
            )
        )
        final, final_penalties = self._finals()
        states = np.unique(np.concatenate([src, dst, final]))
        is_final = final_penalties < math.inf  # the others are said not to be final
        start = [] if self.start is None else [int(np.searchsorted(states, self.start))]
        order = np.argsort(final[is_final])
        tables = [None if table is None else table[0] for table in self.tables]
        same = np.array_equal(ilabels, olabels) and tables[0] == tables[1]
        return from_arrays(
            np.searchsorted(states, src),
            np.searchsorted(states, dst),
            ilabels,
            None if same else olabels,
            penalties=torch.from_numpy(penalties).to(self.dtype),
            start=start,
            final=np.searchsorted(states, final[is_final][order]),
            final_penalties=torch.from_numpy(final_penalties[is_final][order]).to(self.dtype),
            num_nodes=len(states),
            isymbols=tables[0],
            osymbols=tables[1],
        )

    def _finals(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the states that have lines of their own, and their final penalties."""
        states, penalties, numbers = (
            np.concatenate([np.empty(0, dtype=kind), *parts])
            for kind, parts in zip(
                ["i8", "f8", "i8"], zip(*self.ends) if self.ends else [()] * 3, strict=True
            )
        )
        kept = np.ones(len(states), dtype=np.bool_)
        if len(np.unique(states)) < len(states):
            last: dict[int, int] = {}
            for i, state in enumerate(states.tolist()):
                before = last.get(state)
                if before is not None and penalties[before] < math.inf:
                    raise GraphError(f"{self.file}:{numbers[i]}: state {state} is made final twice")
                if before is not None:
                    kept[before] = False
                last[state] = i
        return states[kept], penalties[kept]

    def _not_an_arc(self, fields: _Fields) -> None:
        form = "state nextstate label" if self.acceptor else "state nextstate ilabel olabel"
        other = "acceptor=True" if len(fields) == 3 else "acceptor=False"
        hint = f" (one line of the other kind of machine? {other})" if len(fields) < 6 else ""
        line = b" ".join(fields).decode()
        message = f"{quoted(line)} has {len(fields)} fields; an arc is '{form} [penalty]'{hint}"
        self.problems.append((int(fields.lines[0]), GraphError, message))

    def _check(
        self,
        fields: _Fields,
        is_right: NDArray[np.bool_],
        message: str,
        kind: type[GraphError] = GraphError,
    ) -> None:
        """Note the first wrong field; the message has a placeholder for its text."""
        if not is_right.all():
            wrong = int(np.argmin(is_right))
            text = message.format(quoted(fields.text_of(wrong)))
            self.problems.append((int(fields.lines[wrong]), kind, text))

    def _states(self, fields: _Fields) -> Int64s:
        states = fields.whole_numbers()
        self._check(fields, states >= 0, "{} is not a state; states are 0, 1, 2 …")
        return states

    def _labels(self, fields: _Fields, side: int) -> Int64s:
        label_of, table = self.label_of[side], self.tables[side]
        if label_of is None or table is None:
            numbers = fields.whole_numbers()
            is_label = (numbers >= 0) & (numbers <= LARGEST)
            named = ("isymbols=", "osymbols=")[side]
            what = f"{{}} is not a label, an integer >= 0; symbols need their table, {named}"
            if side and not self.acceptor:
                what += ", and lines with one label per arc acceptor=True"
            self._check(fields, is_label, what)
            return numbers - 1
        unknown = EPSILON - 1
        labels = np.fromiter((label_of.get(f, unknown) for f in fields), np.int64, len(fields))
        shown = repr(table[0]).replace("{", "{{").replace("}", "}}")
        what = f"the symbol {{}} is not in {shown}"
        self._check(fields, labels > unknown, what, SymbolError)
        return labels

    def _penalties(
        self, fields: _Fields, places: Int64s, is_given: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        penalties, given = np.zeros(len(places)), fields[places[is_given]]
        values = np.fromiter(map(_penalty, given), np.float64, len(given))
        rounded = torch.from_numpy(values).to(self.dtype).numpy()
        self._check(given, rounded > -math.inf, f"{{}} is not a penalty, a number or {INFINITE}")
        penalties[is_given] = values
        return penalties
