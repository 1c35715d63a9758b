"""Load words of UNIPEN data, normalised for training and tests; cache them in a file."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from demos.words.reading.letters import folded
from recognizers.online.ink import Ink
from recognizers.online.normalization import by_height, normalized
from recognizers.online.pitch import at_pitch
from recognizers.online.segmentation import STEP
from recognizers.online.segmentation_kernels import even_strokes
from recognizers.online.slant import upright
from recognizers.online.unipen_cache import load_unipen
from recognizers.online.writers import side

__all__ = ["Words", "evenly", "load_words", "word_labels"]

_VERSION = 3
CATEGORY = "6"


@dataclass
class Words:
    """Words: normalised ink with points at even steps, their labels and their writers.

    `sides` are those of `recognizers.online.writers`; `labels` are in small letters. `left_out`
    counts words whose label has other characters, and words without ink; `problems` lists what
    could not be read; `written` is the ink as written, where it is known.
    """

    inks: list[Ink]
    labels: list[str]
    contributors: list[str]
    sides: list[str]
    left_out: int = 0
    problems: list[str] = field(default_factory=list)
    written: list[Ink] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.inks)

    def take(self, which: Sequence[int] | np.ndarray) -> Words:
        """Return the words of these indexes, in this order."""
        return Words(
            [self.inks[i] for i in which],
            [self.labels[i] for i in which],
            [self.contributors[i] for i in which],
            [self.sides[i] for i in which],
            self.left_out,
            self.problems,
            [self.written[i] for i in which] if self.written else [],
        )

    def of(self, sides: Collection[str]) -> Words:
        """Return the words by writers of some sides."""
        return self.take([i for i, each in enumerate(self.sides) if each in sides])


def evenly(count: int, most: int | None) -> list[int]:
    """Return `most` indexes spread evenly over `count` words, first to last; None: all indexes.

    >>> evenly(7, 3), evenly(2, 3), evenly(2, None)
    ([0, 3, 6], [0, 1], [0, 1])
    """
    if most is None or count <= most:
        return list(range(count))
    return [int(i) for i in np.linspace(0, count - 1, most)]


def load_words(
    data: str | Path,
    *,
    normaliser: bool = True,
    cache: str | Path | None = None,
    sides: Collection[str] | None = None,
) -> Words:
    """Load all words at `data` (a UNIPEN tree or a folder of archives), of some sides or of all.

    With `normaliser`, words are laid on their lines, set upright, and their letters made equally
    wide; without, they are scaled by their height. This takes some 3 ms per word; with the folder
    `cache`, it is done once.
    """
    read = load_unipen(data, [CATEGORY], cache)
    found = [(s, side(s.contributor, s.writer), folded(s.label)) for s in read.segments]
    if sides is not None:
        found = [one for one in found if one[1] in sides]
    kept = [(s, where, text) for s, where, text in found if text and not s.ink.is_empty]
    inks = _kept_inks([s.ink for s, _, _ in kept], normaliser, cache)
    return Words(
        inks,
        [text for _, _, text in kept],
        [s.contributor for s, _, _ in kept],
        [where for _, where, _ in kept],
        len(found) - len(kept),
        [str(p) for p in read.problems],
        [s.ink for s, _, _ in kept],
    )


def word_labels(data: str | Path, cache: str | Path | None = None) -> list[str]:
    """Return the labels of all words at `data`, unchanged, of all writers."""
    return [segment.label for segment in load_unipen(data, [CATEGORY], cache).segments]


def _kept_inks(inks: list[Ink], normaliser: bool, cache: str | Path | None) -> list[Ink]:
    """Return the normalised inks, from the cache if it has them."""
    if cache is None:
        return [_placed(ink, normaliser) for ink in inks]
    digest = hashlib.sha256(json.dumps([_VERSION, normaliser, len(inks)]).encode())
    for ink in inks:
        digest.update(ink.points.tobytes())
    file = Path(cache) / f"words-{digest.hexdigest()[:16]}.npz"
    try:
        with file.open("rb") as raw, np.load(raw, allow_pickle=False) as kept:
            points, strokes, bounds = (kept[name] for name in ("points", "strokes", "inks"))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        placed = [_placed(ink, normaliser) for ink in inks]
        lengths = [np.diff(ink.offsets) for ink in placed]
        points = np.concatenate([np.empty((0, 2)), *(ink.points for ink in placed)])
        points = points.astype(np.float32)
        strokes = np.concatenate(([0], np.cumsum(np.concatenate([np.empty(0, int), *lengths]))))
        bounds = np.cumsum([0, *map(len, placed)])
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.stem}-{os.getpid()}.npz")
        np.savez(temporary, points=points, strokes=strokes, inks=bounds)
        temporary.replace(file)
    found = []
    for first, last in pairwise(bounds):
        offsets = strokes[first : last + 1]
        found.append(Ink.of(points[offsets[0] : offsets[-1]], offsets - offsets[0]))
    return found


def _placed(ink: Ink, normaliser: bool) -> Ink:
    word = at_pitch(upright(normalized(ink))) if normaliser else by_height(ink)
    return Ink.of(*even_strokes(np.array(word.points), np.array(word.offsets), STEP))
