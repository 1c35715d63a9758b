"""Problems in the lines of a list: the lines are left out and listed, or the first one raises."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

__all__ = [
    "Handling",
    "Path_",
    "Problem",
    "ProblemError",
    "numbered_lines",
    "strange_letter",
    "summarized",
    "without_problems",
]

Path_ = str | os.PathLike[str]
Handling = Literal["skip", "raise"]
Entry = TypeVar("Entry")


class Problem(NamedTuple):
    """A line or entry that was left out: its number, from 1, its text, and what is wrong."""

    line: int
    text: str
    wrong: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text!r} {self.wrong}"


class ProblemError(ValueError):
    """What is wrong with a line."""


def numbered_lines(path: Path_, encoding: str) -> Iterator[tuple[int, str | Problem]]:
    """Yield the lines of a file with their numbers; a line not in the encoding is a problem."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield number, line.decode(encoding)
            except UnicodeDecodeError as error:
                text = line.decode(encoding, errors="replace").strip()
                wrong = f"is not {encoding}: byte {error.start + 1} is {line[error.start]:#x}"
                yield number, Problem(number, text, wrong)


def without_problems(
    entries: Iterable[Entry | Problem], problems: Handling, name: str, found: list[Problem]
) -> Iterator[Entry]:
    """Yield the entries without problems; raise at the first problem, or add each to ``found``.

    Raises:
        ValueError: a problem, named by its line; no entry is left.
    """
    if problems not in ("skip", "raise"):
        raise ValueError(f"problems={problems!r}; they are 'skip' or 'raise'")
    some = False
    for entry in entries:
        if not isinstance(entry, Problem):
            some = True
            yield entry
        elif problems == "raise":
            raise ValueError(f"{name}, {entry}" if name else str(entry))
        else:
            found.append(entry)
    if not some:
        what = f"; {len(found)} lines were left out, the first: {found[0]}" if found else ""
        raise ValueError(f"{name or 'the list'} has no word in it{what}")


def summarized(what: str, problems: Sequence[Problem], name: str, count: int) -> str:
    """Return a summary as text: ``what`` there is, and the first problems."""
    lines = [f"{what}, {len(problems)} lines left out"]
    lines += [f"  {problem}" for problem in problems[:count]]
    if len(problems) > count:
        lines.append(f"  … and {len(problems) - count} more")
    return "\n".join([f"{name}: {lines[0]}" if name else lines[0], *lines[1:]])


def strange_letter(letters: Iterable[str], alphabet: Container[str] | None) -> str:
    """Return a text that names the first letter outside the alphabet; empty if there is none."""
    if alphabet is None:
        return ""
    for place, letter in enumerate(letters):
        if letter not in alphabet:
            return (
                f"has the letter {letter!r} ({_ordinal(place + 1)}), which is not in the alphabet"
            )
    return ""


def _ordinal(number: int) -> str:
    names = ("first", "second", "third", "fourth", "fifth")
    return f"the {names[number - 1]}" if number <= len(names) else f"letter {number}"
