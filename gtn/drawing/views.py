"""Views: the single graphs of a drawing, with the node and arc numbers of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gtn.errors import GraphError
from gtn.graph import Graph

__all__ = ["View", "views"]


@dataclass(frozen=True)
class View:
    """One graph of a batch, or the only graph: ranges of nodes and arcs, penalties by node."""

    name: int
    caption: str
    nodes: range
    arcs: range
    starts: dict[int, float]
    finals: dict[int, float]


def views(graph: Graph, max_graphs: int | None = None) -> Iterator[View]:
    """Yield the first graphs of a batch, or the single graph."""
    if max_graphs is not None and max_graphs < 1:
        raise GraphError(f"max_graphs is {max_graphs}; at least one graph must be drawn")
    t = graph.topology
    starts, finals = (
        dict(zip(nodes.tolist(), penalties.detach().tolist(), strict=True))
        for nodes, penalties in (
            (graph.starts, graph.start_penalties),
            (graph.finals, graph.final_penalties),
        )
    )
    count = t.batch_size if max_graphs is None else min(t.batch_size, max_graphs)
    for i in range(count):
        nodes = range(int(t.node_offsets[i]), int(t.node_offsets[i + 1]))
        yield View(
            name=i,
            caption=f"graph {i} of {t.batch_size}" if t.is_batch else "",
            nodes=nodes,
            arcs=range(int(t.arc_offsets[i]), int(t.arc_offsets[i + 1])),
            starts={n: starts[n] for n in nodes if n in starts},
            finals={n: finals[n] for n in nodes if n in finals},
        )
