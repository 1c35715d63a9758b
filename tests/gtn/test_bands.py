"""Chains with loops and skips, summed in vectors, give what they give with shuffled nodes."""

import numpy as np
import pytest
import torch

import gtn

CLASSES = 6


def chain(rng, nodes):
    """A chain: each node is entered from itself, from one before and two before, where drawn."""
    read = rng.integers(0, CLASSES, nodes)
    arcs = [
        (p - back, p, read[p])
        for p in range(nodes)
        for back in rng.permutation(3)
        if back <= p and rng.random() < 0.8
    ]
    src, dst, labels = np.array(arcs, dtype=np.int64).reshape(-1, 3).T
    drawn = np.where(rng.random(len(src)) < 0.05, np.inf, rng.normal(0, 2, len(src)))
    return src, dst, labels, torch.from_numpy(drawn)


def graph(arcs, order):
    """The chain with node p renumbered as ``order[p]``."""
    src, dst, labels, penalties = arcs
    nodes = len(order)
    return gtn.from_arrays(
        order[src],
        order[dst],
        labels,
        penalties=penalties,
        start=sorted(order[:2].tolist()),
        final=sorted(order[max(nodes - 2, 0) :].tolist()),
        num_nodes=nodes,
    )


@pytest.mark.parametrize("spread", [1.0, 60.0, 400.0])
@pytest.mark.parametrize("arcs_too", [False, True])
def test_bands(spread, arcs_too):
    rng = np.random.default_rng(int(spread))
    finite = 0
    for nodes in (1, 2, 3, 4, 9, 30):
        parts = [chain(rng, nodes) for _ in range(4)]
        drawn = torch.from_numpy(rng.normal(0, spread, (4, 12, CLASSES)))
        drawn[rng.random(drawn.shape) < 0.02] = torch.inf
        found = []
        for disorder in (False, True):
            orders = [rng.permutation(nodes) if disorder else np.arange(nodes) for _ in parts]
            batch = gtn.GraphBatch.from_graphs([graph(*both) for both in zip(parts, orders)])
            given = batch.penalties.clone().requires_grad_(arcs_too)
            emissions = drawn.clone().requires_grad_()
            values = gtn.dense.forward_penalty(
                emissions, batch.with_penalties(given), lengths=[12, 11, 1, 5]
            )
            there = values.isfinite()
            values[there].sum().backward()
            plain = gtn.dense.forward_penalty(drawn, batch.with_penalties(batch.penalties))
            found.append([values.detach(), emissions.grad, plain, *([given.grad] * arcs_too)])
            finite += int(there.sum())
        for mine, theirs in zip(*found, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    assert finite > 20


def extreme(rng, size, units):
    """Penalties whose masses are as large or small as one number holds, times units of 2^256."""
    within = rng.choice([-87.9, -60.0, 0.0, 60.0, 87.9], size) + rng.uniform(-0.05, 0.05, size)
    drawn = within + rng.integers(-units, units + 1, size) * 177.445678223346
    return torch.from_numpy(np.where(rng.random(size) < 0.05, np.inf, drawn))


@pytest.mark.parametrize("units", [(0, 0), (1, 0), (0, 1), (3, 3)])
@pytest.mark.parametrize("banded", [False, True])
def test_nodes_drift_apart_and_come_together_as_fast_as_masses_can(units, banded):
    """The sums are those of the product, by logarithms; rows share a unit for some frames only."""
    rng = np.random.default_rng([*units, banded])
    for _ in range(30):
        nodes, frames = int(rng.integers(2, 6)), int(rng.integers(1, 14))
        src, dst = np.indices((nodes, nodes)).reshape(2, -1)
        reach = int(rng.choice([3, 3, 4]))  # sometimes one more than bands have
        near = (dst - src >= 0) & (dst - src < reach) if banded else np.full(len(src), True)
        kept = near & ((src == dst) | (rng.random(len(src)) < 0.3))
        src, dst = src[kept], dst[kept]
        parts = [extreme(rng, size, units[0]) for size in (len(src), 2, 2)]
        emissions = extreme(rng, (frames, nodes), units[1])
        leaves = [part.requires_grad_() for part in (emissions, *parts)]
        graph = gtn.from_arrays(
            src, dst, dst, penalties=parts[0], start=[0, nodes - 1], start_penalties=parts[1],
            final=[0, nodes - 1], final_penalties=parts[2], num_nodes=nodes,
        )  # fmt: skip
        value = gtn.dense.forward_penalty(emissions, graph)
        expected = gtn.forward_penalty(gtn.compose(gtn.linear(emissions), graph))
        torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-9)
        if not value.isfinite():
            continue
        for wanted in (leaves, leaves[:1]):
            both = (torch.autograd.grad(v, wanted, retain_graph=True) for v in (value, expected))
            for found, other in zip(*both, strict=True):
                torch.testing.assert_close(found, other, rtol=1e-7, atol=1e-9)


def test_ways_three_units_apart_are_added():
    """One way has masses as small as they get, the other large ones in a much lower unit."""
    ends = {0: 87.9, 1: 3 * 177.445678223346 - 87.9}
    arcs = [(0, 2, 0, 87.9), (1, 2, 1, -87.9)]
    graph = gtn.Graph.from_arcs(arcs, start=ends, final=2, dtype=torch.float64)
    emissions = torch.tensor([[87.9, -87.9]], dtype=torch.float64)
    expected = -np.logaddexp(-3 * 87.9, 3 * (87.9 - 177.445678223346))
    assert gtn.dense.forward_penalty(emissions, graph).item() == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("back", [[], [(1, 0, 0, np.inf)]])
@pytest.mark.parametrize("step", [-87.9, 87.9])
def test_a_node_that_drifts_away_for_long_is_not_lost(step, back):
    loops = [(0, 0, 0), (1, 1, 1)]  # summed in bands, unless an arc leads back
    graph = gtn.Graph.from_arcs([*loops, *back], start=[0, 1], final=1, dtype=torch.float64)
    emissions = torch.tensor([[0.0, step]] * 20, dtype=torch.float64, requires_grad=True)
    value = gtn.dense.forward_penalty(emissions, graph)
    assert value.item() == pytest.approx(20 * step, rel=1e-13)
    value.backward()
    torch.testing.assert_close(emissions.grad, torch.tensor([[0.0, 1.0]] * 20).double())


def test_two_arcs_of_one_kind_both_count():
    arcs = [(0, 0, 0, 0.5), (0, 1, 1, 0.25), (0, 1, 1, 0.75), (1, 1, 1, 0.5)]
    graph = gtn.Graph.from_arcs(arcs, final=1, dtype=torch.float64)
    emissions = torch.linspace(0, 1, 20, dtype=torch.float64).reshape(10, 2)
    expected = gtn.forward_penalty(gtn.compose(gtn.linear(emissions), graph))
    torch.testing.assert_close(gtn.dense.forward_penalty(emissions, graph), expected)
