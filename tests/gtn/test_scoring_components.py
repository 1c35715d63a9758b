"""Sums are exact on graphs with large components, long graphs, and very different masses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_penalties import learning

import gtn
from gtn.errors import DivergentGraphError
from gtn.scoring import cycles
from gtn.testing import (
    exact_penalties,
    forward_penalty_by_enumeration,
    graphs,
    penalty_by_closure,
    posteriors_by_closure,
)

FREE = {"epsilons": True, "acceptor": False}


@pytest.fixture(params=["dense", "sparse"])
def solver(request, monkeypatch):
    """Solve all components of two nodes and more by one of the two solvers."""
    monkeypatch.setattr(cycles, "SMALL_COMPONENT", 1000 if request.param == "dense" else 1)


def assert_close(found, expected, tolerance=1e-9):
    found, expected = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def assert_exact(graph):
    """Check value and posteriors against Kleene's algorithm."""
    value = gtn.forward_penalty(graph).item()
    assert value == pytest.approx(penalty_by_closure(graph), abs=1e-9)
    assert_close(gtn.arc_posteriors(graph), posteriors_by_closure(graph))


def ring(length, parallel, back):
    """A ring of nodes, ``parallel`` arcs of penalty 0 from each to the next; ``back`` closes it."""
    src = np.repeat(np.arange(length - 1), parallel)
    return gtn.from_arrays(
        np.append(src, length - 1),
        np.append(src + 1, 0),
        np.zeros(len(src) + 1, dtype=int),
        penalties=torch.tensor([0.0] * len(src) + [back], dtype=torch.float64),
        final=length - 1,
    )


def test_masses_beyond_floating_point():
    """Once round there are 10^399 paths, whose mass is lost again on the way back."""
    length, ways = 400, 399 * math.log(10)
    for left in (0.25, 3.0):
        value = gtn.forward_penalty(ring(length, 10, ways + left))
        assert value.item() == pytest.approx(math.log(-math.expm1(-left)) - ways, rel=1e-9)
    with pytest.raises(DivergentGraphError, match="400 nodes"):
        gtn.forward_penalty(ring(length, 10, ways - 0.25))


def test_entries_of_very_different_mass(solver):
    arcs = [(0, 1, 1, 2000.0), (0, 2, 1, 0.0), (1, 2, 1, 0.5), (2, 1, 1, 1.0), (2, 3, 1, -900.0),
            (3, 1, 1, 903.0)]  # fmt: skip
    assert_exact(gtn.Graph.from_arcs(arcs, final=1, dtype=torch.float64))
    assert_exact(gtn.Graph.from_arcs(arcs, final=3, dtype=torch.float64))


@pytest.mark.parametrize("length", [60, 100])
def test_mass_that_flows_back_a_long_way(length):
    """A chain walked in both directions, with nearly all mass starting at its far end."""
    nodes = np.arange(length)
    graph = gtn.from_arrays(
        np.r_[nodes, nodes + 1], np.r_[nodes + 1, nodes], np.zeros(2 * length, dtype=int),
        penalties=torch.cat([torch.full((length,), 1.5), torch.full((length,), 0.5)]).double(),
        start=[0, length], start_penalties=torch.tensor([3000.0, 0.0]).double(), final=0,
    )  # fmt: skip
    expected = penalty_by_closure(graph)
    assert gtn.forward_penalty(graph).item() == pytest.approx(expected, abs=1e-9)
    assert_close(gtn.arc_posteriors(graph), posteriors_by_closure(graph))


def trie(words, letters, length, rng):
    """The closure of a trie of random words, each of which ends with an epsilon to the start."""
    src, dst, labels, ends, children = [], [], [], [], {}
    for word in {tuple(rng.integers(0, letters, rng.integers(2, length)).tolist())
                 for _ in range(words)}:  # fmt: skip
        node = 0
        for label in word:
            if (node, label) not in children:
                children[node, label] = len(children) + 1
                src, dst, labels = [*src, node], [*dst, len(children)], [*labels, label]
            node = children[node, label]
        ends.append(node)
    penalties = torch.cat([
        torch.from_numpy(rng.uniform(2.0, 3.5, len(src))),
        torch.full((len(ends),), 0.25, dtype=torch.float64),
    ])  # fmt: skip
    return gtn.from_arrays(
        src + ends, dst + [0] * len(ends), labels + [gtn.EPSILON] * len(ends),
        penalties=penalties, final=0,
    )  # fmt: skip


def test_the_closure_of_a_lexicon_is_a_geometric_series():
    closed = trie(400, 8, 8, np.random.default_rng(0))
    back = closed.dst == 0
    once = gtn.from_arrays(
        closed.src, np.where(back, closed.num_nodes, closed.dst), closed.ilabels,
        penalties=closed.penalties, final=closed.num_nodes,
    )  # fmt: skip
    assert once.topology.is_acyclic
    assert closed.num_nodes > 1000
    words = gtn.forward_penalty(once).item()
    g, leaves = learning(closed)
    value = gtn.forward_penalty(g)
    assert value.item() == pytest.approx(math.log(-math.expm1(-words)), abs=1e-12)
    (gradient,) = torch.autograd.grad(value, leaves[:1])
    rounds = 1 / math.expm1(words)  # the number of words that a path reads
    assert_close(gradient, rounds * gtn.arc_posteriors(once), 1e-10)
    assert_close(gtn.arc_posteriors(closed), gradient, 1e-12)


def test_many_small_masses_that_sum_to_one_diverge():
    count, rng = 5000, np.random.default_rng(0)
    nodes, back = np.arange(1, count + 1), np.zeros(count, dtype=int)
    masses = torch.from_numpy(rng.dirichlet(np.ones(count)))
    for lost in (0.0, 1e-6):
        graph = gtn.from_arrays(
            np.r_[back, nodes], np.r_[nodes, back], np.zeros(2 * count, dtype=int),
            penalties=torch.cat([-torch.log(masses), lost * torch.ones_like(masses)]),
            final=0,
        )  # fmt: skip
        if lost:
            assert gtn.forward_penalty(graph).item() == pytest.approx(math.log(lost), abs=1e-6)
        else:
            with pytest.raises(DivergentGraphError, match="5001 nodes"):
                gtn.forward_penalty(graph)


def test_many_components_of_both_solvers_in_one_batch():
    rng = np.random.default_rng(5)
    parts, largest = [], cycles.SMALL_COMPONENT
    for size in (3, largest + 20, 1, largest - 1, largest + 1, 2 * largest, 2):
        src = np.concatenate([np.arange(size), rng.integers(0, size, 2 * size)])
        dst = np.concatenate([(np.arange(size) + 1) % size, rng.integers(0, size, 2 * size)])
        penalties = torch.from_numpy(rng.uniform(2.5, 4, len(src)))
        parts.append(gtn.from_arrays(src, dst, src, penalties=penalties, final=size - 1))
    chain = parts[0]
    for part in parts[1:]:
        chain = gtn.concat(chain, part)
    batch = gtn.GraphBatch.from_graphs([chain, *parts])
    values = gtn.forward_penalty(batch)
    assert_close(values[0], values[1:].sum(), 1e-12)
    for value, part in zip(values[1:].tolist(), parts):
        assert value == pytest.approx(penalty_by_closure(part), abs=1e-11)
    whole, single = gtn.arc_posteriors(batch), [gtn.arc_posteriors(p) for p in parts]
    assert_close(whole[chain.num_arcs :], torch.cat(single), 1e-12)


def test_long_frames_with_loops_in_float32():
    """In a chain of 20,000 states with loops, every sum is known."""
    frames, rng = 20_000, np.random.default_rng(2)
    nodes = np.arange(frames)
    onward, wait = (torch.from_numpy(rng.uniform(1, 9, frames)).float() for _ in range(2))
    graph = gtn.from_arrays(
        np.r_[nodes, nodes], np.r_[nodes + 1, nodes], np.r_[nodes % 5, nodes % 5],
        penalties=torch.cat([onward, wait]), final=frames,
    )  # fmt: skip
    expected = (onward.double() + torch.log(-torch.expm1(-wait.double()))).sum()
    assert abs(gtn.forward_penalty(graph).double() / expected - 1) < 1e-7
    assert_close(gtn.arc_posteriors(graph)[frames:], 1 / torch.expm1(wait.double()), 1e-6)


def test_a_loss_over_long_frames_in_float32():
    frames, classes = 20_000, 12
    rng = torch.Generator().manual_seed(1)
    penalties = 100 + 12 * torch.rand(frames, classes, generator=rng)
    target = torch.randint(classes, (frames,), generator=rng)
    penalties[torch.arange(frames), target] -= 11
    exact = torch.nn.functional.cross_entropy(-penalties.double(), target, reduction="sum")
    learned = penalties.clone().requires_grad_()
    loss = gtn.nn.DiscriminativeForwardLoss()(gtn.linear(learned), target.tolist())
    assert loss.dtype == torch.float32
    assert abs(loss.double() - exact) < 1e-6 * exact
    loss.backward()
    own = learned.detach().double().requires_grad_()
    torch.nn.functional.cross_entropy(-own, target, reduction="sum").backward()
    assert_close(learned.grad, own.grad, 1e-6)


def test_losses_on_graphs_with_cycles():
    """The loss is minus the log of the target's share of the total mass."""
    arcs = [(0, 0, 0, 1.5), (0, 1, 1, 1.0), (1, 0, 0, 1.2), (1, 1, 1, 1.9)]
    graph = gtn.Graph.from_arcs(arcs, final={0: 0.5, 1: 0.1}, dtype=torch.float64)
    g, leaves = learning(graph)
    loss = gtn.nn.DiscriminativeForwardLoss()(g, [0, 1, 1])
    string = 1.5 + 1.0 + 1.9 + 0.1
    assert loss.item() == pytest.approx(string - penalty_by_closure(graph), abs=1e-12)
    (gradient,) = torch.autograd.grad(loss, leaves[:1])
    expected = np.array([1.0, 1.0, 0.0, 1.0]) - posteriors_by_closure(graph)
    assert_close(gradient, expected, 1e-12)


@given(graphs(acyclic=False, penalties=exact_penalties(2.1, 6), **FREE), st.integers(0, 4))
@settings(max_examples=40)
def test_longer_and_longer_paths_approach_the_sum(graph, length):
    shorter = forward_penalty_by_enumeration(graph, length)
    assert gtn.forward_penalty(graph) <= shorter + 1e-12


def test_messages_about_large_components_stay_short():
    with pytest.raises(DivergentGraphError) as error:
        gtn.forward_penalty(ring(200, 1, 0.0))
    few = "0, 1, 2, 3, 4, 5, 6, 7, …"
    assert f"200 nodes, {few} (arcs {few})" in str(error.value)
