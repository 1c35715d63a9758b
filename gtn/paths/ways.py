"""The least way to or from each node: eq. 10, and a search where there is a cycle."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import NegativeCycleError
from gtn.graph import check_penalties
from gtn.indexes import frozen
from gtn.kernels import scoring as kernels
from gtn.topology import Topology

__all__ = ["least_ways"]

Float64s = NDArray[np.float64]
Int32s = NDArray[np.int32]


def least_ways(
    topology: Topology,
    arcs: Float64s,
    starts: Float64s,
    finals: Float64s,
    *,
    backward: bool = False,
    everywhere: bool = False,
) -> tuple[Float64s, Int32s]:
    """Return the least penalty of a way to each node, and the arc by which it enters the node.

    O(N + A), except for graphs of a batch that have a cycle. These are searched, component by
    component: O(a log n) in one of n nodes and a arcs, O(n a) at worst if a penalty is negative.
    Ties go to the start, then to the lowest arc.

    Args:
        topology: of a graph or a batch.
        arcs, starts, finals: penalties.
        backward: ways from each node to the end instead, and the arc by which they leave the node;
            final penalties then count, start penalties do not.
        everywhere: whether nodes on no path matter. If not, the least penalty of such a node may be
            ``inf``, and a negative cycle of such nodes is no error.

    Returns:
        ``[N]`` in nats, ``inf`` where there is no way; and ``[N]``, -1 where the way begins at the
        node itself or there is none.

    Raises:
        NegativeCycleError: a cycle has a negative penalty.
        GraphError: a NaN or -inf penalty; the message names the arc.
    """
    acyclic = topology.is_acyclic
    if backward:
        order = topology.reverse_path_order if acyclic else _reversed(topology.order_of_acyclic)
        into, ends = topology.outgoing, topology.outgoing_ends
        seeds, given = topology.finals, finals
    else:
        order = topology.order if acyclic else topology.order_of_acyclic
        into, ends = topology.incoming, topology.incoming_ends
        seeds, given = topology.starts, starts
    least, entry, bad = kernels.viterbi(order, *into, ends, seeds, arcs, given)
    if not acyclic:
        searched = np.ones(topology.num_nodes, dtype=np.bool_)
        searched[order] = False
        allowed = searched
        if not everywhere:
            open_ = topology.only(arcs != np.inf, starts != np.inf, finals != np.inf)
            allowed = searched & open_.on_paths
        outof, src, dst = topology.outgoing, topology.src, topology.dst
        nodes, bounds = topology.components
        if backward:
            outof, src, dst = topology.incoming, dst, src
            nodes, bounds = _reversed(nodes), _reversed(topology.num_nodes - bounds)
        found, ways, bad, cycle = kernels.shortest_from(
            frozen(allowed), nodes, bounds, *outof, src, dst, seeds, arcs, given
        )
        if len(cycle):
            onward = _reversed(cycle) if backward else cycle
            raise NegativeCycleError(
                f"a cycle has the negative penalty {arcs[cycle].sum():.6g}, so no path is best: "
                f"{topology.describe_cycle(onward)}"
            )
        least, entry = np.where(searched, found, least), np.where(searched, ways, entry)
    if bad >= 0:
        check_penalties(torch.from_numpy(arcs), topology.num_arcs, "arc")
    return least, entry


def _reversed(row: Int32s) -> Int32s:
    turned: Int32s = frozen(np.ascontiguousarray(row[::-1]))
    return turned
