"""Emissions against graphs, frame by frame, give what the product gives, whose paths are listed."""

import math
import os
import warnings
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn import dense
from gtn.errors import CyclicGraphError, DivergentGraphError, GraphError, NegativeCycleError
from gtn.testing import (
    exact_penalties,
    forward_penalty_by_enumeration,
    graphs,
    paths,
    viterbi_by_enumeration,
)

NEAR = exact_penalties(-3, 3, infinite=True)
FREE = {"epsilons": True, "acceptor": False}
ACYCLIC = graphs(penalties=NEAR, **FREE)
LOOPED = graphs(penalties=NEAR, acyclic=False, acceptor=False)
ANY = st.one_of(ACYCLIC, LOOPED)
NODES = 3


def matrices(most=3, classes=3, penalties=NEAR):
    """Emissions of up to ``frames`` frames."""
    row = st.lists(penalties, min_size=classes, max_size=classes)
    return st.lists(row, max_size=most).map(
        lambda rows: torch.tensor(rows, dtype=torch.float64).reshape(-1, classes)
    )


SOME = st.one_of(matrices(), matrices(classes=4))  # for graphs that read three labels


def leaves(*tensors):
    return [t.detach().clone().requires_grad_() for t in tensors]


def with_leaves(graph):
    given = leaves(graph.penalties, graph.start_penalties, graph.final_penalties)
    return graph.with_penalties(given[0], start_penalties=given[1], final_penalties=given[2]), given


def product(emissions, graph):
    return gtn.compose(gtn.linear(emissions), graph.with_symbols(None))


def assert_close(found, expected, atol=1e-9):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.detach().double(), expected, rtol=1e-11, atol=atol)


def random_graph(seed, nodes=NODES, arcs=10, epsilons=True, classes=3):
    """A graph with everything but epsilon cycles, and with penalties in general position."""
    rng = np.random.default_rng(seed)
    src, dst = rng.integers(0, nodes, (2, arcs))
    labels = rng.integers(0, classes, arcs)
    forward = (src < dst) & (rng.random(arcs) < 0.4) & epsilons
    labels[forward] = gtn.EPSILON
    return gtn.from_arrays(
        src, dst, labels, penalties=rng.normal(size=arcs), num_nodes=nodes,
        start={0: 0.25, 1: -0.5}, final={1: 0.75, nodes - 1: 0.125},
    )  # fmt: skip


# -- one problem ---------------------------------------------------------------------------------


@given(SOME, ANY)
@settings(max_examples=150)
def test_penalties_are_those_of_all_paths(emissions, graph):
    whole = product(emissions, graph)
    assert_close(dense.forward_penalty(emissions, graph), forward_penalty_by_enumeration(whole))
    assert dense.viterbi_penalty(emissions, graph) == viterbi_by_enumeration(whole)


@given(matrices(), ANY)
@settings(max_examples=150)
def test_gradients_are_those_of_the_product(emissions, graph):
    graph, given = with_leaves(graph)
    inputs = [*leaves(emissions), *given]
    for ours, theirs in (
        (dense.forward_penalty, gtn.forward_penalty),
        (dense.viterbi_penalty, gtn.viterbi_penalty),
    ):
        if ours is dense.viterbi_penalty and not unique_best(emissions, graph):
            continue
        pair = ours(inputs[0], graph), theirs(product(inputs[0], graph))
        found, expected = (
            torch.autograd.grad(2.5 * value, inputs, allow_unused=True) for value in pair
        )
        for one, two, leaf in zip(found, expected, inputs):
            zeros = torch.zeros_like(leaf)
            assert_close(zeros if one is None else one, zeros if two is None else two)


def unique_best(emissions, graph):
    penalties = sorted(p.penalty for p in paths(product(emissions.detach(), graph.detach())))
    return len(penalties) < 2 or penalties[1] > penalties[0]


@given(SOME, ANY)
@settings(max_examples=100)
def test_posteriors_are_those_of_the_product(emissions, graph):
    whole = product(emissions, graph)
    each = gtn.arc_posteriors(whole)
    frames, arcs = (torch.from_numpy(s.index.astype(np.int64)) for s in whole.sources)
    of_frames = torch.zeros(emissions.numel(), dtype=torch.float64)
    of_frames.index_add_(0, frames[frames >= 0], each[frames >= 0])
    found = dense.posteriors(emissions, graph)
    assert_close(found, of_frames.reshape(emissions.shape))
    of_arcs = torch.zeros(graph.num_arcs, dtype=torch.float64)
    assert_close(dense.arc_posteriors(emissions, graph), of_arcs.index_add(0, arcs, each))
    feasible = dense.forward_penalty(emissions, graph).isfinite()
    assert_close(found.sum(1), torch.full((len(emissions),), float(feasible)))


@given(matrices(), ANY)
@settings(max_examples=100)
def test_the_best_path_is_one_of_the_product(emissions, graph):
    path = dense.viterbi_path(emissions, graph)
    best = dense.viterbi_penalty(emissions, graph)
    where = dense.alignment(emissions, graph)
    if best == math.inf:
        assert path.num_nodes == 0
        assert (where.labels == -1).all()
        assert (where.arcs == -1).all()
        return
    total = path.penalties.sum() + path.start_penalties.sum() + path.final_penalties.sum()
    assert total == best
    frames, arcs = (s.index for s in path.sources)
    assert np.array_equal(path.ilabels, graph.ilabels[arcs])
    assert np.array_equal(path.olabels, graph.olabels[arcs])
    assert np.array_equal(graph.src[arcs[1:]], graph.dst[arcs[:-1]])
    reads = frames >= 0
    assert np.array_equal(reads, path.ilabels >= 0)
    assert np.array_equal(frames[reads] // 3, np.arange(len(emissions)))
    assert np.array_equal(frames[reads] % 3, path.ilabels[reads])
    assert where.labels.tolist() == path.ilabels[reads].tolist()
    assert where.arcs.tolist() == arcs[reads].tolist()


def test_ties_go_to_the_start_then_to_the_lowest_arc_and_final():
    twice = gtn.Graph.from_arcs([(0, 1, 0), (0, 1, 0), (1, 2, None), (0, 2, 0)], final=[1, 2])
    path = dense.viterbi_path(torch.zeros(1, 1), twice)
    assert path.sources[1].index.tolist() == [0]
    either = gtn.Graph.from_arcs([(0, 1, None), (1, 1, 0)], start=[0, 1], final=1)
    assert dense.viterbi_path(torch.zeros(1, 1), either).sources[1].index.tolist() == [1]
    late = gtn.Graph.from_arcs([(0, 1, None), (1, 2, 0), (0, 2, 0)], final=2)
    assert dense.viterbi_path(torch.zeros(1, 1), late).sources[1].index.tolist() == [0, 1]


def preferred(emissions, graph):
    """Return the arcs of the best path; ties go to starting at a node, then to the lowest arc."""
    starts = dict(zip(graph.starts.tolist(), graph.start_penalties.tolist()))

    @cache
    def ways(t, node):
        """(penalty, arc) of each way into a node after t frames; arc -1: the path starts there."""
        found = [(starts.get(node, math.inf), -1)] if t == 0 else []
        for arc in np.flatnonzero(graph.dst == node).tolist():
            label, penalty = int(graph.ilabels[arc]), graph.penalties[arc].item()
            if label >= 0 and t == 0:
                continue
            if label >= 0:
                penalty += emissions[t - 1, label].item()
            before = min(ways(t - (label >= 0), int(graph.src[arc])), default=(math.inf, -1))
            found.append((before[0] + penalty, arc))
        return found

    t, arcs = len(emissions), []
    ends = zip(graph.final_penalties.tolist(), graph.finals.tolist())
    ends = [(min(ways(t, n), default=(math.inf, -1))[0] + p, n) for p, n in ends]
    total, node = min(ends, default=(math.inf, -1))
    while total < math.inf:
        arc = min(ways(t, node))[1]
        if arc < 0:
            break
        arcs.insert(0, arc)
        t, node = t - int(graph.ilabels[arc] >= 0), int(graph.src[arc])
    return total, arcs


def test_of_equally_good_paths_each_node_has_its_rule():
    rng, feasible = np.random.default_rng(0), 0
    for seed in range(100):
        graph = random_graph(seed, nodes=5, arcs=14, classes=2)
        graph = graph.with_penalties(
            torch.from_numpy(rng.choice([0.0, 1.0, math.inf], 14, p=[0.6, 0.3, 0.1])),
            start_penalties=torch.zeros(2, dtype=torch.float64),
            final_penalties=torch.zeros(2, dtype=torch.float64),
        )
        emissions = torch.from_numpy(rng.integers(0, 2, (3, 2)).astype(np.float64))
        total, arcs = preferred(emissions, graph)
        feasible += total < math.inf
        assert dense.viterbi_penalty(emissions, graph) == total
        found = dense.viterbi_path(emissions, graph)
        assert found.sources[1].index.tolist() == arcs
        where = dense.alignment(emissions, graph).arcs
        assert where[where >= 0].tolist() == [arc for arc in arcs if graph.ilabels[arc] >= 0]
    assert feasible > 60


def test_the_best_path_keeps_symbols_and_data_and_is_differentiable():
    graph = gtn.Graph.from_arcs([(0, 0, "a"), (0, 1, "b", 0.5), (1, 2, None, 0.25)], final=2,
                                data={"x": np.arange(3.0)}, dtype=torch.float64)  # fmt: skip
    emissions = torch.tensor([[0.0, 1.0], [2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    path = dense.viterbi_path(emissions, graph)
    assert gtn.path_text(path) == "ab"
    assert path.data["x"].tolist() == [0, 1, 2]
    assert path.penalties.tolist() == [0.0, 3.5, 0.25]
    assert [source.index.tolist() for source in path.sources] == [[0, 3, -1], [0, 1, 2]]
    path.penalties[1].backward()
    assert emissions.grad.tolist() == [[0, 0], [0, 1]]


# -- batches -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(matrices(most=3), ANY), min_size=1, max_size=4), st.booleans())
@settings(max_examples=60)
def test_a_batch_is_its_problems(problems, shared):
    lengths = [len(e) for e, _ in problems]
    most = max(lengths) + 1
    emissions = torch.stack(
        [torch.cat((e, torch.full((most - len(e), 3), math.nan))) for e, _ in problems]
    ).double()
    each = [problems[0][1]] * len(problems) if shared else [g for _, g in problems]
    graph, given = with_leaves(each[0] if shared else gtn.GraphBatch.from_graphs(each))
    inputs = [*leaves(emissions), *given]
    upstream = torch.linspace(-2, 3, len(problems), dtype=torch.float64)
    value = dense.forward_penalty(inputs[0], graph, lengths=lengths)
    posteriors = dense.posteriors(emissions, graph, lengths=torch.tensor(lengths))
    best = dense.viterbi_penalty(emissions, graph, lengths=np.array(lengths))
    where = dense.alignment(emissions, graph, lengths=lengths)
    chains = dense.viterbi_path(emissions, graph, lengths=lengths)
    found = torch.autograd.grad(torch.where(value.isfinite(), value, 0.0) @ upstream, inputs)
    of_arcs = []
    for b, ((rows, _), one) in enumerate(zip(problems, each)):
        alone, parts = with_leaves(one)
        own = [*leaves(rows), *parts]
        single = dense.forward_penalty(own[0], alone)
        assert torch.equal(value[b], single)
        assert torch.equal(posteriors[b, : len(rows)], dense.posteriors(rows, one))
        assert torch.equal(posteriors[b, len(rows) :], torch.zeros(most - len(rows), 3).double())
        assert torch.equal(best[b], dense.viterbi_penalty(rows, one))
        own_arcs = dense.alignment(rows, one).arcs
        before = 0 if shared else graph.topology.arc_offsets[b]
        assert torch.equal(where.arcs[b, : len(rows)], own_arcs + before * (own_arcs >= 0))
        assert (where.labels[b, len(rows) :] == -1).all()
        assert chains[b].penalties.tolist() == dense.viterbi_path(rows, one).penalties.tolist()
        gradients = torch.autograd.grad(single * upstream[b], own)
        assert torch.equal(found[0][b, : len(rows)], gradients[0])
        assert torch.equal(found[0][b, len(rows) :], torch.zeros(most - len(rows), 3).double())
        of_arcs.append(gradients[1])
    assert_close(found[1], sum(of_arcs) if shared else torch.cat(of_arcs), atol=1e-12)


def test_emissions_shared_by_a_batch_of_graphs():
    emissions = torch.randn(4, 3, dtype=torch.float64).requires_grad_()
    graphs = [random_graph(seed) for seed in range(3)]
    value = dense.forward_penalty(emissions, gtn.GraphBatch.from_graphs(graphs))
    alone = [dense.forward_penalty(emissions, g) for g in graphs]
    assert torch.equal(value, torch.stack(alone))
    found, expected = (torch.autograd.grad(v.sum(), emissions)[0] for v in (value, sum(alone)))
    assert_close(found, expected)


def test_arcs_of_problems_have_a_row_each_where_they_share_a_graph():
    either = gtn.from_arcs([(0, 0, 0), (0, 0, 1), (0, 0, 1, 1.0)], final=0)
    one = dense.arc_posteriors(torch.zeros(2, 2), either)
    assert one.shape == (3,)
    for count in (1, 3):
        shared = dense.arc_posteriors(torch.zeros(count, 2, 2), either)
        assert torch.equal(shared, one.expand(count, 3))
        batch = gtn.GraphBatch.from_graphs([either] * count)
        assert torch.equal(dense.arc_posteriors(torch.zeros(2, 2), batch), one.repeat(count))


def test_a_batch_of_no_problems():
    graph = random_graph(0)
    for batch in (graph, gtn.GraphBatch.from_graphs([graph])[:0]):
        emissions = torch.zeros(0, 4, 3).requires_grad_()
        value = dense.forward_penalty(emissions, batch)
        assert value.shape == (0,)
        value.sum().backward()
        assert dense.viterbi_penalty(emissions, batch).shape == (0,)
        assert dense.posteriors(emissions, batch).shape == (0, 4, 3)


def test_one_thread_and_many_give_the_same_bits():
    torch.manual_seed(0)
    emissions = torch.randn(13, 40, 5, dtype=torch.float64)
    lengths = torch.arange(28, 41)
    single = random_graph(1, nodes=6, arcs=60, classes=5)
    batch = gtn.GraphBatch.from_graphs([random_graph(s, 6, 60, classes=5) for s in range(13)])
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            found = []
            for graph in (single, batch):
                graph, given = with_leaves(graph)
                inputs = [*leaves(emissions), *given]
                value = dense.forward_penalty(inputs[0], graph, lengths=lengths)
                first = torch.autograd.grad(value.cos().sum(), inputs, create_graph=True)
                second = torch.autograd.grad(first[0].square().sum() + first[1].exp().sum(), inputs)
                best = dense.viterbi_path(emissions, graph, lengths=lengths)
                found += [value, *first, *second, best.penalties]
            results.append(found)
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_a_forked_process_makes_threads_of_its_own():
    before = torch.get_num_threads()
    emissions, graph = torch.randn(4, 5, 3), random_graph(2).float()
    try:
        torch.set_num_threads(2)
        expected = dense.forward_penalty(emissions, graph)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
            child = os.fork()
        if child == 0:
            same = torch.equal(dense.forward_penalty(emissions, graph), expected)
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(before)


# -- derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["one", "shared", "batch"])
def test_first_and_second_derivatives(seed, kind):
    torch.manual_seed(seed)
    count = 2 if kind != "one" else 1
    given = [random_graph(seed + 7 * i) for i in range(count)]
    graph = gtn.GraphBatch.from_graphs(given) if kind == "batch" else given[0]
    emissions = torch.randn(3, 3) if kind == "one" else torch.randn(2, 3, 3)
    lengths = None if kind == "one" else [3, 2]
    inputs = leaves(
        emissions.double(), graph.penalties, graph.start_penalties, graph.final_penalties
    )

    def made(arcs, starts, finals):
        return graph.with_penalties(arcs, start_penalties=starts, final_penalties=finals)

    def forward(rows, *parts):
        return dense.forward_penalty(rows, made(*parts), lengths=lengths)

    def both(rows, *parts):
        return (
            dense.posteriors(rows, made(*parts), lengths=lengths),
            dense.arc_posteriors(rows, made(*parts), lengths=lengths),
        )

    def best(rows, *parts):
        return dense.viterbi_penalty(rows, made(*parts), lengths=lengths)

    assert gradcheck(forward, inputs)
    assert gradgradcheck(forward, inputs)
    assert gradcheck(both, inputs)
    assert gradcheck(best, inputs)
    assert gradgradcheck(best, inputs)


def test_second_derivatives_beside_infinite_penalties_and_without_a_path():
    graph = gtn.Graph.from_arcs(
        [(0, 1, 0, 0.5), (0, 1, 1, math.inf), (1, 1, 2, 0.25), (1, 2, None, 1.0), (2, 2, 0)],
        final={2: 0.0, 1: math.inf}, start={0: 0.0, 1: math.inf}, dtype=torch.float64,
    )  # fmt: skip
    emissions = torch.tensor([[0.0, 1.0, math.inf], [math.inf, 2.0, 0.5]] * 2).double()
    for rows in (emissions, emissions[:1], torch.full((2, 3), math.inf).double()):
        g, given = with_leaves(graph)
        inputs = [*leaves(rows), *given]
        value = dense.forward_penalty(inputs[0], g)
        expected = gtn.forward_penalty(product(inputs[0], g))
        assert_close(value, expected)
        results = []
        for one in (value, expected):
            first = torch.autograd.grad(one, inputs, create_graph=True, allow_unused=True)
            total = sum(part.square().sum() for part in first if part is not None)
            second = torch.autograd.grad(total, inputs, allow_unused=True)
            results.append([torch.zeros(()) if p is None else p for p in (*first, *second)])
        for found, wanted in zip(*results):
            assert found.isfinite().all()
            assert_close(found, wanted.expand_as(found))


@pytest.mark.parametrize("kind", ["one", "shared", "batch"])
def test_third_derivatives(kind):
    count = 1 if kind == "one" else 2
    given = [random_graph(seed, arcs=5) for seed in range(count)]
    graph = gtn.GraphBatch.from_graphs(given) if kind == "batch" else given[0]
    emissions = torch.randn((2, 3) if kind == "one" else (2, 2, 3), dtype=torch.float64)
    inputs = leaves(emissions, graph.penalties, graph.start_penalties, graph.final_penalties)

    def slope(rows, arcs, starts, finals):
        made = graph.with_penalties(arcs, start_penalties=starts, final_penalties=finals)
        parts = (rows, arcs, starts, finals)
        value = dense.forward_penalty(rows, made, lengths=None if kind == "one" else [2, 1])
        first = torch.autograd.grad(value.exp().sum(), parts, create_graph=True)
        return sum(part.square().sum() for part in first)

    assert gradcheck(slope, inputs)
    assert gradgradcheck(slope, inputs)
    apart = [leaf.detach() for leaf in inputs[1:]]

    def spread(rows):
        made = graph.with_penalties(apart[0], start_penalties=apart[1], final_penalties=apart[2])
        return dense.arc_posteriors(rows, made).square().sum()

    assert gradgradcheck(spread, inputs[:1])


def assert_derivatives_agree(ours, theirs, inputs, orders=3):
    """Compare derivatives of each order; each is of a functional of those before it, so that every
    direction depends on the inputs."""
    for order in range(orders):
        alone = torch.autograd.grad(ours, inputs, retain_graph=True)
        parts = [torch.autograd.grad(one, inputs, create_graph=True) for one in (ours, theirs)]
        for found, lasting, expected in zip(alone, *parts, strict=True):
            assert found.isfinite().all()
            assert_close(found, expected, atol=1e-8)
            assert_close(lasting, expected, atol=1e-8)
        ours, theirs = (sum((part * (part + 1 + order)).sum() for part in each) for each in parts)


@given(matrices(), ANY)
@settings(max_examples=40)
def test_third_derivatives_are_those_of_the_product(emissions, graph):
    graph, given = with_leaves(graph)
    inputs = [*leaves(emissions), *given]
    value = dense.forward_penalty(inputs[0], graph)
    if value.isfinite():
        expected = gtn.forward_penalty(product(inputs[0], graph))
        assert_derivatives_agree(value.sin(), expected.sin(), inputs)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("lengths", [[3, 2, 1, 3], [3, 2, 0, 3], [0, 0, 0, 0]])
def test_third_derivatives_of_a_batch_are_those_of_its_products(lengths, shared):
    """This holds for all frames or some, beside problems without a path, where none has a path, and
    for penalties of the graph that are computed from the emissions."""
    torch.manual_seed(0)
    each = [random_graph(seed, arcs=6, epsilons=False) for seed in range(4)]
    graph = each[0] if shared else gtn.GraphBatch.from_graphs(each)
    emissions = torch.randn(4, 3, 3, dtype=torch.float64)
    emissions[3, 1] = math.inf
    starts, finals = (
        torch.where(torch.from_numpy(ends % 3 == k), 0.25, math.inf).double()
        for k, ends in enumerate((graph.starts, graph.finals))
    )
    inputs = leaves(emissions, graph.penalties, starts, finals)
    along = torch.linspace(-0.2, 0.3, graph.num_arcs, dtype=torch.float64)
    among = inputs[1] + inputs[0][0].square().mean() * along
    graph = graph.with_penalties(among, start_penalties=inputs[2], final_penalties=inputs[3])
    products = [
        product(inputs[0][b, :length], graph if shared else graph[b])
        for b, length in enumerate(lengths)
    ]
    both = (
        dense.forward_penalty(inputs[0], graph, lengths=lengths),
        torch.stack([gtn.forward_penalty(one) for one in products]),
    )
    assert_close(*both)
    assert torch.isinf(both[0]).any()
    totals = (torch.where(values.isfinite(), values, 0.0).sin().sum() for values in both)
    assert_derivatives_agree(*totals, inputs)


def test_third_derivatives_of_problems_that_share_a_graph_keep_them_apart():
    torch.manual_seed(0)
    arcs = [(0, 0, 0, 0.3), (0, 1, 1, 0.1), (1, 1, 1, 0.2), (1, 0, 0, 0.9), (0, 1, None, 0.5)]
    graph = gtn.Graph.from_arcs(arcs, final=1, dtype=torch.float64)
    weights, along = torch.randn(2, len(arcs)).double(), torch.randn(2, 3, 2).double()
    (emissions,) = leaves(torch.randn(2, 3, 2, dtype=torch.float64))
    apart = [dense.arc_posteriors(rows, graph) @ weight for rows, weight in zip(emissions, weights)]
    slopes = []
    for value in ((dense.arc_posteriors(emissions, graph) * weights).sum(), sum(apart)):
        (first,) = torch.autograd.grad(value, emissions, create_graph=True)
        slopes.append(torch.autograd.grad((first * along).sum(), emissions)[0])
    assert slopes[0].abs().min() > 1e-4
    assert_close(*slopes)


def test_without_gradients_values_are_the_same():
    emissions, graph = torch.randn(4, 3, dtype=torch.float64).requires_grad_(), random_graph(0)
    with torch.no_grad():
        value = dense.forward_penalty(emissions, graph)
        assert not value.requires_grad
        assert torch.equal(value, dense.forward_penalty(emissions.detach(), graph))
    assert torch.equal(value, dense.forward_penalty(emissions, graph))


def test_only_what_needs_a_gradient_gets_one():
    graph, (arcs, starts, finals) = with_leaves(random_graph(3))
    emissions = torch.randn(4, 3, dtype=torch.float64)
    dense.forward_penalty(emissions, graph).backward()
    assert emissions.grad is None
    both = [leaf.grad.clone() for leaf in (arcs, starts, finals)]
    plain = random_graph(3)
    emissions.requires_grad_()
    value = dense.forward_penalty(emissions, plain)
    value.backward(retain_graph=True)
    value.backward()
    assert_close(emissions.grad, 2 * dense.posteriors(emissions, plain))
    assert_close(both[0], dense.arc_posteriors(emissions, plain))
    assert_close(both[1].sum(), 1.0)
    assert_close(both[2].sum(), 1.0)


@pytest.mark.parametrize("kind", ["one", "shared", "batch"])
def test_a_gradient_is_the_same_whatever_else_needs_one(kind):
    graph = random_graph(3)
    if kind == "batch":
        graph = gtn.GraphBatch.from_graphs([graph, random_graph(4)])
    emissions = torch.randn((4, 3) if kind == "one" else (2, 4, 3), dtype=torch.float64)
    given = emissions, graph.penalties, graph.start_penalties, graph.final_penalties
    found = []
    for wanted in ([0, 1, 2, 3], [0], [1], [2], [3]):
        parts = [part.clone().requires_grad_(i in wanted) for i, part in enumerate(given)]
        one = graph.with_penalties(parts[1], start_penalties=parts[2], final_penalties=parts[3])
        dense.forward_penalty(parts[0], one).sum().backward()
        found.append([part.grad for part in parts])
    for i, expected in enumerate(found[0]):
        for j, alone in enumerate(found[1:]):
            assert (alone[i] is None) == (i != j)
        assert torch.equal(found[1 + i][i], expected)


# -- traps ---------------------------------------------------------------------------------------


def test_no_frames_leave_the_epsilons():
    graph = gtn.Graph.from_arcs([(0, 1, None, 0.5), (1, 2, None, 0.25), (1, 1, 0)], final=2)
    emissions = torch.full((2, 1), 3.0)
    assert dense.forward_penalty(emissions[:0], graph) == 0.75
    assert dense.forward_penalty(emissions.expand(2, 2, 1), graph, lengths=[0, 1]).tolist() == [
        0.75, 3.75,
    ]  # fmt: skip
    assert dense.viterbi_penalty(emissions[:0], graph) == 0.75
    assert dense.viterbi_path(emissions[:0], graph).num_arcs == 2
    assert dense.forward_penalty(emissions[:0], gtn.string([0])) == math.inf


def test_graphs_without_a_path_or_without_anything():
    emissions = torch.zeros(2, 2, requires_grad=True)
    for graph in (gtn.empty(), gtn.string([0]), gtn.string([1, 1, 1]),
                  gtn.Graph.from_arcs([(0, 0, 0)], final=[]),
                  gtn.Graph.from_arcs([(0, 0, 0, math.inf)], final=0)):  # fmt: skip
        g, given = with_leaves(graph)
        for score in (dense.forward_penalty, dense.viterbi_penalty):
            value = score(emissions, g)
            assert value == math.inf
            for found in torch.autograd.grad(value, [emissions, *given], allow_unused=True):
                assert found is None or (found == 0).all()
        assert (dense.posteriors(emissions, graph) == 0).all()
        assert (dense.arc_posteriors(emissions, graph) == 0).all()
        assert dense.viterbi_path(emissions, graph).num_nodes == 0


@pytest.mark.parametrize("shift", [-1e4, 0.0, 300.0, 1e5, 1e9])
def test_penalties_of_any_size(shift):
    torch.manual_seed(0)
    graph = random_graph(5, nodes=5, arcs=24)
    emissions = torch.randn(60, 3, dtype=torch.float64) * 200
    rows = leaves(emissions + shift)[0]
    value, expected = dense.forward_penalty(rows, graph), gtn.forward_penalty(product(rows, graph))
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=0)
    found, wanted = (torch.autograd.grad(v, rows)[0] for v in (value, expected))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-8 + 1e-14 * abs(shift) * 60)


@pytest.mark.parametrize("penalty", [1e17, 1e30, 1e200])
def test_enormous_penalties_are_not_infinite(penalty):
    emissions = torch.tensor([[penalty, penalty], [0.0, 1.0]], dtype=torch.float64)
    graph = gtn.Graph.from_arcs([(0, 1, 0), (1, 2, 0), (1, 2, 1)], final=2, dtype=torch.float64)
    assert dense.forward_penalty(emissions, graph).item() == pytest.approx(penalty, rel=1e-15)
    assert_close(dense.posteriors(emissions, graph)[1], torch.softmax(-emissions[1], 0))


@pytest.mark.parametrize("apart", [0.1, 1.0, 10.0, 60.0, 300.0])
@pytest.mark.parametrize("fixed", [False, True])
def test_rows_of_any_spread(apart, fixed):
    # Rows near each other share a unit, rows far apart do not; in between, they take turns.
    generator = torch.Generator().manual_seed(int(10 * apart))
    logits = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    emissions = (apart * logits * torch.linspace(1, 0.01, 60)[:, None]).requires_grad_()
    graph = gtn.nn.ctc_graphs([[1, 2, 2, 3, 1, 4, 4, 2, 3, 1, 2, 1]])[0].double()
    graph, (arcs, *_) = with_leaves(graph.with_penalties(graph.penalties + 0.25))
    wanted = [emissions] if fixed else [emissions, arcs]
    given = graph.detach() if fixed else graph
    value = dense.forward_penalty(emissions, given)
    expected = gtn.forward_penalty(product(emissions, given))
    assert_close(value, expected.detach())
    for found, other in zip(
        torch.autograd.grad(value, wanted), torch.autograd.grad(expected, wanted), strict=True
    ):
        assert_close(found, other)


def test_what_is_nearly_lost_is_kept_for_the_end():
    """A way whose mass falls behind by e^-6000 counts if it is the only one that may end."""
    length = 400
    graph = gtn.Graph.from_arcs([(0, 0, 0), (0, 1, 1), (1, 1, 1)], final=1)
    emissions = torch.stack((torch.zeros(length), torch.full((length,), 15.0)), 1).double()
    emissions[0] = torch.tensor([math.inf, 15.0])
    assert_close(dense.forward_penalty(emissions, graph), 15.0 * length)
    assert_close(dense.posteriors(emissions, graph)[:, 1], torch.ones(length))


def test_twenty_thousand_frames_in_float32():
    torch.manual_seed(0)
    emissions = 3 + torch.randn(20_000, 4).abs() * 10
    one = gtn.Graph.from_arcs([(0, 0, 0), (0, 0, 1), (0, 0, 2)], final=0)
    every = gtn.Graph.from_arcs([(0, 0, c) for c in range(4)], final=0)
    exact = [-torch.logsumexp(-emissions[:, :n].double(), 1).sum().item() for n in (3, 4)]
    found = [dense.forward_penalty_float64(emissions, g).item() for g in (one, every)]
    assert found == pytest.approx(exact, rel=1e-12)
    assert found[0] - found[1] == pytest.approx(exact[0] - exact[1], rel=1e-9)
    assert dense.forward_penalty(emissions, one).dtype == torch.float32


def test_lengths_cut_gradients_exactly():
    emissions = torch.randn(2, 5, 3, dtype=torch.float64)
    emissions[0, 3:] = math.nan
    emissions[1, 1:] = -math.inf
    emissions.requires_grad_()
    graph = random_graph(4)
    for score in (dense.forward_penalty, dense.viterbi_penalty):
        (gradient,) = torch.autograd.grad(score(emissions, graph, lengths=[3, 1]).sum(), emissions)
        assert gradient.isfinite().all()
        assert (gradient[0, 3:] == 0).all()
        assert (gradient[1, 1:] == 0).all()


EVERY = (
    dense.forward_penalty,
    dense.viterbi_penalty,
    dense.posteriors,
    dense.arc_posteriors,
    dense.viterbi_path,
    dense.alignment,
)


@pytest.mark.parametrize("function", EVERY)
def test_a_label_that_is_no_class_is_an_error(function):
    graph = gtn.Graph.from_arcs([(0, 1, 0), (0, 1, 9), (1, 1, 70000)], final=1)
    with pytest.raises(GraphError, match="arc 1 reads label 9, but emissions have 2 classes"):
        function(torch.tensor([[0.5, 1.0]]), graph)
    batch = gtn.GraphBatch.from_graphs([gtn.string("ab"), gtn.string("aba")])
    assert batch.isymbols.largest == 1
    function(torch.zeros(3, 2), batch)
    with pytest.raises(GraphError, match=r"arc 1 in graph 0 of the batch reads label 1 \('b'\)"):
        function(torch.zeros(3, 1), batch)


@pytest.mark.parametrize("function", EVERY[:3])
def test_a_label_that_is_no_class_is_named_before_epsilons_are_removed(function):
    silent = [(0, 1, None, None, 2.0), (1, 0, None, None, 2.0)]
    graph = gtn.Graph.from_arcs([*silent, (1, 2, 0), (1, 2, 3)], final=2)
    with pytest.raises(GraphError, match="arc 3 reads label 3, but emissions have 2 classes"):
        function(torch.zeros(1, 2), graph)


@pytest.mark.parametrize("function", EVERY)
def test_more_classes_than_the_table_names_are_an_error(function):
    emissions = torch.zeros(3, 26)
    with pytest.raises(GraphError, match=r"have 26 classes, but SymbolTable\(3: c a t\), whose"):
        function(emissions, gtn.string("cat"))
    letters = gtn.SymbolTable("abcdefghijklmnopqrstuvwxyz")
    function(emissions, gtn.string("cat", symbols=letters))  # a graph need not read all classes
    auxiliary = gtn.SymbolTable([*letters, "#0"])
    function(emissions, gtn.string("cat", symbols=auxiliary))  # and its table may name more
    function(emissions, gtn.string([2, 0, 19]))


# -- cycles of epsilons --------------------------------------------------------------------------

CYCLIC = graphs(penalties=exact_penalties(2.1, 8), acyclic=False, **FREE)


@given(matrices(most=2), CYCLIC)
@settings(max_examples=60)
def test_cycles_of_epsilons_are_summed(emissions, graph):
    g, given = with_leaves(graph)
    inputs = [*leaves(emissions), *given]
    value = dense.forward_penalty(inputs[0], g)
    expected = gtn.forward_penalty(product(inputs[0], g))
    assert_close(value, expected)
    first = [torch.autograd.grad(v, inputs, allow_unused=True) for v in (value, expected)]
    for found, wanted, leaf in zip(*first, inputs):
        zeros = torch.zeros_like(leaf)
        assert_close(zeros if found is None else found, zeros if wanted is None else wanted)
    assert_close(
        dense.viterbi_penalty(emissions, graph), gtn.viterbi_penalty(product(emissions, graph))
    )


def test_a_cycle_of_epsilons_in_closed_form():
    graph = gtn.Graph.from_arcs([(0, 0, None, 1.0), (0, 0, 0)], final=0, dtype=torch.float64)
    once = math.log(1 - math.exp(-1))  # the sum over going round 0, 1, 2, … times
    emissions = torch.tensor([[0.5], [0.25]], dtype=torch.float64)
    assert_close(dense.forward_penalty(emissions, graph), 0.75 + 3 * once)
    assert_close(dense.posteriors(emissions, graph), torch.ones(2, 1))
    assert dense.viterbi_penalty(emissions, graph) == 0.75


def test_a_cycle_of_epsilons_is_summed_before_rounding():
    graph = gtn.Graph.from_arcs([(0, 0, None, 1e-4), (0, 0, 0, 0.7)], final=0)
    emissions = torch.tensor([[0.1]] * 5, dtype=torch.float64)
    assert graph.penalties.dtype == torch.float32
    for score in (dense.forward_penalty, dense.viterbi_penalty):
        assert score(emissions, graph) == score(emissions, graph.double())


def test_a_cycle_of_epsilons_that_cannot_be_summed_or_shown():
    emissions = torch.zeros(1, 1)
    for penalty, score, error in (
        (-1.0, dense.forward_penalty, DivergentGraphError),
        (-1.0, dense.viterbi_penalty, NegativeCycleError),
        (1.0, dense.viterbi_path, CyclicGraphError),
        (1.0, dense.alignment, CyclicGraphError),
        (1.0, dense.arc_posteriors, CyclicGraphError),
    ):
        graph = gtn.Graph.from_arcs([(1, 1, 0), (0, 1, None, penalty), (1, 0, None)], final=1)
        with pytest.raises(error):
            score(emissions, graph)
    for score, semiring in (
        (dense.alignment, "tropical"),
        (dense.viterbi_path, "tropical"),
        (dense.arc_posteriors, "log"),
    ):
        message = rf"nodes 0 -> 1 -> 0 \(arcs 1, 2\).*remove_epsilon\(.*semiring='{semiring}'"
        with pytest.raises(CyclicGraphError, match=message):
            score(emissions, graph)


def test_a_cycle_of_epsilons_that_lies_on_no_path_is_none():
    emissions = torch.tensor([[0.5, 1.0], [2.0, 0.25]])
    graph = gtn.Graph.from_arcs(
        [(3, 3, None, -1.0), (0, 1, 0), (1, 2, 1), (4, 2, None), (1, 4, None, 0.5), (4, 4, 1),
         (1, 5, None), (5, 5, None, -2.0), (6, 6, None, -3.0), (6, 2, None)], final=2)  # fmt: skip
    for one in (graph, gtn.GraphBatch.from_graphs([gtn.string([0, 1]), graph])):
        for score in (dense.forward_penalty, dense.viterbi_penalty):
            rows = emissions if one is graph else emissions.expand(2, 2, 2)
            assert_close(score(rows, one), score(rows, gtn.connect(one)))
    assert dense.alignment(emissions, graph).arcs.tolist() == [1, 2]
    assert gtn.path_labels(dense.viterbi_path(emissions, graph)).tolist() == [0, 1]
    found = dense.arc_posteriors(emissions, graph)
    kept = gtn.connect(graph).sources[0].index
    assert_close(found[kept], dense.arc_posteriors(emissions, gtn.connect(graph)))
    assert found.sum() == found[kept].sum()


# -- errors --------------------------------------------------------------------------------------


SCORES = (
    dense.forward_penalty, dense.viterbi_penalty, dense.posteriors, dense.arc_posteriors,
    dense.viterbi_path, dense.alignment,
)  # fmt: skip


def test_the_graph_comes_after_the_emissions():
    graph, emissions = gtn.string([0]), torch.zeros(1, 1)
    for score in SCORES:
        with pytest.raises(GraphError, match=r"not (Tensor; give the emissions, then|Graph)"):
            score(graph, emissions)
        with pytest.raises(GraphError, match=r"not list; GraphBatch\.from_graphs makes a batch"):
            score(emissions.expand(2, 1, 1), [graph, graph])


def test_bad_emissions_are_named():
    graph = gtn.Graph.from_arcs([(0, 0, 0), (0, 0, 2)], final=0)
    for bad, shown in ((math.nan, "nan"), (-math.inf, "-inf")):
        emissions = torch.zeros(2, 3, 3)
        emissions[1, 2, 2] = bad
        for score in (dense.forward_penalty, dense.viterbi_penalty, dense.posteriors):
            with pytest.raises(GraphError, match=f"class 2 in frame 2 of problem 1 is {shown}"):
                score(emissions, graph)
        with pytest.raises(GraphError, match=f"class 2 in frame 2 is {shown}"):
            dense.forward_penalty(emissions[1], graph)
        with pytest.raises(GraphError, match="class 2 in frame 2 of problem 1"):
            dense.forward_penalty(emissions.requires_grad_(), graph)


def test_bad_penalties_of_the_graph_are_named():
    for part, named in (("penalties", "arc 1"), ("start_penalties", "start 1"),
                        ("final_penalties", "final 1")):  # fmt: skip
        graph = gtn.Graph.from_arcs([(0, 0, 0), (0, 1, 2)], start=[0, 1], final=[0, 1])
        for bad in (math.nan, -math.inf):
            getattr(graph, part)[1] = bad
            for score in SCORES:
                with pytest.raises(GraphError, match=f"{named} has penalty {bad}"):
                    score(torch.zeros(2, 3), graph)
    silent = gtn.Graph.from_arcs([(0, 0, 0), (0, 1, None, 1.0), (1, 0, None, 1.0)], final=0)
    silent.penalties[1] = math.nan  # the cycle of epsilons is summed first
    for score in (dense.forward_penalty, dense.viterbi_penalty, dense.posteriors):
        with pytest.raises(GraphError, match="arc 1 has penalty nan"):
            score(torch.zeros(2, 3), silent)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_bad_penalty_in_one_graph_of_a_batch_is_named(threads):
    batch = gtn.GraphBatch.from_graphs([gtn.string([0, 1])] * 13)
    batch.penalties[15] = math.nan
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        for score in SCORES:
            with pytest.raises(GraphError, match="arc 15 has penalty nan"):
                score(torch.zeros(13, 2, 2), batch)
    finally:
        torch.set_num_threads(before)


def test_shapes_that_do_not_fit():
    graph = gtn.string([0])
    batch = gtn.GraphBatch.from_graphs([graph] * 2)
    with pytest.raises(GraphError, match=r"\[T, C\] or \[B, T, C\], not of shape \[3\]"):
        dense.forward_penalty(torch.zeros(3), graph)
    for count in (1, 3):
        with pytest.raises(GraphError, match=f"{count} problems meet a batch of 2 graphs"):
            dense.forward_penalty(torch.zeros(count, 1, 1), batch)
    with pytest.raises(GraphError, match=r"float32 or float64, not torch\.int64"):
        dense.forward_penalty(torch.zeros(3, 1, 1, dtype=torch.int64), graph)
    with pytest.raises(GraphError, match="float32 or float64, not list"):
        dense.forward_penalty([[0.0]], graph)
    with pytest.raises(
        GraphError, match=r"lengths must be 2 whole numbers, not int64 of shape \[1\]"
    ):
        dense.forward_penalty(torch.zeros(2, 1, 1), graph, lengths=[1])
    with pytest.raises(GraphError, match="whole numbers, not float64"):
        dense.forward_penalty(torch.zeros(2, 1, 1), graph, lengths=[1.0, 1.0])
    with pytest.raises(GraphError, match="problem 1 has length 2, but there are 1 frames"):
        dense.forward_penalty(torch.zeros(2, 1, 1), graph, lengths=[1, 2])
    with pytest.raises(GraphError, match="problem 0 has length -1"):
        dense.forward_penalty(torch.zeros(1, 1), graph, lengths=-1)


def test_the_penalty_of_certainty_is_zero_without_a_sign():
    once = gtn.Graph.from_arcs([], final=0, num_nodes=1)
    assert math.copysign(1.0, dense.forward_penalty(torch.zeros(0, 1), once)) == 1.0


def test_results_keep_dtype():
    graph = random_graph(0)
    for dtype in (torch.float32, torch.float64):
        emissions = torch.randn(2, 4, 3, dtype=dtype)
        for result in (
            dense.forward_penalty(emissions, graph), dense.viterbi_penalty(emissions, graph),
            dense.posteriors(emissions, graph), dense.arc_posteriors(emissions, graph),
            dense.viterbi_path(emissions, graph).penalties,
        ):  # fmt: skip
            assert result.dtype == dtype
