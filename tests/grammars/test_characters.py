"""Character models: what they read and write, and that one topology of theirs is CTC."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

import gtn
from grammars.amounts import courtesy_digits
from grammars.characters import character_models
from grammars.regex import regex
from grammars.strings import any_string, fixed_length


def written(classes, *, blank, touching, at_least=1):
    """What a sequence of classes spells, by the rules as the docs state them; None if forbidden."""
    runs = [(c, len(list(run))) for c, run in itertools.groupby(classes)]
    if any(c != blank and n < at_least for c, n in runs):
        return None
    met = any(a != blank and b != blank for (a, _), (b, _) in itertools.pairwise(runs))
    if met and not touching:
        return None
    return [c for c, _ in runs if c != blank]


@pytest.mark.parametrize("at_least", [1, 2])
@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize("blank", [0, 1, 3])
def test_reads_every_sequence_as_the_rules_say(blank, touching, at_least):
    models = character_models(3, blank, touch=0.0 if touching else None, at_least=at_least)
    for length in range(5):
        for classes in itertools.product(range(4), repeat=length):
            found = gtn.compose(gtn.string(list(classes)), models)
            expected = written(classes, blank=blank, touching=touching, at_least=at_least)
            if expected is None:
                assert found.num_nodes == 0
            else:
                assert gtn.viterbi_penalty(found) == 0
                # there is one path, so that the sum over all paths is the best one
                assert gtn.forward_penalty(found).item() == pytest.approx(0.0, abs=1e-6)
                path = gtn.viterbi_path(found)
                assert [x for x in path.olabels.tolist() if x >= 0] == expected


def test_the_examples_of_figure_25():
    models = character_models("0123456789")
    # The figure leaves blanks out; they are put where its answers need them.
    for classes, answer in [
        ("2□33□4□5", "2345"),
        ("6□777□88", "678"),
        ("3□55□11□4", "3514"),
        ("1□1□1□44", "1114"),
        ("55□4□0", "540"),
    ]:
        read = gtn.compose(gtn.string(classes, symbols=models.isymbols), models)
        assert gtn.path_text(read, "output") == answer


def test_each_further_output_costs_what_its_own_character_costs():
    """This also holds where a character takes at least several outputs."""
    begin, repeat = [1.0, 2.0, 4.0], [0.5, 0.25, 0.125]
    models = character_models("abc", at_least=3, begin=begin, repeat=repeat, rest=8.0)
    for k, character in enumerate("abc"):
        for outputs in (3, 4, 6):
            read = gtn.string(character * outputs + "□", symbols=models.isymbols)
            found = gtn.viterbi_penalty(gtn.compose(read, models))
            assert found == begin[k] + (outputs - 1) * repeat[k] + 8.0, (character, outputs)


@pytest.mark.parametrize("blank", [0, 2, 4])
def test_with_touching_characters_it_is_the_topology_of_ctc(blank):
    models = character_models(4, blank, touch=0.0)
    assert gtn.random_equivalent(models, gtn.nn.ctc_topology(5, blank))
    assert models.num_arcs == 25


@pytest.mark.parametrize("blank", [0, 3])
def test_with_touching_characters_the_loss_is_ctc(blank):
    generator = torch.Generator().manual_seed(blank)
    logits = torch.randn(4, 9, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    others = [c for c in range(6) if c != blank]
    targets = [[others[0]], [others[1], others[1], others[2]], [], others[:5]]
    lengths = [9, 7, 3, 8]
    ours = gtn.nn.MMILoss(character_models(5, blank, touch=0.0).double(), reduction="none")
    found = ours(-logits, targets, lengths=lengths)
    (gradient,) = torch.autograd.grad(found.sum(), logits)

    log_probabilities = logits.log_softmax(-1)
    expected = functional.ctc_loss(
        log_probabilities.transpose(0, 1),
        torch.tensor([c for t in targets for c in t]),
        torch.tensor(lengths),
        torch.tensor([len(t) for t in targets]),
        blank=blank,
        reduction="none",
    )
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), logits)[0])
    own = gtn.nn.CTCLoss(blank, reduction="none")(-logits, targets, lengths=lengths)
    torch.testing.assert_close(found, own)


def test_frame_by_frame_and_composed_losses_have_equal_gradients():
    generator = torch.Generator().manual_seed(3)
    emissions = torch.randn(3, 8, 11, generator=generator, dtype=torch.float64)
    targets = ["12", "007", "9"]
    models = character_models("0123456789", begin=0.3, repeat=0.1, rest=0.2).double()
    results = []
    for composed in (False, True):
        grammar = gtn.nn.Learned(models)
        given = emissions.clone().requires_grad_()
        loss = gtn.nn.MMILoss(grammar)
        if composed:
            graphs = gtn.GraphBatch.from_graphs(
                [gtn.linear(e, symbols=models.isymbols) for e in given]
            )
            value = loss(graphs, targets)
        else:
            value = loss(given, targets)
        value.backward()
        results.append((value.detach(), given.grad, grammar.penalties.grad))
    for dense, general in zip(*results, strict=True):
        torch.testing.assert_close(dense, general, rtol=1e-10, atol=1e-12)


def test_composes_with_grammars_of_strings():
    models = character_models("0123456789")
    emissions = torch.full((9, 11), 4.0)
    for t, label in enumerate([10, 1, 1, 10, 2, 10, 10, 5, 10]):
        emissions[t, label] = 0.0
    emissions[5, 7] = 0.5

    def read(grammar):
        path = gtn.dense.viterbi_path(emissions, gtn.compose(models, grammar))
        return gtn.path_text(path, "output")

    table = models.osymbols
    assert read(any_string(table)) == "125"
    assert read(fixed_length(table, 2)) != "125"
    assert len(read(fixed_length(table, 2))) == 2
    assert read(regex("12|25|1275")) in ("12", "25")
    assert read(courtesy_digits()) == "125"


def test_penalties_are_those_given_and_have_gradients():
    touch = torch.arange(4.0).reshape(2, 2).requires_grad_()
    begin = torch.tensor([0.25, 0.5], requires_grad=True)
    rest = torch.tensor(0.125, requires_grad=True)
    models = character_models("ab", begin=begin, repeat=[1.0, 2.0], rest=rest, touch=touch)
    read = gtn.compose(gtn.string("□aab□b", symbols=models.isymbols), models)
    penalty = gtn.viterbi_penalty(read)
    assert penalty.item() == 0.125 + 0.25 + 1.0 + (1.0 + 0.5) + 0.125 + 0.5
    penalty.backward()
    assert begin.grad.tolist() == [1.0, 2.0]
    assert rest.grad.item() == 2.0
    assert touch.grad.tolist() == [[0.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0,), {}, "at least one character"),
        (("ab", 3), {}, "blank 3 is not one of 3 classes"),
        (("ab",), {"at_least": 0}, "at least 1 output, not 0"),
        (("ab",), {"begin": [1.0, 2.0, 3.0]}, r"shape \[3\]"),
        (("ab",), {"touch": torch.zeros(3, 3)}, r"shape \[3, 3\]"),
        (("aba",), {}, "'a' has labels"),
        ((["a", "b"],), {}, "one string, or their number, not list"),
        ((gtn.SymbolTable("ab"),), {}, "one string, or their number, not SymbolTable"),
        (("_ab", 0), {"blank_symbol": "_"}, "the blank '_' is among the characters; blank="),
    ],
)
def test_wrong_arguments(arguments, options, message):
    with pytest.raises(gtn.GraphError, match=message):
        character_models(*arguments, **options)


def test_a_string_too_long_for_its_outputs_names_the_sample():
    loss = gtn.nn.MMILoss(character_models("0123456789"))
    emissions = torch.zeros(2, 3, 11)
    with pytest.raises(gtn.InfeasibleTargetError, match=r"sample 1 \('117'\)"):
        loss(emissions, ["12", "117"])
    with pytest.raises(gtn.InfeasibleTargetError, match=r"sample 0 \('x'\)"):
        loss(emissions, ["x", "1"])
    skipping = gtn.nn.MMILoss(character_models("01"), infeasible="skip")
    assert math.isfinite(skipping(torch.zeros(2, 3, 3), ["1", "0101"]))
    assert skipping.skipped == 1
