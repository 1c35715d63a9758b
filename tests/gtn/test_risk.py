"""The expected risk, compared with all paths."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import AB, LETTERS_TWICE, NEAR, edits, held_letters, log_sum
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError, SymbolError
from gtn.nn import DiscriminativeForwardLoss, ExpectedRiskLoss, edit_distances
from gtn.testing import graphs, paths


@given(
    graphs(penalties=NEAR, epsilons=True, acceptor=False),
    st.lists(st.integers(0, 2), max_size=3),
    st.booleans(),
)
@settings(max_examples=150)
def test_expected_risk_is_that_of_all_paths(graph, target, distinct):
    found = [(p.penalty, p.outputs) for p in paths(graph)]
    if distinct:
        found = [(min(p for p, text in found if text == one), one) for one in {t for _, t in found}]
    loss = ExpectedRiskLoss(count=1000, distinct=distinct, infeasible="infinity")
    value = loss(graph, target)
    if not found:
        assert value == math.inf
        return
    total = log_sum([p for p, _ in found])
    expected = sum(math.exp(total - p) * edits(text, tuple(target)) for p, text in found)
    assert value.item() == pytest.approx(expected, abs=1e-9)


def test_expected_risk_is_of_strings_unless_paths_are_asked_for():
    graph = gtn.linear(torch.zeros(1, 2)) | gtn.string([0])
    assert ExpectedRiskLoss()(graph, [1]) == ExpectedRiskLoss(distinct=True)(graph, [1]) == 0.5
    assert ExpectedRiskLoss(distinct=False)(graph, [1]).item() == pytest.approx(2 / 3)


def test_expected_risk_has_the_gradient_of_its_shares():
    torch.manual_seed(0)
    graph = gtn.linear(torch.randn(3, 2, dtype=torch.float64), symbols=AB)
    loss = ExpectedRiskLoss(held_letters(), count=8)

    def value(penalties):
        return 3.0 * loss(graph.with_penalties(penalties), "ab")

    leaf = graph.penalties.detach().clone().requires_grad_()
    assert gradcheck(value, leaf)
    assert gradgradcheck(value, leaf)


def test_expected_risk_of_a_batch_and_other_risks():
    graphs = [gtn.linear(torch.randn(n, 2), symbols=AB) for n in (1, 2, 3)]
    batch = gtn.GraphBatch.from_graphs(graphs)
    wrong = ExpectedRiskLoss(
        count=100,
        risk=lambda found, target: [float(not np.array_equal(x, target)) for x in found],
        reduction="none",
    )
    targets = ["a", [0, 1], gtn.string("bbb")]
    values = wrong(batch, targets)
    for value, graph, target in zip(values, graphs, targets):
        torch.testing.assert_close(value, 1 - (-DiscriminativeForwardLoss()(graph, target)).exp())
    some = ExpectedRiskLoss(count=3, reduction="none", infeasible="infinity")
    nothing = gtn.GraphBatch.from_graphs([graphs[2], gtn.empty(symbols=AB), graphs[0]])
    values = some(nothing, ["abb", "a", "b"])
    assert values[1] == math.inf
    torch.testing.assert_close(values[0], some(graphs[2], "abb"))
    torch.testing.assert_close(values[2], some(graphs[0], "b"))
    for target, shown in (("zz", "z"), (["aa"], "aa"), (gtn.string("az"), "z")):
        with pytest.raises(SymbolError, match=f"has the symbol '{shown}', which is not in"):
            ExpectedRiskLoss(count=4)(graphs[1], target)
    with pytest.raises(GraphError, match=r"has 0.5; labels are integers"):
        ExpectedRiskLoss(count=4)(graphs[1], [0.5])
    for target in ("ab", gtn.string("b")):
        with pytest.raises(GraphError, match="has symbols, but the graph's output has no table"):
            ExpectedRiskLoss()(gtn.linear(torch.zeros(1, 2)), target)
    with pytest.raises(GraphError, match="a batch of 3 graphs needs a list of as many"):
        wrong(batch, ["a"])


@pytest.mark.parametrize("table", ["xy", "yx", "zyx"])
def test_risks_are_of_labels_as_the_grammar_numbers_them(table):
    graph = gtn.linear(torch.tensor([[0.0, 0.0, 9.0]]), symbols=gtn.SymbolTable("xya"))
    symbols = gtn.SymbolTable(table)
    grammar = gtn.Graph.from_arcs([(0, 1, "x"), (0, 1, "y", math.log(3))], final=1, symbols=symbols)
    seen = []

    def risk(found, target):
        seen.append([symbols.decode(row) for row in (*found, target)])
        return edit_distances(found, target)

    # x three times out of four: what is not x carries the risk of y, and the other way round.
    for target, expected in (("x", 0.25), ("y", 0.75)):
        for same in (target, symbols.encode(target).tolist(), gtn.string(target)):
            value = ExpectedRiskLoss(grammar, risk=risk)(graph, same)
            assert value.item() == pytest.approx(expected)
            assert seen.pop() == [["x"], ["y"], [target]]
    if "z" in table:  # which the graph does not have
        assert ExpectedRiskLoss(grammar)(graph, "z") == 1


@pytest.mark.parametrize("risks", [[1.0], [[1.0], [2.0]], [1.0, math.inf], [math.nan, 0.0]])
def test_risks_are_a_finite_number_for_each_path(risks):
    loss = ExpectedRiskLoss(count=2, risk=lambda found, target: risks, infeasible="skip")
    with pytest.raises(GraphError, match="risks of 2 paths must be as many"):
        loss(gtn.linear(torch.zeros(1, 2)), [0])


def test_expected_risk_without_a_path():
    batch = gtn.GraphBatch.from_graphs([gtn.empty(), gtn.string([1])])
    with pytest.raises(InfeasibleTargetError, match=r"sample 0 \(\[1\]\)"):
        ExpectedRiskLoss()(batch, [[1], [1, 2]])
    loss = ExpectedRiskLoss(infeasible="skip")
    assert loss(batch, [[1], [1, 2]]) == 1
    assert loss.skipped == 1
    assert ExpectedRiskLoss(reduction="none")(batch[:0], []).shape == (0,)


def test_a_label_that_the_table_of_the_risk_lacks_is_no_error_of_a_path():
    with pytest.raises(SymbolError, match=r"target \[5\] has label 5, which is not in"):
        gtn.nn.ExpectedRiskLoss()(LETTERS_TWICE, [5])
