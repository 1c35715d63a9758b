"""Forward penalties and posteriors of graphs with cycles: exact, or refused."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from learned_penalties import learning

import gtn
from gtn.errors import CyclicGraphError, DivergentGraphError
from gtn.scoring import cycles
from gtn.testing import (
    assert_derivatives,
    batches,
    exact_penalties,
    graphs,
    penalty_by_closure,
    posteriors_by_closure,
)

FREE = {"epsilons": True, "acceptor": False}
CONVERGING = exact_penalties(2.1, 8, infinite=True)


@pytest.fixture(params=["dense", "sparse"])
def solver(request, monkeypatch):
    """Solve all components of two nodes and more by one of the two solvers."""
    monkeypatch.setattr(cycles, "SMALL_COMPONENT", 1000 if request.param == "dense" else 1)


def random_graph(rng, low=-1.0, high=5.0, infinite=0.1, nodes=6, arcs=12):
    """A graph with everything: several starts and finals, parallel arcs, loops, forbidden parts."""
    n, count = int(rng.integers(1, nodes + 1)), int(rng.integers(0, arcs + 1))
    starts, finals = (np.flatnonzero(rng.random(n) < 0.4) for _ in range(2))
    arc_penalties, start_penalties, final_penalties = (
        torch.from_numpy(np.where(rng.random(k) < infinite, np.inf, rng.uniform(a, b, k)))
        for k, a, b in ((count, low, high), (len(starts), -2, 2), (len(finals), -2, 2))
    )
    return gtn.from_arrays(
        *rng.integers(0, n, (2, count)),
        *rng.integers(-1, 3, (2, count)),
        penalties=arc_penalties,
        start=starts,
        start_penalties=start_penalties,
        final=finals,
        final_penalties=final_penalties,
        num_nodes=n,
    )


def assert_close(found, expected, tolerance=1e-9):
    found, expected = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def assert_exact(graph, sides=("arcs", "starts", "finals")):
    """Check value, gradient and posteriors by Kleene's algorithm; return if the sum converges."""
    try:
        expected = penalty_by_closure(graph)
    except CyclicGraphError:
        for verb in (gtn.forward_penalty, gtn.arc_posteriors):
            with pytest.raises(DivergentGraphError, match="sum over all paths is infinite"):
                verb(graph)
        return False
    g, leaves = learning(graph)
    value = gtn.forward_penalty(g)
    assert_close(value, expected)
    gradients = torch.autograd.grad(3 * value, leaves)
    for gradient, of in zip(gradients, ("arcs", "starts", "finals")):
        if of in sides:
            assert_close(gradient, 3 * posteriors_by_closure(graph, of=of))
    assert_close(3 * gtn.arc_posteriors(graph), gradients[0])
    return True


# -- known sums ------------------------------------------------------------------------------------


def looped(*penalties):
    return gtn.Graph.from_arcs([(0, 0, 1, p) for p in penalties], final=0, dtype=torch.float64)


def test_one_loop_is_a_geometric_series_to_every_order():
    p = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    value = gtn.forward_penalty(looped(0.0).with_penalties(p))
    assert value.item() == pytest.approx(-0.458675145387, abs=1e-12)
    e = math.e
    expected = [1 / (e - 1), -e / (e - 1) ** 2, e * (e + 1) / (e - 1) ** 3]
    for derivative in expected:
        (value,) = torch.autograd.grad(value.sum(), p, create_graph=True)
        assert value.item() == pytest.approx(derivative, rel=1e-12)


def test_loops_of_any_size_keep_all_digits():
    for penalty in (1e-12, 1e-3, 0.5, 50.0, 800.0):
        assert gtn.forward_penalty(looped(penalty)).item() == math.log(-math.expm1(-penalty))
    both = gtn.forward_penalty(looped(1.0, 2.0)).item()
    assert both == pytest.approx(math.log(1 - math.exp(-1) - math.exp(-2)), abs=1e-14)


@pytest.mark.parametrize(
    "arcs",
    [
        [(0, 0, -1.0)],
        [(0, 0, 0.0)],
        [(0, 0, math.log(2)), (0, 0, math.log(2))],
        [(0, 0, 0.5), (0, 0, 0.9)],
        [(0, 0, 1.0), (0, 0, 2.0), (0, 0, 0.1)],
        [(0, 1, 3.0), (1, 0, -3.0)],
        [(0, 1, 3.0), (1, 0, -4.0)],
        [(0, 1, 1000.0), (1, 2, 0.0), (2, 0, -1001.0)],
        [(0, 1, -800.0), (1, 0, -800.0)],
        [(0, 1, math.log(2)), (1, 0, 0.0), (0, 2, math.log(2)), (2, 0, 0.0)],
        [(0, 1, 0.6), (1, 0, 0.0), (0, 2, 0.7), (2, 0, 0.0)],
        [(0, 1, 0.0), (1, 1, 1.0), (1, 0, -math.log1p(-math.exp(-1)) + 1e-17)],
    ],
)
def test_what_loses_no_mass_diverges_though_every_penalty_be_positive(arcs, solver):
    graph = gtn.Graph.from_arcs([(s, d, 1, p) for s, d, p in arcs], final=0, dtype=torch.float64)
    for verb in (gtn.forward_penalty, gtn.arc_posteriors):
        with pytest.raises(DivergentGraphError, match=r"through (node 0|[23] nodes, 0, 1)"):
            verb(graph)


def test_the_component_that_diverges_is_named_and_no_other(solver):
    arcs = [(0, 1, 1, 1.0), (1, 0, 1, 1.0), (1, 2, 1, 0.0), (2, 3, 1, 0.0), (3, 2, 1, 0.0),
            (3, 4, 1, 0.0), (4, 4, 1, 1.0)]  # fmt: skip
    with pytest.raises(DivergentGraphError, match=r"2 nodes, 2, 3 \(arcs 3, 4\)"):
        gtn.forward_penalty(gtn.Graph.from_arcs(arcs, final=4))
    with pytest.raises(gtn.CyclicGraphError):  # of the same family
        gtn.forward_penalty(looped(0.0))


def test_just_short_of_divergence_is_finite(solver):
    arcs = [(0, 1, 1, 0.7), (1, 2, 1, 0.7), (2, 0, 1, -1.4 + 1e-6)]
    graph = gtn.Graph.from_arcs(arcs, final=0, dtype=torch.float64)
    expected = math.log(-math.expm1(-graph.penalties.sum().item()))
    assert gtn.forward_penalty(graph).item() == pytest.approx(expected, abs=1e-8)


# -- against Kleene's algorithm --------------------------------------------------------------------


def test_thousands_of_random_graphs(solver):
    rng = np.random.default_rng(0)
    converging = [assert_exact(random_graph(rng), ["arcs"]) for _ in range(1000)]
    assert 30 < converging.count(False) < 400


@given(graphs(acyclic=False, penalties=CONVERGING, **FREE))
@settings(max_examples=60)
def test_forward_penalty_and_posteriors_are_exact(graph):
    assert assert_exact(graph)


@given(graphs(acyclic=False, infinite=True, max_nodes=6, max_arcs=12, **FREE))
@settings(max_examples=60)
def test_divergence_is_found_among_large_penalties_of_both_signs(graph):
    assert_exact(graph)


def converging_graphs(rng, count):
    """Return random graphs that have a cycle on a path and a finite sum."""
    found = []
    while len(found) < count:
        graph = random_graph(rng, infinite=0.05)
        try:
            value = gtn.forward_penalty(graph)
        except DivergentGraphError:
            continue
        if value.isfinite() and not gtn.connect(graph).topology.is_acyclic:
            found.append(graph)
    return found


def test_derivatives_to_second_order(solver):
    for graph in converging_graphs(np.random.default_rng(1), 8):
        for score in (gtn.forward_penalty, gtn.arc_posteriors):
            assert_derivatives(score, graph)


@given(batches(acyclic=False, penalties=CONVERGING, max_graphs=4, **FREE))
@settings(max_examples=40)
def test_a_batch_with_cycles_is_scored_as_its_graphs(batch):
    g, leaves = learning(batch)
    values = gtn.forward_penalty(g)
    assert_close(values, penalty_by_closure(batch))
    upstream = torch.arange(1.0, len(batch) + 1, dtype=torch.float64)
    (gradient, *_) = torch.autograd.grad(values, leaves, grad_outputs=upstream)
    owner = torch.from_numpy(batch.topology.arc_graph.copy())
    assert_close(gradient, upstream[owner] * gtn.arc_posteriors(batch))
    expected = [posteriors_by_closure(one) for one in batch]
    assert_close(gtn.arc_posteriors(batch), np.concatenate(expected))


# -- what counts -----------------------------------------------------------------------------------


def test_cycles_off_all_paths_do_not_matter():
    arcs = [(0, 1, 1, 0.5), (2, 3, 1, 0.0), (3, 2, 1, 0.0), (3, 1, 1, 0.0), (1, 4, 1, 0.0),
            (4, 4, 1, -1.0)]  # fmt: skip
    g, leaves = learning(gtn.Graph.from_arcs(arcs, final=1, dtype=torch.float64))
    value = gtn.forward_penalty(g)
    assert value == 0.5
    assert torch.autograd.grad(value, leaves)[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert gtn.arc_posteriors(g).tolist() == [1, 0, 0, 0, 0, 0]


def test_a_cycle_that_an_infinite_penalty_cuts_off_is_none(solver):
    inf = math.inf
    forbidden = [
        ([(0, 1, 1, 1.0), (1, 0, 1, inf)], 0, 1),
        ([(0, 1, 1, 1.0), (2, 2, 1, -1.0), (0, 2, 1, inf), (2, 1, 1, 0.0)], 0, 1),
        ([(0, 1, 1, 1.0), (0, 2, 1, 0.0), (2, 2, 1, -1.0)], 0, {1: 0.0, 2: inf}),
        ([(0, 1, 1, 1.0), (2, 2, 1, -1.0), (2, 1, 1, 0.0)], {0: 0.0, 2: inf}, 1),
    ]
    for arcs, start, final in forbidden:
        g, leaves = learning(gtn.Graph.from_arcs(arcs, start=start, final=final))
        value = gtn.forward_penalty(g)
        assert value == 1
        for gradient in torch.autograd.grad(value, leaves):
            assert gradient.tolist() == [1.0, *[0.0] * (len(gradient) - 1)]


def test_no_path_through_a_cycle_is_infinite_with_gradient_zero():
    g, leaves = learning(gtn.Graph.from_arcs([(0, 1, 1, 1.0), (1, 0, 1, 1.0)], final={1: math.inf}))
    value = gtn.forward_penalty(g)
    assert value == math.inf
    for gradient in torch.autograd.grad(value, leaves):
        assert torch.equal(gradient, torch.zeros_like(gradient))
