"""Splice new fields from parts of others: the left of a cut in one, the right of a cut in another.

A few hundred fields hold few sequences of digits, and a network that sees several characters at
once learns those by heart. The reader in training itself locates its characters, by the best path
that spells the field's text; so fields can be cut between characters, and the parts joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

import gtn
from demos.checks.reading.lines import LineReading, edges, equally_wide
from demos.checks.training.samples import Sample
from recognizers.lines.images import as_batch

__all__ = ["Splicer", "cuts_between"]

LONGEST = 3
"""Most characters taken from the beginning or the end of one field."""


@torch.no_grad()
def cuts_between(
    reading: LineReading, grammar: gtn.Graph, samples: Sequence[Sample]
) -> list[list[int]]:
    """Return where each field can be cut, in columns of its line: before each character.

    Between two characters the cut is the column with the least ink. A field whose text no path
    spells has an empty list.
    """
    lines = [one.prepared[0] for one in samples]
    decoder = reading.decoder(grammar).double()
    found: list[list[int]] = [[] for _ in samples]
    for places in equally_wide(lines):
        emissions = reading(as_batch([lines[i] for i in places])).double()
        strings = gtn.strings([samples[i].text for i in places], symbols=decoder.osymbols)
        spelled = gtn.compose(decoder, strings.double())
        aligned = gtn.dense.alignment(emissions, spelled)
        blank = len(reading.symbols) - 1
        for i, labels in zip(places, aligned.labels.numpy(), strict=True):
            places = edges(len(labels), lines[i].shape[1])
            middles = np.interp(_middles(labels, blank), np.arange(len(places)), places)
            if len(middles) == len(samples[i].text):
                found[i] = _least_ink(lines[i], middles)
    return found


def _middles(labels: np.ndarray, blank: int) -> np.ndarray:
    """Return the middles of the runs of equal non-blank classes, in columns.

    >>> _middles(np.array([9, 1, 1, 9, 1, 2]), 9)
    array([2. , 4.5, 5.5])
    """
    begins = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
    ends = np.append(begins[1:], len(labels))
    read = (labels[begins] != blank) & (labels[begins] >= 0)
    return 0.5 * (begins[read] + ends[read])


def _least_ink(line: np.ndarray, middles: np.ndarray) -> list[int]:
    """Return 0, then the column with the least ink between each two successive middles."""
    ink = line.sum(axis=0, dtype=np.int64)
    cuts = [0]
    for a, b in pairwise(middles.tolist()):
        # A character's outputs come nearer its beginning than its end.
        first, last = max(int(a + 0.25 * (b - a)), 0), int(b - 0.1 * (b - a)) + 1
        cuts.append(first + int(ink[first:last].argmin()))
    return cuts


@dataclass(frozen=True)
class Splicer:
    """Join parts of fields: the beginning of one, perhaps a part of another, the end of a third.

    - `samples`: the fields.
    - `cuts`: those of each field, as :func:`cuts_between` returns them.
    """

    samples: Sequence[Sample]
    cuts: Sequence[Sequence[int]]

    def __call__(self, generator: torch.Generator) -> Sample:
        """Return a new field; the same generator state gives the same one."""
        usable = [i for i, cuts in enumerate(self.cuts) if cuts]
        seed = int(torch.randint(2**31, (1,), generator=generator))
        rng = np.random.default_rng(seed)
        count = int(rng.integers(2, 4))
        parts, text = [], ""
        for k in range(count):
            i = usable[int(rng.integers(len(usable)))]
            length = len(self.cuts[i])
            if k == 0:
                first, last = 0, int(rng.integers(1, min(length, LONGEST) + 1))
            elif k == count - 1:
                first, last = length - int(rng.integers(1, min(length, LONGEST) + 1)), length
            else:
                first = int(rng.integers(length))
                last = min(length, first + int(rng.integers(1, LONGEST)))
            parts.append(self._part(i, first, last, k > 0, k < count - 1))
            text += self.samples[i].text[first:last]
        return Sample("spliced", text, [np.concatenate(parts, axis=1)])

    def _part(self, i: int, first: int, last: int, joined: bool, goes_on: bool) -> np.ndarray:
        """Return the columns of some characters; without margin where another part follows."""
        line: np.ndarray = self.samples[i].prepared[0]
        cuts = self.cuts[i]
        inked = np.flatnonzero(line.any(axis=0))
        begin = cuts[first] if first or not joined else max(int(inked[0]) - 1, 0)
        end = cuts[last] if last < len(cuts) else line.shape[1]
        if last == len(cuts) and goes_on:
            end = int(inked[-1]) + 2
        return line[:, begin:end]
