"""Unweighted determinization and minimization, compared with sets of strings and Brzozowski."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn.determinization import determinize
from gtn.determinization.determinism import nondeterminism
from gtn.determinization.minimization import minimize
from gtn.equivalence import equal
from gtn.kernels import determinization
from gtn.rational import concat, reverse, union
from gtn.testing import batches, graphs

UNWEIGHTED = {"acyclic": False, "epsilons": True, "labels": 2, "penalties": st.just(0.0)}
ACCEPTORS = graphs(max_nodes=6, max_arcs=12, **UNWEIGHTED)
ANY = st.one_of(ACCEPTORS, graphs(max_nodes=6, max_arcs=12, acceptor=False, **UNWEIGHTED))


def boolean(graph, **options):
    return determinize(graph, semiring="boolean", side="both", **options)


def smallest(graph):
    return minimize(graph, semiring="boolean")


def closed(graph, nodes):
    """Return the nodes that a set of nodes reaches without reading or writing."""
    nodes = set(nodes)
    while True:
        more = {
            int(graph.dst[a])
            for a in range(graph.num_arcs)
            if graph.src[a] in nodes and graph.ilabels[a] == graph.olabels[a] == gtn.EPSILON
        }
        if more <= nodes:
            return frozenset(nodes)
        nodes |= more


def accepted(graph, length, starts=None):
    """Return the accepted sequences of at most ``length`` label pairs, by simulation."""
    reached = {(): closed(graph, graph.starts.tolist() if starts is None else starts)}
    strings = set()
    for _ in range(length + 1):
        strings |= {word for word, nodes in reached.items() if nodes & set(graph.finals.tolist())}
        further = {}
        for word, nodes in reached.items():
            for a in range(graph.num_arcs):
                pair = (int(graph.ilabels[a]), int(graph.olabels[a]))
                if graph.src[a] in nodes and pair != (gtn.EPSILON, gtn.EPSILON):
                    further.setdefault((*word, pair), set()).add(int(graph.dst[a]))
        reached = {word: closed(graph, nodes) for word, nodes in further.items()}
    return strings


@given(ANY)
def test_determinize_accepts_the_same(g):
    made = boolean(g)
    assert accepted(made, 4) == accepted(g, 4)
    assert nondeterminism(made.topology) is None
    assert made.topology.is_connected
    assert len(made.starts) == (1 if made.num_nodes else 0)


@given(ANY)
def test_minimize_accepts_the_same(g):
    assert accepted(smallest(boolean(g)), 4) == accepted(g, 4)


@given(ANY)
def test_minimal_as_by_brzozowski(g):
    made = smallest(boolean(g))
    brzozowski = boolean(reverse(boolean(reverse(g))))
    assert equal(made, brzozowski)  # the same arrays, as both are numbered breadth first
    languages = {frozenset(accepted(made, 6, [n])) for n in range(made.num_nodes)}
    assert len(languages) == made.num_nodes


@given(ACCEPTORS, st.randoms(use_true_random=False))
def test_canonical_form(g, random):
    node, arc = list(range(g.num_nodes)), list(range(g.num_arcs))
    random.shuffle(node)
    random.shuffle(arc)
    place = np.array(node, dtype=np.int32)
    shuffled = gtn.from_arrays(
        place[g.src[arc]],
        place[g.dst[arc]],
        g.ilabels[arc],
        penalties=g.penalties,
        start=place[g.starts],
        final=place[g.finals],
        num_nodes=g.num_nodes,
    )
    assert equal(boolean(shuffled), boolean(g))
    assert equal(smallest(boolean(shuffled)), smallest(boolean(union(g, g))))


@given(ANY)
def test_every_arc_keeps_its_sources(g):
    made = boolean(g.with_data(row=np.arange(g.num_arcs)))
    least = smallest(made)
    for result in (made, least):
        sources = result.sources[0]
        operand = g if result is made else made
        assert len(sources) == result.num_arcs
        for a in range(result.num_arcs):
            rows = sources.of(a)
            assert len(rows) > 0
            assert (operand.ilabels[rows] == result.ilabels[a]).all()
            assert (operand.olabels[rows] == result.olabels[a]).all()
    # An arc is made of the arcs with its labels that leave the nodes its source stands for.
    words = {}
    if made.num_nodes:
        words[int(made.starts[0])] = closed(g, g.starts.tolist())
    useful = g.topology.accessible & g.topology.coaccessible
    for a in range(made.num_arcs):
        pair = (made.ilabels[a], made.olabels[a])
        rows = [
            b
            for b in range(g.num_arcs)
            if g.src[b] in words[int(made.src[a])]
            and (g.ilabels[b], g.olabels[b]) == pair
            and useful[g.dst[b]]
        ]
        assert made.sources[0].of(a).tolist() == rows
        words.setdefault(int(made.dst[a]), closed(g, g.dst[rows].tolist()))
    if made.num_arcs:
        first = [made.sources[0].of(a)[0] for a in range(made.num_arcs)]
        np.testing.assert_array_equal(made.data.column("row").values("first"), first)
        rows = least.data.column("row").values("min")
        assert (
            rows.min()
            == np.concatenate(
                [
                    made.sources[0].of(b)
                    for a in range(least.num_arcs)
                    for b in least.sources[0].of(a)
                ]
            ).min()
        )


@given(batches(acceptor=False, max_nodes=5, max_arcs=8, **UNWEIGHTED))
def test_batches(batch):
    batch = batch.with_data(row=np.arange(batch.num_arcs))
    for operation in (boolean, lambda g: smallest(boolean(g))):
        made = operation(batch)
        expected = gtn.GraphBatch.from_graphs([operation(g) for g in batch])
        assert equal(made, expected)
        np.testing.assert_array_equal(
            made.data.column("row").values("max"), expected.data.column("row").values("max")
        )


def test_breadth_first_numbers_in_the_order_of_labels():
    g = gtn.from_arcs(
        [(5, 1, 9), (5, 3, 2), (1, 0, 4), (3, 0, 5), (3, 4, 6)], start=5, final=[0, 4]
    )
    made = smallest(g)
    assert made.src.tolist() == [0, 0, 1, 1, 2]
    assert made.dst.tolist() == [1, 2, 3, 3, 3]
    assert made.ilabels.tolist() == [2, 9, 5, 6, 4]
    assert made.starts.tolist() == [0]
    assert [r.tolist() for r in map(made.sources[0].of, range(5))] == [[1], [0], [3], [4], [2]]


def test_words_make_a_trie_and_a_word_graph():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 5, (2000, 8))
    nodes = np.arange(2000 * 9).reshape(2000, 9)
    g = gtn.from_arrays(
        nodes[:, :-1].ravel(),
        nodes[:, 1:].ravel(),
        words.ravel(),
        start=nodes[:, 0],
        final=nodes[:, -1],
    )
    prefixes = {tuple(w[:k]) for w in words.tolist() for k in range(9)}
    made = boolean(g)
    assert made.num_nodes == len(prefixes)
    assert made.topology.is_deterministic
    # The minimal graph has as many nodes as there are sets of suffixes.
    suffixes = {}
    for word in map(tuple, words.tolist()):
        for k in range(9):
            suffixes.setdefault(word[:k], set()).add(word[k:])
    assert smallest(made).num_nodes == len({frozenset(s) for s in suffixes.values()})


def test_exponential_growth_is_bounded():
    bit = gtn.from_arcs([(0, 1, 0), (0, 1, 1)], final=1)
    any_ = gtn.from_arcs([(0, 0, 0), (0, 0, 1)], final=0)
    one = gtn.from_arcs([(0, 1, 1)], final=1)
    g = concat(any_, one, *[bit] * 9)  # the tenth symbol from the end is 1
    assert smallest(boolean(g)).num_nodes == boolean(g).num_nodes == 1024
    assert boolean(g, max_nodes=1024).num_nodes == 1024
    with pytest.raises(gtn.GraphError, match="more than 1023 nodes"):
        boolean(g, max_nodes=1023)


def test_wide_labels_and_two_sides():
    top = np.iinfo(np.int32).max
    g = gtn.from_arcs(
        [(0, 1, top, 0), (0, 2, top, top), (0, 2, top, None), (0, 3, None, 5), (1, 3, None, None)],
        final=[2, 3],
    )
    made = smallest(boolean(g))
    assert made.ilabels.tolist() == [-1, top, top, top]
    assert made.olabels.tolist() == [5, -1, 0, top]
    assert made.num_nodes == 2


def test_tables_dtype_and_chain_stay():
    g = gtn.string("abc", dtype=torch.float64)
    for made in (boolean(g), smallest(g)):
        assert equal(made, g)
        assert made.penalties.dtype == torch.float64
        assert made.topology.is_acceptor
    assert all((b == a + 1) for a, b in pairwise(smallest(g).src))


def test_nothing_is_accepted():
    for g in (gtn.empty(), gtn.from_arcs([(0, 1, 2)], start=[0], final=[], num_nodes=2)):
        assert equal(boolean(g), gtn.empty())
        assert equal(smallest(g), gtn.empty())
    only_empty = gtn.from_arcs([(0, 1, None), (1, 0, None)], final=1)
    assert equal(smallest(boolean(only_empty)), gtn.string([]))


def test_what_is_refused():
    with pytest.raises(gtn.GraphError, match=r"arc 1 has penalty 0\.5; a boolean determinize"):
        boolean(gtn.from_arcs([(0, 1, 1), (0, 1, 2, 0.5)], final=1))
    with pytest.raises(gtn.GraphError, match="start 0 has penalty 2; a boolean minimize"):
        smallest(gtn.from_arcs([(0, 1, 1)], start={0: 2.0}, final=1))
    with pytest.raises(gtn.GraphError, match="final 0 has penalty inf"):
        boolean(gtn.from_arcs([(0, 1, 1)], final={1: np.inf}))
    for arcs, start, problem in (
        ([(0, 1, 7), (0, 0, 8), (0, 0, 7)], 0, "arcs 0 and 2 leave node 0 with the same labels"),
        ([(0, 1, 7), (0, 1, None)], 0, "arc 1 neither reads nor writes"),
        ([(0, 1, 7)], [0, 1], "nodes 0 and 1 are both starts"),
    ):
        with pytest.raises(gtn.GraphError, match=f"{problem}.*determinize it first"):
            smallest(gtn.from_arcs(arcs, start=start, final=1))


def test_more_source_arcs_than_32_bits_number_are_refused(monkeypatch):
    """A smaller limit stands for that of 32 bits, beyond which offsets used to turn negative."""
    crowd = [(i, j, 0) for i in range(12) for j in range(i + 1, 13)]
    graph = gtn.from_arcs(crowd, final=range(13))
    sources = gtn.determinize(graph, semiring="boolean").sources[0]
    taken = int(sources.offsets[-1])
    monkeypatch.setattr(
        "gtn.determinization.determinization.subset_construction",
        determinization.subset_construction.py_func,
    )
    monkeypatch.setattr(determinization, "MOST_SOURCES", taken)
    assert len(gtn.determinize(graph, semiring="boolean").ilabels) == 12
    monkeypatch.setattr(determinization, "MOST_SOURCES", taken - 1)
    with pytest.raises(gtn.GraphError, match=f"more than {taken - 1} sources, from 78 arcs"):
        gtn.determinize(graph, semiring="boolean")


@pytest.mark.parametrize("semiring", ["boolean", "log"])
def test_more_nodes_than_are_numbered_may_be_allowed(semiring):
    made = gtn.determinize(gtn.string("ab"), semiring=semiring, max_nodes=2**70)
    assert gtn.equal(made, gtn.string("ab"))
