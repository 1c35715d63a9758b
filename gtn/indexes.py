"""The arrays of a topology: checked, read-only, and grouped by node."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gtn.errors import GraphError
from gtn.kernels.reachability import by_node, group_by, offsets_in_order

__all__ = [
    "LARGEST",
    "ArcIndex",
    "Components",
    "by_ends",
    "by_label",
    "check_counts",
    "check_offsets",
    "first_where",
    "frozen",
    "grouped",
    "integers",
    "numbered",
]

Int32s = NDArray[np.int32]
Mask = NDArray[np.bool_]

LARGEST = int(np.iinfo(np.int32).max)
"""Labels, and numbers of nodes and arcs, go up to it: they have 32 bits."""

_LEAST = int(np.iinfo(np.int32).min)


class ArcIndex(NamedTuple):
    """Arcs grouped by node: those of node n are ``arcs[offsets[n]:offsets[n + 1]]``."""

    offsets: Int32s
    arcs: Int32s


class Components(NamedTuple):
    """Strongly connected components: component k is ``nodes[offsets[k]:offsets[k + 1]]``."""

    nodes: Int32s
    offsets: Int32s


def frozen(array: Any) -> Any:
    """Return the array, made read-only.

    Everything a topology holds is read-only, indexes included: nothing goes stale, and kernels
    are compiled for one kind of array only.
    """
    array.setflags(write=False)
    return array


def integers(values: ArrayLike, name: str, check: bool = True) -> Int32s:
    """Return a frozen copy of a row of integers; unchecked, the array itself, frozen.

    Raises:
        GraphError: anything but a one-dimensional array of integers that fit 32 bits.
    """
    if not check:
        own: Int32s = frozen(np.ascontiguousarray(values, dtype=np.int32))
        return own
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise GraphError(
            f"{name} must be a one-dimensional array of integers, "
            f"not of shape {given.shape} and type {given.dtype}"
        )
    if given.dtype != np.int32:
        bad = first_where((given > LARGEST) | (given < _LEAST))
        if bad is not None:
            raise GraphError(f"{name}[{bad}] is {given[bad]}, which does not fit 32 bits")
    copied: Int32s = frozen(np.array(given, dtype=np.int32))
    return copied


def check_counts(nodes: int, arcs: int, of: str = "graph") -> None:
    """Check that nodes and arcs fit 32-bit numbers, before memory is allocated for them: O(1).

    Raises:
        GraphError: too many nodes or arcs.
    """
    if max(nodes, arcs) > LARGEST:
        raise GraphError(
            f"{nodes} nodes and {arcs} arcs are too many for one {of}, in which {LARGEST} of "
            "each are numbered"
        )


def check_offsets(node_offsets: Int32s, nodes: int, arc_offsets: Int32s, arcs: int) -> None:
    """Check where the nodes and arcs of each graph of a batch begin.

    Raises:
        GraphError: offsets that do not go from 0 to the end, or that decrease.
    """
    for name, count, offsets in (
        ("node_offsets", nodes, node_offsets),
        ("arc_offsets", arcs, arc_offsets),
    ):
        if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != count:
            raise GraphError(f"{name} must go from 0 to {count}, not {offsets.tolist()}")
        bad = first_where(np.diff(offsets) < 0)
        if bad is not None:
            raise GraphError(f"{name} decrease after graph {bad}: {offsets.tolist()}")
    if len(node_offsets) != len(arc_offsets):
        raise GraphError(
            f"node_offsets are those of {len(node_offsets) - 1} graphs, "
            f"arc_offsets of {len(arc_offsets) - 1}"
        )


def grouped(keys: Int32s, groups: int, order: Int32s | None = None) -> ArcIndex:
    """Return the members of ``order`` (None: all) grouped by key, in the order they have there."""
    if order is None:
        order = frozen(np.arange(len(keys), dtype=np.int32))
    offsets, arcs = group_by(keys, groups, order)
    return ArcIndex(frozen(offsets), frozen(arcs))


def numbered(keys: NDArray[Any]) -> tuple[NDArray[Any], Int32s]:
    """Return the distinct keys, integers >= 0, in order, and the position of each key among them.

    Linear if there are no large gaps between the keys; otherwise they are sorted.
    """
    top = int(keys.max(initial=-1)) + 1
    if top > 4 * len(keys) + 1024:
        different, numbers = np.unique(keys, return_inverse=True)
        return different, numbers.astype(np.int32)
    occurs = np.zeros(top, dtype=np.bool_)
    occurs[keys] = True
    number = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(occurs), number[keys]


def by_ends(nodes: Int32s, others: Int32s, num_nodes: int) -> tuple[Int32s, Int32s, Int32s]:
    """Return offsets and arcs grouped by the node at one end, and their other ends."""
    offsets, arcs, ends = by_node(nodes, others, num_nodes)
    return frozen(offsets), frozen(arcs), frozen(ends)


def by_label(src: Int32s, labels: Int32s, num_nodes: int) -> ArcIndex:
    """Return arcs grouped by source, within a node by label (epsilon first), then by arc."""
    offsets, in_order = offsets_in_order(src, labels, num_nodes)
    if in_order:  # as the arcs of strings and of emissions are
        return ArcIndex(frozen(offsets), frozen(np.arange(len(src), dtype=np.int32)))
    top = int(labels.max(initial=-1)) + 2
    if top <= 4 * len(labels) + 1024:
        arcs = grouped(frozen(labels + np.int32(1)), top).arcs
    else:
        arcs = frozen(np.argsort(labels, kind="stable").astype(np.int32))
    return grouped(src, num_nodes, arcs)


def first_where(wrong: Mask) -> int | None:
    """Return the first place where something is wrong, or None."""
    return int(np.argmax(wrong)) if wrong.any() else None
