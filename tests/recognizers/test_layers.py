import pytest
import torch
from torch.nn import functional

from recognizers.layers import (
    ConnectedConv2d,
    EuclideanRBF,
    ScaledTanh,
    Subsampling,
    initialize_uniform,
)

TABLE = [[0, 2], [1], [0, 1, 2], [2]]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_scaled_tanh_check_values():
    a = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64, requires_grad=True)
    y = ScaledTanh()(a)
    assert y.tolist() == pytest.approx([0.0, 0.9999973, -0.9999973], abs=1e-7)
    (slope,) = torch.autograd.grad(y.sum(), a)
    assert slope.tolist() == pytest.approx([1.14393, 0.75541, 0.75541], abs=1e-5)


def test_subsampling_is_the_sum_times_coefficient_plus_bias():
    layer = Subsampling(3, (2, 1)).double()
    torch.nn.init.uniform_(layer.coefficient, -1, 1, generator=seeded(2))
    torch.nn.init.uniform_(layer.bias, -1, 1, generator=seeded(3))
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, generator=seeded(1))
    y = layer(x)
    assert y.shape == (2, 3, 2, 4)
    for b, m, r, c in [(0, 0, 0, 0), (1, 2, 1, 3), (0, 1, 1, 2)]:
        total = x[b, m, 2 * r, c] + x[b, m, 2 * r + 1, c]
        assert torch.isclose(y[b, m, r, c], total * layer.coefficient[m] + layer.bias[m])


def test_connected_convolution_by_loops():
    layer = ConnectedConv2d(3, 4, (2, 3), table=TABLE, generator=seeded()).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=seeded(1))
    y = layer(x)
    assert y.shape == (2, 4, 3, 3)
    expected = torch.zeros_like(y)
    k = 0
    for o, row in enumerate(TABLE):
        expected[:, o] = layer.bias[o]
        for i in row:
            for r in range(3):
                for c in range(3):
                    window = x[:, i, r : r + 2, c : c + 3]
                    expected[:, o, r, c] += (window * layer.kernels[k]).sum((1, 2))
            k += 1
    assert torch.allclose(y, expected)
    assert len(layer.kernels) == k == 7


def test_output_does_not_depend_on_maps_outside_the_table():
    layer = ConnectedConv2d(3, 4, 3, table=TABLE, generator=seeded())
    x = torch.randn(1, 3, 5, 5, generator=seeded(1), requires_grad=True)
    for o, row in enumerate(TABLE):
        (grad,) = torch.autograd.grad(layer(x)[:, o].sum(), x)
        touched = grad.abs().sum((0, 2, 3)) > 0
        assert touched.nonzero().flatten().tolist() == row


@pytest.mark.parametrize("size", [(3, 3), (5, 6)])
def test_full_table_equals_conv2d(size):
    layer = ConnectedConv2d(3, 4, 3, generator=seeded()).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64, generator=seeded(1))
    expected = functional.conv2d(x, layer.kernels.view(4, 3, 3, 3), layer.bias)
    assert torch.allclose(layer(x), expected)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("table", [None, TABLE])
def test_connected_convolution_derivatives(size, table):
    layer = ConnectedConv2d(3, 4, 2, table=table, generator=seeded()).double()
    x = torch.randn(1, 3, size, size, dtype=torch.float64, generator=seeded(1))

    def run(x, kernels, bias):
        values = {"kernels": kernels, "bias": bias}
        return torch.func.functional_call(layer, values, (x,)).square()

    inputs = (
        x.requires_grad_(),
        layer.kernels.detach().requires_grad_(),
        layer.bias.detach().requires_grad_(),
    )
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_subsampling_second_derivatives():
    layer = Subsampling(2).double()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, generator=seeded(1), requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).square(), (x,))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0]], "1 rows"),
        ([[0], []], "output map 1 reads no"),
        ([[0, 0], [1]], "output map 0 .* twice"),
        ([[0], [3]], "output map 1 reads input map 3"),
        ([[-1], [0]], "output map 0 reads input map -1"),
    ],
)
def test_bad_tables(table, message):
    with pytest.raises(ValueError, match=message):
        ConnectedConv2d(3, 2, 5, table=table)


def test_rbf_is_the_squared_distance():
    centres = torch.randn(5, 7, dtype=torch.float64, generator=seeded())
    x = torch.randn(3, 7, dtype=torch.float64, generator=seeded(1))
    assert torch.allclose(EuclideanRBF(centres)(x), torch.cdist(x, centres) ** 2)


def test_rbf_is_stable_far_from_the_origin():
    centres = torch.tensor([[1e4, 1e4], [1e4, -1e4]])
    x = centres[:1] + torch.tensor([[0.0, 0.5]])
    # In float32, |x|² - 2xw + |w|² would be off by about 16 here.
    assert EuclideanRBF(centres)(x)[0, 0] == 0.25


def test_rbf_on_maps_equals_rbf_at_each_position():
    rbf = EuclideanRBF(torch.randn(5, 7, generator=seeded()))
    maps = torch.randn(2, 7, 3, 4, generator=seeded(1))
    y = rbf(maps)
    assert y.shape == (2, 5, 3, 4)
    for r in range(3):
        for c in range(4):
            assert torch.equal(y[:, :, r, c], rbf(maps[:, :, r, c]))


def test_rbf_in_parts_equals_rbf_at_once(monkeypatch):
    rbf = EuclideanRBF(torch.randn(5, 7, generator=seeded()))
    x = torch.randn(11, 7, generator=seeded(1))
    whole = rbf(x)
    monkeypatch.setattr("recognizers.layers._DIFFERENCES_AT_ONCE", 100)
    assert torch.equal(rbf(x), whole)


def test_rbf_derivatives():
    centres = torch.randn(3, 4, dtype=torch.float64, generator=seeded(), requires_grad=True)
    x = torch.randn(5, 4, dtype=torch.float64, generator=seeded(1), requires_grad=True)
    rbf = EuclideanRBF(centres, adaptive=True)

    def run(x, centres):
        return torch.func.functional_call(rbf, {"centres": centres}, (x,))

    assert torch.autograd.gradcheck(run, (x, centres))
    assert torch.autograd.gradgradcheck(run, (x, centres))
    (grad,) = torch.autograd.grad(run(x, centres)[:, 1].sum(), x)
    assert torch.allclose(grad, 2 * (x - centres[1]))


def test_rbf_per_sample_gradients():
    rbf = EuclideanRBF(torch.randn(3, 4, generator=seeded()))
    x = torch.randn(5, 4, generator=seeded(1))
    each = torch.func.vmap(torch.func.grad(lambda one: rbf(one.unsqueeze(0))[0, 2]))(x)
    assert torch.allclose(each, 2 * (x - rbf.centres[2]))


def test_rbf_centres_fixed_or_adaptive():
    fixed, adaptive = (EuclideanRBF(torch.ones(3, 4), adaptive=a) for a in (False, True))
    assert [n for n, _ in fixed.named_parameters()] == []
    assert [n for n, _ in adaptive.named_parameters()] == ["centres"]
    assert set(fixed.state_dict()) == set(adaptive.state_dict()) == {"centres"}


@pytest.mark.parametrize("shape", [(4,), (2, 5), (2, 5, 3, 3)])
def test_rbf_refuses_wrong_shapes(shape):
    with pytest.raises(ValueError, match="4 components"):
        EuclideanRBF(torch.ones(3, 4))(torch.ones(shape))


def test_initialization_is_uniform_by_fan_in_and_deterministic():
    layer = ConnectedConv2d(6, 2, 5, table=[[0], [0, 1, 2, 3, 4, 5]], generator=seeded(3))
    again = ConnectedConv2d(6, 2, 5, table=[[0], [0, 1, 2, 3, 4, 5]], generator=seeded(3))
    other = ConnectedConv2d(6, 2, 5, table=[[0], [0, 1, 2, 3, 4, 5]], generator=seeded(4))
    assert torch.equal(layer.kernels, again.kernels)
    assert not torch.equal(layer.kernels, other.kernels)
    assert 0.07 < layer.kernels[0].abs().max() <= 2.4 / 25
    assert 0.013 < layer.kernels[1:].abs().max() <= 2.4 / 150
    values = torch.empty(20_000, dtype=torch.float64)
    initialize_uniform(values, 12, seeded())
    assert values.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    assert values.mean().item() == pytest.approx(0.0, abs=0.003)


def test_subsampling_starts_at_the_end_of_the_interval():
    layer = Subsampling(3, (2, 1))
    assert torch.equal(layer.coefficient, torch.full((3,), 1.2))
    assert torch.equal(layer.bias, torch.zeros(3))


def test_unit_variance_initialization():
    values = torch.empty(20_000, dtype=torch.float64)
    initialize_uniform(values, 25, seeded(), "unit-variance")
    assert values.std().item() == pytest.approx(0.2, rel=0.02)
    layer = ConnectedConv2d(1, 1, 5, generator=seeded(), initialization="unit-variance")
    assert 2.4 / 25 < layer.kernels.abs().max() <= (3 / 25) ** 0.5
    with pytest.raises(ValueError, match="initialization must be"):
        initialize_uniform(values, 25, rule="xavier")
