"""Products: graphs whose arcs are tuples of arcs of several graphs that move together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble, gather
from gtn.data import ArcData, Sources
from gtn.errors import DataError, GraphError, SymbolError
from gtn.failure import FailureArcs
from gtn.graph import Graph
from gtn.kernels.composition import FILTERS, Operand
from gtn.kernels.gathering import gathered_sum, scattered
from gtn.kernels.lookahead import FAR, least_labels, most_labels
from gtn.kernels.trimming import trim
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import ArcIndex, Topology, frozen

__all__ = [
    "Product",
    "columns",
    "common_length",
    "filter_mode",
    "operand",
    "relabelled",
    "relabelling",
    "trimmed",
]

Int32s = NDArray[np.int32]
Pairs = tuple[Int32s, Int32s]
Moves = tuple[Int32s, Int32s, Int32s, Int32s]
Found = tuple[Pairs, Moves, Int32s, Int32s]  # nodes, arcs, starts and offsets, as of `match`
_LARGE = 1024  # arcs


@dataclass(frozen=True, eq=False)
class Product:
    """The structure of a graph made of tuples of arcs, and where its parts come from.

    Attributes:
        topology: of the result.
        sources: for each operand, the arcs behind each arc.
        starts, finals: for each operand, which of its starts (finals) is behind each.
        backed_off: the failure arcs of the last operand on the way to each final, if it has any.
    """

    topology: Topology
    sources: tuple[Sources, ...]
    starts: tuple[Int32s, ...]
    finals: tuple[Int32s, ...]
    backed_off: Sources | None = None

    def end_penalties(self, *graphs: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the start and final penalties of the result, sums of those of all operands."""
        first = _gathered([g.start_penalties for g in graphs], self.starts)
        last = _gathered([g.final_penalties for g in graphs], self.finals)
        if self.backed_off is not None:
            last = last + _sums(graphs[-1].penalties, self.backed_off)
        return first, last

    def _penalties(self, graphs: Sequence[Graph]) -> torch.Tensor:
        """Return the penalties of the arcs, sums of those behind them."""
        if all(sources.offsets is None for sources in self.sources):
            return _gathered([g.penalties for g in graphs], [s.index for s in self.sources])
        return _total([_sums(g.penalties, s) for g, s in zip(graphs, self.sources, strict=True)])

    def graph(self, graphs: Sequence[Graph], suffixes: Sequence[str] | None = None) -> Graph:
        """Return the product of graphs that have the topologies it was made for.

        Raises:
            DataError: a key of arc data on several sides, and no suffixes.
        """
        start_penalties, final_penalties = self.end_penalties(*graphs)
        return assemble(
            self.topology,
            self._penalties(graphs),
            start_penalties,
            final_penalties,
            isymbols=graphs[0].isymbols,
            osymbols=graphs[-1].osymbols,
            data=_merged([g.data.take(s) for g, s in zip(graphs, self.sources)], suffixes),
            sources=self.sources,
        )


def _gathered(values: Sequence[torch.Tensor], indexes: Sequence[Int32s]) -> torch.Tensor:
    """Return the sum of what is behind each arc in each operand, 0 where the index is -1."""
    if (
        len(values) == 2
        and values[0].dtype == values[1].dtype
        and all(part.device.type == "cpu" for part in values)
    ):
        total: torch.Tensor = _GatheredSum.apply(*values, *indexes)  # type: ignore[no-untyped-call]
        return total
    return _total([gather(part, index) for part, index in zip(values, indexes, strict=True)])


class _GatheredSum(torch.autograd.Function):
    """``a[i] + b[j]`` with 0 for an index of -1, in one pass; linear, so its own derivative is."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor, i: Int32s, j: Int32s) -> torch.Tensor:
        ctx.indexes, ctx.counts = (i, j), (len(a), len(b))
        return torch.from_numpy(gathered_sum(_array(a), i, _array(b), j))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        parts = [
            _Scattered.apply(gradients[0], index, count) if needed else None  # type: ignore[no-untyped-call]
            for index, count, needed in zip(ctx.indexes, ctx.counts, ctx.needs_input_grad)
        ]
        return *parts, None, None


class _Scattered(torch.autograd.Function):
    """The sums of the values that have each index."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, index: Int32s, count: int) -> torch.Tensor:
        ctx.index = index
        return torch.from_numpy(scattered(_array(values), index, count))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return gather(gradients[0], ctx.index), None, None


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().contiguous().numpy()
    return array


def _sums(penalties: torch.Tensor, sources: Sources) -> torch.Tensor:
    """Return the sum of the penalties of the sources of each arc, differentiable."""
    if sources.offsets is None:
        return gather(penalties, sources.index)
    owner = np.repeat(np.arange(len(sources)), np.diff(sources.offsets))
    found = gather(penalties, sources.index)
    return found.new_zeros(len(sources)).index_add(
        0, torch.from_numpy(owner).to(found.device), found
    )


def _total(terms: list[torch.Tensor]) -> torch.Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _merged(parts: list[ArcData], suffixes: Sequence[str] | None) -> ArcData:
    """Return the data of several operands, on the same arcs: see ``ArcData.merged``."""
    if suffixes is not None and len(suffixes) != len(parts):
        raise DataError(
            f"suffixes={suffixes!r}; give one suffix for each of the {len(parts)} operands"
        )
    if len(parts) == 2:
        return parts[0].merged(parts[1], None if suffixes is None else (suffixes[0], suffixes[1]))
    keys = [key for part in parts for key in part]
    shared = sorted({key for key in keys if keys.count(key) > 1})
    if shared and suffixes is None:
        raise DataError(
            f"several operands carry arc data {shared}; give one suffix for each of the "
            f"{len(parts)} operands"
        )
    names = [
        (key + suffix if key in shared else key, column)
        for part, suffix in zip(parts, suffixes or [""] * len(parts))
        for key, column in part.columns().items()
    ]
    columns = dict(names)
    if len(columns) < len(names):
        raise DataError(f"suffixes={suffixes!r} give two columns the same name")
    return ArcData(columns)


def trimmed(
    a: Topology,
    b: Topology,
    found: Found,
    left: Operand,
    right: Operand,
    *,
    acceptor: bool = False,
    failures: FailureArcs | None = None,
) -> Product:
    """Return the trimmed product of what an exploration has found.

    ``acceptor`` says that input and output labels of the result are known to agree.
    """
    arcs, labels, starts, finals, node_offsets, arc_offsets, behind = trim(
        *found, left.final, right.final, a.ilabels, b.olabels, acceptor
    )
    src, dst, of_a, arcs_b = arcs
    batch = a.is_batch or b.is_batch
    topology = Topology(
        int(node_offsets[-1]),
        src,
        dst,
        labels[0],
        None if acceptor else labels[1],
        starts=starts[0],
        finals=finals[0],
        node_offsets=node_offsets if batch else None,
        arc_offsets=arc_offsets if batch else None,
        check=False,
    )
    of_b, backed_off = Sources(frozen(arcs_b)), None
    if failures is not None:
        of_b = failures.sources(behind[1][src], arcs_b)
        backed_off = failures.final_sources(behind[1][finals[0]])
    sources = Sources(frozen(of_a)), of_b
    starts, finals = frozen(starts), frozen(finals)
    return Product(topology, sources, (starts[1], starts[2]), (finals[1], finals[2]), backed_off)


def columns(nodes: Int32s, arcs: Int32s, starts: Int32s, node_offsets: Int32s) -> Found:
    """Return what was found as rows ``[N, 3]`` and ``[A, 4]``, as :func:`trimmed` wants it."""
    return (
        (nodes[:, 0].copy(), nodes[:, 1].copy()),
        (arcs[:, 0].copy(), arcs[:, 1].copy(), arcs[:, 2].copy(), arcs[:, 3].copy()),
        starts,
        node_offsets,
    )


def operand(
    topology: Topology,
    labels: Int32s,
    by_label: ArcIndex,
    failures: FailureArcs | None = None,
    ahead: Int32s | None = None,
) -> Operand:
    """Return one side of a composition, with the labels that are to be matched.

    ``ahead`` as :func:`lookahead` returns it; unless given, nothing is a dead end.
    """
    if ahead is None:
        alive = topology.coaccessible
        ahead = np.zeros(topology.num_nodes, dtype=np.int32)
    else:
        alive = frozen((ahead >= 0) & (ahead < FAR))
    if failures is None:
        final = np.full(topology.num_nodes, -1, dtype=np.int32)
        final[topology.finals] = np.arange(len(topology.finals), dtype=np.int32)
        fail = np.empty(0, dtype=np.int32)
    else:
        final, fail = failures.final, failures.arcs
    start_offsets = np.searchsorted(topology.starts, topology.node_offsets).astype(np.int32)
    return Operand(
        *by_label,
        labels,
        topology.dst,
        alive,
        frozen(final),
        topology.starts,
        frozen(start_offsets),
        frozen(fail),
        frozen(ahead),
    )


def lookahead(
    a: Topology, b: Topology, failures: FailureArcs | None = None
) -> tuple[Int32s, Int32s]:
    """Return how many labels ``a`` writes at most, ``b`` reads at least on ways to a final.

    A pair of nodes at which ``b`` has to read more than ``a`` can write is a dead end, as the
    middle of a word is at the end of a lattice. Counted where it pays, for a large ``b`` and an
    acyclic ``a``; otherwise it is only said whether a final can be reached, as -1 and 0 for
    ``a``, 0 and ``FAR`` for ``b``.
    """
    if b.num_arcs < _LARGE or not a.is_acyclic:
        return (
            np.where(a.coaccessible, np.int32(0), np.int32(-1)),
            np.where(b.coaccessible, np.int32(0), np.int32(FAR)),
        )
    most = most_labels(a.order, *a.outgoing, a.dst, a.olabels, a.finals)
    counts = b.ilabels >= 0
    if failures is not None:
        counts[failures.arcs[failures.arcs >= 0]] = False
    return most, least_labels(*b.incoming, b.src, frozen(counts), b.finals)


def filter_mode(filter: str) -> int:
    """Return the number of a filter; raises ``GraphError`` for an unknown name."""
    if filter not in FILTERS:
        raise GraphError(f"filter={filter!r}; known are {', '.join(map(repr, FILTERS))}")
    return FILTERS[filter]


def common_length(*topologies: Topology) -> int:
    """Return how many graphs the product has; raises ``GraphError`` where lengths differ."""
    sizes = [t.batch_size for t in topologies if t.is_batch]
    for size in sizes[1:]:
        if size != sizes[0]:
            raise GraphError(
                f"a batch of {sizes[0]} graphs meets a batch of {size}; batches must be "
                "equally long (a single graph goes with each)"
            )
    return sizes[0] if sizes else 1


def relabelling(
    written: SymbolTable | None, read: SymbolTable | None, symbols: str, *, of: str = "read"
) -> Int32s | None:
    """Return what becomes of the labels that are read (or written), or None where they stay.

    Args:
        written, read: the tables on the two sides.
        symbols: ``"match"`` or ``"ignore"``.
        of: whose labels change, ``"read"`` or ``"written"``.

    Returns:
        ``int32``, entry ``[label + 1]`` is the new label; -2 or missing: none.

    Raises:
        SymbolError: a table on one side only, or an unknown choice.
    """
    if symbols not in ("match", "ignore"):
        raise SymbolError(f"symbols={symbols!r}; known are 'match' and 'ignore'")
    if symbols == "ignore" or (written is None and read is None):
        return None
    if written is None or read is None:
        with_table, without = ("a", "b") if read is None else ("b", "a")
        raise SymbolError(
            f"{with_table} has a symbol table where {without} has none; give {without} one "
            "(with_symbols), or compare labels as integers: symbols='ignore'"
        )
    if written == read:
        return None
    return written.relabelling(read) if of == "read" else read.relabelling(written)


def relabelled(labels: Int32s, relabel: Int32s) -> Int32s:
    """Return relabelled labels; what has no new label gets one that matches nothing."""
    nothing = np.int32(np.iinfo(np.int32).max)
    position = np.minimum(labels + np.int64(1), len(relabel))
    new: Int32s = np.append(relabel, np.int32(-2))[position].astype(np.int32)
    return np.where(new < EPSILON, nothing, new)
