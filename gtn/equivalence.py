"""Equivalence: whether two graphs are equal, or give strings the same penalties."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import torch
from numpy.typing import NDArray

from gtn.arguments import real_number
from gtn.batch import GraphBatch
from gtn.composition import compose
from gtn.determinization import determinize
from gtn.determinization.ambiguity import is_functional
from gtn.errors import CyclicGraphError, GraphError
from gtn.graph import Graph, check_graph, check_penalties
from gtn.indexes import numbered
from gtn.optimization import finite_part
from gtn.paths import viterbi_penalty
from gtn.paths.distance import Semiring
from gtn.paths.sampling import sample
from gtn.product import common_length, relabelled, relabelling
from gtn.product.failure import check_reads_none
from gtn.pushing import push
from gtn.rational import project, union
from gtn.scoring import forward_penalty
from gtn.symbols import SymbolTable
from gtn.tensors import as_index
from gtn.testing.comparison import string_penalties
from gtn.topology import Topology

__all__ = ["equal", "equivalent", "isomorphic", "random_equivalent"]


def equal(a: Graph, b: Graph, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Return whether two graphs or batches are equal: nodes, arcs and penalties, in their order.

    Labels are compared as symbols, so tables may number them differently; a graph with a table
    differs from one without. Arc data, sources, dtypes and devices do not count.

    Args:
        a, b: graphs or batches; a batch differs from a single graph.
        rtol, atol: penalties p, q are equal if ``|p - q| <= atol + rtol * |q|``; exactly, unless
            given. Infinities are equal to themselves.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, "x", 0.5)], final=1)
    >>> equal(a, a.double()), equal(a, gtn.string("x")), equal(a, gtn.string("x"), atol=1)
    (True, False, True)
    """
    check_graph(a, b)
    s, t = a.topology, b.topology
    if s.is_batch != t.is_batch or s.num_nodes != t.num_nodes:
        return False
    names = ("src", "dst", "starts", "finals", "node_offsets", "arc_offsets")
    if not all(np.array_equal(getattr(s, name), getattr(t, name)) for name in names):
        return False
    if not (
        _same_symbols(s.ilabels, a.isymbols, t.ilabels, b.isymbols)
        and _same_symbols(s.olabels, a.osymbols, t.olabels, b.osymbols)
    ):
        return False
    return all(
        torch.allclose(_on_cpu(getattr(a, name)), _on_cpu(getattr(b, name)), rtol=rtol, atol=atol)
        for name in ("penalties", "start_penalties", "final_penalties")
    )


def isomorphic(a: Graph, b: Graph, *, rtol: float = 0.0, atol: float = 0.0) -> bool:
    """Return whether two single graphs are equal up to the numbers of nodes and arcs.

    Labels and penalties are compared as in :func:`equal`. For small graphs: the search (VF2, of
    networkx) can take exponential time where many nodes look alike.

    Raises:
        GraphError: a batch.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, 7), (1, 2, 8)], final=2)
    >>> isomorphic(a, gtn.Graph.from_arcs([(0, 2, 8), (1, 0, 7)], start=1, final=2))
    True
    """
    check_graph(a, b)
    if a.topology.is_batch or b.topology.is_batch:
        raise GraphError("a batch is compared graph by graph: zip(batch, other)")
    for x, y in ((a.isymbols, b.isymbols), (a.osymbols, b.osymbols)):
        if (x is None) != (y is None):
            return False

    def alike(first: list[list[float]], second: list[list[float]]) -> bool:
        """Compare two lists of penalties by label: parallel arcs in order of their penalties."""
        return len(first) == len(second) and np.allclose(first, second, rtol=rtol, atol=atol)

    def arcs_alike(first: Any, second: Any) -> bool:
        first, second = first["arcs"], second["arcs"]
        return first.keys() == second.keys() and all(alike(first[k], second[k]) for k in first)

    def nodes_alike(first: Any, second: Any) -> bool:
        return all(alike(first[end], second[end]) for end in ("start", "final"))

    return bool(nx.is_isomorphic(_network(a), _network(b), nodes_alike, arcs_alike))


def equivalent(
    a: Graph,
    b: Graph,
    semiring: Semiring = "log",
    *,
    atol: float | None = None,
    max_nodes: int = 1_000_000,
) -> Any:
    """Return whether two graphs give each pair of strings the same penalty.

    An answer is exact. Acceptors are determinized, pushed and walked side by side (Mohri
    2009, section 5.5), so those without a deterministic form are refused; cycles of any penalty
    are fine, as penalties per arc cancel in deterministic graphs. Functional transducers are
    compared by their inputs in this way, and by :func:`gtn.is_functional` of their union for the
    outputs. Other transducers: acyclic ones are compared string by string, up to 100,000 strings;
    cyclic ones are equivalent if they are as acceptors of label pairs, and refused if not, since
    the question is undecidable.

    Args:
        a, b: graphs, or batches of the same length; a single graph goes with each of a batch.
            Symbols are compared where both have tables.
        semiring: ``"log"``: all paths of a string count; ``"tropical"``: the least.
        atol: how far apart pushed penalties may be, in nats (relative for penalties above 1);
            unless given, 1e-6 for penalties in float64 and 1e-3 for float32.
        max_nodes: how many nodes a deterministic form may have.

    Returns:
        bool; for batches, ``bool [B]``.

    Raises:
        GraphError: it cannot be decided (use :func:`random_equivalent`); a NaN or -inf penalty; an
            unknown semiring.
        SymbolError: a table on one side and none on the other.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 1, "x", 1.0), (1, 2, "y", 2.0)], final=2)
    >>> b = gtn.Graph.from_arcs([(0, 1, "x", 2.5), (1, 2, "y", 0.5)], final=2)
    >>> equivalent(a, b), equivalent(a, gtn.Graph.from_arcs([(0, 1, "x", 1.0)], final=1))
    (True, False)
    """
    check_graph(a, b)
    atol = _tolerance(a, b, atol)
    pairs = _side_by_side(a, b, semiring)
    try:
        answers = [_equivalent(x, y, semiring, atol, max_nodes) for x, y in pairs]
    except CyclicGraphError:
        raise
    except GraphError as error:
        raise GraphError(
            f"cannot decide whether the graphs are equivalent: {error}; random_equivalent compares "
            "random strings"
        ) from error
    return _answers(a, b, answers)


def random_equivalent(
    a: Graph,
    b: Graph,
    semiring: Semiring = "log",
    *,
    n: int = 100,
    generator: torch.Generator | None = None,
    atol: float | None = None,
) -> Any:
    """Return whether two graphs give the same penalty to the strings of random paths.

    False is certain, True is not. ``n`` paths of each graph are drawn, choosing at each node about
    uniformly between its arcs and ending, whatever their penalties; composition gives the
    penalties of their pairs of strings in both graphs. For any graphs, also with cycles.

    Args:
        a, b, semiring: as in :func:`equivalent`.
        n: how many paths of each graph are drawn.
        generator: source of randomness on the CPU; None: torch's own.
        atol: how far apart penalties may be, in nats (relative for penalties above 1); unless
            given, 1e-6 for penalties in float64 and 1e-3 for float32.

    Returns:
        bool; for batches, ``bool [B]``.

    Raises:
        GraphError: a NaN or -inf penalty; an unknown semiring.
        DivergentGraphError, NegativeCycleError: a string has no penalty, because of a cycle of
            epsilons.
        SymbolError: a table on one side and none on the other.

    >>> import gtn
    >>> a = gtn.Graph.from_arcs([(0, 0, 7, 1.0), (0, 1, 7, 0.5)], final=1)
    >>> b = gtn.Graph.from_arcs([(0, 1, 7, 0.5), (1, 1, 7, 1.0)], final=1)
    >>> random_equivalent(a, b), random_equivalent(a, gtn.closure(b))
    (True, False)
    """
    check_graph(a, b)
    atol = _tolerance(a, b, atol)
    answers = [
        _randomly_equivalent(x, y, semiring, n, generator, atol)
        for x, y in _side_by_side(a, b, semiring)
    ]
    return _answers(a, b, answers)


def _answers(a: Graph, b: Graph, answers: list[bool]) -> Any:
    batch = a.topology.is_batch or b.topology.is_batch
    return np.array(answers, dtype=np.bool_) if batch else answers[0]


def _tolerance(a: Graph, b: Graph, atol: float | None) -> float:
    single = torch.float32 in (a.penalties.dtype, b.penalties.dtype)
    if atol is None:
        return 1e-3 if single else 1e-6
    atol = real_number(atol, "atol")
    if not atol >= 0:
        raise GraphError(f"atol={atol}; it is a distance between penalties, 0 or more nats")
    return atol


def _side_by_side(a: Graph, b: Graph, semiring: Semiring) -> list[tuple[Graph, Graph]]:
    """Return the pairs of graphs to compare: finite parts, float64, labels that mean the same."""
    if semiring not in ("log", "tropical"):
        raise GraphError(f"semiring={semiring!r}; it is 'log' or 'tropical'")
    for name, graph in (("a", a), ("b", b)):
        check_penalties(graph.penalties, graph.num_arcs, "arc")
        check_reads_none(graph, name)
    sides = [(b.ilabels, a.isymbols, b.isymbols), (b.olabels, a.osymbols, b.osymbols)]
    labels = []
    for own, table, other in sides:
        relabel = relabelling(table, other, "match")
        labels.append(own if relabel is None else relabelled(own, relabel))
    count = common_length(a.topology, b.topology)
    b = b._with(topology=b.topology.relabelled(*labels))
    pairs = []
    for graph in (a, b):
        plain = graph.detach().to("cpu").double().without_data()._with(isymbols=None, osymbols=None)
        part = finite_part(plain)[0]
        single = [part] * count
        pairs.append(list(part) if isinstance(part, GraphBatch) else single)
    return list(zip(*pairs))


def _equivalent(a: Graph, b: Graph, semiring: Semiring, atol: float, max_nodes: int) -> bool:
    if not (a.topology.is_acceptor and b.topology.is_acceptor):
        if is_functional(a) and is_functional(b):
            inputs = project(a), project(b)
            return _equivalent(*inputs, semiring, atol, max_nodes) and is_functional(union(a, b))
        if a.topology.is_acyclic and b.topology.is_acyclic:
            first, second = (string_penalties(g, semiring=semiring) for g in (a, b))
            return first.keys() == second.keys() and all(
                _near(torch.tensor(first[key]), torch.tensor(second[key]), atol) for key in first
            )
    one, other = (
        determinize(g, semiring=semiring, side="both", max_nodes=max_nodes) for g in (a, b)
    )
    if _same_walk(*_pushed(one, other, semiring), atol):
        return True
    if a.topology.is_acceptor and b.topology.is_acceptor:
        return False
    raise GraphError(
        "they differ as acceptors of label pairs, but have cycles and inputs with several outputs"
    )


def _pushed(a: Graph, b: Graph, semiring: Semiring) -> tuple[Graph, Graph]:
    """Push two deterministic graphs to their starts.

    If there are cycles, all arcs first get more penalty, so that sums converge. A string of n
    symbols gets n times as much in both graphs, so the answer does not change.
    """
    more = 0.0
    if not (a.topology.is_acyclic and b.topology.is_acyclic):
        for g in (a, b):
            if semiring == "tropical":
                more = max(more, -float(g.penalties.min(dim=0).values) if g.num_arcs else 0.0)
            else:
                none = g.penalties.new_full((g.num_nodes,), torch.inf)
                src = as_index(g.src)
                least = none.scatter_reduce(0, src, g.penalties, "amin")
                degree = torch.bincount(src, minlength=g.num_nodes).to(least)
                mass = torch.where(degree > 0, degree.log() - least, 0.0)
                more = max(more, float(mass.max()) + 1.0 if g.num_nodes else 0.0)
    one, other = (push(g.with_penalties(g.penalties + more), semiring=semiring) for g in (a, b))
    return one, other


def _same_walk(a: Graph, b: Graph, atol: float) -> bool:
    """Return whether two connected, pushed, deterministic graphs agree wherever a string leads."""
    if a.num_nodes == 0 or b.num_nodes == 0:
        return a.num_nodes == b.num_nodes
    # Label pairs as single labels of acceptors.
    wide = np.int64(max(a.olabels.max(initial=0), b.olabels.max(initial=0))) + 2
    keys = [(g.ilabels.astype(np.int64) + 1) * wide + g.olabels + 1 for g in (a, b)]
    numbers = numbered(np.concatenate(keys))[1]
    labels = numbers[: a.num_arcs], numbers[a.num_arcs :]
    one, other = (
        g._with(topology=g.topology.relabelled(own, None)) for g, own in zip((a, b), labels)
    )
    pairs = compose(one, other)
    if pairs.num_nodes == 0 or not _near(a.start_penalties, b.start_penalties, atol):
        return False
    nodes = []
    for g, sources in zip((a, b), pairs.sources):
        node = np.empty(pairs.num_nodes, dtype=np.int32)
        node[pairs.starts] = g.starts
        node[pairs.dst] = g.dst[sources.index]
        nodes.append(node)
    # Each pair of nodes must agree in labels (then nothing was left out), penalties and ends.
    degree = np.bincount(pairs.src, minlength=pairs.num_nodes)
    for g, node in zip((a, b), nodes):
        if not np.array_equal(np.bincount(g.src, minlength=g.num_nodes)[node], degree):
            return False
    left, right = (as_index(s.index) for s in pairs.sources)
    if not _near(a.penalties[left], b.penalties[right], atol):
        return False
    ends = []
    for g, node in zip((a, b), nodes):
        end = torch.full((g.num_nodes,), torch.inf, dtype=torch.float64)
        end[as_index(g.finals)] = g.final_penalties
        ends.append(end[as_index(node)])
    return _near(ends[0], ends[1], atol)


def _near(p: torch.Tensor, q: torch.Tensor, atol: float) -> bool:
    """Return whether penalties are equal within a tolerance, relative for those above 1."""
    within = (p - q).abs() <= atol * torch.maximum(p.abs(), q.abs()).clamp_min(1)
    return bool(((p == q) | (within & p.isfinite() & q.isfinite())).all())


def _randomly_equivalent(
    a: Graph,
    b: Graph,
    semiring: Semiring,
    n: int,
    generator: torch.Generator | None,
    atol: float,
) -> bool:
    for graph in (a, b):
        if graph.num_nodes == 0:
            continue
        degree = np.bincount(graph.src, minlength=graph.num_nodes)
        degree[graph.finals] += 1
        choice = torch.from_numpy(np.log(np.maximum(degree, 1)))
        walk = graph.with_penalties(
            choice[as_index(graph.src)] + 0.05,
            start_penalties=torch.zeros_like(graph.start_penalties),
            final_penalties=choice[as_index(graph.finals)],
        )
        drawn = sample(walk, n, generator)
        assert isinstance(drawn, GraphBatch)
        free = drawn.with_penalties(
            torch.zeros_like(drawn.penalties),
            start_penalties=torch.zeros_like(drawn.start_penalties),
            final_penalties=torch.zeros_like(drawn.final_penalties),
        )
        inputs, outputs = project(free, "input"), project(free, "output")
        score = forward_penalty if semiring == "log" else viterbi_penalty
        first, second = (score(compose(compose(inputs, g), outputs)) for g in (a, b))
        if not _near(first, second, atol):
            return False
    return True


def _on_cpu(penalties: torch.Tensor) -> torch.Tensor:
    return penalties.detach().double().cpu()


def _same_symbols(
    a: NDArray[np.int32],
    a_table: SymbolTable | None,
    b: NDArray[np.int32],
    b_table: SymbolTable | None,
) -> bool:
    if a_table is None or b_table is None:
        return a_table is b_table and np.array_equal(a, b)
    return np.array_equal(a, a_table.relabelled(b_table, b))


def _network(graph: Graph) -> Any:
    """Return the networkx graph with, for each pair of nodes, penalties by pair of symbols."""
    t: Topology = graph.topology
    network = nx.DiGraph()
    network.add_nodes_from(range(t.num_nodes), start=[], final=[])
    for end, nodes, penalties in (
        ("start", t.starts, graph.start_penalties),
        ("final", t.finals, graph.final_penalties),
    ):
        for node, penalty in zip(nodes.tolist(), penalties.tolist()):
            network.nodes[node][end] = [penalty]
    sides = [
        labels.tolist() if table is None else table.decode(labels.tolist())
        for labels, table in ((t.ilabels, graph.isymbols), (t.olabels, graph.osymbols))
    ]
    ends = zip(t.src.tolist(), t.dst.tolist())
    for (src, dst), pair, penalty in zip(ends, zip(*sides), graph.penalties.tolist()):
        if not network.has_edge(src, dst):
            network.add_edge(src, dst, arcs={})
        network.edges[src, dst]["arcs"].setdefault(pair, []).append(penalty)
    for _, _, arcs in network.edges(data="arcs"):
        for penalties in arcs.values():
            penalties.sort()
    return network
