"""Changed labels, the cross product, and repetition a given number of times, arc by arc."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn import EPSILON, GraphError, SymbolError
from gtn.testing import batches, graphs, paths

SMALL = {"max_nodes": 4, "max_arcs": 5, "labels": 3, "epsilons": True, "acceptor": False}
LABELS = st.integers(-1, 4)


@given(graphs(**SMALL), st.dictionaries(LABELS, LABELS), st.dictionaries(LABELS, LABELS))
def test_labels_change_as_the_mappings_say(g, ilabels, olabels):
    found = gtn.relabel(g, ilabels, olabels)
    assert found.ilabels.tolist() == [ilabels.get(x, x) for x in g.ilabels.tolist()]
    assert found.olabels.tolist() == [olabels.get(x, x) for x in g.olabels.tolist()]
    assert torch.equal(found.penalties, g.penalties)
    assert np.array_equal(found.src, g.src)
    assert found.sources[0].index.tolist() == [*range(g.num_arcs)]
    again = gtn.relabel(g, found.ilabels, found.olabels.tolist())
    assert gtn.equal(again, found)


@given(batches(**SMALL))
def test_a_batch_is_relabelled_graph_by_graph(batch):
    found = gtn.relabel(batch, {0: None, None: 1})
    for ours, one in zip(found, batch, strict=True):
        assert gtn.equal(ours, gtn.relabel(one, {0: None, None: 1}))


def test_symbols_and_tables():
    g = gtn.string("ab")
    found = gtn.relabel(g, olabels={"a": "x", "b": None})
    assert [found.symbol_pair(i) for i in range(2)] == ["a:x", "b:ε"]
    assert found.isymbols is g.isymbols
    assert found.osymbols.decode([0, 1, 2]) == ["a", "b", "x"]
    both = {"a": "c"}
    assert gtn.relabel(g, both, both).topology.is_acceptor
    assert gtn.relabel(g).topology.is_acceptor
    data = gtn.from_arcs([(0, 1, "a", 0.5)], final=1, data={"time": np.array([3.0])})
    assert gtn.relabel(data, {"a": "ε"}).data["time"].tolist() == [3.0]
    for wrong, message in (
        ({"olabels": {"z": "a"}}, "olabels: symbol 'z' is not in"),
        ({"olabels": {7: "a"}}, "olabels: label 7 is not in"),
        ({"ilabels": [0, 5]}, "ilabels: 5 of arc 1 is not in"),
    ):
        with pytest.raises(SymbolError, match=message):
            gtn.relabel(g, **wrong)
    bare = gtn.string([0, 1])
    assert gtn.relabel(bare, {0: "ε", 1: 2**31 - 1}).ilabels.tolist() == [EPSILON, 2**31 - 1]
    assert gtn.relabel(gtn.from_arcs([(0, 1, None)], final=1), {"ε": 3}).ilabels.tolist() == [3]
    with pytest.raises(SymbolError, match="ilabels: 'a' is a symbol, but that side has no table"):
        gtn.relabel(bare, {0: "a"})
    for wrong, message in (
        ([0], "olabels must be 2 integers, one for each arc, or a mapping"),
        ([0.0, 1.0], "not float64 of shape"),
        ([0, -2], "olabels: -2 of arc 1 is not a label"),
        ({0: -2}, "olabels: -2 is not a label"),
        ({0: 1.5}, r"olabels: 1\.5 is neither a label nor a symbol"),
        ({0: 2**40}, "olabels: 1099511627776 is not a label"),
    ):
        with pytest.raises(GraphError, match=message):
            gtn.relabel(bare, olabels=wrong)


def test_what_is_epsilon_elsewhere_is_added_to_no_table():
    for meant in ("", "<eps>", "<epsilon>"):
        with pytest.raises(SymbolError, match=f"olabels has the symbol '{meant}'; epsilon is None"):
            gtn.relabel(gtn.string("ab"), olabels={"b": meant})
    table = gtn.SymbolTable(["a", "b", "<eps>"])
    kept = gtn.relabel(gtn.string("ab", symbols=table), olabels={"b": "<eps>"})
    assert kept.olabels.tolist() == [0, 2]


@given(graphs(**SMALL | {"acceptor": True}), graphs(**SMALL | {"acceptor": True}))
def test_cross_has_one_path_for_each_pair(a, b):
    pairs = [(p.inputs, q.outputs, p.penalty + q.penalty) for p in paths(a) for q in paths(b)]
    found = [(p.inputs, p.outputs, p.penalty) for p in paths(gtn.cross(a, b))]
    assert sorted(found) == sorted(pairs)


def test_cross_of_tables_labels_and_transducers():
    found = gtn.cross(gtn.string("ab"), gtn.string([7]))
    assert gtn.path_text(found, "input") == "ab"
    assert gtn.path_labels(found).tolist() == [7]
    assert (found.isymbols.decode([0, 1]), found.osymbols) == (["a", "b"], None)
    words = gtn.strings(["ein", "zwei"], symbols=gtn.SymbolTable("eiwnz"))
    numbers = gtn.strings([[1], [2]])
    assert [gtn.path_text(p, "input") for p in gtn.cross(words, numbers)] == ["ein", "zwei"]
    for wrong in (lambda: gtn.cross("a", found), lambda: gtn.relabel("a", {})):
        with pytest.raises(GraphError, match="a graph is needed, not str"):
            wrong()
    transducer = gtn.from_arcs([(0, 1, "a", "b")], final=1)
    for operands in ((transducer, found), (gtn.string("a"), transducer)):
        with pytest.raises(GraphError, match="is a transducer; a cross product is of acceptors"):
            gtn.cross(*operands)


@pytest.mark.parametrize("bounds", [(2, 3), (0, 2), (1, None), (3, None), (0, 0), (2, 2)])
def test_so_many_paths_have_the_sources_and_the_data_of_the_graph(bounds):
    lower, upper = bounds
    g = gtn.from_arcs(
        [(0, 1, "a", 0.5), (0, 1, "b", 1.0)], start={0: 0.25}, final=1,
        data={"time": np.array([3.0, 4.0])},
    )  # fmt: skip
    batch = gtn.GraphBatch.from_graphs([g, g])
    for given_graph in (g, batch):
        found = given_graph.closure(lower=lower, upper=upper)
        (source,) = found.sources
        own = source.index >= 0
        assert (given_graph.ilabels[source.index[own]] == found.ilabels[own]).all()
        assert (found.ilabels[~own] == EPSILON).all()
        kept = found.data["time"]
        assert len(kept) == found.num_arcs
        assert kept[own].tolist() == given_graph.data["time"][source.index[own]].tolist()
        one = found[1] if given_graph is batch else found
        lengths = [len(p.inputs) for p in paths(one, max_length=10)]
        for n in range(5):
            expected = 2**n if lower <= n and (upper is None or n <= upper) else 0
            assert lengths.count(n) == expected


def test_bounds_that_are_none():
    g = gtn.string("a")
    for bounds in ({"lower": -1}, {"lower": 3, "upper": 2}, {"upper": -1}):
        with pytest.raises(GraphError, match="0 <= lower <= upper"):
            gtn.closure(g, **bounds)
    with pytest.raises(GraphError, match="plus means lower=1"):
        gtn.closure(g, plus=True, upper=2)


def test_gradients_of_repeated_paths():
    penalties = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    g = gtn.from_arrays([0, 0], [1, 1], [0, 1], penalties=penalties, final=1)
    once = -torch.logsumexp(-penalties, 0)
    expected = -torch.logsumexp(-torch.stack([2 * once, 3 * once]), 0)
    found = gtn.forward_penalty(gtn.closure(g, lower=2, upper=3))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(x, penalties) for x in (found, expected)))
