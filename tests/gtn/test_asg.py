"""The automatic segmentation criterion, compared with the sum over all label sequences."""

import math
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_problems import asg, collapsed, double, log_sum
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError
from gtn.nn import ASGLoss


def asg_penalty(loss, emissions, row):
    total = sum(emissions[t, c].item() for t, c in enumerate(row))
    total += sum(loss.beginnings[c].item() for c in row[:1])
    return total + sum(loss.transitions[pair].item() for pair in pairwise(row))


@pytest.mark.parametrize("target", [(0,), (1, 0), (0, 2, 0), (2, 1, 2, 0)])
def test_asg_is_that_of_all_label_sequences(target):
    torch.manual_seed(0)
    loss, emissions = asg(3), double(4, 3)
    every = [asg_penalty(loss, emissions, row) for row in product(range(3), repeat=4)]
    cuts = [c for c in product(range(1, 5), repeat=len(target)) if sum(c) == 4]
    held = [[x for x, n in zip(target, c) for _ in range(n)] for c in cuts]
    correct = [asg_penalty(loss, emissions, row) for row in held]
    value = loss(emissions, target)
    assert value.item() == pytest.approx(log_sum(correct) - log_sum(every), abs=1e-10)


def test_asg_of_all_strings_without_repeats_sums_to_one():
    torch.manual_seed(1)
    loss, emissions = asg(3), double(4, 3)
    strings = {collapsed(row) for row in product(range(3), repeat=4)}
    total = sum(math.exp(-loss(emissions, text).item()) for text in strings)
    assert total == pytest.approx(1.0, abs=1e-10)


@given(st.lists(st.integers(0, 2), max_size=5), st.integers(0, 100))
@settings(max_examples=50)
def test_asg_is_never_negative(target, seed):
    torch.manual_seed(seed)
    loss = asg(3, infeasible="infinity")
    assert loss(double(5, 3, scale=5.0), collapsed(target)) >= -1e-12


def test_asg_takes_no_label_twice_in_a_row():
    message = "sample 0 has label 0 at positions 0 and 1, .* repeats by a label of their own"
    with pytest.raises(GraphError, match=message):
        ASGLoss(2)(torch.tensor([[0.0, 50.0]] * 4), [0, 0])
    with pytest.raises(GraphError, match="sample 2 has label 2 at positions 1 and 2"):
        asg(3)(double(4, 4, 3), [[0], [], [1, 2, 2], [2]])
    padded = torch.tensor([[1, 1, 1], [1, 0, 0]])  # no repeats within their lengths
    assert asg(3)(double(2, 4, 3), padded, target_lengths=[1, 2]).isfinite()
    torch.manual_seed(5)
    loss, emissions = asg(3, reduction="none"), double(2, 4, 3)
    in_one = loss(emissions, torch.tensor([1, 0, 2]), target_lengths=[1, 2])
    torch.testing.assert_close(in_one, loss(emissions, [[1], [0, 2]]))


def test_asg_learns_transitions_and_beginnings():
    torch.manual_seed(2)
    loss, emissions = asg(3, reduction="none"), double(2, 4, 3)
    names = ["transitions", "beginnings"]
    inputs = [emissions, *(getattr(loss, n).detach().clone().requires_grad_() for n in names)]

    def value(rows, *parameters):
        return torch.func.functional_call(
            loss, dict(zip(names, parameters)), (rows, [[1, 0], [2]]), {"lengths": [4, 2]}
        )

    assert gradcheck(value, inputs)
    assert gradgradcheck(value, inputs)
    assert [name for name, _ in loss.named_parameters()] == names


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_parameters_of_asg_in_half_precision_are_told_to_be_widened(dtype):
    with pytest.raises(GraphError, match=r"not torch\.b?float16; \.float\(\) widens them"):
        asg(3).to(dtype)(double(4, 3), [0, 1])


def test_asg_infeasible_targets():
    loss = asg(3, infeasible="infinity", reduction="none")
    emissions = double(4, 2, 3)
    values = loss(emissions, [[0], [], [0, 1, 2], [2, 1, 0]])
    assert values.isfinite().tolist() == [True, False, False, False]
    (gradient,) = torch.autograd.grad(values.sum(), emissions)
    assert (gradient[1:] == 0).all()
    assert gradient.isfinite().all()
    assert loss(emissions[0, :0], []) == 0
    with pytest.raises(InfeasibleTargetError, match="sample 0"):
        asg(3)(emissions[0], [])


@pytest.mark.parametrize("classes", [2, 5])
def test_asg_knows_how_many_classes_there_are(classes):
    with pytest.raises(GraphError, match="the 3 classes of this loss"):
        gtn.nn.ASGLoss(3)(torch.zeros(4, classes), [0, 1])
