import math

import pytest
import torch

from recognizers.losses import discriminative_loss, maximum_likelihood_loss


def batch(seed=0, count=4, classes=5):
    generator = torch.Generator().manual_seed(seed)
    y = 3 * torch.rand(count, classes, dtype=torch.float64, generator=generator)
    targets = torch.randint(classes, (count,), generator=generator)
    return y.requires_grad_(), targets


def test_maximum_likelihood_value_and_gradient():
    y, targets = batch()
    loss = maximum_likelihood_loss(y, targets)
    assert loss.item() == pytest.approx(sum(y[p, t].item() for p, t in enumerate(targets)) / 4)
    (grad,) = torch.autograd.grad(loss, y)
    assert torch.equal(grad, torch.nn.functional.one_hot(targets, 5) / 4.0)


@pytest.mark.parametrize("j", [None, 0.0, 1.5, 20.0])
def test_discriminative_value_and_gradient(j):
    y, targets = batch()
    rubbish = 0.0 if j is None else math.exp(-j)
    total = rubbish + torch.exp(-y).sum(1)
    expected = (y.gather(1, targets[:, None])[:, 0] + total.log()).mean()
    loss = discriminative_loss(y, targets, rubbish=j)
    assert torch.isclose(loss, expected)
    assert loss > 0
    (grad,) = torch.autograd.grad(loss, y)
    right = torch.nn.functional.one_hot(targets, 5)
    assert torch.allclose(grad, (right - torch.exp(-y) / total[:, None]) / 4)


def test_gradient_to_a_learned_rubbish_penalty():
    y, targets = batch()
    j = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(discriminative_loss(y, targets, rubbish=j), j)
    share = torch.exp(-j) / (torch.exp(-j) + torch.exp(-y).sum(1))
    assert torch.isclose(grad, -share.mean())


def test_rubbish_as_a_column_is_the_same():
    y, targets = batch()
    column = torch.full((4, 1), 0.7, dtype=torch.float64)
    whole = discriminative_loss(torch.cat((y, column), 1), targets)
    assert torch.equal(whole, discriminative_loss(y, targets, rubbish=0.7))


def test_second_derivatives():
    y, targets = batch()
    j = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    inputs = (y, j)

    def loss(y, j):
        return discriminative_loss(y, targets, rubbish=j)

    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)
    assert torch.autograd.gradcheck(lambda y: maximum_likelihood_loss(y, targets), (y,))


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_large_penalties_stay_finite(scale):
    y = scale * torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]])
    y.requires_grad_()
    loss = discriminative_loss(y, torch.tensor([0, 0, 1]), rubbish=20.0)
    (grad,) = torch.autograd.grad(loss, y)
    assert loss.isfinite()
    assert grad.isfinite().all()
    # Far above j, the right class is pulled down, but the wrong one is not pushed up.
    assert torch.allclose(grad, torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]) / 3)


def test_small_differences_of_large_penalties_survive_in_float32():
    y = torch.tensor([[100_000.0, 100_001.0]])
    loss = discriminative_loss(y, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)), rel=1e-6)


def test_infinite_penalty_of_a_wrong_class():
    y = torch.tensor([[1.0, math.inf]], requires_grad=True)
    loss = discriminative_loss(y, torch.tensor([0]), rubbish=1.0)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert y.grad[0].tolist() == pytest.approx([0.5, 0.0])


@pytest.mark.parametrize("loss", [maximum_likelihood_loss, discriminative_loss])
@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 1, 5, 0], "sample 2 has target 5, but classes go from 0 to 4"),
        ([0, -1, 9, 0], "sample 1 has target -1"),
        ([0, 1], r"targets must be \[4\]"),
        ([0.0, 1.0, 2.0, 3.0], "integers"),
    ],
)
def test_bad_targets(loss, targets, message):
    with pytest.raises(ValueError, match=message):
        loss(torch.zeros(4, 5), torch.tensor(targets))


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2, 2), (0, 5)])
def test_bad_penalties(shape):
    with pytest.raises(ValueError, match=r"penalties must|without samples"):
        discriminative_loss(torch.zeros(shape), torch.zeros(shape[0], dtype=torch.int64))


def test_small_integer_targets_are_accepted():
    y, targets = batch()
    assert torch.equal(
        discriminative_loss(y, targets.to(torch.uint8)), discriminative_loss(y, targets)
    )
