"""Sums over an extended range: exponentials, levels, and penalties too large for either."""

import numpy as np
import pytest
import torch

import gtn
from gtn.kernels.masses import _exp_minus, forward_masses, forward_potentials
from gtn.scoring.recursion import AcyclicSums, shares


def test_the_exponential_is_numpys():
    rng = np.random.default_rng(0)
    given = np.concatenate((rng.uniform(-700, 700, 50_001), rng.uniform(-1e-3, 1e-3, 1001)))
    found = given.copy()
    _exp_minus(found)
    np.testing.assert_allclose(found, np.exp(-given), rtol=4e-16, atol=0)
    ends = np.array([0.0, -0.0, np.inf, 1e300, 701.0])
    _exp_minus(ends)
    assert ends.tolist() == [1, 1, 0, 0, 0]


def ways(graph):
    """Return the arguments of the kernels."""
    t = graph.topology
    given = t.starts, graph.penalties.numpy(), graph.start_penalties.numpy()
    return t.order, *t.incoming, t.incoming_ends, *given


def skipping(length, step, spread, seed=0, most=40):
    """Return a chain whose arcs skip up to ``most`` nodes, at about ``step`` nats per node."""
    rng = np.random.default_rng(seed)
    src = np.concatenate((np.arange(length), rng.integers(0, length, 3 * length)))
    dst = np.minimum(src + rng.integers(1, most, len(src)), length)
    dst[:length] = np.arange(1, length + 1)
    penalties = step * (dst - src) + rng.uniform(-spread, spread, len(src))
    penalties[rng.random(len(src)) < 0.1] = np.inf
    return gtn.from_arrays(
        src, dst, np.zeros(len(src), dtype=np.int32), penalties=torch.from_numpy(penalties),
        start={0: 1.5, 7: 300.0, 90: np.inf}, final=length,
    )  # fmt: skip


@pytest.mark.parametrize("step", [-6.0, 0.0, 6.0])
@pytest.mark.parametrize("spread", [1.0, 80.0])
def test_levels_and_logarithms_agree(step, spread):
    graph = skipping(600, step, spread)
    _, masses, levels, fine = forward_masses(*ways(graph))
    potentials, _, bad = forward_potentials(*ways(graph))
    assert fine
    assert bad == -1
    assert np.ptp(levels[masses > 0]) > 4 * (abs(step) > 1)
    found = -(np.log(masses, where=masses > 0, out=np.full_like(masses, -np.inf)))
    np.testing.assert_allclose(found - 256 * np.log(2) * levels, potentials, rtol=1e-12, atol=1e-12)
    assert (np.isinf(potentials) == (masses == 0)).all()


def test_levels_and_logarithms_agree_where_ways_of_all_sizes_meet():
    """There are starts within the graph, and infinite arcs leave nodes of far larger mass."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        src, dst = np.sort(rng.integers(0, 12, (2, 24)), axis=0)
        dst += 1
        penalties = rng.uniform(-300, 300, 24)
        penalties[rng.random(24) < 0.3] = np.inf
        starts = dict(zip(rng.permutation(12)[:4].tolist(), rng.uniform(-300, 300, 4)))
        graph = gtn.from_arrays(
            src, dst, np.zeros(24, dtype=np.int32), penalties=torch.from_numpy(penalties),
            start=starts, final=12, num_nodes=13,
        )  # fmt: skip
        _, masses, levels, fine = forward_masses(*ways(graph))
        potentials, _, bad = forward_potentials(*ways(graph))
        assert (fine, bad) == (True, -1)
        assert ((masses == 0) == np.isinf(potentials)).all()
        there = masses > 0
        found = -np.log(masses[there]) - 256 * np.log(2) * levels[there]
        np.testing.assert_allclose(found, potentials[there], rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("far", [2.0, 1e30])
def test_shares_are_quotients_and_those_of_nodes_out_of_reach_are_zero(far):
    """This holds with levels, and by logarithms where the penalty of an arc has no exponential."""
    rng = np.random.default_rng(0)
    src, dst = np.sort(rng.integers(0, 300, (2, 900)), axis=0)
    penalties = rng.uniform(-300, 300, 900)
    penalties[rng.random(900) < 0.5] = np.inf
    penalties[0] = far
    graph = gtn.from_arrays(
        src, dst + 1, np.zeros(900, dtype=np.int32), penalties=torch.from_numpy(penalties),
        start={0: 1.0, 40: -2.0, 50: np.inf}, final=300, num_nodes=301,
    )  # fmt: skip
    sums = AcyclicSums(graph.topology, penalties, graph.start_penalties.numpy())
    unreached = np.isinf(sums.potentials)
    assert (unreached[graph.dst] & unreached[graph.src]).any()
    expected = shares(graph.penalties, torch.from_numpy(sums.potentials), graph.topology)
    np.testing.assert_allclose(sums.shares, expected, rtol=1e-9, atol=1e-300)
    assert (sums.shares[unreached[graph.src]] == 0).all()
    for transposed in (False, True):
        ones = np.ones(graph.num_nodes)
        solution, products = sums.solve(ones, transposed)
        here, there = (graph.src, graph.dst) if transposed else (graph.dst, graph.src)
        np.testing.assert_allclose(products, sums.shares * solution[there], rtol=1e-9, atol=1e-300)
        np.add.at(ones, here, products)
        np.testing.assert_allclose(solution, ones, rtol=1e-9)


def test_gradients_are_those_of_logarithms_across_levels():
    graph = skipping(600, -6.0, 40.0)
    penalties = graph.penalties.requires_grad_()
    gtn.forward_penalty(graph.with_penalties(penalties)).backward()
    assert penalties.grad is not None
    # The same graph with an arc that is never followed, whose penalty has no exponential.
    wide = gtn.from_arrays(
        np.append(graph.src, 0), np.append(graph.dst, 600), np.zeros(graph.num_arcs + 1, np.int32),
        penalties=torch.cat((graph.penalties.detach(), torch.tensor([1e30]))).requires_grad_(),
        start=graph.starts.tolist(), start_penalties=graph.start_penalties, final=600,
    )  # fmt: skip
    gtn.forward_penalty(wide).backward()
    assert wide.penalties.grad is not None
    torch.testing.assert_close(penalties.grad, wide.penalties.grad[:-1], rtol=1e-9, atol=1e-12)
    assert wide.penalties.grad[-1] == 0


@pytest.mark.parametrize("penalty", [1e30, -1e30, 400.0, -1e5])
def test_penalties_of_any_size(penalty):
    graph = gtn.Graph.from_arcs([(0, 1, 1, penalty), (1, 2, 1, 0.5)], final=2, dtype=torch.float64)
    assert gtn.forward_penalty(graph).item() == penalty + 0.5
    assert gtn.arc_posteriors(graph).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("penalty", [331.0, 740.0, -740.0, 1000.0, -1000.0, 1e5, -1e5])
@pytest.mark.parametrize("side", ["start", "final"])
def test_ends_of_any_size_where_there_is_no_arc(penalty, side):
    ends = {"start": 0, "final": 0, side: {0: penalty}}
    alone = gtn.from_arcs([], **ends, dtype=torch.float64)
    beside = gtn.from_arcs([(0, 1, 0, 2.0)], start=0, final=1, dtype=torch.float64)
    for batch in (alone, gtn.GraphBatch.from_graphs([beside, alone])):
        found = gtn.forward_penalty(batch)
        assert found.reshape(-1)[-1] == penalty
        assert gtn.viterbi_penalty(batch).reshape(-1)[-1] == penalty
    given = torch.tensor([penalty], dtype=torch.float64, requires_grad=True)
    ours = gtn.Graph(alone.topology, alone.penalties, **{f"{side}_penalties": given})
    gtn.forward_penalty(ours).backward()
    assert given.grad.tolist() == [1.0]
    assert gtn.entropy(alone) == 0
    assert len(gtn.sample(alone, 3)) == 3
    for same in (
        gtn.prune(alone, posterior=0.5),
        gtn.push(alone, "final"),
        gtn.push(alone, "start"),
        gtn.minimize(alone),
        gtn.reverse(alone),
        gtn.remove_epsilon(alone),
        gtn.determinize(alone),
    ):
        assert gtn.forward_penalty(same) == penalty


def test_a_rich_detour_outweighs_a_cheap_arc():
    """Many paths outweigh a single arc, though each of them alone counts for nothing."""
    frames, classes = 1000, 26
    chain = gtn.linear(torch.full((frames, classes), 2.0, dtype=torch.float64))
    both = gtn.union(chain, gtn.Graph.from_arcs([(0, 1, 0, 0.0)], final=1).double())
    expected = frames * (2.0 - np.log(classes))
    assert gtn.forward_penalty(both).item() == pytest.approx(expected, rel=1e-12)
    assert gtn.arc_posteriors(both)[-1].item() == pytest.approx(0.0, abs=1e-300)
