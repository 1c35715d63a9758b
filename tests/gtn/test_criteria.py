"""The sequence criteria, compared with all class sequences, all paths, and torch's CTC."""

import math
from itertools import groupby, pairwise, product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError, SymbolError
from gtn.nn import (
    ASGLoss,
    CTCLoss,
    DiscriminativeForwardLoss,
    DiscriminativeViterbiLoss,
    ExpectedRiskLoss,
    HingeLoss,
    Learned,
    MMILoss,
    ctc_graphs,
    ctc_topology,
    edit_distances,
)
from gtn.testing import assert_equivalent, exact_penalties, graphs, paths

NEAR = exact_penalties(-3, 3)
AB = gtn.SymbolTable("ab")


def double(*shape, scale=1.0):
    return (torch.randn(*shape, dtype=torch.float64) * scale).requires_grad_()


def log_sum(penalties):
    return -torch.logsumexp(-torch.tensor([math.inf, *penalties], dtype=torch.float64), 0).item()


def collapsed(labels):
    return tuple(label for label, _ in groupby(labels))


# -- CTC -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ctc_is_that_of_torch(seed, dtype):
    torch.manual_seed(seed)
    count, frames, classes, blank = 7, 12, 4, seed % 4
    logits = (3 * torch.randn(count, frames, classes, dtype=dtype)).requires_grad_()
    letters = torch.tensor([c for c in range(classes) if c != blank])
    targets = letters[torch.randint(0, 3, (count, 7))]
    sizes = torch.randint(0, 8, (count,))
    sizes[0] = 0
    targets[1, :3] = letters[0]  # repeated labels
    lengths = torch.randint(0, frames + 1, (count,))
    lengths[1:4] = frames
    theirs, zeroed = (
        F.ctc_loss(F.log_softmax(logits.double(), -1).transpose(0, 1), targets, lengths, sizes,
                   blank=blank, reduction="none", zero_infinity=zero).to(dtype)
        for zero in (False, True)  # torch gives an infinite loss the gradient NaN
    )  # fmt: skip
    feasible = theirs.isfinite()
    assert feasible.sum() >= 3
    loss = CTCLoss(blank, infeasible="infinity", reduction="none")
    rows = [row[:n].tolist() for row, n in zip(targets, sizes)]
    tolerance = {"rtol": 1e-6, "atol": 3e-6} if dtype == torch.float32 else {
        "rtol": 1e-10, "atol": 1e-10,
    }  # fmt: skip
    upstream = torch.linspace(-1, 2, count, dtype=dtype)
    (wanted,) = torch.autograd.grad(zeroed @ upstream, logits)
    in_one = torch.cat([row[:n] for row, n in zip(targets, sizes)])
    for how in (
        {"targets": rows},
        {"targets": targets, "target_lengths": sizes},
        {"targets": in_one, "target_lengths": sizes},
    ):
        for emissions in (-logits, -F.log_softmax(logits, -1)):
            ours = loss(emissions, lengths=lengths, **how)
            torch.testing.assert_close(ours, theirs, **tolerance)
            (found,) = torch.autograd.grad(ours[feasible] @ upstream[feasible], logits)
            torch.testing.assert_close(found, wanted, **tolerance)
    ready = CTCLoss(blank, normalized=True, infeasible="infinity", reduction="none")
    torch.testing.assert_close(
        ready(-F.log_softmax(logits, -1), rows, lengths=lengths), theirs, **tolerance
    )


@pytest.mark.parametrize("target", [(), (1,), (1, 2), (1, 1), (2, 1, 2), (2, 2, 2)])
@pytest.mark.parametrize("frames", [0, 1, 3, 5])
def test_ctc_sums_over_all_class_sequences(target, frames):
    torch.manual_seed(len(target))
    logits = double(frames, 3, scale=2.0)
    emissions = -F.log_softmax(logits, -1)
    spelling = [
        sum(emissions[t, c].item() for t, c in enumerate(row))
        for row in product(range(3), repeat=frames)
        if tuple(c for c in collapsed(row) if c) == target
    ]
    value = CTCLoss(infeasible="infinity")(-logits, target)
    assert value.item() == pytest.approx(log_sum(spelling), abs=1e-10)
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient.isfinite().all()
    if not spelling:
        assert (gradient == 0).all()


def test_ctc_of_unnormalised_emissions_has_a_right_gradient():
    torch.manual_seed(0)
    emissions = double(2, 5, 3)

    def loss(rows):
        return CTCLoss(reduction="none")(rows, [[1, 1], [2]], lengths=[5, 3])

    assert gradcheck(loss, emissions)
    assert gradgradcheck(loss, emissions)
    assert (loss(emissions) > 0).all()
    torch.testing.assert_close(loss(emissions + 7), loss(emissions))


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", [(), (1,), (1, 3), (3, 3), (1, 1, 3)])
def test_the_ctc_graph_is_the_topology_composed_with_the_target(blank, target):
    assert ctc_topology(2, symbols=AB).isymbols is ctc_topology(2, symbols=AB).osymbols is AB
    composed = gtn.compose(ctc_topology(4, blank), gtn.string(list(target)))
    direct = ctc_graphs([target], blank)[0]
    assert_equivalent(composed, direct, max_length=5)


def test_ctc_graphs_are_a_batch_of_their_targets():
    targets = [[1, 1, 2], [], [3], [2, 2]]
    batch = ctc_graphs(targets)
    for one, target in zip(batch, targets, strict=True):
        assert gtn.equal(one, ctc_graphs([target])[0])
    padded = torch.tensor([[1, 1, 2], [0, 0, 0], [3, 0, 0], [2, 2, 0]])
    again = ctc_graphs(padded, target_lengths=torch.tensor([3, 0, 1, 2]))
    assert gtn.equal(again, batch)
    assert len(ctc_graphs([])) == 0


def test_forced_alignment_writes_the_target():
    torch.manual_seed(0)
    emissions, targets = torch.randn(3, 8, 4), [[1, 1, 2], [], [3, 1]]
    path = gtn.dense.viterbi_path(emissions, ctc_graphs(targets))
    assert [row.tolist() for row in gtn.path_labels(path)] == targets
    frames = gtn.dense.alignment(emissions, ctc_graphs(targets)).labels
    for row, target in zip(frames.tolist(), targets):
        assert [c for c in collapsed(row) if c] == target


def test_a_target_longer_than_its_frames_is_infeasible():
    emissions = double(4, 3, 3)
    targets = [[1, 2], [1, 2, 1, 2], [1, 1, 1], [2, 2, 1]]
    with pytest.raises(InfeasibleTargetError, match=r"sample 1 \(\[1, 2, 1, 2\]\), sample 2"):
        CTCLoss()(emissions, targets)
    alone = CTCLoss()(emissions[0], targets[0])
    for infeasible, expected in (("skip", alone), ("infinity", torch.tensor(math.inf))):
        loss = CTCLoss(infeasible=infeasible)
        value = loss(emissions, targets)
        torch.testing.assert_close(value, expected.to(value))
        assert loss.skipped == 3
        (gradient,) = torch.autograd.grad(value, emissions)
        assert gradient.isfinite().all()
        assert (gradient[1:] == 0).all()
        assert (gradient[0] != 0).any()


def test_ctc_forbidden_classes():
    emissions = double(2, 3)
    with torch.no_grad():
        emissions[1] = math.inf  # no class at all
    loss = CTCLoss(infeasible="infinity")
    value = loss(emissions, [1])
    assert value == math.inf
    (gradient,) = torch.autograd.grad(value, emissions)
    assert (gradient == 0).all()
    with torch.no_grad():
        emissions[1] = torch.tensor([math.inf, 0.0, 1.0])
    (gradient,) = torch.autograd.grad(loss(emissions, [1]), emissions)
    assert gradient.isfinite().all()
    assert gradient[1, 0] == 0


def test_ctc_of_twenty_thousand_frames_in_float32():
    torch.manual_seed(0)
    emissions = 20 * torch.rand(20_000, 3)
    emissions[:, 0] = 0.05  # nearly certain: a small difference of large penalties
    target = [1, 2, 1]
    exact = CTCLoss()(emissions.double(), target).item()
    value = CTCLoss()(emissions, target)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact, rel=1e-6)
    shifted = CTCLoss()(emissions.double() + 500.0, target).item()  # both sides are 10 million
    assert shifted == pytest.approx(exact, rel=1e-6)


def test_errors_of_ctc():
    emissions = torch.zeros(2, 3, 3)
    with pytest.raises(GraphError, match="target of sample 1 contains the blank, label 0"):
        CTCLoss()(emissions, [[1], [1, 0]])
    with pytest.raises(GraphError, match=r"target of sample 1 is \[-1\]"):
        CTCLoss()(emissions, [[1], [-1]])
    with pytest.raises(GraphError, match=r"target of sample 0 is \[1\.5\]"):
        CTCLoss()(emissions, [[1.5], [1]])
    with pytest.raises(GraphError, match=r"\[2, 3, 3\], .* with 1 targets; there are 2 samples"):
        CTCLoss()(emissions, [[1]])
    tensors = (torch.tensor([1, 2]), torch.ones(2, 1, 1, dtype=torch.int64))
    for targets in ([1, 2], [[[1]], [[2]]], [[[1], [2, 2]], [1]], *tensors):
        with pytest.raises(GraphError, match=r"sample 0 is .*, which is not a sequence of labels"):
            CTCLoss()(emissions, targets)
    with pytest.raises(GraphError, match=r"sample 0 is \[\[1\], \[2\]\], which is not a sequence"):
        CTCLoss()(emissions[0], [[1], [2]])
    with pytest.raises(GraphError, match="blank 3 is not one of 3 classes"):
        CTCLoss(3)(emissions, [[1], [2]])
    with pytest.raises(GraphError, match="3 target lengths for 2 targets"):
        CTCLoss()(emissions, torch.ones(2, 2, dtype=torch.int64), target_lengths=[1, 1, 1])
    with pytest.raises(GraphError, match="target 0 has length 3, but 2 labels"):
        CTCLoss()(emissions, torch.ones(2, 2, dtype=torch.int64), target_lengths=[3, 1])
    with pytest.raises(GraphError, match="with 1 targets; there are 2 samples"):
        CTCLoss()(emissions, torch.ones(3, dtype=torch.int64), target_lengths=[3])
    for lengths in ([1, 1], [2, 2], [4, -1]):
        with pytest.raises(GraphError, match="do not cut 3 labels"):
            CTCLoss()(emissions, torch.ones(3, dtype=torch.int64), target_lengths=lengths)
    with pytest.raises(InfeasibleTargetError, match=r"sample 1 \(array\(\[1, 1\]\)\)"):
        CTCLoss()(emissions[:, :2], torch.tensor([2, 1, 1]), target_lengths=[1, 2])
    recognized = gtn.linear(torch.zeros(2, 3))
    for loss in (CTCLoss(), ASGLoss(3)):
        with pytest.raises(GraphError, match=r"emissions must be a tensor of .*, not Graph"):
            loss(recognized, [1])
        with pytest.raises(GraphError, match=r"emissions must be \[T, C\] .* not of shape \[3\]"):
            loss(torch.zeros(3), [1])
    with pytest.raises(TypeError, match=r"the denominator is a graph .*, not None"):
        MMILoss(None)
    with pytest.raises(GraphError, match="blank -1 is not a class"):
        CTCLoss(-1)
    with pytest.raises(GraphError, match="blank 3 is not one of 3 classes"):
        ctc_topology(3, 3)


# -- ASG -----------------------------------------------------------------------------------------


def asg(classes, **options):
    loss = ASGLoss(classes, **options).double()
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return loss


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


@pytest.mark.parametrize("loss", [CTCLoss(), asg(3)], ids=["ctc", "asg"])
def test_what_would_be_right_for_wrong_targets_of_emissions(loss):
    emissions = torch.zeros(2, 4, 3)
    time_first = emissions.transpose(0, 1)
    with pytest.raises(GraphError, match=r"\[4, 2, 3\], \[B, T, C\], with 2 targets; .* 4 samples"):
        loss(time_first, [[1], [2]])
    for texts in (["ab", "c"], "ab"):
        with pytest.raises(GraphError, match=r"sample 0 is 'ab?'; labels .* table\.encode\(text\)"):
            loss(emissions, texts)
    with pytest.raises(GraphError, match=r"sample 1 is \['c', 'a'\]; .* table\.encode\(symbols\)"):
        loss(emissions, [[1], ["c", "a"]])
    padded = torch.tensor([[1, 2], [1, -100]])
    with pytest.raises(GraphError, match=r"sample 1 .*; rows are padded with -1, or target_length"):
        loss(emissions, padded)
    with pytest.raises(GraphError, match=r"sample 1 is tensor\(\[ +1, -100\]\)"):
        loss(emissions, torch.tensor([[1, -1], [1, -100]]))  # the first is padded correctly
    assert loss(emissions, padded, target_lengths=[2, 1]).isfinite()
    with pytest.raises(GraphError, match=r"integers >= 0 of 32 bits$"):
        loss(emissions, torch.tensor([[1.0], [2.0]]))
    for lengths in ([2, 1.5], torch.tensor([1.0, 2.0])):
        with pytest.raises(GraphError, match="target lengths are whole numbers, not float"):
            loss(emissions, torch.tensor([[1, 2], [1, 2]]), target_lengths=lengths)
        with pytest.raises(GraphError, match="target lengths are whole numbers, not float"):
            loss(emissions, torch.tensor([1, 2, 1]), target_lengths=lengths)
    for targets in (None, 1, torch.tensor(1)):
        with pytest.raises(GraphError, match="targets of a batch are a list or a tensor"):
            loss(emissions, targets)
    with pytest.raises(GraphError, match="float32 or float64, not ndarray"):
        loss(emissions.numpy(), [[1], [2]])
    assert loss(emissions, ([n] for n in (1, 2))) == loss(emissions, [[1], [2]])


@pytest.mark.parametrize(
    "loss", [CTCLoss(), asg(3), MMILoss(gtn.nn.ctc_topology(3))], ids=["ctc", "asg", "mmi"]
)
def test_minus_one_pads_the_rows_of_targets_of_every_loss(loss):
    emissions = torch.randn(3, 4, 3)
    rows = [[1, 2, 1], [2], [1, 2]]
    padded = torch.tensor([[1, 2, 1], [2, -1, -1], [-1, 1, 2]])
    for targets in (padded, padded.numpy(), padded.to(torch.int8)):
        assert loss(emissions, targets) == loss(emissions, rows)
    if isinstance(loss, CTCLoss):
        assert loss(emissions, torch.full((3, 1), -1)) == loss(emissions, [[], [], []])
    if not isinstance(loss, MMILoss):  # what the lengths count as a label is padding
        with pytest.raises(GraphError, match=r"sample 2 .*labels are integers >= 0"):
            loss(emissions, padded, target_lengths=[3, 1, 3])


def test_what_would_be_right_for_padding_by_the_blank():
    padded = torch.tensor([[1, 2], [1, 0]])
    with pytest.raises(GraphError, match=r"sample 1 contains the blank, label 0; rows are padded"):
        CTCLoss()(torch.zeros(2, 4, 3), padded)
    with pytest.raises(GraphError, match=r"the blank, label 0$"):
        CTCLoss()(torch.zeros(2, 4, 3), padded, target_lengths=[2, 2])


@pytest.mark.parametrize("blank", [1.0, "_", None])
def test_a_blank_is_a_whole_number(blank):
    for call in (
        CTCLoss,
        lambda blank: ctc_graphs([[2]], blank),
        lambda blank: ctc_topology(3, blank),
    ):
        with pytest.raises(GraphError, match=f"blank {blank!r} is not a class"):
            call(blank)


def test_a_blank_may_be_any_kind_of_whole_number():
    for blank in (torch.tensor(2), np.int64(2)):
        assert CTCLoss(blank)(torch.zeros(2, 3), [1]) == CTCLoss(2)(torch.zeros(2, 3), [1])


def test_normalized_emissions_that_are_none_are_told_by_a_loss_below_zero():
    torch.manual_seed(0)
    loss = CTCLoss(normalized=True)
    scores = torch.randn(2, 8, 3).log_softmax(-1)
    assert loss(-scores, [[1], [2]]) > 0
    assert loss(-(1e4 * scores).log_softmax(-1).bfloat16(), [[], []]).isfinite()
    assert loss(torch.zeros(1, 2, 1), [[]]) == 0  # a certainty
    with pytest.raises(GraphError, match=r"loss of sample 0 is -.*, with the minus"):
        loss(scores, [[1], [2]])
    with pytest.raises(GraphError, match=r"loss of sample 0 is -"):
        loss(scores[0], [1])


# -- numerator and denominator -------------------------------------------------------------------

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


def held_letters():
    """Each letter for one frame or more; after a comes b or nothing."""
    return gtn.Graph.from_arcs(
        [(0, 1, "a", "a", 0.5), (1, 1, "a", None), (0, 2, "b"), (1, 2, "b"), (2, 2, "b", None)],
        final=[1, 2], symbols=AB, dtype=torch.float64,
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


def test_a_text_in_the_place_of_its_words_is_told():
    graph = gtn.string(["the", "cat"])
    assert gtn.nn.ViterbiLoss()(graph, ["the", "cat"]) == 0
    hint = r"'t'.* not in SymbolTable.*; a text .* letter by letter, a list .* \['the', 'cat'\]$"
    with pytest.raises(InfeasibleTargetError, match=hint):
        gtn.nn.ViterbiLoss()(graph, "the cat")
    with pytest.raises(SymbolError, match=hint):
        ExpectedRiskLoss()(graph, "the cat")
    with pytest.raises(SymbolError, match=hint):
        gtn.string("the cat", symbols=graph.osymbols)
    for other in ("the dog", " ", ["the", "dog"]):
        with pytest.raises(SymbolError, match=r"SymbolTable\(2: the cat\)$"):
            gtn.string(other, symbols=graph.osymbols)
    with pytest.raises(InfeasibleTargetError, match=r"sample 0 \('a'\)$"):
        gtn.nn.ViterbiLoss()(gtn.string("b", symbols=gtn.SymbolTable("ab")), "a")


# -- hinge ---------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("table", ["x y z", "z y x", "x", "<backoff> x y"])
def test_a_target_with_failure_arcs_is_read_whatever_the_table(table):
    graph = gtn.Graph.from_arcs(
        [(0, 1, "x", 0.5), *[(0, 1, label, 0.75) for label in table.split() if label in "yz"]],
        final=1,
        symbols=gtn.SymbolTable(table.split()),
    ).double()
    target = gtn.Graph.from_arcs(
        [(0, 2, "x", 0.25), (0, 1, "<backoff>", 0.5), (1, 2, "x", 2.0), (1, 2, "y", 3.0)], final=2
    ).double()
    expected = gtn.forward_penalty(graph @ target)
    assert expected.item() == pytest.approx(log_sum([0.75, 4.25] if "y" in table else [0.75]))
    assert gtn.nn.ForwardLoss()(graph, target) == expected
    anything = gtn.closure(gtn.Graph.from_arcs([(0, 1, c) for c in "yx"], final=1)).double()
    assert gtn.nn.ForwardLoss(anything)(graph, target).item() == pytest.approx(expected.item())
    batch = gtn.GraphBatch.from_graphs([graph, graph])
    values = gtn.nn.ForwardLoss(reduction="none")(batch, [target, "x"])
    assert values.tolist() == [expected.item(), 0.5]


def test_infeasible_targets_that_come_one_by_one_are_named():
    graph = gtn.linear(torch.zeros(2, 2), symbols=AB)
    batch = gtn.GraphBatch.from_graphs([graph, graph])
    for loss in (DiscriminativeForwardLoss(), HingeLoss(), MMILoss(gtn.string("ab"))):
        with pytest.raises(InfeasibleTargetError, match=r"sample 1 \('b'\)"):
            loss(batch, (target for target in ["ab", "b"]))
    with pytest.raises(InfeasibleTargetError, match=r"sample 1 \('b'\)"):
        MMILoss(gtn.string("ab"))(torch.zeros(2, 2, 2), iter(["ab", "b"]))
    nothing = gtn.GraphBatch.from_graphs([graph, gtn.empty(symbols=AB)])
    with pytest.raises(InfeasibleTargetError, match=r"sample 1 \('b'\)"):
        ExpectedRiskLoss()(nothing, iter(["ab", "b"]))


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


# -- expected risk -------------------------------------------------------------------------------


def edits(a, b):
    if not a or not b:
        return len(a) + len(b)
    return min(
        edits(a[1:], b) + 1, edits(a, b[1:]) + 1, edits(a[1:], b[1:]) + (a[0] != b[0])
    )  # fmt: skip


@given(
    st.lists(st.lists(st.integers(0, 2), max_size=4), max_size=4),
    st.lists(st.integers(0, 2), max_size=4),
)
@settings(max_examples=100)
def test_edit_distances(rows, target):
    found = edit_distances(
        [np.array(row, dtype=np.int32) for row in rows], np.array(target, dtype=np.int32)
    )
    assert found.tolist() == [edits(row, target) for row in rows]


def alignments(found, target, i=0, j=0):
    """All alignments of found[i:] with target[j:], each as steps between positions of both."""
    if i == len(found) and j == len(target):
        yield []
    if i < len(found) and j < len(target):
        yield from ([(i, j), *rest] for rest in alignments(found, target, i + 1, j + 1))
    if j < len(target):
        yield from ([(-1, j), *rest] for rest in alignments(found, target, i, j + 1))
    if i < len(found):
        yield from ([(i, -1), *rest] for rest in alignments(found, target, i + 1, j))


@given(
    st.lists(st.integers(0, 2), max_size=4),
    st.lists(st.integers(0, 2), max_size=4),
)
@settings(max_examples=100)
def test_an_edit_alignment_is_the_chosen_one_of_the_best(found, target):
    def same(step):
        return min(step) >= 0 and found[step[0]] == target[step[1]]

    def rank(steps):  # the fewest edits; from the end, substitute, delete, insert
        kinds = [0 if min(step) >= 0 else 1 if step[0] < 0 else 2 for step in steps]
        return sum(not same(step) for step in steps), kinds[::-1]

    best = min(alignments(found, target), key=rank)
    aligned = gtn.nn.edit_alignment(found, target)
    assert [*zip(aligned.found.tolist(), aligned.target.tolist())] == best
    assert aligned.same.tolist() == [same(step) for step in best]
    assert (~aligned.same).sum() == edits(found, target)
    passed = [sum(j >= 0 for _, j in best[:k]) for k in range(len(best))]
    assert aligned.before.tolist() == passed


def test_an_edit_alignment_is_of_labels_words_and_texts():
    missing = gtn.nn.edit_alignment("sat", "seat")
    assert missing.found.tolist() == [0, -1, 1, 2]
    assert missing.target.tolist() == missing.before.tolist() == [0, 1, 2, 3]
    assert missing.same.tolist() == [True, False, True, True]
    assert gtn.nn.edit_alignment(["the", "cat"], ["the", "hat"]).same.tolist() == [True, False]
    labels = torch.tensor([1, 2]), np.array([2], dtype=np.int32)
    assert gtn.nn.edit_alignment(*labels).target.tolist() == [-1, 0]
    nothing = gtn.nn.edit_alignment("", "")
    assert nothing.found.dtype == nothing.target.dtype == nothing.before.dtype == np.int32
    assert len(nothing.same) == 0
    with pytest.raises(GraphError, match="stands where a label"):
        gtn.nn.edit_alignment(["ab"], torch.tensor([[1, 2]]))


@pytest.mark.parametrize(("classes", "blank"), [(1, 0), (2, 1), (4, 0), (4, 2)])
def test_a_compact_topology_has_the_same_paths_each_once(classes, blank):
    large = ctc_topology(classes, blank)
    compact = ctc_topology(classes, blank, compact=True)
    assert compact.num_arcs == 7 * classes - 4
    for length in range(5):
        every = gtn.linear(torch.zeros(length, classes))
        found, expected = every @ compact, every @ large
        # Each string is read in one way, so there are as many paths as strings.
        counts = [gtn.forward_penalty(g.double()).neg().exp().item() for g in (found, expected)]
        assert counts == pytest.approx([classes**length] * 2)
        for frames in product(range(classes), repeat=length):
            read = gtn.string(frames)
            written = [gtn.path_labels(gtn.viterbi_path(read, g)) for g in (compact, large)]
            assert written[0].tolist() == written[1].tolist()
    symbols = gtn.SymbolTable("abcd"[:classes])
    assert ctc_topology(classes, blank, symbols=symbols, compact=True).isymbols == symbols


def test_a_compact_topology_has_the_sums_of_the_large_one():
    torch.manual_seed(0)
    emissions = torch.randn(2, 9, 30, dtype=torch.float64)
    target = gtn.string([3, 3, 7])
    found, expected = (
        [
            gtn.dense.forward_penalty(emissions, g, lengths=[9, 5]),
            gtn.dense.viterbi_penalty(emissions, g),
            gtn.dense.forward_penalty(emissions, g @ target),
            gtn.dense.posteriors(emissions, g @ target),
        ]
        for g in (ctc_topology(30, compact=True), ctc_topology(30))
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_edit_distances_of_texts_words_and_mixed_rows():
    assert edit_distances(["kitten", "", "sitting"], "sitting").tolist() == [3, 7, 0]
    words = ["the", "cat", "sat"]
    assert edit_distances([words, ["cat"], []], ["the", "cat"]).tolist() == [1, 1, 2]
    rows = [np.array([1, 2]), torch.tensor([2, 1]), [2]]
    assert edit_distances(rows, np.array([2], dtype=np.int32)).tolist() == [1, 1, 0]
    assert edit_distances([np.array(["a", "b"])], "ab").tolist() == [0]
    assert edit_distances([], "ab").tolist() == []
    assert edit_distances([list(torch.tensor([1, 2]))], [1, 2]).tolist() == [0]
    with pytest.raises(GraphError, match=r"'ab' is one text; .* as in \['ab'\]"):
        edit_distances("ab", "ab")
    with pytest.raises(GraphError, match=r"'abc' is a text.* \['abd', 'x'\] .* pairs, take one"):
        edit_distances(["abc", "x"], ["abd", "x"])
    for count in (lambda a, b: edit_distances([a], b), gtn.nn.edit_alignment):
        for pair in (("the cat", ["the", "cat"]), (["the", "cat"], "the cat")):
            with pytest.raises(GraphError, match=r"'the cat' is a text.*text\.split\(\)"):
                count(*pair)
    assert edit_distances(["ab", ["a", "c"]], ["a", "b"]).tolist() == [0, 1]
    for rows in ([[1, 2], [1]], np.array([[1, 2]], dtype=np.int32), torch.tensor([[1, 2]])):
        with pytest.raises(
            GraphError, match=r"stands where a label .* of pairs take one at a time"
        ):
            edit_distances([np.array([1, 2], dtype=np.int32)], rows)


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


@pytest.mark.parametrize("label", [2**31, 2**32 - 1, 2**32 + 1, 2**40])
def test_labels_of_more_than_32_bits_are_no_labels(label):
    emissions = torch.rand(2, 4, 3)
    rows = [[1], [label]]
    for targets in (rows, torch.tensor(rows), np.array(rows, dtype=np.uint64)):
        for loss in (gtn.nn.CTCLoss(), gtn.nn.ASGLoss(3)):
            with pytest.raises(GraphError, match=r"target of sample 1 .* 32 bits"):
                loss(emissions, targets)
        with pytest.raises(GraphError, match=r"target of sample 1 .* 32 bits"):
            gtn.nn.ctc_graphs(targets)


@pytest.mark.parametrize("classes", [2, 5])
def test_asg_knows_how_many_classes_there_are(classes):
    with pytest.raises(GraphError, match="the 3 classes of this loss"):
        gtn.nn.ASGLoss(3)(torch.zeros(4, classes), [0, 1])


def test_epsilon_in_a_target_is_nothing():
    table = gtn.SymbolTable("ab")
    graph = gtn.linear(torch.rand(2, 2), symbols=table)
    found = [gtn.nn.DiscriminativeForwardLoss()(graph, t) for t in ("ab", [*"aεb"], [0, -1, 1])]
    assert found[0] == found[1] == found[2]
    for target in ("aεb", "ε"):
        with pytest.raises(GraphError, match=f"text '{target}' has 'ε'"):
            gtn.nn.DiscriminativeForwardLoss()(graph, target)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_emissions_of_half_precision_are_widened(dtype):
    torch.manual_seed(0)
    given = torch.randn(2, 5, 3).to(dtype).requires_grad_()
    held = gtn.from_arcs([(0, 0, 1), (0, 0, 2), (0, 0, 0, None)], final=0)
    for loss in (CTCLoss(), ASGLoss(3), MMILoss(held)):
        value = loss(given, [[1, 2], [2]])
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, loss(given.float(), [[1, 2], [2]]))
        (gradient,) = torch.autograd.grad(value, given)
        assert gradient.dtype == dtype
        assert gradient.isfinite().all()
    with torch.autocast("cpu", dtype=dtype):
        assert CTCLoss()(torch.nn.Linear(3, 3)(given.float()), [[1], [2]]).isfinite()
    with pytest.raises(GraphError, match=r"not torch\.b?float16; \.float\(\) widens them"):
        gtn.dense.forward_penalty(given, held)


@pytest.mark.parametrize("infeasible", ["raise", "skip", "infinity"])
def test_a_label_that_is_no_class_is_an_error_and_no_infeasible_target(infeasible):
    emissions = torch.zeros(2, 5, 3)
    for loss in (CTCLoss(infeasible=infeasible), ASGLoss(3, infeasible=infeasible)):
        with pytest.raises(GraphError, match="target of sample 1 has label 3, but there are 3"):
            loss(emissions, [[1, 2], [2, 3]])
        with pytest.raises(GraphError, match="target of sample 0 has label 7, but there are 3"):
            loss(emissions[0], [1, 7])


def test_a_loss_of_graphs_says_that_emissions_are_none():
    with pytest.raises(GraphError, match=r"takes a graph, not Tensor"):
        gtn.nn.DiscriminativeForwardLoss()(torch.zeros(2, 3), [0, 1])


@pytest.mark.parametrize("graphs_of", [ctc_graphs, ASGLoss(4).correct])
def test_graphs_of_targets_pass_the_checks_of_a_graph(graphs_of):
    batch = graphs_of([[1, 2], [], [3]])
    t = batch.topology
    checked = gtn.Topology(
        t.num_nodes, t.src, t.dst, t.ilabels, t.olabels, starts=t.starts, finals=t.finals,
        node_offsets=t.node_offsets, arc_offsets=t.arc_offsets,
    )  # fmt: skip
    assert checked.starts.tolist() == t.node_offsets[:-1].tolist()
    assert checked.batch_size == 3


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


LETTERS_TWICE = gtn.from_arcs(
    [(0, 1, "a", 0.5), (0, 1, "b", 1.0), (1, 2, "a")], final=2, symbols=AB
)


@pytest.mark.parametrize("criterion", [gtn.nn.ForwardLoss, gtn.nn.ExpectedRiskLoss])
def test_labels_of_targets_fit_32_bits(criterion):
    loss, plain = criterion(), gtn.linear(torch.zeros(2, 2))
    for wrong in (2**70, 2**31, -2, np.uint64(2**63 + 1)):
        with pytest.raises(GraphError, match=f"has label {wrong}"):
            loss(plain, [wrong])
        with pytest.raises(GraphError, match=f"label {wrong}"):  # which its table does not have
            loss(LETTERS_TWICE, [wrong])
    with pytest.raises(GraphError, match=r"has 1\.5"):
        loss(LETTERS_TWICE, [1.5])


def test_one_graph_has_one_target():
    """A batch of targets beside one graph gave the mean of their losses."""
    both = gtn.strings(["aa", "ba"], symbols=AB)
    with pytest.raises(GraphError, match="a batch of 2 targets beside one graph"):
        gtn.nn.ForwardLoss()(LETTERS_TWICE, both)
    with pytest.raises(GraphError, match="a batch of 2 targets beside one graph"):
        gtn.nn.MMILoss(LETTERS_TWICE)(torch.zeros(2, 2), both)
    for wrong in (torch.tensor(1), np.array(1)):
        with pytest.raises(GraphError, match="is not a text, sequence of labels"):
            gtn.nn.ForwardLoss()(LETTERS_TWICE, wrong)
        with pytest.raises(GraphError, match="needs a list of as many targets, not one"):
            gtn.nn.ForwardLoss()(gtn.GraphBatch.from_graphs([LETTERS_TWICE]), wrong)
        with pytest.raises(GraphError, match="targets are a list or a tensor of them"):
            gtn.nn.ctc_graphs(wrong)


def test_a_label_that_the_table_of_the_risk_lacks_is_no_error_of_a_path():
    with pytest.raises(SymbolError, match=r"target \[5\] has label 5, which is not in"):
        gtn.nn.ExpectedRiskLoss()(LETTERS_TWICE, [5])


def test_symbols_are_not_compared_with_labels():
    for found, target in (("ab", [0, 1]), (["a", "b"], torch.tensor([0, 1])), ([0], ["a"])):
        with pytest.raises(GraphError, match="symbols are compared with labels"):
            gtn.nn.edit_distances([found], target)
        with pytest.raises(GraphError, match="symbols are compared with labels"):
            gtn.nn.edit_alignment(found, target)
    assert gtn.nn.edit_distances(["ab", ""], [])[0] == 2
    assert gtn.nn.edit_distances([[None, "a"]], ["a", "a"]) == [1]
    for wrong in (3, None, torch.tensor(3), LETTERS_TWICE):
        with pytest.raises(GraphError, match="is not a string; a string is a text"):
            gtn.nn.edit_alignment("ab", wrong)
        with pytest.raises(GraphError, match="is not a list of strings"):
            gtn.nn.edit_distances(wrong, "ab")
    with pytest.raises(GraphError, match="stands where a label or symbol should"):
        gtn.nn.edit_distances([gtn.GraphBatch.from_graphs([LETTERS_TWICE])], [0])
