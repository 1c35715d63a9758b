"""``python -m demos.mnist.cut_digits``: single digits of real fields, cut out where boxes say."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from demos.checkpoint import write_whole
from demos.command_line import run_command
from recognizers.datasets.fields import FieldSetError, find_data, load_fields
from recognizers.images import load_field
from recognizers.segmentation_quality import read_boxes

__all__ = ["cut_digits"]

ROOM = 1
"""Pixels around a box that are cut out with it."""


def cut_digits(fields: Path, out: Path) -> int:
    """Write each digit of fields as a picture of its own with ``labels.csv``; return how many.

    A digit is called as its field, with its place behind it, so the last names are those of the
    last fields.

    Args:
        fields: a folder with ``labels.csv`` (``file,text``) and ``boxes.csv``
            (``file,digit,x,y,width,height``).
        out: the folder that is written.

    Raises:
        FieldSetError: a field without a box for each of its characters.
        ImageError: a picture that cannot be read.
    """
    boxes = read_boxes(fields / "boxes.csv")
    (out / "images").mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "text"])
    count = 0
    for field in load_fields(fields).fields:
        found = boxes.get(field.name, ())
        if len(found) != len(field.text):
            raise FieldSetError(f"{field.path}: {field.text!r} needs a box for every character")
        image = load_field(field.path)
        for place, ((x, y, width, height), digit) in enumerate(zip(found, field.text, strict=True)):
            top, left = max(math.floor(y) - ROOM, 0), max(math.floor(x) - ROOM, 0)
            cut = image[top : math.ceil(y + height) + ROOM, left : math.ceil(x + width) + ROOM]
            name = f"{Path(field.name).stem}-{place}.png"
            Image.fromarray(cut).save(out / "images" / name)
            rows.writerow([name, digit])
            count += 1
    write_whole(out / "labels.csv", text.getvalue())
    return count


def command(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures and labels.csv.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder with labels.csv and boxes.csv; default: car.")
    ] = None,
) -> None:
    """Cut the digits of amount fields out, each a picture of its own."""
    typer.echo(f"{cut_digits(find_data(data, 'car'), out)} digits and labels.csv in {out}")


if __name__ == "__main__":
    run_command(command)
