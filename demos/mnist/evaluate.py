"""Measure a trained network on the test digits."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from demos.mnist.models import MODELS
from demos.mnist.results import reject_share
from demos.mnist.train import Digits, penalties_of
from recognizers.boosting import BoostedNetworks
from recognizers.datasets.fields import find_data
from recognizers.datasets.mnist import load_mnist
from recognizers.lenet import multiply_adds, parameters

__all__ = ["cost", "evaluate", "load_digits", "measure"]


def load_digits(model: str, part: str, data: Path | None = None) -> Digits:
    """Return the digits of a part ("train" or "test") as the input of a model.

    ``data`` is the MNIST folder; None: ``mnist`` in ``$GTN_DATA``.
    """
    images, labels = load_mnist(find_data(data, "mnist"), part)
    return Digits(MODELS[model].prepare(images), labels.long())


def measure(penalties: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return number, share wrong, and share to reject for 0.5% error, from penalties [n, C]."""
    return {
        "n": len(labels),
        "error": float((penalties.argmin(1) != labels).double().mean()),
        "reject_for_half_percent": reject_share(penalties, labels),
    }


def cost(model: str, network: nn.Module) -> dict[str, int]:
    """Count trainable parameters, multiply-adds per digit, and stored numbers.

    For boosted networks, the multiply-adds are those of one network.
    """
    counted = network.first if isinstance(network, BoostedNetworks) else network
    codes = sum(b.numel() for b in network.buffers() if b.is_floating_point())
    return {
        "parameters": parameters(network),
        "multiply_adds": multiply_adds(counted, MODELS[model].size),
        "memory": sum(p.numel() for p in network.parameters()) + codes,
    }


def evaluate(model: str, network: nn.Module, test: Digits) -> dict[str, Any]:
    """Return all figures of a network on the test digits, and the seconds the test took."""
    network.eval()
    started = time.perf_counter()
    penalties = penalties_of(network, test.inputs)
    seconds = time.perf_counter() - started
    counted: dict[str, Any] = cost(model, network)
    if isinstance(network, BoostedNetworks):
        asked = network.cost(test.inputs)
        counted["multiply_adds"] *= asked
        counted["figures"] = {"mean_cost": asked}
    return measure(penalties, test.labels) | counted | {"seconds": seconds}
