import pytest
import torch

from recognizers.codes import CHARACTERS, codes
from recognizers.layers import Subsampling
from recognizers.lenet import (
    C3_TABLE,
    LeNet5,
    connections,
    describe,
    layers_of,
    multiply_adds,
    parameters,
)
from recognizers.losses import discriminative_loss, maximum_likelihood_loss


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=2, height=32, width=32, seed=1):
    return torch.randn(count, 1, height, width, generator=seeded(seed))


def test_the_layer_table_of_the_paper():
    rows = [(r.name, r.maps, r.height, r.parameters, r.connections) for r in layers_of(LeNet5())]
    assert rows == [
        ("c1", 6, 28, 156, 122_304),
        ("s2", 6, 14, 12, 5_880),
        ("c3", 16, 10, 1_516, 151_600),
        ("s4", 16, 5, 32, 2_000),
        ("c5", 120, 1, 48_120, 48_120),
        ("f6", 84, 1, 10_164, 10_164),
        ("out", 10, 1, 0, 840),
    ]


def test_totals():
    model = LeNet5()
    assert parameters(model) == 60_000
    assert connections(model) == 340_908
    biases = 6 * 784 + 6 * 196 + 16 * 100 + 16 * 25 + 120 + 84
    assert multiply_adds(model) == 340_908 - biases
    assert "340,908" in describe(model)
    assert parameters(LeNet5(adaptive=True)) == 60_840
    assert parameters(LeNet5(rubbish=True)) == 60_001
    assert parameters(LeNet5(rubbish=True, train_rubbish=False)) == 60_000
    assert parameters(LeNet5(output="softmax")) == 60_000 + 850


def test_connections_grow_with_the_input():
    rows = {r.name: r for r in layers_of(LeNet5(), (36, 40))}
    assert (rows["c1"].height, rows["c1"].width) == (32, 36)
    assert (rows["c5"].height, rows["c5"].width) == (2, 3)
    assert rows["c5"].connections == 6 * 48_120


def test_table_one():
    assert sum(map(len, C3_TABLE)) == 60
    assert len(set(C3_TABLE)) == 16
    for s2_map in range(6):
        assert sum(s2_map in row for row in C3_TABLE) == 10
    triples = {frozenset((i + k) % 6 for k in range(3)) for i in range(6)}
    quadruples = {frozenset((i + k) % 6 for k in range(4)) for i in range(6)}
    assert {frozenset(row) for row in C3_TABLE[:6]} == triples
    assert {frozenset(row) for row in C3_TABLE[6:12]} == quadruples
    assert not {frozenset(row) for row in C3_TABLE[12:15]} & quadruples


def test_rbf_penalties_are_squared_distances_of_f6_to_the_codes():
    model = LeNet5("7Ab", generator=seeded())
    x = images()
    states = model.features(x).flatten(1)
    expected = torch.cdist(states.double(), torch.from_numpy(codes("7Ab"))) ** 2
    assert torch.allclose(model(x).double(), expected, atol=1e-4)
    assert states.abs().max() < 1.7159


def test_softmax_penalties():
    model = LeNet5(output="softmax", generator=seeded())
    x = images()
    penalties = model(x)
    assert torch.allclose(torch.exp(-penalties).sum(1), torch.ones(2))
    raw = LeNet5(output="softmax", normalize=False, generator=seeded())
    assert torch.allclose(torch.log_softmax(-raw(x), 1), -penalties, atol=1e-6)
    assert not torch.allclose(raw(x), penalties)


@pytest.mark.parametrize("output", ["rbf", "softmax"])
def test_rubbish_is_the_last_class(output):
    model = LeNet5("0123456789", output, rubbish=True, generator=seeded())
    assert model.classes == (*"0123456789", "rubbish")
    assert model.rubbish_index == 10
    assert model(images()).shape == (2, 11)
    assert model(images(height=36)).shape == (2, 11, 2, 1)
    assert LeNet5().rubbish_index is None


def test_rubbish_penalty_of_rbf_is_the_j_of_equation_nine():
    model = LeNet5(rubbish=True, rubbish_penalty=7.5, generator=seeded())
    plain = LeNet5(generator=seeded())
    x, targets = images(), torch.tensor([3, 1])
    penalties = model(x)
    assert penalties[:, 10].tolist() == [7.5, 7.5]
    assert torch.equal(penalties[:, :10], plain(x))
    loss = discriminative_loss(penalties, targets)
    assert torch.allclose(loss, discriminative_loss(plain(x), targets, rubbish=7.5))
    loss.backward()
    assert model.rubbish_penalty.grad < 0
    fixed = LeNet5(rubbish=True, train_rubbish=False)
    assert "rubbish_penalty" in fixed.state_dict()
    assert not any("rubbish" in name for name, _ in fixed.named_parameters())


@pytest.mark.parametrize("output", ["rbf", "softmax"])
def test_larger_input_equals_the_network_window_by_window(output):
    # Claim 22 of section VII: the replicated network is one larger network.
    model = LeNet5("01234", output, rubbish=True, generator=seeded()).double()
    x = images(2, 41, 47).double()
    maps = model(x)
    assert maps.shape == (2, 6, 3, 4)
    for r in range(3):
        for c in range(4):
            window = x[:, :, 4 * r : 4 * r + 32, 4 * c : 4 * c + 32]
            assert torch.allclose(maps[:, :, r, c], model(window))


def test_every_parameter_learns():
    model = LeNet5(rubbish=True, generator=seeded())
    discriminative_loss(model(images(8)), torch.arange(8)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_second_derivatives_exist():
    model = LeNet5(generator=seeded())
    loss = maximum_likelihood_loss(model(images()), torch.tensor([3, 1]))
    kernels = model.c3.kernels
    (grad,) = torch.autograd.grad(loss, kernels, create_graph=True)
    direction = torch.randn(kernels.shape, generator=seeded(2))
    (curvature,) = torch.autograd.grad((grad * direction).sum(), kernels)
    assert curvature.shape == kernels.shape
    assert curvature.isfinite().all()
    assert curvature.abs().max() > 0


def test_the_generator_decides_all_parameters():
    a, b, c = (LeNet5(generator=seeded(s)) for s in (1, 1, 2))
    for name, value in a.named_parameters():
        assert torch.equal(value, b.get_parameter(name)), name
        if not name.startswith("s"):
            assert not torch.equal(value, c.get_parameter(name)), name
    assert isinstance(a.s2, Subsampling)


def test_settings_build_the_same_network():
    model = LeNet5("abc", rubbish=True, rubbish_penalty=3.0, generator=seeded())
    again = LeNet5(**model.settings)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(images()), model(images()))


def test_all_ascii_classes():
    model = LeNet5(CHARACTERS, rubbish=True)
    assert model(images()).shape == (2, 96)


def test_an_empty_batch():
    assert LeNet5()(torch.empty(0, 1, 32, 32)).shape == (0, 10)


@pytest.mark.parametrize("output", ["rbf", "softmax"])
def test_learns_four_strokes(output):
    model = LeNet5("0123", output, generator=seeded())
    across, down = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="xy")
    strokes = [across - 16, down - 16, across - down, across + down - 31]
    ink = torch.stack([(s.abs() < 2).float() for s in strokes]).unsqueeze(1)
    x = (1.275 * ink - 0.1).repeat(4, 1, 1, 1) + 0.1 * images(16)
    targets = torch.arange(16) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(30):
        optimizer.zero_grad()
        discriminative_loss(model(x), targets, rubbish=20.0).backward()
        optimizer.step()
    assert torch.equal(model(x).argmin(1), targets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ""}, "at least one"),
        ({"classes": "010"}, "'0' is named twice"),
        ({"classes": "0é"}, "'é' has no code"),
        ({"output": "sigmoid"}, "output must be"),
        ({"rubbish_penalty": float("nan")}, "finite"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        LeNet5(**options)


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 3, 32, 32), (1, 1, 28, 28), (1, 1, 64, 31)])
def test_bad_images(shape):
    with pytest.raises(ValueError, match="at least 32"):
        LeNet5()(torch.zeros(shape))
