"""Which UNIPEN writers train, which validate and which test: a fixed list in the repository.

`writers.csv` beside this file names each writer of the public pack by contributor and a digest of
the writer id (some ids are names of people). Its rule, applied once:

- packs that share people (`TOGETHER`) stay whole on one side;
- `LEFT_OUT`, one institution, is on no side: it is reported beside the test;
- in every other pack, in the order of digests, the first fifth of the writers tests and the next
  tenth validates, both rounded; the rest trains.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

__all__ = [
    "LEFT_OUT",
    "SIDES",
    "TOGETHER",
    "UNLISTED",
    "assign",
    "digest",
    "read_list",
    "side",
    "write_list",
]

SIDES = ("train", "validation", "test", "left-out")

TOGETHER: Mapping[frozenset[str], str] = {
    frozenset({"apb", "apd", "ape"}): "train",
    frozenset({"ced", "cee"}): "train",
    frozenset({"cea", "cec"}): "validation",
    # Ink of a third writer is repeated under one of the two ids.
    frozenset({"gmd"}): "train",
}
"""Packs whose writers are partly the same people, and the side they are on."""

LEFT_OUT = "imp"
"""The contributor whose writers are on no side."""

UNLISTED = "unlisted"
"""The side of writers that the list does not name."""

LIST = Path(__file__).with_name("writers.csv")

_CATEGORIES = ("1a", "1b", "1c", "6")


def digest(contributor: str, writer: str) -> str:
    """Return twelve hexadecimal digits that stand for a writer of a contributor.

    >>> digest("own", "w1")
    '1c3b3da47d12'
    """
    return hashlib.sha256(f"{contributor}/{writer}".encode()).hexdigest()[:12]


def side(contributor: str, writer: str) -> str:
    """Return the side of a writer: one of `SIDES`, or "unlisted" for writers of other data.

    >>> side("own", "w1")
    'unlisted'
    """
    return _sides().get((contributor, digest(contributor, writer)), UNLISTED)


@cache
def _sides() -> dict[tuple[str, str], str]:
    return {(row["contributor"], row["writer"]): row["side"] for row in read_list()}


def read_list() -> list[dict[str, str]]:
    """Return the rows of the list: contributor, writer (digest), side, segments by category.

    >>> sorted(read_list()[0])
    ['1a', '1b', '1c', '6', 'contributor', 'side', 'writer']
    """
    with LIST.open(newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def assign(writers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the sides of (contributor, digest) pairs by the rule above.

    >>> sides = assign(("x", f"{i:012x}") for i in range(10))
    >>> list(sides.values()).count("test"), list(sides.values()).count("validation")
    (2, 1)
    """
    by_contributor = defaultdict(list)
    for contributor, writer in sorted(set(writers)):
        by_contributor[contributor].append(writer)
    sides = {}
    for contributor, digests in by_contributor.items():
        whole = next((s for packs, s in TOGETHER.items() if contributor in packs), None)
        if contributor == LEFT_OUT:
            whole = "left-out"
        tests = math.floor(len(digests) / 5 + 0.5)
        validates = math.floor(len(digests) / 10 + 0.5)
        for i, writer in enumerate(digests):
            drawn = "test" if i < tests else "validation" if i < tests + validates else "train"
            sides[contributor, writer] = whole or drawn
    return sides


def write_list(segments: Iterable[tuple[str, str, str]], path: Path = LIST) -> None:
    """Write the list for (contributor, writer id, category) of all segments of the data.

    The list in the repository was made by this; only other data would be a reason to repeat it.
    """
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for contributor, writer, category in segments:
        row = counts[contributor, digest(contributor, writer)]
        row[category] = row.get(category, 0) + 1
    sides = assign(counts)
    with path.open("w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["contributor", "writer", "side", *_CATEGORIES])
        for key in sorted(counts):
            rows.writerow([*key, sides[key], *(counts[key].get(c, 0) for c in _CATEGORIES)])
