"""Oracles that enumerate paths: slow, plain, and independent of the library's algorithms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from gtn.errors import CyclicGraphError, GraphError
from gtn.graph import Graph
from gtn.symbols import EPSILON

__all__ = [
    "Path",
    "Plain",
    "forward_penalty_by_enumeration",
    "path_penalties_by_string",
    "paths",
    "posteriors_by_enumeration",
    "viterbi_by_enumeration",
]

Strings = tuple[tuple[int, ...], tuple[int, ...]]


class Path(NamedTuple):
    """One accepting path.

    Attributes:
        arcs: arc numbers, in order.
        start, final: node numbers of its two ends.
        penalty: the sum in nats, including the penalties of its start and its final.
        inputs, outputs: labels along the path, without epsilons.
    """

    arcs: tuple[int, ...]
    start: int
    final: int
    penalty: float
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Plain:
    """The useful part of a graph in plain Python: what is not forbidden and lies on a path.

    It uses none of the topology's indexes, which are under test themselves.
    """

    def __init__(self, graph: Graph) -> None:
        self.penalties: list[float] = graph.penalties.detach().double().tolist()
        starts, finals = (
            {n: p for n, p in zip(nodes.tolist(), values.detach().tolist()) if p < math.inf}
            for nodes, values in (
                (graph.starts, graph.start_penalties),
                (graph.finals, graph.final_penalties),
            )
        )
        ends = list(zip(graph.src.tolist(), graph.dst.tolist()))
        self.ilabels: list[int] = graph.ilabels.tolist()
        self.olabels: list[int] = graph.olabels.tolist()
        links = nx.DiGraph(
            [ends for ends, penalty in zip(ends, self.penalties) if penalty < math.inf]
        )
        links.add_nodes_from([*starts, *finals])
        useful = _around(links, starts) & _around(links.reverse(), finals)
        self.links = links.subgraph(useful)
        self.starts = {n: p for n, p in starts.items() if n in useful}
        self.finals = {n: p for n, p in finals.items() if n in useful}
        self.outgoing: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for arc, (src, dst) in enumerate(ends):
            if self.penalties[arc] < math.inf and src in useful and dst in useful:
                self.outgoing[src].append((arc, dst))


def _around(links: Any, seeds: Iterable[int]) -> set[int]:
    return set(seeds).union(*(nx.descendants(links, seed) for seed in seeds))


def paths(graph: Graph, max_length: int | None = None, *, max_paths: int = 100_000) -> list[Path]:
    """Return all accepting paths of a small graph or batch, by depth-first search.

    Ordered by start node, then by arc numbers, shorter first. Arcs, starts and finals of penalty
    ``+inf`` are forbidden: no path has them.

    Args:
        max_length: the greatest number of arcs of a path; needed if a cycle lies on a path.
        max_paths: the greatest number of paths.

    Raises:
        CyclicGraphError: a cycle lies on a path and no ``max_length`` is given.
        GraphError: more than ``max_paths`` paths.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 3, 0.5), (0, 1, 5, 2.5), (1, 2, 4, 1.0)], final=2)
    >>> for path in paths(g):
    ...     print(path.arcs, path.penalty, path.inputs)
    (0, 2) 1.5 (3, 4)
    (1, 2) 3.5 (5, 4)
    """
    plain = Plain(graph)
    if max_length is None and not nx.is_directed_acyclic_graph(plain.links):
        nodes = [src for src, _ in nx.find_cycle(plain.links)]
        raise CyclicGraphError(
            f"the cycle through nodes {nodes} lies on infinitely many paths; give max_length"
        )
    found: list[Path] = []
    stack: list[tuple[int, int, tuple[int, ...]]] = [
        (start, start, ()) for start in sorted(plain.starts, reverse=True)
    ]
    while stack:
        start, node, arcs = stack.pop()
        if node in plain.finals:
            found.append(_path(plain, arcs, start, node))
            if len(found) > max_paths:
                raise GraphError(
                    f"the graph has more than {max_paths} paths; this is for small ones"
                )
        if max_length is None or len(arcs) < max_length:
            stack += [(start, dst, (*arcs, arc)) for arc, dst in reversed(plain.outgoing[node])]
    return found


def _path(plain: Plain, arcs: tuple[int, ...], start: int, final: int) -> Path:
    return Path(
        arcs,
        start,
        final,
        math.fsum([plain.starts[start], *(plain.penalties[a] for a in arcs), plain.finals[final]]),
        tuple(plain.ilabels[a] for a in arcs if plain.ilabels[a] != EPSILON),
        tuple(plain.olabels[a] for a in arcs if plain.olabels[a] != EPSILON),
    )


def path_penalties_by_string(
    graph: Graph, max_length: int | None = None
) -> dict[Strings, list[float]]:
    """Return the penalties of all paths, increasing, by ``(inputs, outputs)`` of the path.

    Operations that keep the paths of each pair of strings, as ``connect`` does, must not change it.
    Arguments and errors are those of :func:`paths`.

    >>> import gtn
    >>> path_penalties_by_string(gtn.Graph.from_arcs([(0, 1, 7, 2.0), (0, 1, 7, 1.0)], final=1))
    {((7,), (7,)): [1.0, 2.0]}
    """
    penalties: dict[Strings, list[float]] = defaultdict(list)
    for path in paths(graph, max_length):
        penalties[path.inputs, path.outputs].append(path.penalty)
    return {strings: sorted(values) for strings, values in penalties.items()}


def forward_penalty_by_enumeration(graph: Graph, max_length: int | None = None) -> Any:
    """Return minus log-sum-exp of minus the penalties of all paths, in nats.

    Paper, section VI-C (eq. 13 goes node by node, this path by path). A float for a single graph,
    ``float64 [B]`` for a batch; ``inf`` without a path. Arguments and errors are those of
    :func:`paths`; on a cyclic graph, paths longer than ``max_length`` are left out
    (:func:`~gtn.testing.penalty_by_closure` is exact there).

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 3, 1.0), (0, 1, 5, 1.0)], final=1)
    >>> round(forward_penalty_by_enumeration(g), 6)  # 1 - log 2
    0.306853
    """
    return _per_graph(graph, [_log_sum(group) for group in _grouped(graph, max_length)])


def viterbi_by_enumeration(graph: Graph, max_length: int | None = None) -> Any:
    """Return the least path penalty, in nats: a float, or ``float64 [B]`` for a batch.

    ``inf`` without a path. Arguments and errors are those of :func:`paths`.

    >>> import gtn
    >>> viterbi_by_enumeration(gtn.Graph.from_arcs([(0, 1, 3, 1.5), (0, 1, 5, 1.0)], final=1))
    1.0
    """
    groups = _grouped(graph, max_length)
    return _per_graph(graph, [min((p.penalty for p in g), default=math.inf) for g in groups])


def posteriors_by_enumeration(
    graph: Graph, max_length: int | None = None, *, of: str = "arcs"
) -> NDArray[np.float64]:
    """Return how often a path drawn at random uses each arc: the gradient of the forward penalty.

    A path is drawn with probability ``exp(forward - its penalty)``. Zeros if there is no path.

    Args:
        max_length: as in :func:`paths`.
        of: ``"arcs"`` (``float64 [A]``), ``"starts"`` (``[S]``) or ``"finals"`` (``[F]``).

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 3, 1.0), (0, 1, 5, 1.0), (1, 2, 4)], final=2)
    >>> posteriors_by_enumeration(g)
    array([0.5, 0.5, 1. ])
    """
    if of not in ("arcs", "starts", "finals"):
        raise ValueError(f"of={of!r}; known are 'arcs', 'starts' and 'finals'")
    size = graph.num_arcs if of == "arcs" else len(getattr(graph, of))
    result = np.zeros(size)
    for group in _grouped(graph, max_length):
        forward = _log_sum(group)
        for path in group:
            share = math.exp(forward - path.penalty)
            if of == "arcs":
                np.add.at(result, list(path.arcs), share)
            else:
                node = path.start if of == "starts" else path.final
                result[getattr(graph, of).tolist().index(node)] += share
    return result


def _grouped(graph: Graph, max_length: int | None) -> list[list[Path]]:
    """Return the paths of each graph of a batch."""
    ends = graph.topology.node_offsets[1:].tolist()
    groups: list[list[Path]] = [[] for _ in ends]
    for path in paths(graph, max_length):
        groups[next(i for i, end in enumerate(ends) if path.start < end)].append(path)
    return groups


def _per_graph(graph: Graph, values: list[float]) -> Any:
    return np.array(values) if graph.topology.is_batch else values[0]


def _log_sum(group: list[Path]) -> float:
    """Return the forward penalty of paths, rounding the sum once."""
    if not group:
        return math.inf
    least = min(path.penalty for path in group)
    return least - math.log(math.fsum(math.exp(least - path.penalty) for path in group))
