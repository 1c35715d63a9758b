"""Word lists from files and from running text, with their problems named by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
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

__all__ = ["Problem", "WordList", "count_words", "read_words", "word_list"]


@dataclass(frozen=True)
class WordList:
    """Different words, none of them empty, each with a penalty.

    Attributes:
        words: W of them, in the order of the list.
        penalties: float64 ``[W]``, in nats: minus log of the relative frequency of each, or zero
            if that is unknown.
        problems: the lines that were left out.
        name: of the file, for messages.
    """

    words: tuple[str, ...]
    penalties: NDArray[np.float64]
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    name: str = ""

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def summary(self, count: int = 5) -> str:
        """Return how many words there are, and the first problems, as text.

        >>> print(word_list(["cat", "", "naïve"], alphabet="acetvin", problems="skip").summary())
        1 words, 2 lines left out
          line 2: '' is empty
          line 3: 'naïve' has the letter 'ï' (the third), which is not in the alphabet
        """
        return summarized(f"{len(self)} words", self.problems, self.name, count)

    def extended(self, other: WordList, limit: int | None = None) -> WordList:
        """Return this list followed by the new words of another, up to ``limit`` words in all.

        Words of both lists keep the penalty that they have here.

        >>> a, b = word_list(["cat", "dog"]), word_list(["dog", "cow", "pig"])
        >>> a.extended(b, limit=3).words
        ('cat', 'dog', 'cow')
        """
        own = set(self.words)
        room = len(other) if limit is None else max(limit - len(self), 0)
        more = [i for i, word in enumerate(other.words) if word not in own][:room]
        return WordList(
            (*self.words, *(other.words[i] for i in more)),
            np.concatenate((self.penalties, other.penalties[more])),
            self.problems,
            self.name,
        )


def word_list(
    words: Iterable[str],
    *,
    counts: Sequence[float] | None = None,
    alphabet: Container[str] | None = None,
    problems: Handling = "raise",
    name: str = "",
) -> WordList:
    """Return a word list of the given words.

    Args:
        words: any number; entry i counts as line i + 1.
        counts: how often each was seen, > 0; the counts of a repeated word add up. Without
            counts, all penalties are zero.
        alphabet: the letters that words may have; ``None``: any.
        problems: what to do about empty words, repeated words (if there are no counts), counts
            that are not above zero, and letters outside the alphabet: ``"skip"`` leaves the words
            out and lists them, ``"raise"`` raises at the first.
        name: where the words come from, for messages.

    Raises:
        ValueError: a problem, named by its line; no word at all.

    >>> word_list(["cat", "dog", "cat"], counts=[1, 2, 1]).penalties.round(3)
    array([0.693, 0.693])
    >>> word_list(["cat", "cat"])
    Traceback (most recent call last):
    ValueError: line 2: 'cat' is a duplicate of line 1
    """
    given = list(words)
    numbers = [None] * len(given) if counts is None else [float(count) for count in counts]
    entries = zip(range(1, len(given) + 1), given, numbers, strict=True)
    return _collected(entries, alphabet, problems, name)


def read_words(
    path: Path_,
    *,
    alphabet: Container[str] | None = None,
    problems: Handling = "skip",
    encoding: str = "utf-8",
) -> WordList:
    """Return the words in a file: one per line, with or without a tab and a count behind it.

    White space around a word is stripped. Either every line has a count, or none has.

    Args:
        path: a text file.
        alphabet, problems: as in :func:`word_list`; a line that is not in the encoding, or whose
            count is not a number above zero, is a problem, too.
        encoding: of the text.

    Raises:
        ValueError: a problem, with file and line; a file without a single word.
        OSError: a file that cannot be read.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "words.txt"
    >>> _ = path.write_text("the\\t30\\nof\\t10\\n\\n")
    >>> found = read_words(path)
    >>> found.words, found.penalties.round(3).tolist(), len(found.problems)
    (('the', 'of'), [0.288, 1.386], 1)
    """
    counted: bool | None = None

    def entry(line: str) -> tuple[str, float | None]:
        nonlocal counted
        word, tab, count = line.strip("\ufeff \r\n").partition("\t")
        if not word.strip():
            return "", None
        if counted is None:
            counted = bool(tab)
        if counted != bool(tab):
            raise ProblemError(
                "has no count, the first line has one" if counted else "has a count, the first "
                "line has none"
            )  # fmt: skip
        try:
            return word.strip(), float(count) if counted else None
        except ValueError:
            raise ProblemError(f"has the count {count!r}, which is not a number") from None

    def entries() -> Iterator[tuple[int, str, float | None] | Problem]:
        for number, line in numbered_lines(path, encoding):
            if isinstance(line, Problem):
                yield line
                continue
            try:
                yield number, *entry(line)
            except ProblemError as error:
                yield Problem(number, line.strip(), str(error))

    return _collected(entries(), alphabet, problems, str(path))


def count_words(
    path: Path_,
    *,
    alphabet: Container[str] | None = None,
    tidy: Callable[[str], str] = str,
    least: int = 1,
    encoding: str = "utf-8",
) -> WordList:
    """Return the words of running text, split at white space, most frequent first.

    Args:
        path: a text file.
        alphabet: words with other letters are left out, and listed with the first line of each.
        tidy: applied to each word before it is counted, such as ``str.lower``; a word that becomes
            empty does not count.
        least: how often a word must occur.
        encoding: of the text; lines that are not in it are left out, and listed.

    Raises:
        ValueError: no word is left.
        OSError: a file that cannot be read.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "text.txt"
    >>> _ = path.write_text("To be, or not to be.")
    >>> count_words(path, tidy=lambda word: word.strip(".,").lower()).words
    ('to', 'be', 'or', 'not')
    """
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}
    undecoded = []
    for number, line in numbered_lines(path, encoding):
        if isinstance(line, Problem):
            undecoded.append(line)
            continue
        for word in line.split():
            tidied = tidy(word)
            if tidied:
                counts[tidied] += 1
                first.setdefault(tidied, number)
    entries = (
        (first[word], word, float(count)) for word, count in counts.most_common() if count >= least
    )
    found = _collected(entries, alphabet, "skip", str(path))
    return WordList(found.words, found.penalties, (*undecoded, *found.problems), found.name)


def _collected(
    entries: Iterable[tuple[int, str, float | None] | Problem],
    alphabet: Container[str] | None,
    problems: Handling,
    name: str,
) -> WordList:
    """Return the list of entries (line, word, count or None), without those that have problems."""
    counts: dict[str, float] = {}
    lines: dict[str, int] = {}
    found: list[Problem] = []
    counted = False
    checked = (
        entry if isinstance(entry, Problem) else _problem(*entry, lines, alphabet) or entry
        for entry in entries
    )
    for line, word, count in without_problems(checked, problems, name, found):
        counted |= count is not None
        counts[word] = counts.get(word, 0.0) + (count or 0.0)
        lines.setdefault(word, line)
    numbers = np.array(list(counts.values()))
    penalties = -np.log(numbers / numbers.sum()) if counted else np.zeros(len(counts))
    return WordList(tuple(counts), penalties, tuple(found), name)


def _problem(
    line: int,
    word: str,
    count: float | None,
    lines: dict[str, int],
    alphabet: Container[str] | None,
) -> Problem | None:
    """Return what is wrong with an entry, or None."""
    if not word:
        return Problem(line, word, "is empty")
    if count is None and word in lines:
        return Problem(line, word, f"is a duplicate of line {lines[word]}")
    if count is not None and not 0 < count < np.inf:
        return Problem(line, word, f"has the count {count:g}; a count is a number above zero")
    strange = strange_letter(word, alphabet)
    return Problem(line, word, strange) if strange else None
