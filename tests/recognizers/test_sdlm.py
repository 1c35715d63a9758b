import pytest
import torch
from torch import nn

from recognizers.lenet import LeNet5
from recognizers.losses import discriminative_loss, maximum_likelihood_loss
from recognizers.sdlm import PUBLISHED_RATES, SDLM


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def strokes(count=16):
    across, down = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="xy")
    kinds = [across - 16, down - 16, across - down, across + down - 31]
    ink = torch.stack([(k.abs() < 2).float() for k in kinds]).unsqueeze(1)
    x = (1.275 * ink - 0.1).repeat(count // 4, 1, 1, 1)
    noise = 0.1 * torch.randn(x.shape, generator=seeded(1))
    return x + noise, torch.arange(count) % 4


def test_the_published_schedule():
    assert len(PUBLISHED_RATES) == 20
    assert [PUBLISHED_RATES[p - 1] for p in (2, 3, 5, 6, 8, 9, 12, 13)] == [
        5e-4, 2e-4, 2e-4, 1e-4, 1e-4, 5e-5, 5e-5, 1e-5,
    ]  # fmt: skip


def test_a_step_divides_the_gradient_by_mu_plus_curvature():
    net = nn.Linear(3, 2)
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = SDLM(net.parameters(), lr=0.1, mu=0.5)
    h = {"weight": torch.rand(2, 3, generator=seeded()), "bias": torch.tensor([0.0, 7.0])}
    optimizer.set_curvature(net, h)
    net(torch.randn(4, 3, generator=seeded(1))).square().sum().backward()
    optimizer.step()
    for p, old, curvature in zip(net.parameters(), before, h.values(), strict=True):
        assert torch.allclose(p, old - 0.1 / (0.5 + curvature) * p.grad)
    assert optimizer.rates()[1].tolist() == pytest.approx([0.2, 0.1 / 7.5])
    optimizer.param_groups[0]["lr"] = 0.05
    assert optimizer.rates()[1].tolist() == pytest.approx([0.1, 0.05 / 7.5])


def test_parameters_without_a_gradient_stay():
    net = nn.Linear(2, 1)
    optimizer = SDLM(net.parameters())
    optimizer.set_curvature(net, {n: torch.ones_like(p) for n, p in net.named_parameters()})
    before = net.weight.detach().clone()
    net.bias.sum().backward()
    optimizer.step()
    assert torch.equal(net.weight, before)
    assert net.bias.item() != 0


@pytest.mark.parametrize("curvature", ["paper", "gauss-newton"])
@pytest.mark.parametrize("loss", [maximum_likelihood_loss, discriminative_loss])
def test_lenet_learns_four_strokes(curvature, loss):
    def scaled(penalties, targets):
        return loss(0.1 * penalties, targets)

    net = LeNet5("0123", generator=seeded(), initialization="unit-variance")
    x, t = strokes()
    optimizer = SDLM(net.parameters(), lr=2e-4, curvature=curvature)
    first = scaled(net(x), t).item()
    for _ in range(6):
        optimizer.estimate(net, x, t, scaled, seeded(2))
        for _ in range(8):
            optimizer.zero_grad()
            (scaled(net(x), t) * len(t)).backward()
            optimizer.step()
    assert torch.equal(net(x).argmin(1), t)
    assert scaled(net(x), t).item() < 0.2 * first


def test_it_goes_on_from_its_state():
    net = nn.Linear(2, 1)
    optimizer = SDLM(net.parameters(), lr=0.1)
    optimizer.set_curvature(net, {n: torch.ones_like(p) for n, p in net.named_parameters()})
    other = SDLM(net.parameters(), lr=0.2)
    other.load_state_dict(optimizer.state_dict())
    for a, b in zip(optimizer.rates(), other.rates(), strict=True):
        assert torch.equal(a, b)


def test_errors():
    net = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="must be positive"):
        SDLM(net.parameters(), lr=0.0)
    with pytest.raises(ValueError, match="curvature must be"):
        SDLM(net.parameters(), curvature="exact")
    optimizer = SDLM(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    with pytest.raises(RuntimeError, match="estimate the curvature"):
        optimizer.step()
    with pytest.raises(ValueError, match="no curvature of the parameter bias"):
        optimizer.set_curvature(net, {"weight": torch.ones(1, 2)})
    with pytest.raises(ValueError, match=r"weight is \(2,\), the parameter \(1, 2\)"):
        optimizer.set_curvature(net, {"weight": torch.ones(2), "bias": torch.ones(1)})
