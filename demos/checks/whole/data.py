"""Folders of whole checks: images, ``labels.csv`` as for fields, and ``truth.jsonl``.

``compose-checks`` writes such folders. The fixed test set of 646 is
``python -m demos.checks compose-checks OUT --part test --count 646``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from demos.checkpoint import write_whole
from demos.image_folders import make_way, numbered_names
from recognizers.datasets.check_amounts import Part
from recognizers.datasets.check_layouts import FAMILIES
from recognizers.datasets.checks import Check, CheckComposer
from recognizers.datasets.fields import FieldSetError, find_data, load_fields
from recognizers.datasets.mnist import load_mnist

__all__ = ["KnownCheck", "composed_checks", "known_checks", "write_checks"]

TRUTH = "truth.jsonl"


@dataclass(frozen=True)
class KnownCheck:
    """A check image with its truth; without ``truth.jsonl`` only the text is known."""

    path: Path
    text: str
    parts: tuple[Part, ...] = ()
    sign: tuple[int, ...] | None = None
    layout: str = ""
    kind: str = ""
    printed: bool = False
    called: str = ""
    split: str = ""

    @property
    def name(self) -> str:
        """The file's name, as :class:`recognizers.datasets.fields.Field` has it."""
        return self.called or self.path.name

    @property
    def family(self) -> str:
        """The family of its layout."""
        return self.layout.rpartition(" ")[0]


def composed_checks(
    part: str, count: int, seed: int, digits: Path | None = None
) -> Iterator[Check]:
    """Return checks of a part, each made on demand with digits of that part of MNIST.

    A check does not depend on the count.

    Raises:
        ValueError: the part is unknown; there is no MNIST folder.
    """
    if part not in FAMILIES:
        raise ValueError(f"part {part!r} is not one of {', '.join(FAMILIES)}")
    images, labels = load_mnist(find_data(digits, "mnist", option="--digits"), part)
    composer = CheckComposer(np.asarray(images), np.asarray(labels), part)
    key = list(FAMILIES).index(part)
    return (composer.compose(np.random.default_rng([seed, key, i])) for i in range(count))


def write_checks(
    out: Path, part: str, count: int, seed: int = 0, digits: Path | None = None
) -> None:
    """Write checks as PNG files, ``labels.csv`` and ``truth.jsonl`` to a folder.

    Raises:
        ValueError: the part is unknown; there is no MNIST folder; the folder's ``labels.csv`` lists
            other files, too.
    """
    rows, lines = io.StringIO(), []
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(("file", "text"))
    checks = composed_checks(part, count, seed, digits)
    names = numbered_names(part, count)
    make_way(out, names)
    bar = tqdm(checks, total=count, desc="composing", unit="check")
    for name, check in zip(names, bar, strict=True):
        picture = io.BytesIO()
        Image.fromarray(check.image).save(picture, "PNG", compress_level=3)
        write_whole(out / name, picture.getvalue())
        table.writerow((name, check.text))
        truth: dict[str, Any] = {k: v for k, v in asdict(check).items() if k != "image"}
        lines.append(json.dumps({"file": name, **truth}) + "\n")
    write_whole(out / TRUTH, "".join(lines))
    write_whole(out / "labels.csv", rows.getvalue())


def known_checks(folder: Path) -> tuple[list[KnownCheck], tuple[str, ...]]:
    """Return the checks of a folder in order of name, and what is wrong with other rows.

    Raises:
        FieldSetError: ``labels.csv`` is unusable, or a line of ``truth.jsonl`` is invalid.
    """
    found = load_fields(folder)
    truths: dict[str, dict[str, Any]] = {}
    path = found.directory / TRUTH
    if path.is_file():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                truth = json.loads(line)
                truths[truth["file"]] = {
                    "parts": tuple(
                        Part(p["role"], p["written"], tuple(p["box"])) for p in truth["parts"]
                    ),
                    "sign": truth["sign"] and tuple(truth["sign"]),
                    "layout": truth["layout"],
                    "kind": truth["kind"],
                    "printed": truth["printed"],
                }
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise FieldSetError(
                    f"{path}:{number}: not the truth of a check ({error!r}); file, parts, sign, "
                    f"layout, kind and printed are in one"
                ) from error
    checks = [
        KnownCheck(one.path, one.text, called=one.name, split=one.split, **truths.get(one.name, {}))
        for one in found.fields
    ]
    return checks, found.problems
