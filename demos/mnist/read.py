"""Reading pictures of single digits with a network that has learned MNIST's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from demos.image_folders import load_labelled
from demos.mnist.evaluate import measure
from demos.mnist.models import MODELS, load_model
from demos.mnist.recipes import RECIPES
from demos.mnist.train import penalties_of
from recognizers.classes import DIGITS
from recognizers.datasets.fields import nothing_read
from recognizers.digit_frames import frame_digit
from recognizers.images import ImageError, load_field
from recognizers.lenet import parameters

__all__ = ["DigitReader", "Misread", "evaluate_folder", "load_digit"]


class Misread(NamedTuple):
    """A file that was read wrongly: its name, what it says, and what was read."""

    name: str
    truth: str
    text: str


class DigitReader:
    """A network of ``models.MODELS`` with what makes digits of frames and posteriors of penalties.

    Raises:
        CheckpointError: the file is missing, damaged, or of another program.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.model, self.network, about = load_model(checkpoint)
        # Of a network that belongs to no row, the row of its model trains one alike.
        self.recipe = RECIPES.get(about.get("row", ""), RECIPES[self.model])

    def penalties(self, frames: np.ndarray) -> torch.Tensor:
        """Penalties [N, 10] of frames uint8 [N, 28, 28], 0 paper."""
        return penalties_of(self.network, MODELS[self.model].prepare(torch.from_numpy(frames)))

    def read(self, frame: np.ndarray) -> list[tuple[int, float]]:
        """All digits with their posteriors (eq. 9), the most probable first, of a frame [28, 28].

        They sum to less than 1 where the network was trained with a rubbish class (the j of eq. 9).
        """
        posteriors = self.recipe.posteriors(self.penalties(frame[None]))[0]
        order = posteriors.argsort(descending=True, stable=True).tolist()
        return [(digit, float(posteriors[digit])) for digit in order]


def load_digit(path: Path) -> np.ndarray:
    """The digit of an image file in the frame of MNIST, uint8 [28, 28], 0 paper, 255 ink.

    Raises:
        ImageError: the file cannot be read, or has no ink; the message begins with its path.
    """
    frame = frame_digit(load_field(path))
    if not frame.any():
        raise ImageError(f"{path}: no ink that could be a digit")
    return frame


def evaluate_folder(
    reader: DigitReader, folder: Path
) -> tuple[dict[str, Any], list[Misread], list[str]]:
    """Figures of a folder of digits with ``labels.csv``, what was misread, what was left out.

    Raises:
        FieldSetError: no usable ``labels.csv``, or no digit that can be read.
    """
    images, problems = load_labelled(folder, load_digit)
    digits = []
    for one in images:
        if one.text in tuple(DIGITS):
            digits.append(one)
        else:
            problems.append(f"{one.name}: the text {one.text!r} is no single digit")
    if not digits:
        raise nothing_read(problems)
    penalties = reader.penalties(np.stack([one.image for one in digits]))
    labels = torch.tensor([int(one.text) for one in digits])
    figures = {"model": reader.model, **measure(penalties, labels)}
    figures |= {"parameters": parameters(reader.network), "left_out": len(problems)}
    rows = zip(digits, penalties.argmin(1).tolist(), strict=True)
    wrong = [Misread(one.name, one.text, str(d)) for one, d in rows if str(d) != one.text]
    return figures, wrong, problems
