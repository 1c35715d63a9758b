"""Spellings: how words are spelled in phones, word pieces or other symbols, from files."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grammars.problems import (
    Handling,
    Path_,
    Problem,
    ProblemError,
    numbered_lines,
    strange_letter,
    summarized,
    without_problems,
)

__all__ = ["SpellingList", "read_spellings"]


@dataclass(frozen=True)
class SpellingList:
    """Words and their spellings in phones, word pieces or any symbols, each with a penalty.

    Attributes:
        words: S words; a word with several spellings occurs once for each.
        spellings: the symbols of each word, at least one.
        penalties: float64 ``[S]``, in nats: minus log of the probability of each spelling, or
            zero if that is unknown.
        problems: the lines that were left out.
        name: of the file, for messages.
    """

    words: tuple[str, ...]
    spellings: tuple[tuple[str, ...], ...]
    penalties: NDArray[np.float64]
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    name: str = ""

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def summary(self, count: int = 5) -> str:
        """Return how many spellings there are, and the first problems, as text."""
        what = f"{len(self)} spellings of {len(set(self.words))} words"
        return summarized(what, self.problems, self.name, count)


def read_spellings(
    path: Path_,
    *,
    probabilities: bool = False,
    alphabet: Container[str] | None = None,
    problems: Handling = "skip",
    encoding: str = "utf-8",
) -> SpellingList:
    """Return the spellings in a file: one per line, word and symbols separated by blanks or tabs.

    This is the ``lexicon.txt`` of Kaldi, k2's recipes and flashlight or, with probabilities, the
    ``lexiconp.txt`` of Kaldi. A word with several spellings has a line for each.

    Args:
        path: a text file.
        probabilities: whether the probability of the spelling, above 0 and at most 1, stands
            between a word and its symbols.
        alphabet: the symbols that spellings may have, such as a table; ``None``: any.
        problems: what to do about a line that is empty, not in the encoding, without a spelling or
            a duplicate, or that has a symbol outside the alphabet or an invalid probability:
            ``"skip"`` leaves it out and lists it, ``"raise"`` raises at the first.
        encoding: of the text.

    Raises:
        ValueError: a problem, with file and line; a file without a single word.
        OSError: a file that cannot be read.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lexiconp.txt"
    >>> _ = path.write_text("the 0.75 DH AH\\nthe 0.25 DH IY\\nsea S IY\\n")
    >>> found = read_spellings(path, probabilities=True)
    >>> found.words, found.spellings, found.penalties.round(3).tolist()
    (('the', 'the'), (('DH', 'AH'), ('DH', 'IY')), [0.288, 1.386])
    >>> print(found.problems[0])
    line 3: 'sea S IY' has the probability 'S', which is not a number
    """
    lines: dict[tuple[str, tuple[str, ...]], int] = {}

    def entry(number: int, line: str) -> tuple[str, tuple[str, ...], float]:
        word, *letters = re.split("[ \t]+", line)
        probability = 1.0
        if probabilities and letters:
            given = letters.pop(0)
            try:
                probability = float(given)
            except ValueError:
                raise ProblemError(
                    f"has the probability {given!r}, which is not a number"
                ) from None
            if not 0 < probability <= 1:
                raise ProblemError(f"has the probability {given}; one is above 0, and at most 1")
        if not letters:
            raise ProblemError("has no spelling" if word else "is empty")
        if strange := strange_letter(letters, alphabet):
            raise ProblemError(strange)
        first = lines.setdefault((word, tuple(letters)), number)
        if first != number:
            raise ProblemError(f"is a duplicate of line {first}")
        return word, tuple(letters), probability

    def entries() -> Iterator[tuple[str, tuple[str, ...], float] | Problem]:
        for number, line in numbered_lines(path, encoding):
            if isinstance(line, Problem):
                yield line
                continue
            text = line.strip("\ufeff \t\r\n")
            try:
                yield entry(number, text)
            except ProblemError as error:
                yield Problem(number, text, str(error))

    found: list[Problem] = []
    words, spellings, chances = zip(*without_problems(entries(), problems, str(path), found))
    # Subtracted from zero, so that certainty is 0, not -0.
    return SpellingList(words, spellings, 0.0 - np.log(chances), tuple(found), str(path))
