"""LeNet-5 (paper section II): the network that scores the pieces of a segmentation graph.

On 32x32 images it gives one penalty per class. Larger images give a map of penalties, because C5,
F6 and the output are convolutions too (the space displacement network of section VII).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizers.classes import DIGITS, class_names
from recognizers.codes import codes
from recognizers.layers import ConnectedConv2d, EuclideanRBF, ScaledTanh, Subsampling

# Table I: the S2 maps read by each C3 map: all contiguous triples, all contiguous quadruples
# (both cyclic), three discontinuous quadruples, everything.
C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class LeNet5(nn.Module):
    """LeNet-5: images [B, 1, 32, 32] to penalties [B, classes] (nats, lower is better).

    Larger images [B, 1, H, W] give maps [B, classes, h, w], one column for every 32x32 window
    at steps of 4 pixels, so h = (H - 32) // 4 + 1. Background pixels should be -0.1, ink 1.175
    (`recognizers.datasets.mnist.to_input` does so).

    - `classes`: one character per class, in the order of the outputs.
    - `output`: "rbf", squared distances of F6 to the 7x12 codes of the characters (eq. 7), or
      "softmax", a full layer and minus log softmax.
    - `rubbish`: append one class, named "rubbish", as the last output. For "rbf" its penalty is
      the j of eq. 9: the same for all inputs, initially `rubbish_penalty`, and learned unless
      `train_rubbish` is False. For "softmax" it is one more unit.
    - `adaptive`: make the RBF centres parameters.
    - `normalize`: False leaves out the softmax (penalty = minus the unit's sum).
    - `initialization`: "paper" (Appendix A) or "unit-variance", which draws larger values and
      learns faster with plain gradient steps (see `layers.initialize_uniform`).
    - `generator`: the same state gives the same parameters.

    Raises ValueError for unknown or repeated classes, wrong options and images under 32x32.

    >>> net = LeNet5(generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 1, 32, 32)).shape, net(torch.zeros(2, 1, 32, 40)).shape
    (torch.Size([2, 10]), torch.Size([2, 10, 1, 3]))
    >>> LeNet5("01", rubbish=True).classes
    ('0', '1', 'rubbish')
    """

    def __init__(
        self,
        classes: str = DIGITS,
        output: str = "rbf",
        *,
        rubbish: bool = False,
        rubbish_penalty: float = 10.0,
        train_rubbish: bool = True,
        adaptive: bool = False,
        normalize: bool = True,
        initialization: str = "paper",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if output not in ("rbf", "softmax"):
            raise ValueError(f'output must be "rbf" or "softmax", not {output!r}')
        if not math.isfinite(rubbish_penalty):
            raise ValueError(f"the rubbish penalty must be finite, not {rubbish_penalty}")
        self.classes = class_names(classes, rubbish)
        self.output, self.normalize = output, normalize
        # The arguments to rebuild this network; a checkpoint keeps them beside the parameters.
        self.settings: dict[str, Any] = {
            "classes": classes,
            "output": output,
            "rubbish": rubbish,
            "rubbish_penalty": rubbish_penalty,
            "train_rubbish": train_rubbish,
            "adaptive": adaptive,
            "normalize": normalize,
        }
        draw: dict[str, Any] = {"generator": generator, "initialization": initialization}
        self.squash = ScaledTanh()
        self.c1 = ConnectedConv2d(1, 6, 5, **draw)
        self.s2 = Subsampling(6)
        self.c3 = ConnectedConv2d(6, 16, 5, table=C3_TABLE, **draw)
        self.s4 = Subsampling(16)
        self.c5 = ConnectedConv2d(16, 120, 5, **draw)
        self.f6 = ConnectedConv2d(120, 84, 1, **draw)
        self.out: nn.Module
        self.rubbish_penalty: Tensor | None = None
        if output == "rbf":
            self.out = EuclideanRBF(torch.from_numpy(codes(classes)).float(), adaptive)
            if rubbish:
                start = torch.tensor(float(rubbish_penalty))
                del self.rubbish_penalty
                if train_rubbish:
                    self.rubbish_penalty = nn.Parameter(start)
                else:
                    self.register_buffer("rubbish_penalty", start)
        else:
            self.out = ConnectedConv2d(84, len(self.classes), 1, **draw)

    @property
    def rubbish_index(self) -> int | None:
        """Index of the rubbish class (always the last), None without one."""
        return len(self.classes) - 1 if self.settings["rubbish"] else None

    def features(self, images: Tensor) -> Tensor:
        """Return the states of F6: images [B, 1, H, W] to [B, 84, h, w]."""
        if images.dim() != 4 or images.shape[1] != 1 or min(images.shape[2:]) < 32:
            raise ValueError(
                f"images must be [B, 1, H, W] with H and W at least 32, not {tuple(images.shape)}"
            )
        f = self.squash
        x = f(self.s2(f(self.c1(images))))
        x = f(self.s4(f(self.c3(x))))
        return f(self.f6(f(self.c5(x))))

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties of images [B, 1, H, W]: [B, classes], or a map beyond 35 pixels."""
        return self.penalties(self.features(images))

    def penalties(self, states: Tensor) -> Tensor:
        """Return the penalties of F6 states [B, 84, h, w]: a map, or [B, classes] if h = w = 1."""
        penalties = self.out(states)
        if self.output == "softmax":
            penalties = -functional.log_softmax(penalties, 1) if self.normalize else -penalties
        elif self.rubbish_penalty is not None:
            shape = (len(penalties), 1, *penalties.shape[2:])
            penalties = torch.cat((penalties, self.rubbish_penalty.expand(shape)), dim=1)
        if tuple(penalties.shape[2:]) == (1, 1):
            return penalties.flatten(1)
        return penalties

    def extra_repr(self) -> str:
        """What `repr` shows before the layers."""
        return f"classes={self.settings['classes']!r}, output={self.output!r}"


class LayerRow(NamedTuple):
    """One layer of `layers_of`: its maps and their size, trainable parameters, connections."""

    name: str
    maps: int
    height: int
    width: int
    parameters: int
    connections: int
    multiply_adds: int


def layers_of(model: nn.Module, input_size: tuple[int, int] = (32, 32)) -> list[LayerRow]:
    """Return the layers with connections, in the order they run, for one image of `input_size`.

    Runs the model once without gradients; a layer counts if it has a method `connections`.

    >>> [row.name for row in layers_of(LeNet5())]
    ['c1', 's2', 'c3', 's4', 'c5', 'f6', 'out']
    """
    rows: list[LayerRow] = []

    def note(name: str, layer: Any, result: Tensor) -> None:
        height, width = result.shape[2:] if result.dim() == 4 else (1, 1)
        trainable = sum(p.numel() for p in layer.parameters() if p.requires_grad)
        rows.append(
            LayerRow(
                name,
                result.shape[1],
                height,
                width,
                trainable,
                layer.connections(height, width),
                layer.multiply_adds(height, width),
            )
        )

    counted = [(n, m) for n, m in model.named_modules() if hasattr(m, "connections")]
    handles = [
        m.register_forward_hook(lambda layer, _, result, name=n: note(name, layer, result))
        for n, m in counted
    ]
    try:
        parameter = next(model.parameters())
        with torch.no_grad():
            planes = getattr(model, "planes", 1)
            model(
                torch.zeros(1, planes, *input_size, dtype=parameter.dtype, device=parameter.device)
            )
    finally:
        for handle in handles:
            handle.remove()
    return rows


def parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters.

    >>> parameters(LeNet5())
    60000
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def connections(model: nn.Module, input_size: tuple[int, int] = (32, 32)) -> int:
    """Return the number of connections, biases included, for one `input_size` (section II-B).

    >>> connections(LeNet5())
    340908
    """
    return sum(row.connections for row in layers_of(model, input_size))


def multiply_adds(model: nn.Module, input_size: tuple[int, int] = (32, 32)) -> int:
    """Return the number of multiply-adds for one `input_size`: connections without biases."""
    return sum(row.multiply_adds for row in layers_of(model, input_size))


def describe(model: nn.Module, input_size: tuple[int, int] = (32, 32)) -> str:
    """Return the layer table of section II-B as text.

    >>> print(describe(LeNet5()))
    layer   maps @ size   parameters   connections
    c1        6 @ 28x28          156       122,304
    s2        6 @ 14x14           12         5,880
    c3       16 @ 10x10        1,516       151,600
    s4       16 @ 5x5             32         2,000
    c5      120 @ 1x1         48,120        48,120
    f6       84 @ 1x1         10,164        10,164
    out      10 @ 1x1              0           840
    total                     60,000       340,908
    """
    rows = layers_of(model, input_size)
    lines = [f"{'layer':<8}{'maps @ size':<14}{'parameters':>10}{'connections':>14}"]
    for row in rows:
        size = f"{row.height}x{row.width}"
        lines.append(
            f"{row.name:<6}{row.maps:>5} @ {size:<8}{row.parameters:>10,}{row.connections:>14,}"
        )
    lines.append(
        f"{'total':<22}{parameters(model):>10,}{sum(row.connections for row in rows):>14,}"
    )
    return "\n".join(lines)
