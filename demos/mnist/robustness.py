"""Measure errors on digits that are moved, scaled, rotated or noisy (section III-E)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from demos.checkpoint import write_whole
from demos.figures import machine
from demos.mnist.choices import RESULTS
from demos.mnist.evaluate import load_digits
from demos.mnist.models import load_model
from demos.mnist.train import penalties_of
from recognizers.datasets.mnist import BACKGROUND, FOREGROUND
from recognizers.distortion import warp

__all__ = ["CHANGES", "ROBUSTNESS_FILE", "add_noise", "measure_robustness", "robustness"]

ROBUSTNESS_FILE = "robustness.json"


def _moved(images: Tensor, matrix: list[list[float]]) -> Tensor:
    maps = torch.tensor(matrix, dtype=torch.float64).expand(len(images), 2, 3)
    return warp(images, maps, BACKGROUND)


def scale(images: Tensor, factor: float) -> Tensor:
    """Return digits scaled by `factor` about the middle; what leaves the image is cut off."""
    return _moved(images, [[factor, 0.0, 0.0], [0.0, factor, 0.0]])


def shift_right(images: Tensor, pixels: float) -> Tensor:
    """Return digits moved to the right (negative: to the left)."""
    return _moved(images, [[1.0, 0.0, pixels], [0.0, 1.0, 0.0]])


def shift_down(images: Tensor, pixels: float) -> Tensor:
    """Return digits moved downwards (negative: upwards)."""
    return _moved(images, [[1.0, 0.0, 0.0], [0.0, 1.0, pixels]])


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Return digits rotated clockwise about the middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _moved(images, [[cos, -sin, 0.0], [sin, cos, 0.0]])


def add_noise(images: Tensor, probability: float, seed: int = 0) -> Tensor:
    """Add salt-and-pepper noise: each pixel is inverted with a probability.

    >>> noisy = add_noise(torch.full((1, 1, 32, 32), BACKGROUND), 0.5)
    >>> bool(((noisy - FOREGROUND).abs() < 1e-6).float().mean() > 0.4)
    True
    """
    generator = torch.Generator().manual_seed(seed)
    flipped = torch.rand(images.shape, generator=generator) < probability
    return torch.where(flipped, BACKGROUND + FOREGROUND - images, images)


CHANGES: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "scale": (scale, (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)),
    "shift_right": (shift_right, (-10, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 10)),
    "shift_down": (shift_down, (-10, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 10)),
    "rotation": (rotate, (-60, -45, -30, -20, -10, 0, 10, 20, 30, 45, 60)),
    "noise": (add_noise, (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)),
}
"""The changes and their amounts: factors, pixels, degrees, probabilities."""


def measure_robustness(
    network: nn.Module, inputs: Tensor, labels: Tensor
) -> dict[str, list[list[float]]]:
    """Return the share wrong for every change, as pairs (amount, share wrong)."""
    curves = {}
    for name, (change, amounts) in CHANGES.items():
        curves[name] = [
            [float(amount), _wrong(network, change(inputs, amount), labels)] for amount in amounts
        ]
    return curves


def robustness(
    checkpoint: Path,
    data: Path | None = None,
    folder: Path | None = RESULTS,
    most: int | None = None,
) -> dict[str, Any]:
    """Measure a checkpoint on changed test digits (the first ``most`` of them), write the JSON.

    ``folder=None`` writes none. Raises ValueError for more digits than there are.
    """
    name, network, about = load_model(checkpoint)
    test = load_digits(name, "test", data)
    if most is not None and most > len(test.labels):
        raise ValueError(f"there are {len(test.labels):,} test digits, not {most:,}")
    part = slice(0, most)
    figures = {
        "row": about.get("row", Path(checkpoint).stem),
        "model": name,
        "n": len(test.labels[part]),
        "command": _command(checkpoint, most),
        "machine": machine(),
        "curves": measure_robustness(network, test.inputs[part], test.labels[part]),
    }
    if folder is not None:
        write_whole(Path(folder) / ROBUSTNESS_FILE, json.dumps(figures) + "\n")
    return figures


def _command(checkpoint: Path, most: int | None) -> str:
    parts = ["python -m demos.mnist robustness"]
    if not Path(checkpoint).is_absolute():
        parts.append(f"--checkpoint {Path(checkpoint).as_posix()}")
    return " ".join(parts if most is None else [*parts, f"--digits {most}"])


def _wrong(network: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    return float((penalties_of(network, inputs).argmin(1) != labels).double().mean())
