"""Difference and complement, compared with sets of strings and OpenFst."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn.testing import graphs, path_penalties_by_string
from gtn.testing.openfst import assert_same_language, language, random_graphs, to_openfst

COUNT = 1000
FEW = settings(max_examples=40)  # the bulk tests draw thousands
ZERO = st.just(0.0)
LISTED = graphs(labels=2, epsilons=True, penalties=ZERO, acyclic=False, max_nodes=4, max_arcs=6)
EVERY = {word for n in range(4) for word in product((0, 1), repeat=n)}


def unweighted(g):
    return g.with_penalties(
        torch.zeros_like(g.penalties),
        start_penalties=torch.zeros_like(g.start_penalties),
        final_penalties=torch.zeros_like(g.final_penalties),
    )


def accepted(g, length=3):
    return {inputs for inputs, _ in language(g, "tropical", length)}


@FEW
@given(graphs(labels=2, epsilons=True, acceptor=False, infinite=True), LISTED)
def test_every_path_that_is_left_is_there_once(a, b):
    made = gtn.difference(a, b)
    gone = accepted(b, 8)
    expected = {k: v for k, v in path_penalties_by_string(a).items() if k[1] not in gone}
    assert path_penalties_by_string(made) == expected
    assert made.topology.is_connected
    for arc in range(made.num_arcs):
        (source,) = made.sources[0].of(arc)
        assert made.symbol_pair(arc) == a.symbol_pair(source)
        assert made.penalties[arc] == a.penalties[source]


@FEW
@given(LISTED)
def test_complement_accepts_the_others(g):
    made = gtn.complement(g, alphabet=[0, 1])
    assert accepted(made) == EVERY - accepted(g)
    assert made.topology.is_deterministic
    again = gtn.complement(made, alphabet=[0, 1])
    assert accepted(again) == accepted(g)


@FEW
@given(graphs(labels=2, epsilons=True), LISTED)
def test_difference_is_intersection_with_the_complement(a, b):
    other = gtn.intersect(a, gtn.complement(b, alphabet=[0, 1]))
    assert language(gtn.difference(a, b)) == language(other)


@pytest.mark.parametrize("semiring", ["log", "tropical"])
@pytest.mark.parametrize("acyclic", [True, False])
def test_openfst(semiring, acyclic):
    pynini = pytest.importorskip("pynini")
    options = {"infinite": True} if acyclic else {"acyclic": False, "least": 2.5}
    a = random_graphs(COUNT // 2, seed=1, labels=2, acceptor=True, **options)
    b = unweighted(random_graphs(COUNT // 2, seed=2, labels=2, acceptor=True, acyclic=acyclic))
    made = gtn.difference(a, b)
    kind = {"log": "log64", "tropical": "tropical"}[semiring]
    deterministic = gtn.determinize(b, semiring="boolean")
    some = 0
    for i, (x, y) in enumerate(zip(to_openfst(a, kind), to_openfst(deterministic, kind))):
        theirs = pynini.difference(x.arcsort("olabel"), y.arcsort("ilabel"))
        limit = None if acyclic else 3
        assert_same_language(made[i], theirs, semiring, max_length=limit, note=str(i))
        some += 0 < made[i].num_arcs < a[i].num_arcs
    assert some > COUNT // 25


def test_batches():
    a = random_graphs(200, seed=3, infinite=True)
    b = unweighted(random_graphs(200, seed=4, acceptor=True))

    def batch(singles):
        return gtn.GraphBatch.from_graphs(list(singles))

    assert gtn.equal(gtn.difference(a, b), batch(gtn.difference(x, y) for x, y in zip(a, b)))
    assert gtn.equal(gtn.difference(a, b[7]), batch(gtn.difference(x, b[7]) for x in a))
    assert gtn.equal(gtn.difference(a[7], b), batch(gtn.difference(a[7], y) for y in b))
    whole = gtn.complement(b, alphabet=range(2))
    assert gtn.equal(whole, batch(gtn.complement(y, alphabet=range(2)) for y in b))
    with pytest.raises(gtn.GraphError, match="200 graphs meets a batch of 2"):
        gtn.difference(a, b[:2])


def test_gradients_and_data_follow():
    penalties = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a = gtn.from_arcs([(0, 1, "x"), (0, 1, "y"), (0, 1, "z")], final=1)
    a = a.with_penalties(penalties).with_data(time=np.array([4.0, 5.0, 6.0]))
    made = gtn.difference(a, gtn.string("y", symbols=a.isymbols))
    assert made.data["time"].tolist() == [4.0, 6.0]
    made.penalties.sum().backward()
    assert penalties.grad.tolist() == [1.0, 0.0, 1.0]


def test_symbols_are_compared():
    a = gtn.from_arcs([(0, 1, "x"), (0, 1, "y")], final=1)
    b = gtn.string("y", symbols=gtn.SymbolTable("yz"))
    assert gtn.path_text(gtn.difference(a, b)) == "x"
    with pytest.raises(gtn.SymbolError):
        gtn.difference(a, gtn.string([1]))
    assert gtn.path_text(gtn.difference(a, gtn.string([1]), symbols="ignore")) == "x"


def test_nothing_and_everything():
    some = gtn.from_arcs([(0, 0, 1)], final=0)
    assert gtn.equal(gtn.difference(gtn.empty(), some), gtn.empty())
    assert gtn.equal(gtn.difference(some, gtn.empty()), some)
    assert gtn.difference(some, some).num_nodes == 0
    assert gtn.difference(some, gtn.string([])).num_nodes == 2
    every = gtn.complement(gtn.empty(), alphabet=[3])
    assert (every.num_nodes, every.num_arcs) == (1, 1)
    assert gtn.complement(every).num_nodes == 0
    assert gtn.complement(gtn.string([3]), alphabet=[3]).starts.tolist() == [0]


def test_alphabets():
    table = gtn.SymbolTable("abc")
    g = gtn.string("a", symbols=table)
    assert sorted(set(gtn.complement(g).ilabels.tolist())) == [0, 1, 2]
    assert sorted(set(gtn.complement(g, alphabet="ab").ilabels.tolist())) == [0, 1]
    assert gtn.complement(gtn.string([0]), alphabet=table).isymbols == table
    with pytest.raises(gtn.GraphError, match="'a', which the alphabet lacks"):
        gtn.complement(g, alphabet="b")
    for larger in ("cad", gtn.SymbolTable("dca")):
        wide = gtn.complement(g, alphabet=larger)
        assert sorted(wide.isymbols) == [*"abcd"]
        assert not gtn.intersect(wide, g).num_nodes
        for text in ("d", "ca", ""):
            assert gtn.intersect(wide, gtn.string(text, symbols=wide.isymbols)).num_nodes
        assert not gtn.intersect(wide, gtn.string("b", symbols=wide.isymbols)).num_nodes
    with pytest.raises(gtn.SymbolError, match="label 3 is not in"):
        gtn.complement(g, alphabet=[0, 3])
    with pytest.raises(gtn.SymbolError, match="no table"):
        gtn.complement(gtn.string([1]), alphabet="a")
    with pytest.raises(gtn.GraphError, match=r"the alphabet has 1\.5; labels are integers"):
        gtn.complement(gtn.string([1]), alphabet=[1, 1.5])
    with pytest.raises(gtn.GraphError, match="epsilon is not one"):
        gtn.complement(gtn.string([1]), alphabet=[-1, 1])


def test_the_symbol_of_failure_arcs_is_in_no_alphabet():
    table = gtn.SymbolTable(["a", gtn.BACK_OFF, "b"])
    for own, alphabet in ((table, None), (table, table), (gtn.SymbolTable("a"), table)):
        others = gtn.complement(gtn.string("a", symbols=own), alphabet=alphabet)
        found = [(gtn.string(text) @ others).num_nodes > 0 for text in ("", "a", "b", "aa")]
        assert found == [1, 0, 1, 1]


def test_failure_arcs_are_refused_and_followed_before():
    model = gtn.from_arcs([(0, 2, "x"), (0, 1, gtn.BACK_OFF), (1, 2, "y")], final=2)
    letters = gtn.from_arcs([(0, 1, label, float(k)) for k, label in enumerate("xyz")], final=1)
    with pytest.raises(gtn.GraphError, match=r"arc 1 of the second .* is a failure arc.*all str"):
        gtn.difference(letters, model)
    with pytest.raises(gtn.GraphError, match=r"arc 1 of what a complement .* is a failure arc"):
        gtn.complement(model)
    with pytest.raises(gtn.GraphError, match="arc 1 of a is a failure arc"):
        gtn.difference(model, letters.with_penalties(torch.zeros(3)))
    followed = gtn.closure(unweighted(letters)) @ model
    assert gtn.path_text(gtn.n_best(gtn.difference(letters, followed), 3)) == ["z"]


def test_what_is_refused():
    g = gtn.string([1])
    with pytest.raises(gtn.GraphError, match="arc 0 reads and writes 1:2; project it first"):
        gtn.difference(g, gtn.from_arcs([(0, 1, 1, 2)], final=1))
    with pytest.raises(gtn.GraphError, match="complement is an acceptor"):
        gtn.complement(gtn.from_arcs([(0, 1, 1, 2)], final=1))
    translating = g.with_symbols(gtn.SymbolTable("ab"), gtn.SymbolTable("xy"))
    with pytest.raises(gtn.GraphError, match="different input and output symbols"):
        gtn.difference(gtn.string("a"), translating)
    with pytest.raises(gtn.GraphError, match="different input and output symbols"):
        gtn.complement(translating)
    weighted = gtn.from_arcs([(0, 1, 1, 0.5)], final=1)
    with pytest.raises(
        gtn.GraphError, match=r"arc 0 has penalty 0\.5; the second operand of a difference"
    ):
        gtn.difference(g, weighted)
    with pytest.raises(
        gtn.GraphError, match=r"arc 0 has penalty 0\.5; what a complement is taken of"
    ):
        gtn.complement(weighted)


def test_a_large_alphabet_makes_no_large_graph():
    words = gtn.from_arrays(
        np.zeros(50_000, dtype=np.int32),
        np.ones(50_000, dtype=np.int32),
        np.arange(50_000),
        final=1,
    )
    made = gtn.difference(words, gtn.string([7]))
    assert (made.num_nodes, made.num_arcs) == (2, 49_999)
