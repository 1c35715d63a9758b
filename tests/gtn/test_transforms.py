"""Derivatives by torch.func: composition supports them, sums over paths refuse them."""

import pytest
import torch
from torch.autograd import forward_ad

import gtn

# Torch gives this warning when its own forward mode is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

A = gtn.linear(torch.arange(8, dtype=torch.float64).reshape(4, 2) / 8)
B = gtn.Graph.from_arcs(
    [(0, 1, 0, 0.5), (1, 0, 1, 0.25), (0, 0, 1, 1.0), (1, 1, None, 0.125)], final=[0, 1]
).double()
LOOPS = gtn.Graph.from_arcs([(0, 0, 0), (0, 1, 1), (1, 1, 0)], final=1).double()
PENALTIES = A.penalties


def composed(penalties):
    """A function of penalties whose derivatives differ from arc to arc."""
    a = A.with_penalties(penalties, start_penalties=penalties[:1], final_penalties=penalties[-1:])
    c = gtn.compose(a, B.with_penalties(penalties[:4]))
    return (c.penalties**3).sum() + (c.start_penalties * c.final_penalties[:1]).sum()


def expected(order):
    value = composed(PENALTIES.clone().requires_grad_())
    assert value > 1
    if order == 1:
        return torch.autograd.functional.jacobian(composed, PENALTIES)
    return torch.autograd.functional.hessian(composed, PENALTIES)


def test_composition_under_the_transforms_of_torch_func():
    torch.testing.assert_close(torch.func.grad(composed)(PENALTIES), expected(1))
    torch.testing.assert_close(torch.func.jacrev(composed)(PENALTIES), expected(1))
    torch.testing.assert_close(torch.func.jacfwd(composed)(PENALTIES), expected(1))
    torch.testing.assert_close(torch.func.hessian(composed)(PENALTIES), expected(2))


@pytest.mark.parametrize("in_reverse_too", [False, True])
def test_composition_in_forward_mode(in_reverse_too):
    direction = torch.linspace(-1, 1, len(PENALTIES), dtype=torch.float64)
    with forward_ad.dual_level():
        given = PENALTIES.clone().requires_grad_(in_reverse_too)
        tangent = forward_ad.unpack_dual(composed(forward_ad.make_dual(given, direction))).tangent
    torch.testing.assert_close(tangent, expected(1) @ direction)
    if in_reverse_too:
        (second,) = torch.autograd.grad(tangent, given)
        torch.testing.assert_close(second, expected(2) @ direction)


def test_only_what_needs_a_gradient_has_one():
    c = gtn.compose(A.with_penalties(PENALTIES.clone().requires_grad_()), B)
    assert c.penalties.requires_grad
    assert not c.start_penalties.requires_grad
    assert not c.final_penalties.requires_grad


SUMS = {
    "forward penalty": lambda p: gtn.forward_penalty(A.with_penalties(p)),
    "final penalties": lambda p: gtn.forward_penalty(
        A.with_penalties(A.penalties, final_penalties=p[: len(A.finals)])
    ),
    "with cycles": lambda p: gtn.forward_penalty(B.with_penalties(3 + p[:4])),
    "posteriors": lambda p: gtn.arc_posteriors(A.with_penalties(p)).square().sum(),
    "epsilon removal": lambda p: gtn.remove_epsilon(B.with_penalties(3 + p[:4])).penalties.sum(),
    "determinization": lambda p: gtn.determinize(B.with_penalties(3 + p[:4])).penalties.sum(),
    "pushing": lambda p: gtn.push(A.with_penalties(p)).penalties.square().sum(),
    "dense": lambda p: gtn.dense.forward_penalty(p.reshape(4, 2), LOOPS),
    "dense posteriors": lambda p: gtn.dense.posteriors(p.reshape(4, 2), LOOPS).square().sum(),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_over_paths_say_which_derivatives_they_have(name):
    function = SUMS[name]
    with pytest.raises(NotImplementedError, match="any order in reverse mode"):
        torch.func.grad(function)(PENALTIES)
    with (
        forward_ad.dual_level(),
        pytest.raises(NotImplementedError, match="any order in reverse mode"),
    ):
        function(forward_ad.make_dual(PENALTIES, torch.ones_like(PENALTIES)))
    assert torch.autograd.functional.hessian(function, PENALTIES).shape == (8, 8)


def test_pruning_says_so_too():
    for criterion in ({"beam": 1.0}, {"posterior": 0.1}):
        with pytest.raises(NotImplementedError, match="any order in reverse mode"):
            torch.func.grad(
                lambda p, given=criterion: gtn.prune(A.with_penalties(p), **given).penalties.sum()
            )(PENALTIES)


def test_penalties_that_torch_has_yet_to_negate():
    negated = torch.complex(PENALTIES, -PENALTIES).conj().imag  # a view that torch negates lazily
    assert negated.is_neg()
    a, same = A.with_penalties(negated), A.with_penalties(negated.clone())
    for function in (gtn.forward_penalty, gtn.viterbi_penalty):
        assert function(a) == function(same)
    assert gtn.equal(a @ B, same @ B)
    assert gtn.to_openfst_text(a) == gtn.to_openfst_text(same)
