"""GraphBatch: many graphs as one disjoint graph."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

import numpy as np
import torch
from numpy.typing import ArrayLike

from gtn.data import ArcData, Sources
from gtn.errors import GraphError, SymbolError, counted
from gtn.graph import Graph
from gtn.indexes import check_counts
from gtn.symbols import SymbolTable
from gtn.topology import Topology

__all__ = ["GraphBatch", "assemble", "gather", "rearranged", "repeat", "traced"]

AnyGraph = TypeVar("AnyGraph", bound=Graph)


class GraphBatch(Graph):
    """Many graphs as one disjoint graph with node and arc offsets.

    Every verb takes a batch: a single graph broadcasts against it, a scorer returns one value
    per graph. ``batch[i]`` is a view; ``len``, iteration and slices work as on a list; an array of
    indexes or a mask selects graphs, as in NumPy. To take gradients through many of its graphs,
    iterate: the gradient of each ``batch[i]`` is as large as that of the whole batch.

    Graph i has the nodes from ``topology.node_offsets[i]`` to ``topology.node_offsets[i + 1] - 1``;
    ``topology.arc_offsets`` gives its arcs likewise. ``topology.arc_graph`` is the graph of each
    arc.

    >>> import gtn
    >>> batch = gtn.GraphBatch.from_graphs([gtn.string([1, 2]), gtn.string([3])])
    >>> len(batch), batch.num_arcs, batch[1].ilabels
    (2, 3, array([3], dtype=int32))
    >>> batch.topology.arc_offsets, batch.topology.arc_graph
    (array([0, 2, 3], dtype=int32), array([0, 0, 1]))
    """

    __slots__ = ()

    @classmethod
    def from_graphs(cls, graphs: Iterable[Graph]) -> GraphBatch:
        """Return the batch of single graphs, in their order.

        Arc data are joined by key; where a graph lacks a key, its arcs read as the fill.

        Raises:
            GraphError: no graphs, a batch among them, or penalties of different dtypes.
            SymbolError: different symbol tables. Make the graphs with one table (``symbols=``), or
                let a union bring them to it: ``gtn.empty(symbols=table) | graph``.
        """
        graphs = list(graphs)
        if not graphs:
            raise GraphError("a batch needs at least one graph")
        for i, graph in enumerate(graphs):
            if not isinstance(graph, Graph):
                raise GraphError(f"item {i} is {type(graph).__name__}, not a graph")
            if graph.topology.is_batch:
                raise GraphError(f"graph {i} is itself a batch; batch its graphs: list(batch)")
            if graph.penalties.dtype != graphs[0].penalties.dtype:
                raise GraphError(
                    f"graph {i} has {graph.penalties.dtype} penalties, graph 0 "
                    f"{graphs[0].penalties.dtype}; convert one, as with double()"
                )
            for side in ("isymbols", "osymbols"):
                if getattr(graph, side) != getattr(graphs[0], side):
                    raise SymbolError(
                        f"graph {i} has {side} {getattr(graph, side)!r}, graph 0 "
                        f"{getattr(graphs[0], side)!r}; a batch has one table: make the graphs "
                        "with it, or take gtn.empty(symbols=table) | graph of each"
                    )
        return cls(
            disjoint([g.topology for g in graphs]),
            torch.cat([g.penalties for g in graphs]),
            start_penalties=torch.cat([g.start_penalties for g in graphs]),
            final_penalties=torch.cat([g.final_penalties for g in graphs]),
            isymbols=graphs[0].isymbols,
            osymbols=graphs[0].osymbols,
            data=ArcData.concatenate([g.data for g in graphs], [g.num_arcs for g in graphs]),
            check=False,
        )

    def __len__(self) -> int:
        return self.topology.batch_size

    def __iter__(self) -> Iterator[Graph]:
        # Split, so that the gradients of all graphs together are as large as the batch's.
        t = self.topology
        offsets = (t.arc_offsets, t.start_offsets, t.final_offsets)
        penalties = (self.penalties, self.start_penalties, self.final_penalties)
        parts = [
            torch.split(own, np.diff(cuts).tolist())
            for own, cuts in zip(penalties, offsets, strict=True)
        ]
        return (self._part(i, i + 1, *part) for i, part in enumerate(zip(*parts, strict=True)))

    @overload
    def __getitem__(self, i: int) -> Graph: ...

    @overload
    def __getitem__(self, i: slice | Sequence[int] | ArrayLike) -> GraphBatch: ...

    def __getitem__(self, i: Any) -> Graph:
        """Return graph i: its penalties, data and labels are views of the batch's.

        A slice, several indexes or a mask ``[B]`` give a batch (of copies).
        """
        i = i.cpu() if isinstance(i, torch.Tensor) else i
        if isinstance(i, tuple) or (np.ndim(i) == 0 and np.asarray(i).dtype == np.bool_):
            raise IndexError(
                f"{i!r} is not an index of a batch: give a number, a slice, a list or a mask"
            )
        if isinstance(i, slice) or (not isinstance(i, int) and np.ndim(i) == 1):
            # An empty list would be an array of floats.
            which = i if isinstance(i, slice) else np.asarray(i, dtype=None if len(i) else np.int64)
            return self._chosen(np.arange(len(self))[which])
        i = operator.index(i)
        if not -len(self) <= i < len(self):
            raise IndexError(f"graph {i} of a batch of {len(self)}")
        t = self.topology
        i %= len(self)
        a0, a1 = t.arc_offsets[i : i + 2].tolist()
        s0, s1 = np.searchsorted(t.starts, t.node_offsets[i : i + 2]).tolist()
        f0, f1 = np.searchsorted(t.finals, t.node_offsets[i : i + 2]).tolist()
        parts = self.penalties[a0:a1], self.start_penalties[s0:s1], self.final_penalties[f0:f1]
        return self._part(i, i + 1, *parts)

    def _chosen(self, numbers: np.ndarray[Any, Any]) -> GraphBatch:
        """Return the batch of some of the graphs, in the order of their numbers: O(its size)."""
        t = self.topology
        node_offsets = _offsets(t.node_offsets, numbers)
        arcs, arc_offsets = _members(t.arc_offsets, numbers)
        starts, start_offsets = _members(t.start_offsets, numbers)
        finals, final_offsets = _members(t.final_offsets, numbers)
        shift = (node_offsets[:-1] - t.node_offsets[numbers]).astype(np.int32)
        arc_shift = np.repeat(shift, np.diff(arc_offsets))
        topology = Topology(
            int(node_offsets[-1]),
            t.src[arcs] + arc_shift,
            t.dst[arcs] + arc_shift,
            *t.labels_of(arcs),
            starts=t.starts[starts] + np.repeat(shift, np.diff(start_offsets)),
            finals=t.finals[finals] + np.repeat(shift, np.diff(final_offsets)),
            node_offsets=node_offsets,
            arc_offsets=arc_offsets,
            check=False,
        )
        batch = rearranged(self, topology, arcs, starts, finals)
        assert isinstance(batch, GraphBatch)
        return batch

    def _parts(self, bounds: np.ndarray[Any, Any]) -> Iterator[GraphBatch]:
        """Return the batches of the graphs from each bound to the next, with this one's sources.

        The gradients of all of them together are as large as the batch's.
        """
        t = self.topology
        cuts = (t.arc_offsets[bounds], t.start_offsets[bounds], t.final_offsets[bounds])
        penalties = (self.penalties, self.start_penalties, self.final_penalties)
        split = (torch.split(own, np.diff(cut).tolist()) for own, cut in zip(penalties, cuts))
        for i, j, *parts in zip(bounds[:-1].tolist(), bounds[1:].tolist(), *split):
            part = self._part(i, j, *parts, batch=True)
            assert isinstance(part, GraphBatch)
            yield traced(part, self)

    def _part(
        self,
        i: int,
        j: int,
        penalties: torch.Tensor,
        starts: torch.Tensor,
        finals: torch.Tensor,
        *,
        batch: bool = False,
    ) -> Graph:
        """Return graphs i to j - 1 with these penalties, as a batch or as the one graph i."""
        t = self.topology
        n0, n1 = int(t.node_offsets[i]), int(t.node_offsets[j])
        a0, a1 = int(t.arc_offsets[i]), int(t.arc_offsets[j])
        # An int32 is looked up in them as they are; for a Python int all of them would be copied.
        s0, f0 = (np.searchsorted(ends, t.node_offsets[i]) for ends in (t.starts, t.finals))
        topology = Topology(
            n1 - n0,
            t.src[a0:a1] - n0,
            t.dst[a0:a1] - n0,
            *t.labels_of(slice(a0, a1)),
            starts=t.starts[s0 : s0 + len(starts)] - n0,
            finals=t.finals[f0 : f0 + len(finals)] - n0,
            node_offsets=t.node_offsets[i : j + 1] - n0,
            arc_offsets=t.arc_offsets[i : j + 1] - a0,
            is_batch=batch,
            check=False,
        )
        arcs = Sources(np.arange(a0, a1, dtype=np.int32))
        return assemble(
            topology,
            penalties,
            starts,
            finals,
            isymbols=self.isymbols,
            osymbols=self.osymbols,
            data=self.data.take(arcs),
            sources=(arcs,),
        )

    def united(self) -> Graph:
        """Return the union of all its graphs as one graph; no penalty is copied.

        >>> import gtn
        >>> gtn.path_text(gtn.n_best(gtn.strings(["ab", "c"]).united(), 2))
        ['ab', 'c']
        """
        t = self.topology
        topology = Topology(
            t.num_nodes,
            t.src,
            t.dst,
            t.ilabels,
            t.olabels,
            starts=t.starts,
            finals=t.finals,
            check=False,
        )
        return Graph(
            topology,
            self.penalties,
            start_penalties=self.start_penalties,
            final_penalties=self.final_penalties,
            isymbols=self.isymbols,
            osymbols=self.osymbols,
            data=self.data,
            sources=(Sources(np.arange(self.num_arcs, dtype=np.int32)),),
            check=False,
        )

    def __repr__(self) -> str:
        head, *rows = super().__repr__().split("\n")
        sizes = ", ".join(str(n) for n in np.diff(self.topology.arc_offsets)[:8])
        more = ", … arcs" if len(self) > 8 else " arc" if sizes == "1" else " arcs"
        of = f" of {sizes}{more}" if sizes else ""
        return "\n".join([head, f"  {counted(len(self), 'graph')}{of}", *rows])


def _offsets(offsets: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any]) -> Any:
    """Return where the members of each of some graphs begin when the graphs are concatenated.

    Raises:
        GraphError: more members than a batch can number.
    """
    found = np.concatenate(([0], np.cumsum(np.diff(offsets)[numbers], dtype=np.int64)))
    if found[-1] > np.iinfo(np.int32).max:
        raise GraphError(f"{len(numbers)} graphs with {found[-1]} nodes or arcs are too many")
    return found.astype(np.int32)


def _members(offsets: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return the members of some graphs, concatenated, and where those of each graph begin."""
    found = _offsets(offsets, numbers)
    first = np.repeat(offsets[numbers] - found[:-1], np.diff(found))
    return first + np.arange(found[-1], dtype=np.int32), found


def disjoint(topologies: Sequence[Topology]) -> Topology:
    """Return the batch of single topologies."""
    nodes = np.cumsum([0, *(t.num_nodes for t in topologies)])
    arcs = np.cumsum([0, *(t.num_arcs for t in topologies)])
    check_counts(int(nodes[-1]), int(arcs[-1]), "batch")

    def joined(name: str, shifted: bool) -> Any:
        parts = [getattr(t, name) for t in topologies]
        if shifted:
            parts = [part + np.int32(n) for part, n in zip(parts, nodes, strict=False)]
        return np.concatenate(parts)

    acceptors = all(t.olabels is t.ilabels for t in topologies)
    return Topology(
        int(nodes[-1]),
        joined("src", True),
        joined("dst", True),
        joined("ilabels", False),
        None if acceptors else joined("olabels", False),
        starts=joined("starts", True),
        finals=joined("finals", True),
        node_offsets=nodes,
        arc_offsets=arcs,
        check=False,
    )


def assemble(
    topology: Topology,
    penalties: torch.Tensor,
    start_penalties: torch.Tensor,
    final_penalties: torch.Tensor,
    *,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
    data: ArcData | None = None,
    sources: Sequence[Sources] = (),
) -> Graph:
    """Return the result of an operation: a batch or a single graph, as its topology says.

    Nothing is checked: operations know that their results are right.
    """
    return (GraphBatch if topology.is_batch else Graph)(
        topology,
        penalties,
        start_penalties=start_penalties,
        final_penalties=final_penalties,
        isymbols=isymbols,
        osymbols=osymbols,
        data=data,
        sources=sources,
        check=False,
    )


def gather(values: torch.Tensor, index: np.ndarray[Any, np.dtype[np.int32]]) -> torch.Tensor:
    """Return ``values[index]``, differentiable, 0 where the index is -1."""
    if index.min(initial=0) < 0:  # then a zero behind the values is meant
        index = np.where(index < 0, np.int32(len(values)), index)
        values = torch.cat((values, values.new_zeros(1)))
    else:
        index = index.copy()
    return values.index_select(0, torch.from_numpy(index).to(values.device))


def rearranged(
    graph: Graph,
    topology: Topology,
    arcs: np.ndarray[Any, np.dtype[np.int32]],
    starts: np.ndarray[Any, np.dtype[np.int32]],
    finals: np.ndarray[Any, np.dtype[np.int32]],
) -> Graph:
    """Return a graph made from parts of one operand: penalties and data are gathered.

    Args:
        graph: the operand.
        topology: of the result.
        arcs: for each arc of the result, the operand's arc, or -1 (penalty 0); ``int32``.
        starts: for each start of the result, the operand's start entry (an index into
            ``graph.starts``), or -1 (penalty 0).
        finals: the same for finals.
    """
    sources = Sources(arcs)
    return assemble(
        topology,
        gather(graph.penalties, arcs),
        gather(graph.start_penalties, starts),
        gather(graph.final_penalties, finals),
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        data=graph.data.take(sources),
        sources=(sources,),
    )


def traced(made: AnyGraph, given: Graph) -> AnyGraph:
    """Return what was made from a graph, its sources traced back to those of the graph."""
    return made._with(sources=tuple(s.then(made.sources[0]) for s in given.sources))


def repeat(graph: Graph, times: int) -> GraphBatch:
    """Return a batch of copies of a single graph; the gradients of all copies add up."""
    if graph.topology.is_batch:
        raise GraphError("only a single graph can be repeated")
    if times < 0:
        raise GraphError(f"cannot make {times} copies of a graph; give a number >= 0")
    if times == 0:
        return GraphBatch.from_graphs([graph])[:0]
    topology = disjoint([graph.topology] * times)
    arcs, starts, finals = (
        np.tile(np.arange(n, dtype=np.int32), times)
        for n in (graph.num_arcs, len(graph.starts), len(graph.finals))
    )
    result = rearranged(graph, topology, arcs, starts, finals)
    assert isinstance(result, GraphBatch)
    return result
