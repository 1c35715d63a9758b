"""Compose lines and pages of MNIST's digits as files, to try the readers on and to learn from."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from torch import Tensor

from demos.checkpoint import write_whole
from demos.image_folders import save_labelled
from demos.strings.evaluate import RECIPES
from recognizers.classes import DIGITS
from recognizers.datasets.pages import PageRecipe, draw_pages
from recognizers.datasets.strings import draw_lines

__all__ = ["compose_lines", "compose_pages"]


def compose_lines(
    digits: tuple[Tensor, Tensor],
    out: Path,
    count: int,
    *,
    recipe: str = "paper",
    noise: float = 0.0,
    seed: int = 0,
) -> None:
    """Write ``count`` lines, dark on light, and ``labels.csv`` (``file,text``), to a folder.

    Args:
        digits: MNIST's images and labels.
        recipe: one of ``RECIPES``.
        noise: share of inverted pixels.
        seed: seed of everything random.
    """
    rng = np.random.default_rng(seed)
    lines = draw_lines(*digits, RECIPES[recipe].with_noise(noise), count, rng)
    rows = zip(lines.images, lines.widths, lines.texts, strict=True)
    dark = ((255 - image[:, :width], text) for image, width, text in rows)
    save_labelled(out, dark, "line", count)


def compose_pages(digits: tuple[Tensor, Tensor], out: Path, count: int, *, seed: int = 0) -> None:
    """Write ``count`` pages of scattered digits and clutter, dark on light, to a folder.

    ``labels.csv`` says which digits are on a page, ``boxes.csv`` (``file,digit,x,y,width,height``,
    in pixels) where they are.
    """
    pages = draw_pages(*digits, PageRecipe(), count, np.random.default_rng(seed))
    texts = [
        "".join(DIGITS[label] for label in pages.labels[pages.owner == i]) for i in range(count)
    ]
    names = save_labelled(out, zip(255 - pages.images, texts, strict=True), "page", count)
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(("file", "digit", "x", "y", "width", "height"))
    for owner, label, (x0, y0, x1, y1) in zip(pages.owner, pages.labels, pages.boxes, strict=True):
        table.writerow((names[owner], DIGITS[label], x0, y0, x1 - x0, y1 - y0))
    write_whole(out / "boxes.csv", rows.getvalue())
