"""Weighted minimization, compared with path enumeration and OpenFst; gradients are shared."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn.testing import assert_equivalent, batches, graphs
from gtn.testing.openfst import assert_same_language, random_graphs, to_openfst

COUNT = 500
FEW = settings(max_examples=40)  # the bulk tests draw thousands
SEMIRINGS = pytest.mark.parametrize("semiring", ["log", "tropical"])
COARSE = st.sampled_from([0.0, 1.0])  # so that many futures are equal


def smallest(g, semiring, **options):
    return gtn.minimize(gtn.determinize(g, semiring=semiring), semiring=semiring, **options)


@SEMIRINGS
@pytest.mark.parametrize("merge", ["mass", "sources"])
@FEW
@given(g=graphs(max_nodes=7, max_arcs=12, labels=2, epsilons=True, penalties=COARSE))
def test_says_the_same(semiring, merge, g):
    made = smallest(g, semiring, merge=merge)
    assert_equivalent(made, g, semiring=semiring)
    assert gtn.determinization.determinism.nondeterminism(made.topology) is None


@SEMIRINGS
@FEW
@given(g=graphs(max_nodes=6, labels=2, acceptor=False, epsilons=True, infinite=True))
def test_transducers(semiring, g):
    made = gtn.determinize(g, semiring=semiring, side="both")
    assert_equivalent(gtn.minimize(made, semiring=semiring), g, semiring=semiring)
    if gtn.is_functional(g):
        assert_equivalent(smallest(g, semiring), g, semiring=semiring)


@SEMIRINGS
@FEW
@given(
    g=graphs(max_nodes=6, max_arcs=10, labels=2, epsilons=True, penalties=COARSE),
    random=st.randoms(use_true_random=False),
)
def test_canonical_form(semiring, g, random):
    # Different numbers of nodes, penalties in other places, and everything doubled.
    node = list(range(g.num_nodes))
    random.shuffle(node)
    place = np.array(node, dtype=np.int32)
    other = gtn.from_arrays(
        place[g.src],
        place[g.dst],
        g.ilabels,
        penalties=g.penalties,
        start=dict(zip(place[g.starts].tolist(), g.start_penalties.tolist())),
        final=dict(zip(place[g.finals].tolist(), g.final_penalties.tolist())),
        num_nodes=g.num_nodes,
    )
    first = smallest(g, semiring)
    second = smallest(gtn.push(other, "final", semiring=semiring), semiring)
    assert gtn.equal(first, second, atol=1e-8)
    if semiring == "tropical":
        assert gtn.equal(first, smallest(gtn.union(g, other), semiring), atol=1e-8)


@SEMIRINGS
@FEW
@given(g=graphs(max_nodes=7, max_arcs=12, labels=2, penalties=COARSE))
def test_no_two_nodes_have_the_same_future(semiring, g):
    made = smallest(g, semiring)
    futures = set()
    for node in range(made.num_nodes):
        here = gtn.from_arrays(
            made.src,
            made.dst,
            made.ilabels,
            penalties=made.penalties,
            start=node,
            final=dict(zip(made.finals.tolist(), made.final_penalties.tolist())),
            num_nodes=made.num_nodes,
        )
        found = gtn.testing.string_penalties(here, semiring=semiring)
        futures.add(tuple(sorted((key, round(p, 6)) for key, p in found.items())))
    assert len(futures) == made.num_nodes


@SEMIRINGS
def test_openfst(semiring):
    pynini = pytest.importorskip("pynini")
    kind, delta, atol = {
        "log": ("log64", 1e-9, 1e-6),
        "tropical": ("tropical", 2.0**-10, 0.0),
    }[semiring]
    graphs = random_graphs(COUNT, seed=1, max_nodes=6, max_arcs=9, infinite=True, acceptor=True)
    coarse = graphs.with_penalties(
        torch.where(graphs.penalties.isfinite(), graphs.penalties.floor() % 2, torch.inf),
        start_penalties=torch.zeros_like(graphs.start_penalties),
        final_penalties=torch.zeros_like(graphs.final_penalties),
    )
    for batch in (graphs, coarse):
        made = smallest(batch, semiring)
        for graph, ours, fst in zip(batch, made, to_openfst(batch, kind)):
            theirs = pynini.determinize(fst.rmepsilon(), delta=delta).minimize(delta=delta)
            assert_same_language(ours, graph, semiring, atol=1e-8)
            assert_same_language(ours, theirs, semiring, atol=atol)
            assert ours.num_nodes <= theirs.connect().num_states()


def test_openfst_finds_no_fewer_nodes_and_no_more():
    pynini = pytest.importorskip("pynini")
    rng = np.random.default_rng(0)
    words = rng.integers(0, 4, (300, 6))
    nodes = np.arange(words.shape[0] * 7).reshape(-1, 7)
    g = gtn.from_arrays(
        nodes[:, :-1].ravel(),
        nodes[:, 1:].ravel(),
        words.ravel(),
        penalties=torch.from_numpy(rng.integers(0, 2, words.size) * 1.0),
        start=nodes[:, 0],
        final=nodes[:, -1],
    )
    ours = smallest(g, "tropical")
    theirs = pynini.determinize(to_openfst(g).rmepsilon()).minimize()
    assert (ours.num_nodes, ours.num_arcs) == (
        theirs.num_states(),
        sum(theirs.num_arcs(s) for s in theirs.states()),
    )
    made = gtn.determinize(g, semiring="tropical")
    assert ours.num_nodes < made.num_nodes / 2


@SEMIRINGS
@FEW
@given(batch=batches(max_graphs=3, labels=2, penalties=COARSE))
def test_batches(semiring, batch):
    made = gtn.determinize(batch, semiring=semiring)
    made = made.with_data(row=np.arange(made.num_arcs))
    whole = gtn.minimize(made, semiring=semiring)
    expected = gtn.GraphBatch.from_graphs([gtn.minimize(g, semiring=semiring) for g in made])
    # The windows of equal penalties span the whole batch, so that the last digits may differ.
    assert gtn.equal(whole, expected, atol=1e-8)
    rows = [g.data.column("row").values("max") for g in (whole, expected)]
    np.testing.assert_array_equal(*rows)


# -- which arcs become one --------------------------------------------------------------------


def two_futures(penalties):
    """Paths a-c and b-c by different arcs."""
    g = gtn.from_arcs([(0, 1, "a"), (0, 2, "b"), (1, 3, "c"), (2, 4, "c")], final=[3, 4])
    return g.with_penalties(penalties)


def test_gradient_is_shared_by_forward_mass():
    penalties = torch.tensor([1.0, 2.0, 0.5, 0.5], dtype=torch.float64, requires_grad=True)
    made = gtn.minimize(two_futures(penalties))
    assert made.num_arcs == 3
    assert made.sources[0].of(2).tolist() == [2, 3]
    (shares,) = torch.autograd.grad(gtn.forward_penalty(made), penalties)
    first = 1 / (1 + np.exp(-1.0))
    expected = torch.tensor([first, 1 - first] * 2, dtype=torch.float64)
    torch.testing.assert_close(shares, expected)


def test_by_sources_only_what_is_one_parameter():
    # After different labels, two arcs that are copies of one.
    topology = gtn.from_arcs([(0, 1, 5), (0, 2, 6), (1, 3, 7), (2, 4, 7)], final=[3, 4]).topology
    rows = np.array([0, 1, 2, 2], dtype=np.int32)
    base = gtn.from_arcs([(0, 1, 5, 1.0), (0, 1, 6, 2.0), (0, 1, 7, 0.5)], final=1).double()
    leaf = base.penalties.clone().requires_grad_()
    shared = gtn.batch.rearranged(
        base.with_penalties(leaf),
        topology,
        rows,
        np.zeros(1, dtype=np.int32),
        np.zeros(2, dtype=np.int32),
    )
    made = gtn.minimize(shared, merge="sources")
    assert (made.num_nodes, made.num_arcs) == (3, 3)

    def derivatives(g):
        (first,) = torch.autograd.grad(gtn.forward_penalty(g), leaf, create_graph=True)
        second = [torch.autograd.grad(f, leaf, retain_graph=True)[0] for f in first]
        return torch.cat([first, *second])

    torch.testing.assert_close(derivatives(made), derivatives(shared), rtol=0, atol=1e-12)
    # Equal penalties alone do not suffice.
    assert gtn.minimize(two_futures(torch.zeros(4)), merge="sources").num_arcs == 4
    assert gtn.minimize(two_futures(torch.zeros(4))).num_arcs == 3


def test_final_penalties_that_learn_are_not_merged_by_sources():
    g = gtn.from_arcs([(0, 1, 5), (0, 2, 6)], final=[1, 2]).double()
    assert gtn.minimize(g, merge="sources").num_nodes == 2
    learned = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    learned = g.with_penalties(g.penalties, final_penalties=learned)
    assert gtn.minimize(learned, merge="sources").num_nodes == 3
    assert gtn.minimize(learned).num_nodes == 2


def test_penalties_far_apart_stay_so():
    for gap, nodes in ((1e-3, 4), (1e-12, 3)):
        g = gtn.from_arcs(
            [(0, 1, 5), (0, 2, 6), (1, 3, 7), (1, 3, 8), (2, 3, 7), (2, 3, 8, gap)],
            final=3,
            dtype=torch.float64,
        )
        assert gtn.minimize(g).num_nodes == nodes
        assert gtn.minimize(g, delta=0.01).num_nodes == 3


# -- traps ----------------------------------------------------------------------------------------


def test_nothing_loops_and_the_empty_string():
    assert gtn.equal(gtn.minimize(gtn.empty()), gtn.empty())
    assert gtn.equal(gtn.minimize(gtn.string([])), gtn.string([]))
    ring = gtn.from_arcs([(0, 1, 7, 1.0), (1, 0, 7, 1.0)], final=[0, 1]).double()
    made = gtn.minimize(ring)
    assert (made.num_nodes, made.num_arcs) == (1, 1)
    torch.testing.assert_close(gtn.forward_penalty(made), gtn.forward_penalty(ring))
    with pytest.raises(gtn.DivergentGraphError):
        gtn.minimize(ring.with_penalties(-ring.penalties))
    dead = gtn.from_arcs([(0, 1, 7), (0, 2, 8, np.inf)], final=[1, 2])
    assert gtn.minimize(dead).num_arcs == 1


def test_what_is_refused():
    with pytest.raises(gtn.GraphError, match=r"arcs 0 and 1 leave node 0.*determinize it first"):
        gtn.minimize(gtn.from_arcs([(0, 1, 7), (0, 1, 7)], final=1))
    for options in ({"semiring": "real"}, {"merge": "all"}, {"delta": -1.0}):
        with pytest.raises(gtn.GraphError, match=next(iter(options))):
            gtn.minimize(gtn.string([1]), **options)
