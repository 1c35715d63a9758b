"""Problems (emissions and a graph), as the frame-by-frame kernels take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.epsilons import remove_epsilon
from gtn.errors import CyclicGraphError, GraphError, bad_penalty
from gtn.graph import Graph, check_penalties
from gtn.indexes import frozen, grouped
from gtn.kernels import dense as kernels
from gtn.kernels.layout import Layout, arrange
from gtn.kernels.reachability import find_cycle, topological_order
from gtn.paths.distance import Semiring
from gtn.product.failure import check_reads_none
from gtn.rational import project
from gtn.symbols import EPSILON, count_classes
from gtn.tensors import Lengths, as_array, check_untransformed, checked_lengths
from gtn.threads import in_slices
from gtn.topology import Topology

__all__ = ["Lengths", "Problems", "check_emissions", "silent_cycles_summed", "widened"]

Arrays = tuple[NDArray[Any], ...]  # of emissions, arcs, starts and finals
_DTYPES = torch.float32, torch.float64
_HALVES = torch.float16, torch.bfloat16
_AS_THEY_ARE: NDArray[np.int32] = frozen(np.empty(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Problems:
    """B problems as kernels take them.

    Attributes:
        topology: of the graph that all problems share, or of the batch of their graphs.
        layout: the order in which a frame visits its nodes and arcs.
        lengths: the frames of each problem, ``[B]``.
        is_batch: whether results have a first dimension.
    """

    topology: Topology
    layout: Layout
    lengths: NDArray[np.int64]
    is_batch: bool

    @property
    def shared(self) -> bool:
        """Whether all problems have the same graph, so that each has a row for its arcs."""
        return not self.topology.is_batch

    @classmethod
    def of(
        cls, emissions: torch.Tensor, graph: Graph, lengths: Lengths, semiring: Semiring = "log"
    ) -> Problems:
        """Check that emissions, graph and lengths fit, and lay out the graph.

        Raises:
            CyclicGraphError: arcs that read nothing form a cycle on a path; the message names it
                and says how to remove them in the semiring.
            GraphError: emissions, graph or lengths that do not fit; a label that is not a class, or
                a table that names fewer classes; failure arcs.
        """
        check_emissions(emissions)
        _check_graph(graph)
        composed = "gtn.compose(gtn.linear(emissions, symbols=graph.isymbols), graph)"
        check_reads_none(graph, "the graph", f"{composed} follows it")
        _check_classes(graph, emissions.shape[-1])
        topology = graph.topology
        count = len(emissions) if emissions.ndim == 3 else topology.batch_size
        if topology.is_batch and topology.batch_size != count:
            raise GraphError(
                f"emissions of {count} problems meet a batch of {topology.batch_size} graphs; "
                "each needs one, or all share a single graph"
            )
        frames, classes = emissions.shape[-2:]
        return cls(
            topology,
            _layout(topology, classes, semiring),
            checked_lengths(lengths, count, frames),
            is_batch=emissions.ndim == 3 or topology.is_batch,
        )

    def inputs(
        self, emissions: torch.Tensor, graph: Graph, dtype: torch.dtype | None = torch.float64
    ) -> tuple[torch.Tensor, ...]:
        """Return emissions ``[B, T, C]``, arc, start and final penalties in float64, on the CPU.

        ``dtype=None`` leaves them as they are: for kernels that take both kinds.

        Raises:
            NotImplementedError: derivatives in a mode other than reverse mode.
        """
        check_untransformed(emissions, graph.penalties)
        parts = (emissions, graph.penalties, graph.start_penalties, graph.final_penalties)
        if dtype is not None or not all(part.is_cpu for part in parts):
            parts = tuple(part.to(device="cpu", dtype=dtype) for part in parts)  # type: ignore[assignment]
        if emissions.ndim == 2:
            return parts[0].expand(len(self.lengths), *emissions.shape), *parts[1:]
        return parts

    def arrays(self, *inputs: torch.Tensor) -> Arrays:
        """Return the results of :meth:`inputs` as arrays: penalties in float64."""
        emissions, *penalties = map(as_array, inputs)
        return emissions, *(part.astype(np.float64, copy=False) for part in penalties)

    def room(self, arrays: Arrays, *, arcs: bool = True) -> list[NDArray[Any]]:
        """Return arrays to fill, one each for emissions, arcs, starts and finals.

        A row for each problem that needs one; zeros, except for emissions, which threads write.
        """
        rows = len(self.lengths) if self.shared else 1
        sizes = [len(part) for part in arrays[1:]]
        if not arcs:
            sizes[0] = 0
        return [np.empty_like(arrays[0]), *(np.zeros((rows, size)) for size in sizes)]

    def run(self, kernel: Any, arrays: Arrays, *arguments: Any) -> list[Any]:
        """Run a kernel over all problems, in slices.

        Raises:
            GraphError: a kernel's last two results say that an emission or a penalty is bad.
        """
        emissions, *penalties = arrays
        given = (self.layout, emissions, self.lengths, *penalties, *arguments)
        results = in_slices(lambda i, j: kernel(i, j, *given), len(self.lengths))
        if any(result[-1] == kernels.BAD_PENALTY for result in results):
            for what, values in zip(("arc", "start", "final"), penalties, strict=True):
                check_penalties(torch.from_numpy(values), len(values), what)
        for *_, b, bad in results:
            if b >= 0:
                t, c = divmod(bad, emissions.shape[2])
                where = f" of problem {b}" if self.is_batch else ""
                what = f"the emission of class {c} in frame {t}{where} is"
                raise bad_penalty(what, emissions[b, t, c])
        return results


def _layout(topology: Topology, num_classes: int, semiring: Semiring) -> Layout:
    """Return the order in which a frame visits the nodes and arcs of a graph."""
    t, labels, order = topology, topology.ilabels, _AS_THEY_ARE
    if t.has_input_epsilons:
        order, cycle = _silent_order(t, np.flatnonzero(labels == EPSILON))
        if cycle is not None:
            useful = _useful_silent(t)
            order, cycle = _silent_order(t, useful)
            idle = labels == EPSILON
            idle[useful] = False
            labels = frozen(np.where(idle, np.int32(num_classes), labels))  # not a class: left out
        if cycle is not None:
            raise CyclicGraphError(
                f"arcs that read nothing form a cycle: {t.describe_cycle(cycle)}; remove them "
                f"first: gtn.remove_epsilon(gtn.project(graph, 'input'), semiring={semiring!r})"
            )
    fields = arrange(
        t.node_offsets, t.arc_offsets, order, t.src, t.dst, labels, t.starts, t.finals,
        num_classes,
    )  # fmt: skip
    return Layout(*fields)


def check_emissions(emissions: Any) -> None:
    """Raise ``GraphError`` unless given a tensor ``[T, C]`` or ``[B, T, C]`` of penalties."""
    if not isinstance(emissions, torch.Tensor) or emissions.dtype not in _DTYPES:
        is_tensor = isinstance(emissions, torch.Tensor)
        kind = emissions.dtype if is_tensor else type(emissions).__name__
        hint = "; .float() widens them" if kind in _HALVES else ""
        raise GraphError(f"emissions must be a tensor of float32 or float64, not {kind}{hint}")
    if emissions.ndim not in (2, 3):
        raise GraphError(
            f"emissions must be [T, C] or [B, T, C], not of shape {list(emissions.shape)}"
        )
    if emissions.is_meta:
        raise GraphError("emissions are on the meta device, where tensors have no values")


def widened(emissions: torch.Tensor) -> torch.Tensor:
    """Return the emissions of a loss; half precision, as from autocast, becomes float32.

    Raises:
        GraphError: as in :func:`check_emissions`.
    """
    if isinstance(emissions, torch.Tensor) and emissions.dtype in _HALVES:
        emissions = emissions.float()
    check_emissions(emissions)
    return emissions


def _check_graph(graph: Any) -> None:
    if not isinstance(graph, Graph):
        right = "give the emissions, then the graph"
        if isinstance(graph, list | tuple):
            right = "GraphBatch.from_graphs makes a batch of several"
        raise GraphError(
            f"what reads the emissions must be a graph, not {type(graph).__name__}; {right}"
        )


def _check_classes(graph: Graph, classes: int) -> None:
    """Raise if an arc reads what is not a class, or the table names fewer classes than there are.

    A table may name more, such as auxiliary symbols that no arc reads any longer.
    """
    t, table = graph.topology, graph.isymbols
    if t.ilabels.max(initial=EPSILON) >= classes:
        arc = int(np.argmax(t.ilabels >= classes))
        label = int(t.ilabels[arc])
        symbol = "" if table is None else f" ({table.symbol(label)!r})"
        raise GraphError(
            f"arc {arc}{t.describe_graph(t.src[arc])} reads label {label}{symbol}, but emissions "
            f"have {classes} classes; class c is label c"
        )
    if table is not None and count_classes(table) < classes:
        raise GraphError(
            f"emissions have {classes} classes, but {table!r}, whose labels the graph reads, names "
            f"{count_classes(table)}; make the graph with the table of all classes: class c is "
            "label c"
        )


def silent_cycles_summed(emissions: torch.Tensor, graph: Graph, semiring: Semiring) -> Graph:
    """Return a graph that reads the same; no cycle on its paths reads nothing.

    Such cycles are summed exactly, in value and derivatives (:func:`gtn.remove_epsilon`); a graph
    without any stays as it is.

    Raises:
        GraphError: as in :meth:`Problems.of`, if the graph has such a cycle: checked here, as its
            arcs then get other numbers.
    """
    _check_graph(graph)
    t = graph.topology
    if (
        not t.has_input_epsilons
        or _silent_order(t, np.flatnonzero(t.ilabels == EPSILON))[1] is None
        or _silent_order(t, _useful_silent(t))[1] is None
    ):
        return graph
    check_emissions(emissions)
    _check_classes(graph, emissions.shape[-1])
    return remove_epsilon(project(graph.without_data().double(), "input"), semiring=semiring)


def _useful_silent(topology: Topology) -> NDArray[np.intp]:
    """Return the arcs on paths that read nothing."""
    t = topology
    return np.flatnonzero((t.ilabels == EPSILON) & t.accessible[t.src] & t.coaccessible[t.dst])


def _silent_order(
    topology: Topology, silent: NDArray[np.intp]
) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
    """Return an order of nodes, graph by graph, in which silent arcs lead forward, or a cycle."""
    nodes: NDArray[np.int32] = frozen(np.arange(topology.num_nodes, dtype=np.int32))
    src, dst = frozen(topology.src[silent]), frozen(topology.dst[silent])
    by_source = grouped(src, topology.num_nodes)
    order, found = topological_order(topology.num_nodes, dst, *by_source)
    if found < topology.num_nodes:
        everywhere = frozen(np.ones(topology.num_nodes, dtype=np.bool_))
        cycle = find_cycle(topology.num_nodes, dst, *by_source, everywhere)
        return nodes, silent[cycle].astype(np.int32)
    owner = frozen(topology.graph_of_nodes(nodes).astype(np.int32))
    return grouped(owner, topology.batch_size, frozen(order)).arcs, None
