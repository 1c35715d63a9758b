"""Chains with loops and skips, summed in vectors, against the same with their nodes in disorder."""

import numpy as np
import pytest
import torch

import gtn

CLASSES = 6


def chain(rng, nodes):
    """Each node is entered from itself, the one before and two before, as far as drawn."""
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
    """The chain with node p as node ``order[p]``."""
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
