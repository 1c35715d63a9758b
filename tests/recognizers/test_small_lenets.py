import pytest
import torch

from recognizers.curvature import paper_curvature
from recognizers.layers import Subsampling
from recognizers.lenet import connections, layers_of, multiply_adds, parameters
from recognizers.losses import discriminative_loss
from recognizers.small_lenets import LENET1_TABLE, LENET4_TABLE, LeNet1, LeNet4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_lenet1_has_the_parameters_of_the_companion_paper():
    rows = {r.name: (r.maps, r.height, r.parameters) for r in layers_of(LeNet1(), (28, 28))}
    assert rows == {
        "h1": (4, 24, 104),
        "h2": (4, 12, 8),
        "h3": (12, 8, 512),
        "h4": (12, 4, 24),
        "units": (10, 1, 1930),
        "out": (10, 1, 0),
    }
    assert parameters(LeNet1()) == 2578
    assert round(multiply_adds(LeNet1(), (28, 28)), -4) in (90_000, 100_000)
    assert sum(map(len, LENET1_TABLE)) == 20
    assert {len(row) for row in LENET1_TABLE} == {1, 2}


def test_lenet4_has_the_printed_layers_and_connections():
    rows = {r.name: (r.maps, r.height, r.parameters) for r in layers_of(LeNet4())}
    assert rows == {
        "c1": (4, 28, 104),
        "s2": (8, 14, 16),
        "c3": (16, 10, 1216),
        "s4": (16, 5, 32),
        "f5": (120, 1, 48_120),
        "units": (10, 1, 1210),
        "out": (10, 1, 0),
    }
    assert connections(LeNet4()) == pytest.approx(260_000, rel=0.01)
    assert parameters(LeNet4()) == 50_698
    assert len(set(LENET4_TABLE)) == 16
    for s2_map in range(8):
        assert sum(s2_map in row for row in LENET4_TABLE) == 6


def test_two_subsampling_maps_read_each_first_level_map():
    layer = Subsampling(4, copies=2)
    with torch.no_grad():
        layer.coefficient.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    maps = torch.stack([torch.full((1, 2, 2), v) for v in (1.0, 10.0)], dim=1)
    assert layer(maps).flatten().tolist() == [4.0, 8.0, 120.0, 160.0]
    with pytest.raises(ValueError, match="groups of 2"):
        Subsampling(3, copies=2)


@pytest.mark.parametrize(("model", "size"), [(LeNet1, 28), (LeNet4, 32)])
def test_penalties_are_distances_to_place_codes(model, size):
    network = model("012", generator=seeded())
    x = torch.randn(4, 1, size, size, generator=seeded(1))
    states = network.features(x).flatten(1)
    codes = 2 * torch.eye(3) - 1
    assert torch.allclose(network(x), torch.cdist(states, codes) ** 2, atol=1e-4)
    discriminative_loss(network(x), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad.abs().max() > 0 for p in network.parameters())
    again = model(**network.settings)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(x), network(x))


@pytest.mark.parametrize(("model", "size"), [(LeNet1, 28), (LeNet4, 32)])
def test_images_of_another_size(model, size):
    with pytest.raises(ValueError, match=rf"\[B, 1, {size}, {size}\]"):
        model()(torch.zeros(1, 1, 30, 30))


@pytest.mark.parametrize(("model", "size"), [(LeNet1, 28), (LeNet4, 32)])
def test_softmax_output(model, size):
    network = model(output="softmax", generator=seeded())
    x = torch.randn(3, 1, size, size, generator=seeded(1))
    assert torch.allclose(torch.exp(-network(x)).sum(1), torch.ones(3))
    assert parameters(network) == parameters(model())
    with pytest.raises(ValueError, match="output must be"):
        model(output="sigmoid")


def test_curvature_from_the_sums_of_a_softmax():
    network = LeNet4(output="softmax", generator=seeded())
    x, t = torch.randn(5, 1, 32, 32, generator=seeded(1)), torch.arange(5)
    found = paper_curvature(
        network, x, t, lambda s, _: 0.25 * s.flatten(1).square().sum(1).mean(), network.features
    )
    assert torch.allclose(found["units.bias"], torch.full((10,), 0.5))
    assert all((h > 0).any() for h in found.values())
