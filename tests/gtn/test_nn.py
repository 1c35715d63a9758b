"""Graph transformers and the four criteria, compared with pairs of enumerated paths."""

import io
import math
from collections import defaultdict

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import gtn
from gtn.errors import GraphError, InfeasibleTargetError, SymbolError
from gtn.nn import (
    BestPath,
    Compose,
    DiscriminativeForwardLoss,
    DiscriminativeViterbiLoss,
    ForwardLoss,
    GraphLoss,
    Learned,
    ViterbiLoss,
)
from gtn.testing import exact_penalties, graphs, paths, transducer_pairs

LOSSES = [ViterbiLoss, DiscriminativeViterbiLoss, ForwardLoss, DiscriminativeForwardLoss]
DISCRIMINATIVE = [DiscriminativeViterbiLoss, DiscriminativeForwardLoss]
AB = gtn.SymbolTable("ab")
NEAR = exact_penalties(-3, 3)
PAIRS = transducer_pairs(penalties=NEAR)


def learning(graph):
    return graph.with_penalties(graph.penalties.detach().clone().requires_grad_())


def ab(*rows, dtype=torch.float64):
    """Return the lattice with these penalties of a and b at each position."""
    return gtn.linear(torch.tensor(rows, dtype=dtype, requires_grad=True), symbols=AB)


def log_sum(penalties):
    least = min(penalties, default=math.inf)
    if least == math.inf:
        return math.inf
    return least - math.log(math.fsum(math.exp(least - p) for p in penalties))


def by_output(recognition, grammar):
    """Return the penalties of all matching pairs of paths, by what the grammar writes."""
    found = defaultdict(list)
    grammar_paths = paths(grammar)
    for one in paths(recognition):
        for other in grammar_paths:
            if one.outputs == other.inputs:
                found[other.outputs].append(one.penalty + other.penalty)
    return dict(found)


def expected_loss(loss, found, target):
    every = [p for penalties in found.values() for p in penalties]
    correct = found.get(target, [])
    if not correct:
        return math.inf
    value = {ViterbiLoss: min, DiscriminativeViterbiLoss: min}.get(loss, log_sum)
    return value(correct) - (value(every) if loss in DISCRIMINATIVE else 0.0)


# -- transformers ------------------------------------------------------------------------------


def test_transformers_chain_in_a_row():
    grammar = Learned(gtn.Graph.from_arcs([(0, 1, "a", "b", 0.25), (1, 0, "b", "a")], final=0,
                                          symbols=AB, dtype=torch.float64))  # fmt: skip
    reader = nn.Sequential(Compose(grammar), BestPath())
    best = reader(ab([1.0, 0.5], [2.0, 3.0]))
    assert gtn.path_text(best, "input") == "ab"
    assert gtn.path_text(best) == "ba"
    assert best.penalties.tolist() == [1.25, 3.0]
    gtn.viterbi_penalty(best).backward()
    assert grammar.penalties.grad.tolist() == [1, 1]
    assert grammar.final_penalties.grad.tolist() == [1]
    assert list(dict(reader.named_parameters())) == [
        "0.grammar.penalties",
        "0.grammar.start_penalties",
        "0.grammar.final_penalties",
    ]
    batch = gtn.GraphBatch.from_graphs([ab([1.0, 0.5]), ab([1.0, 0.5], [2.0, 3.0])])
    assert gtn.path_text(reader(batch)) == ["", "ba"]


def test_compose_takes_the_options_of_composition():
    one, two = (gtn.Graph.from_arcs([(0, 1, "a")], final=1, data={"x": torch.ones(1)})
                for _ in range(2))  # fmt: skip
    result = Compose(two, suffixes=("_l", "_r"), filter="match")(one)
    assert set(result.data.columns()) == {"x_l", "x_r"}
    with pytest.raises(GraphError, match="filter"):
        Compose(two, filter="none")(one)


def test_learned_penalties_are_parameters_that_save_and_load():
    graph = gtn.Graph.from_arcs([(0, 1, "a", 0.5), (0, 1, "b", math.inf)], start={0: 0.125},
                                final={1: 0.25}, dtype=torch.float64)  # fmt: skip
    learned = Learned(graph)
    assert [tuple(p.shape) for p in learned.parameters()] == [(2,), (1,), (1,)]
    optimizer = torch.optim.Adam(learned.parameters(), lr=0.1)
    gtn.forward_penalty(learned()).backward()
    optimizer.step()
    assert learned().penalties[1] == math.inf
    assert learned().penalties[0].item() == pytest.approx(0.4)
    assert learned().start_penalties.item() == pytest.approx(0.025)
    assert graph.penalties[0] == 0.5  # the graph that it was made from stays as it is
    file = io.BytesIO()
    torch.save(learned.state_dict(), file)
    file.seek(0)
    other = Learned(graph)
    other.load_state_dict(torch.load(file))
    for one, two in zip(learned.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert gtn.forward_penalty(other()) == gtn.forward_penalty(learned())
    assert learned.float()().penalties.dtype == torch.float32


def test_learned_takes_a_batch_whose_graphs_learn_each_for_itself():
    learned = Learned(gtn.nn.ctc_graphs([[1], [2, 1]])).double()
    kernels = learned()
    assert isinstance(kernels, gtn.GraphBatch)
    emissions = torch.rand(4, 3, dtype=torch.float64)
    gtn.dense.forward_penalty(emissions, kernels)[1].backward()
    bounds = kernels.topology.arc_offsets
    assert (learned.penalties.grad[: bounds[1]] == 0).all()
    assert learned.penalties.grad.sum().item() == pytest.approx(4)  # one arc for each frame
    assert learned.final_penalties.grad.sum().item() == pytest.approx(1)
    other = Learned(gtn.nn.ctc_graphs([[1], [2, 1]])).double()
    with torch.no_grad():
        learned.penalties.normal_()
    other.load_state_dict(learned.state_dict())
    assert gtn.equal(other(), learned())


# -- criteria ----------------------------------------------------------------------------------


@given(PAIRS, st.data())
@settings(max_examples=100)
def test_losses_with_a_grammar_with_epsilons_are_those_of_all_pairs_of_paths(pair, data):
    recognition, grammar = pair
    found = by_output(recognition, grammar)
    target = data.draw(st.sampled_from([*sorted(found), (0, 1)]))
    for loss in LOSSES:
        value = loss(grammar, infeasible="infinity")(recognition, target)
        assert value.item() == pytest.approx(expected_loss(loss, found, target), abs=1e-9)
        if loss in DISCRIMINATIVE:
            assert value > -1e-12


@given(PAIRS)
@settings(max_examples=50)
def test_the_posteriors_of_all_strings_sum_to_one(pair):
    recognition, grammar = pair
    found = by_output(recognition, grammar)
    assume(found)
    loss = DiscriminativeForwardLoss(grammar)
    total = math.fsum(math.exp(-loss(recognition, target).item()) for target in found)
    assert total == pytest.approx(1.0, abs=1e-9)


@given(graphs(penalties=NEAR, epsilons=True))
@settings(max_examples=50)
def test_without_a_grammar_the_graph_is_the_interpretation_graph(graph):
    found = defaultdict(list)
    for path in paths(graph):
        found[path.outputs].append(path.penalty)
    for target in found:
        for loss in LOSSES:
            value = loss()(graph, target).item()
            assert value == pytest.approx(expected_loss(loss, found, target), abs=1e-9)


@given(graphs(penalties=NEAR))
@settings(max_examples=50)
def test_discriminative_viterbi_is_zero_if_the_best_path_is_correct(graph):
    assume(paths(graph))
    best = gtn.path_labels(gtn.viterbi_path(graph))
    g = learning(graph)
    loss = DiscriminativeViterbiLoss()(g, best.tolist())
    assert loss == 0
    assert DiscriminativeForwardLoss()(g, best).item() >= -1e-12


@given(transducer_pairs(penalties=NEAR, max_nodes=3, max_arcs=4))
@settings(max_examples=15)
def test_gradient_of_discriminative_forward_on_both_sides(pair):
    recognition, grammar = pair
    found = by_output(recognition, grammar)
    assume(found)
    target = min(found)

    def function(arcs, rules, rule_ends):
        left = recognition.with_penalties(arcs)
        right = grammar.with_penalties(rules, final_penalties=rule_ends)
        return DiscriminativeForwardLoss(right)(left, target)

    values = (recognition.penalties, grammar.penalties, grammar.final_penalties)
    inputs = [v.clone().requires_grad_() for v in values]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_gradient_reaches_a_learned_grammar():
    grammar = Learned(gtn.Graph.from_arcs(
        [(0, 0, "a", "a", 0.3), (0, 1, "b", None, 0.7), (1, 0, None, "b", -0.2)], final={0: 0.1},
        symbols=AB, dtype=torch.float64))  # fmt: skip
    loss = DiscriminativeForwardLoss(grammar)
    assert len(list(loss.parameters())) == 3
    recognition = ab([0.1, 0.4], [0.6, 0.2], [0.9, 0.3])
    loss(recognition, "aba").backward()
    for name, parameter in grammar.named_parameters():
        for i in range(len(parameter)):
            moved = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    parameter[i] += step
                    moved.append(loss(recognition, "aba").item())
                    parameter[i] -= step
            expected = (moved[0] - moved[1]) / 2e-5
            assert parameter.grad[i].item() == pytest.approx(expected, abs=1e-8), name
    assert grammar.penalties.grad.abs().min() > 0.01


def test_training_makes_the_target_likely():
    grammar = Learned(gtn.Graph.from_arcs([(0, 0, "a", 0.0), (0, 0, "b", 0.0)], final=0))
    loss = DiscriminativeForwardLoss(grammar)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.3)
    recognition = gtn.linear(torch.zeros(3, 2), symbols=AB)
    for _ in range(40):
        optimizer.zero_grad()
        value = loss(recognition, "aaa")
        value.backward()
        optimizer.step()
    assert value < 0.01


def test_one_arc_reduces_to_the_softmax():
    """For one segment, eq. 17 is minus the log of a softmax: eq. 9 without the rubbish term."""
    penalties = torch.randn(10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for label in range(10):
        p = penalties.clone().requires_grad_()
        segment = gtn.Graph.from_arcs([(0, 1, 0)], final=1, dtype=torch.float64)
        loss = DiscriminativeForwardLoss()(gtn.expand(segment, p[None]), [label])
        expected = -torch.log_softmax(-penalties, 0)[label]
        torch.testing.assert_close(loss.detach(), expected)
        loss.backward()
        share = torch.softmax(-penalties, 0)
        torch.testing.assert_close(p.grad, torch.eye(10, dtype=torch.float64)[label] - share)


# -- batches, reductions, infeasible targets -------------------------------------------------------


@given(st.lists(graphs(penalties=NEAR, labels=2), min_size=1, max_size=4), st.data())
@settings(max_examples=60)
def test_a_batch_gives_the_losses_of_its_graphs(singles, data):
    targets = [
        data.draw(st.sampled_from([*sorted({p.outputs for p in paths(g)}), (1, 1, 0)]))
        for g in singles
    ]
    grammar = gtn.Graph.from_arcs([(0, 0, 0, 0.5), (0, 0, 1, 0.25)], final=0, dtype=torch.float64)
    batch = learning(gtn.GraphBatch.from_graphs(singles))
    for kind in LOSSES:
        alone = [kind(grammar, infeasible="infinity")(*pair) for pair in zip(singles, targets)]
        alone = torch.stack(alone)
        feasible = alone.isfinite()
        some = max(int(feasible.sum()), 1)
        for reduction, infeasible, expected in (
            ("none", "infinity", alone),
            ("sum", "infinity", alone.sum()),
            ("mean", "infinity", alone.mean()),
            ("none", "skip", torch.where(feasible, alone, 0.0)),
            ("sum", "skip", alone[feasible].sum()),
            ("mean", "skip", alone[feasible].sum() / some),
        ):
            loss = kind(grammar, infeasible=infeasible, reduction=reduction)
            value = loss(batch, targets)
            torch.testing.assert_close(value.detach(), expected, rtol=1e-12, atol=1e-9)
            assert loss.skipped == int((~feasible).sum())
            (gradient,) = torch.autograd.grad(value.sum(), [batch.penalties])
            assert gradient.isfinite().all()
            for i, one in enumerate(batch):
                if not feasible[i]:
                    assert (gradient[one.sources[0].index] == 0).all()


def test_gradient_of_a_mean_is_shared_by_the_feasible():
    rows = [[0.3, 0.1], [0.2, 0.9]]
    one = ab(*rows)
    (alone,) = torch.autograd.grad(DiscriminativeForwardLoss()(one, "ab"), [one.penalties])
    batch = learning(gtn.GraphBatch.from_graphs([one, one, one]))
    for infeasible, share in (("skip", 1 / 2), ("infinity", 1 / 3)):
        loss = DiscriminativeForwardLoss(infeasible=infeasible)
        (gradient,) = torch.autograd.grad(loss(batch, ["ab", "abb", "ab"]), [batch.penalties])
        torch.testing.assert_close(gradient[:4], share * alone)
        torch.testing.assert_close(gradient[8:], share * alone)
        assert gradient[4:8].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", LOSSES)
def test_an_infeasible_target_raises_and_is_named(kind):
    with pytest.raises(InfeasibleTargetError, match=r"target of sample 0 \('abb'\)$"):
        kind()(ab([0.0, 1.0], [0.0, 1.0]), "abb")
    batch = gtn.GraphBatch.from_graphs([ab([0.0, 1.0])] * 9)
    with pytest.raises(InfeasibleTargetError, match=r"sample 1 \('ab'\), sample 3 \(\[0, 1\]\)$"):
        kind()(batch, ["a", "ab", "b", [0, 1], *"aaaaa"])
    with pytest.raises(InfeasibleTargetError, match=r"sample 4 \(''\) and 4 more$"):
        kind()(batch, [""] * 9)
    nameless = gtn.string("ab", symbols=AB, dtype=torch.float64)
    with pytest.raises(InfeasibleTargetError, match=r"target of sample 0$"):
        kind()(ab([0.0, 1.0]), nameless)


@pytest.mark.parametrize("kind", LOSSES)
def test_an_infeasible_single_target_is_skipped_or_infinite(kind):
    for infeasible, expected in (("skip", 0.0), ("infinity", math.inf)):
        graph = ab([0.0, 1.0])
        loss = kind(infeasible=infeasible)
        value = loss(graph, "bb")
        assert value == expected
        assert loss.skipped == 1
        (gradient,) = torch.autograd.grad(value, [graph.penalties])
        assert gradient.tolist() == [0, 0]
        loss(graph, "b")
        assert loss.skipped == 0


@pytest.mark.parametrize("kind", LOSSES)
def test_a_forbidden_target_is_infeasible(kind):
    graph = ab([0.0, math.inf])
    assert kind(infeasible="infinity")(graph, "b") == math.inf
    assert kind(infeasible="infinity")(graph, "a") == 0
    with pytest.raises(InfeasibleTargetError):
        kind()(graph, "b")
    with pytest.raises(InfeasibleTargetError):
        kind()(gtn.empty(symbols=AB), "")


@pytest.mark.parametrize(
    "target",
    ["ba", ["b", "a"], ("b", "a"), [1, 0], torch.tensor([1, 0]).numpy(),
     gtn.string("ba", symbols=AB), gtn.string("ba")],
)  # fmt: skip
def test_targets_of_every_form(target):
    graph = ab([0.5, 0.75], [2.0, 0.25])
    for kind in LOSSES:
        assert kind()(graph, target) == kind()(graph, "ba")
    assert ViterbiLoss()(graph, target) == 2.75
    batch = gtn.GraphBatch.from_graphs([graph])
    assert ViterbiLoss()(batch, [target]) == 2.75


def test_a_target_can_be_several_strings():
    graph = ab([0.5, 0.75], [2.0, 0.25])
    either = gtn.Graph.from_arcs([(0, 1, "a"), (1, 2, "a"), (1, 2, "b")], final=2, symbols=AB)
    expected = -torch.log_softmax(torch.tensor([-0.5, -0.75], dtype=torch.float64), 0)[0]
    torch.testing.assert_close(DiscriminativeForwardLoss()(graph, either).detach(), expected)


@pytest.mark.parametrize("kind", LOSSES)
def test_epsilons_of_grammar_and_target_count_each_path_once(kind):
    grammar = gtn.Graph.from_arcs(
        [(0, 0, "a"), (0, 0, "b", None)], final=0, symbols=AB, dtype=torch.float64
    )
    target = gtn.Graph.from_arcs([(0, 1, "a"), (1, 2, None), (2, 3, "a")], final=3, symbols=AB)
    graph = ab([0.5, 0.75], [2.0, 0.25], [0.5, 1.0])
    assert kind(grammar)(graph, target).item() == pytest.approx(kind(grammar)(graph, "aa").item())


def test_a_symbol_outside_the_table_is_infeasible():
    batch = gtn.GraphBatch.from_graphs([ab([0.0, 1.0]), ab([0.0, 1.0])])
    loss = ViterbiLoss(infeasible="skip", reduction="none")
    assert loss(batch, ["z", "b"]).tolist() == [0, 1]
    assert loss.skipped == 1
    message = r"sample 0 \('az'\), whose symbol 'z' is not in SymbolTable\(2: a b\), sample 1 "
    with pytest.raises(InfeasibleTargetError, match=message + r"\('aab'\)$"):
        ViterbiLoss()(batch, ["az", "aab"])
    with pytest.raises(GraphError, match=r"target \[1.5\] has 1.5; labels are integers"):
        ViterbiLoss()(batch, [[1.5], "b"])
    for table in (AB, gtn.SymbolTable("ab")):
        grammar = gtn.Graph.from_arcs([(0, 0, "a"), (0, 0, "b")], final=0, symbols=table)
        with pytest.raises(InfeasibleTargetError):
            DiscriminativeForwardLoss(grammar.double())(ab([0.0, 1.0]), "z")


def test_a_label_outside_the_table_is_infeasible():
    batch = gtn.GraphBatch.from_graphs([ab([0.0, 1.0]), ab([0.0, 1.0])])
    for unknown in ([7], torch.tensor([7]), (-2,)):
        loss = ViterbiLoss(infeasible="skip", reduction="none")
        assert loss(batch, [unknown, [1]]).tolist() == [0, 1]
        assert loss.skipped == 1
        with pytest.raises(InfeasibleTargetError, match="sample 0"):
            ViterbiLoss()(batch, [unknown, [1]])
        with pytest.raises(InfeasibleTargetError):
            DiscriminativeForwardLoss()(ab([0.0, 1.0]), unknown)


@pytest.mark.parametrize("kind", LOSSES)
def test_targets_are_in_the_symbols_that_the_grammar_writes(kind):
    spelled = gtn.from_arcs(
        [(0, 1, "a", "one", 0.25), (1, 0, "b", None, 0.5), (0, 0, "b", "two", 1.5)],
        final={0: 0.75, 1: 0.0}, isymbols=AB, osymbols=gtn.SymbolTable(["one", "two"]),
        dtype=torch.float64,
    )  # fmt: skip
    lattices = [ab([1.0, 0.5], [2.0, 3.0]), ab([0.125, 4.0], [3.0, 0.25], [1.0, 1.0])]
    targets = [["two", "one"], ["one", "two"]]
    for graph, target in (*zip(lattices, targets), (gtn.GraphBatch.from_graphs(lattices), targets)):
        found = kind(spelled, reduction="none")(graph, target)
        torch.testing.assert_close(found, kind(reduction="none")(graph @ spelled, target))
        assert found.isfinite().all()
    with pytest.raises(InfeasibleTargetError, match="symbol 'a' is not in"):
        kind(spelled)(lattices[0], ["a"])


def test_acceptors_with_symbols_of_their_own_on_a_batch():
    batch = gtn.GraphBatch.from_graphs([ab([0.5, 1.0], [0.25, 2.0])] * 3)
    loss = ViterbiLoss(infeasible="infinity", reduction="none")
    targets = [gtn.string("ba"), gtn.string("ab", symbols=gtn.SymbolTable("xyba")), "aa"]
    assert loss(batch, targets).tolist() == [1.25, 2.5, 0.75]
    either = gtn.Graph.from_arcs([(0, 1, "z"), (0, 1, "b"), (1, 2, "a"), (1, 2, "z")], final=2)
    assert loss(batch, [either, gtn.string("az"), gtn.string("")]).tolist() == [1.25] + 2 * [
        math.inf
    ]
    with pytest.raises(SymbolError, match="the graph has a symbol table where the target has none"):
        loss(batch, ["aa", gtn.string([0, 0]), "aa"])
    with pytest.raises(SymbolError, match="the target has a symbol table where the graph has none"):
        loss(gtn.linear(torch.zeros(1, 2)), gtn.string("a"))


def test_a_target_with_symbols_needs_a_table():
    with pytest.raises(GraphError, match="no table"):
        ViterbiLoss()(gtn.linear(torch.zeros(1, 2)), "a")


@pytest.mark.parametrize("targets", ["ab", ["a"], ["a", "b", "a"], [], gtn.string("a"), None, 3])
def test_a_wrong_number_of_targets(targets):
    batch = gtn.GraphBatch.from_graphs([ab([0.0, 1.0]), ab([0.0, 1.0])])
    with pytest.raises(GraphError, match=r"a batch of 2 graphs needs a list of as many .*, not"):
        ViterbiLoss()(batch, targets)


@pytest.mark.parametrize("graph", [ab([0.0, 1.0]), gtn.linear(torch.zeros(1, 2))])
def test_what_is_no_target(graph):
    for target in (None, 3):
        with pytest.raises(
            GraphError, match=f"the target {target} is not a text, sequence of labels"
        ):
            ViterbiLoss(infeasible="skip")(graph, target)


def test_unknown_options():
    with pytest.raises(ValueError, match="infeasible='ignore'"):
        ViterbiLoss(infeasible="ignore")
    with pytest.raises(ValueError, match="reduction='max'"):
        ViterbiLoss(reduction="max")
    with pytest.raises(TypeError, match="not a criterion"):
        GraphLoss()(ab([0.0, 1.0]), "a")


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_keep_the_dtype(kind):
    assert kind()(ab([0.0, 1.0], dtype=torch.float32), "a").dtype == torch.float32
    assert kind()(ab([0.0, 1.0]), "a").dtype == torch.float64


@pytest.mark.parametrize("kind", LOSSES)
def test_targets_as_tensors_and_as_a_batch(kind):
    batch = gtn.GraphBatch.from_graphs([ab([0.0, 1.0]), ab([2.0, 1.0])])
    loss = kind(reduction="none")
    expected = loss(batch, ["a", "b"])
    assert torch.equal(loss(batch, torch.tensor([[0], [1]])), expected)
    strings = [gtn.string(text, symbols=AB, dtype=torch.float64) for text in "ab"]
    assert torch.equal(loss(batch, gtn.GraphBatch.from_graphs(strings)), expected)
    assert torch.equal(loss(batch[0], torch.tensor([0])), expected[0])


@pytest.mark.parametrize("kind", LOSSES)
def test_a_batch_of_no_graphs_has_no_loss(kind):
    none = gtn.GraphBatch.from_graphs([ab([0.0, 1.0])])[:0]
    assert kind(reduction="none")(none, []).shape == (0,)
    assert kind(Learned(gtn.string("a")))(none, []).item() == 0.0


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_forbidden_arcs_survive_weight_decay_and_clipping(optimizer):
    learned = Learned(gtn.Graph.from_arcs([(0, 1, "a", 0.5), (0, 1, "b", math.inf)],
                                          start={0: 0.0, 1: math.inf}, final=1))  # fmt: skip
    chosen = optimizer(learned.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        chosen.zero_grad()
        gtn.forward_penalty(learned()).backward()
        torch.nn.utils.clip_grad_norm_(learned.parameters(), 0.5)
        chosen.step()
    assert learned().penalties[1] == math.inf
    assert learned().start_penalties[1] == math.inf
    assert learned().penalties[0] < 0.5
    assert all(p.isfinite().all() for p in learned.parameters())
