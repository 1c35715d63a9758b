"""How good a segmenter is, measured against fields with a box for every digit."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizers.datasets.fields import FieldSetError
from recognizers.images import load_field
from recognizers.segmentation.oversegmentation import Segmentation, segment_field


@dataclass(frozen=True)
class SegmentationQuality:
    """Figures of a segmenter on fields with boxes.

    Attributes:
        fields, digits: how many of each were measured.
        digit_recall: share of the digits with an arc whose box overlaps theirs enough.
        field_recall: share of the fields with one complete path through an arc for every digit,
            in order, and any other arcs between them.
        arcs_per_digit: all arcs over all digits.
        missed: the digits without an arc, as (file, position in the text).
        broken: the files without such a path.
    """

    fields: int
    digits: int
    digit_recall: float
    field_recall: float
    arcs_per_digit: float
    missed: tuple[tuple[str, int], ...]
    broken: tuple[str, ...]


SIDES = ("x", "y", "width", "height")
"""Columns of a box, in pixels."""


def read_boxes(path: str | Path) -> dict[str, np.ndarray]:
    """Read ``boxes.csv`` (``file,digit,x,y,width,height``): boxes ``[D, 4]`` of each file.

    Raises:
        FieldSetError: a column is missing, or a side is not a number; names the line. Or the file
            is missing or not UTF-8.
    """
    boxes: dict[str, list[list[float]]] = defaultdict(list)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = {"file", *SIDES} - set(rows.fieldnames or ())
            if missing:
                raise FieldSetError(f"{path}:1: no column {' and '.join(sorted(missing))}")
            for row in rows:
                try:
                    boxes[row["file"]].append([float(row[side]) for side in SIDES])
                except (TypeError, ValueError) as error:
                    raise FieldSetError(f"{path}:{rows.line_num}: not a box ({error})") from error
    except FileNotFoundError as error:
        columns = ",".join(("file", "digit", *SIDES))
        raise FieldSetError(f"{path}: no such file; it holds the columns {columns}") from error
    except UnicodeDecodeError as error:
        raise FieldSetError(f"{path}: not UTF-8 text ({error.reason})") from error
    return {name: np.array(rows) for name, rows in boxes.items()}


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union, ``[A, D]``, of boxes (x, y, width, height) ``[A | D, 4]``.

    Example:
        >>> overlap(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 2, 2], [0, 0, 2, 2]])).round(2)
        array([[0.33, 1.  ]])
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(
        first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:]
    )
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None, :]
    return shared / np.maximum(areas - shared, 1e-9)


def has_path(segmentation: Segmentation, good: np.ndarray) -> bool:
    """Tell whether a complete path takes an arc for every digit in order; ``good`` is ``[A, D]``.

    The path may take any other arcs in between.
    """
    digits = good.shape[1]
    reached = np.zeros((segmentation.num_nodes, digits + 1), dtype=bool)
    reached[0, 0] = True
    for arc in range(segmentation.num_arcs):  # sorted by source: a topological order
        here = reached[segmentation.src[arc]]
        reached[segmentation.dst[arc]] |= here
        reached[segmentation.dst[arc], 1:] |= here[:-1] & good[arc]
    return bool(reached[-1, digits])


def measure_segmentation(
    folder: str | Path,
    files: Sequence[str] | None = None,
    *,
    least_overlap: float = 0.7,
    segment: Callable[[np.ndarray], Segmentation] = segment_field,
) -> SegmentationQuality:
    """Segment the fields of a folder (``boxes.csv``, images in ``images/``) and compare.

    A digit is found where an arc's box has an intersection over union of ``least_overlap`` with
    the digit's box. ``files`` chooses file names; all by default.

    Raises:
        FieldSetError: a file chosen has no box, or ``boxes.csv`` cannot be read.
    """
    folder = Path(folder)
    boxes = read_boxes(folder / "boxes.csv")
    names = sorted(boxes) if files is None else list(files)
    unknown = sorted(set(names) - set(boxes))
    if unknown:
        raise FieldSetError(f"{folder / 'boxes.csv'}: no box of {', '.join(unknown[:3])}")
    missed: list[tuple[str, int]] = []
    broken: list[str] = []
    arcs = digits = 0
    for name in names:
        segmentation = segment(load_field(folder / "images" / name))
        good = overlap(segmentation.boxes.astype(np.float64), boxes[name]) >= least_overlap
        missed += [(name, int(n)) for n in np.flatnonzero(~good.any(axis=0))]
        if not has_path(segmentation, good):
            broken.append(name)
        arcs += segmentation.num_arcs
        digits += good.shape[1]
    return SegmentationQuality(
        fields=len(names),
        digits=digits,
        digit_recall=1.0 - len(missed) / max(digits, 1),
        field_recall=1.0 - len(broken) / max(len(names), 1),
        arcs_per_digit=arcs / max(digits, 1),
        missed=tuple(missed),
        broken=tuple(broken),
    )
