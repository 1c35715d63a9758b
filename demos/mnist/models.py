"""The networks by name, their inputs, and their checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demos.checkpoint import (
    WEIGHTS,
    CheckpointError,
    load_checkpoint,
    restored,
    save_checkpoint,
)
from recognizers.boosting import BoostedNetworks
from recognizers.datasets.mnist import to_input
from recognizers.digits.reduction import shrunk
from recognizers.lenet import LeNet5
from recognizers.small_lenets import LeNet1, LeNet4

__all__ = [
    "KIND",
    "MODELS",
    "SHIPPED",
    "Model",
    "boosted",
    "load_model",
    "rounded",
    "save_model",
    "shipped",
]

KIND = "graph-transformer-networks/mnist/1"

SHIPPED = "lenet-5-best"
"""The row whose LeNet-5 (seed 0) is the default checkpoint."""


@dataclass(frozen=True)
class Model:
    """How to build a network, and to turn uint8 images [N, 28, 28] into its input."""

    build: Callable[..., nn.Module]
    prepare: Callable[[Tensor], Tensor]
    size: tuple[int, int]


def small_input(images: Tensor) -> Tensor:
    """Return the input of LeNet-1, float32 [N, 1, 28, 28]: the digit at 16x16, in the middle."""
    return to_input(shrunk(images.numpy()))[:, :, 2:-2, 2:-2].contiguous()


def boosted(
    threshold: float = math.inf,
    output: str = "rbf",
    first: nn.Module | None = None,
    second: nn.Module | None = None,
    third: nn.Module | None = None,
) -> BoostedNetworks:
    """Return three LeNet-4 as one network; new ones unless given."""
    nets = [net if net is not None else LeNet4(output=output) for net in (first, second, third)]
    network = BoostedNetworks(*nets, threshold)
    network.settings = {"threshold": threshold, "output": output}
    return network


def rounded(network: nn.Module) -> nn.Module:
    """Round all parameters in place to 16 bits, as the file of three networks stores them."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half())
    return network


MODELS = {
    "boosted-lenet-4": Model(boosted, to_input, (32, 32)),
    "lenet-1": Model(LeNet1, small_input, (28, 28)),
    "lenet-4": Model(LeNet4, to_input, (32, 32)),
    "lenet-5": Model(LeNet5, to_input, (32, 32)),
}


def save_model(path: str | Path, name: str, network: nn.Module, about: dict[str, Any]) -> None:
    """Write a network of ``MODELS[name]``, with ``about`` as its description."""
    whole = about | {"model": name, "settings": network.settings}
    tensors = network.state_dict()
    if isinstance(network, BoostedNetworks):
        tensors = {key: value.half() for key, value in tensors.items()}
    save_checkpoint(path, tensors, whole, kind=KIND)


def load_model(path: str | Path) -> tuple[str, nn.Module, dict[str, Any]]:
    """Return the name of the model, the network, and its description.

    Raises:
        CheckpointError: the file is missing, damaged, of another program, or of an unknown model.
    """
    tensors, about = load_checkpoint(path, kind=KIND)
    name = about.get("model")
    if name not in MODELS:
        raise CheckpointError(f"{path}: model {name!r} is not one of {', '.join(MODELS)}")
    network = restored(lambda: MODELS[name].build(**about["settings"]), tensors, path)
    return name, network, about


def shipped(row: str = SHIPPED) -> Path:
    """Return the shipped checkpoint of a row.

    Raises:
        CheckpointError: none is shipped.
    """
    path = WEIGHTS / f"{row}.safetensors"
    if not path.is_file():
        known = sorted(p.stem for p in WEIGHTS.glob("*lenet*.safetensors"))
        raise CheckpointError(f"{path}: no such row; there are {', '.join(known) or 'none'}")
    return path
