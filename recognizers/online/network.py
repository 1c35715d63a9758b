"""The network for annotated images (section IX): five planes in, 95 RBF units out.

Its field is 20 rows by 18 columns. On wider images it gives one column of penalties for every two
columns of the image: replicated over a word, it is the space displacement network of Fig. 31.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizers.classes import class_names
from recognizers.codes import CHARACTERS, codes
from recognizers.layers import ConnectedConv2d, EuclideanRBF, ScaledTanh, Subsampling
from recognizers.online.amap import COLUMNS, PLANES, ROWS
from recognizers.online.fused import fused_features

__all__ = ["MAPS", "AmapNetwork"]


MAPS = (8, 25)
"""Feature maps of the first two convolutions in the paper."""

INPUT_GAIN = 5.0
"""Factor of annotated images: mostly empty, they have a standard deviation of 0.1."""


class AmapNetwork(nn.Module):
    """Annotated images [B, 5, 20, 18] to penalties [B, classes] (nats, lower is better).

    Wider images [B, 5, 20, W] give [B, classes, 1, (W - 18) // 2 + 1], one column for each window
    of 18 columns at steps of 2; taller ones give as many rows at steps of 4.

    - `classes`: one character per class, in the order of the outputs; the 95 of ASCII as in the
      paper, unless given.
    - `output`: "rbf", squared distances to the 7x12 codes of the characters (eq. 7), or
      "softmax", a full layer and minus log softmax.
    - `adaptive`: make the RBF centres parameters from the start; `adapt_centres` does so later, as
      between the two phases of training in the paper.
    - `rubbish`: append one class, "rubbish", as the last output: a learned penalty that is the same
      for all inputs ("rbf", at first `rubbish_penalty`), or one more unit ("softmax").
    - `maps`: maps of the first and of the second convolution; by default those of the paper. Its
      authors found larger networks no better; on ink from many sources they are.
    - `normalize`: False leaves out the softmax (penalty = minus the unit's sum).
    - `planes`: planes of the images; 10 if the ink beside a segment is drawn, too
      (`segment_images`).
    - `initialization`, `generator`: as in `LeNet5`.

    The paper does not give the table of connections between maps: here all are connected.
    Raises ValueError for unknown or repeated classes, wrong options and images that are too small.

    >>> net = AmapNetwork(generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(2, 5, 20, 18)).shape, net(torch.zeros(2, 5, 20, 51)).shape
    (torch.Size([2, 95]), torch.Size([2, 95, 1, 17]))
    """

    field = (ROWS, COLUMNS)
    stride = (4, 2)

    def __init__(
        self,
        classes: str = CHARACTERS,
        output: str = "rbf",
        *,
        adaptive: bool = False,
        rubbish: bool = False,
        rubbish_penalty: float = 40.0,
        normalize: bool = True,
        maps: tuple[int, int] = MAPS,
        planes: int = PLANES,
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
            "adaptive": adaptive,
            "rubbish": rubbish,
            "rubbish_penalty": rubbish_penalty,
            "normalize": normalize,
            "maps": [*maps],
            "planes": planes,
        }
        self.planes = planes
        draw: dict[str, Any] = {"generator": generator, "initialization": initialization}
        self.squash = ScaledTanh()
        first, second = maps
        self.c1 = ConnectedConv2d(planes, first, 3, **draw)
        self.s2 = Subsampling(first)
        self.c3 = ConnectedConv2d(first, second, 5, **draw)
        self.c4 = ConnectedConv2d(second, 84, 4, **draw)
        self.s5 = Subsampling(84, (2, 1))
        self.out: nn.Module
        self.rubbish_penalty: nn.Parameter | None = None
        if output == "rbf":
            self.out = EuclideanRBF(torch.from_numpy(codes(classes)).float(), adaptive)
            if rubbish:
                self.rubbish_penalty = nn.Parameter(torch.tensor(float(rubbish_penalty)))
        else:
            self.out = ConnectedConv2d(84, len(self.classes), 1, **draw)

    def adapt_centres(self) -> nn.Parameter:
        """Make the RBF centres parameters, at their values; return them, for the optimizer.

        >>> net = AmapNetwork("ab")
        >>> net.adapt_centres().shape, net.settings["adaptive"]
        (torch.Size([2, 84]), True)
        """
        if not isinstance(self.out, EuclideanRBF):
            raise ValueError("a softmax output has no centres")
        if not self.out.adaptive:
            self.out = EuclideanRBF(self.out.centres, adaptive=True)
            self.settings["adaptive"] = True
        centres = self.out.centres
        assert isinstance(centres, nn.Parameter)
        return centres

    def features(self, images: Tensor) -> Tensor:
        """Return the states of the layer before the output: [B, planes, H, W] to [B, 84, h, w].

        Under autocast they are computed with fewer passes over memory, which is nearly twice as
        fast in training and gives the same up to the rounding of half precision.
        """
        height, width = self.field
        if (
            images.dim() != 4
            or images.shape[1] != self.planes
            or images.shape[2] < height
            or images.shape[3] < width
        ):
            raise ValueError(
                f"annotated images must be [B, {self.planes}, H, W] with H at least {height} and W "
                f"at least {width}, not {tuple(images.shape)}"
            )
        if torch.is_autocast_enabled(images.device.type):
            layers = (self.c1, self.s2, self.c3, self.c4, self.s5)
            return fused_features(layers, images, INPUT_GAIN)
        f = self.squash
        x = f(self.s2(f(self.c1(INPUT_GAIN * images))))
        x = f(self.c3(x))
        states: Tensor = f(self.s5(f(self.c4(x))))
        return states

    def forward(self, images: Tensor) -> Tensor:
        """Return the penalties of images: [B, classes], or a map for images beyond one window."""
        states = self.features(images)
        # Under autocast the layers below may be in half precision; penalties never are.
        with torch.autocast(images.device.type, enabled=False):
            states = states.float() if states.dtype == torch.bfloat16 else states
            penalties: Tensor = self.out(states)
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
        return f"{len(self.classes)} classes, output={self.output!r}"
