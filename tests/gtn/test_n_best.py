"""The best paths agree with enumeration, lists by dynamic programming, search, and OpenFst."""

import heapq
import math
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn.errors import GraphError, NegativeCycleError
from gtn.testing import assert_derivatives, batches, exact_penalties, graphs, paths
from gtn.testing.openfst import from_openfst, random_graphs, to_openfst

FREE = {"epsilons": True, "acceptor": False}
FEW = st.sampled_from([0.0, 1.0, math.inf])
ANY = st.one_of(
    graphs(infinite=True, max_arcs=10, **FREE),
    graphs(penalties=FEW, max_nodes=6, max_arcs=12, **FREE),
)


def totals(chains):
    """Return the penalty of each chain of a batch, by plain addition."""
    return [
        (chain.penalties.sum() + chain.start_penalties.sum() + chain.final_penalties.sum()).item()
        for chain in chains
    ]


def assert_best(chains, graph, count):
    """Check that chains are the best paths of a graph, in order and without repetition."""
    every = {(path.arcs, path.start): path for path in paths(graph)}
    expected = sorted(path.penalty for path in every.values())[:count]
    assert isinstance(chains, gtn.GraphBatch)
    assert totals(chains) == expected
    seen = set()
    t = chains.topology
    for i, chain in enumerate(chains):
        arcs = chains.sources[0].index[t.arc_offsets[i] : t.arc_offsets[i + 1]].tolist()
        # A path without arcs is identified by its node, from which its two penalties come.
        candidates = [key for key in every if key[0] == tuple(arcs) and key not in seen]
        alike = [key for key in candidates if every[key].penalty == totals([chain])[0]]
        assert alike, "a path that the graph has not, or has only once"
        seen.add(alike[0])
        path = every[alike[0]]
        assert chain.ilabels.tolist() == graph.ilabels[arcs].tolist()
        assert tuple(gtn.path_labels(chain, "input").tolist()) == path.inputs
        assert tuple(gtn.path_labels(chain).tolist()) == path.outputs
        assert torch.equal(chain.penalties, graph.penalties[arcs])
        starts = dict(zip(graph.starts.tolist(), graph.start_penalties.tolist()))
        finals = dict(zip(graph.finals.tolist(), graph.final_penalties.tolist()))
        if arcs:
            assert chain.start_penalties.item() == starts[path.start]
            assert chain.final_penalties.item() == finals[path.final]


@given(ANY, st.integers(1, 12))
@settings(max_examples=200)
def test_the_best_paths_in_order(graph, count):
    assert_best(gtn.n_best(graph, count), graph, count)


@given(ANY)
@settings(max_examples=75)
def test_more_paths_than_there_are_gives_all(graph):
    number = len(paths(graph))
    chains = gtn.n_best(graph, number + 3)
    assert len(chains) == number
    assert_best(chains, graph, number + 3)
    if number:
        assert totals(chains)[0] == gtn.viterbi_penalty(graph)


@given(batches(infinite=True, **FREE), st.integers(1, 5))
@settings(max_examples=75)
def test_a_batch_gives_a_list(batch, count):
    lists = gtn.n_best(batch, count)
    assert isinstance(lists, list)
    assert len(lists) == len(batch)
    for i, (chains, one) in enumerate(zip(lists, batch)):
        alone = gtn.n_best(batch[i], count)
        assert_best(alone, one, count)
        assert len(chains) == len(alone)
        assert torch.equal(chains.penalties, alone.penalties)
        assert chains.topology.arc_offsets.tolist() == alone.topology.arc_offsets.tolist()
        # Sources are arcs of the batch, which n_best was given.
        assert torch.equal(chains.penalties, batch.penalties[chains.sources[0].index])
        first = batch.topology.arc_offsets[i]
        assert (chains.sources[0].index - first).tolist() == alone.sources[0].index.tolist()


@pytest.mark.parametrize("distinct", [False, "input", "output"])
def test_a_batch_is_laid_out_once_whatever_its_length(distinct, monkeypatch):
    made = []
    kept = gtn.paths.ranking.chains

    def counted(*given, **options):
        made.append(len(given[2]) - 1)
        return kept(*given, **options)

    graphs = [gtn.linear(torch.rand(2, 3)) for _ in range(5)]
    graphs[3:3] = [gtn.empty(), gtn.from_arrays([0], [1], [10**9], penalties=[0.5], final=1)]
    batch = gtn.GraphBatch.from_graphs(graphs)
    monkeypatch.setattr("gtn.paths.ranking.chains", counted)
    assert [len(paths) for paths in gtn.n_best(batch, 4, distinct=distinct)] == [
        4,
        4,
        4,
        0,
        1,
        4,
        4,
    ]
    assert made == [21]
    assert gtn.n_best(batch[[]], 4, distinct=distinct) == []


def test_the_best_paths_of_operands_are_those_of_their_composition():
    a = gtn.linear(torch.tensor([[0.0, 1.0], [0.5, 0.25]]))
    b = gtn.union(gtn.string([0, 1]), gtn.string([1, 1]))
    found = gtn.n_best(a, 3, b)
    assert found.topology.batch_size == 2
    assert gtn.equal(found, gtn.n_best(gtn.compose(a, b), 3))


@pytest.mark.parametrize("distinct", [False, "output"])
def test_a_cycle_in_one_graph_of_a_batch_costs_the_others_nothing(distinct, monkeypatch):
    searched = []
    kept = gtn.paths.ways.kernels.shortest_from

    def recorded(allowed, *given):
        searched.extend(np.flatnonzero(allowed).tolist())
        return kept(allowed, *given)

    cyclic = gtn.from_arcs([(0, 1, 1), (1, 1, 2, 0.5), (1, 2, 3)], final=2)
    after_a_cycle_on_no_path = gtn.from_arcs([(0, 1, 4, 2.0), (2, 2, 5), (2, 1, 6)], final=1)
    graphs = [gtn.linear(torch.rand(3, 2)), cyclic, gtn.empty(), after_a_cycle_on_no_path]
    graphs.append(gtn.string([7, 8]))
    batch = gtn.GraphBatch.from_graphs(graphs)
    alone = [gtn.n_best(graph, 3, distinct=distinct) for graph in graphs]
    monkeypatch.setattr("gtn.paths.ways.kernels.shortest_from", recorded)
    together = gtn.n_best(batch, 3, distinct=distinct)
    assert searched == [4, 5, 6, 7, 8]
    best = gtn.viterbi_path(batch)
    assert searched == [4, 5, 6, 7, 8] * 2
    assert best.num_arcs == sum(gtn.viterbi_path(graph).num_arcs for graph in graphs)
    for one, other in zip(alone, together, strict=True):
        assert all(map(np.array_equal, gtn.path_labels(one), gtn.path_labels(other)))
        assert torch.equal(one.penalties, other.penalties)


def test_a_wrong_penalty_is_named_by_its_arc_in_the_batch():
    penalties = torch.zeros(4)
    batch = gtn.GraphBatch.from_graphs([gtn.string([1, 2]), gtn.string([3, 4])])
    batch = batch.with_penalties(penalties)
    penalties[3] = math.nan
    with pytest.raises(GraphError, match="arc 3 "):
        gtn.n_best(batch, 2)


@given(graphs(penalties=exact_penalties(-3, 3)), st.integers(1, 6))
@settings(max_examples=50)
def test_penalties_are_differentiable(graph, count):
    leaves = [
        p.detach().clone().requires_grad_()
        for p in (graph.penalties, graph.start_penalties, graph.final_penalties)
    ]
    g = graph.with_penalties(leaves[0], start_penalties=leaves[1], final_penalties=leaves[2])
    chains = gtn.n_best(g, count)
    if not len(chains):
        return
    gradients = torch.autograd.grad(gtn.viterbi_penalty(chains).sum(), leaves)
    uses = np.bincount(chains.sources[0].index, minlength=graph.num_arcs)
    assert gradients[0].tolist() == uses.tolist()
    assert gradients[1].sum() == gradients[2].sum() == len(chains)


def test_data_and_symbols_follow():
    graph = gtn.Graph.from_arcs(
        [(0, 1, "a", 1.0), (0, 1, "b", 0.5)], final=1, data={"ink": np.array([7, 8])}
    )
    chains = gtn.n_best(graph, 2)
    assert gtn.path_text(chains) == ["b", "a"]
    assert chains.data.column("ink").values().tolist() == [8, 7]


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_path_cannot_be_asked_for(count):
    for graph in (gtn.string([1]), gtn.GraphBatch.from_graphs([gtn.string([1])])):
        with pytest.raises(GraphError, match=f"n_best of {count} paths"):
            gtn.n_best(graph, count)


@pytest.mark.parametrize("distinct", [False, True])
def test_as_many_paths_as_there_may_be(distinct):
    graph = gtn.linear(torch.arange(22.0).reshape(11, 2))
    chains = gtn.n_best(graph, 10**15, distinct=distinct)
    assert len(chains) == 2**11
    assert sorted(totals(chains)) == totals(chains)
    with pytest.raises(TypeError):
        gtn.n_best(graph, 2.5, distinct=distinct)


def test_a_cycle_of_negative_penalty_on_a_path_raises_and_one_off_all_paths_does_not():
    arcs = [(0, 1, 1, 0.5), (1, 2, 1, 0.25), (2, 1, 1, -0.5), (0, 1, 2, 0.25)]
    for distinct in (False, True):
        with pytest.raises(
            NegativeCycleError, match=r"-0\.25, so .* nodes (1 -> 2 -> 1|2 -> 1 -> 2)"
        ):
            gtn.n_best(gtn.Graph.from_arcs([*arcs, (2, 3, 1)], final=3), 2, distinct=distinct)
        off = gtn.Graph.from_arcs(
            [arcs[0], (2, 3, 1), (3, 2, 1, -1.0), (3, 1, 1), arcs[3], (1, 4, 1), (4, 4, 1, -1.0)],
            final=1,
        )
        assert totals(gtn.n_best(off, 5, distinct=distinct)) == [0.25, 0.5]


# -- cycles, and distinct label sequences ---------------------------------------------------------


def by_search(graph, most):
    """Return (penalty, inputs, outputs) of all paths up to a penalty, best first.

    All penalties are >= 0, and those of cycles above 0.
    """
    outgoing = [[] for _ in range(graph.num_nodes)]
    for arc in range(graph.num_arcs):
        outgoing[graph.src[arc]].append(arc)
    finals = dict(zip(graph.finals.tolist(), graph.final_penalties.tolist()))
    heap = [(p, n, (), ()) for n, p in zip(graph.starts.tolist(), graph.start_penalties.tolist())]
    heapq.heapify(heap)
    found = []
    while heap:
        penalty, node, inputs, outputs = heapq.heappop(heap)
        if node in finals and penalty + finals[node] <= most:
            found.append((penalty + finals[node], inputs, outputs))
        for arc in outgoing[node]:
            total = penalty + graph.penalties[arc].item()
            ilabel, olabel = int(graph.ilabels[arc]), int(graph.olabels[arc])
            read = inputs if ilabel < 0 else (*inputs, ilabel)
            written = outputs if olabel < 0 else (*outputs, olabel)
            if total <= most:
                heapq.heappush(heap, (total, int(graph.dst[arc]), read, written))
    return sorted(found)


def test_cycles_by_search():
    most, many = 24.0, 0
    for graph in random_graphs(300, seed=1, acyclic=False, least=4.0, most=12.0, infinite=True):
        every = by_search(graph, most)
        chains = gtn.n_best(graph, 8)
        assert [p for p in totals(chains) if p <= most] == [p for p, *_ in every][:8]
        assert totals(chains) == sorted(totals(chains))
        many += len(every) > 8
        for side, labels in (("input", 1), ("output", 2)):
            best = {}
            for path in every:
                best.setdefault(path[labels], path[0])
            strings = gtn.n_best(graph, 8, distinct=side)
            found = {
                tuple(gtn.path_labels(chain, side).tolist()): p
                for chain, p in zip(strings, totals(strings))
            }
            assert len(found) == len(strings)
            assert [p for p in found.values() if p <= most] == sorted(best.values())[:8]
            assert all(best[string] == p for string, p in found.items() if p <= most)
    assert many > 30


@pytest.mark.parametrize("distinct", [False, "input", "output"])
def test_cycles_of_penalty_zero_end(distinct):
    graph = gtn.Graph.from_arcs(
        [(0, 0, None, 0.0), (0, 0, 1, 0.0), (0, 1, 2, 0.0), (1, 0, None, 0.0), (1, 2, 3, 0.5)],
        final=2,
    )
    chains = gtn.n_best(graph, 20, distinct=distinct)
    assert totals(chains) == [0.5] * 20
    if distinct:
        assert len({tuple(labels.tolist()) for labels in gtn.path_labels(chains)}) == 20


def test_few_strings_of_endlessly_many_paths():
    graph = gtn.Graph.from_arcs(
        [(0, 0, None, 0.5), (0, 1, 1, 1.0), (1, 1, None, 0.0), (0, 1, 2, 3.0)], final=1
    )
    assert totals(gtn.n_best(graph, 4)) == [1.0] * 4
    assert totals(gtn.n_best(graph, 4, distinct=True)) == [1.0, 3.0]


@given(
    graphs(infinite=True, max_arcs=10, labels=2, **FREE),
    st.integers(1, 6),
    st.sampled_from(["input", "output"]),
)
@settings(max_examples=150)
def test_the_best_path_of_each_string(graph, count, side):
    best = {}
    for path in paths(graph):
        string = path.inputs if side == "input" else path.outputs
        best[string] = min(path.penalty, best.get(string, math.inf))
    chains = gtn.n_best(graph, count, distinct=side)
    strings = [tuple(labels.tolist()) for labels in gtn.path_labels(chains, side)]
    assert totals(chains) == sorted(best.values())[:count]
    assert [best[string] for string in strings] == totals(chains)
    assert len(set(strings)) == len(strings)
    for i, chain in enumerate(chains):
        arcs = slice(*chains.topology.arc_offsets[i : i + 2])
        used = chains.sources[0].index[arcs]
        assert torch.equal(chain.penalties, graph.penalties[used])


def test_strings_that_nobody_could_list():
    """All penalties are equal: 26^30 strings, all of them ties; labels may have large gaps."""
    chains = gtn.n_best(gtn.linear(torch.zeros(30, 26)), 50, distinct=True)
    assert len({row.tobytes() for row in chains.ilabels.reshape(50, 30)}) == 50
    labels = np.array([7, 2_000_000_000, 7, 5])
    graph = gtn.from_arrays([0] * 4, [1] * 4, labels, penalties=[3.0, 2.0, 1.0, 4.0], final=1)
    found = gtn.n_best(graph, 9, distinct=True)
    assert (found.ilabels.tolist(), totals(found)) == ([7, 2_000_000_000, 5], [1.0, 2.0, 4.0])


@pytest.mark.parametrize("distinct", [False, "output"])
def test_first_and_second_derivatives(distinct):
    rng = np.random.default_rng(3)
    graph = gtn.from_arrays(
        rng.integers(0, 4, 14), rng.integers(0, 4, 14), rng.integers(-1, 3, 14),
        penalties=torch.from_numpy(rng.uniform(0.5, 4, 14)),
        start={0: 0.25, 1: 0.5}, final={2: 0.125, 3: 0.375},
    )  # fmt: skip

    def squares(g):
        return gtn.viterbi_penalty(gtn.n_best(g, 5, distinct=distinct)).square().sum()

    assert_derivatives(squares, graph)


@pytest.mark.parametrize("distinct", ["both", "Input", 3])
def test_unknown_sides_raise(distinct):
    with pytest.raises(GraphError, match="distinct="):
        gtn.n_best(gtn.string([1]), 2, distinct=distinct)


# -- OpenFst ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unique", [False, True])
def test_shortest_paths_of_openfst(unique):
    """2,000 random graphs, half of them cyclic; OpenFst finds distinct strings only of
    acceptors without epsilons."""
    pynini = pytest.importorskip("pynini", reason="OpenFst is compared through pynini")
    for acyclic in (True, False):
        options = {"acyclic": acyclic, "least": -4.0 if acyclic else 0.0, "infinite": True}
        batch = random_graphs(1000, seed=5, acceptor=unique, epsilons=not unique, **options)
        fsts = to_openfst(batch)
        several = gtn.n_best(batch, 5, distinct=unique)
        assert sum(len(chains) > 2 for chains in several) > 60
        for i, (chains, fst) in enumerate(zip(several, fsts)):
            # (In OpenFst's result, paths may be merged once penalties are dropped; here none are.)
            shortest = from_openfst(pynini.shortestpath(fst, nshortest=5, unique=unique))
            expected = sorted(path.penalty for path in paths(shortest))
            # OpenFst determinizes in float32.
            assert totals(chains) == pytest.approx(expected, rel=0, abs=1e-4 * unique), (acyclic, i)


# -- larger graphs --------------------------------------------------------------------------------


def best_by_lists(graph, count):
    """Return the least path penalties of an acyclic graph; each node keeps the best so far."""
    arcs = sorted(range(graph.num_arcs), key=lambda a: graph.dst[a])
    assert (graph.src < graph.dst).all()
    lists = [[] for _ in range(graph.num_nodes)]
    for node, penalty in zip(graph.starts.tolist(), graph.start_penalties.tolist()):
        lists[node].append(penalty)
    entering = [[] for _ in range(graph.num_nodes)]
    for a in arcs:
        entering[graph.dst[a]].append((int(graph.src[a]), graph.penalties[a].item()))
    for node in range(graph.num_nodes):
        ways = lists[node] + [p + penalty for src, p in entering[node] for penalty in lists[src]]
        lists[node] = heapq.nsmallest(count, ways)
    ends = zip(graph.finals.tolist(), graph.final_penalties.tolist())
    return heapq.nsmallest(count, [v + penalty for node, penalty in ends for v in lists[node]])


@pytest.mark.parametrize(("seed", "values"), [(0, None), (1, None), (2, 3)])
def test_a_larger_lattice(seed, values):
    rng = np.random.default_rng(seed)
    nodes, arcs, count = 200, 1200, 100
    src = rng.integers(0, nodes - 1, arcs)
    dst = np.minimum(src + 1 + rng.integers(0, 12, arcs), nodes - 1)
    penalties = rng.random(arcs) if values is None else rng.integers(0, values, arcs) / 4
    graph = gtn.from_arrays(
        src,
        dst,
        rng.integers(0, 5, arcs),
        penalties=torch.from_numpy(penalties),
        start={0: 0.0, 3: 0.5},
        final={nodes - 1: 0.0, nodes - 4: 1.0},
        num_nodes=nodes,
    )
    chains = gtn.n_best(graph, count)
    assert len(chains) == count
    found = totals(chains)
    np.testing.assert_allclose(found, best_by_lists(graph, count), rtol=1e-12)
    np.testing.assert_allclose(found, sorted(found), rtol=1e-12)
    offsets = chains.topology.arc_offsets
    index = chains.sources[0].index
    distinct = {tuple(index[a:b].tolist()) for a, b in pairwise(offsets)}
    assert len(distinct) == count


def test_paths_longer_than_the_first_buffers():
    length = 3000
    penalties = torch.zeros(length, 2, dtype=torch.float64)
    penalties[:, 1] = torch.arange(1, length + 1) * 1.0
    chains = gtn.n_best(gtn.linear(penalties), 6)
    # Beside the best: changes at 1, 2, {3}, {1, 2}, {4}, … of the positions by lowest penalty.
    assert totals(chains) == [0, 1, 2, 3, 3, 4]
    assert np.diff(chains.topology.arc_offsets).tolist() == [length] * 6


def test_many_paths_of_a_few_nodes():
    chains = gtn.n_best(gtn.linear(torch.tensor([[0.0, 1.0]] * 12, dtype=torch.float64)), 5000)
    assert len(chains) == 2**12
    expected = [ones for ones in range(13) for _ in range(math.comb(12, ones))]
    penalties = chains.penalties.reshape(-1, 12).sum(1)
    assert penalties.tolist() == expected
    assert len({row.tobytes() for row in chains.ilabels.reshape(-1, 12)}) == 2**12


def test_no_path_at_all_has_no_text() -> None:
    found = gtn.n_best(gtn.empty(), 3)
    assert len(found) == 0
    assert gtn.path_text(found) == []


def test_strings_that_may_be_anywhere_in_a_long_input():
    """A class that writes nothing lets each prefix reach all frames; only few are looked at."""
    rng = np.random.default_rng(0)
    emissions = torch.from_numpy(rng.exponential(3.0, (1500, 8)))
    lattice = gtn.compose(gtn.linear(emissions), gtn.nn.ctc_topology(8))
    gtn.n_best(lattice, 1, distinct=True)
    begun = time.perf_counter()
    chains = gtn.n_best(lattice, 12, distinct=True)
    assert time.perf_counter() - begun < 5  # looking at all frames would take a quarter of a minute
    best = {}
    several = gtn.n_best(lattice, 400)
    for chain, penalty in zip(several, totals(several)):
        best.setdefault(tuple(gtn.path_labels(chain).tolist()), penalty)
    assert len(best) >= 12
    assert [tuple(labels.tolist()) for labels in gtn.path_labels(chains)] == list(best)[:12]
    np.testing.assert_allclose(totals(chains), list(best.values())[:12], rtol=1e-12)
