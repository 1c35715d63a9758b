"""Symbol tables: the text of labels.

Labels are integers >= 0, so that class k of a network is label k, and ``EPSILON`` is -1.
Text lives in tables beside the graph.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from operator import index
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from gtn.errors import SymbolError

__all__ = [
    "BACK_OFF",
    "EPSILON",
    "EPSILON_TEXT",
    "SymbolTable",
    "check_new",
    "count_classes",
    "letter_labels",
    "merged_labels",
    "visible",
]

EPSILON = -1
"""The label that consumes nothing; the paper calls it null (section VIII)."""

EPSILON_TEXT = "ε"
"""How epsilon is shown, with any symbol table."""

BACK_OFF = "<backoff>"
"""The symbol of failure arcs, which compositions follow where no other arc matches."""

_WRITTEN_ELSEWHERE = ("", "<eps>", "<epsilon>")
"""How pynini and OpenFst write epsilon."""

_LARGEST = int(np.iinfo(np.int32).max)


class SymbolTable:
    """An immutable one-to-one map between labels (integers >= 0) and symbols (strings).

    Args:
        symbols: the symbols of labels 0, 1, 2 … in this order (a string is a sequence of
            characters), or a mapping from label to symbol.

    Raises:
        SymbolError: a symbol twice, the text of epsilon, or an invalid label.

    >>> digits = SymbolTable("0123456789")
    >>> digits.label("7"), digits.symbol(7), digits.symbol(-1)
    (7, '7', 'ε')
    >>> digits.encode("1998")
    array([1, 9, 9, 8], dtype=int32)
    >>> SymbolTable(["the", "cat"]).decode([1, 0])
    ['cat', 'the']
    """

    __slots__ = ("_label_of", "_largest", "_symbol_of")

    def __init__(self, symbols: Iterable[str] | Mapping[int, str]) -> None:
        pairs = symbols.items() if isinstance(symbols, Mapping) else enumerate(symbols)
        self._symbol_of: dict[int, str] = {}
        self._label_of: dict[str, int] = {}
        for label, symbol in pairs:
            if not isinstance(symbol, str):
                turned = isinstance(label, str)
                hint = ", and a mapping leads from label to symbol" if turned else ""
                raise SymbolError(
                    f"symbol of label {label!r} is {symbol!r}; symbols are strings{hint}"
                )
            if not isinstance(label, int | np.integer) or isinstance(label, bool):
                raise SymbolError(f"label {label!r} of symbol {symbol!r} is not an integer")
            if not 0 <= label <= _LARGEST:
                wrong = "negative" if label < 0 else "too large"
                raise SymbolError(
                    f"label {label} of symbol {symbol!r} is {wrong}; labels are 0 to {_LARGEST}"
                )
            if symbol == EPSILON_TEXT:
                raise SymbolError(f"label {label}: {EPSILON_TEXT!r} is kept for EPSILON == -1")
            if symbol in self._label_of:
                raise SymbolError(
                    f"symbol {symbol!r} has labels {self._label_of[symbol]} and {label}; "
                    "a symbol has one label"
                )
            self._symbol_of[int(label)] = symbol
            self._label_of[symbol] = int(label)
        self._largest = max(self._symbol_of, default=-1)

    def label(self, symbol: str) -> int:
        """Return the label of a symbol (of ``"ε"``: -1); raises ``SymbolError`` if it has none."""
        if symbol == EPSILON_TEXT:
            return EPSILON
        try:
            return self._label_of[symbol]
        except KeyError:
            raise SymbolError(f"symbol {symbol!r} is not in {self!r}") from None

    def symbol(self, label: int) -> str:
        """Return the symbol of a label (of -1: ``"ε"``); raises ``SymbolError`` if it has none."""
        try:
            number = index(label)
        except TypeError:
            raise SymbolError(f"label {label!r} is not an integer") from None
        if number == EPSILON:
            return EPSILON_TEXT
        try:
            return self._symbol_of[number]
        except KeyError:
            raise SymbolError(f"label {label} is not in {self!r}") from None

    def encode(self, symbols: Iterable[str]) -> NDArray[np.int32]:
        """Return the labels ``int32 [n]`` of n symbols."""
        return np.array([self.label(s) for s in symbols], dtype=np.int32)

    def decode(self, labels: Iterable[int]) -> list[str]:
        """Return the symbols of labels."""
        return [self.symbol(label) for label in labels]

    @property
    def labels(self) -> Sequence[int]:
        """The labels, in the order given."""
        return list(self._symbol_of)

    @property
    def largest(self) -> int:
        """The largest label; -1 if there is none."""
        return self._largest

    def known(self, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which labels are epsilon or have a symbol: O(labels), if the table has no gaps.

        >>> SymbolTable("ab").known(np.array([-1, 0, 1, 2, -2]))
        array([ True,  True,  True, False, False])
        """
        within = (labels >= EPSILON) & (labels <= self.largest)
        if self.largest + 1 == len(self) or not within.any():
            return within
        return within & np.isin(labels, [EPSILON, *self._symbol_of])

    def merge(self, other: SymbolTable) -> tuple[SymbolTable, NDArray[np.int32]]:
        """Return a table with the symbols of both, and the new labels of the other's symbols.

        This table's labels stay. The second result is ``int32 [max label of other + 2]``; its entry
        ``[label + 1]`` is the new label. So epsilon (-1) maps to itself, and labels without
        a symbol map to -2, which matches nothing.

        >>> table, relabel = SymbolTable("ab").merge(SymbolTable("bc"))
        >>> table.decode(relabel[[1, 2]]), relabel[0]
        (['b', 'c'], np.int32(-1))
        """
        return self.merged(other), self.relabelling(other)

    def merged(self, other: SymbolTable) -> SymbolTable:
        """Return the table with the symbols of both: the first result of :meth:`merge`."""
        if self == other:
            return self
        old, new = self.changes(other)
        symbols = (other._symbol_of[label] for label in old.tolist())
        return SymbolTable(self._symbol_of | dict(zip(new.tolist(), symbols)))

    def relabelling(self, other: SymbolTable) -> NDArray[np.int32]:
        """Return the new labels of the other's symbols: the second result of :meth:`merge`.

        Memory grows with the other's largest label.
        """
        if self == other:
            return np.arange(-1, other.largest + 1, dtype=np.int32)
        old, new = self.changes(other)
        relabel = np.full(other.largest + 2, -2, dtype=np.int32)
        relabel[0] = EPSILON
        relabel[old + 1] = new
        return relabel

    def changes(self, other: SymbolTable) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the other's labels, and the new label of each in the merged table: O(other)."""
        if not isinstance(other, SymbolTable):
            raise SymbolError(f"a table is merged with another one, not {type(other).__name__}")
        return _changes(self._symbol_of, self._label_of, self._largest, other)

    def relabelled(self, other: SymbolTable, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the new labels, in the merged table, of labels of another table (or epsilon).

        Memory is proportional to the labels and the table, however large the labels are.
        """
        if self == other:
            return labels
        return _changed(labels, *self.changes(other))

    def __getitem__(self, key: object) -> NoReturn:
        # The type of the key would tell which is meant; but in a table of digits, 3 and "3" are
        # easily confused, and neither would raise.
        raise TypeError(
            f"a symbol table cannot be indexed, as here with {key!r}: table.label('a') is the "
            "label of a symbol, table.symbol(3) the symbol of a label"
        )

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._label_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._label_of)

    def __len__(self) -> int:
        return len(self._symbol_of)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SymbolTable):
            return NotImplemented
        return self is other or self._symbol_of == other._symbol_of

    def __hash__(self) -> int:
        return hash(frozenset(self._symbol_of.items()))

    def __repr__(self) -> str:
        first = " ".join(visible(symbol) for symbol in list(self)[:12])
        return f"SymbolTable({len(self)}: {first}{' …' if len(self) > 12 else ''})"


def merged_labels(
    tables: Sequence[SymbolTable], rows: Sequence[NDArray[np.int32]]
) -> tuple[SymbolTable, list[NDArray[np.int32]]]:
    """Merge tables one after the other: O(labels of all).

    Args:
        tables: one or more.
        rows: labels of each (or epsilon).

    Returns:
        the table with the symbols of all, as :meth:`SymbolTable.merged` makes it of the first, the
        second, the third …; and what becomes of the rows in it.

    >>> tables = [SymbolTable("ab"), SymbolTable("bc"), SymbolTable("ca")]
    >>> merged_labels(tables, [np.array([0, 1])] * 3)
    (SymbolTable(3: a b c), [array([0, 1]), array([1, 2], dtype=int32), array([2, 0], dtype=int32)])
    """
    first = tables[0]
    symbol_of, label_of, largest = first._symbol_of, first._label_of, first._largest
    known: dict[int, tuple[NDArray[np.int64], NDArray[np.int32]]] = {}  # by identity: most are one
    found = []
    for table, row in zip(tables, rows, strict=True):
        if table is first or table._symbol_of == symbol_of:
            found.append(row)
            continue
        if id(table) not in known:
            known[id(table)] = _, new = _changes(symbol_of, label_of, largest, table)
            added = [
                (symbol, label)
                for symbol, label in zip(table._label_of, new.tolist(), strict=True)
                if symbol not in label_of
            ]
            if added and symbol_of is first._symbol_of:
                symbol_of, label_of = dict(symbol_of), dict(label_of)
            label_of.update(added)
            symbol_of.update((label, symbol) for symbol, label in added)
            largest = max(largest, new.max(initial=-1).item())
        found.append(_changed(row, *known[id(table)]))
    return (first if symbol_of is first._symbol_of else SymbolTable(symbol_of)), found


def _changes(
    symbol_of: Mapping[int, str], label_of: Mapping[str, int], largest: int, other: SymbolTable
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the labels of a table, and what becomes of each in another that takes it in."""
    new = []
    first = largest + 1
    if first + len(other) > _LARGEST:  # then those that are free
        first = 0
    fresh = (n for n in count(first) if n not in symbol_of)
    for symbol in other._label_of:
        known = label_of.get(symbol)
        new.append(next(fresh) if known is None else known)
    return np.array(list(other._symbol_of), dtype=np.int64), np.array(new, dtype=np.int32)


def _changed(
    labels: NDArray[np.int32], old: NDArray[np.int64], new: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return labels (or epsilon) with the new ones in the place of the old."""
    order = np.argsort(old)
    keys = np.concatenate(([EPSILON], old[order]))
    found: NDArray[np.int32] = np.append(np.int32(EPSILON), new[order])[
        np.searchsorted(keys, labels)
    ]
    return found


def check_new(symbol: str, where: str) -> None:
    """Check that a symbol about to be added to a table is not meant as epsilon.

    Raises:
        SymbolError: other tools write epsilon so. Only a table that the user gives may have it.
    """
    if symbol in _WRITTEN_ELSEWHERE:
        raise SymbolError(
            f"{where} has the symbol {symbol!r}; epsilon is None here (where this is a symbol like "
            "others, give a table that has it)"
        )


def count_classes(table: SymbolTable, none: Collection[int | str | None] = (BACK_OFF,)) -> int:
    """Return how many classes the emissions have whose labels a table names: O(1).

    One more than the largest label, not counting labels and symbols of ``none``, which are no
    classes; O(labels) if the largest is one of these.

    >>> count_classes(SymbolTable("ab")), count_classes(SymbolTable(["a", "b", BACK_OFF]))
    (2, 2)
    """
    last = table.largest
    if last in none or table.symbol(last) in none:
        others = (n for n in table.labels if n not in none and table.symbol(n) not in none)
        last = max(others, default=-1)
    return last + 1


def letter_labels(table: SymbolTable) -> NDArray[np.int32]:
    """Return the labels that strings are made of, increasing: all of a table but ``BACK_OFF``.

    >>> letter_labels(SymbolTable(["a", BACK_OFF, "b"]))
    array([0, 2], dtype=int32)
    """
    labels = np.array([n for n in table.labels if table.symbol(n) != BACK_OFF], dtype=np.int32)
    return np.sort(labels)


def visible(text: str, longest: int | None = None) -> str:
    """Return a symbol as visible text: blanks and control characters shown, long ones cut.

    >>> visible(" "), visible("a\\tb"), visible(""), visible("abcd", 3)
    ('␣', 'a\\\\tb', '""', 'ab…')
    """
    if not text:
        return '""'
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    shown = [c if c.isprintable() else repr(c)[1:-1] for c in text]
    return "".join(shown).replace(" ", "␣")
