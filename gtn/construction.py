"""Construction: graphs from lists, arrays and matrices of penalties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from numbers import Real
from operator import index
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from gtn.batch import GraphBatch
from gtn.data import Column
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph, check_table
from gtn.indexes import LARGEST, check_counts, integers
from gtn.symbols import EPSILON, EPSILON_TEXT, SymbolTable, check_new
from gtn.tensors import Lengths, checked_lengths
from gtn.topology import Topology

__all__ = [
    "Label",
    "arc_of",
    "check_no_numbers",
    "empty",
    "end_penalty",
    "from_arcs",
    "from_arrays",
    "label_of",
    "linear",
    "plain",
]

Nodes = int | Iterable[int] | Mapping[int, float]
_PLAIN = frozenset((int, float, str, type(None)))
Label = int | str | None


def from_arrays(
    src: ArrayLike,
    dst: ArrayLike,
    ilabels: ArrayLike,
    olabels: ArrayLike | None = None,
    *,
    penalties: torch.Tensor | ArrayLike | None = None,
    start: Nodes = 0,
    final: Nodes,
    start_penalties: torch.Tensor | None = None,
    final_penalties: torch.Tensor | None = None,
    num_nodes: int | None = None,
    symbols: SymbolTable | None = None,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
    data: Mapping[str, Column | Any] | None = None,
) -> Graph:
    """Return the graph of arrays of arcs: the fast way to build.

    Args:
        src, dst: nodes, ``[A]``, in any order; ``num_nodes`` defaults to the largest + 1.
        ilabels, olabels: labels >= 0 or ``EPSILON``; without ``olabels``, an acceptor.
        penalties: ``[A]``; zero unless given. A tensor is used as it is, anything else is copied
            into one.
        start, final: a node, several, or a mapping from node to penalty.
        start_penalties, final_penalties: tensors, in the order of increasing nodes.
        symbols: the table of both sides; ``isymbols`` and ``osymbols``: of one each.
        data: arc data by key, one row per arc.

    Raises:
        GraphError: naming the arc.

    >>> from_arrays([0, 1], [1, 2], [5, 6], penalties=[0.5, 1.5], final=2)
    Graph: 3 nodes, 2 arcs, start 0, final 2
      0 -> 1  5  0.5
      1 -> 2  6  1.5
    """
    starts, start_values = _nodes(start, "start")
    finals, final_values = _nodes(final, "final")
    for name, values, tensor in (
        ("start", start_values, start_penalties),
        ("final", final_values, final_penalties),
    ):
        if tensor is not None and any(values):
            raise GraphError(f"{name}= and {name}_penalties= both have penalties; give one of them")
    src, dst = np.asarray(src), np.asarray(dst)
    if src.size == 0:
        src, dst = src.astype(np.int32), dst.astype(np.int32)
    for name, nodes in (("src", src), ("dst", dst)):
        if nodes.dtype.kind not in "iu":
            integers(nodes, name)  # says what they are
    if num_nodes is None:
        num_nodes = max(1 + int(n.max()) if n.size else 0 for n in (src, dst, starts, finals))
    topology = Topology(num_nodes, src, dst, ilabels, olabels, starts=starts, finals=finals)
    if penalties is None:
        penalties = torch.zeros(topology.num_arcs)
    elif not isinstance(penalties, torch.Tensor):
        penalties = torch.from_numpy(_floats(penalties))
    if start_penalties is None:
        start_penalties = torch.tensor(start_values, dtype=penalties.dtype, device=penalties.device)
    if final_penalties is None:
        final_penalties = torch.tensor(final_values, dtype=penalties.dtype, device=penalties.device)
    return Graph(
        topology,
        penalties,
        start_penalties=start_penalties,
        final_penalties=final_penalties,
        isymbols=symbols if isymbols is None else isymbols,
        osymbols=symbols if osymbols is None else osymbols,
        data=data,
    )


def from_arcs(
    arcs: Iterable[tuple[Any, ...]],
    *,
    start: Nodes = 0,
    final: Nodes,
    penalties: torch.Tensor | None = None,
    num_nodes: int | None = None,
    symbols: SymbolTable | None = None,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
    data: Mapping[str, Column | Any] | None = None,
    dtype: torch.dtype | None = None,
) -> Graph:
    """Return the graph of a list of arcs.

    Args:
        arcs: ``(src, dst, label)``, ``(src, dst, label, penalty)``,
            ``(src, dst, ilabel, olabel)`` or ``(src, dst, ilabel, olabel, penalty)``; the fourth
            of four is a penalty if and only if it is a float. Labels are integers >= 0 (also of
            numpy or torch) or strings; epsilon is ``None``, ``"ε"`` or ``EPSILON``.
        start, final: a node, several, or a mapping from node to penalty.
        penalties: a tensor ``[A]`` instead of numbers in the arcs.
        symbols, isymbols, osymbols: tables. If labels are strings and no table is given, one table
            for both sides is made of the symbols, in the order of their first use.
        data: arc data by key, one row per arc.
        dtype: of the penalties (torch's default dtype, unless given).

    Raises:
        GraphError: an arc of another form; a node that does not exist; a bad penalty.
        SymbolError: a symbol that is not in the given table; without a table, integer labels
            beside symbols, or "" or "<eps>", which other tools use for epsilon.

    >>> from_arcs([(0, 1, "a", "b", 0.5), (1, 1, "b", None)], final={1: 2.0})
    Graph: 2 nodes, 2 arcs, start 0, final 1 (2)
      0 -> 1  a:b  0.5
      1 -> 1  b:ε  0
    """
    rows = [arc_of(i, arc) for i, arc in enumerate(arcs)]
    src, dst, inputs, outputs, numbers = zip(*rows, strict=True) if rows else ((),) * 5
    isymbols = symbols if isymbols is None else isymbols
    osymbols = symbols if osymbols is None else osymbols
    check_table(isymbols, "input")
    check_table(osymbols, "output")
    texts = [x for pair in zip(inputs, outputs, strict=True) for x in pair if isinstance(x, str)]
    texts = [x for x in texts if x != EPSILON_TEXT]
    if texts and isymbols is None and osymbols is None:
        for i, pair in enumerate(zip(inputs, outputs, strict=True)):
            check_no_numbers(i, pair)
            for symbol in pair:
                if isinstance(symbol, str):
                    check_new(symbol, f"arc {i}")
        isymbols = osymbols = SymbolTable(dict(enumerate(dict.fromkeys(texts))))
    if penalties is None:
        penalties = torch.tensor(numbers, dtype=dtype or torch.get_default_dtype())
    elif any(numbers):
        arc = next(i for i, number in enumerate(numbers) if number)
        raise GraphError(
            f"arc {arc} has the penalty {numbers[arc]}, but penalties= holds those of all arcs; "
            "give one or the other"
        )
    acceptor = inputs == outputs and isymbols == osymbols
    ilabels = [label_of(i, x, isymbols) for i, x in enumerate(inputs)]
    return from_arrays(
        np.array(src, dtype=np.int64),
        np.array(dst, dtype=np.int64),
        np.array(ilabels, dtype=np.int64),
        None
        if acceptor
        else np.array([label_of(i, x, osymbols) for i, x in enumerate(outputs)], dtype=np.int64),
        penalties=penalties,
        start=start,
        final=final,
        num_nodes=num_nodes,
        isymbols=isymbols,
        osymbols=osymbols,
        data=data,
    )


def linear(
    penalties: torch.Tensor,
    *,
    lengths: Lengths = None,
    symbols: SymbolTable | None = None,
    data: Mapping[str, Column | Any] | None = None,
) -> Graph:
    """Return the chain of T + 1 nodes with one arc per class between neighbours.

    The output graph of a space displacement network (paper, section VII): T positions, C classes.

    Args:
        penalties: ``[T, C]``, in nats, with or without gradients; arc ``t * C + c`` has
            ``penalties[t, c]`` and label c. ``[B, T, C]`` gives a batch of B chains.
        lengths: how many positions each chain of a batch has, ``[B]``; unless given, all have T.
        symbols: the text of the classes.
        data: one row per arc, ``[T * C, …]``; for a batch, the arcs of all its chains. Repeat data
            of positions (such as columns of a picture) for their classes:
            ``columns.repeat_interleave(C, dim=0)``.

    Raises:
        GraphError: not a tensor of two or three dimensions; lengths without a batch, not one per
            chain, or beyond T.

    >>> linear(torch.tensor([[0.5, 1.0], [2.0, 0.0]])).dst
    array([1, 1, 2, 2], dtype=int32)
    >>> [chain.num_arcs for chain in linear(torch.zeros(2, 3, 4), lengths=[3, 1])]
    [12, 4]
    """
    if not isinstance(penalties, torch.Tensor):
        raise GraphError(f"penalties must be a torch.Tensor, not {type(penalties).__name__}")
    if penalties.ndim == 3:
        return _linears(penalties, lengths, symbols, data)
    if penalties.ndim != 2:
        raise GraphError(
            f"penalties must be [T, C] or [B, T, C], not of shape {list(penalties.shape)}"
        )
    if lengths is not None:
        raise GraphError("lengths belong to a batch, but penalties are [T, C]; leave them out")
    length, classes = penalties.shape
    check_counts(length + 1, length * classes)
    src = np.repeat(np.arange(length, dtype=np.int32), classes)
    topology = Topology(
        length + 1,
        src,
        src + 1,
        np.tile(np.arange(classes, dtype=np.int32), length),
        starts=[0],
        finals=[length],
        check=False,
    )
    return Graph(topology, penalties.reshape(-1), isymbols=symbols, osymbols=symbols, data=data)


def _linears(
    penalties: torch.Tensor,
    lengths: Lengths,
    symbols: SymbolTable | None,
    data: Mapping[str, Column | Any] | None,
) -> GraphBatch:
    """Return the batch of the chains of ``[B, T, C]``."""
    count, length, classes = penalties.shape
    steps = checked_lengths(lengths, count, length)
    frames = np.concatenate(([0], np.cumsum(steps)))
    check_counts(int(frames[-1]) + count, int(frames[-1]) * classes, "batch")
    first = frames + np.arange(count + 1)  # node of each chain: one more than its frames
    owner = np.repeat(np.arange(count), steps)
    src = np.repeat((np.arange(frames[-1]) + owner).astype(np.int32), classes)
    topology = Topology(
        int(first[-1]),
        src,
        src + 1,
        np.tile(np.arange(classes, dtype=np.int32), frames[-1]),
        starts=first[:-1],
        finals=first[1:] - 1,
        node_offsets=first,
        arc_offsets=frames * classes,
        check=False,
    )
    rows = penalties.reshape(count * length, classes)
    if lengths is not None:
        within = np.arange(frames[-1]) - frames[owner] + owner * length
        rows = rows.index_select(0, torch.from_numpy(within).to(rows.device))
    return GraphBatch(topology, rows.reshape(-1), isymbols=symbols, osymbols=symbols, data=data)


def empty(*, symbols: SymbolTable | None = None, dtype: torch.dtype | None = None) -> Graph:
    """Return the graph without nodes: it has no path, so its penalty is infinite.

    >>> empty()
    Graph: 0 nodes, 0 arcs, start none, final none
    """
    topology = Topology(0, _NONE, _NONE, _NONE, starts=_NONE, finals=_NONE)
    penalties = torch.zeros(0, dtype=dtype or torch.get_default_dtype())
    return Graph(topology, penalties, isymbols=symbols, osymbols=symbols)


def end_penalty(value: Any, owner: str) -> float | None:
    """Return the penalty of a start or final: 0 for true, None for false, or the number itself.

    Raises:
        GraphError: another value, or a penalty that needs a gradient; names the owner.
    """
    if isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == torch.bool:
        return 0.0 if value else None
    if getattr(value, "requires_grad", False):
        raise GraphError(
            f"{owner} has a penalty that needs a gradient; build the graph, then give it all "
            "such penalties as one tensor, with_penalties(…)"
        )
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise GraphError(
            f"{owner} has penalty {value!r}; it is a number, or true or false"
        ) from error


_NONE: NDArray[np.int32] = np.empty(0, dtype=np.int32)


def _nodes(nodes: Nodes, name: str) -> tuple[NDArray[np.int64], list[float]]:
    """Return sorted node numbers and their penalties."""
    given: Any = nodes
    if isinstance(nodes, np.ndarray | np.generic | torch.Tensor):
        given = nodes.tolist()
    if isinstance(given, str) or not isinstance(given, Iterable):
        given = [given]
    items = given.items() if isinstance(given, Mapping) else ((n, 0.0) for n in given)
    ends = ((_node(n, name), end_penalty(p, f"{name} node {n!r}")) for n, p in items)
    pairs = sorted((n, p) for n, p in ends if p is not None)
    numbers = [n for n, _ in pairs]
    twice = next((n for n, m in pairwise(numbers) if n == m), None)
    if twice is not None:
        raise GraphError(f"{name} node {twice} is given twice")
    return np.array(numbers, dtype=np.int64), [p for _, p in pairs]


def _node(node: Any, name: str) -> int:
    if isinstance(node, bool | np.bool_):
        raise GraphError(
            f"{name} node {node} is not a number; of a mask, give np.flatnonzero(mask)"
        )
    try:
        number = index(node)
    except TypeError:
        raise GraphError(
            f"{name} node {node!r} is not an integer; {name} is a node, several, or a mapping from "
            "node to penalty"
        ) from None
    if not -LARGEST < number < LARGEST:
        raise GraphError(f"{name} node {number}; nodes are 0 to {LARGEST - 1}")
    return number


def arc_of(i: int, arc: tuple[Any, ...]) -> tuple[int, int, Label, Label, float]:
    """Return (src, dst, input, output, penalty) of arc i in one of its four forms."""
    if not isinstance(arc, tuple | list) or not 3 <= len(arc) <= 5:
        raise GraphError(f"arc {i} is {arc!r}; an arc is (src, dst, label[, olabel][, penalty])")
    src, dst, label, *rest = map(plain, arc)
    for end, node in (("source", src), ("destination", dst)):
        if not isinstance(node, int | np.integer) or isinstance(node, bool):
            raise GraphError(f"arc {i} has {end} {node!r}; nodes are integers")
        if not -LARGEST < node < LARGEST:
            raise GraphError(f"arc {i} has {end} node {node}; nodes are 0 to {LARGEST - 1}")
    if not rest:
        return src, dst, label, label, 0.0
    if len(rest) == 2:
        if not isinstance(rest[1], Real):
            raise GraphError(f"arc {i} has penalty {rest[1]!r}; a penalty is a number")
        return src, dst, label, rest[0], float(rest[1])
    if isinstance(rest[0], torch.Tensor):
        raise GraphError(
            f"arc {i} has the tensor {rest[0]!r}; penalties with gradients go in penalties=, one "
            "tensor for all arcs"
        )
    if isinstance(rest[0], float | np.floating):
        return src, dst, label, label, float(rest[0])
    if isinstance(label, str) and isinstance(rest[0], int | np.integer) and rest[0] != EPSILON:
        raise GraphError(
            f"arc {i} is {arc!r}: {rest[0]} after a symbol is not an output label; "
            f"a penalty is written as a float, {float(rest[0])}"
        )
    return src, dst, label, rest[0], 0.0


def plain(value: Any) -> Any:
    """Return an integer tensor without dimensions (a label or node) as a number; others unchanged.

    >>> plain(torch.tensor([3, 1])[0]), plain("a"), plain(torch.tensor(0.5))
    (3, 'a', tensor(0.5000))
    """
    # The types first that almost all have: whether it is a tensor takes longer to ask.
    if type(value) in _PLAIN or not isinstance(value, torch.Tensor):
        return value
    if value.ndim or value.dtype == torch.bool:
        return value
    return value if value.is_floating_point() or value.is_complex() else value.item()


def label_of(i: int, label: Label, table: SymbolTable | None, of: str = "arc") -> int:
    """Return the label of arc i: an integer, or a symbol of a table; None and "ε" are epsilon.

    Errors name it as an arc, unless it is something else that labels are ``of``.
    """
    if label is None:
        return EPSILON
    if isinstance(label, str):
        if label == EPSILON_TEXT:
            return EPSILON
        if table is None:
            raise GraphError(f"{of} {i} has the symbol {label!r}, but that side has no table")
        if label not in table:
            raise SymbolError(f"{of} {i} has the symbol {label!r}, which is not in {table!r}")
        return table.label(label)
    if isinstance(label, int | np.integer):
        if not -LARGEST <= label <= LARGEST:
            raise GraphError(f"{of} {i} has label {label}; labels are 0 to {LARGEST}")
        return int(label)
    raise GraphError(f"{of} {i} has label {label!r}; labels are integers >= 0 or strings")


def check_no_numbers(i: int, labels: Iterable[Any], of: str = "arc") -> None:
    """Check that arc i has no integer label, which a table made of symbols would say nothing of.

    Errors name it as :func:`label_of` does.

    Raises:
        SymbolError: naming the label.
    """
    for label in labels:
        if isinstance(label, int | np.integer) and label != EPSILON:
            raise SymbolError(
                f"{of} {i} has label {label}, other {of}s have symbols; write all labels as "
                "symbols, or give a table with symbols="
            )


def _floats(values: ArrayLike) -> NDArray[Any]:
    """Return a copy: floating arrays keep their type, anything else gets torch's default."""
    if isinstance(values, np.ndarray) and values.dtype in (np.float32, np.float64):
        return np.array(values)
    default = np.float32 if torch.get_default_dtype() == torch.float32 else np.float64
    return np.array(values, dtype=default)
