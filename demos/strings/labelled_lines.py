"""Endless varied training lines from a user's own folder of lines and texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

import gtn
from demos.image_folders import load_each
from demos.strings.lines import load_line
from demos.strings.reader import StringReader
from recognizers.classes import DIGITS
from recognizers.datasets.fields import Field, file_hash, nothing_read
from recognizers.datasets.strings import Lines
from recognizers.images import ImageError
from recognizers.lines.distortion import LineDistortion
from recognizers.lines.images import as_batch

__all__ = ["LabelledLines", "lines_to_learn", "what_is_odd"]

_TOGETHER = 32
"""Lines of similar width that are varied together."""


class LabelledLines:
    """Lines ``uint8 [32, width]`` with their texts, from which batches of variants are drawn.

    Every line is drawn once before any is drawn again. ``called`` identifies the lines in a run:
    the hash of the file and the text of each.

    >>> lines = LabelledLines([np.full((32, 40), 255, np.uint8)] * 2, ["1", "2"], seed=5)
    >>> sorted(lines.batch(3, size=2).texts)
    ['1', '2']
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        texts: Sequence[str],
        called: Sequence[Sequence[str]] = (),
        *,
        seed: int = 0,
    ) -> None:
        if not len(images) == len(texts) > 0:
            raise ValueError(f"{len(images)} lines with {len(texts)} texts: a text for each line")
        self.images, self.texts, self.seed = list(images), list(texts), seed
        self.called = sorted(map(list, called))
        self.distort = LineDistortion()

    def batch(self, number: int, size: int) -> Lines:
        """Return batch ``number`` of ``size`` variants, which depends on number and size only.

        The boxes of their characters are unknown.
        """
        rounds, places = np.divmod(number * size + np.arange(size), len(self.images))
        orders = {
            int(r): np.random.default_rng([self.seed, r]).permutation(len(self.images))
            for r in np.unique(rounds)
        }
        chosen = [int(orders[int(r)][p]) for r, p in zip(rounds, places, strict=True)]
        chosen.sort(key=lambda i: self.images[i].shape[1])
        generator = torch.Generator().manual_seed(1_000_003 * self.seed + number)
        varied = []
        for first in range(0, size, _TOGETHER):
            lines = as_batch([self.images[i] for i in chosen[first : first + _TOGETHER]])
            varied += list(self.distort(lines, generator).mul_(255.0).byte()[:, 0].numpy())
        widths = np.array([image.shape[1] for image in varied], dtype=np.int64)
        canvas = np.zeros((size, varied[0].shape[0], int(widths.max())), dtype=np.uint8)
        for row, image in zip(canvas, varied, strict=True):
            row[:, : image.shape[1]] = image
        nothing = np.zeros((0, 4), dtype=np.int64)
        return Lines(canvas, widths, [self.texts[i] for i in chosen], nothing[:, 0], nothing)


def lines_to_learn(
    fields: Sequence[Field], reader: StringReader, *, seed: int = 0
) -> tuple[LabelledLines, list[str]]:
    """Return the lines that a reader can be trained on, and what is wrong with the others.

    Rows of the splits ``validation`` and ``test`` are left out, and so are unreadable files, texts
    with characters other than digits, and texts too long for the outputs of their line.

    Raises:
        FieldSetError: nothing is left.
    """
    by_path = {one.path: one for one in fields if one.split in ("", "train")}
    kept, images, problems = [], [], []
    for path, line in load_each(by_path, load_line):
        one = by_path[path]
        if isinstance(line, ImageError):
            problems.append(str(line))
        elif odd := what_is_odd(one.text):
            problems.append(f"{path}: {odd}")
        elif not _is_written(reader, line.shape[1], one.text):
            problems.append(
                f"{path}: {one.text!r} is longer than what can be read of a line {line.shape[1]} "
                "pixels wide, its ink scaled to 20 pixels of height"
            )
        else:
            kept.append(one)
            images.append(line)
    if not kept:
        elsewhere = f"{len(fields) - len(by_path)} rows are of the splits validation and test"
        raise nothing_read([*problems, elsewhere])
    called = [(file_hash(one.path), one.text) for one in kept]
    return LabelledLines(images, [one.text for one in kept], called, seed=seed), problems


def what_is_odd(text: str) -> str:
    """Return what is wrong with a text that has characters other than digits, or "".

    >>> what_is_odd("12-50"), what_is_odd("1250")
    ("'12-50' has '-'; texts are of the digits 0123456789", '')
    """
    others = "".join(sorted(set(text) - set(DIGITS)))
    return f"{text!r} has {others!r}; texts are of the digits {DIGITS}" if others else ""


def _is_written(reader: StringReader, width: int, text: str) -> bool:
    """Return whether some path writes a text along a line of this width."""
    columns = int(reader.sdnn.columns(np.array([width]))[0])
    models = reader.models().detach()
    loss = gtn.nn.MMILoss(models, infeasible="infinity")
    return bool(loss(torch.zeros(columns, len(DIGITS) + 1), text).isfinite())
