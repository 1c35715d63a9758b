"""The worked examples of the paper: Fig. 20 (section VI) and Fig. 28 (section VIII)."""

import math

import pytest
import torch

import gtn
from gtn.testing import paths

DIGITS = gtn.SymbolTable("0123456789")
FIG20 = [
    # src, dst, label, penalty; gradient of E_dvit (as drawn) and of E_dforw
    (0, 1, "3", 0.1, 0, +0.1159),
    (0, 1, "5", 2.3, 0, -0.0973),
    (1, 2, "4", 0.4, -1, -0.3639),
    (1, 2, "2", 1.3, 0, -0.1479),
    (2, 3, "1", 0.1, -1, -0.4876),
    (2, 3, "4", 2.4, 0, -0.0428),
    (0, 2, "3", 3.4, 0, -0.0120),
    (0, 2, "4", 4.4, 0, -0.0066),
    (1, 3, "4", 0.6, +1, +0.6947),
    (1, 3, "9", 1.2, 0, -0.1642),
]


def fig20(dtype=torch.float64):
    penalties = torch.tensor([arc[3] for arc in FIG20], dtype=dtype, requires_grad=True)
    arcs = [arc[:3] for arc in FIG20]
    return gtn.Graph.from_arcs(arcs, final=3, penalties=penalties, symbols=DIGITS)


def test_fig_20_has_16_paths_and_the_best_reads_341():
    graph = fig20()
    assert len(paths(graph)) == 16
    assert gtn.path_text(gtn.viterbi_path(graph)) == "341"
    assert gtn.viterbi_penalty(graph).item() == pytest.approx(0.6)
    assert gtn.forward_penalty(graph).item() == pytest.approx(-0.611520, abs=5e-7)


def test_fig_20_constrained_to_34():
    constrained = fig20() @ gtn.string("34", symbols=DIGITS, dtype=torch.float64)
    found = sorted(zip((constrained.symbol_pair(a) for a in range(4)), constrained.penalties))
    assert constrained.num_arcs == 4
    assert [(text, round(penalty.item(), 6)) for text, penalty in found] == [
        ("3", 0.1), ("3", 3.4), ("4", 0.6), ("4", 2.4)]  # fmt: skip
    assert gtn.path_text(gtn.viterbi_path(constrained)) == "34"
    assert gtn.viterbi_penalty(constrained).item() == pytest.approx(0.7)
    assert gtn.forward_penalty(constrained).item() == pytest.approx(0.693922, abs=5e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fig_20_discriminative_viterbi(dtype):
    graph = fig20(dtype)
    loss = gtn.nn.DiscriminativeViterbiLoss()(graph, "34")
    loss.backward()
    assert loss.item() == pytest.approx(0.1, abs=1e-6)
    assert graph.penalties.grad.tolist() == [arc[4] for arc in FIG20]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fig_20_discriminative_forward(dtype):
    graph = fig20(dtype)
    loss = gtn.nn.DiscriminativeForwardLoss()(graph, "34")
    loss.backward()
    assert loss.item() == pytest.approx(1.305441, abs=6e-7)
    assert math.exp(-loss.item()) == pytest.approx(0.271053, abs=6e-7)
    assert graph.penalties.grad.tolist() == pytest.approx([arc[5] for arc in FIG20], abs=5.1e-5)


def test_fig_20_gradient_is_a_difference_of_posteriors():
    graph = fig20()
    constrained = graph @ gtn.string("34", symbols=DIGITS, dtype=torch.float64)
    expected = -gtn.arc_posteriors(graph).detach()
    correct = torch.tensor(constrained.sources[0].index, dtype=torch.int64)
    expected.index_add_(0, correct, gtn.arc_posteriors(constrained).detach())
    gtn.nn.DiscriminativeForwardLoss()(graph, "34").backward()
    torch.testing.assert_close(graph.penalties.grad, expected, rtol=0, atol=1e-12)


def test_fig_20_non_discriminative_losses():
    graph = fig20()
    loss = gtn.nn.ViterbiLoss()(graph, "34")
    loss.backward()
    assert loss.item() == pytest.approx(0.7)
    assert graph.penalties.grad.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert gtn.nn.ForwardLoss()(graph, "34").item() == pytest.approx(0.693922, abs=5e-7)


def fig28():
    recognized = gtn.Graph.from_arcs(
        [(0, 1, "c", 0.4), (0, 1, "o", 1.0), (0, 1, "d", 1.8),
         (1, 2, "a", 0.2), (1, 2, "u", 0.8), (1, 2, "x", 0.1),
         (2, 3, "p", 0.2), (2, 3, "t", 0.8)], final=3, dtype=torch.float64)  # fmt: skip
    lexicon = gtn.Graph.from_arcs(
        [(0, 1, "b"), (1, 2, "a"), (2, 3, "r"), (0, 4, "c"), (4, 5, "a"), (5, 3, "p"),
         (5, 3, "t"), (5, 3, "r"), (4, 6, "u"), (6, 3, "t"), (6, 7, "r"), (7, 3, "e")],
        final=3, dtype=torch.float64)  # fmt: skip
    return recognized, lexicon


def test_fig_28_the_lexicon_leaves_three_words():
    recognized, lexicon = fig28()
    interpretation = recognized @ lexicon
    words = gtn.n_best(interpretation, 10)
    assert gtn.path_text(words) == ["cap", "cat", "cut"]
    assert gtn.viterbi_penalty(words).tolist() == pytest.approx([0.8, 1.4, 2.0])
    # Without the lexicon the best reading is not a word.
    assert gtn.path_text(gtn.viterbi_path(recognized)) == "cxp"


def test_fig_28_as_transformers_in_a_row():
    recognized, lexicon = fig28()
    reader = torch.nn.Sequential(gtn.nn.Compose(lexicon), gtn.nn.BestPath())
    assert gtn.path_text(reader(recognized)) == "cap"
    loss = gtn.nn.DiscriminativeForwardLoss(lexicon)(recognized, "cat")
    every = sum(math.exp(-p) for p in (0.8, 1.4, 2.0))
    assert loss.item() == pytest.approx(1.4 + math.log(every))
    assert gtn.nn.DiscriminativeViterbiLoss(lexicon)(recognized, "cut").item() == pytest.approx(1.2)
