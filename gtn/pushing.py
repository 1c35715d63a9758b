"""Pushing: move penalties along paths, towards the start or the end."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.optimization import finite
from gtn.paths.distance import Semiring, distances_float64
from gtn.tensors import as_given, as_index, float64_penalties

__all__ = ["push", "pushed_float64"]

End = Literal["start", "final"]


def push(graph: Graph, to: End = "start", *, semiring: Semiring = "log") -> Graph:
    """Return the graph with penalties moved towards the start or the end; paths keep theirs.

    With V(n) the shortest distance from node n to the end, an arc from n to m of penalty p gets
    ``p + V(m) - V(n)``, a final ``p - V(n)`` and a start ``p + V(n)`` (Mohri 2009, weight pushing).
    Then the arcs that leave a node and its final penalty sum to penalty 0: in the log semiring
    their exp(-penalty) are probabilities, in the tropical one the best of them has penalty 0. With
    one start, its penalty is the sum over all paths. ``to="final"`` does this on the reversed
    graph.

    Value and derivatives of any order are exact: the distances are functions of the penalties.
    Nodes and arcs stay; what lies on no path of finite penalty gets penalty inf. On a batch, graph
    by graph. Complexity as for :func:`gtn.shortest_distance`.

    Args:
        graph: graph or batch, with cycles too.
        to: ``"start"`` or ``"final"``.
        semiring: ``"log"`` or ``"tropical"``.

    Raises:
        DivergentGraphError, NegativeCycleError, GraphError: as :func:`gtn.shortest_distance`, but
            only cycles on a path matter.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (1, 2, 8, 3.0), (1, 2, 9, 2.0)], final=2)
    >>> push(g, semiring="tropical")
    Graph: 3 nodes, 3 arcs, start 0 (3), final 2
      0 -> 1  7  0
      1 -> 2  8  1
      1 -> 2  9  0
    """
    check_graph(graph)
    arcs, starts, finals = (as_given(p, graph) for p in pushed_float64(graph, to, semiring))
    return graph.with_penalties(arcs, start_penalties=starts, final_penalties=finals)


def pushed_float64(
    graph: Graph, to: End, semiring: Semiring
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the pushed penalties of arcs, starts and finals in float64 on the CPU."""
    if to not in ("start", "final"):
        raise GraphError(f"to={to!r}; penalties are pushed to 'start' or to 'final'")
    t = graph.topology
    arcs, starts, finals = float64_penalties(graph)
    nodes = finite(graph).nodes
    arcs, starts, finals = (
        torch.where(torch.from_numpy(on_path), penalties, torch.inf)
        for on_path, penalties in (
            (nodes[t.src] & nodes[t.dst], arcs),
            (nodes[t.starts], starts),
            (nodes[t.finals], finals),
        )
    )
    trim = (
        graph.detach()
        .double()
        ._with(penalties=arcs, start_penalties=starts, final_penalties=finals)
    )
    distances = distances_float64(trim, "backward" if to == "start" else "forward", semiring)
    potential = torch.where(torch.tensor(nodes), distances, 0.0)
    if to == "final":
        potential = -potential

    def at(numbers: np.ndarray[tuple[int], np.dtype[np.int32]]) -> torch.Tensor:
        return potential.index_select(0, as_index(numbers))

    return arcs + at(t.dst) - at(t.src), starts + at(t.starts), finals - at(t.finals)
