"""The best paths, against enumerated paths and against a dynamic programme of lists."""

import heapq
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn.errors import CyclicGraphError, GraphError
from gtn.testing import batches, exact_penalties, graphs, paths

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
    """Check that chains are the best paths of a graph, in order, each once."""
    every = {(path.arcs, path.start): path for path in paths(graph)}
    expected = sorted(path.penalty for path in every.values())[:count]
    assert isinstance(chains, gtn.GraphBatch)
    assert totals(chains) == expected
    seen = set()
    t = chains.topology
    for i, chain in enumerate(chains):
        arcs = chains.sources[0].index[t.arc_offsets[i] : t.arc_offsets[i + 1]].tolist()
        # A path without arcs is told apart by its node, which its two penalties come from.
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
        # Sources are arcs of what n_best was given: of the batch.
        assert torch.equal(chains.penalties, batch.penalties[chains.sources[0].index])
        first = batch.topology.arc_offsets[i]
        assert (chains.sources[0].index - first).tolist() == alone.sources[0].index.tolist()


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


def test_a_cycle_on_a_path_raises_and_one_off_all_paths_does_not():
    arcs = [(0, 1, 1, 0.5), (1, 2, 1, 0.0), (2, 1, 1, 0.0), (0, 1, 2, 0.25)]
    with pytest.raises(CyclicGraphError, match="nodes 1 -> 2 -> 1"):
        gtn.n_best(gtn.Graph.from_arcs([*arcs, (2, 3, 1)], final=3), 2)
    off = gtn.Graph.from_arcs([arcs[0], (2, 3, 1), (3, 2, 1), (3, 1, 1), arcs[3], (1, 4, 1),
                               (4, 4, 1)], final=1)  # fmt: skip
    assert totals(gtn.n_best(off, 5)) == [0.25, 0.5]


def best_by_lists(graph, count):
    """Return the least path penalties of an acyclic graph: at each node the best of the best."""
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
    # Other than the best: 1, 2, {3}, {1, 2}, {4}, … at the positions with the lowest penalties.
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
