"""Load images as commands take them: single files, folders, or folders with ``labels.csv``.

One bad file costs one error, never the others.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer
from PIL import Image

from demos.checkpoint import write_whole
from recognizers.datasets.fields import load_fields, nothing_read
from recognizers.images import IMAGE_SUFFIXES, ImageError

__all__ = [
    "LabelledImage",
    "echo_bad",
    "image_files",
    "load_each",
    "load_labelled",
    "make_way",
    "numbered_names",
    "save_labelled",
]


class LabelledImage(NamedTuple):
    """An image of a folder with ``labels.csv``: its name there, the image, and its text."""

    name: str
    image: np.ndarray
    text: str


def image_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files given, and all images in the folders given, recursively.

    A folder's files come first, by name, then its subfolders; only the names in one folder and its
    ancestors are held at a time. A folder without any image is itself yielded, so that reading it
    reports that.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        count = 0
        for folder, inside, names in os.walk(path):
            inside.sort()
            for name in sorted(names):
                if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES:
                    count += 1
                    yield Path(folder, name)
        if not count:
            yield path


def load_each(
    paths: Iterable[Path], load: Callable[[Path], np.ndarray]
) -> Iterator[tuple[Path, np.ndarray | ImageError]]:
    """Yield each file with its image, or with an error that says what is wrong with it.

    A folder among the paths is one in which :func:`image_files` found no image.
    """
    for path in paths:
        if path.is_dir():
            yield path, ImageError(f"{path}: no image in this folder")
            continue
        try:
            yield path, load(path)
        except ImageError as error:
            yield (
                path,
                ImageError(*error.args),
            )  # drops the traceback, which would keep the image alive


def echo_bad(
    images: Iterable[tuple[Path, np.ndarray | ImageError]], as_json: bool
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield the images, and print what is wrong with the other files, as text or JSON lines.

    Raises:
        typer.Exit: after the last image, with status 1, if any file was bad.
    """
    failed = False
    for path, image in images:
        if isinstance(image, ImageError):
            failed = True
            wrong = json.dumps({"file": str(path), "error": str(image)}) if as_json else str(image)
            typer.echo(wrong, err=not as_json)
        else:
            yield path, image
    if failed:
        raise typer.Exit(1)


def make_way(folder: Path, names: Collection[str]) -> None:
    """Remove the ``labels.csv`` of a folder whose files are about to be rewritten, by name.

    Then no old text stands beside a new image, wherever the writing ends.

    Raises:
        ValueError: it lists other files, whose texts would be lost, or cannot be read; it is left
            as it is.
    """
    labels, ours = folder / "labels.csv", set(names)
    if not labels.exists():
        return
    try:
        with labels.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            files = [row.get("file") for row in csv.DictReader(lines, strict=True)]
    except csv.Error as error:  # an unclosed quote hides the rows after it
        raise ValueError(f"{labels}: cannot be read: {error}; choose another folder") from error
    others = [file for file in files if file not in ours]
    if others:
        raise ValueError(
            f"{labels} has the text of {others[0] or 'other files'}, which is not written now, and "
            "would be lost; choose another folder"
        )
    labels.unlink()


def save_labelled(
    folder: Path, images: Iterable[tuple[np.ndarray, str]], prefix: str, count: int
) -> list[str]:
    """Write ``count`` images as ``PREFIX_NNN.png``, and ``labels.csv``; return their names.

    Raises:
        ValueError: the folder's ``labels.csv`` lists other files, too.
    """
    names = numbered_names(prefix, count)
    make_way(folder, names)
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(("file", "text"))
    for name, (image, text) in zip(names, images, strict=True):
        picture = io.BytesIO()
        Image.fromarray(image).save(picture, "PNG", optimize=True)
        write_whole(folder / name, picture.getvalue())
        table.writerow((name, text))
    write_whole(folder / "labels.csv", rows.getvalue())
    return names


def numbered_names(prefix: str, count: int) -> list[str]:
    """Return names for ``count`` images, which sort in their order.

    >>> numbered_names("line", 2)
    ['line_000.png', 'line_001.png']
    """
    digits = max(3, len(str(count - 1)))
    return [f"{prefix}_{i:0{digits}d}.png" for i in range(count)]


def load_labelled(
    folder: Path, load: Callable[[Path], np.ndarray], *, holdout: int = 0
) -> tuple[list[LabelledImage], list[str]]:
    """Return the images of a folder with ``labels.csv``, and what was wrong with other rows.

    If there are rows of the split ``test``, or a ``holdout``, only those rows and the last
    ``holdout`` by file name are returned.

    Raises:
        FieldSetError: ``labels.csv`` is unusable or has fewer rows than are held out, or no file
            can be read.
    """
    found = load_fields(folder)
    by_path = {one.path: one for one in found.measured(holdout)}
    images, problems = [], list(found.problems)
    for path, image in load_each(by_path, load):
        if isinstance(image, ImageError):
            problems.append(str(image))
        else:
            images.append(LabelledImage(by_path[path].name, image, by_path[path].text))
    if not images:
        raise nothing_read(problems)
    return images, problems
