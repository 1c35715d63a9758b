"""Acceptors of all strings over a set of symbols, with and without bounds on the length."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gtn.construction import from_arrays
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.symbols import SymbolTable, letter_labels

__all__ = ["any_string", "fixed_length"]


def any_string(
    symbols: SymbolTable | Iterable[str], *, min_length: int = 0, max_length: int | None = None
) -> Graph:
    """Return the deterministic acceptor of every string of ``min_length`` to ``max_length``.

    Node n is reached after n symbols, up to the largest length, so penalties learned on its arcs
    are a prior over lengths and over the symbol at each position. Without a ``max_length``, the
    last node has a loop for every symbol.

    Args:
        symbols: a table (its labels are kept), or the symbols of labels 0, 1, 2 …; no string has
            the symbol of failure arcs, ``gtn.BACK_OFF``.
        min_length, max_length: in symbols.

    Raises:
        GraphError: a length below zero, or ``max_length`` below ``min_length``.

    >>> any_string("ab", min_length=1, max_length=2)
    Graph: 3 nodes, 4 arcs, start 0, final 1, 2
      0 -> 1  a  0
      0 -> 1  b  0
      1 -> 2  a  0
      1 -> 2  b  0
    >>> any_string("a")
    Graph: 1 node, 1 arc, start 0, final 0
      0 -> 0  a  0
    """
    table = symbols if isinstance(symbols, SymbolTable) else SymbolTable(symbols)
    if min_length < 0:
        raise GraphError(f"min_length is {min_length}; a length is 0 or more")
    if max_length is not None and max_length < min_length:
        raise GraphError(f"max_length is {max_length}, below min_length, {min_length}")
    labels = letter_labels(table)
    last = min_length if max_length is None else max_length
    steps = last + 1 if max_length is None else last
    src = np.repeat(np.arange(steps, dtype=np.int32), len(labels))
    return from_arrays(
        src,
        np.minimum(src + 1, last),
        np.tile(labels, steps),
        start=0,
        final=range(min_length, last + 1),
        num_nodes=last + 1,
        symbols=table,
    )


def fixed_length(symbols: SymbolTable | Iterable[str], length: int) -> Graph:
    """Return the deterministic acceptor of every string of one length.

    Raises:
        GraphError: a length below zero.

    >>> fixed_length("ab", 2).num_arcs, fixed_length("ab", 2).finals
    (4, array([2], dtype=int32))
    """
    return any_string(symbols, min_length=length, max_length=length)
