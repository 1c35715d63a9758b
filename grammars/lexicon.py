"""Lexicons: words as a minimal deterministic transducer (paper, sections VIII and IX).

A lexicon constrains a reader to the words of a list, each with one spelling or several, in
characters or other symbols. Words that begin alike share their first nodes and words that end alike
their last ones; a word's penalty lies as near to its beginning as the other words allow, so that a
beam sees it early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from grammars.spellings import SpellingList
from grammars.words import WordList
from gtn.errors import GraphError
from gtn.graph import Graph, check_table
from gtn.indexes import frozen
from gtn.kernels.minimization import breadth_first_blocks
from gtn.kernels.string_sets import Automaton, minimal_automaton
from gtn.symbols import EPSILON_TEXT, SymbolTable
from gtn.topology import Topology

__all__ = ["lexicon"]

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

RESOLUTION = 2.0**-10


def lexicon(
    words: WordList | SpellingList | Sequence[str],
    *,
    spellings: Sequence[Sequence[str]] | None = None,
    symbols: SymbolTable | None = None,
    penalties: Sequence[float] | NDArray[np.float64] | None = None,
    outputs: Literal["letters", "words"] = "letters",
    resolution: float = RESOLUTION,
    dtype: torch.dtype | None = None,
) -> Graph:
    """Return the minimal deterministic graph of a list of words.

    Each word is one path. The graph is what ``gtn.minimize(gtn.determinize(union of the words),
    semiring="tropical")`` would be, node by node, but built word by word (Daciuk et al. 2000):
    O(letters), in a tenth of a second for a hundred thousand words. Penalties are pushed: at each
    node the best of the words still possible costs nothing more.

    ``outputs="words"`` writes word k of the list as label k, on the first arc after which no other
    word is possible. If another word goes on from its end ("cap", "cape"), an arc that reads
    nothing writes it.

    With ``spellings`` the letters may be any symbols: phones, word pieces, strokes, classes. Word
    i is then spelled ``spellings[i]``. A word with several spellings is in the list once for each,
    with a penalty for each; labels number the different words in order. Homophones (words with the
    same spelling) are written at its end, each by an arc that reads nothing, so each has a path of
    its own. In an acceptor the spelling is one path, with the least of their penalties.

    Args:
        words: a word list, a spelling list (:func:`grammars.spellings.read_spellings`), or a
            sequence of words; none empty, none twice with the same spelling.
        spellings: for each word, a sequence of symbols; by default those of the spelling list, or
            the characters of the word.
        symbols: the table of the letters: single characters, unless there are spellings (class k
            of a recognizer is label k). By default the letters of the words, sorted.
        penalties: of each word, >= 0, in nats, such as minus log of its frequency; by default
            those of the list, or zero.
        outputs: ``"letters"`` (an acceptor) or ``"words"``.
        resolution: in nats; penalties are rounded to multiples of it, so that words whose
            remaining penalties are about equal can share their ends.
        dtype: of the penalties (torch's default dtype, unless given).

    Raises:
        GraphError: ``words`` that are not a list, or empty; an empty word, or one twice with the
            same spelling; a spelling that is empty or not a sequence of symbols; a letter that is
            not in the table; a bad penalty. The message names the word by its place in the list.
            (:func:`grammars.words.word_list` can leave such words out.)

    >>> lexicon(["cap", "cape", "tape"], penalties=[0.5, 1.0, 2.0])
    Graph: 8 nodes, 8 arcs, start 0 (0.5), final 5, 7
      0 -> 1  c  0
      0 -> 2  t  1.5
      1 -> 3  a  0
      2 -> 4  a  0
      3 -> 5  p  0
      4 -> 6  p  0
      5 -> 7  e  0.5
      6 -> 7  e  0
    >>> lexicon(["cap", "cat"], outputs="words")
    Graph: 4 nodes, 4 arcs, start 0, final 3
      0 -> 1  c:ε    0
      1 -> 2  a:ε    0
      2 -> 3  p:cap  0
      2 -> 3  t:cat  0
    >>> lexicon(
    ...     ["sea", "see", "the", "the"],
    ...     spellings=[["S", "IY"], ["S", "IY"], ["DH", "AH"], ["DH", "IY"]],
    ...     penalties=[1.0, 0.5, 0.0, 2.0],
    ...     outputs="words",
    ... )
    Graph: 5 nodes, 7 arcs, start 0, final 3
      0 -> 1  DH:the  0
      0 -> 2  S:ε     0.5
      1 -> 3  AH:ε    0
      1 -> 3  IY:ε    2
      2 -> 4  IY:ε    0
      4 -> 3  ε:sea   0.5
      4 -> 3  ε:see   0
    """
    if outputs not in ("letters", "words"):
        raise GraphError(f"outputs={outputs!r}; they are 'letters' or 'words'")
    if not 0 < resolution < np.inf:
        raise GraphError(f"resolution={resolution}; it is a number of nats above zero")
    if isinstance(words, str | Mapping):
        kind = "one text" if isinstance(words, str) else "a mapping"
        raise GraphError(
            f"words are a list, not {kind}; what each costs is given as penalties=, and how it is "
            "spelled as spellings="
        )
    check_table(symbols, "input")
    if penalties is None and isinstance(words, WordList | SpellingList):
        penalties = words.penalties
    if spellings is None and isinstance(words, SpellingList):
        spellings = words.spellings
    given = list(words)
    numbers, different = _numbered(given)
    levels = _levels(given, penalties, resolution)
    letters = _characters(given) if spellings is None else _symbols(given, list(spellings))
    table = _table(given, letters, symbols)
    order = _order(given, numbers, given if spellings is None else letters.keys())
    lengths = letters.lengths
    offsets = np.concatenate(([0], np.cumsum(lengths[order])))
    ahead = np.concatenate(([0], np.cumsum(lengths)))[:-1]
    # The letters of the words in sorted order.
    places = np.arange(offsets[-1]) + np.repeat(ahead[order] - offsets[:-1], lengths[order])
    writes = outputs == "words"
    found = Automaton(
        *minimal_automaton(
            frozen(table.encode(letters.different)[letters.which[places]]),
            frozen(offsets),
            frozen(levels[order]),
            frozen(numbers[order] if writes else np.empty(0, dtype=np.int32)),
            int(lengths.max()),
        )
    )
    return _graph(
        found,
        table,
        SymbolTable(different) if writes else None,
        resolution,
        dtype or torch.get_default_dtype(),
    )


def _numbered(words: list[str]) -> tuple[Int32s, list[str]]:
    """Return each word's number among the different words, and these; check that none is empty."""
    if not words:
        raise GraphError("a lexicon needs at least one word")
    for i, word in enumerate(words):
        if not isinstance(word, str):
            raise GraphError(f"word {i} is {word!r}; words are strings")
        if not word:
            raise GraphError(f"word {i} is empty; leave it out")
    different = list(dict.fromkeys(words))
    if len(different) == len(words):
        return np.arange(len(words), dtype=np.int32), different
    number = {word: k for k, word in enumerate(different)}
    return np.fromiter(map(number.__getitem__, words), np.int32, len(words)), different


def _levels(
    words: list[str], penalties: Sequence[float] | NDArray[np.float64] | None, resolution: float
) -> Int64s:
    """Return the penalties as whole numbers of the resolution."""
    if penalties is None:
        return np.zeros(len(words), dtype=np.int64)
    given = np.asarray(penalties, dtype=np.float64)
    if given.shape != (len(words),):
        raise GraphError(f"penalties of shape {list(given.shape)} for {len(words)} words")
    levels = given / resolution
    for i in np.flatnonzero(~((given >= 0) & (levels < 2**52)))[:1].tolist():
        raise GraphError(
            f"word {i}, {words[i]!r}, has the penalty {given[i]}; word penalties are >= 0 and "
            f"below {2**52 * resolution:g}"
        )
    return np.rint(levels).astype(np.int64)


class _Letters(NamedTuple):
    """The letters of W words, one word after the other.

    Attributes:
        different: the different ones, in order.
        which: which of them each letter is.
        lengths: ``[W]``, of the words.
    """

    different: list[str]
    which: Int32s
    lengths: Int64s

    def word_of(self, place: int) -> int:
        """Return which word the letter at a place belongs to."""
        return int(np.searchsorted(np.cumsum(self.lengths), place, side="right"))

    def keys(self) -> list[bytes]:
        """Return keys that sort the words by their letters."""
        joined = self.which.astype(">u4").tobytes()
        ends = (4 * np.cumsum(self.lengths)).tolist()
        return [joined[begin:end] for begin, end in pairwise([0, *ends])]


def _characters(words: list[str]) -> _Letters:
    """Return the letters of words that are spelled in characters."""
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32)
    number = np.zeros(int(codes.max()) + 1, dtype=np.int32)
    number[codes] = 1
    used = np.flatnonzero(number)
    number[used] = np.arange(len(used))
    return _Letters(list(map(chr, used.tolist())), number[codes], lengths)


def _symbols(words: list[str], spellings: list[Sequence[str]]) -> _Letters:
    """Return the letters of the spellings of words."""
    if len(spellings) != len(words):
        raise GraphError(f"{len(spellings)} spellings for {len(words)} words")
    kinds = set(map(type, spellings))
    unfit = {kind for kind in kinds if issubclass(kind, str) or not issubclass(kind, Sequence)}
    for i, spelling in enumerate(spellings):
        if type(spelling) in unfit:
            raise GraphError(
                f"word {i}, {words[i]!r}, has the spelling {spelling!r}; a spelling is a sequence "
                "of symbols, such as ['DH', 'AH']"
            )
        if not spelling:
            raise GraphError(f"word {i}, {words[i]!r}, has an empty spelling; leave it out")
    lengths = np.fromiter(map(len, spellings), dtype=np.int64, count=len(words))
    letters = list(chain.from_iterable(spellings))
    if not all(issubclass(kind, str) for kind in set(map(type, letters))) or "" in letters:
        i, letter = next(
            (i, x)
            for i, spelling in enumerate(spellings)
            for x in spelling
            if not isinstance(x, str) or not x
        )
        raise GraphError(
            f"word {i}, {words[i]!r}, has the letter {letter!r}; letters are strings, none empty"
        )
    different = sorted(set(letters))
    number = {letter: k for k, letter in enumerate(different)}
    which = np.fromiter(map(number.__getitem__, letters), dtype=np.int32, count=len(letters))
    return _Letters(different, which, lengths)


def _table(words: list[str], letters: _Letters, symbols: SymbolTable | None) -> SymbolTable:
    """Return the table of the letters, checked to have all of them."""
    for k, letter in enumerate(letters.different):
        if letter == EPSILON_TEXT or (symbols is not None and letter not in symbols):
            i = letters.word_of(int(np.argmax(letters.which == k)))
            why = "is kept for epsilon" if letter == EPSILON_TEXT else f"is not in {symbols!r}"
            raise GraphError(f"word {i}, {words[i]!r}, has the letter {letter!r}, which {why}")
    return SymbolTable(letters.different) if symbols is None else symbols


def _order(words: list[str], numbers: Int32s, keys: Sequence[str | bytes]) -> Int64s:
    """Return the words' order by key, then number; check that none occurs twice with one key."""
    order = sorted(np.argsort(numbers, kind="stable").tolist(), key=keys.__getitem__)
    if numbers.max() + 1 < len(words):  # some word occurs several times
        twice = [
            (i, first)
            for first, i in pairwise(order)
            if keys[first] == keys[i] and words[first] == words[i]
        ]
        for i, first in sorted(twice)[:1]:
            raise GraphError(
                f"word {i} is {words[i]!r}, and so is word {first}, spelled alike; once is right"
            )
    return np.array(order, dtype=np.int64)


def _graph(
    found: Automaton,
    letters: SymbolTable,
    words: SymbolTable | None,
    resolution: float,
    dtype: torch.dtype,
) -> Graph:
    """Return an automaton as a graph: nodes breadth first from the start, arcs by label."""
    nodes = len(found.finals)
    reads, writes, dst = (np.ascontiguousarray(column) for column in found.arcs.T)
    src = np.repeat(np.arange(nodes, dtype=np.int32), np.diff(found.offsets))
    start = frozen(np.array([nodes - 1], dtype=np.int32))
    index = Topology(nodes, src, dst, reads, starts=start, finals=start, check=False)
    each = frozen(np.arange(nodes, dtype=np.int32))
    number = breadth_first_blocks(each, start, index.dst, *index.outgoing_by_ilabel)
    order = index.outgoing_by_ilabel.arcs
    order = order[np.argsort(number[src[order]], kind="stable")]
    final = np.flatnonzero(found.finals >= 0)
    final = final[np.argsort(number[final])]

    def penalties(levels: Int64s) -> torch.Tensor:
        return torch.from_numpy(levels * resolution).to(dtype)

    topology = Topology(
        nodes,
        number[src[order]],
        number[dst[order]],
        reads[order],
        None if words is None else writes[order],
        starts=[0],
        finals=number[final],
        check=False,
    )
    return Graph(
        topology,
        penalties(found.penalties[order]),
        start_penalties=penalties(np.array([found.least])),
        final_penalties=penalties(found.finals[final]),
        isymbols=letters,
        osymbols=letters if words is None else words,
    )
