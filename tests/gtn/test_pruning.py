"""Pruning by beam and by posterior, compared with enumerated paths."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn.errors import DivergentGraphError, GraphError, NegativeCycleError
from gtn.testing import batches, exact_penalties, graphs, paths
from gtn.testing.openfst import random_graphs

FREE = {"epsilons": True, "acceptor": False}


def used(every):
    """The arcs, starts and finals that paths use."""
    arcs = {a for p in every for a in p.arcs}
    return arcs, {p.start for p in every}, {p.final for p in every}


def kept(graph, pruned):
    """The arcs of the graph that are kept, and the number of starts and finals."""
    arcs = pruned.sources[0].index.tolist()
    assert arcs == sorted(arcs)
    assert pruned.ilabels.tolist() == graph.ilabels[arcs].tolist()
    assert torch.equal(pruned.penalties, graph.penalties[arcs])
    assert pruned.topology.is_connected
    return set(arcs), len(pruned.starts), len(pruned.finals)


def assert_as_enumerated(graph, beam):
    every = paths(graph)
    pruned = gtn.prune(graph, beam=beam)
    if not every:
        assert (pruned.num_nodes, pruned.num_arcs) == (0, 0)
        return
    best = min(p.penalty for p in every)
    good = [p for p in every if p.penalty <= best + beam]
    arcs, starts, finals = used(good)
    assert kept(graph, pruned) == (arcs, len(starts), len(finals))
    assert gtn.viterbi_penalty(pruned).item() == best
    # No path is left that the graph did not have.
    left = [p.penalty for p in paths(pruned)]
    assert len(left) >= len(good)
    assert {p.penalty for p in good} <= set(left)


@pytest.mark.parametrize("beam", [0.0, 1.0, 8.0, math.inf])
def test_a_beam_keeps_what_lies_on_a_good_path(beam):
    for graph in random_graphs(250, 9, infinite=True, max_nodes=5, max_arcs=8, most=16):
        assert_as_enumerated(graph, beam)


@given(
    graphs(acyclic=False, negative=False, infinite=True, max_nodes=4, max_arcs=6, **FREE),
    st.sampled_from([0, 2, 30]),
)
@settings(max_examples=60)
def test_a_beam_on_graphs_with_cycles_keeps_the_good_paths(graph, beam):
    pruned = gtn.prune(graph, beam=beam)
    best = gtn.viterbi_penalty(graph)
    assert gtn.viterbi_penalty(pruned) == best
    every = paths(graph, 4)
    arcs, *_ = used([p for p in every if p.penalty <= best.item() + beam])
    left, *_ = kept(graph, pruned)
    assert arcs <= left
    # Every arc that is kept lies on a path within the beam: the best way to it and on from it.
    for arc in left:
        through = (
            gtn.shortest_distance(graph, semiring="tropical")[graph.src[arc]]
            + graph.penalties[arc]
            + gtn.shortest_distance(graph, "backward", "tropical")[graph.dst[arc]]
        )
        assert through <= best + beam


@given(graphs(penalties=exact_penalties(-3, 3), **FREE), st.sampled_from([0.01, 0.2, 0.5, 0.9]))
@settings(max_examples=80)
def test_a_posterior_keeps_what_is_used_often(graph, posterior):
    pruned = gtn.prune(graph, posterior=posterior)
    often = set(torch.nonzero(gtn.arc_posteriors(graph) > posterior - 1e-9).flatten().tolist())
    left, *_ = kept(graph, pruned)
    assert left <= often
    assert {p.arcs for p in paths(pruned)} or not left
    if posterior < 0.5 / max(1, len(paths(graph))):
        best = gtn.viterbi_path(graph)
        assert set(best.sources[0].index.tolist()) <= left


def test_posteriors_of_cycles_are_expected_uses():
    arcs = [(0, 0, 1, 0.1), (0, 1, 2, 1.0), (0, 1, 3, 4.0)]
    pruned = gtn.prune(gtn.Graph.from_arcs(arcs, final=1), posterior=0.5)
    assert pruned.ilabels.tolist() == [1, 2]


@given(batches(max_graphs=4, **FREE), st.sampled_from([0, 2, 30]))
@settings(max_examples=40)
def test_a_batch_is_pruned_graph_by_graph(batch, beam):
    pruned = gtn.prune(batch, beam=beam)
    assert len(pruned) == len(batch)
    for one, own in zip(batch, pruned):
        alone = gtn.prune(one, beam=beam)
        assert alone.src.tolist() == own.src.tolist()
        assert alone.dst.tolist() == own.dst.tolist()
        assert torch.equal(alone.penalties, own.penalties)
        assert alone.starts.tolist() == own.starts.tolist()
        assert torch.equal(alone.final_penalties, own.final_penalties)


def test_gradients_and_data_follow():
    p = torch.tensor([1.0, 2.0, 9.0, 0.5], requires_grad=True)
    graph = gtn.Graph.from_arcs(
        [(0, 1, "a"), (0, 1, "b"), (0, 1, "c"), (1, 2, "d")], final={2: 0.25}
    ).with_data(row=np.arange(4))
    for options in ({"beam": 3.0}, {"posterior": 0.05}):
        pruned = gtn.prune(graph.with_penalties(p), **options)
        assert pruned.data.column("row").values().tolist() == [0, 1, 3]
        assert [pruned.symbol_pair(a) for a in range(3)] == ["a", "b", "d"]
        assert pruned.final_penalties.tolist() == [0.25]
        (gradient,) = torch.autograd.grad(gtn.forward_penalty(pruned), p)
        share = 1 / (1 + math.exp(-1))
        torch.testing.assert_close(gradient, torch.tensor([share, 1 - share, 0, 1]))


def test_equal_paths_survive_a_beam_of_zero_however_they_round():
    rng = np.random.default_rng(0)
    steps = torch.from_numpy(rng.uniform(-1e3, 1e3, 3000))
    src = np.repeat(np.arange(3000), 2)
    graph = gtn.from_arrays(src, src + 1, np.arange(6000), penalties=steps.repeat_interleave(2),
                            final=3000)  # fmt: skip
    assert gtn.prune(graph, beam=0).num_arcs == 6000


def test_equally_frequent_arcs_survive_their_own_posterior_however_it_rounds():
    rng = torch.Generator().manual_seed(0)
    for classes in (2, 3, 7):
        steps = torch.randn(20, 1, generator=rng, dtype=torch.float64)
        lattice = gtn.linear(steps.expand(20, classes))
        assert gtn.prune(lattice, posterior=1 / classes).num_arcs == 20 * classes
        assert gtn.prune(lattice, posterior=1.001 / classes).num_arcs == 0


def test_cycles_off_all_paths_do_not_matter_and_others_are_named():
    arcs = [(0, 1, 1, 1.0), (0, 2, 1, 0.0), (2, 2, 1, -1.0)]
    graph = gtn.Graph.from_arcs(arcs, final=1)
    for options in ({"beam": 3.0}, {"posterior": 0.5}):
        assert gtn.prune(graph, **options).num_arcs == 1
    graph = gtn.Graph.from_arcs([*arcs, (2, 1, 1, 0.0)], final=1)
    with pytest.raises(NegativeCycleError, match="-1"):
        gtn.prune(graph, beam=1.0)
    with pytest.raises(DivergentGraphError):
        gtn.prune(graph, posterior=0.5)


def test_wrong_arguments_say_what_is_right():
    graph = gtn.string([1])
    for options in ({}, {"beam": 1.0, "posterior": 0.5}):
        with pytest.raises(GraphError, match="exactly one"):
            gtn.prune(graph, **options)
    with pytest.raises(GraphError, match="a graph is needed, not str"):
        gtn.prune("ab", beam=1.0)
    with pytest.raises(GraphError, match="0 or more nats"):
        gtn.prune(graph, beam=-1.0)
    for posterior in (0.0, math.nan):
        with pytest.raises(GraphError, match=f"posterior={posterior!r}; .*> 0"):
            gtn.prune(graph, posterior=posterior)
    for posterior in ("0.5", True):
        with pytest.raises(TypeError, match=f"posterior={posterior!r}; it is a number"):
            gtn.prune(graph, posterior=posterior)


@pytest.mark.parametrize("options", [{"beam": 1.0}, {"posterior": 0.1}])
def test_bad_penalties_are_named_by_their_own_numbers(options):
    arcs = [(0, 2, 0, 0.1), (0, 0, 0, math.inf), (0, 1, 1, 1.0), (1, 1, 1, 9.0)]
    for part, named in (("penalties", "arc 2"), ("start_penalties", "start 1"),
                        ("final_penalties", "final 1")):  # fmt: skip
        graph = gtn.Graph.from_arcs(arcs, start=[0, 2], final=[0, 1])
        getattr(graph, part)[int(named[-1])] = math.nan
        with pytest.raises(gtn.GraphError, match=f"{named} has penalty nan"):
            gtn.prune(graph, **options)


@pytest.mark.parametrize("huge", [1e12, 1e20, 1e30])
def test_what_is_far_beyond_the_beam_does_not_widen_it(huge):
    """Tolerances depend on the distances that count, and on those of the same graph only."""
    arcs = [(0, 1, 0, 1.0), (0, 1, 1, 2.2), (0, 1, 2, 1.5)]
    graph = gtn.Graph.from_arcs([*arcs, (0, 1, 3, huge)], final=1).double()
    assert gtn.prune(graph, beam=1.0).ilabels.tolist() == [0, 2]
    other = gtn.Graph.from_arcs([(0, 1, 0, huge)], final=1).double()
    batch = gtn.GraphBatch.from_graphs([gtn.Graph.from_arcs(arcs, final=1).double(), other])
    assert gtn.prune(batch, beam=1.0)[0].ilabels.tolist() == [0, 2]


def test_long_sums_of_equal_penalties_keep_the_best_path():
    for penalty in (0.7, 0.9, 2.3):  # sums of which drift, up or down
        chain = gtn.linear(torch.full((100_000, 1), penalty, dtype=torch.float64))
        assert gtn.prune(chain, beam=0.0).num_arcs == 100_000


def test_large_distances_that_cancel_do_not_drop_the_best_path():
    rng = np.random.default_rng(0)
    for _ in range(50):
        first, second = rng.uniform(1e5, 1e7, 2)
        penalties = [0.1, first, second, -first, -second, 0.7]
        chain = gtn.linear(torch.tensor(penalties, dtype=torch.float64)[:, None])
        assert gtn.prune(chain, beam=0.0).num_arcs == len(penalties)
