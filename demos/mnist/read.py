"""Read images of single digits with a network trained on MNIST."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from demos.mnist.evaluate import measure
from demos.mnist.models import MODELS, load_model
from demos.mnist.own_digits import own_digits
from demos.mnist.recipes import RECIPES, Recipe
from demos.mnist.train import penalties_of
from recognizers.datasets.fields import load_fields
from recognizers.lenet import parameters

__all__ = ["DigitReader", "Misread", "evaluate_folder"]


class Misread(NamedTuple):
    """A misread file: its name, its true text, and what was read."""

    name: str
    truth: str
    text: str


class DigitReader:
    """A network of ``models.MODELS``, with its preparation of frames and its posteriors.

    Raises:
        CheckpointError: the file is missing, damaged, or of another program.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.model, self.network, about = load_model(checkpoint)
        # A network of no row takes the recipe of its model's row.
        row = RECIPES.get(about.get("row", ""), RECIPES[self.model])
        self.recipe = Recipe(**about["recipe"]) if "recipe" in about else row

    def penalties(self, frames: np.ndarray) -> torch.Tensor:
        """Return penalties [N, 10] of frames uint8 [N, 28, 28], 0 paper."""
        return penalties_of(self.network, MODELS[self.model].prepare(torch.from_numpy(frames)))

    def read(self, frame: np.ndarray) -> list[tuple[int, float]]:
        """Return all digits of a frame [28, 28] with posteriors (eq. 9), the most probable first.

        They sum to less than 1 if the network was trained with a rubbish class (the j of eq. 9).
        """
        posteriors = self.recipe.posteriors(self.penalties(frame[None]))[0]
        order = posteriors.argsort(descending=True, stable=True).tolist()
        return [(digit, float(posteriors[digit])) for digit in order]


def evaluate_folder(
    reader: DigitReader, folder: Path, *, holdout: int = 0
) -> tuple[dict[str, Any], list[Misread], list[str]]:
    """Return the figures on a folder with ``labels.csv``, what was misread, what was left out.

    If there are rows of the split ``test``, or a ``holdout``, only those rows and the last
    ``holdout`` by file name are read. A text that is not a single digit is an error, since no digit
    is right; ``not_written`` counts these.

    Raises:
        FieldSetError: ``labels.csv`` is unusable or has fewer rows than are held out, or no digit
            can be read.
    """
    found = load_fields(folder)
    digits, problems = own_digits(found.measured(holdout), found.problems, measured=True)
    penalties = reader.penalties(digits.frames)
    figures = {"model": reader.model, **measure(penalties, digits.prepared(reader.model).labels)}
    figures |= {"parameters": parameters(reader.network), "not_written": len(digits.odd)}
    figures["left_out"] = len(problems)
    rows = zip(digits.fields, penalties.argmin(1).tolist(), strict=True)
    wrong = [Misread(one.name, one.text, str(d)) for one, d in rows if str(d) != one.text]
    return figures, wrong, problems
