"""Evaluate readers: how many fields are read exactly, and how far the confidence can be trusted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.reading.volume import read_files
from grammars.registry import Grammar
from gtn.nn import edit_distances
from recognizers.datasets.fields import Field, file_hash, nothing_read
from recognizers.images import ImageError

__all__ = [
    "Outcome",
    "edit_distance",
    "evaluate",
    "figures_of",
    "not_written",
    "read_files",
    "threshold_for",
]


@dataclass(frozen=True)
class Outcome:
    """A reading with its truth."""

    name: str
    truth: str
    reading: Reading

    @property
    def exact(self) -> bool:
        """Whether the whole text is right."""
        return self.reading.text == self.truth


def evaluate(reader: CheckReader, fields: Sequence[Field], *, workers: int = 1) -> dict[str, Any]:
    """Return the figures of a reader on labelled fields (:func:`figures_of`)."""
    results = read_files(reader, [one.path for one in fields], workers=workers)
    odd = not_written([reader.rules], fields)
    return figures_of(results, fields, reader.training_facts.seen, odd)


def not_written(grammars: Sequence[Grammar], fields: Sequence[Field]) -> list[Field]:
    """Return the fields whose text none of the grammars writes.

    >>> from grammars import named
    >>> one, two = Field(Path("a.png"), "12"), Field(Path("b.png"), "1.2")
    >>> [field.text for field in not_written([named("car")], [one, two])]
    ['1.2']
    """
    texts = [one.text for one in fields]
    written = zip(*(grammar.writes_each(texts) for grammar in grammars), strict=True)
    return [one for one, each in zip(fields, written, strict=True) if not any(each)]


def figures_of(
    results: Iterable[tuple[Path, Reading | ImageError]],
    fields: Sequence[Field],
    seen: Iterable[str],
    odd: Iterable[Field] = (),
) -> dict[str, Any]:
    """Return the figures of readings of labelled fields, and the outcomes under ``outcomes``.

    ``n`` fields were read; ``exact`` is the share read exactly right; ``digit_error`` the edit
    distance per character of the truth; ``accepted`` the share that the reader's own threshold
    accepts, and ``accepted_error`` the share of those that is wrong; ``accepted_at_1pct_error``
    the largest share that can be accepted, most confident first, with at most one in a hundred of
    them wrong; ``fields_per_second`` includes loading and preparing; ``n_seen_in_training``
    counts fields whose file, by its hash, is among ``seen``; ``not_written`` counts those that are
    ``odd``: no reading can have their text, so each is an error in all of these figures, which a
    reader's limits must not improve. Files that cannot be read are listed under ``problems`` and
    count nowhere else.

    Raises:
        FieldSetError: no file can be read; the message says what is wrong with the first.
    """
    started = time.perf_counter()
    by_path = {one.path: one for one in fields}
    outcomes, problems, read = [], [], []
    for path, result in results:
        if isinstance(result, ImageError):
            problems.append(str(result))
        else:
            read.append(path)
            outcomes.append(Outcome(by_path[path].name, by_path[path].text, result))
    if not outcomes:
        raise nothing_read(problems)
    seconds = time.perf_counter() - started
    known, of_odd = set(seen), {one.path for one in odd}
    return {
        **shares_of(outcomes),
        "fields_per_second": len(outcomes) / seconds,
        "n_seen_in_training": sum(file_hash(path) in known for path in read),
        "not_written": sum(path in of_odd for path in read),
        "problems": problems,
        "outcomes": outcomes,
    }


def shares_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the part of :func:`figures_of` that depends on the outcomes alone, from ``n`` on.

    >>> found = shares_of([Outcome("a", "12", Reading("12", 0.9, True))])
    >>> found["n"], found["exact"], found["digit_error"], found["accepted"]
    (1, 1.0, 0.0, 1.0)
    """
    characters = sum(len(o.truth) for o in outcomes)
    edits = sum(edit_distance(o.reading.text, o.truth) for o in outcomes)
    accepted = [o for o in outcomes if o.reading.accepted]
    return {
        "n": len(outcomes),
        "exact": sum(o.exact for o in outcomes) / max(len(outcomes), 1),
        "digit_error": edits / max(characters, 1),
        "accepted": len(accepted) / max(len(outcomes), 1),
        "accepted_error": sum(not o.exact for o in accepted) / max(len(accepted), 1),
        "accepted_at_1pct_error": accepted_share(outcomes, most_errors=0.01),
    }


def accepted_share(outcomes: Iterable[Outcome], *, most_errors: float) -> float:
    """Return the largest share that can be accepted with at most ``most_errors`` of it wrong."""
    count, accepted, _ = _curve(outcomes, most_errors)
    return accepted / max(count, 1)


def threshold_for(
    outcomes: Iterable[Outcome], *, most_errors: float, wrong_labels: float = 0.0
) -> float:
    """Return the lowest confidence at which at most ``most_errors`` of the accepted are wrong.

    It is 1.0 if no confidence is good enough (then only certain readings are accepted). If a
    reading differs from its label, either may be wrong: with ``wrong_labels`` as the share of
    wrong labels, a misreading of confidence c counts ``(1 - c) / (1 - c + wrong_labels)``.
    """
    _, accepted, threshold = _curve(outcomes, most_errors, wrong_labels)
    return threshold if accepted else 1.0


def _curve(
    outcomes: Iterable[Outcome], most_errors: float, wrong_labels: float = 0.0
) -> tuple[int, int, float]:
    """Return how many there are, how many can be accepted, and the last one's confidence."""
    ranked = sorted(outcomes, key=lambda o: -o.reading.confidence)
    if not ranked:
        return 0, 0, 1.0
    confidence = np.array([o.reading.confidence for o in ranked])
    differs = np.array([not o.exact for o in ranked], dtype=np.float64)
    if wrong_labels:
        differs *= (1.0 - confidence) / (1.0 - confidence + wrong_labels)
    errors = np.cumsum(differs)
    # Equal confidences are accepted together.
    last = np.append(confidence[1:] != confidence[:-1], True)
    good = np.flatnonzero(last & (errors <= most_errors * np.arange(1, len(ranked) + 1)))
    if len(good) == 0:
        return len(ranked), 0, 1.0
    return len(ranked), int(good[-1]) + 1, float(confidence[good[-1]])


def edit_distance(a: str, b: str) -> int:
    """Return the least number of insertions, deletions and substitutions that turn a into b.

    >>> edit_distance("1250", "150"), edit_distance("", "7")
    (1, 1)
    """
    return int(edit_distances([a], b)[0])
