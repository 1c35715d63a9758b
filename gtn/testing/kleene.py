"""Oracles for graphs with cycles: distances and posteriors by Kleene's algorithm, O(N^3)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Literal

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gtn.graph import Graph
from gtn.testing.comparison import closure, penalty_by_closure
from gtn.testing.enumeration import Plain

__all__ = ["distances_by_closure", "posteriors_by_closure"]

Float64s = NDArray[np.float64]
Direction = Literal["forward", "backward"]
Semiring = Literal["log", "tropical"]


def distances_by_closure(
    graph: Graph, direction: Direction = "forward", semiring: Semiring = "log"
) -> Float64s:
    """Return the sum over (or the least of) all ways from the start to each node, ``float64 [N]``.

    With ``"backward"``, over all ways from each node to the end. ``inf`` where there is none. For
    small graphs, and batches of them.

    Raises:
        CyclicGraphError: a reachable cycle has an infinite sum; in the tropical semiring,
            ``NegativeCycleError``: there is no least way.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (1, 1, 7, 0.5)], final=1)
    >>> distances_by_closure(g, semiring="tropical")
    array([0., 1.])
    """
    arcs = graph.penalties.detach().double().tolist()
    links = list(zip(graph.src.tolist(), graph.dst.tolist(), arcs))
    nodes, penalties = graph.starts, graph.start_penalties
    if direction == "backward":
        links = [(dst, src, penalty) for src, dst, penalty in links]
        nodes, penalties = graph.finals, graph.final_penalties
    links = [link for link in links if link[2] < math.inf]
    ends = zip(nodes.tolist(), penalties.detach().double().tolist())
    seeds = {node: penalty for node, penalty in ends if penalty < math.inf}
    result = np.full(graph.num_nodes, np.inf)
    for low, high in pairwise(graph.topology.node_offsets.tolist()):
        own = {n: p for n, p in seeds.items() if low <= n < high}
        _reach(result, [link for link in links if low <= link[0] < high], own, semiring)
    return result


def _reach(
    result: Float64s, links: list[tuple[int, int, float]], seeds: dict[int, float], semiring: Any
) -> None:
    """Fill in the distances of the nodes that can be reached from the seeds."""
    joined = nx.DiGraph([link[:2] for link in links])
    joined.add_nodes_from(seeds)
    reached = sorted(set(seeds).union(*(nx.descendants(joined, seed) for seed in seeds)))
    number = {node: i for i, node in enumerate(reached)}
    matrix = np.full((len(reached), len(reached)), np.inf)
    for src, dst, penalty in links:
        if src in number:
            place = number[src], number[dst]
            matrix[place] = _both(matrix[place], penalty, semiring)
    every = closure(matrix, semiring)
    for node in reached:
        total = math.inf
        for seed, penalty in seeds.items():
            total = _both(total, penalty + every[number[seed], number[node]], semiring)
        result[node] = total


def _both(first: float, second: float, semiring: Semiring) -> float:
    if semiring == "tropical":
        return min(first, second)
    return -float(np.logaddexp(-first, -second))


def posteriors_by_closure(graph: Graph, *, of: str = "arcs") -> Float64s:
    """Return how often a path drawn at random uses each arc: the gradient of the forward penalty.

    The mass of all ways to the arc, through it and on to the end, cycles included. Zeros if there
    is no path. For small single graphs.

    Args:
        of: ``"arcs"`` (``float64 [A]``), ``"starts"`` (``[S]``) or ``"finals"`` (``[F]``).

    Raises:
        CyclicGraphError: the sum over all paths does not converge.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 0, 7, 0.6931471805599453)], final=0)
    >>> posteriors_by_closure(g).round(6)  # once round in two paths, twice in four, …
    array([1.])
    """
    plain = Plain(graph)
    used = {arc for arcs in plain.outgoing.values() for arc, _ in arcs}
    kept = np.array([arc in used for arc in range(graph.num_arcs)], dtype=bool)
    penalties = np.where(kept, graph.penalties.detach().double().numpy(), np.inf)
    starts, finals = (
        np.array([plain_ends.get(node, math.inf) for node in nodes.tolist()])
        for plain_ends, nodes in ((plain.starts, graph.starts), (plain.finals, graph.finals))
    )
    total = penalty_by_closure(graph)
    if total == math.inf:
        return np.zeros({"arcs": len(penalties), "starts": len(starts), "finals": len(finals)}[of])
    part = graph.detach().double()
    part = part.with_penalties(
        part.penalties.new_tensor(penalties),
        start_penalties=part.penalties.new_tensor(starts),
        final_penalties=part.penalties.new_tensor(finals),
    )
    ahead, behind = distances_by_closure(part), distances_by_closure(part, "backward")
    ways = {
        "arcs": ahead[graph.src] + penalties + behind[graph.dst],
        "starts": starts + behind[graph.starts],
        "finals": ahead[graph.finals] + finals,
    }[of]
    shares: Float64s = np.exp(total - ways)
    return shares
