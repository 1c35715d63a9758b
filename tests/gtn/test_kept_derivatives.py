"""Operations that change a graph's form keep its penalties and all their derivatives."""

import numpy as np
import pytest
import torch

import gtn
from gtn.testing.openfst import random_graphs

COUNT = 1500
SCORES = {"log": gtn.forward_penalty, "tropical": gtn.viterbi_penalty}
SEMIRINGS = pytest.mark.parametrize("semiring", SCORES)


def small(g, semiring):
    """The smallest graph."""
    return gtn.minimize(gtn.determinize(g, semiring=semiring), semiring=semiring)


def small_by_sources(g, semiring):
    made = gtn.determinize(g, semiring=semiring)
    return gtn.minimize(made, semiring=semiring, merge="sources")


OPERATIONS = {
    "remove_epsilon": lambda g, semiring: gtn.remove_epsilon(g, semiring=semiring),
    "push to start": lambda g, semiring: gtn.push(g, semiring=semiring),
    "push to final": lambda g, semiring: gtn.push(g, "final", semiring=semiring),
    "determinize": lambda g, semiring: gtn.determinize(g, semiring=semiring),
    "minimize": small,
    "minimize by sources": small_by_sources,
}
WITH_CYCLES = ("remove_epsilon", "push to start", "push to final")


def in_general_position(graphs, least=0.0, most=4.0):
    """The graphs with penalties of which no two different sums are equal."""
    generator = torch.Generator().manual_seed(0)
    drawn = {
        name: least + (most - least) * torch.rand(len(old), generator=generator, dtype=old.dtype)
        for name in ("penalties", "start_penalties", "final_penalties")
        for old in [getattr(graphs, name)]
    }
    for name, new in drawn.items():
        drawn[name] = torch.where(getattr(graphs, name).isfinite(), new, torch.inf)
    penalties = drawn.pop("penalties")
    return graphs.with_penalties(penalties, **drawn)


def derivatives(score, graphs, orders):
    """Return the penalties of a batch and derivatives of their weighted sum along a direction."""
    leaves = [
        p.clone().requires_grad_()
        for p in (graphs.penalties, graphs.start_penalties, graphs.final_penalties)
    ]
    value = score(
        graphs.with_penalties(leaves[0], start_penalties=leaves[1], final_penalties=leaves[2])
    )
    found = [[value.detach()]]
    there = value.isfinite()
    # An upstream gradient that is not 1, different for each graph.
    total = (value[there] * torch.linspace(0.5, 2.0, len(value), dtype=value.dtype)[there]).sum()
    generator = torch.Generator().manual_seed(1)
    directions = [torch.randn(len(p), generator=generator, dtype=p.dtype) for p in leaves]
    for _ in range(orders):
        if not total.requires_grad:  # a Viterbi penalty is linear in the arcs' penalties
            total = total + sum((leaf * 0).sum() for leaf in leaves)
        gradients = torch.autograd.grad(
            total, leaves, create_graph=True, allow_unused=True, materialize_grads=True
        )
        found.append([g.detach() for g in gradients])
        total = sum((g * d).sum() for g, d in zip(gradients, directions))
    return found


def assert_kept(operation, graphs, semiring, orders):
    score = SCORES[semiring]
    before = derivatives(score, graphs, orders)
    after = derivatives(lambda g: score(operation(g, semiring)), graphs, orders)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(second, first, rtol=0, atol=1e-10)


@SEMIRINGS
@pytest.mark.parametrize("name", OPERATIONS)
def test_acyclic(name, semiring):
    graphs = random_graphs(COUNT, seed=1, max_nodes=6, max_arcs=10, infinite=True, acceptor=True)
    assert_kept(OPERATIONS[name], in_general_position(graphs), semiring, orders=3)


@SEMIRINGS
@pytest.mark.parametrize("name", WITH_CYCLES)
def test_cyclic(name, semiring):
    graphs = random_graphs(
        COUNT, seed=2, max_nodes=5, max_arcs=8, acyclic=False, infinite=True, acceptor=True
    )
    graphs = in_general_position(graphs, least=2.5, most=6.0)
    assert gtn.remove_epsilon(graphs).num_arcs < graphs.num_arcs
    assert_kept(OPERATIONS[name], graphs, semiring, orders=3)


def test_transducers_by_their_inputs():
    graphs = random_graphs(COUNT, seed=3, max_nodes=5, max_arcs=7, labels=2)
    graphs = in_general_position(graphs)
    kept = gtn.is_functional(graphs)
    functional = gtn.GraphBatch.from_graphs([g for g, keep in zip(graphs, kept) if keep])
    assert len(functional) > COUNT // 2
    assert (gtn.determinize(functional).ilabels < 0).any()  # strings of several labels are written
    for semiring in SCORES:
        assert_kept(OPERATIONS["determinize"], functional, semiring, orders=3)
        assert_kept(OPERATIONS["minimize"], functional, semiring, orders=2)


def tries(count=200, words=12, length=4, labels=3):
    """A batch of trees of random words, with penalties 0 and 1."""
    rng = np.random.default_rng(5)
    nodes = np.arange(words * (length + 1)).reshape(words, length + 1)
    sets = [
        gtn.from_arrays(
            nodes[:, :-1].ravel(),
            nodes[:, 1:].ravel(),
            rng.integers(0, labels, words * length),
            start=nodes[:, 0],
            final=nodes[:, -1],
        ).double()
        for _ in range(count)
    ]
    made = gtn.determinize(gtn.GraphBatch.from_graphs(sets), semiring="boolean")
    return made.with_penalties(torch.from_numpy(rng.integers(0, 2, made.num_arcs) * 1.0))


@SEMIRINGS
def test_minimize_keeps_the_first_derivative_where_penalties_coincide(semiring):
    made = tries()
    if semiring == "tropical":  # the gradient is that of the best path where there is only one
        cold = gtn.forward_penalty(made.with_penalties(50 * made.penalties))
        unique = (50 * gtn.viterbi_penalty(made) - cold).exp() < 1.5
        assert unique.sum() > 20
        made = gtn.GraphBatch.from_graphs([g for g, one in zip(made, unique) if one])
    least = gtn.minimize(made, semiring=semiring)
    assert least.num_nodes < 0.5 * made.num_nodes

    def smaller(g, semiring):
        return gtn.minimize(g, semiring=semiring)

    assert_kept(smaller, made, semiring, orders=1)
