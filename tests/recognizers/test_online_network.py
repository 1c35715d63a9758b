"""The network for annotated images: the paper's sizes; a sweep gives what its windows give."""

import pytest
import torch

from recognizers.codes import CHARACTERS
from recognizers.layers import EuclideanRBF
from recognizers.lenet import layers_of, parameters
from recognizers.losses import discriminative_loss, maximum_likelihood_loss
from recognizers.online.fused import fused_features
from recognizers.online.network import INPUT_GAIN, AmapNetwork
from recognizers.sdnn import SpaceDisplacementNetwork


def seeded(**options):
    return AmapNetwork(generator=torch.Generator().manual_seed(0), **options)


def test_the_layers_of_the_paper():
    rows = layers_of(seeded(), (20, 18))
    sizes = [(r.maps, r.height, r.width) for r in rows]
    assert sizes == [(8, 18, 16), (8, 9, 8), (25, 5, 4), (84, 2, 1), (84, 1, 1), (95, 1, 1)]
    assert [r.parameters for r in rows] == [368, 16, 5025, 33684, 168, 0]
    assert parameters(seeded()) == 39261
    assert parameters(seeded(adaptive=True)) == 39261 + 95 * 84


@pytest.mark.parametrize("output", ["rbf", "softmax"])
@pytest.mark.parametrize("rubbish", [False, True])
def test_a_sweep_gives_every_window(output, rubbish):
    net = seeded(output=output, rubbish=rubbish)
    images = torch.rand(2, 5, 20, 47, generator=torch.Generator().manual_seed(1))
    swept = net(images)
    assert swept.shape == (2, 95 + rubbish, 1, 15)
    for t in range(15):
        window = images[..., 2 * t : 2 * t + 18]
        torch.testing.assert_close(swept[:, :, 0, t], net(window), atol=1e-4, rtol=1e-5)
    line = SpaceDisplacementNetwork(net, background=0.0, margin=4)
    torch.testing.assert_close(line(images), line.by_windows(images), atol=1e-4, rtol=1e-5)
    assert line(images).shape == (2, line.columns(47), 95 + rubbish)
    assert line.classes[:2] == (" ", "!")


@pytest.mark.parametrize("columns", [18, 47])
def test_fused_features_and_their_derivatives(columns):
    net = seeded(classes="ab", output="softmax", planes=10, initialization="unit-variance")
    layers = (net.c1, net.s2, net.c3, net.c4, net.s5)
    images = torch.rand(3, 10, 20, columns, generator=torch.Generator().manual_seed(1))
    parameters = [p for layer in layers for p in layer.parameters()]
    found = []
    for states in (net.features(images), fused_features(layers, images, INPUT_GAIN)):
        found.append((states, *torch.autograd.grad(states.square().sum(), parameters)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4 * float(one.detach().abs().max()), rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        half = net.features(images)
    assert half.dtype == torch.bfloat16
    assert (half.float() - found[0][0]).abs().mean() < 0.02


def test_centres_are_fixed_and_then_adapt():
    net = seeded()
    image = torch.rand(3, 5, 20, 18)
    target = torch.tensor([1, 2, 3])
    before = net(image)
    maximum_likelihood_loss(before, target).backward()
    assert not any(p.shape == (95, 84) for p in net.parameters())
    centres = net.adapt_centres()
    assert any(p is centres for p in net.parameters())
    assert net.adapt_centres() is centres
    torch.testing.assert_close(net(image), before)
    discriminative_loss(net(image), target).backward()
    assert centres.grad.abs().sum() > 0
    again = AmapNetwork(**net.settings)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again(image), before)
    assert isinstance(again.out, EuclideanRBF)
    with pytest.raises(ValueError, match="no centres"):
        seeded(output="softmax").adapt_centres()


def test_it_learns():
    net = seeded(classes="01", initialization="unit-variance")
    images = torch.zeros(20, 5, 20, 18)
    images[:10, 0, 5, 3:15] = 1.0
    images[10:, 2, 3:17, 9] = 1.0
    targets = torch.arange(20) // 10
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        discriminative_loss(net(images), targets).backward()
        optimizer.step()
    assert (net(images).argmin(1) == targets).all()


def test_penalties():
    assert seeded().classes == tuple(CHARACTERS)
    soft = seeded(output="softmax")
    image = torch.rand(2, 5, 20, 18)
    torch.testing.assert_close((-soft(image)).exp().sum(1), torch.ones(2))
    torch.testing.assert_close(
        torch.log_softmax(-seeded(output="softmax", normalize=False)(image), 1), -soft(image)
    )
    net = seeded(classes="ab", rubbish=True)
    assert net.classes == ("a", "b", "rubbish")
    assert (net(image)[:, 2] == 40.0).all()


@pytest.mark.parametrize("shape", [(5, 20, 18), (1, 4, 20, 18), (1, 5, 19, 18), (1, 5, 20, 17)])
def test_wrong_images(shape):
    with pytest.raises(ValueError, match="annotated images must be"):
        seeded()(torch.zeros(shape))


@pytest.mark.parametrize(
    "options",
    [{"output": "mlp"}, {"classes": ""}, {"classes": "aa"}, {"rubbish_penalty": float("nan")}],
)
def test_wrong_options(options):
    with pytest.raises(ValueError, match=r"must be|class|needs"):
        AmapNetwork(**options)
