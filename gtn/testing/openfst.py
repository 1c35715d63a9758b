"""A bridge to OpenFst (pynini), the independent implementation that operations are compared with.

Labels shift by one on the way and back: OpenFst's epsilon is 0, ours -1, and class 0 is a label
here. An OpenFst machine has one start: several starts, or one with a penalty, become a new start
with epsilon arcs. Penalties pass in OpenFst's binary format, so unrounded, except that arcs of its
tropical semiring are float32; :func:`random_graphs` draws penalties that are exact there.
:func:`assert_same_language` compares an OpenFst result with ours.

pynini is imported when a machine is made (``pip install pynini``).
"""

from __future__ import annotations

import importlib
import math
import random
from collections import defaultdict
from typing import Any, Literal

import networkx as nx
import numpy as np
import torch

from gtn.batch import GraphBatch
from gtn.graph import Graph
from gtn.interchange.binary import from_openfst_binary, to_openfst_binary
from gtn.symbols import EPSILON
from gtn.testing.comparison import string_penalties
from gtn.testing.enumeration import Plain, Strings
from gtn.topology import Topology

__all__ = ["assert_same_language", "from_openfst", "language", "random_graphs", "to_openfst"]

Kind = Literal["tropical", "log", "log64"]


def _pynini() -> Any:
    try:
        return importlib.import_module("pynini")
    except ImportError as error:
        raise ImportError("comparisons with OpenFst need pynini: pip install pynini") from error


def to_openfst(graph: Graph, semiring: Kind = "tropical") -> Any:
    """Return a single graph as a ``pynini.Fst``; for a batch, a list of them.

    Node n is state n; a super-start, if needed, is the last state. A graph without starts becomes
    the machine without states. Infinite penalties, symbol tables and data are left out.

    Args:
        semiring: ``"tropical"`` (float32), ``"log"`` (float32) or ``"log64"``.

    >>> import gtn, pytest; _ = pytest.importorskip("pynini")
    >>> to_openfst(gtn.from_arrays([0], [1], [5], penalties=[0.5], final=1)).num_states()
    2
    """
    if graph.topology.is_batch:
        return [to_openfst(one, semiring) for one in graph]  # type: ignore[attr-defined]
    return _pynini().Fst.read_from_string(
        to_openfst_binary(graph.with_symbols(None, None), semiring)
    )


def from_openfst(fst: Any) -> Graph:
    """Return a ``pynini.Fst`` as a graph with float64 penalties; state s is node s.

    Arcs are ordered by state, within a state in OpenFst's order. Symbol tables are left out.

    Raises:
        GraphError: arcs of another semiring than tropical and log.

    >>> import gtn, pytest; _ = pytest.importorskip("pynini")
    >>> g = gtn.from_arrays([0, 0], [1, 1], [0, -1], penalties=[0.5, 1.5], final=1)
    >>> from_openfst(to_openfst(g))
    Graph: 2 nodes, 2 arcs, start 0, final 1
      0 -> 1  0  0.5
      0 -> 1  ε  1.5
    """
    plain = fst.copy()
    plain.set_input_symbols(None)
    plain.set_output_symbols(None)
    return from_openfst_binary(plain.write_to_string()).double()


def language(
    graph: Any, semiring: Literal["tropical", "log"] = "tropical", max_length: int | None = None
) -> dict[Strings, float]:
    """Return the penalty of each pair of strings of a small graph (or ``pynini.Fst``), quickly.

    The same as :func:`~gtn.testing.string_penalties`, by following sets of partial paths in plain
    Python; if a cycle reads and writes nothing, by that function.

    Args:
        max_length: the greatest length of a string, on each side; needed on cyclic graphs.

    >>> import gtn
    >>> language(gtn.from_arrays([0, 0], [1, 1], [7, 7], penalties=[1.0, 2.0], final=1))
    {((7,), (7,)): 1.0}
    """
    if not isinstance(graph, Graph):
        graph = from_openfst(graph)
    plain = Plain(graph)
    silent = nx.DiGraph(
        (src, dst)
        for src, arcs in plain.outgoing.items()
        for arc, dst in arcs
        if plain.ilabels[arc] == EPSILON == plain.olabels[arc]
    )
    cyclic = not nx.is_directed_acyclic_graph(silent)
    if cyclic or (max_length is None and not nx.is_directed_acyclic_graph(plain.links)):
        return string_penalties(graph, max_length, semiring=semiring)
    longest = math.inf if max_length is None else max_length
    found: dict[Strings, list[float]] = defaultdict(list)
    frontier = {(node, (), ()): [p] for node, p in plain.starts.items()}
    while frontier:
        after: dict[Any, list[float]] = defaultdict(list)
        for (node, inputs, outputs), several in frontier.items():
            penalty = _total(several, semiring)
            if node in plain.finals:
                found[inputs, outputs].append(penalty + plain.finals[node])
            for arc, dst in plain.outgoing[node]:
                ilabel, olabel = plain.ilabels[arc], plain.olabels[arc]
                read = inputs if ilabel == EPSILON else (*inputs, ilabel)
                written = outputs if olabel == EPSILON else (*outputs, olabel)
                if len(read) <= longest and len(written) <= longest:
                    after[dst, read, written].append(penalty + plain.penalties[arc])
        frontier = after
    return {strings: _total(several, semiring) for strings, several in found.items()}


def _total(penalties: list[float], semiring: str) -> float:
    least = min(penalties)
    if semiring == "tropical" or len(penalties) == 1:
        return least
    return least - math.log(math.fsum(math.exp(least - p) for p in penalties))


def assert_same_language(
    ours: Any,
    theirs: Any,
    semiring: Literal["tropical", "log"] = "tropical",
    *,
    max_length: int | None = None,
    atol: float | None = None,
    note: str = "",
) -> None:
    """Assert that two graphs, or a graph and a ``pynini.Fst``, give each pair of strings the same.

    Args:
        max_length: compare strings of at most so many labels on each side; needed on cyclic graphs.
        atol: in nats (relative for penalties above 1); unless given, 0 in the tropical semiring
            and 1e-8 in the log semiring.
        note: the beginning of the message, to find the pair again.

    Raises:
        AssertionError: naming a shortest pair of strings that differs.
    """
    atol = (0.0 if semiring == "tropical" else 1e-8) if atol is None else atol
    first, second = language(ours, semiring, max_length), language(theirs, semiring, max_length)
    differing = []
    for key in first.keys() | second.keys():
        p, q = first.get(key, math.inf), second.get(key, math.inf)
        if p != q and not abs(p - q) <= atol * max(1.0, abs(p), abs(q)):
            differing.append((sum(map(len, key)), key, p, q))
    if differing:
        _, (inputs, outputs), p, q = min(differing)
        raise AssertionError(
            f"{note}{': ' if note else ''}input {inputs} -> output {outputs} has penalty {p!r} in "
            f"the first and {q!r} in the second ({semiring}; {len(differing)} pairs of strings "
            f"differ)\n{ours!r}\n{theirs if isinstance(theirs, Graph) else from_openfst(theirs)!r}"
        )


def random_graphs(
    count: int,
    seed: int,
    *,
    max_nodes: int = 4,
    max_arcs: int = 6,
    labels: int = 2,
    acyclic: bool = True,
    epsilons: bool = True,
    acceptor: bool = False,
    max_starts: int = 2,
    max_finals: int = 2,
    infinite: bool = False,
    least: float = -4.0,
    most: float = 64.0,
) -> GraphBatch:
    """Return a batch of many random small graphs, in float64, built in bulk.

    Penalties are multiples of 2^-8, below ``most`` in size, so that sums along paths are exact
    in float32. Four in five graphs have a path; the others may be empty, without starts or without
    finals. Node numbers are in random order.

    Args:
        count: how many.
        seed: equal seeds give equal graphs.
        max_nodes, max_arcs, max_starts, max_finals: sizes.
        labels: labels are 0 to labels - 1; on each side, one in five is an epsilon.
        acyclic: if False, cycles and self loops are drawn too.
        infinite: whether one penalty in eight forbids its arc, start or final.
        least, most: bounds of the penalties; with cycles, ``least=0`` ensures a least path, and
            ``least=2.5`` (above log of ``max_arcs + 1``) a forward penalty.

    >>> len(random_graphs(1000, seed=0))
    1000
    """
    rng = random.Random(seed)
    low, high = math.ceil(least * 256), math.ceil(most * 256) - 1

    def penalty() -> float:
        drawn = rng.randint(low, high) / 256
        return math.inf if infinite and rng.random() < 0.125 else drawn

    def label() -> int:
        return EPSILON if epsilons and rng.random() < 0.2 else rng.randrange(labels)

    rows: list[tuple[int, int, int, int, float]] = []
    ends: tuple[dict[int, float], dict[int, float]] = ({}, {})
    node_offsets, arc_offsets = [0], [0]
    for _ in range(count):
        alive = rng.random() < 0.8
        size = rng.randint(1 if alive else 0, max_nodes)
        place = [node_offsets[-1] + i for i in rng.sample(range(size), size)]
        length = rng.randint(0, min(size - 1, max_arcs)) if alive else 0
        hops = [(i, i + 1) for i in range(length)]
        possible = size > 1 or (size and not acyclic)
        for _ in range(rng.randint(length, max_arcs) - length if possible else 0):
            src, dst = rng.randrange(size), rng.randrange(size)
            while acyclic and src == dst:
                dst = rng.randrange(size)
            hops.append((min(src, dst), max(src, dst)) if acyclic else (src, dst))
        rng.shuffle(hops)
        for src, dst in hops:
            ilabel = label()
            olabel = ilabel if acceptor else label()
            rows.append((place[src], place[dst], ilabel, olabel, penalty()))
        for nodes, most_nodes, end in ((ends[0], max_starts, 0), (ends[1], max_finals, length)):
            drawn = rng.sample(range(size), rng.randint(0, min(size, most_nodes)))
            for node in {*drawn[1:], end} if alive else drawn:
                # half of the ends are free of penalty, as they are in most machines
                nodes[place[node]] = penalty() if rng.random() < 0.5 else 0.0
        node_offsets.append(node_offsets[-1] + size)
        arc_offsets.append(len(rows))
    columns = list(zip(*rows)) if rows else [()] * 5
    sources, targets, ilabels, olabels = (np.array(c, dtype=np.int32) for c in columns[:4])
    starts, finals = (sorted(nodes) for nodes in ends)
    topology = Topology(
        node_offsets[-1],
        sources,
        targets,
        ilabels,
        None if acceptor else olabels,
        starts=np.array(starts, dtype=np.int32),
        finals=np.array(finals, dtype=np.int32),
        node_offsets=node_offsets,
        arc_offsets=arc_offsets,
    )
    return GraphBatch(
        topology,
        torch.tensor(columns[4], dtype=torch.float64),
        start_penalties=torch.tensor([ends[0][n] for n in starts], dtype=torch.float64),
        final_penalties=torch.tensor([ends[1][n] for n in finals], dtype=torch.float64),
    )
