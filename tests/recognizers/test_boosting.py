import itertools

import pytest
import torch
from torch import nn

from recognizers.boosting import (
    BoostedNetworks,
    disagreements,
    half_wrong,
    margin,
    threshold_for_cost,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Fixed(nn.Module):
    """Penalties that are linear in the pattern; it counts the patterns that it sees."""

    def __init__(self, seed, classes=3):
        super().__init__()
        self.matrix = torch.randn(4, classes, generator=seeded(seed))
        self.seen = 0

    def forward(self, x):
        self.seen += len(x)
        return (x @ self.matrix).abs()


def endless(seed=0, batch=50):
    generator = seeded(seed)
    while True:
        x = torch.randn(batch, 4, generator=generator)
        yield x, torch.randint(0, 3, (batch,), generator=generator)


def test_all_three_are_added_without_a_threshold():
    nets = [Fixed(s) for s in range(3)]
    x = torch.randn(20, 4, generator=seeded(5))
    together = BoostedNetworks(*nets)
    assert torch.allclose(together(x), sum(n(x) for n in nets) / 3)
    assert together.cost(x) == 3.0


def test_a_sure_first_network_answers_alone():
    nets = [Fixed(s) for s in range(3)]
    x = torch.randn(200, 4, generator=seeded(5))
    alone = nets[0](x)
    together = BoostedNetworks(*nets, threshold=0.8)
    sure = margin(alone) > 0.8
    assert 0 < sure.sum() < 200
    for net in nets:
        net.seen = 0
    mixed = together(x)
    assert torch.equal(mixed[sure], alone[sure])
    assert torch.allclose(mixed[~sure], (sum(n(x) for n in nets) / 3)[~sure])
    assert together.cost(x) == pytest.approx(1 + 2 * (~sure).double().mean().item())
    # Computed only for the patterns it is asked about.
    nets[1].seen = 0
    together(x)
    assert nets[1].seen == (~sure).sum()
    assert BoostedNetworks(*nets, threshold=-1.0).cost(x) == 1.0


@pytest.mark.parametrize("cost", [1.0, 1.5, 1.75, 2.9, 3.0])
def test_the_threshold_gives_the_cost_asked_for(cost):
    net = Fixed(0)
    x = torch.randn(400, 4, generator=seeded(6))
    threshold = threshold_for_cost(net(x), cost)
    assert BoostedNetworks(net, net, net, threshold).cost(x) == pytest.approx(cost, abs=0.005)


def test_half_wrong():
    net = Fixed(1)
    x, t = half_wrong(net, endless(), 301)
    assert x.shape == (300, 4)
    assert (net(x).argmin(1) == t).sum() == 150
    again = half_wrong(net, endless(), 301)
    assert torch.equal(x, again[0])
    assert torch.equal(t, again[1])


def test_disagreements():
    first, second = Fixed(1), Fixed(2)
    x, t = disagreements(first, second, endless(), 120)
    assert x.shape == (120, 4)
    assert t.shape == (120,)
    assert (first(x).argmin(1) != second(x).argmin(1)).all()


def test_errors():
    net = Fixed(0)
    with pytest.raises(ValueError, match=r"ended after 100 patterns with \d+ that the first"):
        half_wrong(net, itertools.islice(endless(), 2), 1000)
    with pytest.raises(ValueError, match="with 0 on which the networks disagree; 5 were"):
        disagreements(net, net, itertools.islice(endless(), 2), 5)
    with pytest.raises(ValueError, match="between 1 and 3"):
        threshold_for_cost(torch.rand(3, 2), 3.5)
    with pytest.raises(ValueError, match="at least 2 patterns"):
        half_wrong(net, endless(), 1)
    with pytest.raises(ValueError, match="2 classes or more"):
        margin(torch.rand(3, 1))
