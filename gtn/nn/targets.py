"""Targets as acceptors of what a path must write."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import GraphBatch, rearranged
from gtn.construction import empty
from gtn.errors import GraphError, SymbolError
from gtn.graph import Graph
from gtn.optimization import connect
from gtn.paths import path_labels
from gtn.product.failure import failure_label
from gtn.symbols import BACK_OFF, EPSILON, EPSILON_TEXT, SymbolTable
from gtn.texts import check_text, string, strings, words_hint
from gtn.topology import Topology

__all__ = [
    "LabelTargets",
    "Target",
    "acceptors",
    "label_rows",
    "label_targets",
    "one_for_each",
    "padding_hint",
    "target_labels",
    "unknown_label",
    "unknown_symbol",
]

_MOST = np.iinfo(np.int32).max
"""The greatest label, which fits 32 bits."""

Target = str | Sequence[Any] | Graph
LabelTargets = torch.Tensor | Sequence[Any]


def acceptors(
    targets: Target | Sequence[Target],
    table: SymbolTable | None,
    like: torch.Tensor,
    count: int | None = None,
    batch: str = "",
) -> Graph:
    """Return the acceptor of one target, or a batch of ``count`` of them.

    No path has a symbol or label outside the table, so such a target gets a graph without a path.

    Args:
        targets: a string, a sequence of symbols or of labels, a tensor of labels, or an acceptor;
            for a batch, a list of these, or a batch of acceptors.
        table: symbols of the output to constrain.
        like: gives the acceptors their dtype and device.
        batch: what messages say the targets belong to, if not to a batch of graphs.

    Raises:
        GraphError: a wrong number of targets; symbols where there is no table.
        SymbolError: an acceptor without a table where there is one, or the reverse.
    """
    if count is None:
        return _acceptor(targets, _with_failures([targets], table), like)
    each = one_for_each(targets, count, batch)
    if not each:
        return _nothing(table, like)
    if any(isinstance(target, Graph) for target in each):
        table = _with_failures(each, table)
        return GraphBatch.from_graphs([_acceptor(target, table, like) for target in each])
    rows = [_items(target, table) for target in each]
    return strings(rows, symbols=table, dtype=like.dtype).to(like.device)


def one_for_each(targets: Any, count: int, batch: str = "") -> list[Any]:
    """Return the targets of a batch of ``count`` graphs (``batch``: its name in messages).

    Raises:
        GraphError: one target instead of several, or another number of them.
    """
    alone = isinstance(targets, str | Graph) and not isinstance(targets, GraphBatch)
    alone |= getattr(targets, "ndim", 1) == 0
    needs = f"{batch or f'a batch of {count} graphs'} needs a list of as many targets"
    if alone or not hasattr(targets, "__iter__"):
        raise GraphError(f"{needs}, not one")
    each = list(targets)
    if len(each) != count:
        raise GraphError(f"{needs}, not {len(each)}")
    return each


def _nothing(table: SymbolTable | None, like: torch.Tensor) -> Graph:
    return empty(symbols=table, dtype=like.dtype).to(like.device)


def _acceptor(target: Any, table: SymbolTable | None, like: torch.Tensor) -> Graph:
    if isinstance(target, Graph):
        if target.topology.is_batch:
            raise GraphError(
                f"a batch of {len(target)} targets beside one graph, which needs one"  # type: ignore[arg-type]
            )
        return _in_table(target.without_data().to(like), table)
    items = _items(target, table)
    if items is None:
        return _nothing(table, like)
    return string(items, symbols=table, dtype=like.dtype).to(like.device)


def _items(target: Any, table: SymbolTable | None) -> list[Any] | None:
    """Return the symbols or labels of a target; None if one of them is not in the table."""
    if isinstance(target, str):
        check_text(target)
    items = _listed(target)
    if table is None:
        if any(isinstance(x, str) for x in items):
            raise GraphError(f"target {target!r} has symbols, but the graph's output has no table")
        return items
    labels = {_label(x, target) for x in items if not isinstance(x, str)}
    known = _known(list(labels), table).all()
    texts = (x for x in items if isinstance(x, str))
    return items if known and all(x == EPSILON_TEXT or x in table for x in texts) else None


def _listed(target: Any) -> list[Any]:
    items = target.tolist() if isinstance(target, torch.Tensor | np.ndarray) else target
    if not hasattr(items, "__iter__"):
        raise GraphError(f"the target {target!r} is not a text, sequence of labels or graph")
    return list(items)


def _label(label: Any, target: Any) -> int:
    try:
        return index(label)
    except TypeError:
        raise GraphError(
            f"target {target!r} has {label!r}; labels are integers >= 0 or symbols"
        ) from None


def _known(labels: Sequence[int], table: SymbolTable) -> NDArray[np.bool_]:
    """Return which numbers are labels of a table; those beyond 32 bits are not."""
    near = [min(max(label, EPSILON - 1), _MOST + 1) for label in labels]
    return table.known(np.array(near, dtype=np.int64))


def unknown_symbol(target: Any, table: SymbolTable | None) -> str | None:
    """Return the first symbol of a target that is not in a table; None if there is none."""
    if table is None or isinstance(target, Graph | torch.Tensor):
        return None
    symbols = (x for x in target if isinstance(x, str) and x != EPSILON_TEXT)
    return next((x for x in symbols if x not in table), None)


def unknown_label(target: Any, table: SymbolTable | None) -> int | None:
    """Return the first label of a target that has no symbol in a table; None if there is none."""
    if table is None or isinstance(target, Graph | str):
        return None
    labels = [_label(x, target) for x in _listed(target) if not isinstance(x, str)]
    unknown = ~_known(labels, table)
    return labels[int(np.argmax(unknown))] if unknown.any() else None


def _with_failures(targets: Sequence[Any], table: SymbolTable | None) -> SymbolTable | None:
    """Return the table, with ``BACK_OFF`` added if a target has failure arcs, which read it."""
    back_off = any(isinstance(t, Graph) and failure_label(t, None) is not None for t in targets)
    return table.merged(SymbolTable([BACK_OFF])) if back_off and table is not None else table


def _in_table(target: Graph, table: SymbolTable | None) -> Graph:
    """Return an acceptor with the labels of a table, without arcs of symbols that it lacks.

    What is then on no path is also left out (unless there are failure arcs), so a target that
    cannot be written has no node.
    """
    own = target.isymbols
    if own == table:
        return target
    if own is None or table is None:
        having, lacking = ("target", "graph") if table is None else ("graph", "target")
        raise SymbolError(
            f"the {having} has a symbol table where the {lacking} has none; give it one "
            "(with_symbols)"
        )
    labels = table.relabelled(own, target.ilabels)
    kept = np.flatnonzero(table.known(labels)).astype(np.int32)
    topology = Topology(
        target.num_nodes,
        target.src[kept],
        target.dst[kept],
        labels[kept],
        starts=target.starts,
        finals=target.finals,
        check=False,
    )
    starts, finals = (np.arange(len(n), dtype=np.int32) for n in (target.starts, target.finals))
    left = rearranged(target.with_symbols(None), topology, kept, starts, finals)
    # With failure arcs, an arc that leads nowhere forbids its label, so it stays.
    if len(kept) < target.num_arcs and failure_label(target, None) is None:
        left = connect(left)
    return left.with_symbols(table)


def target_labels(target: Any, table: SymbolTable | None) -> NDArray[np.int32]:
    """Return the labels of a target, without epsilons.

    Raises:
        GraphError: an acceptor of more than one string; symbols where there is no table; an invalid
            label.
        SymbolError: a symbol or label that is not in the table.
    """
    if isinstance(target, Graph):
        labels = path_labels(target, "input").tolist()
        items = labels if target.isymbols is None else target.isymbols.decode(labels)
    else:
        items = _listed(target)
    if table is None and any(isinstance(x, str) for x in items):
        raise GraphError(f"target {target!r} has symbols, but the graph's output has no table")
    label = unknown_label(items, table)
    if label is not None:
        raise SymbolError(f"target {target!r} has label {label}, which is not in {table!r}")
    unknown = unknown_symbol(items, table)
    if unknown is not None:
        raise SymbolError(
            f"target {target!r} has the symbol {unknown!r}, which is not in {table!r}"
            + words_hint(target, table)
        )
    labels = [
        table.label(x) if table is not None and isinstance(x, str) else _label(x, target)
        for x in items
        if x not in (EPSILON, EPSILON_TEXT)
    ]
    wrong = next((label for label in labels if not 0 <= label <= _MOST), None)
    if wrong is not None:
        raise GraphError(f"target {target!r} has label {wrong}; labels are 0 to {_MOST}")
    return np.array(labels, dtype=np.int32)


def _on_cpu(values: Any) -> NDArray[Any]:
    if isinstance(values, torch.Tensor):
        array: NDArray[Any] = values.detach().cpu().numpy()
        return array
    return np.asarray(values)


def _row(b: int, target: Any) -> NDArray[Any]:
    try:
        row = _on_cpu(target)
    except ValueError:  # rows of different lengths
        row = np.empty((0, 0))
    if row.ndim != 1 and row.dtype.kind != "U":
        raise GraphError(
            f"the target of sample {b} is {target!r}, which is not a sequence of labels"
        )
    return row.reshape(-1)


def label_targets(
    targets: LabelTargets, target_lengths: Any, emissions: torch.Tensor
) -> tuple[LabelTargets, Any]:
    """Return one target per sample of emissions, and target lengths as :func:`label_rows` takes.

    Args:
        emissions: ``[B, T, C]`` of B targets, or ``[T, C]`` of one.

    Raises:
        GraphError: another number of targets; lengths that do not cut them.
    """
    if emissions.ndim == 2:
        return [targets], target_lengths
    targets, target_lengths = _one_by_one(targets, target_lengths)
    if not hasattr(targets, "__iter__") or getattr(targets, "ndim", 1) == 0:
        raise GraphError(f"the targets of a batch are a list or a tensor of them, not {targets!r}")
    if not hasattr(targets, "__len__"):
        targets = list(targets)
    if len(targets) != len(emissions):
        raise GraphError(
            f"emissions of shape {list(emissions.shape)}, [B, T, C], with {len(targets)} targets; "
            f"there are {len(emissions)} samples, and each needs a target"
        )
    return targets, target_lengths


def _one_by_one(targets: LabelTargets, target_lengths: Any) -> tuple[LabelTargets, Any]:
    """Return targets that are concatenated in one tensor as a list; others unchanged.

    Raises:
        GraphError: lengths that do not sum to the number of labels, or a negative one.
    """
    in_one = isinstance(targets, (torch.Tensor, np.ndarray)) and targets.ndim == 1
    if not in_one or target_lengths is None:
        return targets, target_lengths
    labels, lengths = _on_cpu(targets), _whole_numbers(target_lengths)
    if lengths.sum() != len(labels) or lengths.min(initial=0) < 0:
        raise GraphError(
            f"target lengths {lengths.tolist()} do not cut {len(labels)} labels, which stand one "
            "after the other, into targets"
        )
    return np.split(labels, np.cumsum(lengths)[:-1]) if len(lengths) else [], None


def label_rows(
    targets: LabelTargets, target_lengths: Any = None, *, check: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of all targets, concatenated, and the length of each target.

    Unless lengths are given, the rows of a tensor are padded with epsilon, as those that other
    criteria take.

    Args:
        targets: sequences of labels, a padded tensor ``[B, U]``, or a tensor of all labels, one
            target after the other.
        target_lengths: of the targets in a tensor, ``[B]``; other targets are taken whole.
        check: whether to look for negative numbers in a padded tensor, too.

    Raises:
        GraphError: an invalid label, naming the sample.
    """
    targets, target_lengths = _one_by_one(targets, target_lengths)
    if not hasattr(targets, "__iter__") or getattr(targets, "ndim", 1) == 0:
        raise GraphError(f"targets are a list or a tensor of them, not {targets!r}")
    if not isinstance(targets, (torch.Tensor, np.ndarray)):
        targets = list(targets)
    is_table = isinstance(targets, (torch.Tensor, np.ndarray)) and targets.ndim == 2
    if is_table:
        table = _on_cpu(targets)
        most = np.empty(len(table), dtype=np.int64)
        most.fill(table.shape[1])
        lengths, labels = most, table.ravel()
        if target_lengths is not None:
            lengths = _lengths(target_lengths, most)
            labels = table[np.arange(table.shape[1]) < lengths[:, None]]
        elif (table == EPSILON).any():
            written = table != EPSILON
            lengths, labels = written.sum(1), table[written]
        if labels.dtype.kind in "iu" and not (
            (check and labels.min(initial=0) < 0) or labels.max(initial=0) > _MOST
        ):
            return labels.astype(np.int64), lengths
    rows = [_row(b, row) for b, row in enumerate(targets)]
    if is_table and target_lengths is None:
        rows = [row[row != EPSILON] for row in rows]
    lengths = _lengths(target_lengths, np.array([len(row) for row in rows], dtype=np.int64))
    rows = [row[:n] for row, n in zip(rows, lengths)]
    for b, row in enumerate(rows):
        if len(row) and (row.dtype.kind not in "iu" or row.min() < 0 or row.max() > _MOST):
            raise GraphError(
                f"the target of sample {b} is {targets[b]!r}; labels are integers >= 0 of 32 bits"
                + _hint(targets, target_lengths, b, row)
            )
    return np.concatenate([np.empty(0, dtype=np.int64), *rows]).astype(np.int64), lengths


def _hint(targets: LabelTargets, target_lengths: Any, b: int, row: NDArray[Any]) -> str:
    """Return what to do about a target of symbols, or a padded one."""
    if isinstance(targets[b], str):
        return "; a SymbolTable makes them of a text: table.encode(text)"
    if row.dtype.kind == "U":
        return "; a SymbolTable makes them of symbols: table.encode(symbols)"
    return padding_hint(targets, target_lengths) if row.dtype.kind == "i" else ""


def padding_hint(targets: LabelTargets, target_lengths: Any) -> str:
    """Return a hint on how to leave out padding, if targets may have some."""
    table = isinstance(targets, (torch.Tensor, np.ndarray)) and targets.ndim == 2
    if not table or target_lengths is not None:
        return ""
    return "; rows are padded with -1, or target_lengths says where padding begins"


def _whole_numbers(target_lengths: Any) -> NDArray[Any]:
    lengths = _on_cpu(target_lengths).reshape(-1)
    if len(lengths) and lengths.dtype.kind not in "iu":
        raise GraphError(f"target lengths are whole numbers, not {lengths.dtype}")
    return lengths


def _lengths(given: Any, most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the lengths of targets that have as many labels as ``most``."""
    if given is None:
        return most
    lengths = _whole_numbers(given)
    if len(lengths) != len(most):
        raise GraphError(f"{len(lengths)} target lengths for {len(most)} targets")
    wrong = (lengths < 0) | (lengths > most)
    if wrong.any():
        b = int(np.argmax(wrong))
        raise GraphError(f"target {b} has length {lengths[b]}, but {most[b]} labels")
    return lengths.astype(np.int64)
