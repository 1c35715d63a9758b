"""Forward and Viterbi penalties, posteriors and best paths agree with enumerated paths."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from learned_penalties import learning

import gtn
from gtn.errors import GraphError
from gtn.testing import (
    assert_derivatives,
    batches,
    exact_penalties,
    forward_penalty_by_enumeration,
    graphs,
    paths,
    posteriors_by_enumeration,
    viterbi_by_enumeration,
)

NEAR = exact_penalties(-3, 3)
FREE = {"epsilons": True, "acceptor": False}
ACYCLIC = st.one_of(
    graphs(infinite=True, **FREE),
    graphs(max_nodes=6, max_arcs=10, penalties=exact_penalties(-3, 3, infinite=True), **FREE),
)


def posteriors(graph):
    return [
        torch.from_numpy(posteriors_by_enumeration(graph, of=of))
        for of in ("arcs", "starts", "finals")
    ]


def assert_close(found, expected, atol=1e-9):
    found = torch.as_tensor(found, dtype=torch.float64)
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=atol)


# -- forward -----------------------------------------------------------------------------------


@given(ACYCLIC)
@settings(max_examples=200)
def test_forward_penalty_and_its_gradient_are_those_of_all_paths(graph):
    g, leaves = learning(graph)
    value = gtn.forward_penalty(g)
    assert value.shape == ()
    assert_close(value, forward_penalty_by_enumeration(graph))
    gradients = torch.autograd.grad(value, leaves)
    for found, expected in zip(gradients, posteriors(graph)):
        assert_close(found, expected)
    assert value <= gtn.viterbi_penalty(graph) + 1e-9


def test_forward_penalty_without_a_path_is_infinite_with_gradient_zero():
    arcs = [(0, 1, 1, 1.0), (1, 2, 1, math.inf), (3, 4, 1, 2.0)]
    for graph in (
        gtn.Graph.from_arcs(arcs, start=[0, 3], final=2),
        gtn.Graph.from_arcs(arcs, start={0: 1.0, 3: math.inf}, final={4: 0.5}),
        gtn.Graph.from_arcs(arcs, final={1: math.inf}),
        gtn.Graph.from_arcs(arcs, start=[], final=2),
        gtn.Graph.from_arcs(arcs, final=[]),
        gtn.empty(),
    ):
        for score in (gtn.forward_penalty, gtn.viterbi_penalty):
            g, leaves = learning(graph)
            value = score(g)
            assert value == math.inf
            for leaf, gradient in zip(
                leaves, torch.autograd.grad(value, leaves, allow_unused=True)
            ):
                assert gradient is None or torch.equal(gradient, torch.zeros_like(leaf))
        assert torch.equal(gtn.arc_posteriors(graph), torch.zeros(graph.num_arcs))
        assert gtn.viterbi_path(graph).num_nodes == 0


CHECKED = st.one_of(
    graphs(max_nodes=4, max_arcs=6, penalties=exact_penalties(-3, 3, infinite=True)),
    graphs(min_nodes=4, max_nodes=5, max_arcs=7, penalties=NEAR),
).filter(lambda graph: paths(graph) and graph.num_arcs)


@given(CHECKED)
@settings(max_examples=25)
def test_forward_penalty_to_second_order(graph):
    assert_derivatives(gtn.forward_penalty, graph)


@given(CHECKED)
@settings(max_examples=15)
def test_arc_posteriors_to_second_order(graph):
    assert_derivatives(gtn.arc_posteriors, graph)


def test_derivatives_with_parts_on_no_path_and_cycles_there():
    arcs = [(0, 1, 1, 0.3), (0, 2, 1, 0.1), (1, 2, 1, -0.4), (1, 3, 1, 0.2), (3, 3, 1, 0.7),
            (4, 2, 1, 0.9), (4, 4, 1, 0.1), (0, 2, 2, 0.8)]  # fmt: skip
    graph = gtn.Graph.from_arcs(arcs, final={2: 0.5, 1: 0.25}, dtype=torch.float64)
    for score in (gtn.forward_penalty, gtn.arc_posteriors):
        assert_derivatives(score, graph)


@given(st.one_of(ACYCLIC, batches(penalties=NEAR)))
@settings(max_examples=150)
def test_arc_posteriors_are_the_gradient_and_flow_through_every_node(graph):
    g, leaves = learning(graph)
    gradients = torch.autograd.grad(gtn.forward_penalty(g).sum(), leaves)
    found = gtn.arc_posteriors(graph)
    assert_close(found, gradients[0])
    assert_close(found, posteriors_by_enumeration(graph))
    # What enters a node or starts there also leaves it or ends there, so all cuts sum to the same.
    through = torch.zeros(graph.num_nodes, dtype=torch.float64)
    for index, share in (
        (graph.dst, found),
        (graph.src, -found),
        (graph.starts, gradients[1]),
        (graph.finals, -gradients[2]),
    ):
        through.index_add_(0, torch.from_numpy(index.astype(np.int64)), share)
    assert_close(through, torch.zeros(graph.num_nodes))


def test_arc_posteriors_sum_to_one_over_cuts():
    rng = torch.Generator().manual_seed(3)
    lattice = gtn.linear(torch.randn(7, 3, generator=rng, dtype=torch.float64))
    assert_close(gtn.arc_posteriors(lattice).reshape(7, 3).sum(1), torch.ones(7))


# -- precision, types, batches, time -------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_have_the_dtype_of_the_penalties(dtype):
    graph = gtn.linear(torch.tensor([[0.1, 1.7], [2.3, 0.9]], dtype=dtype))
    assert gtn.forward_penalty(graph).dtype == dtype
    assert gtn.viterbi_penalty(graph).dtype == dtype
    assert gtn.arc_posteriors(graph).dtype == dtype
    assert gtn.viterbi_path(graph).penalties.dtype == dtype
    g, leaves = learning(graph)
    for gradient in torch.autograd.grad(gtn.forward_penalty(g), leaves):
        assert gradient.dtype == dtype
    exact = gtn.forward_penalty(graph.double())
    assert gtn.forward_penalty(graph) == exact.to(dtype)


def test_difference_of_large_forward_penalties_in_float32():
    frames, classes = 2000, 12
    rng = torch.Generator().manual_seed(1)
    penalties = 100 + 12 * torch.rand(frames, classes, generator=rng)
    target = torch.randint(classes, (frames,), generator=rng)
    penalties[torch.arange(frames), target] -= 11
    exact = torch.nn.functional.cross_entropy(-penalties.double(), target, reduction="sum")
    loss = gtn.nn.DiscriminativeForwardLoss()(gtn.linear(penalties), target.tolist())
    assert loss.dtype == torch.float32
    assert gtn.forward_penalty(gtn.linear(penalties)) > 150_000  # float32 has steps of 1/64 there
    assert abs(loss.double() - exact) < 1e-6 * exact


@given(batches(acyclic=True, infinite=True, max_graphs=5, **FREE))
@settings(max_examples=100)
def test_a_batch_is_scored_as_its_graphs(batch):
    g, leaves = learning(batch)
    values = {score: score(g) for score in (gtn.forward_penalty, gtn.viterbi_penalty)}
    upstream = torch.arange(1.0, len(batch) + 1, dtype=torch.float64)
    gradients = {
        score: torch.autograd.grad(value, leaves, grad_outputs=upstream)
        for score, value in values.items()
    }
    best = gtn.viterbi_path(batch)
    for i, one in enumerate(batch):
        where = one.sources[0].index.tolist()
        single, own_leaves = learning(one)
        for score, value in values.items():
            own = score(single)
            assert torch.equal(own, value[i])
            own_gradient = torch.autograd.grad(own, own_leaves, grad_outputs=upstream[i])
            assert_close(gradients[score][0][where], own_gradient[0])
        own_path, path = gtn.viterbi_path(one), best[i]
        assert path.num_nodes == own_path.num_nodes
        assert path.starts.tolist() == own_path.starts.tolist()
        assert path.ilabels.tolist() == own_path.ilabels.tolist()
        assert path.olabels.tolist() == own_path.olabels.tolist()
        assert torch.equal(path.penalties, own_path.penalties)
        assert torch.equal(path.start_penalties, own_path.start_penalties)
        assert torch.equal(path.final_penalties, own_path.final_penalties)
        in_batch = best.sources[0].index[path.sources[0].index]
        assert [where.index(a) for a in in_batch.tolist()] == own_path.sources[0].index.tolist()
    assert_close(values[gtn.forward_penalty], forward_penalty_by_enumeration(batch))
    assert_close(values[gtn.viterbi_penalty], viterbi_by_enumeration(batch))


def test_a_batch_with_elements_without_path():
    one = gtn.Graph.from_arcs([(0, 1, 1, 0.5), (0, 1, 2, 0.5)], final={1: 0.25})
    batch = gtn.GraphBatch.from_graphs([gtn.empty(), one, gtn.Graph.from_arcs([], final=[]), one])
    g, leaves = learning(batch)
    value = gtn.forward_penalty(g)
    assert_close(value[[1, 3]], torch.full((2,), 0.75 - math.log(2)), atol=1e-6)
    assert value[[0, 2]].tolist() == [math.inf, math.inf]
    (gradient, _, finals) = torch.autograd.grad(value[1] + 2 * value[3], leaves)
    assert_close(gradient, torch.tensor([0.5, 0.5, 1.0, 1.0]), atol=1e-6)
    assert finals.tolist() == [1, 2]
    best = gtn.viterbi_path(batch)
    assert [p.num_arcs for p in best] == [0, 1, 0, 1]
    assert gtn.viterbi_penalty(batch).tolist() == [math.inf, 0.75, math.inf, 0.75]


@given(graphs(penalties=NEAR), exact_penalties(-4, 4))
@settings(max_examples=50)
def test_upstream_gradient_scales_the_posteriors(graph, factor):
    g, leaves = learning(graph)
    value = gtn.forward_penalty(g)
    assume(value.isfinite())
    for found, expected in zip(torch.autograd.grad(factor * value, leaves), posteriors(graph)):
        assert_close(found, factor * expected)


@given(graphs(min_nodes=2, penalties=NEAR))
@settings(max_examples=50)
def test_penalties_changed_in_place_count_at_the_next_call(graph):
    assume(paths(graph))
    g, leaves = learning(graph)
    optimizer = torch.optim.SGD(leaves, lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        gtn.forward_penalty(g).backward()
        optimizer.step()
        assert_close(gtn.forward_penalty(g).detach(), forward_penalty_by_enumeration(g))
        assert_close(gtn.viterbi_penalty(g).detach(), viterbi_by_enumeration(g))
        assert_close(gtn.arc_posteriors(g).detach(), posteriors_by_enumeration(g))


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bad_penalties_that_appear_in_place_are_named(bad, cyclic, dtype):
    arcs = [(0, 1, 1), (1, 2, 2), (1, 2, 3)] + [(2, 1, 1)] * cyclic
    graph = gtn.Graph.from_arcs(arcs, start=[0, 1], final=[1, 2], dtype=dtype)
    verbs = [gtn.viterbi_path, gtn.viterbi_penalty, gtn.forward_penalty, gtn.arc_posteriors]
    if not cyclic:
        verbs += [lambda g: gtn.n_best(g, 2)]
    for what, tensor in (
        ("arc", graph.penalties),
        ("start", graph.start_penalties),
        ("final", graph.final_penalties),
    ):
        for at in (0, 1):
            tensor[at] = bad
            for verb in verbs:
                with pytest.raises(GraphError, match=f"^{what} {at} has penalty -?(nan|inf)"):
                    verb(graph)
            tensor[at] = 0.0
