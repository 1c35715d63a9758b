"""Connectionist temporal classification, compared with torch's and with all class sequences."""

import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_problems import AB, collapsed, double, log_sum
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError
from gtn.nn import ASGLoss, CTCLoss, MMILoss, ctc_graphs, ctc_topology
from gtn.testing import assert_equivalent


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
