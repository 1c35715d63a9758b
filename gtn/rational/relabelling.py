"""Other labels on the arcs of a graph, and the cross product made with them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gtn.construction import Label
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_graph
from gtn.rational.operations import concat, with_labels
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable, check_new

__all__ = ["cross", "relabel"]

_LARGEST = int(np.iinfo(np.int32).max)
Int32s = NDArray[np.int32]
Labels = Mapping[Label, Label] | ArrayLike | None


def relabel(graph: Graph, ilabels: Labels = None, olabels: Labels = None) -> Graph:
    """Return the graph with other labels; nodes, arcs, penalties and data stay.

    Each side by itself: ``ilabels`` alone turns an acceptor into a transducer. On a batch, all its
    graphs. O(A log M) for M labels that change.

    Args:
        ilabels, olabels: the new labels of a side: a mapping from labels or symbols to labels or
            symbols (``None`` for epsilon), which leaves those it does not name; or all labels,
            ``[A]``. Symbols that the side's table lacks are added to it.

    Raises:
        GraphError: not one label per arc, or an invalid label.
        SymbolError: a symbol where the side has no table; a label that its table lacks; "" or
            "<eps>", which other tools use for epsilon, unless the table has them.

    >>> import gtn
    >>> relabel(gtn.string("ab#"), olabels={"#": None, "b": "c"})
    Graph: 4 nodes, 3 arcs, start 0, final 3
      0 -> 1  a    0
      1 -> 2  b:c  0
      2 -> 3  #:ε  0
    """
    check_graph(graph)
    inputs, isymbols = _changed(graph.ilabels, graph.isymbols, ilabels, "ilabels")
    outputs, osymbols = _changed(graph.olabels, graph.osymbols, olabels, "olabels")
    same = np.array_equal(inputs, outputs)
    return with_labels(graph, inputs, None if same else outputs, isymbols, osymbols)


def cross(a: Graph, b: Graph) -> Graph:
    """Return the transducer from each string of an acceptor to each of another: the cross product.

    Each pair of their paths gives one path, with the penalties of both. It first reads the string
    of ``a``, writing nothing, then writes that of ``b``. O(N + A). Batches and sources as in
    :func:`gtn.concat`.

    Raises:
        GraphError: a transducer.

    >>> import gtn
    >>> twelve = cross(gtn.string("12"), gtn.string(["twelve"]))
    >>> gtn.path_text(twelve, "input"), gtn.path_text(twelve)
    ('12', 'twelve')
    """
    for name, graph in (("a", a), ("b", b)):
        check_graph(graph)
        if not graph.topology.is_acceptor or graph.isymbols != graph.osymbols:
            raise GraphError(f"{name} is a transducer; a cross product is of acceptors: project it")
    # Drop the tables of sides without labels: they would only clash.
    reads = relabel(a, olabels=np.full(a.num_arcs, EPSILON))._with(osymbols=None)
    writes = relabel(b, ilabels=np.full(b.num_arcs, EPSILON))._with(isymbols=None)
    return concat(reads, writes)


def _changed(
    labels: Int32s, table: SymbolTable | None, change: Labels, side: str
) -> tuple[Int32s, SymbolTable | None]:
    """Return the labels of a side after a change, and its table."""
    if change is None:
        return labels, table
    if not isinstance(change, Mapping):
        return _checked(change, labels, table, side), table
    texts = [x for x in change.values() if isinstance(x, str) and x != EPSILON_TEXT]
    if table is not None:
        added = [x for x in dict.fromkeys(texts) if x not in table]
        for symbol in added:
            check_new(symbol, side)
        table = table.merged(SymbolTable(added))
    found = {_label(old, table, side): _label(new, table, side) for old, new in change.items()}
    old = np.array(sorted(found), dtype=np.int64)
    new = np.array([found[label] for label in old.tolist()], dtype=np.int32)
    if not len(old):
        return labels, table
    place = np.minimum(np.searchsorted(old, labels), len(old) - 1)
    return np.where(old[place] == labels, new[place], labels).astype(np.int32), table


def _label(label: Any, table: SymbolTable | None, side: str) -> int:
    if isinstance(label, str) and table is None and label != EPSILON_TEXT:
        raise SymbolError(f"{side}: {label!r} is a symbol, but that side has no table")
    if label is None or label == EPSILON_TEXT:
        return EPSILON
    try:
        if table is not None:
            return table.label(label) if isinstance(label, str) else _known(index(label), table)
        found = index(label)
    except SymbolError as error:
        raise SymbolError(f"{side}: {error}") from None
    except TypeError:
        raise GraphError(f"{side}: {label!r} is neither a label nor a symbol") from None
    if not EPSILON <= found <= _LARGEST:
        raise GraphError(f"{side}: {found} is not a label; labels are 0 to {_LARGEST}")
    return found


def _known(label: int, table: SymbolTable) -> int:
    """Return a label of a table; raises ``SymbolError`` where it has none."""
    table.symbol(label)
    return label


def _checked(given: ArrayLike, like: Int32s, table: SymbolTable | None, side: str) -> Int32s:
    """Return labels that are given for all arcs."""
    labels = np.asarray(given)
    if labels.shape != like.shape or (labels.size and labels.dtype.kind not in "iu"):
        raise GraphError(
            f"{side} must be {len(like)} integers, one for each arc, or a mapping; not "
            f"{labels.dtype} of shape {list(labels.shape)}"
        )
    wrong = (labels < EPSILON) | (labels > _LARGEST)
    if wrong.any():
        arc = int(np.argmax(wrong))
        raise GraphError(f"{side}: {labels[arc]} of arc {arc} is not a label")
    if table is not None:
        lacking = ~table.known(labels)
        if lacking.any():
            arc = int(np.argmax(lacking))
            raise SymbolError(f"{side}: {labels[arc]} of arc {arc} is not in {table!r}")
    return labels.astype(np.int32)
