"""Edits between strings: their number, and which they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.indexes import LARGEST
from gtn.kernels import edit_distance as kernels

__all__ = ["EditAlignment", "edit_alignment", "edit_distances"]

Labels = NDArray[np.int32]
Row = Labels | torch.Tensor | Sequence[int] | Sequence[str]


def edit_distances(found: Sequence[Row], target: Row) -> NDArray[np.float64]:
    """Return the edit distance of each string to the target: O(L U) each.

    A string is a sequence of labels or symbols: a text, a list of words. All are compared with the
    same target; for pairs, call the function once for each.

    Raises:
        GraphError: a text instead of several strings, or several strings instead of the target; a
            text compared with words, or symbols with labels; something that is not a string.

    >>> edit_distances([[1, 2, 3], [2], []], [2, 3])
    array([1., 1., 2.])
    >>> edit_distances(["sitting", "kit"], "kitten")
    array([3., 3.])
    """
    if isinstance(found, str):
        raise GraphError(f"{found!r} is one text; give a list of strings, as in [{found!r}]")
    if not isinstance(found, Iterable) or getattr(found, "ndim", 1) == 0:
        raise GraphError(f"{found!r} is not a list of strings to compare with the target")
    *rows, last = map(_items, [*found, target])
    for row in rows:
        _check_alike(row, last)
    *rows, last = _as_labels([*rows, last])
    offsets = np.cumsum([0, *map(len, rows)])
    if offsets[-1] > LARGEST:
        raise GraphError(f"strings of {offsets[-1]} labels are too many at once; {LARGEST} fit")
    offsets = offsets.astype(np.int32)
    labels = np.concatenate([np.empty(0, dtype=np.int32), *rows])
    distances: NDArray[np.float64] = kernels.edit_distances(labels, offsets, last)
    return distances


@dataclass(frozen=True, eq=False)
class EditAlignment:
    """The steps that align two strings, from front to back.

    Attributes:
        found: the position in the string that was found, ``int32 [S]``; -1 for a deletion, where
            only the target has an item.
        target: the position in the target, ``int32 [S]``; -1 for an insertion, where only the
            string that was found has an item.
        before: how many positions of the target come before the step, ``int32 [S]``: the place
            of an insertion.
        same: whether both have the same item, ``bool [S]``; the number of False is the edit
            distance.
    """

    found: Labels
    target: Labels
    before: Labels
    same: NDArray[np.bool_]


def edit_alignment(found: Row, target: Row) -> EditAlignment:
    """Return an alignment of a string with the target that has the fewest edits: O(L U).

    Ties are decided from the last step to the first: a match or substitution, if it is among the
    best, otherwise a deletion, otherwise an insertion. Memory is O(L U), too. Strings are as in
    :func:`edit_distances`.

    Raises:
        GraphError: a row instead of a label or symbol; a text compared with words, or symbols
            with labels; something that is not a string.

    >>> alignment = edit_alignment("sat", "seats")
    >>> alignment.found
    array([ 0, -1,  1,  2, -1], dtype=int32)
    >>> alignment.target
    array([0, 1, 2, 3, 4], dtype=int32)
    >>> edit_alignment("so", "o").before, edit_alignment(["a", "b"], ["a", "c"]).same
    (array([0, 0], dtype=int32), array([ True, False]))
    """
    row, last = _items(found), _items(target)
    _check_alike(row, last)
    row, last = _as_labels([row, last])
    own, other, before = kernels.edit_alignment(row, last)
    same = (own >= 0) & (other >= 0)
    same[same] = row[own[same]] == last[other[same]]
    return EditAlignment(own, other, before, same)


def _items(row: Any) -> Any:
    """Return a text or labels as they are, any other string as a list.

    Raises:
        GraphError: no string at all.
    """
    if isinstance(row, str) or _is_labels(row):
        return row
    items = row.tolist() if isinstance(row, np.ndarray | torch.Tensor) else row
    if not isinstance(items, Iterable):
        raise GraphError(
            f"{row!r} is not a string; a string is a text, or a sequence of labels or symbols"
        )
    return list(items)


def _check_alike(found: Any, target: Any) -> None:
    """Check that two strings are of one kind: letters, words or labels.

    Raises:
        GraphError: a text, taken letter by letter, and a list of words; symbols and labels.
    """
    for text, other in ((found, target), (target, found)):
        if not isinstance(text, str) or isinstance(other, str):
            continue
        if any(isinstance(symbol, str) and len(symbol) > 1 for symbol in other):
            raise GraphError(
                f"{text!r} is a text, taken letter by letter, but {list(other)!r} has words; "
                "text.split() gives the words of a text, list(text) its letters; of pairs, take "
                "one at a time"
            )
    if len(found) and len(target) and isinstance(found[0], str) != isinstance(target[0], str):
        both = (found, target) if isinstance(found[0], str) else (target, found)
        kinds = (str, int | np.integer)
        if all(isinstance(item, kind) for row, kind in zip(both, kinds) for item in row):
            raise GraphError(
                f"symbols are compared with labels, {found!r} with {target!r}; a SymbolTable makes "
                "labels of symbols: table.encode(symbols)"
            )


def _is_labels(row: Any) -> bool:
    return isinstance(row, np.ndarray) and row.dtype == np.int32 and row.ndim == 1


def _as_labels(rows: Sequence[Any]) -> list[Labels]:
    """Return rows of labels; unless all are labels already, number the items, equal ones alike."""
    if all(map(_is_labels, rows)):
        return [*rows]
    numbers: dict[int | str, int] = {}
    each = (row.tolist() if isinstance(row, np.ndarray) else row for row in rows)
    return [
        np.array([numbers.setdefault(_item(one), len(numbers)) for one in row], dtype=np.int32)
        for row in each
    ]


def _item(one: Any) -> Any:
    """Return a label or symbol; a tensor becomes its value, since tensors make no equal keys.

    Raises:
        GraphError: a row instead.
    """
    if isinstance(one, np.ndarray | torch.Tensor) and one.ndim == 0:
        return one.item()
    if isinstance(one, np.ndarray | torch.Tensor | list | Graph):
        raise GraphError(
            f"{one!r} stands where a label or symbol should; strings are compared with one "
            "target, so of pairs take one at a time"
        )
    return one
