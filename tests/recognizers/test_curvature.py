"""Second derivatives are those of a recursion unit by unit and of an explicit Jacobian."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian as hessian_of
from torch.func import functional_call, jacrev

from recognizers.curvature import gauss_newton_curvature, paper_curvature
from recognizers.layers import (
    AMPLITUDE,
    SLOPE,
    ConnectedConv2d,
    EuclideanRBF,
    ScaledTanh,
    Subsampling,
)
from recognizers.lenet import LeNet5
from recognizers.losses import discriminative_loss, maximum_likelihood_loss
from recognizers.small_lenets import LeNet1, LeNet4


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def units_by_connection(layer, name, shape):
    """Connections (output unit, input unit or None for a bias, parameter name, place in it).

    Units are numbered over [maps, height, width]. The four connections of a window that share a
    coefficient count as one, from their sum, as they have no parameters of their own.
    """
    maps, high, wide = shape
    number = {
        (m, r, c): m * high * wide + r * wide + c
        for m in range(maps)
        for r in range(high)
        for c in range(wide)
    }
    found = []
    if isinstance(layer, ConnectedConv2d):
        rows, columns = layer.kernel_size
        size = (layer.out_maps, high - rows + 1, wide - columns + 1)
        kernel = 0
        for o, inputs in enumerate(layer.table):
            for i in inputs:
                for r in range(size[1]):
                    for c in range(size[2]):
                        unit = (o * size[1] + r) * size[2] + c
                        for y in range(rows):
                            for x in range(columns):
                                source = number[i, r + y, c + x]
                                found.append((unit, source, f"{name}.kernels", (kernel, y, x)))
                kernel += 1
        for unit in range(size[0] * size[1] * size[2]):
            found.append((unit, None, f"{name}.bias", (unit // (size[1] * size[2]),)))
        return found, size
    rows, columns = layer.window
    size = (layer.maps, high // rows, wide // columns)
    for m in range(layer.maps):
        for r in range(size[1]):
            for c in range(size[2]):
                unit = (m * size[1] + r) * size[2] + c
                window = [
                    number[m // layer.copies, r * rows + y, c * columns + x]
                    for y in range(rows)
                    for x in range(columns)
                ]
                found.append((unit, window, f"{name}.coefficient", (m,)))
                found.append((unit, None, f"{name}.bias", (m,)))
    return found, size


def naive(layers, x, top_second):
    """Eqs. 23 to 27 for one pattern, in loops over units and connections.

    `top_second(states)` are the second derivatives with respect to the states of the last layer.
    """
    shapes, states, connected = [tuple(x.shape[1:])], [x.flatten().tolist()], []
    sums = []
    for name, layer in layers:
        links, size = units_by_connection(layer, name, shapes[-1])
        parameters = dict(layer.named_parameters())
        a = [0.0] * (size[0] * size[1] * size[2])
        for unit, source, parameter, place in links:
            u = parameters[parameter.split(".")[1]][place].item()
            if source is None:
                a[unit] += u
            elif isinstance(source, list):
                a[unit] += u * sum(states[-1][s] for s in source)
            else:
                a[unit] += u * states[-1][source]
        sums.append(a)
        connected.append((links, parameters))
        shapes.append(size)
        states.append((AMPLITUDE * torch.tanh(SLOPE * torch.tensor(a).double())).tolist())
    by_state = top_second(torch.tensor(states[-1]).double()).tolist()
    found = {
        f"{name}.{p}": torch.zeros_like(value)
        for name, layer in layers
        for p, value in layer.named_parameters()
    }
    for level in reversed(range(len(layers))):
        slope = [
            AMPLITUDE * SLOPE / torch.cosh(torch.tensor(SLOPE * a).double()).item() ** 2
            for a in sums[level]
        ]
        by_sum = [s**2 * h for s, h in zip(slope, by_state, strict=True)]  # eq. 27
        below = [0.0] * len(states[level])
        links, parameters = connected[level]
        for unit, source, parameter, place in links:
            u = parameters[parameter.split(".")[1]][place].item()
            if source is None:
                found[parameter][place] += by_sum[unit]  # the input of a bias is 1
            elif isinstance(source, list):
                total = sum(states[level][s] for s in source)
                found[parameter][place] += by_sum[unit] * total**2
                for s in source:
                    below[s] += u**2 * by_sum[unit]
            else:
                found[parameter][place] += by_sum[unit] * states[level][source] ** 2  # eq. 25
                below[source] += u**2 * by_sum[unit]
        by_state = below
    return found


def small_network():
    draw = {"generator": seeded(3), "initialization": "unit-variance"}
    return nn.Sequential(
        ConnectedConv2d(1, 2, 3, **draw),
        ScaledTanh(),
        Subsampling(4, (2, 2), copies=2),
        ScaledTanh(),
        ConnectedConv2d(4, 3, 2, table=[[0, 1], [3], [0, 2, 3]], **draw),
        ScaledTanh(),
        nn.Flatten(),
        EuclideanRBF(torch.randn(5, 3 * 2 * 2, generator=seeded(4)).sign()),
    ).double()


RUBBISH = 12.0


def second_of_map(states, centres, rubbish):
    # paper.md, 3.4: 4 [Σ p d² - (Σ p d)²] + 2 p_0.
    d = states - centres
    rest = torch.tensor([float("inf") if rubbish is None else rubbish]).double()
    p = torch.softmax(-torch.cat((d.square().sum(1), rest)), 0)[:-1].unsqueeze(1)
    return 4 * ((p * d**2).sum(0) - (p * d).sum(0) ** 2) + 2 * (1 - p.sum())


@pytest.mark.parametrize("loss", ["maximum-likelihood", "discriminative", "no rubbish"])
def test_the_recursion_is_that_of_single_units(loss):
    network = small_network()
    x = torch.randn(3, 1, 9, 8, generator=seeded(5)).double()
    targets = torch.tensor([0, 3, 3])
    layers = [(n, m) for n, m in network.named_children() if n in "024"]
    centres = network[-1].centres
    if loss == "maximum-likelihood":
        function = maximum_likelihood_loss
        top = lambda states: torch.full_like(states, 2.0)  # noqa: E731
    else:
        j = RUBBISH if loss == "discriminative" else None
        function = lambda y, t: discriminative_loss(y, t, j)  # noqa: E731
        top = lambda states: second_of_map(states, centres, j)  # noqa: E731
    found = paper_curvature(network, x, targets, function)
    each = [naive(layers, one.unsqueeze(0), top) for one in x]
    assert found.keys() == each[0].keys()
    for name, value in found.items():
        expected = sum(e[name] for e in each) / len(each)  # eq. 24
        assert torch.allclose(value, expected, rtol=1e-6), name
        assert (value >= 0).all()


def test_rules_for_the_layers_of_torch():
    ours = nn.Sequential(ConnectedConv2d(2, 3, 3, generator=seeded()), ScaledTanh(), nn.Flatten())
    ours.append(nn.Linear(3 * 2 * 4, 4))
    conv = nn.Conv2d(2, 3, 3)
    conv.weight.data, conv.bias.data = ours[0].dense_kernels().data, ours[0].bias.data
    theirs = nn.Sequential(conv, *ours[1:])
    x, t = torch.randn(5, 2, 4, 6, generator=seeded(1)), torch.tensor([0, 1, 2, 3, 0])
    loss = nn.functional.cross_entropy
    a, b = paper_curvature(ours, x, t, loss), paper_curvature(theirs, x, t, loss)
    assert torch.allclose(a["0.kernels"], b["0.weight"].flatten(0, 1))
    assert torch.allclose(a["0.bias"], b["0.bias"])
    # The top layer is exact: with ten sums and softmax, p (1 - p) times the squared input.
    states = ours[2](ours[1](ours[0](x)))
    p = torch.softmax(ours[3](states), 1)
    assert torch.allclose(a["3.weight"], (p * (1 - p)).t() @ states**2 / 5, atol=1e-6)
    assert torch.allclose(a["3.bias"], (p * (1 - p)).mean(0), atol=1e-6)


def test_adaptive_centres_against_autograd():
    rbf = EuclideanRBF(torch.randn(4, 3, generator=seeded()), adaptive=True).double()
    network = nn.Sequential(nn.Identity(), rbf)
    x = torch.randn(1, 3, generator=seeded(1)).double()
    loss = lambda y, t: discriminative_loss(y, t, 4.0)  # noqa: E731
    found = paper_curvature(network, x, torch.tensor([2]), loss)["1.centres"]

    def of(centres):
        return loss(functional_call(rbf, {"centres": centres}, (x,)), torch.tensor([2]))

    exact = hessian_of(of, rbf.centres.detach()).reshape(12, 12).diagonal().view(4, 3)
    assert torch.allclose(found, exact.clamp_min(0))


@pytest.mark.parametrize(
    ("model", "size"), [(LeNet5, 32), (LeNet4, 32), (LeNet1, 28)], ids=["5", "4", "1"]
)
def test_the_lenets_have_rules_for_all_their_layers(model, size):
    network = model(generator=seeded(), initialization="unit-variance")
    x = torch.randn(4, 1, size, size, generator=seeded(1))
    found = paper_curvature(network, x, torch.arange(4), discriminative_loss)
    assert list(found) == [name for name, _ in network.named_parameters()]
    assert all((h > 0).any() and h.isfinite().all() for h in found.values())


def test_what_has_no_rule_raises():
    x, t = torch.randn(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="1 is a ReLU, for which there is no rule"):
        paper_curvature(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), x, t, discriminative_loss)
    strided = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.Flatten())
    with pytest.raises(ValueError, match="0 is a Conv2d with a stride"):
        paper_curvature(strided, torch.randn(2, 1, 5, 5), t, discriminative_loss)

    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x):
            return self.second(2.0 * self.first(x))

    with pytest.raises(ValueError, match="between first and second something happens"):
        paper_curvature(Doubled(), x, t, discriminative_loss)
    with pytest.raises(ValueError, match="between out and the output"):
        paper_curvature(LeNet5(rubbish=True), torch.randn(2, 1, 32, 32), t, maximum_likelihood_loss)
    unused = nn.Sequential(nn.Linear(3, 2))
    unused.scale = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="the parameter scale"):
        paper_curvature(unused, x, t, discriminative_loss)


def explicit_diagonal(network, x, targets, loss):
    """diag(Jᵀ H J) of the mean loss, from the whole Jacobian."""
    parameters = {n: p.detach() for n, p in network.named_parameters()}
    outputs = network(x).detach()
    jacobian = jacrev(lambda p: functional_call(network, p, (x,)))(parameters)
    total = {n: torch.zeros_like(p) for n, p in parameters.items()}
    for b in range(len(x)):
        hessian = hessian_of(lambda y, b=b: loss(y.unsqueeze(0), targets[b : b + 1]), outputs[b])
        for n, j in jacobian.items():
            rows = j[b].flatten(1)
            total[n] += torch.einsum("ik,ij,jk->k", rows, hessian, rows).view(total[n].shape)
    return {n: value / len(x) for n, value in total.items()}


def test_the_sampled_diagonal_has_the_right_mean():
    network = small_network()
    x = torch.randn(3, 1, 9, 8, generator=seeded(5)).double()
    targets = torch.tensor([0, 3, 1])
    loss = lambda y, t: discriminative_loss(0.2 * y, t, 2.0)  # noqa: E731
    exact = explicit_diagonal(network, x, targets, loss)
    found = gauss_newton_curvature(
        network, x, lambda y: loss(y, targets), draws=3000, generator=seeded(7)
    )
    for name, value in exact.items():
        # A mean of 3000 squares deviates by about sqrt(2 / 3000) of itself.
        assert torch.allclose(found[name], value, rtol=0.2, atol=1e-6), name
    # The recursion drops cross terms, so that below the top layer its diagonal differs.
    recursion = paper_curvature(network, x, targets, loss)["0.kernels"]
    assert not torch.allclose(recursion, exact["0.kernels"], rtol=0.2)


def test_one_draw_is_exact_where_there_is_one_output():
    network = nn.Sequential(nn.Linear(4, 1)).double()
    x = torch.randn(1, 4, generator=seeded()).double()
    found = gauss_newton_curvature(network, x, lambda y: 0.5 * (3.0 * y).square().mean())
    assert torch.allclose(found["0.weight"], 9.0 * x**2)
    assert torch.allclose(found["0.bias"], torch.tensor([9.0]).double())
