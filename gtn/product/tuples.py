"""Products: graphs whose arcs are tuples of arcs of several graphs that move together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import assemble
from gtn.data import Sources, merged
from gtn.errors import GraphError, SymbolError, counted
from gtn.graph import Graph
from gtn.indexes import frozen
from gtn.kernels import shared_labels
from gtn.kernels.composition import FILTERS, Operand
from gtn.kernels.trimming import trim
from gtn.product.failure import FailureArcs
from gtn.product.gathering import gathered_sums, sum_of, sums_of_sources
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = [
    "Product",
    "Relabelling",
    "as_read",
    "columns",
    "common_length",
    "filter_mode",
    "in_common_tables",
    "is_acceptor",
    "relabelled",
    "relabelling",
    "trimmed",
]

Int32s = NDArray[np.int32]
Relabelling = Int32s | tuple[Int32s, Int32s]
Pairs = tuple[Int32s, Int32s]
Moves = tuple[Int32s, Int32s, Int32s, Int32s]
Found = tuple[Pairs, Moves, Int32s, Int32s]  # nodes, arcs, starts and offsets, as of `match`

_SPREAD, _ROOM = 4, 1024  # how sparse labels may be for an array as long as the largest


@dataclass(frozen=True, eq=False)
class Product:
    """The structure of a graph made of tuples of arcs, and the sources of its parts.

    Attributes:
        topology: of the result.
        sources: for each operand, the arcs behind each arc.
        starts, finals: for each operand, which of its starts (finals) is behind each.
        backed_off: the failure arcs of the last operand on the way to each final, if it has any.
        acceptor: whether the operands are acceptors, so that the first's table has all symbols.
    """

    topology: Topology
    sources: tuple[Sources, ...]
    starts: tuple[Int32s, ...]
    finals: tuple[Int32s, ...]
    backed_off: Sources | None
    acceptor: bool

    def end_penalties(self, *graphs: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the start and final penalties of the result, sums of those of all operands."""
        first, last = gathered_sums(*self._ends(graphs))
        if self.backed_off is not None:
            last = last + sums_of_sources(graphs[-1].penalties, self.backed_off)
        return first, last

    def _ends(self, graphs: Sequence[Graph]) -> tuple[Any, Any]:
        return (
            ([g.start_penalties for g in graphs], self.starts),
            ([g.final_penalties for g in graphs], self.finals),
        )

    def graph(self, graphs: Sequence[Graph], suffixes: Sequence[str] | None = None) -> Graph:
        """Return the product of graphs with the topologies that it was made for.

        Raises:
            DataError: a key of arc data on several sides, and no suffixes.
        """
        if self.backed_off is None:
            of_arcs = [g.penalties for g in graphs], [s.index for s in self.sources]
            penalties, start_penalties, final_penalties = gathered_sums(
                of_arcs, *self._ends(graphs)
            )
        else:
            start_penalties, final_penalties = self.end_penalties(*graphs)
            penalties = sum_of(
                [sums_of_sources(g.penalties, s) for g, s in zip(graphs, self.sources)]
            )
        return assemble(
            self.topology,
            penalties,
            start_penalties,
            final_penalties,
            isymbols=graphs[0].isymbols,
            osymbols=graphs[0].osymbols if self.acceptor else graphs[-1].osymbols,
            data=merged([g.data.take(s) for g, s in zip(graphs, self.sources)], suffixes),
            sources=self.sources,
        )


def trimmed(
    a: Topology,
    b: Topology,
    found: Found,
    left: Operand,
    right: Operand,
    *,
    same: bool = False,
    acceptor: bool = False,
    failures: FailureArcs | None = None,
) -> Product:
    """Return the trimmed product from the results of an exploration.

    Args:
        same: whether input and output labels of the result are known to be the same integers.
        acceptor: whether the operands are acceptors, with any tables; their product is then an
            acceptor with ``a``'s table.
    """
    same |= acceptor
    arcs, labels, starts, finals, node_offsets, arc_offsets, behind = trim(
        *found, left.final, right.final, a.ilabels, b.olabels, same
    )
    src, dst, of_a, arcs_b = arcs
    topology = Topology(
        int(node_offsets[-1]),
        src,
        dst,
        labels[0],
        None if same else labels[1],
        starts=starts[0],
        finals=finals[0],
        node_offsets=node_offsets,
        arc_offsets=arc_offsets,
        is_batch=a.is_batch or b.is_batch,
        check=False,
    )
    of_b, backed_off = Sources(frozen(arcs_b)), None
    if failures is not None:
        of_b = failures.sources(behind[1][src], arcs_b)
        backed_off = failures.final_sources(behind[1][finals[0]])
    sources = Sources(frozen(of_a)), of_b
    starts, finals = frozen(starts), frozen(finals)
    return Product(
        topology, sources, (starts[1], starts[2]), (finals[1], finals[2]), backed_off, acceptor
    )


def columns(nodes: Int32s, arcs: Int32s, starts: Int32s, node_offsets: Int32s) -> Found:
    """Return the results of an exploration, ``[N, 3]`` and ``[A, 4]``, as for :func:`trimmed`."""
    return (
        (nodes[:, 0].copy(), nodes[:, 1].copy()),
        (arcs[:, 0].copy(), arcs[:, 1].copy(), arcs[:, 2].copy(), arcs[:, 3].copy()),
        starts,
        node_offsets,
    )


def is_acceptor(graph: Graph) -> bool:
    """Return whether a graph writes what it reads: the same labels, in the same table."""
    return graph.topology.is_acceptor and graph.isymbols == graph.osymbols


def filter_mode(filter: str) -> int:
    """Return the number of a filter; raises ``GraphError`` for an unknown name."""
    if filter not in FILTERS:
        raise GraphError(f"filter={filter!r}; known are {', '.join(map(repr, FILTERS))}")
    return FILTERS[filter]


def common_length(*topologies: Topology) -> int:
    """Return how many graphs the product has; raises ``GraphError`` if lengths differ."""
    sizes = [t.batch_size for t in topologies if t.is_batch]
    for size in sizes[1:]:
        if size != sizes[0]:
            raise GraphError(
                f"a batch of {counted(sizes[0], 'graph')} meets a batch of {size}; batches must be "
                "equally long (a single graph goes with each)"
            )
    return sizes[0] if sizes else 1


def relabelling(
    written: SymbolTable | None, read: SymbolTable | None, symbols: str, *, of: str = "read"
) -> Relabelling | None:
    """Return the new labels of those that are read (or written), or None if they stay.

    Args:
        written, read: the tables on the two sides.
        symbols: ``"match"`` or ``"ignore"``.
        of: which labels change, ``"read"`` or ``"written"``.

    Returns:
        ``int32``, entry ``[label + 1]`` is the new label; -2 or missing: none. If labels are few
        and large: two arrays, the labels that change, increasing, and what each becomes.

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
    table, other = (written, read) if of == "read" else (read, written)
    if other.largest <= _SPREAD * len(other) + _ROOM:
        return table.relabelling(other)
    old, new = table.changes(other)
    order = np.argsort(old)
    return np.append(EPSILON, old[order]).astype(np.int32), np.append(np.int32(EPSILON), new[order])


def in_common_tables(a: Graph, b: Graph) -> tuple[Graph, Graph]:
    """Return both graphs; one with neither table nor labels gets the other's table.

    This is about the side where they meet: the outputs of ``a`` and the inputs of ``b``.
    """
    if a.osymbols is None and b.isymbols is not None and a.olabels.max(initial=EPSILON) < 0:
        both = is_acceptor(a)
        a = a._with(isymbols=b.isymbols if both else a.isymbols, osymbols=b.isymbols)
    elif b.isymbols is None and a.osymbols is not None and b.ilabels.max(initial=EPSILON) < 0:
        both = is_acceptor(b)
        b = b._with(isymbols=a.osymbols, osymbols=a.osymbols if both else b.osymbols)
    return a, b


def as_read(a: Graph, b: Graph, symbols: str) -> Int32s:
    """Return the output labels of ``a`` as input labels of ``b``: ``[A]``."""
    relabel = relabelling(a.osymbols, b.isymbols, symbols, of="written")
    if relabel is None:
        return a.olabels
    labels: Int32s = frozen(relabelled(a.olabels, relabel))
    return labels


def relabelled(labels: Int32s, relabel: Relabelling) -> Int32s:
    """Return the new labels; a label without one gets a label that matches nothing."""
    if isinstance(relabel, tuple):
        old, new = relabel
        at = np.minimum(np.searchsorted(old, labels), len(old) - 1)
        return np.where(old[at] == labels, new[at], shared_labels.NOTHING)
    found: Int32s = shared_labels.relabelled(labels, relabel)
    return found
