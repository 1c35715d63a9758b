"""Entropy and expectations over paths agree with enumerated paths and derivatives."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import DivergentGraphError, GraphError
from gtn.testing import batches, exact_penalties, graphs, paths, posteriors_by_closure
from gtn.testing.openfst import random_graphs

FREE = {"epsilons": True, "acceptor": False}
CONVERGING = exact_penalties(2.1, 6, infinite=True)


def assert_close(found, expected, tolerance=1e-9):
    found, expected = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def probabilities(graph):
    every = paths(graph)
    penalties = np.array([p.penalty for p in every])
    if not every:
        return every, penalties
    shares = np.exp(penalties.min() - penalties)
    return every, shares / shares.sum()


def values_of(graph, seed=0):
    rng = np.random.default_rng(seed)
    sizes = (graph.num_arcs, len(graph.starts), len(graph.finals))
    return [torch.from_numpy(rng.normal(size=n)) for n in sizes]


def test_hundreds_of_random_graphs():
    for seed, graph in enumerate(random_graphs(400, 5, infinite=True, max_nodes=5, most=8)):
        every, shares = probabilities(graph)
        entropy = -sum(p * math.log(p) for p in shares if p > 0)
        assert_close(gtn.entropy(graph), entropy)
        arcs, starts, finals = values_of(graph, seed)
        sums = [
            arcs[list(p.arcs)].sum()
            + starts[graph.starts.tolist().index(p.start)]
            + finals[graph.finals.tolist().index(p.final)]
            for p in every
        ]
        expected = sum((p * float(s) for p, s in zip(shares, sums)), 0.0)
        found = gtn.expected(graph, arcs, start_values=starts, final_values=finals)
        assert_close(found, expected)


@given(graphs(acyclic=False, penalties=CONVERGING, **FREE))
@settings(max_examples=60)
def test_with_cycles_posteriors_weigh_the_values(graph):
    arcs, starts, finals = values_of(graph)
    shares = [posteriors_by_closure(graph, of=of) for of in ("arcs", "starts", "finals")]
    expected = sum(float(share @ v.numpy()) for share, v in zip(shares, (arcs, starts, finals)))
    assert_close(gtn.expected(graph, arcs, start_values=starts, final_values=finals), expected)
    # H = mean penalty - forward penalty.
    total = gtn.forward_penalty(graph)
    assume(total.isfinite())
    mean = gtn.expected(
        graph, graph.penalties,
        start_values=graph.start_penalties, final_values=graph.final_penalties,
    )  # fmt: skip
    assert_close(gtn.entropy(graph), mean - total)


def test_known_entropies():
    loop = gtn.Graph.from_arcs([(0, 0, 1, math.log(2))], final=0, dtype=torch.float64)
    assert gtn.entropy(loop).item() == pytest.approx(2 * math.log(2), abs=1e-12)  # geometric
    lattice = gtn.linear(torch.zeros(7, 4, dtype=torch.float64))
    assert gtn.entropy(lattice).item() == pytest.approx(7 * math.log(4), abs=1e-12)
    assert gtn.entropy(gtn.string([1, 2, 3])).item() == 0


def test_entropy_of_large_penalties_keeps_its_digits():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(2000, 8, generator=rng, dtype=torch.float64)
    graph = gtn.linear(logits + 1e5)
    expected = torch.distributions.Categorical(logits=-logits).entropy().sum()
    assert_close(gtn.entropy(graph) / expected, 1, 1e-7)


def test_several_quantities_at_once():
    graph = gtn.linear(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    values = torch.arange(30.0).reshape(15, 2)
    found = gtn.expected(graph, values)
    assert found.shape == (2,)
    assert found.dtype == torch.float32
    for k in range(2):
        assert_close(found[k], gtn.expected(graph, values[:, k]), 1e-6)
    ends = gtn.expected(graph, values, start_values=torch.ones(1, 2), final_values=values[:1])
    assert_close(ends, found + 1 + values[0], 1e-6)
    assert_close(gtn.expected(graph, torch.ones(15)), 5.0, 1e-6)  # the length of a path


@given(batches(penalties=exact_penalties(-3, 3), max_graphs=4))
@settings(max_examples=40)
def test_a_batch_has_the_values_of_its_graphs(batch):
    values = torch.arange(1.0, batch.num_arcs + 1, dtype=torch.float64)
    found, entropies = gtn.expected(batch, values), gtn.entropy(batch)
    assert found.shape == entropies.shape == (len(batch),)
    for i, one in enumerate(batch):
        own = values[one.sources[0].index.astype(np.int64)]
        assert_close(found[i], gtn.expected(one, own))
        assert_close(entropies[i], gtn.entropy(one))
    assert gtn.expected(batch, values[:, None].expand(-1, 3)).shape == (len(batch), 3)


def small_graphs():
    for acyclic, least in ((True, -2.0), (False, 2.0)):
        drawn = random_graphs(60, 8, acyclic=acyclic, least=least, most=4)
        yield from [g for g in drawn if g.num_arcs > 2 and gtn.forward_penalty(g).isfinite()][:5]


def test_derivatives_to_second_order():
    for graph in small_graphs():
        leaves = [
            p.clone().requires_grad_()
            for p in (graph.penalties, graph.start_penalties, graph.final_penalties)
        ]
        values = [v.requires_grad_() for v in values_of(graph)]

        def weighed(a, s, f, graph=graph):
            return graph.with_penalties(a, start_penalties=s, final_penalties=f)

        def mean(a, s, f, x, y, z, weighed=weighed):
            return gtn.expected(weighed(a, s, f), x, start_values=y, final_values=z)

        def entropy(a, s, f, weighed=weighed):
            return gtn.entropy(weighed(a, s, f))

        for check in (gradcheck, gradgradcheck):
            assert check(mean, [*leaves, *values])
            assert check(entropy, leaves)


def test_gradient_to_a_value_is_its_posterior():
    graph = gtn.linear(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).double())
    values = torch.ones(12, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(gtn.expected(graph, values), values)
    assert_close(gradient, gtn.arc_posteriors(graph))


def test_without_a_path_everything_is_zero():
    arcs = [(0, 1, 1, 1.0), (1, 1, 1, math.inf)]
    for final in ([], {1: math.inf}):
        p = torch.tensor([a[3] for a in arcs], requires_grad=True)
        graph = gtn.Graph.from_arcs(arcs, final=final).with_penalties(p)
        for value in (gtn.entropy(graph), gtn.expected(graph, torch.ones(2))):
            assert value == 0
            assert torch.autograd.grad(value, p, retain_graph=True)[0].tolist() == [0, 0]
    assert gtn.entropy(gtn.empty()) == 0


def test_infinite_values_of_what_no_path_uses_count_nothing():
    graph = gtn.Graph.from_arcs([(0, 1, 1, 1.0), (0, 1, 2, math.inf)], final=1)
    assert gtn.expected(graph, graph.penalties) == 1
    values = torch.tensor([2.0, math.inf], requires_grad=True)
    (gradient,) = torch.autograd.grad(gtn.expected(graph, values), values)
    assert gradient.tolist() == [1, 0]


def test_what_has_no_expectation_is_refused():
    graph = gtn.string([1, 2])
    with pytest.raises(GraphError, match=r"shape \[3\]; it is \[2\]"):
        gtn.expected(graph, torch.ones(3))
    with pytest.raises(GraphError, match=r"start_values have shape \[2\], not \[1\]"):
        gtn.expected(graph, torch.ones(2), start_values=torch.ones(2))
    with pytest.raises(GraphError, match="final_values"):
        gtn.expected(graph, torch.ones(2, 3), final_values=torch.ones(1))
    with pytest.raises(GraphError, match=r"^values must be a torch.Tensor, not list"):
        gtn.expected(graph, [1.0, 2.0])
    with pytest.raises(GraphError, match=r"^final_values must be a torch.Tensor, not float"):
        gtn.expected(graph, torch.ones(2), final_values=1.0)
    loop = gtn.Graph.from_arcs([(0, 0, 1)], final=0)
    for verb in (gtn.entropy, lambda g: gtn.expected(g, torch.ones(1))):
        with pytest.raises(DivergentGraphError):
            verb(loop)
