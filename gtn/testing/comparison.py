"""The exact penalties that a graph gives to strings, and whether two graphs agree in them."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Literal

import networkx as nx
import numpy as np
import torch
from numpy.typing import NDArray

from gtn.errors import CyclicGraphError, GraphError, NegativeCycleError, counted
from gtn.graph import Graph
from gtn.symbols import EPSILON, SymbolTable
from gtn.testing.enumeration import Plain, Strings

__all__ = ["assert_equivalent", "penalty_by_closure", "string_penalties"]

Semiring = Literal["log", "tropical"]
Matrix = NDArray[np.float64]


def assert_equivalent(
    a: Graph,
    b: Graph,
    *,
    semiring: Semiring = "log",
    max_length: int | None = None,
    atol: float | None = None,
) -> None:
    """Assert that two graphs assign the same penalty to each pair of input and output string.

    Symbols are compared where the graphs have tables, labels otherwise; two batches are compared
    graph by graph. Cycles of epsilons are summed exactly. For small graphs, of a hundred nodes or
    so: O(N^3) and O(N^2) for each pair of strings; :func:`gtn.equivalent` takes larger ones.

    Args:
        semiring: ``"log"``: compare the forward penalty over all paths of a pair of strings;
            ``"tropical"``: the least penalty.
        max_length: compare strings of at most so many symbols on each side; needed if a graph
            accepts infinitely many.
        atol: tolerance in nats (relative for penalties above 1); 1e-9 unless given, 1e-5 if one of
            the graphs is in float32.

    Raises:
        AssertionError: naming the first (shortest) pair of strings that differs, and the
            penalties that the two graphs give it.
        CyclicGraphError: infinitely many strings and no ``max_length``, or penalties that do
            not converge.

    >>> import gtn
    >>> one = gtn.Graph.from_arcs([(0, 1, "a", 1.0), (1, 2, "b", 2.0)], final=2)
    >>> two = gtn.Graph.from_arcs([(0, 1, "a", 2.0), (1, 2, "b", 1.0)], final=2)
    >>> assert_equivalent(one, two)
    """
    if a.topology.is_batch != b.topology.is_batch or a.topology.batch_size != b.topology.batch_size:
        raise AssertionError(f"{_kind(a)} is compared with {_kind(b)}")
    if atol is None:
        atol = 1e-5 if torch.float32 in (a.penalties.dtype, b.penalties.dtype) else 1e-9
    _compare_tables(a, b)
    if not a.topology.is_batch:
        _compare(a, b, "", semiring, max_length, atol)
        return
    for i, (one, two) in enumerate(zip(a, b, strict=True)):  # type: ignore[call-overload]
        _compare(one, two, f" (graph {i} of the batch)", semiring, max_length, atol)


def _compare(
    a: Graph, b: Graph, where: str, semiring: Semiring, max_length: int | None, atol: float
) -> None:
    first, second = (
        {
            (_text(inputs, graph.isymbols), _text(outputs, graph.osymbols)): penalty
            for (inputs, outputs), penalty in string_penalties(
                graph, max_length, semiring=semiring
            ).items()
        }
        for graph in (a, b)
    )
    every = first.keys() | second.keys()
    differing = [
        key for key in every if _differ(first.get(key, math.inf), second.get(key, math.inf), atol)
    ]
    if differing:
        key = min(differing, key=lambda k: (len(k[0]) + len(k[1]), k))
        penalties = [f"{found.get(key, math.inf):.7g}" for found in (first, second)]
        raise AssertionError(
            f"the graphs differ{where} on input {_shown(key[0])} -> output {_shown(key[1])}: "
            f"penalty {penalties[0]} in the first, {penalties[1]} in the second "
            f"({semiring} semiring; {len(differing)} of {len(every)} pairs of strings differ)"
        )


def _differ(first: float, second: float, atol: float) -> bool:
    if math.isinf(first) or math.isinf(second):
        return first != second
    return abs(first - second) > atol * max(1.0, abs(first), abs(second))


def _text(labels: tuple[int, ...], table: SymbolTable | None) -> tuple[str, ...]:
    return tuple(str(label) if table is None else table.symbol(label) for label in labels)


def _shown(text: tuple[str, ...]) -> str:
    return repr(" ".join(text))


def _kind(graph: Graph) -> str:
    size = graph.topology.batch_size
    return f"a batch of {counted(size, 'graph')}" if graph.topology.is_batch else "a single graph"


def _compare_tables(a: Graph, b: Graph) -> None:
    for side, labels in (("isymbols", "ilabels"), ("osymbols", "olabels")):
        tables = [getattr(graph, side) for graph in (a, b)]
        used = [(getattr(graph, labels) != EPSILON).any() for graph in (a, b)]
        if all(used) and (tables[0] is None) != (tables[1] is None):
            raise AssertionError(
                f"{side} is {tables[0]!r} in the first graph and {tables[1]!r} in the second: "
                "symbols cannot be compared with labels"
            )


def string_penalties(
    graph: Graph,
    max_length: int | None = None,
    *,
    semiring: Semiring = "log",
    max_strings: int = 100_000,
) -> dict[Strings, float]:
    """Return the penalty of each pair of strings (labels) that a small single graph accepts.

    Goes from shorter to longer strings, with a vector of one penalty per node for each pair; arcs
    that read and write nothing are summed by :func:`closure`, so cycles of them are exact.
    O(N^3), plus O(N^2) for each pair of strings and of labels.

    Args:
        max_length: the greatest length of a string, on each side; needed if there are infinitely
            many strings.
        semiring: ``"log"`` (all paths of a pair, forward penalty) or ``"tropical"`` (the least).
        max_strings: the greatest number of pairs of strings.

    Raises:
        CyclicGraphError: infinitely many strings and no ``max_length``, or penalties that do
            not converge (``NegativeCycleError`` in the tropical semiring).
        GraphError: a batch, or more than ``max_strings`` pairs.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 0, None, 1.0), (0, 1, 7, 8, 0.5), (1, 1, 7, None)], final=1)
    >>> string_penalties(g, 2, semiring="tropical")
    {((7,), (8,)): 0.5, ((7, 7), (8,)): 0.5}
    """
    if graph.topology.is_batch:
        raise GraphError("the strings of a batch are those of its graphs; ask batch[i]")
    plain = Plain(graph)
    number = {node: i for i, node in enumerate(sorted(plain.links))}
    steps = _steps(plain, number, semiring)
    moves = {pair: matrix for pair, matrix in steps.items() if pair != (EPSILON, EPSILON)}
    if max_length is None:
        _check_finite(plain)
    still = closure(steps[EPSILON, EPSILON], semiring)
    waiting: list[dict[Strings, Matrix]] = [{((), ()): _vector(plain.starts, number)}]
    finals = _vector(plain.finals, number)
    found: dict[Strings, float] = {}
    for level in waiting:  # grows as we go: strings of 0, 1, 2 … labels on both sides
        for (inputs, outputs), reached in level.items():
            vector = _sum(reached[:, None] + still, semiring)
            total = float(_sum(vector + finals, semiring))
            if total < math.inf:
                found[inputs, outputs] = total
            for (ilabel, olabel), matrix in moves.items():
                key = (
                    inputs if ilabel == EPSILON else (*inputs, ilabel),
                    outputs if olabel == EPSILON else (*outputs, olabel),
                )
                after = _sum(vector[:, None] + matrix, semiring)
                if (max_length is None or max(map(len, key)) <= max_length) and (
                    after < math.inf
                ).any():
                    _put(waiting, key, after, semiring)
        if len(found) > max_strings:
            raise GraphError(f"the graph has more than {max_strings} pairs of strings")
    return found


def _put(
    waiting: list[dict[Strings, Matrix]], key: Strings, vector: Matrix, semiring: Semiring
) -> None:
    """Add a vector to that of a pair of strings, among those of as many labels."""
    level = sum(map(len, key))
    waiting += [{} for _ in range(level + 1 - len(waiting))]
    known = waiting[level].get(key)
    waiting[level][key] = vector if known is None else _sum(np.stack([known, vector]), semiring)


def penalty_by_closure(graph: Graph, *, semiring: Semiring = "log") -> Any:
    """Return the forward (``"log"``) or Viterbi (``"tropical"``) penalty, cycles included.

    By Kleene's algorithm, one node after another: O(N^3), for small graphs. A float for a single
    graph, ``float64 [B]`` for a batch; ``inf`` without a path.

    Raises:
        CyclicGraphError: the sum over all paths does not converge, or, in the tropical semiring,
            ``NegativeCycleError``: there is no least path.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 0, 7, 2.0), (0, 1, 8, 0.0)], final=1)
    >>> round(penalty_by_closure(g), 9)  # -log (1 + e^-2 + e^-4 + …) = log (1 - e^-2)
    -0.145413458
    """
    plain = Plain(graph)
    number = {node: i for i, node in enumerate(sorted(plain.links))}
    steps = np.stack(list(_steps(plain, number, semiring).values()))
    every = closure(_sum(steps, semiring), semiring)
    ends = graph.topology.node_offsets
    values = []
    for low, high in zip(ends[:-1].tolist(), ends[1:].tolist()):
        starts, finals = (
            _vector({n: p for n, p in nodes.items() if low <= n < high}, number)
            for nodes in (plain.starts, plain.finals)
        )
        through = starts[:, None] + every + finals
        values.append(float(_sum(through.reshape(-1), semiring)))
    return np.array(values) if graph.topology.is_batch else values[0]


def closure(matrix: Matrix, semiring: Semiring) -> Matrix:
    """Return ``I + M + M^2 + …`` of a matrix ``[n, n]`` of penalties (Kleene's algorithm)."""
    result = matrix
    for k in range(len(matrix)):
        around = _star(float(result[k, k]), semiring)
        through = result[:, k, None] + around + result[None, k, :]
        result = _sum(np.stack([result, through]), semiring)
    identity = np.where(np.eye(len(matrix), dtype=bool), 0.0, np.inf)
    return _sum(np.stack([result, identity]), semiring)


def _star(penalty: float, semiring: Semiring) -> float:
    """Return the penalty of any number of rounds of a cycle: ``-log 1 / (1 - e^-p)``."""
    if penalty == math.inf or (semiring == "tropical" and penalty >= 0):
        return 0.0
    if semiring == "tropical":
        raise NegativeCycleError(f"a cycle of penalty {penalty:.6g} lies on a path: no least path")
    if penalty <= 0:
        raise CyclicGraphError(
            f"cycles of forward penalty {penalty:.6g} lie on a path; the sum over all paths "
            "converges only where it is above 0"
        )
    return math.log(-math.expm1(-penalty))


def _sum(values: Matrix, semiring: Semiring) -> Matrix:
    """Return the sum over the first dimension, in the semiring."""
    if semiring == "tropical":
        least: Matrix = np.min(values, axis=0, initial=np.inf)
        return least
    if semiring != "log":
        raise ValueError(f"semiring={semiring!r}; known are 'log' and 'tropical'")
    total: Matrix = 0.0 - np.logaddexp.reduce(-values, axis=0)  # 0.0 - 0.0 is not -0.0
    return total


def _vector(nodes: dict[int, float], number: dict[int, int]) -> Matrix:
    vector = np.full(len(number), np.inf)
    for node, penalty in nodes.items():
        vector[number[node]] = penalty
    return vector


def _steps(
    plain: Plain, number: dict[int, int], semiring: Semiring
) -> dict[tuple[int, int], Matrix]:
    """Return, for each pair of labels, the penalties of its arcs as a matrix ``[n, n]``."""
    steps: dict[tuple[int, int], Matrix] = defaultdict(
        lambda: np.full((len(number), len(number)), np.inf)
    )
    steps[EPSILON, EPSILON]  # make the entry, even if no arc has it
    for src, arcs in plain.outgoing.items():
        for arc, dst in arcs:
            matrix = steps[plain.ilabels[arc], plain.olabels[arc]]
            place = number[src], number[dst]
            both = np.array([matrix[place], plain.penalties[arc]])
            matrix[place] = _sum(both, semiring)
    return steps


def _check_finite(plain: Plain) -> None:
    """Raise if a cycle reads or writes something."""
    component = {
        node: i
        for i, nodes in enumerate(nx.strongly_connected_components(plain.links))
        for node in nodes
    }
    for src, arcs in plain.outgoing.items():
        for arc, dst in arcs:
            silent = plain.ilabels[arc] == EPSILON == plain.olabels[arc]
            if not silent and component[src] == component[dst]:
                raise CyclicGraphError(
                    f"arc {arc}, from node {src} to {dst}, lies on a cycle, so the graph has "
                    "infinitely many strings; give max_length"
                )
