"""Diagonal second derivatives of a loss with respect to the parameters of a network (App. C).

Two estimates. `paper_curvature` is the recursion of eqs. 23 to 27, layer by layer: it drops the
cross terms between units, so below the top layer it is *not* the diagonal of the Gauss-Newton
matrix. `gauss_newton_curvature` is an unbiased sample of that diagonal, for any module.

Both are means over the patterns, as the losses are, and have the shapes of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizers.layers import (
    AMPLITUDE,
    SLOPE,
    ConnectedConv2d,
    EuclideanRBF,
    ScaledTanh,
    Subsampling,
)

Loss = Callable[[Tensor, Tensor], Tensor]
Curvatures = dict[str, Tensor]


class _Call(NamedTuple):
    name: str
    layer: nn.Module
    input: Tensor
    output: Tensor


def paper_curvature(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    features: Callable[[Tensor], Tensor] | None = None,
) -> Curvatures:
    """Return h_kk of every trainable parameter by name: eqs. 23 to 27, averaged over the patterns.

    `model` is a chain of layers that have a rule: Linear, Conv2d (stride 1, no padding),
    ConnectedConv2d, Subsampling, ScaledTanh, Flatten, Identity, EuclideanRBF (at the top only).
    `loss(outputs, targets)` is a mean over the patterns. The recursion starts behind the last
    layer with a rule, or below it if that is an RBF layer, with the exact diagonal of the Hessian
    of the loss of each pattern (2 for eq. 8; 4 [Σ p d² - (Σ p d)²] + 2 p_0 for eq. 9). With
    `features`, a method of the model that runs its first part, the chain is that part and the
    loss is a function of the states it returns.

    Costs about one pass forward and one back. Raises ValueError for a layer without a rule, for
    an operation between the layers, and for a parameter that belongs to none of them.

    >>> net = nn.Sequential(nn.Linear(2, 1, bias=False))
    >>> square = lambda y, t: (0.5 * (y[:, 0] - t) ** 2).mean()
    >>> paper_curvature(net, torch.tensor([[1.0, 3.0]]), torch.zeros(1), square)
    {'0.weight': tensor([[1., 9.]])}
    """
    with torch.no_grad(), _recorded(model) as calls:
        outputs = (features or model)(inputs)
    if not calls:
        raise ValueError(f"{type(model).__name__} has no layer")
    _check_chain(calls, inputs, outputs)
    top = calls[-1]
    found: Curvatures = {}
    if isinstance(top.layer, EuclideanRBF):
        calls.pop()
        shape = outputs.shape
        second = _hessian_diagonal(lambda x: loss(top.layer(x).view(shape), targets), top.input)
        if top.layer.adaptive:
            found[f"{top.name}.centres"] = _of_centres(top, loss, targets)
    else:
        second = _hessian_diagonal(lambda y: loss(y.view(outputs.shape), targets), top.output)
    for call in reversed(calls):
        second = _RULES[type(call.layer)](call, second, found)
    named = [name for name, p in model.named_parameters() if p.requires_grad]
    unexplained = sorted(set(named) - set(found))
    if unexplained:
        raise ValueError(f"no layer with a rule has the parameter {unexplained[0]}")
    return {name: found[name] / len(inputs) for name in named}


def gauss_newton_curvature(
    network: nn.Module,
    inputs: Any,
    loss_of_outputs: Callable[[Tensor], Tensor],
    *,
    draws: int = 1,
    generator: torch.Generator | None = None,
    call: Callable[[Any], Tensor] | None = None,
) -> Curvatures:
    """Return an unbiased sample of the diagonal of Jᵀ H J, for any module, by parameter name.

    J is the Jacobian of the outputs [B, ...], `call(inputs)` or `network(inputs)`, and H the
    Hessian of `loss_of_outputs(outputs)`, the mean of B losses, each of one row of the outputs
    (if a loss couples rows, give the batch as one row). Let H = S Sᵀ for each row, and v a vector
    of random signs: the expected square of the gradient of (S v) · outputs is the diagonal, since
    rows are independent. It is averaged over `draws`. Only the positive part of H counts, so that
    the result is never negative; for a loss that is convex in the outputs nothing is left out.

    Costs as many second derivatives of the loss as a row has outputs, and one pass back per draw.
    Parameters that do not reach the outputs have curvature 0.
    """
    outputs = (call or network)(inputs)
    rows = outputs.detach().flatten(1)
    hessian = _hessian(lambda y: loss_of_outputs(y.view(outputs.shape)), rows) * len(rows)
    values, vectors = torch.linalg.eigh(hessian)
    root = vectors * values.clamp_min(0).sqrt().unsqueeze(1)
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    total = [torch.zeros_like(p) for _, p in named]
    for draw in range(draws):
        signs = torch.randint(0, 2, (*rows.shape, 1), generator=generator).to(rows) * 2 - 1
        seed = (root @ signs).view(outputs.shape)
        grads = torch.autograd.grad(
            outputs, [p for _, p in named], seed, retain_graph=draw + 1 < draws, allow_unused=True
        )
        for sum_, grad in zip(total, grads, strict=True):
            if grad is not None:
                sum_.addcmul_(grad, grad)
    return {name: t / (draws * len(rows)) for (name, _), t in zip(named, total, strict=True)}


@contextmanager
def _recorded(model: nn.Module) -> Iterator[list[_Call]]:
    """Yield the calls of the leaves of a module, in the order in which they run."""
    calls: list[_Call] = []
    handles = []
    for name, layer in model.named_modules():
        if next(layer.children(), None) is not None:
            continue
        if type(layer) not in _RULES and type(layer) is not EuclideanRBF:
            known = ", ".join(t.__name__ for t in (*_RULES, EuclideanRBF))
            raise ValueError(
                f"{name or 'the network'} is a {type(layer).__name__}, for which there is no "
                f"rule of second derivatives; there are rules for {known}"
            )
        if isinstance(layer, nn.Conv2d):
            _check_plain(name, layer)

        def note(layer: nn.Module, given: tuple[Tensor], result: Tensor, name: str = name) -> None:
            calls.append(_Call(name, layer, given[0], result))

        handles.append(layer.register_forward_hook(note))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _check_plain(name: str, layer: nn.Conv2d) -> None:
    plain = layer.stride == (1, 1) and layer.dilation == (1, 1) and layer.groups == 1
    if not plain or layer.padding not in ((0, 0), "valid"):
        raise ValueError(
            f"{name} is a Conv2d with a stride, padding, dilation or groups; the rule is for "
            "stride 1, no padding"
        )


def _check_chain(calls: list[_Call], inputs: Tensor, outputs: Tensor) -> None:
    """Check that each layer reads what the one before it wrote (at most reshaped)."""
    ends = [("the input", inputs), *((c.name, c.output) for c in calls)]
    starts = [*((c.name, c.input) for c in calls), ("the output", outputs)]
    for (before, wrote), (after, reads) in zip(ends, starts, strict=True):
        if wrote.data_ptr() != reads.data_ptr() or wrote.numel() != reads.numel():
            raise ValueError(
                f"between {before} and {after} something happens that is not a layer, or the "
                "network is not a chain: second derivatives cannot be passed back through it"
            )
    for call in calls[:-1]:
        if isinstance(call.layer, EuclideanRBF):
            raise ValueError(f"{call.name} is an RBF layer below the top; there is no rule for it")


def _hessian(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the Hessians [B, n, n] of a sum of losses, each of one row of `at` [B, n]."""
    columns = list(_columns(loss, at))
    return torch.stack(columns, dim=2)


def _hessian_diagonal(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the second derivative of each pattern's loss by each entry of `at`, at least 0.

    `loss` is the mean of the losses of the patterns.
    """
    flat = at.detach().flatten(1)
    columns = _columns(lambda x: loss(x.view(at.shape)), flat)
    diagonal = torch.stack([column[:, k] for k, column in enumerate(columns)], dim=1)
    return (len(at) * diagonal).clamp_min(0).view(at.shape)


def _columns(loss: Callable[[Tensor], Tensor], at: Tensor) -> Iterator[Tensor]:
    leaf = at.detach().requires_grad_()
    with torch.enable_grad():
        (first,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    for k in range(leaf.shape[1]):
        column = None
        if first.requires_grad:
            (column,) = torch.autograd.grad(
                first[:, k].sum(), leaf, retain_graph=True, allow_unused=True
            )
        yield torch.zeros_like(at) if column is None else column.detach()


def _of_centres(call: _Call, loss: Loss, targets: Tensor) -> Tensor:
    """Second derivatives by the RBF centres: 4 d² ∂²E/∂y² + 2 ∂E/∂y, summed over patterns."""
    centres, states = call.layer.centres, call.input
    if states.dim() != 2:
        states = states.flatten(1)
    if states.shape[1] != centres.shape[1]:
        raise ValueError(f"{call.name}: adaptive centres need one state for each pattern")
    penalties = call.output.flatten(1)
    leaf = penalties.detach().requires_grad_()
    with torch.enable_grad():
        (first,) = torch.autograd.grad(loss(leaf, targets) * len(leaf), leaf)
    second = _hessian_diagonal(lambda y: loss(y, targets), penalties)
    squares = (states.unsqueeze(1) - centres).square()
    total = 4.0 * (second.unsqueeze(2) * squares).sum(0) + 2.0 * first.sum(0).unsqueeze(1)
    return total.clamp_min(0)


def _linear(call: _Call, second: Tensor, found: Curvatures) -> Tensor:
    weight = call.layer.weight
    found[f"{call.name}.weight"] = second.t() @ call.input.square()
    if call.layer.bias is not None:
        found[f"{call.name}.bias"] = second.sum(0)
    return (second @ weight.square()).view(call.input.shape)


def _conv(call: _Call, second: Tensor, found: Curvatures) -> Tensor:
    weight = call.layer.weight
    second = second.view(call.output.shape)
    found[f"{call.name}.weight"] = nn.grad.conv2d_weight(call.input.square(), weight.shape, second)
    if call.layer.bias is not None:
        found[f"{call.name}.bias"] = second.sum((0, 2, 3))
    return functional.conv_transpose2d(second, weight.square())


def _connected_conv(call: _Call, second: Tensor, found: Curvatures) -> Tensor:
    layer = call.layer
    dense = layer.dense_kernels()
    second = second.view(call.output.shape)
    squares = nn.grad.conv2d_weight(call.input.square(), dense.shape, second)
    found[f"{call.name}.kernels"] = squares.flatten(0, 1).index_select(0, layer.kernel_index)
    found[f"{call.name}.bias"] = second.sum((0, 2, 3))
    return functional.conv_transpose2d(second, dense.square())


def _subsampling(call: _Call, second: Tensor, found: Curvatures) -> Tensor:
    layer = call.layer
    second = second.view(call.output.shape)
    found[f"{call.name}.coefficient"] = (second * layer.sums(call.input).square()).sum((0, 2, 3))
    found[f"{call.name}.bias"] = second.sum((0, 2, 3))
    back = second * layer.coefficient.square().view(-1, 1, 1)
    back = back.unflatten(1, (-1, layer.copies)).sum(2)
    height, width = layer.window
    spread = back.repeat_interleave(height, 2).repeat_interleave(width, 3)
    # Rows and columns that no window reads have no influence.
    below, right = (call.input.shape[d] - spread.shape[d] for d in (2, 3))
    return functional.pad(spread, (0, right, 0, below))


def _tanh(call: _Call, second: Tensor, found: Curvatures) -> Tensor:
    # f' = 2/3 (A² - f²) / A from the output, so that it may have been computed in place.
    slope = SLOPE * (AMPLITUDE - call.output.square() / AMPLITUDE)
    return slope.square() * second.view(call.output.shape)


def _reshape(call: _Call, second: Tensor, found: Curvatures) -> Tensor:
    return second.view(call.input.shape)


_Rule = Callable[[_Call, Tensor, Curvatures], Tensor]
_RULES: dict[type[nn.Module], _Rule] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    ConnectedConv2d: _connected_conv,
    Subsampling: _subsampling,
    ScaledTanh: _tanh,
    nn.Flatten: _reshape,
    nn.Identity: _reshape,
}
