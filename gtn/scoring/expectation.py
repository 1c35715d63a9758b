"""Expectations over the paths of a graph, drawn with probability exp(forward - penalty)."""

from __future__ import annotations

import torch

from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.product.failure import check_reads_none
from gtn.scoring.all_paths import Posteriors, posteriors_float64
from gtn.tensors import as_given, as_index
from gtn.topology import Topology

__all__ = ["entropy", "expected"]


def expected(
    graph: Graph,
    values: torch.Tensor,
    *,
    start_values: torch.Tensor | None = None,
    final_values: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean, over the paths of a graph, of a quantity that adds up along a path.

    The sum over arcs of posterior times value: for lengths of paths, durations, numbers of errors
    (the expected risk). One pass forward and one back; exact on graphs with cycles. The gradient
    with respect to a value is the arc's posterior; with respect to an arc's penalty it is minus
    the covariance of the quantity and the number of uses of the arc. Differentiable to any order.

    Args:
        graph: a graph or a batch.
        values: of each arc, ``[A]``, or several quantities at once, ``[A, K]``.
        start_values, final_values: of each start and final, ``[S]`` and ``[F]`` (or ``[S, K]``,
            ``[F, K]``); None: zero.

    Returns:
        ``[]`` or ``[K]``; for a batch ``[B]`` or ``[B, K]``; in the penalties' dtype. Zero, with
        gradient zero, if there is no path.

    Raises:
        DivergentGraphError: the sum over all paths is infinite, so there is no distribution.
        GraphError: values that are not tensors, or have another shape; a NaN or -inf penalty,
            or a failure arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 1.0), (1, 2, 9)], final=2)
    >>> expected(g, torch.tensor([1.0, 2.0, 10.0]))
    tensor(11.5000)
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    topology = graph.topology
    for name, own in (
        ("values", values),
        ("start_values", start_values),
        ("final_values", final_values),
    ):
        if not isinstance(own, torch.Tensor) and (own is not None or name == "values"):
            raise GraphError(f"{name} must be a torch.Tensor, not {type(own).__name__}")
    shape = (topology.num_arcs, *values.shape[1:])
    if values.ndim not in (1, 2) or tuple(values.shape) != shape:
        raise GraphError(
            f"values have shape {list(values.shape)}; it is [{topology.num_arcs}] "
            f"or [{topology.num_arcs}, K]: one row for each arc"
        )
    parts = [values]
    for name, own, nodes in (
        ("start_values", start_values, topology.starts),
        ("final_values", final_values, topology.finals),
    ):
        wanted = [len(nodes), *shape[1:]]
        parts.append(values.new_zeros(wanted) if own is None else own)
        if list(parts[-1].shape) != wanted:
            raise GraphError(
                f"{name} have shape {list(parts[-1].shape)}, not {wanted} "
                f"beside values of shape {list(shape)}"
            )
    found = posteriors_float64(graph)
    parts = [own.to(device="cpu", dtype=torch.float64) for own in parts]
    return as_given(_sum(found, parts, topology), graph)


def _sum(found: Posteriors, parts: list[torch.Tensor], topology: Topology) -> torch.Tensor:
    """Return the sum of posteriors times values, per graph of a batch."""
    owners = (
        topology.arc_graph,
        topology.graph_of_nodes(topology.starts),
        topology.graph_of_nodes(topology.finals),
    )
    total = parts[0].new_zeros(topology.batch_size, *parts[0].shape[1:])
    for posteriors, values, owner in zip(found[:3], parts, owners, strict=True):
        share = posteriors if values.ndim == 1 else posteriors[:, None]
        # What no path uses counts zero, even if its value is infinite.
        used = torch.where(share > 0, values, 0.0)
        total = total.index_add(0, as_index(owner), share * used)
    return total if topology.is_batch else total.squeeze(0)


def entropy(graph: Graph) -> torch.Tensor:
    """Return the entropy of the distribution over paths, in nats.

    A path has probability exp(forward - penalty). The entropy is the mean of -log of its
    probability, summed over its steps from end to start, so that nothing is lost in differences of
    large penalties. One pass forward and one back; exact on graphs with cycles; differentiable to
    any order.

    Returns:
        ``[]``, ``[B]`` for a batch; in the penalties' dtype. Zero, with gradient zero, if there is
        no path.

    Raises:
        DivergentGraphError: the sum over all paths is infinite, so there is no distribution.
        GraphError: a NaN or -inf penalty, or a failure arc; the message names the arc.

    >>> import gtn
    >>> entropy(gtn.Graph.from_arcs([(0, 1, 7), (0, 1, 8), (1, 2, 9)], final=2))  # log 2
    tensor(0.6931)
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    found = posteriors_float64(graph)
    parts = [_surprise(share) for share in (found.arc_shares, found.start_shares, found.finals)]
    return as_given(_sum(found, parts, graph.topology), graph)


def _surprise(shares: torch.Tensor) -> torch.Tensor:
    """Return -log of the shares, 0 where there is none."""
    some = shares > 0
    return torch.where(some, -torch.log(torch.where(some, shares, 1.0)), 0.0)
