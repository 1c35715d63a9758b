"""Measure strings and characters read wrong, on strings that no training has seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import gtn
from demos.image_folders import load_labelled
from demos.strings.choices import TEST_STRINGS
from demos.strings.labelled_lines import what_is_odd
from demos.strings.lines import load_line
from demos.strings.reader import StringReader
from gtn.nn import edit_distances
from recognizers.datasets.strings import FREE, PAPER, DigitStrings

__all__ = ["Figures", "evaluate", "evaluate_folder", "held_out_strings"]

BLOCK = 500
TEST_SEED = 1998
RECIPES = {"paper": PAPER, "free": FREE}

Figures = dict[str, Any]
Labelled = list[tuple[NDArray[np.uint8], str]]


def held_out_strings(
    digits: tuple[Tensor, Tensor],
    count: int = TEST_STRINGS,
    *,
    noise: float = 0.0,
    recipe: str = "paper",
) -> Labelled:
    """Return the fixed test: strings of 1 to 10 digits made of MNIST's *test* digits.

    The strings do not depend on the noise; a smaller count gives the first of them.
    """
    data = DigitStrings(*digits, RECIPES[recipe].with_noise(noise), seed=TEST_SEED)
    found: Labelled = []
    for number in range(-(-count // BLOCK)):
        lines = data.batch(number, BLOCK)
        rows = zip(lines.images, lines.widths, lines.texts, strict=True)
        found += [(image[:, :width], text) for image, width, text in rows]
    return found[:count]


def evaluate(
    reader: StringReader,
    lines: Sequence[tuple[NDArray[np.uint8], str]],
    grammar: gtn.Graph | None = None,
) -> tuple[Figures, list[str]]:
    """Return the figures of a reader on labelled lines, and what it read.

    ``string_error`` is the share of lines not read exactly; ``char_error`` the edit distances
    over the characters of the truth; ``ms_per_line`` the time of reading in batches, network and
    transducer, per line.
    """  # fmt: skip
    started = time.perf_counter()
    texts = [reading.text for reading in reader.read([image for image, _ in lines], grammar)]
    seconds = time.perf_counter() - started
    truths = [truth for _, truth in lines]
    edits = sum(
        float(edit_distances([text], truth)[0])
        for text, truth in zip(texts, truths, strict=True)
        if text != truth
    )
    wrong = sum(text != truth for text, truth in zip(texts, truths, strict=True))
    return {
        "n": len(lines),
        "string_error": wrong / max(len(lines), 1),
        "char_error": edits / max(sum(map(len, truths)), 1),
        "ms_per_line": 1000 * seconds / max(len(lines), 1),
        "threads": torch.get_num_threads(),
    }, texts


def evaluate_folder(
    reader: StringReader, folder: Path, grammar: gtn.Graph | None = None, *, holdout: int = 0
) -> tuple[Figures, list[tuple[str, str, str]], list[str]]:
    """Return the figures on the lines of a folder with ``labels.csv``, the errors, the problems.

    An error is (file, truth, what was read); a problem is a row or file left out, and ``left_out``
    counts these. A text that the reader cannot write, with characters other than digits, is an
    error like others, so that it does not improve the figures; ``not_written`` counts these. If
    there are rows of the split ``test``, or a ``holdout``, only those rows and the last ``holdout``
    by file name are measured.

    Raises:
        FieldSetError: ``labels.csv`` is unusable or has fewer lines than are held out, or no file
            can be read.
    """
    lines, problems = load_labelled(folder, load_line, holdout=holdout)
    figures, texts = evaluate(reader, [(one.image, one.text) for one in lines], grammar)
    rows = zip(lines, texts, strict=True)
    figures["not_written"] = sum(bool(what_is_odd(one.text)) for one in lines)
    figures["left_out"] = len(problems)
    return figures, [(one.name, one.text, read) for one, read in rows if read != one.text], problems
