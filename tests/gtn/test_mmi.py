"""Maximum mutual information: the discriminative forward loss of a lattice."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import AB, NEAR, double, held_letters
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError
from gtn.nn import DiscriminativeForwardLoss, Learned, MMILoss
from gtn.testing import graphs, paths

DENOMINATORS = graphs(penalties=NEAR, acceptor=False, acyclic=False, labels=2)


@given(DENOMINATORS, st.integers(0, 3), st.integers(0, 100))
@settings(max_examples=100)
def test_mmi_is_the_discriminative_forward_loss_of_the_lattice(denominator, frames, seed):
    torch.manual_seed(seed)
    emissions = double(frames, 2)
    whole = gtn.compose(gtn.linear(emissions.detach()), denominator)
    strings = sorted({p.outputs for p in paths(whole)})
    for target in [*strings[:2], (0, 1, 1, 0, 0, 1)]:
        results = []
        for loss, entry in ((MMILoss, emissions), (DiscriminativeForwardLoss, None)):
            learned = Learned(denominator)
            value = loss(learned, infeasible="infinity")(
                gtn.linear(emissions) if entry is None else entry, list(target)
            )
            value.backward()
            results.append([value.detach(), emissions.grad, learned.penalties.grad])
            emissions.grad = None
        assert (results[0][0] == math.inf) == (target not in strings)
        for found, wanted in zip(*results):
            zero = torch.zeros(())
            torch.testing.assert_close(
                *torch.broadcast_tensors(
                    *(zero if part is None else part for part in (found, wanted))
                ),
                check_dtype=False, rtol=1e-10, atol=1e-9,
            )  # fmt: skip


def test_mmi_to_second_order():
    torch.manual_seed(0)
    graph = held_letters()

    def value(emissions, penalties):
        loss = MMILoss(graph.with_penalties(penalties))
        return 2.0 * loss(emissions, ["ab", "b"], lengths=[3, 2])

    inputs = [double(2, 3, 2), graph.penalties.detach().clone().requires_grad_()]
    assert gradcheck(value, inputs)
    assert gradgradcheck(value, inputs)


def test_mmi_of_a_batch_and_of_recognition_graphs():
    torch.manual_seed(0)
    emissions, lengths = double(3, 4, 2), [4, 2, 3]
    targets = ["ab", [1], gtn.string("a")]
    loss = MMILoss(held_letters(), reduction="none")
    values = loss(emissions, targets, lengths=lengths)
    for b, target in enumerate(targets):
        rows = emissions[b, : lengths[b]]
        alone = MMILoss(held_letters())
        torch.testing.assert_close(values[b], alone(rows, target))
        torch.testing.assert_close(
            values[b], alone(gtn.linear(rows, symbols=AB), target), rtol=1e-10, atol=1e-12
        )
    assert MMILoss(held_letters())(emissions.float(), targets).dtype == torch.float32
    shares = torch.stack(
        [(-MMILoss(held_letters())(emissions[0], t)).exp() for t in ("a", "b", "ab")]
    )
    assert shares.sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize("classes", [1, 3])
def test_mmi_of_other_classes_than_the_denominator_reads(classes):
    with pytest.raises(GraphError, match=f"of {classes} classes, but .* reads those of 2"):
        MMILoss(held_letters())(torch.zeros(4, classes), "ab")
    without = held_letters().with_symbols(None)  # then a class that no arc reads is not an error
    if classes == 1:
        with pytest.raises(GraphError, match=r"of 1 classes, but .* reads those of 2"):
            MMILoss(without)(torch.zeros(4, classes), [0, 1])
    else:
        assert MMILoss(without)(torch.zeros(4, classes), [0, 1]).isfinite()


@pytest.mark.parametrize(("targets", "count"), [(["ab", "a"], "2"), ("ab", "one")])
def test_mmi_of_other_targets_than_there_are_emissions(targets, count):
    message = rf"of 4, .* \[4, 3, 2\], \[B, T, C\], needs .* targets, not {count}"
    with pytest.raises(GraphError, match=message):
        MMILoss(held_letters())(torch.zeros(4, 3, 2), targets)


def test_mmi_without_a_path_on_either_side():
    emissions = double(2, 3, 2)
    none = gtn.Graph.from_arcs([(0, 1, "a")], final=1, symbols=AB)  # one frame only
    for target in ("b", "a"):
        with pytest.raises(InfeasibleTargetError):
            MMILoss(none)(emissions, [target, target])
        loss = MMILoss(none, infeasible="skip")
        value = loss(emissions, [target, target])
        assert (value, loss.skipped) == (0, 2)
        assert (torch.autograd.grad(value, emissions)[0] == 0).all()
    message = r"sample 1 \('az'\), whose symbol 'z' is not in SymbolTable\(2: a b\)$"
    with pytest.raises(InfeasibleTargetError, match=message):
        MMILoss(held_letters())(emissions, ["a", "az"])
    message = r"sample 1 \(tensor\(.*\), whose label -100 has no symbol in SymbolTable\(2: a b\)$"
    with pytest.raises(InfeasibleTargetError, match=message):
        MMILoss(held_letters())(emissions, torch.tensor([[0, 1], [0, -100]]))


def test_the_back_off_symbol_is_no_class_of_a_denominator():
    table = gtn.SymbolTable(["x", "y", gtn.BACK_OFF])
    held = gtn.Graph.from_arcs([(0, 1, "x"), (0, 1, "y", 1.0)], final=1, symbols=table)
    right = gtn.nn.MMILoss(held.with_symbols(gtn.SymbolTable("xy")))
    frames = torch.tensor([[0.5, 0.25]])
    assert gtn.nn.MMILoss(held)(frames, "x") == right(frames, "x")


def test_a_step_does_not_list_the_table_of_a_denominator(monkeypatch):
    held = gtn.Graph.from_arcs(
        [(0, 1, "x"), (0, 1, "y", 1.0)], final=1, symbols=gtn.SymbolTable("xy")
    )
    loss, frames = gtn.nn.MMILoss(held), torch.tensor([[0.5, 0.25]])
    expected = loss(frames, "x")
    monkeypatch.setattr(gtn.SymbolTable, "labels", None)  # with 100,000 symbols, milliseconds
    assert loss(frames, "x") == expected
