"""Training samples of readers of whole checks: located checks, and lines with their texts.

Boxes match each true field to its candidate. So the recognizer learns from lines as the locator
cuts them, and the field penalties learn which path is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from demos.checks.whole.data import KnownCheck
from recognizers.datasets.check_amounts import drawn_text, print_amount, write_amount
from recognizers.datasets.check_printing import FONTS
from recognizers.datasets.mnist import load_mnist
from recognizers.datasets.written_amounts import MnistFields
from recognizers.fields import MARGIN, LocatedFields, locate_fields
from recognizers.images import ImageError, load_field
from recognizers.lines.images import normalise_line

__all__ = ["LocatedCheck", "WrittenLine", "composed_lines", "lines_of", "locate_all", "right_paths"]


@dataclass(frozen=True)
class WrittenLine:
    """The line of a field, uint8 ``[40, W]``, and all characters on it."""

    image: np.ndarray
    written: str


@dataclass(frozen=True)
class LocatedCheck:
    """A check with all its candidates; ``right`` are the field-graph paths that hold the amount.

    A path is the number of a candidate; pairs are numbered after all candidates.
    """

    check: KnownCheck
    found: LocatedFields
    right: tuple[int, ...]


def locate_all(
    checks: Sequence[KnownCheck], *, progress: bool = True
) -> tuple[list[LocatedCheck], list[str]]:
    """Locate the candidates of all checks that open; also return what is wrong with the others."""
    located, problems = [], []
    for check in tqdm(checks, desc="locating", unit="check", disable=not progress):
        try:
            found = locate_fields(load_field(check.path))
        except ImageError as error:
            problems.append(str(error))
            continue
        except ValueError as error:  # too small to be a check
            problems.append(f"{check.path}: {error}")
            continue
        located.append(LocatedCheck(check, found, tuple(right_paths(check, found))))
    return located, problems


def right_paths(check: KnownCheck, found: LocatedFields) -> list[int]:
    """Return the paths of the field graph that hold the amount of a check, by the boxes.

    A candidate holds a field if it contains nearly all of the field's box, and little else except a
    printed currency sign.
    """
    if not check.parts:
        return []
    held = [_held(part.box, check.sign, found.boxes) for part in check.parts]
    if len(held) == 1:
        return np.flatnonzero(held[0] & (found.roles == 0)).tolist()
    dollars, cents = found.pairs.T
    return (len(found.boxes) + np.flatnonzero(held[0][dollars] & held[1][cents])).tolist()


def lines_of(located: Sequence[LocatedCheck]) -> list[WrittenLine]:
    """Return the lines of the right candidates, as the locator cut them, with their texts."""
    lines = []
    for one in located:
        count = len(one.found.boxes)
        for path in one.right:
            fields = [path] if path < count else one.found.pairs[path - count].tolist()
            for number, part in zip(fields, one.check.parts, strict=True):
                sign = one.check.sign
                signed = sign is not None and _inside(sign, one.found.boxes[number]) > 0.5
                signed &= part.role != "cents"
                written = ("$" if signed else "") + part.written
                lines.append(WrittenLine(normalise_line(one.found.images[number]), written))
    return lines


def composed_lines(count: int, seed: int, digits: Path) -> list[WrittenLine]:
    """Return composed lines of amounts, printed and handwritten, and of parts of amounts.

    They look as the locator cuts them: ink alone, on white paper.
    """
    images, labels = load_mnist(digits, "train")
    writer = MnistFields(np.asarray(images), np.asarray(labels), tight=True)
    lines: list[WrittenLine] = []
    number = 0
    while len(lines) < count:
        rng = np.random.default_rng([seed, number])
        number += 1
        text = drawn_text(rng)
        if rng.random() < 0.3:
            found = print_amount(text, str(rng.choice(list(FONTS))), int(rng.integers(14, 32)), rng)
        else:
            found = write_amount(text, writer, rng)
        scanned = _scanned(found.ink, rng)
        for part in found.parts:
            x, y, wide, high = part.box
            cut = scanned[y : y + high + 2 * MARGIN, x : x + wide + 2 * MARGIN]
            if part.role == "dollars":  # the cents beside it belong to another field
                cut = cut.copy()
                cut[:, wide + MARGIN :] = 255
            lines.append(WrittenLine(normalise_line(cut), part.written))
    return lines[:count]


def _scanned(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ink with a margin, as a scanner and the locator leave it; paper is 255."""
    blurred = np.pad(ink, MARGIN).astype(np.float32) / 255.0
    blurred = ndimage.gaussian_filter(blurred, rng.uniform(0.35, 0.75))
    dark = rng.uniform(0.6, 1.0)
    levels = dark * np.clip(1.15 * blurred, 0.0, 1.0)
    levels += rng.standard_normal(levels.shape) * rng.uniform(0.01, 0.05)
    mask = levels > 0.4 * dark
    halo = ndimage.maximum_filter(mask.view(np.uint8), 3) > 0
    value = np.clip(levels * halo / dark, 0.0, 1.0)
    return (255.0 - np.rint(255.0 * value)).astype(np.uint8)


def _held(part: tuple[int, ...], sign: tuple[int, ...] | None, boxes: np.ndarray) -> np.ndarray:
    """Tell which boxes ``[N, 4]`` hold a part and little else, bool ``[N]``."""
    held = np.zeros(len(boxes), dtype=bool)
    for i, box in enumerate(boxes):
        wider = part
        if sign is not None and _inside(sign, box) > 0.5:
            right = max(part[0] + part[2], sign[0] + sign[2])
            bottom = max(part[1] + part[3], sign[1] + sign[3])
            left, top = min(part[0], sign[0]), min(part[1], sign[1])
            wider = (left, top, right - left, bottom - top)
        held[i] = _inside(part, box) > 0.9 and _inside(tuple(box), np.array(wider)) > 0.8
    return held


def _inside(inner: tuple[int, ...], outer: np.ndarray) -> float:
    """Return the share of a box that lies in another; both x, y, width, height."""
    x, y, wide, high = inner
    across = min(x + wide, outer[0] + outer[2]) - max(x, outer[0])
    down = min(y + high, outer[1] + outer[3]) - max(y, outer[1])
    return float(max(across, 0) * max(down, 0)) / max(wide * high, 1)
