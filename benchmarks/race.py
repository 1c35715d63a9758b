"""Time entrants in turns, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch

from benchmarks.case import Answer, Entrant, Outcome, Race

__all__ = ["DisagreementError", "Patience", "ratio", "run_race"]


class DisagreementError(AssertionError):
    """Two entrants gave different answers, so their times mean nothing."""


class Patience(NamedTuple):
    """How long a race may take: least and most rounds, and seconds for those in between."""

    least: int
    most: int
    seconds: float


class Contestant(Protocol):
    """A contestant that can be timed, here or in another interpreter."""

    @property
    def name(self) -> str:
        """The name shown in the table."""

    def once(self, answered: bool) -> tuple[float, Answer]:
        """Return the seconds of one repetition, and its answer if ``answered``."""


class _Here(NamedTuple):
    entrant: Entrant

    @property
    def name(self) -> str:
        return self.entrant.name

    def once(self, answered: bool) -> tuple[float, Answer]:
        """Return the seconds of one repetition, and its answer if ``answered``."""
        entrant = self.entrant
        inputs = entrant.prepare()
        with threads(entrant.threads):
            began = time.perf_counter()
            result = entrant.run(*inputs)
            took = time.perf_counter() - began
        return took, entrant.answer(result) if answered else {}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Set the number of threads of torch, and so of our pool, within the context."""
    before = torch.get_num_threads()
    if before != count:
        torch.set_num_threads(count)
    yield
    if before != count:
        torch.set_num_threads(before)


def run_race(
    race: Race, inputs: Any, patience: Patience, others: Sequence[Contestant] = ()
) -> Outcome:
    """Return the times of all entrants, ours first, after an uncounted round.

    Raises:
        DisagreementError: two entrants do not give the same answer.
    """
    contestants: list[Contestant] = [_Here(e) for e in race.entrants(inputs)]
    contestants += others
    _agree({c.name: c.once(answered=True)[1] for c in contestants}, race)
    outcome = Outcome(times={c.name: [] for c in contestants})
    began, rounds = time.perf_counter(), 0
    turns, shuffled = list(contestants), random.Random(0)
    gc.collect()
    gc.disable()
    try:
        while rounds < patience.least or (
            rounds < patience.most and time.perf_counter() - began < patience.seconds
        ):
            shuffled.shuffle(turns)  # so that none always finds the cache left by the same one
            for c in turns:
                outcome.times[c.name].append(1000 * c.once(answered=False)[0])
            rounds += 1
    finally:
        gc.enable()
    if race.per is not None:
        word, count = race.per
        for name, times in outcome.times.items():
            outcome.figures[f"{name}, ns per {word}"] = (
                1e6 * statistics.median(times) / count(inputs)
            )
    return outcome


def ratio(outcome: Outcome, of: str, to: str) -> float:
    """Return how many times as long one entrant takes as another: the median over the rounds."""
    pairs = zip(outcome.times[of], outcome.times[to], strict=True)
    return statistics.median(a / b for a, b in pairs)


def _agree(answers: dict[str, Answer], race: Race) -> None:
    said: dict[str, tuple[str, float]] = {}
    for name, answer in answers.items():
        for key, value in answer.items():
            first, expected = said.setdefault(key, (name, value))
            if not math.isclose(value, expected, rel_tol=race.rtol, abs_tol=race.rtol):
                raise DisagreementError(
                    f"{race.name}: {key} is {expected!r} for {first} and {value!r} for {name}"
                )
