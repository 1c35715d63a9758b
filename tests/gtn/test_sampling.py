"""Paths drawn at random: they are as frequent as probable; what they carry."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import gtn
from gtn.errors import DivergentGraphError, GraphError
from gtn.testing import paths, posteriors_by_closure
from gtn.testing.openfst import random_graphs

DRAWS = 4000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def arcs_of(batch):
    """The arcs of each path, as tuples."""
    bounds = batch.topology.arc_offsets
    index = batch.sources[0].index.tolist()
    return [tuple(index[low:high]) for low, high in pairwise(bounds)]


def assert_frequent(counts, draws, expected, spread):
    """Check means of independent draws to within five standard deviations.

    A thousand such checks fail by chance with a probability below 0.001; the seed is fixed, so
    they fail always or never.
    """
    margin = 5 * np.sqrt(spread / draws) + 1 / draws
    assert np.all(np.abs(counts / draws - expected) <= margin), (counts / draws, expected, margin)


def test_paths_are_drawn_as_often_as_they_are_probable():
    compared = 0
    for seed, graph in enumerate(random_graphs(60, 3, infinite=True, most=4)):
        drawn = gtn.sample(graph, DRAWS, seeded(seed))
        every = paths(graph)
        if not every:
            assert len(drawn) == 0
            continue
        total = gtn.forward_penalty(graph).item()
        ends = [(p.start, p.final, p.arcs) for p in every]
        index = {end: i for i, end in enumerate(ends)}
        counts = np.zeros(len(every))
        for i, arcs in enumerate(arcs_of(drawn)):
            if arcs:
                ends_of = graph.src[arcs[0]], graph.dst[arcs[-1]]
                counts[index[(*map(int, ends_of), arcs)]] += 1
            else:  # only its penalties tell which node it was
                empty = [e for e in ends if not e[2]]
                pens = (drawn.start_penalties[i], drawn.final_penalties[i])
                own = [e for e in empty if _ends_at(graph, e) == pens]
                counts[index[own[0]]] += 1
        assert len(drawn) == DRAWS
        probable = np.exp(total - np.array([p.penalty for p in every]))
        assert_frequent(counts, DRAWS, probable, probable * (1 - probable))
        compared += 1
    assert compared > 30


def _ends_at(graph, end):
    start = graph.start_penalties[graph.starts.tolist().index(end[0])]
    final = graph.final_penalties[graph.finals.tolist().index(end[1])]
    return start, final


def assert_uses(graph, drawn, arcs):
    """Check how often paths use the given arcs; minus the second derivative is the variance."""
    uses = np.zeros((DRAWS, graph.num_arcs))
    np.add.at(uses, (drawn.topology.arc_graph, drawn.sources[0].index), 1)
    p = graph.penalties.clone().requires_grad_()
    means = gtn.arc_posteriors(graph.with_penalties(p))
    variances = [-torch.autograd.grad(means[a], p, retain_graph=True)[0][a].item() for a in arcs]
    expected = means.detach().numpy()[arcs]
    assert_frequent(uses.sum(0)[arcs], DRAWS, expected, np.maximum(variances, 0))


def test_with_cycles_arcs_are_used_as_often_as_their_posteriors():
    compared = 0
    for seed, graph in enumerate(random_graphs(60, 4, acyclic=False, infinite=True, least=2.0,
                                               most=3.0)):  # fmt: skip
        drawn = gtn.sample(graph, DRAWS, seeded(seed))
        if len(drawn) == 0:
            assert gtn.forward_penalty(graph) == math.inf
            continue
        np.testing.assert_allclose(gtn.arc_posteriors(graph), posteriors_by_closure(graph))
        assert_uses(graph, drawn, np.arange(graph.num_arcs))
        compared += 1
    assert compared > 30


def test_rounds_of_a_loop_are_geometric():
    graph = gtn.Graph.from_arcs([(0, 0, 1, 0.5)], final=0).double()
    drawn = gtn.sample(graph, 20_000, seeded())
    rounds = np.bincount(np.diff(drawn.topology.arc_offsets), minlength=40)
    q = math.exp(-0.5)
    expected = (1 - q) * q ** np.arange(len(rounds))
    assert_frequent(rounds, 20_000, expected, expected * (1 - expected))


def test_paths_through_a_large_component():
    rng = np.random.default_rng(0)
    size = 150
    src = np.concatenate([np.arange(size), rng.integers(0, size, 2 * size)])
    dst = np.concatenate([(np.arange(size) + 1) % size, rng.integers(0, size, 2 * size)])
    penalties = torch.from_numpy(rng.uniform(0.9, 1.5, len(src)))
    graph = gtn.from_arrays(src, dst, src, penalties=penalties, final=range(0, size, 7))
    drawn = gtn.sample(graph, DRAWS, seeded(1))
    assert_uses(graph, drawn, np.arange(0, graph.num_arcs, 15))


def test_a_path_carries_labels_data_penalties_and_gradients():
    table = gtn.SymbolTable("ab")
    graph = gtn.Graph.from_arcs(
        [(0, 1, "a", 0.5), (1, 1, "b", 1.0), (1, 2, None, 0.25)],
        start={0: 0.125}, final={2: 2.0}, symbols=table, dtype=torch.float64,
    ).with_data(row=np.array([10, 20, 30]))  # fmt: skip
    p = graph.penalties.clone().requires_grad_()
    drawn = gtn.sample(graph.with_penalties(p), 50, seeded())
    assert isinstance(drawn, gtn.GraphBatch)
    rounds = np.diff(drawn.topology.arc_offsets) - 2
    assert gtn.path_text(drawn) == ["a" + "b" * n for n in rounds]
    assert drawn.data.column("row").values().tolist() == [
        row for n in rounds for row in [10, *[20] * n, 30]
    ]
    assert set(drawn.start_penalties.tolist()) == {0.125}
    assert set(drawn.final_penalties.tolist()) == {2.0}
    (gradient,) = torch.autograd.grad(drawn.penalties.sum(), p)
    assert gradient.tolist() == [50, rounds.sum(), 50]


def test_the_same_seed_draws_the_same_paths_and_another_does_not():
    graph = gtn.linear(torch.randn(30, 5, generator=seeded()))
    first, same, other = (arcs_of(gtn.sample(graph, 20, seeded(s))) for s in (1, 1, 2))
    assert first == same != other
    torch.manual_seed(3)
    first = arcs_of(gtn.sample(graph, 20))
    torch.manual_seed(3)
    assert arcs_of(gtn.sample(graph, 20)) == first
    assert len({*first}) == 20


def test_of_a_batch_every_graph_is_drawn_from():
    one = gtn.Graph.from_arcs([(0, 1, 1, 0.5), (0, 1, 2, 0.5)], final=1)
    batch = gtn.GraphBatch.from_graphs([one, gtn.empty(), one])
    drawn = gtn.sample(batch, 200, seeded())
    assert [len(d) for d in drawn] == [200, 0, 200]
    assert {a for (a,) in arcs_of(drawn[0])} == {0, 1}
    assert {a for (a,) in arcs_of(drawn[2])} == {2, 3}
    for own in (drawn[0], drawn[2]):
        assert_frequent((own.ilabels == 1).sum(), 200, 0.5, 0.25)


def test_parts_of_no_path_and_forbidden_ones_are_never_drawn():
    arcs = [(0, 1, 1, 5.0), (0, 1, 2, math.inf), (2, 1, 3, -50.0), (1, 3, 4, -50.0), (3, 3, 5, -1)]
    graph = gtn.Graph.from_arcs(arcs, start={0: 0.0, 2: math.inf}, final={1: 0.0, 3: math.inf})
    assert {a for (a,) in arcs_of(gtn.sample(graph, 500, seeded()))} == {0}


def test_mean_penalty_of_a_sample_is_the_expected_one():
    graph = gtn.linear(2 * torch.randn(50, 6, generator=seeded(), dtype=torch.float64))
    drawn = gtn.sample(graph, 2000, seeded())
    sums = drawn.penalties.reshape(2000, 50).sum(1)
    margin = 5 * sums.std() / math.sqrt(2000)
    assert abs(sums.mean() - gtn.expected(graph, graph.penalties)) < margin


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(GraphError, match="at least one"):
        gtn.sample(gtn.string([1]), 0)
    for generator in (0, np.random.default_rng(0)):
        with pytest.raises(
            GraphError, match=r"not a torch.Generator; torch.Generator\(\).manual_seed"
        ):
            gtn.sample(gtn.string([1]), 1, generator)
    with pytest.raises(DivergentGraphError):
        gtn.sample(gtn.Graph.from_arcs([(0, 0, 1)], final=0), 1)
    assert len(gtn.sample(gtn.empty(), 3)) == 0
    assert gtn.sample(gtn.GraphBatch.from_graphs([gtn.empty()])[:0], 3) == []
    bad = gtn.string([1, 2])
    bad.penalties[1] = math.nan
    with pytest.raises(GraphError, match=r"^arc 1 has penalty nan"):
        gtn.sample(bad, 1)
