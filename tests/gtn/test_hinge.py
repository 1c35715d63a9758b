"""The hinge loss, compared with all paths."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import AB, NEAR, double, held_letters
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError
from gtn.nn import DiscriminativeViterbiLoss, HingeLoss
from gtn.testing import graphs, paths


def errors(text, target):
    return sum(a != b for a, b in zip(text, target)) + abs(len(text) - len(target))


@given(
    graphs(penalties=NEAR, epsilons=True, acceptor=False),
    st.sampled_from([0.0, 0.5, 2.0]),
    st.data(),
)
@settings(max_examples=200)
def test_hinge_is_that_of_all_paths(graph, margin, data):
    found = [(p.penalty, p.outputs) for p in paths(graph)]
    written = sorted({text for _, text in found})
    anything = st.lists(st.integers(0, 2), max_size=3).map(tuple)
    target = data.draw(st.sampled_from(written) | anything if written else anything)
    correct = [penalty for penalty, text in found if text == target]
    value = HingeLoss(margin=margin, infeasible="infinity")(graph, target)
    if not correct:
        assert value == math.inf
        return
    rival = min(penalty - margin * errors(text, target) for penalty, text in found)
    assert value.item() == pytest.approx(min(correct) - rival, abs=1e-9)
    assert value >= 0
    if margin == 0:
        assert value == DiscriminativeViterbiLoss()(graph, target)


def test_hinge_to_second_order():
    torch.manual_seed(0)  # away from ties
    penalties, rules = double(4, 2), held_letters().penalties.detach().clone().requires_grad_()

    def value(penalties, rules):
        graph = gtn.linear(penalties, symbols=AB)
        return 2.0 * HingeLoss(held_letters().with_penalties(rules), margin=0.75)(graph, "ab")

    assert value(penalties, rules) > 0
    assert gradcheck(value, [penalties, rules])
    assert gradgradcheck(value, [penalties, rules])


@pytest.mark.parametrize("table", ["xyz", "yxz", "zyx", "yx"])
def test_hinge_where_the_grammar_numbers_its_symbols_in_another_way(table):
    graph = gtn.linear(torch.tensor([[0.5, 0.75, 0.25]]), symbols=gtn.SymbolTable("xyz"))
    grammar = gtn.Graph.from_arcs(
        [(0, 1, "x", 0.25), (0, 1, "y", 3.5)], final=1, symbols=gtn.SymbolTable(table)
    )
    # x costs 0.75 and y 4.25; the other one makes one error.
    assert [HingeLoss(grammar)(graph, target).item() for target in "xy"] == [0.0, 4.5]


def test_hinge_of_an_acceptor_with_a_symbol_that_the_graph_lacks():
    graph = gtn.linear(torch.zeros(2, 2), symbols=AB)
    for target in ("ac", "ca", "aca"):  # as for the text
        for same in (target, gtn.string(target)):
            assert HingeLoss(infeasible="infinity")(graph, same) == math.inf
            with pytest.raises(InfeasibleTargetError, match="no path spells the target"):
                HingeLoss()(graph, same)
    batch = gtn.GraphBatch.from_graphs([graph, graph])
    loss = HingeLoss(infeasible="skip", reduction="none")
    assert loss(batch, gtn.strings(["ac", "aa"])).tolist() == [0, 2]
    assert loss.skipped == 1


def test_hinge_of_a_batch_with_a_grammar_and_symbols():
    torch.manual_seed(0)
    batch = gtn.GraphBatch.from_graphs(
        [gtn.linear(torch.randn(n, 2, dtype=torch.float64), symbols=AB) for n in (3, 2, 1)]
    )
    leaf = batch.penalties.detach().clone().requires_grad_()
    batch = batch.with_penalties(leaf)
    targets = ["ab", [1], gtn.string("b")]
    loss = HingeLoss(held_letters(), margin=1.5, reduction="none")
    values = loss(batch, targets)
    alone = [HingeLoss(held_letters(), margin=1.5)(g, t) for g, t in zip(batch, targets)]
    torch.testing.assert_close(values, torch.stack(alone))
    (gradient,) = torch.autograd.grad(2.0 * values.sum(), leaf)
    assert set(gradient.tolist()) <= {-2.0, 0.0, 2.0}
    either = gtn.Graph.from_arcs([(0, 1, "a"), (0, 1, "b")], final=1, symbols=AB)
    with pytest.raises(GraphError, match="not a single path; viterbi_path and n_best"):
        HingeLoss()(batch[2], either)
    with pytest.raises(ValueError, match="margin=-1"):
        HingeLoss(margin=-1)
    assert HingeLoss(infeasible="skip")(batch[2], "z") == 0
    loss = HingeLoss(infeasible="skip", reduction="none")
    torch.testing.assert_close(loss(batch, ["abb", "z", "b"])[[0, 2]], torch.stack(
        [HingeLoss()(batch[0], "abb"), HingeLoss()(batch[2], "b")]
    ))  # fmt: skip
    assert loss.skipped == 1
    assert HingeLoss(reduction="none")(batch[:0], []).shape == (0,)
