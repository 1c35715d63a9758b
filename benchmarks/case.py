"""The parts of a benchmark: cases, races between entrants, figures, and goals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["OURS", "Answer", "Case", "Entrant", "Figures", "Goal", "Outcome", "Question", "Race"]

OURS = "gtn"
"""Name of our first entrant, by whose time those of the others are divided."""

Answer = Mapping[str, float]


def no_answer(result: Any) -> Answer:
    """Return nothing to compare."""
    return {}


@dataclass(frozen=True)
class Entrant:
    """A contestant in this process.

    Attributes:
        name: its name in the table.
        run: what is timed, ``run(*prepare())``.
        prepare: makes the inputs of one repetition; ours have fresh topologies, without indexes.
        answer: gives named numbers of a result; entrants must agree on the names they share.
        threads: number of threads of torch and of our pool.
    """

    name: str
    run: Callable[..., Any]
    prepare: Callable[[], Sequence[Any]] = tuple
    answer: Callable[[Any], Answer] = no_answer
    threads: int = 1


class Question(NamedTuple):
    """A task for a peer in another interpreter: its name and its arrays."""

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
    """The result of a race or a measurement.

    Attributes:
        times: milliseconds of each repetition by entrant, ours first; the i-th repetitions of
            all entrants ran one after the other.
        figures: other numbers by name.
        points: one per size, if growth was measured.
    """

    times: dict[str, list[float]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    points: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Race:
    """A task that several entrants do on the same inputs.

    Attributes:
        name: distinguishes it from the other races of its case.
        entrants: makes the entrants from the inputs, ours first.
        question: the same task for peers in other interpreters.
        per: a unit, such as an arc, and its count, for a time per unit.
        goals: the goals of the race.
        rtol: relative tolerance between answers (peers often compute in float32).
    """

    name: str
    entrants: Callable[[Any], Sequence[Entrant]]
    question: Callable[[Any], Question] | None = None
    per: tuple[str, Callable[[Any], float]] | None = None
    goals: tuple[Goal, ...] = ()
    rtol: float = 1e-4


@dataclass(frozen=True)
class Figures:
    """A measurement without a race, in processes of its own: memory, growth, start-up."""

    name: str
    measure: Callable[[Any], Outcome]
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True)
class Case:
    """Work to measure: inputs by size, and the races and measurements on them.

    Attributes:
        name: its name for ``--case``.
        title: its title in the table.
        sizes: arguments of ``inputs`` by size: ``"full"``, ``"quick"`` and ``"smallest"``.
        inputs: makes the inputs of races and measurements.
        tasks: races and measurements.
    """

    name: str
    title: str
    sizes: Mapping[str, Mapping[str, Any]]
    inputs: Callable[..., Any]
    tasks: tuple[Race | Figures, ...]
