"""The layers of LeNet-5: scaled tanh, subsampling, convolution with a connection table, RBF units.

Where the paper leaves a choice (sections II-A, II-B, Appendix A), this is ours:

- a subsampling unit multiplies the *sum* of its inputs by the coefficient (II-B; the average of
  II-A differs by a factor that the coefficient absorbs);
- the fan-in of a unit counts its inputs, not its bias; biases of convolutions are drawn like
  their kernels, uniformly from ±2.4 / fan-in;
- a subsampling coefficient starts at 2.4 / fan-in, the upper end of that interval, and its bias
  at zero, so that no map starts cut off by a coefficient near zero (drawing them instead made no
  measurable difference to the error after 4 passes over 4,000 digits).

Every layer with connections counts them for an output of a given height and width: `connections`
includes the biases, as in the paper, `multiply_adds` does not.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

AMPLITUDE = 1.7159
SLOPE = 2.0 / 3.0

# Entries of the [positions, units, components] difference held at once by an RBF layer.
_DIFFERENCES_AT_ONCE = 1 << 22


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


@torch.no_grad()
def initialize_uniform(
    parameter: Tensor,
    fan_in: int | Tensor,
    generator: torch.Generator | None = None,
    rule: str = "paper",
) -> None:
    """Fill `parameter` in place, uniformly from ±bound, by the fan-in of the units it feeds.

    `rule` "paper": bound 2.4 / fan-in, for strongly correlated inputs (Appendix A);
    "unit-variance": bound sqrt(3 / fan-in), sums of variance 1 for uncorrelated inputs of
    variance 1. `fan_in` is one number or a tensor that broadcasts against `parameter`. The same
    generator state gives the same values. Another rule raises ValueError.

    >>> p = torch.empty(1000)
    >>> initialize_uniform(p, 24, torch.Generator().manual_seed(0))
    >>> bool(p.abs().max() <= 0.1), bool(p.abs().max() > 0.09)
    (True, True)
    """
    if rule not in ("paper", "unit-variance"):
        raise ValueError(f'the initialization must be "paper" or "unit-variance", not {rule!r}')
    fan = torch.as_tensor(fan_in, dtype=torch.float64)
    bound = 2.4 / fan if rule == "paper" else (3.0 / fan).sqrt()
    draw = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
    parameter.copy_((2.0 * draw - 1.0) * bound)


class ScaledTanh(nn.Module):
    """The squashing function f(a) = 1.7159 tanh(2a/3) of eqs. 5 and 6, elementwise.

    f(1) = 1 and f(-1) = -1, where its curvature is almost largest: the targets ±1 of the RBF
    codes lie there.

    >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-1.0000,  0.0000,  1.0000])
    """

    def forward(self, activations: Tensor) -> Tensor:
        """Squash every activation."""
        return _ScaledTanh.apply(activations)


class _ScaledTanh(torch.autograd.Function):
    """f with one array written forward and one back; f' = 2/3 (A² - f²) / A from the output."""

    generate_vmap_rule = True

    @staticmethod
    def forward(activations: Tensor) -> Tensor:
        return torch.mul(activations, SLOPE).tanh_().mul_(AMPLITUDE)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        flat = torch.tensor(SLOPE * AMPLITUDE, dtype=output.dtype, device=output.device)
        return torch.addcmul(flat, output, output, value=-SLOPE / AMPLITUDE) * grad


class Subsampling(nn.Module):
    """Sum of each window times one coefficient plus one bias per map (layers S2 and S4).

    Windows do not overlap; rows and columns left over at the lower and right edge are not read.
    Input [B, maps / copies, H, W], output [B, maps, H // height, W // width]: each input map is
    read by `copies` output maps in a row (LeNet-4). A number of maps that is not a multiple of
    `copies` raises ValueError.

    >>> s = Subsampling(1)
    >>> s(torch.arange(4.0).view(1, 1, 2, 2)).item() / s.coefficient.item()
    6.0
    """

    def __init__(
        self,
        maps: int,
        window: int | tuple[int, int] = 2,
        copies: int = 1,
    ) -> None:
        super().__init__()
        if copies < 1 or maps % copies:
            raise ValueError(f"{maps} maps are not a whole number of groups of {copies} copies")
        self.maps, self.copies = maps, copies
        self.window = _pair(window)
        self.coefficient = nn.Parameter(torch.empty(maps))
        self.bias = nn.Parameter(torch.empty(maps))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set all coefficients to 2.4 / (inputs of a window) and all biases to zero."""
        self.coefficient.fill_(2.4 / (self.window[0] * self.window[1]))
        self.bias.zero_()

    def forward(self, maps: Tensor) -> Tensor:
        """Weighted sums of the windows, not squashed."""
        sums = self.sums(maps)
        return torch.addcmul(self.bias.view(-1, 1, 1), sums, self.coefficient.view(-1, 1, 1))

    def sums(self, maps: Tensor) -> Tensor:
        """Sums of the windows, [B, maps, H // height, W // width]."""
        sums = _WindowSums.apply(maps, *self.window)
        return sums if self.copies == 1 else sums.repeat_interleave(self.copies, dim=1)

    def connections(self, height: int = 1, width: int = 1) -> int:
        """Connections, biases included, for outputs of this height and width."""
        return self.multiply_adds(height, width) + self.maps * height * width

    def multiply_adds(self, height: int = 1, width: int = 1) -> int:
        """Connections without the biases, for outputs of this height and width."""
        return self.maps * height * width * self.window[0] * self.window[1]

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        return f"{self.maps}, window={self.window}, copies={self.copies}"


class _WindowSums(torch.autograd.Function):
    """Sums of windows that do not overlap: slices added, rows first (half the time of avg_pool2d).

    Rows and columns left over at the lower and right edge belong to no window.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(maps: Tensor, height: int, width: int) -> Tensor:
        high, wide = maps.shape[-2] // height * height, maps.shape[-1] // width * width
        rows = [maps[..., r:high:height, :wide] for r in range(height)]
        column = functools.reduce(torch.add, rows)
        return functools.reduce(torch.add, [column[..., c::width] for c in range(width)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, int], output: Tensor) -> None:
        maps, ctx.height, ctx.width = inputs
        ctx.size = maps.shape[-2:]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        *lead, high, wide = grad.shape
        columns = grad.new_empty(*lead, high, wide * ctx.width)
        for c in range(ctx.width):
            columns[..., c :: ctx.width] = grad
        whole = grad.new_empty(*lead, high * ctx.height, wide * ctx.width)
        for r in range(ctx.height):
            whole[..., r :: ctx.height, :] = columns
        below, right = (ctx.size[d] - whole.shape[d - 2] for d in (0, 1))
        if right or below:
            whole = functional.pad(whole, (0, right, 0, below))
        return whole, None, None


class ConnectedConv2d(nn.Module):
    """Convolution whose output maps each read only some of the input maps (layer C3, Table I).

    `table[o]` lists the input maps read by output map o; None connects everything. Only connected
    kernels have parameters: `kernels` [K, height, width], ordered as in the table, and
    `bias` [out], drawn by the rule `initialization` of `initialize_uniform`. Stride 1, no padding:
    input [B, in, H, W], output [B, out, H-height+1, W-width+1].

    Raises ValueError for a table with a wrong number of rows, an empty row, a repeated map or a
    map that does not exist.

    >>> layer = ConnectedConv2d(3, 2, 5, table=[[0, 1], [2]])
    >>> sum(p.numel() for p in layer.parameters())  # 3 kernels of 25, 2 biases
    77
    >>> layer(torch.zeros(1, 3, 6, 7)).shape
    torch.Size([1, 2, 2, 3])
    """

    kernel_index: Tensor

    def __init__(
        self,
        in_maps: int,
        out_maps: int,
        kernel_size: int | tuple[int, int],
        table: Sequence[Sequence[int]] | None = None,
        generator: torch.Generator | None = None,
        initialization: str = "paper",
    ) -> None:
        super().__init__()
        self.in_maps, self.out_maps = in_maps, out_maps
        self.kernel_size = _pair(kernel_size)
        rows = [list(range(in_maps))] * out_maps if table is None else [list(r) for r in table]
        _check_table(rows, in_maps, out_maps)
        self.table = tuple(tuple(row) for row in rows)
        self.is_full = all(row == list(range(in_maps)) for row in rows)
        places = [o * in_maps + i for o, row in enumerate(rows) for i in row]
        # Not saved: it follows from the table, which belongs to the architecture.
        self.register_buffer("kernel_index", torch.tensor(places), persistent=False)
        self.kernels = nn.Parameter(torch.empty(len(places), *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(out_maps))
        self.reset_parameters(generator, initialization)

    def reset_parameters(
        self, generator: torch.Generator | None = None, initialization: str = "paper"
    ) -> None:
        """Draw all parameters anew by the fan-in of the output map (see `initialize_uniform`)."""
        area = self.kernel_size[0] * self.kernel_size[1]
        fan_in = torch.tensor([len(row) * area for row in self.table])
        per_kernel = torch.tensor([len(row) * area for row in self.table for _ in row])
        initialize_uniform(self.kernels, per_kernel.view(-1, 1, 1), generator, initialization)
        initialize_uniform(self.bias, fan_in, generator, initialization)

    def dense_kernels(self) -> Tensor:
        """All kernels as [out, in, height, width], zero where the table has no connection."""
        shape = (self.out_maps, self.in_maps, *self.kernel_size)
        if self.is_full:
            return self.kernels.view(shape)
        empty = self.kernels.new_zeros(self.out_maps * self.in_maps, *self.kernel_size)
        return empty.index_copy(0, self.kernel_index, self.kernels).view(shape)

    def forward(self, maps: Tensor) -> Tensor:
        """Weighted sums of the output maps, not squashed."""
        if tuple(maps.shape[-2:]) == self.kernel_size and self.is_full and maps.dim() == 4:
            # One position: the same sums as a matrix product, which is several times faster.
            flat = functional.linear(maps.flatten(1), self.kernels.view(self.out_maps, -1))
            return (flat + self.bias).view(-1, self.out_maps, 1, 1)
        return functional.conv2d(maps, self.dense_kernels(), self.bias)

    def connections(self, height: int = 1, width: int = 1) -> int:
        """Connections, biases included, for outputs of this height and width."""
        return (self.kernels.numel() + self.out_maps) * height * width

    def multiply_adds(self, height: int = 1, width: int = 1) -> int:
        """Connections without the biases, for outputs of this height and width."""
        return self.kernels.numel() * height * width

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        return (
            f"{self.in_maps}, {self.out_maps}, kernel_size={self.kernel_size}, "
            f"kernels={len(self.kernels)}"
        )


def _check_table(rows: list[list[int]], in_maps: int, out_maps: int) -> None:
    if len(rows) != out_maps:
        raise ValueError(
            f"the connection table has {len(rows)} rows, but there are {out_maps} output maps"
        )
    for o, row in enumerate(rows):
        if not row:
            raise ValueError(f"output map {o} reads no input map")
        if len(set(row)) != len(row):
            raise ValueError(f"output map {o} reads an input map twice: {row}")
        for i in row:
            if not 0 <= i < in_maps:
                raise ValueError(
                    f"output map {o} reads input map {i}, but maps go from 0 to {in_maps - 1}"
                )


class _SquaredDistance(torch.autograd.Function):
    """Squared distances [N, units] of rows [N, d] to centres [units, d], from the differences.

    The forward pass sums squared differences (no cancellation, never negative); only the inputs
    are kept for the backward pass, which is made of matrix products and itself differentiable.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(states: Tensor, centres: Tensor) -> Tensor:
        at_once = max(1, _DIFFERENCES_AT_ONCE // max(1, centres.numel()))
        parts = [(part.unsqueeze(1) - centres).square().sum(-1) for part in states.split(at_once)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        states, centres = ctx.saved_tensors
        to_states = to_centres = None
        if ctx.needs_input_grad[0]:
            to_states = 2.0 * (states * grad.sum(1, keepdim=True) - grad @ centres)
        if ctx.needs_input_grad[1]:
            to_centres = 2.0 * (centres * grad.sum(0).unsqueeze(1) - grad.t() @ states)
        return to_states, to_centres


class EuclideanRBF(nn.Module):
    """Penalty of each unit: the squared distance of the input to its centre (eq. 7).

    `centres` [units, d] is a fixed buffer, or a Parameter when `adaptive`. Input [B, d] gives
    [B, units]; feature maps [B, d, h, w] give [B, units, h, w]. Penalties are in nats: minus log
    of an unnormalised Gaussian, without 1/2 and without variance, as in the paper.

    >>> rbf = EuclideanRBF(torch.tensor([[1.0, -1.0], [1.0, 1.0]]))
    >>> rbf(torch.tensor([[1.0, -1.0]]))
    tensor([[0., 4.]])
    """

    centres: Tensor

    def __init__(self, centres: Tensor, adaptive: bool = False) -> None:
        super().__init__()
        if centres.dim() != 2:
            raise ValueError(f"centres must be [units, components], not {tuple(centres.shape)}")
        self.adaptive = adaptive
        start = centres.detach().clone()
        start = start if start.is_floating_point() else start.to(torch.get_default_dtype())
        if adaptive:
            self.centres = nn.Parameter(start)
        else:
            self.register_buffer("centres", start)

    def forward(self, states: Tensor) -> Tensor:
        """Penalties of all units, in nats."""
        if states.dim() < 2 or states.shape[1] != self.centres.shape[1]:
            raise ValueError(
                f"the centres have {self.centres.shape[1]} components, the input is "
                f"{tuple(states.shape)}; [B, {self.centres.shape[1]}, ...] would be right"
            )
        if states.dim() == 2:
            return _SquaredDistance.apply(states, self.centres)
        last = states.movedim(1, -1)
        flat = _SquaredDistance.apply(last.flatten(0, -2), self.centres)
        return flat.view(*last.shape[:-1], len(self.centres)).movedim(-1, 1)

    def connections(self, height: int = 1, width: int = 1) -> int:
        """Connections, biases included, for outputs of this height and width."""
        return self.centres.numel() * height * width

    def multiply_adds(self, height: int = 1, width: int = 1) -> int:
        """Connections without the biases, for outputs of this height and width."""
        return self.centres.numel() * height * width

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        units, components = self.centres.shape
        return f"{components}, {units}, adaptive={self.adaptive}"
