"""The space displacement network gives what its network gives window by window."""

import numpy as np
import pytest
import torch

from recognizers.lenet import LeNet5, parameters
from recognizers.lines.network import LineNetwork
from recognizers.sdnn import LineError, SpaceDisplacementNetwork, multiply_adds_of


def network_of(name: str) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(7)
    if name == "line":
        net = LineNetwork(rubbish=True, generator=generator)
        with torch.no_grad():  # unlike the statistics of an untrained network
            net.train()
            net(torch.rand(8, 1, 32, 60, generator=generator))
        return net.eval()
    options = {"initialization": "unit-variance", "generator": generator}
    return LeNet5(output=name.split()[0], rubbish="rubbish" in name, **options)


NAMES = ["rbf", "rbf rubbish", "softmax", "softmax rubbish", "line"]


@pytest.mark.parametrize("margin", [0, 9])
@pytest.mark.parametrize("step", [None, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_those_of_each_window(name, step, margin):
    sdnn = SpaceDisplacementNetwork(network_of(name), step=step, margin=margin)
    lines = torch.rand(2, 1, 33, 53, generator=torch.Generator().manual_seed(1))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-6)):
        sdnn.to(dtype)
        with torch.no_grad():
            swept, expected = sdnn(lines.to(dtype)), sdnn.by_windows(lines.to(dtype))
        assert swept.shape == expected.shape == (2, int(sdnn.columns(53)), len(sdnn.classes))
        error = (swept - expected).abs().max() / expected.abs().max()
        assert error.item() <= tolerance


@pytest.mark.parametrize("name", NAMES[:4])
def test_maps_are_those_of_each_window_in_two_dimensions(name):
    net = network_of(name).double()
    pages = torch.rand(2, 1, 49, 58, generator=torch.Generator().manual_seed(2)).double()
    with torch.no_grad():
        maps = SpaceDisplacementNetwork(net).maps(pages)
        cut = pages.unfold(2, 32, 4).unfold(3, 32, 4)[:, 0]
        expected = net(cut.reshape(-1, 1, 32, 32)).reshape(*cut.shape[:3], -1)
    torch.testing.assert_close(maps.permute(0, 2, 3, 1), expected, rtol=1e-6, atol=1e-9)


def test_widths_and_centres():
    sdnn = SpaceDisplacementNetwork(LeNet5())
    assert sdnn.columns([31, 32, 35, 36, 64]).tolist() == [0, 1, 1, 2, 9]  # paper: 32 -> 1, 64 -> 9
    closer = SpaceDisplacementNetwork(LeNet5(), step=2, margin=10)
    for width in range(12, 60):
        assert closer(torch.zeros(1, 1, 32, width)).shape[1] == closer.columns(width)
    assert np.array_equal(closer.centres(3), [6.0, 8.0, 10.0])


def test_a_line_beside_longer_ones_has_the_same_outputs():
    sdnn = SpaceDisplacementNetwork(network_of("line"), margin=12)
    line = torch.rand(1, 1, 32, 61)
    padded = torch.nn.functional.pad(line, (0, 40), value=sdnn.background)
    count = int(sdnn.columns(61))
    with torch.no_grad():
        torch.testing.assert_close(sdnn(padded)[:, :count], sdnn(line), rtol=1e-4, atol=1e-4)


def test_the_parameters_are_those_of_the_network():
    lenet = LeNet5(rubbish=True)
    sdnn = SpaceDisplacementNetwork(lenet)
    assert parameters(sdnn) == parameters(lenet) == 60_001
    sdnn(torch.rand(1, 1, 32, 48)).sum().backward()
    assert lenet.c1.kernels.grad is not None


def test_one_pass_saves_multiply_adds_at_any_length_alike():
    sdnn = SpaceDisplacementNetwork(LeNet5())
    costs = [multiply_adds_of(sdnn, torch.zeros(1, 1, 32, w)) for w in (200, 400, 800)]
    assert costs[1] - costs[0] == pytest.approx((costs[2] - costs[1]) / 2)
    each = multiply_adds_of(LeNet5(), torch.zeros(int(sdnn.columns(400)), 1, 32, 32))
    assert each / costs[1] > 3


def test_no_lines_have_no_outputs():
    assert SpaceDisplacementNetwork(LineNetwork())(torch.zeros(0, 1, 32, 60)).shape == (0, 15, 10)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 20, 100), "20 pixels high is lower than the network's field of 32"),
        ((1, 1, 40, 100), "32 to 35 pixels high .* not 40"),
        ((1, 1, 32, 20), "20 pixels wide is narrower than the network's field of 32"),
        ((1, 1, 32, 0), "0 pixels wide"),
        ((1, 3, 32, 40), r"\[B, 1, H, W\], not \(1, 3, 32, 40\)"),
        ((32, 40), r"\[B, 1, H, W\]"),
    ],
)
def test_wrong_images(shape, message):
    with pytest.raises(LineError, match=message):
        SpaceDisplacementNetwork(LeNet5())(torch.zeros(shape))


def test_a_margin_widens_lines_alone():
    network = SpaceDisplacementNetwork(LeNet5(), margin=5)
    with pytest.raises(LineError, match=r"20 pixels wide \(and a margin of 5\) is narrower"):
        network(torch.zeros(1, 1, 32, 20))
    assert network(torch.zeros(1, 1, 32, 24)).shape[1] == 1
    with pytest.raises(LineError, match="24 pixels wide is narrower than the network's field"):
        network.maps(torch.zeros(1, 1, 32, 24))


def test_wrong_options():
    with pytest.raises(ValueError, match="step 3 does not divide"):
        SpaceDisplacementNetwork(LeNet5(), step=3)
    with pytest.raises(ValueError, match="margin is a number of columns, not -1"):
        SpaceDisplacementNetwork(LeNet5(), margin=-1)
    with pytest.raises(ValueError, match="H at least 32 and W at least 31"):
        LineNetwork()(torch.zeros(1, 1, 32, 30))
