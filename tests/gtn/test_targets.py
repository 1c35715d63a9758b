"""Targets of all criteria: what they may be, and what is said of those that are wrong."""

import numpy as np
import pytest
import torch
from small_problems import AB, LETTERS_TWICE, asg, log_sum

import gtn
from gtn.errors import GraphError, InfeasibleTargetError, SymbolError
from gtn.nn import (
    ASGLoss,
    CTCLoss,
    DiscriminativeForwardLoss,
    ExpectedRiskLoss,
    HingeLoss,
    MMILoss,
    ctc_graphs,
)


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
