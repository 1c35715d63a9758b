"""Reading OpenFst's text format, what ``fstprint`` writes and what is written by hand."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np
import torch

from gtn.construction import from_arrays
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.interchange.writing import EPSILON_NAMES, INFINITE
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable

__all__ = ["from_openfst_symbols", "from_openfst_text"]

Symbols = SymbolTable | str | os.PathLike[str]

_BETWEEN = re.compile("[ \t]+")


def from_openfst_text(
    text: str | os.PathLike[str],
    *,
    acceptor: bool = False,
    symbols: Symbols | None = None,
    isymbols: Symbols | None = None,
    osymbols: Symbols | None = None,
    dtype: torch.dtype | None = None,
) -> Graph:
    """Return the graph of a text in OpenFst's format, or of a file of it (a ``Path``).

    Nodes are numbered in the order of their states' numbers: as the states, where no number is
    left out. Arcs keep their order. Labels are one lower than in the text, epsilon is ``EPSILON``.

    Args:
        text: the text itself (``str``), or the path of a file (``pathlib.Path``), in UTF-8.
        acceptor: arcs have one label, as for ``fstcompile --acceptor``.
        symbols: table of both sides, or one a side: labels are symbols then. A ``SymbolTable``;
            or the text or path of a table in OpenFst's format, whose own name for 0 is epsilon
            (otherwise ``<eps>``, ``<epsilon>`` and ``ε`` are).
        dtype: of the penalties (torch's default dtype, unless given).

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
    tables = [_table(one) for one in given]
    if given[0] is given[1]:
        tables[1] = tables[0]
    if acceptor:
        tables[1] = tables[0]
    reader = _Reader(file, acceptor, tables)
    for number, line in enumerate(content.split("\n"), 1):
        fields = [field for field in _BETWEEN.split(line.rstrip("\r")) if field]
        if fields:
            reader.read(number, fields)
    return reader.graph(dtype or torch.get_default_dtype())


def from_openfst_symbols(text: str | os.PathLike[str]) -> SymbolTable:
    """Return the table of a text in OpenFst's format, or of a file of it (a ``Path``).

    Labels are one lower than in the text; what the text calls 0 is epsilon, and in no table.

    Raises:
        SymbolError: naming the file and the line.

    >>> import gtn
    >>> gtn.from_openfst_symbols("<eps> 0\\na 1\\nb 2").label("b")
    1
    """
    return _read_symbols(text)[0]


def _content(text: str | os.PathLike[str], kind: str) -> tuple[str, str]:
    """Return a text, and what messages call it."""
    if isinstance(text, str):
        if re.fullmatch(r"\S+", text) and not text.isdigit():
            raise GraphError(
                f"{text!r} is no {kind} in OpenFst's format; a file is a Path({text!r})"
            )
        return text, kind
    try:
        return Path(text).read_text(encoding="utf-8"), os.fspath(text)
    except UnicodeDecodeError as error:
        raise GraphError(f"{os.fspath(text)}: no text in UTF-8 ({error})") from error


def _table(symbols: Symbols | None) -> tuple[SymbolTable, set[str]] | None:
    """Return a table, and what it calls epsilon."""
    if symbols is None:
        return None
    if isinstance(symbols, SymbolTable):
        return symbols, {name for name in EPSILON_NAMES if name not in symbols}
    return _read_symbols(symbols)


def _read_symbols(text: str | os.PathLike[str]) -> tuple[SymbolTable, set[str]]:
    content, file = _content(text, "symbols")
    found: dict[int, str] = {}
    epsilons = set()
    seen: dict[str, int] = {}
    for number, line in enumerate(content.split("\n"), 1):
        fields = [field for field in _BETWEEN.split(line.rstrip("\r")) if field]
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].isascii() or not fields[1].isdigit():
            raise SymbolError(
                f"{file}:{number}: {line!r} is no symbol and its label, an integer >= 0"
            )
        symbol, label = fields[0], int(fields[1])
        if label > np.iinfo(np.int32).max or symbol in seen or label - 1 in found:
            why = "does not fit 32 bits" if label > np.iinfo(np.int32).max else "is there twice"
            raise SymbolError(f"{file}:{number}: {line!r}: a symbol or label {why}")
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


class _Reader:
    """What has been read of a graph, line by line."""

    def __init__(
        self, file: str, acceptor: bool, tables: list[tuple[SymbolTable, set[str]] | None]
    ) -> None:
        self.file, self.acceptor, self.tables = file, acceptor, tables
        self.start: int | None = None
        self.arcs: list[tuple[int, int, int, int, float]] = []
        self.finals: dict[int, float] = {}
        self.others: set[int] = set()  # named as not final

    def read(self, number: int, fields: list[str]) -> None:
        """Read the fields of one line."""
        labels = 1 if self.acceptor else 2
        src = self._state(number, fields[0])
        self.start = src if self.start is None else self.start
        if len(fields) <= 2:
            penalty = self._penalty(number, fields[1]) if len(fields) == 2 else 0.0
            if src in self.finals:
                raise GraphError(f"{self.file}:{number}: state {src} is made final twice")
            if penalty == math.inf:
                self.others.add(src)
            else:
                self.finals[src] = penalty
            return
        if not 2 + labels <= len(fields) <= 3 + labels:
            form = "state nextstate label" if self.acceptor else "state nextstate ilabel olabel"
            other = "acceptor=True" if len(fields) == 3 else "acceptor=False"
            hint = f" (one line of the other kind of machine? {other})" if len(fields) < 6 else ""
            raise GraphError(
                f"{self.file}:{number}: {' '.join(fields)!r} has {len(fields)} fields; an arc is "
                f"'{form} [penalty]'{hint}"
            )
        dst = self._state(number, fields[1])
        ilabel, olabel = (
            self._label(number, fields[2 + min(side, labels - 1)], side) for side in (0, 1)
        )
        penalty = self._penalty(number, fields[-1]) if len(fields) == 3 + labels else 0.0
        self.arcs.append((src, dst, ilabel, olabel, penalty))

    def graph(self, dtype: torch.dtype) -> Graph:
        """Return the graph of all lines."""
        src, dst, ilabels, olabels, penalties = (
            np.array(column, dtype=kind)
            for column, kind in zip(
                zip(*self.arcs) if self.arcs else [()] * 5, ["i8"] * 4 + ["f8"], strict=True
            )
        )
        finals = sorted(self.finals)
        states = np.unique(np.r_[src, dst, finals, sorted(self.others)].astype(np.int64))
        start = [] if self.start is None else [int(np.searchsorted(states, self.start))]
        tables = [None if table is None else table[0] for table in self.tables]
        same = np.array_equal(ilabels, olabels) and tables[0] == tables[1]
        return from_arrays(
            np.searchsorted(states, src),
            np.searchsorted(states, dst),
            ilabels,
            None if same else olabels,
            penalties=torch.from_numpy(penalties).to(dtype),
            start=start,
            final=np.searchsorted(states, finals).tolist(),
            final_penalties=torch.tensor([self.finals[n] for n in finals], dtype=dtype),
            num_nodes=len(states),
            isymbols=tables[0],
            osymbols=tables[1],
        )

    def _state(self, number: int, field: str) -> int:
        if not field.isascii() or not field.isdigit() or int(field) > np.iinfo(np.int64).max:
            raise GraphError(f"{self.file}:{number}: {field!r} is no state; states are 0, 1, 2 …")
        return int(field)

    def _label(self, number: int, field: str, side: int) -> int:
        table = self.tables[side]
        if table is None:
            if not field.isascii() or not field.isdigit() or int(field) > np.iinfo(np.int32).max:
                named = ("isymbols=", "osymbols=")[side]
                raise GraphError(
                    f"{self.file}:{number}: {field!r} is no label, an integer >= 0; symbols need "
                    f"their table, {named}"
                )
            return int(field) - 1
        if field in table[1]:
            return EPSILON
        if field not in table[0]:
            raise SymbolError(f"{self.file}:{number}: the symbol {field!r} is not in {table[0]!r}")
        return table[0].label(field)

    def _penalty(self, number: int, field: str) -> float:
        try:
            # Python reads 1_000 and digits of any script as numbers, OpenFst does not.
            penalty = float(field) if field.isascii() and "_" not in field else math.nan
        except ValueError:
            penalty = math.nan
        if not penalty > -math.inf:
            raise GraphError(
                f"{self.file}:{number}: {field!r} is no penalty, a number or {INFINITE}"
            )
        return penalty
