"""Matching, which leaves arcs and dead ends out, agrees with plain exploration of all pairs."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

import gtn
from gtn.composition import compose
from gtn.kernels import composition as kernels
from gtn.kernels.lookahead import ENDLESS, FAR
from gtn.kernels.matching import match
from gtn.kernels.shared_labels import by_node_and_label, shared_labels
from gtn.product import columns
from gtn.product.failure import FailureArcs
from gtn.product.sides import operand, operands

FIELDS = ("src", "dst", "ilabels", "olabels", "starts", "finals", "node_offsets", "arc_offsets")


def plainly(monkeypatch):
    """From now on, take all arcs of both sides and every pair that is reached."""

    def sides(a, b, read, failures=None, whole=True):
        return (
            operand(a, a.olabels, a.outgoing_by_olabel),
            operand(read, read.ilabels, read.outgoing_by_ilabel, failures),
        )

    def explored(left, right, graphs, room, limit):
        *rows, too_many = kernels.explore(left, right, graphs, 1, room, limit)
        return *columns(*rows), too_many

    monkeypatch.setattr("gtn.composition.operands", sides)
    monkeypatch.setattr("gtn.composition.match", explored)


def assert_same(one, other):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one.topology, name), getattr(other.topology, name))
    for mine, theirs in zip(one.sources, other.sources, strict=True):
        np.testing.assert_array_equal(mine.index, theirs.index)
    for name in ("penalties", "start_penalties", "final_penalties"):
        assert torch.equal(getattr(one, name), getattr(other, name))


def random_graph(rng, labels, *, nodes=8, arcs=30, epsilons=0.2):
    src, dst = rng.integers(0, nodes, (2, arcs))
    read = np.where(rng.random(arcs) < epsilons, -1, rng.choice(labels, arcs))
    return gtn.from_arrays(
        src,
        dst,
        read,
        rng.integers(0, 3, arcs),
        penalties=torch.from_numpy(rng.random(arcs)),
        start={0: 0.5, 1: 0.25},
        final={nodes - 1: 0.5, nodes - 2: 1.0},
        num_nodes=nodes,
    )


def even(rng, labels):
    """Emissions of a few frames, as a chain in which all arcs of a node lead to the next."""
    frames = int(rng.integers(1, 7))
    return gtn.from_arrays(
        np.repeat(np.arange(frames), len(labels)),
        np.repeat(np.arange(frames) + 1, len(labels)),
        np.tile(rng.permutation(labels), frames),
        penalties=torch.from_numpy(rng.random(frames * len(labels))),
        start={0: 0.5},
        final={frames: 0.25, frames - 1: 1.0},
    )


def thinned(rng, labels):
    """The same with some arcs missing, and some that lead further."""
    whole = even(rng, labels)
    kept = rng.random(whole.num_arcs) < 0.8
    last = whole.num_nodes - 1
    dst = np.minimum(whole.dst + (rng.random(whole.num_arcs) < 0.3), last)
    return gtn.from_arrays(
        whole.src[kept],
        dst[kept],
        whole.olabels[kept],
        penalties=whole.penalties[torch.from_numpy(kept)],
        final=last,
        num_nodes=last + 1,
    )


def turning(rng, labels):
    return gtn.project(random_graph(rng, labels, epsilons=0.0), "input")


LABELS = {
    "all": (np.arange(4), np.arange(4)),
    "few of b": (np.arange(3), np.arange(40)),
    "few of a": (np.arange(40), np.array([3, 5, 38, 70])),
    "far apart": (np.array([2, 10**6, 10**9]), np.array([10**6, 10**9, 2**31 - 2])),
    "none": (np.array([1, 3]), np.array([0, 2, 7])),
}


@pytest.mark.parametrize("kind", [even, thinned, turning])
@pytest.mark.parametrize("name", LABELS)
def test_the_same_nodes_and_arcs_as_by_exploring(kind, name, monkeypatch):
    rng = np.random.default_rng(0)
    mine, theirs = LABELS[name]
    monkeypatch.setattr("gtn.product.sides._LARGE", 0)
    pairs, arcs = [], 0
    for round in range(12):
        lefts = [kind(rng, mine) for _ in range(3)]
        rights = [random_graph(rng, theirs, epsilons=round % 3 / 5) for _ in range(3)]
        batches = [gtn.GraphBatch.from_graphs(graphs) for graphs in (lefts, rights)]
        pairs += [(lefts[0], rights[0]), (batches[0], rights[1]), (lefts[1], batches[1])]
        pairs.append((batches[0], batches[1]))
    found = []
    for room in (1, 1024):
        monkeypatch.setattr("gtn.composition._ROOM", room)
        found.append([compose(a, b) for a, b in pairs])
    with monkeypatch.context() as patched:
        plainly(patched)
        expected = [compose(a, b) for a, b in pairs]
    for one, roomy, other in zip(*found, expected, strict=True):
        assert_same(one, other)
        assert_same(roomy, other)
        arcs += other.num_arcs
    assert arcs > 50 or name == "none"


@pytest.mark.parametrize("nodes", [30, 300])
def test_large_graphs_with_few_labels_in_common(nodes, monkeypatch):
    """Some tables of pairs are addressed directly, others are searched."""
    rng = np.random.default_rng(1)
    a = gtn.linear(torch.rand(nodes, 5, dtype=torch.float64))
    b = random_graph(rng, np.arange(60), nodes=4 * nodes, arcs=100 * nodes, epsilons=0.05)
    found = compose(a, b)
    plainly(monkeypatch)
    assert_same(found, compose(a, b))
    assert found.num_arcs > 5000


@pytest.mark.parametrize("round", range(60))
def test_shared_labels(round):
    rng = np.random.default_rng(round)
    top = int(rng.choice([2, 30, 10**9]))
    sides = [rng.integers(-1, top, rng.integers(1, 30)).astype(np.int32) for _ in range(2)]
    *found, fewer = shared_labels(*sides)
    common = sorted((set(sides[0].tolist()) & set(sides[1].tolist())) - {-1})
    kept = [np.flatnonzero(np.isin(labels, [-1, *common])) for labels in sides]
    left_out = sum(map(len, sides)) - sum(map(len, kept))
    if top == 10**9 and max(min(s.max() for s in sides), 0) > 2000:
        assert not fewer  # the labels are too far apart for a table of counts
        return
    assert fewer == (4 * left_out >= sum(map(len, sides)))
    if fewer:
        for labels, arcs, mine, ranks in zip(sides, kept, found[:2], found[2:]):
            np.testing.assert_array_equal(mine, arcs)
            expected = [-1 if x == -1 else common.index(x) if x in common else -2 for x in labels]
            np.testing.assert_array_equal(ranks, expected)


@pytest.mark.parametrize("round", range(30))
def test_arcs_by_node_and_label(round):
    rng = np.random.default_rng(round)
    nodes, count = int(rng.integers(1, 6)), int(rng.integers(0, 40))
    src, labels = rng.integers(0, nodes, count), rng.integers(-1, 4, count)
    if round % 2:
        order = np.lexsort((labels, src))
        src, labels = src[order], labels[order]
    kept = np.flatnonzero(rng.random(count) < 0.7).astype(np.int32)
    given = [array.astype(np.int32) for array in (kept, src, labels)]
    for array in given:
        array.setflags(write=False)
    offsets, arcs = by_node_and_label(*given, nodes)
    np.testing.assert_array_equal(arcs, kept[np.lexsort((kept, labels[kept], src[kept]))])
    np.testing.assert_array_equal(
        offsets, np.searchsorted(np.sort(src[kept]), np.arange(nodes + 1))
    )


def random_batches(rng, count):
    def one():
        return gtn.GraphBatch.from_graphs(
            [random_graph(rng, np.arange(2), nodes=5, arcs=9) for _ in range(count)]
        )

    a, b = one(), one()
    forward = np.flatnonzero(a.src < a.dst)
    acyclic = gtn.from_arrays(
        a.src[forward],
        a.dst[forward],
        a.ilabels[forward],
        a.olabels[forward],
        penalties=a.penalties[torch.from_numpy(forward)],
        start=a.starts,
        final=a.finals,
        num_nodes=a.num_nodes,
    )
    return acyclic, b


@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
def test_looking_ahead_changes_nothing(filter, monkeypatch):
    rng = np.random.default_rng(3)
    a = gtn.GraphBatch.from_graphs([random_batches(rng, 1)[0] for _ in range(300)])
    b = random_batches(rng, 300)[1]
    ahead = compose(a, b, filter=filter)
    plainly(monkeypatch)
    assert_same(ahead, compose(a, b, filter=filter))
    assert ahead.num_arcs > 300


def acyclic_in_no_order(rng, arcs, labels, back=1.0):
    """An acyclic graph with nodes and arcs numbered at random, and arcs back whose labels no other
    graph reads."""
    nodes = 12
    ends = np.sort([rng.choice(nodes, 2, replace=False) for _ in range(arcs)], axis=1)
    src, dst = rng.permutation(nodes)[ends.T]
    read = rng.integers(-1, labels, arcs)
    back = rng.random(arcs) < back
    src, dst = np.r_[src, dst[back]], np.r_[dst, src[back]]
    read = np.r_[read, rng.integers(*rng.choice([(100, 105), (200, 205)]), back.sum())]
    order = rng.permutation(len(src))
    return gtn.from_arrays(
        src[order], dst[order], read[order], penalties=torch.from_numpy(rng.random(len(order))),
        start=range(4), final=range(6, nodes), num_nodes=nodes)  # fmt: skip


@pytest.mark.parametrize("arcs", [20, 400])
def test_nodes_in_no_order_are_looked_ahead_of_as_others(arcs, monkeypatch):
    rng = np.random.default_rng(arcs)
    pairs = [[acyclic_in_no_order(rng, arcs, 3) for _ in range(2)] for _ in range(60)]
    ahead = [compose(*pair) for pair in pairs]
    assert sum(one.num_arcs > 0 for one in ahead) > 30
    plainly(monkeypatch)
    for one, pair in zip(ahead, pairs, strict=True):
        assert_same(one, compose(*pair))


def ways(graph, kept):
    """From each node, how many labels each way to a final has, over arcs of the given labels."""

    @functools.cache
    def ahead(n):
        found = {0} if n in graph.finals else set()
        for arc in np.flatnonzero(graph.src == n):
            label = graph.ilabels[arc]
            if label in kept:
                found |= {k + (label >= 0) for k in ahead(graph.dst[arc])}
        return found

    return [ahead(n) for n in range(graph.num_nodes)]


@pytest.mark.parametrize(("arcs", "back"), [(20, 0.0), (400, 1.0)])
def test_as_many_labels_lie_ahead_as_the_ways_to_a_final_have(arcs, back):
    rng = np.random.default_rng(arcs)
    measured = 0
    for _ in range(20):
        a, b = (acyclic_in_no_order(rng, arcs, 3, back) for _ in range(2))
        kept = {-1, *a.ilabels} & {-1, *b.ilabels}
        if max(kept) > 9:
            continue  # both have cycles of the same labels
        for g, side in zip((a, b), operands(a.topology, b.topology, b.topology), strict=True):
            expected = ways(g, kept)
            assert side.least.tolist() == [min(w, default=FAR) for w in expected]
            assert side.most.tolist() == [max(w, default=-1) for w in expected]
            measured += 1
    assert measured > 10


def test_how_many_labels_lie_ahead():
    a = gtn.Graph.from_arcs([(0, 1, 1), (0, 1, None), (1, 2, 1), (2, 3, None), (0, 4, 1)], final=3)
    b = gtn.Graph.from_arcs(
        [(0, 1, 1), (1, 0, 2), (1, 2, None), (2, 3, 1), (0, 3, 9), (4, 4, 1)], final=3
    )
    left, right = operands(a.topology, b.topology, b.topology)
    assert left.least.tolist() == [1, 1, 0, 0, FAR]
    assert left.most.tolist() == [2, 1, 0, 0, -1]
    assert right.least.tolist() == [1, 1, 1, 0, FAR]
    assert right.most.tolist() == [ENDLESS] * 4 + [-1]
    failing = FailureArcs(b.topology, 9)
    _, right = operands(a.topology, b.topology, b.topology, failing)
    assert right.least.tolist() == [0, 1, 1, 0, FAR]


def found_by(monkeypatch):
    """From now on, note how many nodes each match finds."""
    sizes = []

    def counted(*given):
        found = match(*given)
        sizes.append(len(found[0][0]))
        return found

    monkeypatch.setattr("gtn.composition.match", counted)
    return sizes


WORDS = ["ab", "abcd", "abcdef", "b", "bcdefa"]


@pytest.mark.parametrize("chain", ["a", "b"])
def test_words_of_another_length_than_a_chain_are_not_followed(chain, monkeypatch):
    sizes = found_by(monkeypatch)
    table = gtn.SymbolTable("abcdef")
    words = gtn.strings(WORDS, symbols=table).united()
    emissions = gtn.linear(torch.zeros(4, 6), symbols=table)
    both = compose(emissions, words) if chain == "a" else compose(words, emissions)
    assert gtn.path_text(gtn.n_best(both, 9)) == ["abcd"]
    assert sizes == [both.num_nodes] == [5]


def test_words_longer_than_a_cyclic_side_needs_are_not_cut_short(monkeypatch):
    sizes = found_by(monkeypatch)
    twice = gtn.Graph.from_arcs([(0, 1, 1), (1, 2, 2), (2, 0, None), (2, 3, 3), (3, 4, 3)], final=2)
    both = compose(twice, gtn.string([1, 2, 1, 2]))
    assert (both.num_nodes, both.num_arcs) == (6, 5)
    assert sizes == [6]


def test_graphs_of_a_batch_are_looked_up_each_in_its_place(monkeypatch):
    """Some have many nodes, some have none; the table of pairs has room for the largest."""
    rng = np.random.default_rng(8)
    lefts = [even(rng, np.arange(4)) for _ in range(20)]
    lefts[3:3] = [gtn.empty().double()] * 2
    rights = [random_graph(rng, np.arange(4), nodes=int(n)) for n in rng.integers(2, 40, 22)]
    rights[7] = gtn.empty().double()
    batches = [gtn.GraphBatch.from_graphs(graphs) for graphs in (lefts, rights)]
    for dense in (0, 8):
        monkeypatch.setattr("gtn.composition._ROOM", 1 + dense)
        for one, other in (batches, (lefts[0], batches[1]), (batches[0], rights[0])):
            found = compose(one, other)
            assert found.num_arcs > 20
            with monkeypatch.context() as plain:
                plainly(plain)
                assert_same(found, compose(one, other))
