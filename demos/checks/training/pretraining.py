"""Pretrain the network on single digits, before it sees a field (paper, section X)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn import functional
from tqdm import tqdm

from recognizers.datasets.mnist import load_mnist
from recognizers.distortion import Distortion
from recognizers.lenet import LeNet5
from recognizers.segmentation.images import normalise_segment, to_input

__all__ = ["DIGIT_BATCH", "Draw", "digit_images", "drawer", "pretrain", "small_digits"]

Digits = tuple[torch.Tensor, torch.Tensor]
Draw = Callable[[int, torch.Generator], torch.Tensor]

DIGIT_BATCH = 128
RUBBISH_SHARE = 6  # one image of rubbish for every 6 digits


def digit_images(source: str) -> tuple[Digits, str]:
    """Return network inputs ``[N, 1, 32, 32]`` and digits ``[N]`` to pretrain on, and their name.

    Args:
        source: a folder with MNIST's four files; ``small`` for the training part of the 8x8
            digits that scikit-learn carries; ``auto``: the folder ``mnist`` in ``$GTN_DATA`` if
            that exists, ``small`` otherwise. The name says which was used.
    """
    root = os.environ.get("GTN_DATA")
    if source == "auto":
        source = str(Path(root) / "mnist") if root and (Path(root) / "mnist").is_dir() else "small"
    if source == "small":
        images, labels = small_digits("train")
        return (torch.from_numpy(to_input(images)[:, None]), torch.from_numpy(labels)), "small"
    pixels, labels_of = load_mnist(source, "train")
    images = torch.nn.functional.pad(pixels, (2, 2, 2, 2)).numpy()
    inputs = torch.from_numpy(to_input(images)[:, None])
    return (inputs, labels_of.long()), f"mnist ({len(inputs)})"


def small_digits(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's 8x8 digits drawn as segments are: uint8 ``[N, 32, 32]``, int64 ``[N]``.

    The part ``train`` is the first 1,200 of 1,797 digits, ``test`` the rest, by other writers,
    since the set is ordered by writer.
    """
    images, labels = load_digits(return_X_y=True)
    chosen = slice(0, 1200) if part == "train" else slice(1200, None)
    enlarged = [
        normalise_segment(
            (np.kron(image.reshape(8, 8), np.ones((4, 4))) * 15.9).astype(np.uint8), 32
        )
        for image in images[chosen]
    ]
    return np.stack(enlarged), labels[chosen].astype(np.int64)


def pretrain(network: LeNet5, draw: Draw, *, steps: int, seed: int, progress: bool = True) -> float:
    """Train a network on batches from :func:`drawer`; return the running mean of the loss."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps + 1)
    recent = 0.0
    network.train()
    bar = tqdm(range(steps), desc="digits", unit="step", disable=not progress)
    for _ in bar:
        loss = draw(DIGIT_BATCH, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        recent = 0.98 * recent + 0.02 * loss.item() if recent else loss.item()
        bar.set_postfix(loss=f"{recent:.3f}")
    return recent


def drawer(network: LeNet5, digits: Digits) -> Draw:
    """Return a function that draws digits and rubbish and returns the network's loss on them.

    Only the network's digit classes and rubbish take part. The loss is the cross entropy of the
    classes.
    """
    images, labels = digits
    class_of = torch.tensor(
        [network.classes.index(str(d)) if str(d) in network.classes else -1 for d in range(10)]
    )
    known = class_of[labels] >= 0
    images, targets = images[known], class_of[labels[known]]
    distort = Distortion()

    def draw(count: int, generator: torch.Generator) -> torch.Tensor:
        chosen = torch.randint(len(images), (count,), generator=generator)
        wrong = _rubbish(images, count // RUBBISH_SHARE, generator)
        batch = torch.cat((distort(images[chosen], generator), wrong))
        rubbish = torch.full((len(wrong),), len(network.classes) - 1)
        return functional.cross_entropy(-network(batch), torch.cat((targets[chosen], rubbish)))

    return draw


def _rubbish(images: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return images that are no character: the right of one digit beside the left of the next."""
    left, right = (images[torch.randint(len(images), (count,), generator=generator)] for _ in "ab")
    cut = int(torch.randint(8, 16, (1,), generator=generator))
    joined = torch.full_like(left, float(images.min()))
    joined[..., :16] = left[..., cut : cut + 16]
    joined[..., 16:] = right[..., 16 - cut // 2 : 32 - cut // 2]
    return joined
