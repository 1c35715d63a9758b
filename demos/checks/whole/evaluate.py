"""Measure readers on whole checks by the figures of the paper: correct, error, reject."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from demos.checks.measuring.evaluate import Outcome, accepted_share, edit_distance
from demos.checks.reading.reader import Reading
from demos.checks.whole.data import KnownCheck
from demos.checks.whole.reader import WholeReader
from demos.processes import processes
from recognizers.datasets.fields import nothing_read
from recognizers.fields import LocatedFields, locate_fields
from recognizers.folding import folded
from recognizers.images import ImageError, load_field

__all__ = ["evaluate_checks", "read_checks", "shares"]

BLOCK = 128
"""Files located at once, so that memory does not grow with the folder."""


def read_checks(
    reader: WholeReader, paths: Iterable[Path], *, workers: int = 1
) -> Iterator[tuple[Path, Reading | ImageError]]:
    """Yield each file with its reading, or with an error that names what is wrong with it.

    The results come in the order of the paths. ``workers`` above one starts as many processes,
    which locate the candidates.
    """
    fast = folded(reader)
    for path, found in _located(paths, workers):
        if isinstance(found, ImageError):
            yield path, found
        else:
            yield path, fast.read_located([found])[0]


def evaluate_checks(
    reader: WholeReader, checks: Sequence[KnownCheck], *, workers: int = 1
) -> dict[str, Any]:
    """Return the figures of a reader on checks, and the outcomes under ``outcomes``.

    ``n`` checks were read; at the reader's own threshold ``correct`` is the share accepted with
    the right amount, ``error`` the share accepted with a wrong one, and ``reject`` the others;
    ``exact`` is the share read right whatever the confidence; ``digit_error`` the edit distance per
    character; ``accepted_at_1pct_error`` the largest share that can be accepted with at most one
    in a hundred of them wrong; ``seconds_per_check`` includes loading and locating. ``groups`` has
    the same for each kind of check, and for machine-printed and handwritten amounts.
    With a grammar of digits only, only the digits of the amounts are compared.

    Raises:
        FieldSetError: no file can be read; the message says what is wrong with the first.
    """
    started = time.perf_counter()
    by_path = {one.path: one for one in checks}
    outcomes: list[Outcome] = []
    known: list[KnownCheck] = []
    problems = []
    for path, result in read_checks(reader, [one.path for one in checks], workers=workers):
        if isinstance(result, ImageError):
            problems.append(str(result))
            continue
        one = by_path[path]
        outcomes.append(Outcome(one.name, reader.writes(one.text), result))
        known.append(one)
    if not outcomes:
        raise nothing_read(problems)
    seconds = time.perf_counter() - started
    groups = {
        name: shares(o for o, one in zip(outcomes, known, strict=True) if member(one))
        for name, member in {
            "business": lambda one: one.kind == "business",
            "personal": lambda one: one.kind == "personal",
            "printed": lambda one: bool(one.layout) and one.printed,
            "handwritten": lambda one: bool(one.layout) and not one.printed,
        }.items()
        if any(member(one) for one in known)
    }
    characters = sum(len(o.truth) for o in outcomes)
    edits = sum(edit_distance(o.reading.text, o.truth) for o in outcomes)
    return {
        **shares(outcomes),
        "digit_error": edits / max(characters, 1),
        "accepted_at_1pct_error": accepted_share(outcomes, most_errors=0.01),
        "threshold": reader.threshold,
        "seconds_per_check": seconds / max(len(outcomes), 1),
        "groups": groups,
        "problems": problems,
        "outcomes": outcomes,
    }


def shares(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return the number of outcomes, and the shares correct, in error, rejected, and read right.

    >>> right = Outcome("a", "1", Reading("1", 0.9, True))
    >>> shares([right, Outcome("b", "2", Reading("7", 0.3, False))])
    {'n': 2, 'correct': 0.5, 'error': 0.0, 'reject': 0.5, 'exact': 0.5}
    """
    every = list(outcomes)
    count = max(len(every), 1)
    accepted = [o for o in every if o.reading.accepted]
    return {
        "n": len(every),
        "correct": sum(o.exact for o in accepted) / count,
        "error": sum(not o.exact for o in accepted) / count,
        "reject": (len(every) - len(accepted)) / count,
        "exact": sum(o.exact for o in every) / count,
    }


def _located(
    paths: Iterable[Path], workers: int
) -> Iterator[tuple[Path, LocatedFields | ImageError]]:
    if workers <= 1:
        yield from ((path, _locate(path)) for path in paths)
        return
    every = iter(paths)
    with processes(workers) as pool:
        while block := list(islice(every, BLOCK)):
            yield from zip(block, pool.map(_locate, block, chunksize=2), strict=True)


def _locate(path: Path) -> LocatedFields | ImageError:
    try:
        return locate_fields(load_field(path))
    except ImageError as error:
        return ImageError(*error.args)
    except ValueError as error:
        return ImageError(f"{path}: {error}")
