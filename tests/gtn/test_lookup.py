"""Looking strings and lattices up in a large graph, laid out once, is ordinary composition."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import numpy as np
import pytest
import torch

import gtn
from gtn.composition import compose
from gtn.product.failure import FailureArcs
from gtn.product.sides import is_lookup

FIELDS = ("src", "dst", "ilabels", "olabels", "starts", "finals", "node_offsets", "arc_offsets")


@pytest.fixture
def lookups(monkeypatch):
    """From now on, a graph at least twice as large is large enough to be looked up in."""
    monkeypatch.setattr("gtn.product.sides._LARGE", 0)
    monkeypatch.setattr("gtn.product.sides._MUCH", 2)
    monkeypatch.setattr("gtn.product.sides._MUCH_MORE", 2)


def never(monkeypatch):
    """From now on, composition goes through both sides each time."""
    monkeypatch.setattr("gtn.composition.is_lookup", lambda a, read: False)


def random_graph(rng, nodes, arcs, *, acyclic=False, silent=0.2, labels=4):
    src, dst = rng.integers(0, nodes, (2, arcs))
    if acyclic:
        src, dst = np.minimum(src, dst), np.maximum(src, dst) + 1
        nodes += 1
    row = [
        np.where(rng.random(arcs) < silent, gtn.EPSILON, rng.integers(0, labels, arcs))
        for _ in range(2)
    ]
    return gtn.from_arrays(
        src,
        dst,
        row[0],
        row[rng.integers(2)],
        penalties=torch.from_numpy(rng.integers(0, 16, arcs) / 4),
        start=[0],
        final=[nodes - 1],
        num_nodes=nodes,
    )


def pairs(rng):
    """A small graph or batch and a large one, with the same labels, in either order."""
    count = int(rng.integers(2, 8))
    few = [random_graph(rng, count, count, acyclic=True, silent=rng.choice([0, 0.3])) for _ in "ab"]
    few = gtn.GraphBatch.from_graphs(few) if rng.integers(2) else few[0]
    many = random_graph(
        rng, int(rng.integers(2, 12)), 5 * count, acyclic=rng.integers(2) > 0, silent=0.2
    )
    return (few, many), (many, few)


def test_what_is_looked_up_is_found_as_by_going_through_both_sides(lookups, monkeypatch):
    rng = np.random.default_rng(0)
    found = []
    for trial in range(200):
        for a, b in pairs(rng):
            assert is_lookup(a.topology, b.topology)
            filter = ("sequence", "match", "trivial")[trial % 3]
            found.append((a, b, filter, compose(a, b, filter=filter)))
    never(monkeypatch)
    for a, b, filter, one in found:
        other = compose(a, b, filter=filter)
        for name in FIELDS:
            assert np.array_equal(getattr(one.topology, name), getattr(other.topology, name)), name
        assert torch.equal(one.penalties, other.penalties)
        for ours, theirs in zip(one.sources, other.sources, strict=True):
            assert np.array_equal(ours.index, theirs.index)
    assert sum(one.num_arcs > 0 for *_, one in found) > 100


def singly(graph):
    return list(graph) if isinstance(graph, gtn.GraphBatch) else [graph]


def test_labels_of_another_table_are_looked_up_in_that_of_the_large_graph(lookups, monkeypatch):
    rng = np.random.default_rng(1)
    here, there = gtn.SymbolTable("abcde"), gtn.SymbolTable("efcab")
    found = []
    for _ in range(100):
        for a, b in pairs(rng):
            a, b = a.with_symbols(here, here), b.with_symbols(there, there)
            found.append((a, b, compose(a, b)))
    never(monkeypatch)
    for a, b, one in found:
        other = compose(a, b)
        assert (one.isymbols, one.osymbols) == (other.isymbols, other.osymbols)
        assert all(map(gtn.isomorphic, singly(one), singly(other)))
        for ours, theirs in zip(one.sources, other.sources, strict=True):
            assert sorted(ours.index) == sorted(theirs.index)
    assert sum(one.num_arcs > 0 for *_, one in found) > 25


def backing_off(graph, label, to):
    """The graph with a failure arc at each node but the first, to a node given for each."""
    nodes = np.arange(1, graph.num_nodes)
    labels, nothing = np.full(len(nodes), label), np.full(len(nodes), gtn.EPSILON)
    return gtn.from_arrays(
        np.append(graph.src, nodes),
        np.append(graph.dst, to),
        np.append(graph.ilabels, labels),
        np.append(graph.olabels, nothing),
        penalties=torch.cat([graph.penalties, graph.penalties.new_ones(len(nodes))]),
        start=graph.starts,
        final=graph.finals,
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
    )


def test_failure_arcs_are_followed(lookups, monkeypatch):
    rng = np.random.default_rng(2)
    found = []
    for _ in range(100):
        many = random_graph(rng, 8, 40, silent=0.1)
        backing = backing_off(many, 9, np.arange(7))
        few = gtn.string(rng.integers(0, 4, 5).tolist(), dtype=torch.float64)
        assert is_lookup(few.topology, backing.topology)
        found.append((few, backing, compose(few, backing, failure=9)))
    never(monkeypatch)
    for few, backing, one in found:
        other = compose(few, backing, failure=9)
        assert gtn.equal(one, other)
        assert np.array_equal(one.sources[1].index, other.sources[1].index)
    assert sum(one.num_arcs > 0 for *_, one in found) > 50


def large():
    words = ["".join(w) for w in np.random.default_rng(3).choice(list("abcdefg"), (1500, 6))]
    table = gtn.SymbolTable("abcdefgh")
    return gtn.closure(gtn.strings(words, symbols=table).united()), words


@pytest.mark.parametrize("failure", [None, "h"])
def test_the_large_graph_is_laid_out_once(failure, monkeypatch):
    graph, words = large()
    if failure is not None:
        graph = backing_off(
            graph, graph.isymbols.label(failure), np.zeros(graph.num_nodes - 1, dtype=int)
        )
    laid_out, found = [], []
    kept = {name: getattr(gtn.product.sides, name) for name in ("_bounds", "operand")}
    for name, function in kept.items():

        def recorded(topology, *given, name=name, function=function, **options):
            laid_out.append((name, topology.num_arcs))
            return function(topology, *given, **options)

        monkeypatch.setattr(f"gtn.product.sides.{name}", recorded)
    for word in words[:3]:
        found.append(compose(gtn.string(word), graph, failure=failure))
    each = [("_bounds", 6), ("operand", 6)]
    whole = [("_bounds", graph.num_arcs), ("operand", graph.num_arcs)]
    assert laid_out == [*each, *whole, *each, *each]
    assert all(gtn.path_text(gtn.viterbi_path(one)) == word for one, word in zip(found, words))
    if failure is not None:
        label = graph.isymbols.label(failure)
        assert FailureArcs.of(graph.topology, label) is FailureArcs.of(graph.topology, label)


@pytest.mark.parametrize(("positions", "looked_up"), [(6, True), (20, False), (120, False)])
def test_the_large_graph_is_laid_out_once_for_lattices(positions, looked_up, monkeypatch):
    graph, _ = large()
    letters = graph.isymbols
    graph |= gtn.string("h", symbols=letters)  # a letter that is in both
    laid_out = []

    def recorded(topology, *given, function=gtn.product.sides._bounds):
        laid_out.append(topology.num_arcs)
        return function(topology, *given)

    monkeypatch.setattr("gtn.product.sides._bounds", recorded)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        lattice = gtn.linear(torch.rand(positions, 8, generator=generator), symbols=letters)
        assert is_lookup(lattice.topology, graph.topology) == looked_up
        compose(lattice, graph)
    assert laid_out.count(graph.num_arcs) == 1


def test_what_grows_larger_than_the_large_graph_is_matched(monkeypatch):
    rng = np.random.default_rng(4)
    graph = random_graph(rng, 1000, 5000, silent=0, labels=2)
    short, long = (gtn.string([0, 1] * n, dtype=torch.float64) for n in (2, 20))
    matched = []

    def recorded(*given, match=gtn.composition.match):
        matched.append(given)
        return match(*given)

    monkeypatch.setattr("gtn.composition.match", recorded)
    assert all(is_lookup(text.topology, graph.topology) for text in (short, long))
    compose(short, graph)
    assert not matched
    found = compose(long, graph)
    assert len(matched) == 1
    assert found.num_arcs > graph.num_arcs
    never(monkeypatch)
    assert gtn.equal(found, compose(long, graph))


@pytest.mark.parametrize("silent", [False, True])
def test_what_grows_larger_is_found_without_the_labels_of_one_side(silent, monkeypatch):
    # Going through all arcs of the large graph would take at least twice as long.
    rng = np.random.default_rng(5)
    graph = random_graph(rng, 1000, 8000, silent=0.2, labels=8)
    arcs = [(i, i + 1, label) for i in range(100) for label in (0, 1)]
    lattice = gtn.Graph.from_arcs(
        [*arcs, (0, 1, None)] if silent else arcs, final=100, dtype=torch.float64
    )
    sides = []

    def recorded(left, right, *given, function):
        sides.append((len(left.arcs), len(right.arcs)))
        return function(left, right, *given)

    for name in ("match", "explore"):
        kernel = partial(recorded, function=getattr(gtn.composition, name))
        monkeypatch.setattr(f"gtn.composition.{name}", kernel)
    assert is_lookup(lattice.topology, graph.topology)
    found = compose(lattice, graph)
    (_, first), (_, last) = sides
    assert first == graph.num_arcs > 2 * last
    assert found.num_arcs > graph.num_arcs
    never(monkeypatch)
    assert gtn.equal(found, compose(lattice, graph))


def test_what_is_kept_of_a_graph_does_not_keep_it():
    graph, words = large()
    compose(gtn.string(words[0]), graph)
    compose(gtn.string("abc"), graph, failure="h")
    topology = weakref.ref(graph.topology)
    gc.disable()
    try:
        del graph
        assert topology() is None
    finally:
        gc.enable()
