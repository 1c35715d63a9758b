"""What a benchmark is made of: cases, races between entrants, figures, and goals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["OURS", "Answer", "Case", "Entrant", "Figures", "Goal", "Outcome", "Question", "Race"]

OURS = "gtn"
"""Name of our first entrant: the one that the others are divided by."""

Answer = Mapping[str, float]


def no_answer(result: Any) -> Answer:
    """Return nothing to compare."""
    return {}


@dataclass(frozen=True)
class Entrant:
    """One who does a task in this process.

    Attributes:
        name: as the table shows it.
        run: what is timed, ``run(*prepare())``.
        prepare: makes the inputs of one repetition; ours have fresh topologies, without indexes.
        answer: numbers by name of a result; all entrants have to agree on the names they share.
        threads: of torch and of our pool.
    """

    name: str
    run: Callable[..., Any]
    prepare: Callable[[], Sequence[Any]] = tuple
    answer: Callable[[Any], Answer] = no_answer
    threads: int = 1


class Question(NamedTuple):
    """A task for a peer in another interpreter: its name and the arrays it is about."""

    operation: str
    arrays: Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A bound on a quantity of a race: ``"OpenFst / gtn"``, ``"gtn"`` (ms), or a figure's name.

    >>> str(Goal("OpenFst / gtn", at_least=4.0))
    'OpenFst / gtn ≥ 4'
    """

    quantity: str
    at_least: float = -math.inf
    at_most: float = math.inf

    def __str__(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least > -math.inf else ("≤", self.at_most)
        return f"{self.quantity} {sign} {bound:g}"

    def reached(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return self.at_least <= value <= self.at_most


@dataclass
class Outcome:
    """What a race or a measurement gave.

    Attributes:
        times: milliseconds of each repetition by entrant, ours first; the i-th repetitions of
            all ran one after the other.
        figures: other numbers by name.
        points: one per size, where growth was measured.
    """

    times: dict[str, list[float]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    points: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Race:
    """A task that several do on the same inputs.

    Attributes:
        name: what tells it from the other races of its case.
        entrants: makes them of the inputs, ours first.
        question: the same for peers in other interpreters.
        per: a word and how many of them there are, for a time per arc.
        goals: what is asked for.
        rtol: how far apart answers may be, relatively (peers often compute in float32).
    """

    name: str
    entrants: Callable[[Any], Sequence[Entrant]]
    question: Callable[[Any], Question] | None = None
    per: tuple[str, Callable[[Any], float]] | None = None
    goals: tuple[Goal, ...] = ()
    rtol: float = 1e-4


@dataclass(frozen=True)
class Figures:
    """A measurement that is no race: memory, growth, start-up; processes of its own."""

    name: str
    measure: Callable[[Any], Outcome]
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Case:
    """Something that takes time: inputs by size, and what is measured with them.

    Attributes:
        name: for ``--case``.
        title: for the table.
        sizes: arguments of ``inputs`` by size: ``"full"``, ``"quick"`` and ``"smallest"``.
        inputs: makes what races and measurements are given.
        tasks: races and measurements.
    """

    name: str
    title: str
    sizes: Mapping[str, Mapping[str, Any]]
    inputs: Callable[..., Any]
    tasks: tuple[Race | Figures, ...]
