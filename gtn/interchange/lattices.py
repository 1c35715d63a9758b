"""Reading Kaldi's lattices in text, one after the other.

A lattice is a line with its name, lines of arcs and finals, and an empty line. In a *compact*
lattice an arc is ``state nextstate word graph,acoustic,transitions``, in any other ``state
nextstate transition word graph,acoustic``; a final is a state and such costs. Costs of zero may be
missing.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from gtn.construction import from_arrays
from gtn.data import Column, Sources
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.indexes import LARGEST
from gtn.interchange.reading import Symbols, fields_of, quoted, table_of, whole_number
from gtn.symbols import EPSILON, SymbolTable

__all__ = ["from_kaldi_lattices"]

_FORMS = "graph,acoustic", "graph,acoustic,transitions"  # of costs; of compact lattices


def from_kaldi_lattices(
    text: str | os.PathLike[str] | Iterable[str],
    *,
    symbols: Symbols | None = None,
    dtype: torch.dtype | None = None,
) -> Iterator[tuple[str, Graph]]:
    """Return an iterator over the lattices of Kaldi in a text, which is read as needed.

    It gives the name and the graph of each. ``lattice-copy ark:… ark,t:-`` writes such a text. The
    costs of finals are on epsilon arcs to a new node, the last, so that all costs are on arcs. The
    penalty is the sum of ``data["graph"]`` and ``data["acoustic"]``, in nats; ``with_penalties``
    takes another one, such as ``lattice.data["graph"] + 0.1 * lattice.data["acoustic"]``.

    A compact lattice is an acceptor of words. Each of its arcs has as many transition-ids as
    frames, which are several rows of the column ``transitions``, numbered as in the text. Any other
    lattice reads transition-ids and writes words.

    Nodes are numbered in the order of the states' numbers. Arcs keep their order; those of the
    finals come last. Labels are one lower than in the text; epsilon is ``EPSILON``.

    Args:
        text: the text itself (``str``), the path of a file (``pathlib.Path``), or lines, such as
            those of an open file or of ``gzip.open(path, "rt")``.
        symbols: if words are symbols, their table, as for :func:`gtn.from_openfst_text`; that of
            numbers is given by ``lattice.with_symbols``.
        dtype: of penalties and costs; unless given, torch's default dtype.

    Raises:
        GraphError, SymbolError: naming the file and the line. A text that ends within a lattice
            is wrong, too, once the lattices before it were read.

    O(text length); memory for one lattice.

    >>> import gtn
    >>> text = "first\\n0 1 1 0.5,20,3_4\\n0 1 2 1.5,19,3_6\\n1 0.25,0,\\n\\nsecond\\n0\\n\\n"
    >>> for name, lattice in gtn.from_kaldi_lattices(text):
    ...     print(name, lattice)
    first Graph: 3 nodes, 3 arcs, start 0, final 2
      0 -> 1  0  20.5
      0 -> 1  1  20.5
      1 -> 2  ε  0.25
    second Graph: 2 nodes, 1 arc, start 0, final 1
      0 -> 1  ε  0
    """
    table = table_of(symbols)
    words = None
    if table is not None:
        words = {s: table[0].label(s) for s in table[0]} | dict.fromkeys(table[1], EPSILON)
    reader = _Reader(words, None if table is None else table[0], dtype)
    if isinstance(text, str):
        if text and "\n" not in text:
            raise GraphError(
                f"{quoted(text)} is not a text of lattices; a file is a Path({text!r})"
            )
        return reader.lattices(io.StringIO(text), "text")
    if isinstance(text, os.PathLike):
        return reader.lattices(_lines(Path(text)), os.fspath(text))
    return reader.lattices(text, "line")


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        try:
            yield from file
        except UnicodeDecodeError as error:
            raise GraphError(
                f"{path}: no text in UTF-8 ({error}); lattice-copy ark:… ark,t:- writes Kaldi's "
                "binary files as text"
            ) from error


class _Arc(NamedTuple):
    """An arc, or a final, whose destination is None."""

    src: int
    dst: int | None
    ilabel: int
    olabel: int
    graph: float
    acoustic: float
    transitions: list[int]


class _Reader:
    def __init__(
        self, words: dict[str, int] | None, table: SymbolTable | None, dtype: torch.dtype | None
    ) -> None:
        self.words, self.table, self.dtype = words, table, dtype or torch.get_default_dtype()

    def lattices(self, lines: Iterable[str], file: str) -> Iterator[tuple[str, Graph]]:
        """Yield all lattices of some lines."""
        name, number = None, 0
        rows: list[tuple[int, list[str]]] = []
        for number, line in enumerate(lines, 1):
            if not isinstance(line, str):
                raise GraphError(
                    f"{file}:{number} is of type {type(line).__name__}; open the file as a text, "
                    "as with gzip.open(path, 'rt')"
                )
            line = line.rstrip("\n")
            fields = fields_of(line)
            if fields and name is not None:
                rows.append((number, fields))
            elif len(fields) > 1:
                raise GraphError(
                    f"{file}:{number}: {quoted(line)} is not the name of a lattice, which is a "
                    "line of its own, the first or after an empty one"
                )
            elif fields:
                name = fields[0]
            elif name is not None:
                yield name, self.graph(rows, file)
                name, rows = None, []
        if name is not None:
            self.graph(rows, file)  # a line that is wrong is told before
            raise GraphError(
                f"{file}:{number}: the text ends within the lattice {quoted(name)}, which an empty "
                "line would end; it was cut off"
            )

    def graph(self, rows: list[tuple[int, list[str]]], file: str) -> Graph:
        """Return the graph of the lines of one lattice."""
        longest = max((len(fields) for _, fields in rows), default=0)
        has_costs = any("," in fields[3] for _, fields in rows if len(fields) == 4)
        is_compact = longest < 4 or (longest == 4 and has_costs)
        found: list[_Arc] = []
        ends: set[int] = set()
        for number, fields in rows:
            try:
                arc = self.arc(fields, is_compact)
                if arc.dst is None and arc.src in ends:
                    raise GraphError(f"state {arc.src} is made final twice")
            except GraphError as error:
                raise type(error)(f"{file}:{number}: {error}") from None
            found.append(arc)
            if arc.dst is None:
                ends.add(arc.src)
        first = [arc.src for arc in found[:1]]
        found.sort(key=lambda arc: arc.dst is None)
        src = np.array([arc.src for arc in found], dtype=np.int64)
        dst = np.array([arc.src if arc.dst is None else arc.dst for arc in found], dtype=np.int64)
        states = np.unique(np.concatenate([src, dst]))
        src, dst, start = (np.searchsorted(states, nodes) for nodes in (src, dst, first))
        dst[len(found) - len(ends) :] = last = len(states)
        costs = torch.tensor([arc[4:6] for arc in found], dtype=torch.float64).reshape(-1, 2)
        data = {
            "graph": Column(costs[:, 0].to(self.dtype)),
            "acoustic": Column(costs[:, 1].to(self.dtype)),
        }
        if is_compact:
            ids = np.array([n for arc in found for n in arc.transitions], dtype=np.int32)
            offsets = np.cumsum([0, *(len(arc.transitions) for arc in found)])
            data["transitions"] = Column(ids, Sources(np.arange(len(ids)), offsets))
        ilabels, olabels = (np.array([arc[k] for arc in found], dtype=np.int64) for k in (2, 3))
        return from_arrays(
            src,
            dst,
            ilabels,
            None if is_compact else olabels,
            penalties=costs.sum(1).to(self.dtype),
            start=start,
            final=[last] if ends else [],
            num_nodes=last + bool(ends),
            isymbols=self.table if is_compact else None,
            osymbols=self.table,
            data=data,
        )

    def arc(self, fields: list[str], is_compact: bool) -> _Arc:
        """Return the arc or final of a line."""
        labels = 1 if is_compact else 2
        count = len(fields)
        if count > 2 and count - 2 - labels not in (0, 1):
            form = "word [" if is_compact else "transition word ["
            raise GraphError(
                f"{quoted(' '.join(fields))} has {count} fields; an arc is 'state nextstate "
                f"{form}{_FORMS[is_compact]}]'"
            )
        costs = _costs(fields[-1] if count in (2, 3 + labels) else "0,0", is_compact)
        if count <= 2:
            return _Arc(_state(fields[0]), None, EPSILON, EPSILON, *costs)
        word = self.word(fields[1 + labels])
        ilabel = word if is_compact else _label(fields[2], "transition-id")
        return _Arc(_state(fields[0]), _state(fields[1]), ilabel, word, *costs)

    def word(self, field: str) -> int:
        if self.words is None:
            return _label(field, "word; symbols need their table, symbols=")
        if field not in self.words:
            raise SymbolError(f"the symbol {quoted(field)} is not in {self.table!r}")
        return self.words[field]


def _state(field: str) -> int:
    state = whole_number(field)
    if state < 0:
        raise GraphError(f"{quoted(field)} is not a state; states are 0, 1, 2 …")
    return state


def _label(field: str, what: str) -> int:
    number = whole_number(field)
    if not 0 <= number <= LARGEST:
        raise GraphError(f"{quoted(field)} is not the number of a {what}")
    return number - 1


def _costs(field: str, is_compact: bool) -> tuple[float, float, list[int]]:
    """Return graph cost, acoustic cost and transition-ids."""
    parts = field.split(",")
    transitions: list[int] = []
    try:
        graph, acoustic = (float(part) for part in parts[:2])
        if len(parts) == 3 and parts[2]:
            transitions = [int(part) for part in parts[2].split("_")]
    except ValueError:
        graph = acoustic = math.nan
    least, most = min(transitions, default=0), max(transitions, default=0)
    is_right = graph > -math.inf and acoustic > -math.inf and 0 <= least <= most <= LARGEST
    if not is_right or len(parts) > 2 + is_compact or "_" in parts[0] + parts[1]:
        raise GraphError(f"{quoted(field)} are not costs, '{_FORMS[is_compact]}'")
    return graph, acoustic, transitions
