"""Labels that stand for graphs are replaced as by OpenFst: nested, in batches; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gtn
from gtn.errors import DataError, GraphError, SymbolError
from gtn.testing import assert_equivalent
from gtn.testing.openfst import assert_same_language, random_graphs, to_openfst

COUNT = 300


def acceptors(seed, labels):
    return random_graphs(COUNT, seed, labels=labels, acceptor=True)


@pytest.mark.parametrize(("semiring", "kind"), [("tropical", "tropical"), ("log", "log64")])
def test_openfst_replaces_the_same(semiring, kind):
    """Labels 2 and 3 stand for graphs: that of 2 contains label 3, that of 3 is a transducer."""
    pynini = pytest.importorskip("pynini", reason="OpenFst is compared through pynini")
    firsts = [g for g in acceptors(1, 3) if g.num_nodes]
    seconds = [gtn.relabel(g, {2: 3}, {2: 3}) for g in firsts[1:]]
    thirds = random_graphs(COUNT, 3, labels=2)
    roots = acceptors(2, 4)
    replaced = 0
    for i, (root, second, third) in enumerate(zip(roots, seconds, thirds, strict=False)):
        ours = gtn.replace(root, {2: second, 3: third})
        machines = (to_openfst(graph, kind) for graph in (root, second, third))
        theirs = pynini.replace(zip([9, 3, 4], machines, strict=True), epsilon_on_replace=True)
        assert_same_language(ours, theirs, semiring, note=f"graph {i}")
        assert not np.isin(ours.ilabels, [2, 3]).any()
        replaced += ours.num_arcs > root.num_arcs
    assert replaced > COUNT // 4


def test_a_batch_is_replaced_graph_by_graph():
    roots = acceptors(4, 3)
    part = gtn.from_arcs([(0, 1, 0, 5, 0.5), (0, 1, 1, None)], start={0: 0.25}, final={1: 1.0})
    made = gtn.replace(roots, {2: part.double()})
    assert len(made) == COUNT
    for one, root in zip(made, roots, strict=True):
        assert gtn.equal(one, gtn.replace(root, {2: part.double()}))


def test_arcs_that_stay_keep_place_data_sources_and_gradients():
    symbols = gtn.SymbolTable(["a", "X"])
    p = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)
    q = torch.tensor([4.0, 8.0], requires_grad=True)
    g = gtn.from_arrays([0, 1, 2], [1, 2, 3], [0, 1, -1], final=3, symbols=symbols, penalties=p)
    g = g.with_data(which=np.array([1, 2, 3]), image=torch.tensor([[1.0], [2.0], [3.0]]))
    part = gtn.from_arrays([0, 1], [1, 2], [0, 1], final=2, symbols=gtn.SymbolTable("bc"))
    part = part.with_penalties(q).with_data(which=np.array([7, 8]))
    made = gtn.replace(g, {"X": part})
    assert made.isymbols.decode(made.ilabels) == ["a", "ε", "b", "c", "ε", "ε"]
    assert made.penalties.tolist() == [0.5, 1.0, 4.0, 8.0, 0.0, 2.0]
    assert made.data["which"].tolist() == [1, 2, 7, 8, 0, 3]
    assert made.data["image"].ravel().tolist() == [1, 2, 0, 0, 0, 3]
    (sources,) = made.sources
    assert sources.index.tolist() == [0, 1, -1, -1, -1, 2]
    gradients = torch.autograd.grad(gtn.forward_penalty(made), (p, q))
    assert all((gradient == 1).all() for gradient in gradients)
    with pytest.raises(GraphError, match="suffixes are for a batch"):
        gtn.replace(g, {"X": part}, suffixes=("1", "2"))
    with pytest.raises(DataError, match="which"):
        gtn.replace(g, gtn.GraphBatch.from_graphs([part, part, part]))


def test_tables_are_joined_and_both_sides_are_told_apart():
    root = gtn.from_arcs([(0, 1, "x", "Z"), (1, 2, "N", "N", 0.5)], final=2)
    digit = gtn.from_arcs([(0, 1, "1", "one"), (0, 1, "2", "two")], final=1)
    made = gtn.replace(root, {"N": digit})
    assert sorted(gtn.path_text(gtn.n_best(made, 5))) == ["Zone", "Ztwo"]
    assert sorted(gtn.path_text(gtn.n_best(made, 5), "input")) == ["x1", "x2"]
    other = {"N": digit, "UNUSED": gtn.string(["UNUSED", "1"])}
    with pytest.raises(GraphError, match="the graph of 'UNUSED' has 'UNUSED' in it"):
        gtn.replace(gtn.string(["N", "UNUSED"]), other)
    assert_equivalent(gtn.replace(root, other).double(), made.double())


def test_epsilons_stay_and_a_label_may_stand_for_nothing():
    g = gtn.from_arcs([(0, 1, None), (1, 2, 0), (0, 2, 1)], final=2)
    assert gtn.equal(gtn.replace(g, {7: gtn.string([3])}), g)
    assert gtn.equal(gtn.replace(g, {}), g)
    gone = gtn.replace(g, {0: gtn.empty()})
    assert gtn.equal(gtn.connect(gone), gtn.string([1]))


def test_what_cannot_be_replaced_is_told():
    g = gtn.string(["a", "X"])
    part = gtn.string(["Y", "b"])
    with pytest.raises(GraphError, match=r"the graph of 'X' has 'Y' has 'X' in it: .* no end"):
        gtn.replace(g, {"X": part, "Y": gtn.string(["c", "X"])})
    with pytest.raises(GraphError, match=r"the graph of 'X' has 'X' in it"):
        gtn.replace(g, {"X": gtn.string(["X"])})
    with pytest.raises(SymbolError, match="'NAME' is in no graph: the input symbols of all are"):
        gtn.replace(g, {"NAME": part})
    with pytest.raises(SymbolError, match="'X' is a symbol, but the graphs have no input symbols"):
        gtn.replace(gtn.string([1]), {"X": gtn.string([2])})
    with pytest.raises(GraphError, match=r"arc 1 of the graph \(X:b\) has 'X' on one side only"):
        gtn.replace(gtn.relabel(g, olabels={"X": "b"}), {"X": part})
    with pytest.raises(GraphError, match=r"arc 0 of the graph of 'X' \(Y:c\) has 'Y' on one side"):
        gtn.replace(g, {"X": gtn.relabel(part, olabels={"Y": "c"}), "Y": gtn.string("d")})
    with pytest.raises(GraphError, match="'X' stands for a batch"):
        gtn.replace(g, {"X": gtn.strings(["a"])})
    with pytest.raises(GraphError, match="a graph is needed, not str"):
        gtn.replace(g, {"X": "b"})
    for key in (-1, None, True, 1.0, 2**31, 2**70):
        with pytest.raises(GraphError, match="cannot be replaced: it is neither a symbol"):
            gtn.replace(g, {key: part})
    other = g.with_symbols(g.isymbols, gtn.SymbolTable(["X", "a"]))
    for graph in (g, other):
        with pytest.raises(SymbolError, match=r"label 5 is not in SymbolTable\(4: a X Y b\)"):
            gtn.replace(graph, {"X": part, 5: part})
    both = "the graph has input symbols and the graph of 'X' has none; give .* with_symbols$"
    with pytest.raises(SymbolError, match=both):
        gtn.replace(g, {"X": gtn.string([1])})
    with pytest.raises(SymbolError, match="the graph of 1 has input symbols and the graph has"):
        gtn.replace(gtn.string([1]), {1: part})
    with pytest.raises(GraphError, match="both as symbol and as number"):
        gtn.replace(g, {"X": part, 1: part})
    backs = gtn.from_arcs([(0, 1, "X"), (0, 2, gtn.BACK_OFF), (2, 1, "a")], final=1)
    with pytest.raises(GraphError, match=r"the graph.*failure arc"):
        gtn.replace(backs, {"X": part})


def test_graphs_may_be_nested_deeper_than_calls():
    depth = 3000
    whole = gtn.replace(gtn.string([0]), {i: gtn.string([i + 1]) for i in range(depth)})
    assert gtn.path_text(gtn.viterbi_path(whole)) == str(depth)


def test_too_many_graphs_are_refused_before_memory_is_taken():
    """Each label has the next one twice, 2^1000 graphs: they were made until memory ran out."""
    twice = {i: gtn.string([i + 1, i + 1]) for i in range(1000)}
    assert gtn.replace(gtn.string([990]), twice).num_arcs == 2**10 + 2 * (2**10 - 1)
    with pytest.raises(GraphError, match=r"\d+ nodes and \d+ arcs are too many for one graph"):
        gtn.replace(gtn.string([0]), twice)
