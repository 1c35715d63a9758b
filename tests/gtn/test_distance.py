"""Shortest distances, both ways and in both semirings, are those of Kleene's algorithm, OpenFst."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import gtn
from gtn.errors import CyclicGraphError, DivergentGraphError, GraphError, NegativeCycleError
from gtn.kernels import scoring
from gtn.paths import ways
from gtn.testing import (
    assert_derivatives,
    batches,
    distances_by_closure,
    exact_penalties,
    graphs,
    paths,
)
from gtn.testing.openfst import random_graphs, to_openfst

WAYS = [(d, s) for d in ("forward", "backward") for s in ("log", "tropical")]
FREE = {"epsilons": True, "acceptor": False}
inf = math.inf


def assert_close(found, expected, tolerance=1e-9):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def assert_exact(graph):
    """Check all distances against the oracle; return how many of the four exist."""
    count = 0
    for direction, semiring in WAYS:
        refusal = DivergentGraphError if semiring == "log" else NegativeCycleError
        try:
            expected = distances_by_closure(graph, direction, semiring)
        except CyclicGraphError:
            with pytest.raises(refusal):
                gtn.shortest_distance(graph, direction, semiring)
        else:
            assert_close(gtn.shortest_distance(graph, direction, semiring), expected)
            count += 1
    return count


def test_two_ways_to_a_node():
    graph = gtn.Graph.from_arcs(
        [(0, 1, 7, 1.0), (0, 2, 8, 0.5), (2, 1, 9, 0.25), (3, 1, 9, 0.0)],
        start={0: 0.5},
        final={1: 2.0},
        dtype=torch.float64,
    )
    both = 0.5 - math.log(math.exp(-1) + math.exp(-0.75))
    assert_close(gtn.shortest_distance(graph), [0.5, both, 1.0, inf])
    assert_close(gtn.shortest_distance(graph, semiring="tropical"), [0.5, 1.25, 1.0, inf])
    assert_close(gtn.shortest_distance(graph, "backward", "tropical"), [2.75, 2.0, 2.25, 2.0])


@pytest.mark.parametrize("acyclic", [True, False])
def test_hundreds_of_random_graphs(acyclic):
    drawn = random_graphs(
        600, 1, acyclic=acyclic, infinite=True, max_nodes=6, max_arcs=10, least=0, most=4
    )
    count = sum(assert_exact(graph) for graph in drawn)
    assert count == 2400 if acyclic else 1500 < count < 2400


@given(graphs(acyclic=False, infinite=True, penalties=exact_penalties(-3, 5), **FREE))
@settings(max_examples=60)
def test_negative_penalties_and_cycles(graph):
    assert_exact(graph)


@given(batches(acyclic=False, negative=False, max_graphs=4, **FREE))
@settings(max_examples=40)
def test_a_batch_has_the_distances_of_its_graphs(batch):
    for direction in ("forward", "backward"):
        found = gtn.shortest_distance(batch, direction, "tropical")
        each = [gtn.shortest_distance(one, direction, "tropical") for one in batch]
        assert torch.equal(found, torch.cat(each))


@given(graphs(acyclic=False, penalties=exact_penalties(2.1, 8, infinite=True), **FREE))
@settings(max_examples=60)
def test_distances_meet_in_the_scores_of_the_graph(graph):
    ends = torch.from_numpy(graph.finals.astype(np.int64))
    ways = gtn.shortest_distance(graph).index_select(0, ends) + graph.final_penalties
    assert_close(-torch.logsumexp(-ways, 0), gtn.forward_penalty(graph))
    starts = torch.from_numpy(graph.starts.astype(np.int64))
    back = gtn.shortest_distance(graph, "backward", "tropical").index_select(0, starts)
    least = (back + graph.start_penalties).min() if len(starts) else torch.tensor(inf)
    assert_close(least.double(), gtn.viterbi_penalty(graph))


# -- derivatives -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("direction", "semiring"), WAYS)
@pytest.mark.parametrize("acyclic", [True, False])
def test_derivatives_to_second_order(direction, semiring, acyclic):
    least = -4.0 if acyclic else 2.5
    drawn = random_graphs(40, 2, acyclic=acyclic, infinite=True, least=least, max_nodes=5)
    rng = np.random.default_rng(3)
    for graph in [g for g in drawn if g.num_arcs > 2][:6]:
        off_ties = graph.penalties + torch.from_numpy(rng.uniform(0, 0.1, graph.num_arcs))
        distance = partial(gtn.shortest_distance, direction=direction, semiring=semiring)
        assert_derivatives(distance, graph.with_penalties(off_ties))


def test_unreachable_nodes_have_gradient_zero():
    arcs = [(0, 1, 1, 1.0), (2, 1, 1, 1.0), (1, 3, 1, inf), (3, 4, 1, 1.0), (4, 3, 1, 1.0)]
    for semiring in ("log", "tropical"):
        p = torch.tensor([a[3] for a in arcs], requires_grad=True)
        graph = gtn.Graph.from_arcs(arcs, final=1).with_penalties(p)
        found = gtn.shortest_distance(graph, semiring=semiring)
        assert found.tolist() == [0, 1, inf, inf, inf]
        (gradient,) = torch.autograd.grad(found.sum(), p)
        assert gradient.tolist() == [1, 0, 0, 0, 0]
        assert gtn.shortest_distance(graph, "backward", semiring).tolist() == [1, 0, 1, inf, inf]


def test_tropical_gradient_goes_along_one_tree_of_the_lowest_arcs():
    arcs = [(0, 1, 1, 1.0), (0, 1, 1, 1.0), (0, 2, 1, 0.5), (2, 1, 1, 0.5), (1, 3, 1, 0.0)]
    for extra in ([], [(3, 3, 1, 1.0)]):
        p = torch.tensor([a[3] for a in arcs + extra], requires_grad=True)
        graph = gtn.Graph.from_arcs(arcs + extra, final=3).with_penalties(p)
        upstream = torch.tensor([8.0, 4.0, 2.0, 1.0])
        found = gtn.shortest_distance(graph, semiring="tropical")
        assert found.tolist() == [0, 1, 0.5, 1]
        (gradient,) = torch.autograd.grad(found, p, upstream)
        assert gradient.tolist()[:5] == [5, 0, 2, 0, 1]


@given(graphs(penalties=exact_penalties(-3, 3)))
@settings(max_examples=60)
def test_tropical_gradient_is_the_best_path(graph):
    found = paths(graph)
    if not found:
        return
    p = graph.penalties.clone().requires_grad_()
    g = graph.with_penalties(p)
    ends = torch.from_numpy(graph.finals.astype(np.int64))
    ways = gtn.shortest_distance(g, semiring="tropical").index_select(0, ends) + g.final_penalties
    (gradient,) = torch.autograd.grad(ways[int(ways.argmin())], p, allow_unused=True)
    expected = torch.zeros(graph.num_arcs)
    expected[gtn.viterbi_path(graph).sources[0].index.tolist()] = 1
    assert gradient.tolist() == expected.tolist()


# -- what counts, errors, types ------------------------------------------------------------------


def test_every_node_that_can_be_reached_counts_though_it_lead_nowhere():
    arcs = [(0, 1, 1, 1.0), (0, 2, 1, 0.0), (2, 2, 1, -1.0), (3, 3, 1, -1.0), (3, 1, 1, 0.0)]
    graph = gtn.Graph.from_arcs(arcs, final=1)
    assert gtn.forward_penalty(graph) == 1
    with pytest.raises(DivergentGraphError, match=r"node 2 \(arcs 2\)"):
        gtn.shortest_distance(graph)
    with pytest.raises(NegativeCycleError, match=r"-1.*nodes 2 -> 2 \(arcs 2\)"):
        gtn.shortest_distance(graph, semiring="tropical")
    with pytest.raises(DivergentGraphError, match=r"node 3 \(arcs 3\)"):
        gtn.shortest_distance(graph, "backward")


def test_a_negative_cycle_is_told_in_its_own_direction():
    arcs = [(0, 1, 1, 0.0), (1, 2, 1, -1.0), (2, 3, 1, 0.0), (3, 1, 1, 0.5)]
    for direction in ("forward", "backward"):
        with pytest.raises(NegativeCycleError, match=r"-0\.5") as error:
            gtn.shortest_distance(gtn.Graph.from_arcs(arcs, final=3), direction, "tropical")
        nodes = str(error.value).split("nodes ")[1].split(" (")[0].split(" -> ")
        steps = {(str(s), str(d)) for s, d, *_ in arcs}
        assert set(pairwise(nodes)) <= steps


def test_wrong_arguments_say_what_is_right():
    graph = gtn.string([1])
    with pytest.raises(GraphError, match="'forward' or 'backward'"):
        gtn.shortest_distance(graph, "back")
    with pytest.raises(GraphError, match="'log' or 'tropical'"):
        gtn.shortest_distance(graph, semiring="real")


@pytest.mark.parametrize("bad", [math.nan, -inf])
@pytest.mark.parametrize("cyclic", [False, True])
def test_bad_penalties_are_named(bad, cyclic):
    graph = gtn.Graph.from_arcs([(0, 1, 1), (1, 2, 2)] + [(2, 1, 1)] * cyclic, final=2)
    graph.penalties[1] = bad
    for direction, semiring in WAYS:
        with pytest.raises(GraphError, match=r"^arc 1 has penalty"):
            gtn.shortest_distance(graph, direction, semiring)


def test_dtype_and_empty_graphs():
    assert gtn.shortest_distance(gtn.linear(torch.zeros(3, 2))).dtype == torch.float32
    for direction, semiring in WAYS:
        assert gtn.shortest_distance(gtn.empty(), direction, semiring).shape == (0,)
        nothing = gtn.Graph.from_arcs([(0, 1, 1)], start=[], final=[])
        assert gtn.shortest_distance(nothing, direction, semiring).tolist() == [inf, inf]


# -- OpenFst -------------------------------------------------------------------------------------


@pytest.mark.parametrize("semiring", ["log", "tropical"])
@pytest.mark.parametrize(("acyclic", "least"), [(True, -4.0), (False, 2.5)])
def test_distances_are_those_of_openfst(semiring, acyclic, least):
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    drawn = random_graphs(1000, 7, acyclic=acyclic, infinite=True, max_starts=1, least=least)
    found = gtn.shortest_distance(drawn, semiring=semiring)
    ahead = gtn.shortest_distance(drawn, "backward", semiring)
    compared = 0
    for graph, low in zip(drawn, drawn.topology.node_offsets):
        fst = to_openfst(graph, "log64" if semiring == "log" else "tropical")
        precision = {"delta": 1e-13} if semiring == "log" else {}
        for reverse, ours in ((False, found), (True, ahead)):
            theirs = pynini.shortestdistance(fst, reverse=reverse, **precision)
            own = ours[low : low + graph.num_nodes].numpy()
            both = np.array([*map(float, theirs), *[inf] * graph.num_nodes])[: graph.num_nodes]
            if fst.num_states() == 0:  # OpenFst has no machine without a start
                continue
            compared += 1
            # OpenFst's text has nine digits, enough for a float32.
            if semiring == "tropical":
                assert own.tolist() == both.astype(np.float32).tolist()
            else:
                np.testing.assert_allclose(own, both, rtol=6e-9, atol=1e-8)
    assert compared > 1500


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_cycle_in_one_graph_of_a_batch_is_searched_alone(direction, monkeypatch):
    searched = []
    kept = gtn.paths.ways.kernels.shortest_from

    def recorded(allowed, *given):
        searched.extend(np.flatnonzero(allowed).tolist())
        return kept(allowed, *given)

    # Node 3 of the graph with a cycle lies on no path but still has a distance.
    cyclic = gtn.from_arcs([(0, 1, 1, 0.25), (1, 0, 2, 0.5), (1, 2, 3), (1, 3, 4, 2.0)], final=2)
    graphs = [gtn.linear(torch.rand(3, 2)), cyclic, gtn.empty(), gtn.string([7, 8])]
    alone = [gtn.shortest_distance(graph, direction, "tropical") for graph in graphs]
    monkeypatch.setattr("gtn.paths.ways.kernels.shortest_from", recorded)
    batch = gtn.GraphBatch.from_graphs(graphs)
    assert torch.equal(gtn.shortest_distance(batch, direction, "tropical"), torch.cat(alone))
    assert searched == [4, 5, 6, 7]


def better_each_time(length):
    """Return a graph with a cycle in which a queue finds a shorter way to each node many times."""
    nodes = np.arange(length)
    return gtn.from_arrays(
        np.concatenate((0 * nodes, nodes, [length])),
        np.concatenate((length - nodes, nodes + 1, [0])),
        np.zeros(2 * length + 1, dtype=np.int32),
        penalties=torch.cat((2.0 * torch.arange(length, 0, -1), torch.ones(length + 1))).double(),
        final=length,
    )


def test_a_component_without_negative_penalties_is_walked_once(monkeypatch):
    class Counted(np.ndarray):
        read = 0

        def __getitem__(self, key):
            type(self).read += 1
            return super().__getitem__(key)

    def counted(*given):
        *others, penalties, best, entry, room, places = given
        original(*others, penalties.view(Counted), best, entry, room, places)

    graph = better_each_time(300)
    original = scoring._by_heap.py_func
    monkeypatch.setattr(scoring, "_by_heap", counted)
    monkeypatch.setattr(scoring, "_by_queue", None)
    monkeypatch.setattr(ways.kernels, "shortest_from", scoring.shortest_from.py_func)
    for direction, expected in (("forward", range(301)), ("backward", range(300, -1, -1))):
        Counted.read = 0
        found = gtn.shortest_distance(graph, direction, "tropical")
        assert found.tolist() == list(expected)
        assert Counted.read == graph.num_arcs


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_negative_penalties_of_one_component_leave_the_others(direction):
    """Potentials make penalties negative and shift distances as much, but no cycle changes."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        count = int(rng.integers(2, 40))
        src, dst = rng.integers(0, count, (2, 3 * count))
        src, dst = src % 7 + src // 7 * 7, np.maximum(dst, src // 7 * 7)  # in steps of seven
        penalties = torch.from_numpy(rng.integers(0, 9, len(src)) / 4)
        height = torch.from_numpy(np.where(rng.random() < 0.5, 0, rng.integers(-8, 9, count)) / 4)
        height = torch.where(torch.arange(count) // 7 % 2 == 1, height, 0.0)
        given = {"start": [0], "final": [count - 1], "num_nodes": count}
        plain = gtn.from_arrays(src, dst, 0 * src, penalties=penalties, **given)
        lifted = plain.with_penalties(penalties + height[src] - height[dst])
        one, other = (
            gtn.shortest_distance(graph, direction, "tropical") for graph in (plain, lifted)
        )
        ends = height[0] - height if direction == "forward" else height - height[count - 1]
        assert torch.equal(other, one + ends)
        best = gtn.viterbi_penalty(lifted)
        assert best == gtn.viterbi_penalty(plain) + height[0] - height[-1]


def test_a_cycle_in_one_graph_of_a_batch_changes_no_distance_of_another():
    """A search takes ways that differ by less than rounding as equal; a single pass does not."""
    size = 2.0**40
    arcs = [(0, 1, 7, 0.25), (0, 1, 8)]
    graph = gtn.Graph.from_arcs(arcs, start={0: size}, final={1: size}, dtype=torch.float64)
    loop = gtn.Graph.from_arcs([(0, 0, 7, 1.0)], final=0, dtype=torch.float64)
    batch = gtn.GraphBatch.from_graphs([graph, loop, graph])
    for direction in ("forward", "backward"):
        alone = gtn.shortest_distance(graph, direction, "tropical").tolist()
        found = gtn.shortest_distance(batch, direction, "tropical").tolist()
        assert alone == [size, size]
        assert found == [*alone, 0.0, *alone]
    assert (gtn.push(batch, "final", semiring="tropical").penalties >= 0).all()


@pytest.mark.parametrize("verb", [gtn.viterbi_penalty, gtn.viterbi_path, gtn.n_best])
@pytest.mark.parametrize("arc", [0, 1])
@pytest.mark.parametrize("more", [[], [(1, 1, 0, 1.0)]])
def test_bad_penalties_are_named_from_the_first_arc_on(verb, arc, more):
    graph = gtn.Graph.from_arcs([(0, 1, 0, 1.0), (1, 2, 0, 1.0), *more], final=2)
    graph.penalties[arc] = math.nan
    with pytest.raises(gtn.GraphError, match=f"arc {arc} has penalty nan"):
        verb(graph) if verb is not gtn.n_best else verb(graph, 2)
