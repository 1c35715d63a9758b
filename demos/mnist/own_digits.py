"""Digits of a user's own folder with ``labels.csv``: as input of networks, and to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from demos.checkpoint import tensors_hash
from demos.figures import keep_figures, machine
from demos.image_folders import load_each
from demos.mnist.evaluate import measure
from demos.mnist.models import MODELS, save_model
from demos.mnist.recipes import Recipe
from demos.mnist.train import Digits, penalties_of, train_network
from recognizers.classes import DIGITS
from recognizers.datasets.fields import Field, nothing_read
from recognizers.digits.frames import frame_digit
from recognizers.images import ImageError, load_field

__all__ = ["SHARE", "OwnDigits", "is_digit", "load_digit", "own_digits", "train_on_own"]

SHARE = 0.25
"""Own digits are repeated beside MNIST's until they make up at least this share of a pass."""


class OwnDigits(NamedTuple):
    """Frames of digits, uint8 [N, 28, 28], 0 paper, and their fields in the folder.

    The text of each field is the digit; in a measurement it may be something else.
    """

    frames: np.ndarray
    fields: list[Field]

    @property
    def odd(self) -> list[Field]:
        """Return the fields whose text is not a single digit."""
        return [one for one in self.fields if not is_digit(one.text)]

    def prepared(self, model: str) -> Digits:
        """Return them as the input of a model of ``MODELS``; what is no digit is labelled -1."""
        labels = torch.tensor(
            [int(t) if is_digit(t) else -1 for t in (one.text for one in self.fields)]
        )
        return Digits(MODELS[model].prepare(torch.from_numpy(self.frames)), labels)


def load_digit(path: Path) -> np.ndarray:
    """Return the digit of an image file in the frame of MNIST, uint8 [28, 28], 0 paper, 255 ink.

    Raises:
        ImageError: the file cannot be read, or has no ink; the message begins with its path.
    """
    frame = frame_digit(load_field(path))
    if not frame.any():
        raise ImageError(f"{path}: no ink that could be a digit")
    return frame


def is_digit(text: str) -> bool:
    """Return whether a text is a single digit.

    >>> is_digit("7"), is_digit("12"), is_digit("")
    (True, False, False)
    """
    return text in tuple(DIGITS)


def own_digits(
    fields: Sequence[Field], problems: Sequence[str] = (), *, measured: bool = False
) -> tuple[OwnDigits, list[str]]:
    """Return the digits of the rows of a ``labels.csv``, and ``problems`` extended by new ones.

    Files that cannot be read are left out, and so are texts that are not a single digit, except in
    a measurement: leaving them out there would improve its figures.

    Raises:
        FieldSetError: nothing is left.
    """
    wrong, frames, kept = list(problems), [], []
    by_path = {one.path: one for one in fields}
    for path, frame in load_each(by_path, load_digit):
        one = by_path[path]
        if isinstance(frame, ImageError):
            wrong.append(str(frame))
        elif not is_digit(one.text) and not (measured and one.text):
            wrong.append(f"{one.name}: the text {one.text!r} is not a single digit")
        else:
            frames.append(frame)
            kept.append(one)
    if not kept:
        raise nothing_read(wrong)
    return OwnDigits(np.stack(frames), kept), wrong


def train_on_own(
    recipe: Recipe,
    seed: int,
    own: OwnDigits,
    out: Path,
    *,
    mnist: Digits | None = None,
    held_out: OwnDigits | None = None,
    row: str = "",
    progress: bool = True,
) -> dict[str, Any]:
    """Train a network on own digits; write ``out/network.safetensors`` and return the metrics.

    The metrics, also written to ``out/metrics.json``, are the recipe, the number of digits learned,
    the ``passes`` and their seconds, and figures on the ``held_out`` digits, if any. An interrupted
    run resumes.

    Args:
        recipe: of a single network: any of ``RECIPES`` except the boosted one.
        seed: seed of everything random.
        own: the digits to learn.
        out: the folder of the run.
        mnist: digits to learn as well, each once per pass; own ones are then repeated until they
            make up at least ``SHARE`` of a pass.
        held_out: digits to measure at the end; they decide nothing.
        row: the name of the recipe, saved with the network.

    Raises:
        CheckpointError: ``out`` holds a run with another recipe or seed, or of other digits.
    """
    training = ours = own.prepared(recipe.model)
    times = 1
    if mnist is not None:
        wanted = SHARE / (1.0 - SHARE) * len(mnist.labels)
        times = max(1, round(wanted / len(ours.labels)))
        training = Digits(
            torch.cat([mnist.inputs, ours.inputs.repeat(times, 1, 1, 1)]),
            torch.cat([mnist.labels, ours.labels.repeat(times)]),
        )
    learned = tensors_hash(training._asdict())
    trained = train_network(recipe, seed, training, out, data=learned, progress=progress)
    about: dict[str, Any] = {"row": row, "seed": seed, "recipe": asdict(recipe)}
    save_model(out / "network.safetensors", recipe.model, trained.network, about)
    metrics = {
        **about,
        "own": len(ours.labels),
        "times": times,
        "mnist": 0 if mnist is None else len(mnist.labels),
        "passes": trained.passes,
        "seconds": trained.seconds,
        "machine": machine(),
    }
    if held_out is not None:
        figures = _figures(trained.network, held_out.prepared(recipe.model))
        metrics["held_out"] = figures | {"not_written": len(held_out.odd)}
    keep_figures(out / "metrics.json", metrics)
    return metrics


def _figures(network: nn.Module, digits: Digits) -> dict[str, Any]:
    return measure(penalties_of(network.eval(), digits.inputs), digits.labels)
