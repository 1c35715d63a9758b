"""Fully connected networks of one and two hidden layers (paper section III-C.6 and .7)."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from recognizers.baselines import CLASSES
from recognizers.baselines.samples import check_labels, check_samples
from recognizers.distortion import Distortion
from recognizers.layers import ScaledTanh


class Perceptron:
    """Layers of scaled tanh units between the pixels and ten outputs, such as 28x28-300-10.

    `hidden` are the sizes of the hidden layers. Trained for the likelihood of the classes in
    `passes` over the samples, in batches of `batch`, by Adam with a step that falls from `step`
    to zero along a cosine. With a `distortion`, each pass sees newly distorted images (samples are
    then square images, [N, H * H] row by row with 0 as paper). The same `seed` gives the same
    network; `losses` holds the mean loss of each pass, in nats.

    >>> labels = np.arange(200) % 10
    >>> model = Perceptron((16,), passes=40, step=0.01).fit(np.eye(10)[labels], labels)
    >>> (model.penalties(np.eye(10)).argmin(1) == np.arange(10)).all(), model.memory
    (np.True_, 346)
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (300,),
        passes: int = 20,
        step: float = 1e-3,
        batch: int = 128,
        distortion: Distortion | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        self.hidden, self.passes, self.step, self.batch = hidden, passes, step, batch
        self.distortion, self.seed, self.progress = distortion, seed, progress
        self.losses: list[float] = []

    def fit(self, samples: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from samples [N, D] and classes [N]."""
        x = torch.from_numpy(check_samples(samples))
        y = torch.from_numpy(check_labels(labels, len(x)))
        generator = torch.Generator().manual_seed(self.seed)
        self.network = _layers((x.shape[1], *self.hidden, CLASSES), generator)
        optimizer = torch.optim.Adam(self.network.parameters(), self.step, foreach=True)
        steps = self.passes * -(-len(x) // self.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        self.losses = []
        for _ in tqdm(range(self.passes), desc="passes", disable=not self.progress):
            seen = self._moved(x, generator)
            total = 0.0
            for rows in torch.randperm(len(x), generator=generator).split(self.batch):
                loss = functional.cross_entropy(self.network(seen[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += float(loss.detach()) * len(rows)
            self.losses.append(total / len(x))
        return self

    def penalties(self, samples: np.ndarray) -> np.ndarray:
        """Minus log probability of each class, [N, 10]."""
        first = self.network[0]
        x = torch.from_numpy(check_samples(samples, first.in_features))
        with torch.no_grad():
            return -functional.log_softmax(self.network(x), 1).numpy()

    @property
    def multiply_adds(self) -> int:
        """One per connection, biases apart."""
        return sum(layer.weight.numel() for layer in self.network[::2])

    @property
    def memory(self) -> int:
        """The parameters."""
        return sum(p.numel() for p in self.network.parameters())

    def _moved(self, x: Tensor, generator: torch.Generator) -> Tensor:
        if self.distortion is None:
            return x
        side = round(x.shape[1] ** 0.5)
        if side * side != x.shape[1]:
            raise ValueError(
                f"samples of {x.shape[1]} numbers are not square images, which can be distorted"
            )
        # In parts: the maps of a pass at once would take ten times the images' memory.
        parts = [
            self.distortion(part.view(-1, 1, side, side), generator, background=0.0).flatten(1)
            for part in x.split(2000)
        ]
        return torch.cat(parts)


def _layers(sizes: tuple[int, ...], generator: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        linear = nn.Linear(before, after)
        with torch.no_grad():
            # Variance 1 / fan-in: Appendix A's 2.4 / fan-in is far less, for correlated inputs.
            bound = (3.0 / before) ** 0.5
            linear.weight.uniform_(-bound, bound, generator=generator)
            linear.bias.zero_()
        layers += [linear, ScaledTanh()]
    return nn.Sequential(*layers[:-1])
