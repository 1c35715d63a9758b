"""Load isolated characters of UNIPEN data, normalised for training and tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recognizers.online.ink import Ink
from recognizers.online.ink_batch import InkBatch, in_box
from recognizers.online.unipen import Segment
from recognizers.online.unipen_cache import load_unipen
from recognizers.online.writers import side

__all__ = ["CLASSES", "KINDS", "Characters", "load_characters", "load_letters"]

KINDS = {
    "digit": ("1a", "0123456789"),
    "upper": ("1b", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "lower": ("1c", "abcdefghijklmnopqrstuvwxyz"),
}
"""Kinds of characters: the UNIPEN category and the classes of each."""

CLASSES = "".join(classes for _, classes in KINDS.values())


@dataclass
class Characters:
    """Characters of some writers: ink in pixels, class [N], kind [N] and contributor [N].

    `problems` lists what could not be read, one line of text each.
    """

    ink: InkBatch
    labels: np.ndarray
    kinds: np.ndarray
    contributors: np.ndarray
    problems: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)


def load_characters(
    data: str | Path,
    groups: Mapping[str, Collection[str]],
    classes: str = CLASSES,
    cache: str | Path | None = None,
) -> dict[str, Characters]:
    """Load the characters at `data`, in groups of sides of writers (`recognizers.online.writers`).

    Segments whose label is not a single character of `classes`, or belongs to another category, are
    left out; so is empty ink. `data` is read once, whatever the number of groups; `cache` is a
    folder that keeps what was read (see `load_unipen`).
    """
    read = load_unipen(data, [category for category, _ in KINDS.values()], cache)
    kind_of = {category: kind for kind, (category, _) in KINDS.items()}
    found: dict[str, list[tuple[Segment, Ink]]] = {name: [] for name in groups}
    group_of = {one: name for name, sides in groups.items() for one in sides}
    for segment in read.segments:
        kept = found.get(group_of.get(side(segment.contributor, segment.writer), ""))
        allowed = KINDS[kind_of[segment.category]][1]
        if kept is not None and not segment.ink.is_empty and segment.label in [*allowed]:
            kept.append((segment, in_box(segment.ink)))
    problems = [str(p) for p in read.problems]
    return {
        name: Characters(
            InkBatch.of([ink for _, ink in kept]),
            np.array([classes.index(s.label) for s, _ in kept], dtype=np.int64),
            np.array([kind_of[s.category] for s, _ in kept], dtype="U8"),
            np.array([s.contributor for s, _ in kept], dtype="U64"),
            problems,
        )
        for name, kept in found.items()
    }


def load_letters(
    data: str | Path, sides: Collection[str], cache: str | Path | None = None
) -> list[tuple[Ink, str]]:
    """Return isolated letters by writers of some sides, with labels, in the order of the data."""
    categories = [KINDS[kind][0] for kind in ("upper", "lower")]
    classes = {KINDS[kind][0]: KINDS[kind][1] for kind in ("upper", "lower")}
    return [
        (segment.ink, segment.label)
        for segment in load_unipen(data, categories, cache).segments
        if side(segment.contributor, segment.writer) in sides
        and segment.label in [*classes[segment.category]]
        and not segment.ink.is_empty
    ]
