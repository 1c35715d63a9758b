"""Strings as acceptors: one, or a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import GraphBatch
from gtn.construction import check_no_numbers, label_of, plain
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_table
from gtn.indexes import LARGEST, integers
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable, check_new
from gtn.topology import Topology

__all__ = ["String", "check_text", "string", "strings", "words_hint"]

Item = TypeVar("Item")
Row = list[Any] | NDArray[Any]
String = str | Sequence[str] | Sequence[int] | NDArray[Any] | torch.Tensor
"""A text, symbols, or integer labels."""


def string(
    labels: String,
    *,
    symbols: SymbolTable | None = None,
    dtype: torch.dtype | None = None,
) -> Graph:
    """Return the acceptor of one string, with penalty 0 (for the paper's path selector).

    Args:
        labels: a text, a sequence of symbols, or integer labels (also as a tensor).
        symbols: their table; made of the symbols themselves if none is given.

    Raises:
        GraphError: not a string, or an item that is not a label.
        SymbolError: a symbol that is not in the given table.

    >>> string("34").isymbols
    SymbolTable(2: 3 4)
    >>> string("34", symbols=SymbolTable("0123456789")).ilabels
    array([3, 4], dtype=int32)
    """
    check_table(symbols, "input")
    items = _items(labels)
    texts = [x for x in items if isinstance(x, str)]
    if symbols is None and (texts or isinstance(labels, str)):  # "" is a text of no symbols
        for i, item in enumerate(items):
            check_no_numbers(i, [item], "position")
            check_new(item, f"position {i}")
        symbols = SymbolTable(list(dict.fromkeys(x for x in texts if x != EPSILON_TEXT)))
    try:
        numbers = _labels(items, symbols)
    except SymbolError as error:
        raise SymbolError(f"{error}{words_hint(labels, symbols)}") from None
    _check_labels(numbers, symbols)
    given = integers(numbers, "ilabels")
    count = len(items)
    nodes = np.arange(count + 1, dtype=np.int32)
    # The rest of a chain is right as it is made.
    topology = Topology(
        count + 1, nodes[:-1], nodes[1:], given, starts=nodes[:1], finals=nodes[-1:], check=False
    )
    penalties = torch.zeros(count, dtype=dtype or torch.get_default_dtype())
    return Graph(topology, penalties, isymbols=symbols, osymbols=symbols, check=False)


def strings(
    labels: Sequence[String | None],
    *,
    symbols: SymbolTable | None = None,
    dtype: torch.dtype | None = None,
) -> GraphBatch:
    """Return the batch of the acceptors of many strings, each as :func:`string` makes it.

    O(total length), without making a graph per string. ``None`` stands for no string at all: its
    graph is empty.

    Args:
        labels: the strings.
        symbols: their table; made of all their symbols if none is given.

    Raises:
        GraphError: no strings, or one text instead of several; an item that is not a label, naming
            the string.
        SymbolError: a symbol that is not in the given table.

    >>> batch = strings(["34", "", None], symbols=SymbolTable("0123456789"))
    >>> [graph.num_nodes for graph in batch], batch.ilabels
    ([3, 1, 0], array([3, 4], dtype=int32))
    """
    if isinstance(labels, str):
        shown = _short(labels)
        raise GraphError(f"{shown} is one text; a batch is made of several, as of [{shown}]")
    if not len(labels):
        raise GraphError("a batch needs at least one string")
    check_table(symbols, "input")
    each: Any = labels
    if isinstance(each, torch.Tensor) and not each.is_floating_point() and each.dtype != torch.bool:
        each = each.cpu().numpy()
    rows = [np.empty(0, dtype=np.int64) if row is None else _items(row) for row in each]
    if all(isinstance(row, np.ndarray) for row in rows):
        numbers = np.concatenate(rows)
    else:
        if symbols is None:
            symbols = _table(rows, any(isinstance(row, str) for row in labels))
        numbers = _numbers(rows, symbols)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    _check_labels(numbers, symbols, lengths)
    exists = np.array([row is not None for row in each], dtype=np.bool_)
    node_offsets = np.concatenate(([0], np.cumsum(np.where(exists, lengths + 1, 0))))
    arc_offsets = np.concatenate(([0], np.cumsum(lengths)))
    # The source of an arc is its number plus the number of strings before its own.
    src = np.arange(len(numbers)) + np.repeat(node_offsets[:-1] - arc_offsets[:-1], lengths)
    topology = Topology(
        int(node_offsets[-1]),
        src,
        src + 1,
        numbers,
        starts=node_offsets[:-1][exists],
        finals=node_offsets[1:][exists] - 1,
        node_offsets=node_offsets,
        arc_offsets=arc_offsets,
    )
    penalties = torch.zeros(len(numbers), dtype=dtype or torch.get_default_dtype())
    return GraphBatch(topology, penalties, isymbols=symbols, osymbols=symbols)


def _check_labels(
    numbers: NDArray[Any], table: SymbolTable | None, lengths: NDArray[np.int64] | None = None
) -> None:
    """Raise for the first number that is not a label, or has no symbol in a table.

    Args:
        lengths: of the strings whose labels the numbers are; None: one string.
    """
    if numbers.min(initial=0) < EPSILON or numbers.max(initial=0) > LARGEST:
        wrong = (numbers < EPSILON) | (numbers > LARGEST)
        kind, what = GraphError, f"labels are 0 to {LARGEST}"
        if numbers[np.argmax(wrong)] < EPSILON:
            padded = "" if lengths is None else ", with which rows of a tensor are padded"
            what += f", or EPSILON == -1{padded}"
    elif table is not None and not (known := table.known(numbers)).all():
        wrong, labels = ~known, sorted(table.labels)
        kind, what = SymbolError, f"it is not in {table!r}"
        if labels:
            what += f", whose labels are {labels[0]} to {labels[-1]}"
    else:
        return
    place = found = int(np.argmax(wrong))
    row = ""
    if lengths is not None:
        number = int(np.searchsorted(np.cumsum(lengths), found, side="right"))
        row, place = f"string {number}: ", found - int(lengths[:number].sum())
    raise kind(f"{row}position {place} has label {numbers[found]}; {what}")


def _table(rows: Sequence[Row], texts: bool) -> SymbolTable | None:
    """Return the table of the symbols of all rows; None if there is no symbol, and no text."""
    items = list(chain.from_iterable(rows))
    kinds = set(map(type, items))
    if not texts and not any(issubclass(kind, str) for kind in kinds):
        return None
    if kinds != {str}:
        for b, row in enumerate(rows):
            _named(b, lambda i, item: check_no_numbers(i, [item], "position"), row)
    symbols = dict.fromkeys(x for x in items if isinstance(x, str))
    for symbol in symbols:
        check_new(symbol, "a string")
    return SymbolTable([x for x in symbols if x != EPSILON_TEXT])


def _numbers(rows: Sequence[Row], symbols: SymbolTable | None) -> NDArray[Any]:
    """Return the labels of all rows, concatenated."""
    items = list(chain.from_iterable(rows))
    kinds = set(map(type, items))
    if all(issubclass(kind, int | np.integer) for kind in kinds):
        with suppress(OverflowError):  # one by one, the label that is too large is named
            return np.array(items, dtype=np.int64)
    if symbols is not None and kinds == {str} and all(x in symbols for x in set(items)):
        return symbols.encode(items)
    return np.array(
        [
            label
            for b, row in enumerate(rows)
            for label in _named(b, lambda i, item: label_of(i, item, symbols, "position"), row)
        ],
        dtype=np.int64,
    )


def _labels(items: Row, symbols: SymbolTable | None) -> NDArray[Any]:
    """Return the labels of one string."""
    if isinstance(items, np.ndarray):
        return items
    labels = [label_of(i, x, symbols, "position") for i, x in enumerate(items)]
    return np.array(labels, dtype=np.int64)


def _items(labels: Any) -> Row:
    # In arrays of other types, such as masked ones, each label is checked by itself.
    if type(labels) is np.ndarray and labels.ndim == 1 and labels.dtype.kind == "i":
        return labels
    items = labels.tolist() if isinstance(labels, torch.Tensor) else labels
    if not isinstance(items, Iterable):
        raise GraphError(f"{labels!r} is not a string: give a text, or a sequence of labels")
    if isinstance(labels, str):
        check_text(labels)
        return list(labels)
    return [plain(item) for item in items]


def check_text(text: str) -> None:
    """Raise ``GraphError`` for a text that contains the character that epsilon is shown as.

    It would be lost, since it is no symbol. A list of symbols may have an epsilon.
    """
    if EPSILON_TEXT in text:
        raise GraphError(
            f"the text {_short(text)} has {EPSILON_TEXT!r} at {text.index(EPSILON_TEXT)}, "
            "which is how epsilon is shown, not a symbol; for an epsilon give a list, with None "
            "in its place"
        )


def _short(text: str) -> str:
    """Return a text for a message, or its beginning."""
    return repr(text if len(text) <= 60 else text[:57] + "…")


def words_hint(text: Any, table: SymbolTable | None) -> str:
    """Return what to do about a text whose letters are not in a table, but whose words are.

    >>> words_hint("the cat", SymbolTable(["cat", "the"]))
    "; a text is taken letter by letter, a list of words is ['the', 'cat']"
    """
    if not isinstance(text, str) or table is None or all(letter in table for letter in text):
        return ""
    words = text.split()
    if not words or not all(word in table for word in words):
        return ""
    shown = repr(words) if len(words) <= 8 else repr(words[:8])[:-1] + ", …]"
    return f"; a text is taken letter by letter, a list of words is {shown}"


def _named(b: int, read: Callable[[int, Any], Item], row: Row) -> list[Item]:
    """Read each item of string b; errors name the string."""
    try:
        return [read(i, item) for i, item in enumerate(row)]
    except GraphError as error:
        raise type(error)(f"string {b}: {error}") from error
