"""Cut single digits out of real fields by their boxes (``python -m demos.mnist.cut_digits``)."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from PIL import Image

from demos.checkpoint import write_whole
from demos.image_folders import load_each, make_way
from recognizers.datasets.fields import Field, load_fields, nothing_read
from recognizers.images import ImageError, load_field
from recognizers.segmentation.quality import read_boxes

__all__ = ["cut_digits"]

ROOM = 1
"""Pixels around a box to cut out with it."""


def cut_digits(fields: Path, out: Path) -> tuple[int, list[str]]:
    """Write each digit of the fields as an image, with ``labels.csv``.

    A digit is named after its field and its place in it, so the last names belong to the last
    fields. Return the number of digits, and what is wrong with the fields left out: no image, or
    not one box per character.

    Args:
        fields: a folder with ``labels.csv`` (``file,text``) and ``boxes.csv``
            (``file,digit,x,y,width,height``).
        out: the folder to write.

    Raises:
        FieldSetError: ``labels.csv`` or ``boxes.csv`` is unusable, or no field is left.
        ValueError: ``labels.csv`` in ``out`` lists other files, too.
    """
    boxes, found = read_boxes(fields / "boxes.csv"), load_fields(fields)
    by_path, problems = {one.path: one for one in found.fields}, list(found.problems)
    every = {_name(one, place) for one in found.fields for place in range(len(one.text))}
    make_way(out, every)
    (out / "images").mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "text"])
    count = 0
    for path, image in load_each(by_path, load_field):
        field = by_path[path]
        places = boxes.get(field.name, ())
        if isinstance(image, ImageError):
            problems.append(str(image))
            continue
        if len(places) != len(field.text):
            problems.append(f"{path}: {field.text!r} needs a box for every character")
            continue
        for place, ((x, y, width, height), digit) in enumerate(
            zip(places, field.text, strict=True)
        ):
            top, left = max(math.floor(y) - ROOM, 0), max(math.floor(x) - ROOM, 0)
            cut = image[top : math.ceil(y + height) + ROOM, left : math.ceil(x + width) + ROOM]
            name = _name(field, place)
            Image.fromarray(cut).save(out / "images" / name)
            rows.writerow([name, digit])
            count += 1
    if not count:
        raise nothing_read(problems)
    write_whole(out / "labels.csv", text.getvalue())
    return count, problems


def _name(field: Field, place: int) -> str:
    return f"{field.name.replace('/', '-')}-{place}.png"  # a/1.png and b/1.png are two
