"""Regular expressions over characters, as minimal deterministic acceptors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import numpy as np

from gtn.construction import from_arrays
from gtn.determinization import determinize
from gtn.determinization.minimization import minimize
from gtn.errors import GraphError
from gtn.graph import Graph, check_table
from gtn.symbols import SymbolTable

__all__ = ["MAX_POSITIONS", "PRINTABLE_ASCII", "accepts", "regex"]

PRINTABLE_ASCII = "".join(map(chr, range(0x20, 0x7F)))
"""The 95 characters of printable ASCII, all of which are in the default alphabet."""

MAX_POSITIONS = 10_000
"""How many characters a pattern may hold once its counts ``{m,n}`` are written out."""

MAX_NEIGHBOURS = 1_000_000
"""How many pairs of neighbouring characters such a pattern may allow."""

MAX_NODES = 100_000
"""How many nodes a deterministic acceptor may have; there can be exponentially many."""

_UNSUPPORTED = {
    _constants.GROUPREF: "a back-reference (\\1)",
    _constants.GROUPREF_EXISTS: "a conditional group (?(1)…|…)",
    _constants.ASSERT: "look-around (?=…) or (?<=…)",
    _constants.ASSERT_NOT: "negative look-around (?!…) or (?<!…)",
    _constants.FAILURE: "negative look-around (?!)",
    _constants.ATOMIC_GROUP: "an atomic group (?>…)",
    _constants.POSSESSIVE_REPEAT: "a possessive repeat (*+ ++ ?+)",
}
_ANCHORS = {
    _constants.AT_BEGINNING: ("start", "^"),
    _constants.AT_BEGINNING_STRING: ("start", r"\A"),
    _constants.AT_END: ("end", "$"),
    _constants.AT_END_STRING: ("end", r"\Z"),
    _constants.AT_BOUNDARY: ("word", r"\b"),
    _constants.AT_NON_BOUNDARY: ("word", r"\B"),
}
_CATEGORIES = {
    _constants.CATEGORY_DIGIT: r"\d",
    _constants.CATEGORY_NOT_DIGIT: r"\D",
    _constants.CATEGORY_SPACE: r"\s",
    _constants.CATEGORY_NOT_SPACE: r"\S",
    _constants.CATEGORY_WORD: r"\w",
    _constants.CATEGORY_NOT_WORD: r"\W",
}


def regex(
    pattern: str,
    *,
    symbols: SymbolTable | None = None,
    alphabet: Iterable[str] | None = None,
    begin: str | None = None,
    end: str | None = None,
) -> Graph:
    """Return the minimal deterministic acceptor of the strings that match a regular expression.

    It accepts what ``re.fullmatch`` matches among the strings over the alphabet, each by exactly
    one path, so that posteriors over its paths are posteriors over strings (the naive graph of
    ``-?[0-9]*[.,]?[0-9]*`` has five paths for ``1250``). No epsilons; penalties zero; nodes are
    numbered breadth first from start 0.

    Literals, classes, ranges, negated classes, the dot, ``\\d \\w \\s``, groups, alternation and
    repeats have the meaning that Python gives them (its own parser reads the pattern), with the
    flags ``(?i) (?s) (?a)``. Lazy repeats equal greedy ones here. Anchors at the ends of the
    pattern change nothing, unless they read ``begin`` and ``end``. Every supported pattern accepts
    at least one string.

    Args:
        pattern: the expression, in the syntax of :mod:`re`.
        symbols: the table of both sides; one label per character of the alphabet if not given.
        alphabet: the characters that exist: what ``.``, ``\\w`` and ``[^…]`` range over. Unless
            given, the characters of ``symbols``; without these, printable ASCII and those that the
            pattern names or has in a range.
        begin, end: the symbols that the anchors ``^`` and ``$`` read, if the ends of a text are
            symbols themselves; they may be the same. No dot and no class reads them.

    Raises:
        GraphError: a pattern that Python refuses (with the position); back-references,
            look-around, word boundaries, anchors inside, possessive repeats; a character or
            class that matches nothing in the alphabet; counts that write out to more than
            ``MAX_POSITIONS`` characters, or more than ``MAX_NEIGHBOURS`` pairs of neighbours; more
            than ``MAX_NODES`` deterministic nodes, as the pattern ``(a|b)*a(a|b){20}`` has;
            ``begin`` or ``end`` in the alphabet.
        SymbolError: a pattern that names ``ε``, which no table holds: it stands for epsilon.

    >>> regex("ab*|c", alphabet="abc")
    Graph: 3 nodes, 3 arcs, start 0, final 1, 2
      0 -> 1  a  0
      0 -> 2  c  0
      1 -> 1  b  0
    >>> amount = regex("€?-?[0-9]*[.,]?[0-9]*")
    >>> accepts(amount, "€1250"), accepts(amount, "-3.5"), accepts(amount, "1.2.3")
    (True, True, False)
    """
    check_table(symbols, "input")
    tree, flags, named = _parsed(pattern)
    if alphabet is not None:
        characters = list(dict.fromkeys(alphabet))
    elif symbols is not None:
        characters = [symbol for symbol in symbols if len(symbol) == 1]
    else:
        characters = list(dict.fromkeys(PRINTABLE_ASCII + named))
    symbols = SymbolTable(characters) if symbols is None else symbols
    wide = next((s for s in characters if len(s) != 1), None)
    if wide is not None:
        raise GraphError(f"{wide!r} in the alphabet is not one character")
    labels = symbols.encode(characters)
    order = np.argsort(labels)
    ends = {place: symbol for place, symbol in (("start", begin), ("end", end)) if symbol}
    marks = list(dict.fromkeys(ends.values()))
    for symbol in marks:
        if symbol in characters:
            raise GraphError(
                f"{symbol!r} is an end of the text, and so not a character of the alphabet"
            )
    symbols = symbols.merged(SymbolTable(marks)) if ends else symbols
    labels = np.append(labels[order], symbols.encode(marks))
    numbers = {place: len(characters) + marks.index(symbol) for place, symbol in ends.items()}
    positions = _Positions(pattern, [characters[i] for i in order], numbers)
    try:
        whole = positions.sequence(tree, flags, at_start=True, at_end=True)
    except RecursionError:
        raise GraphError(f"the pattern {_short(pattern)} is nested too deeply") from None
    return _with_members(*_automaton(whole, positions), labels=labels, symbols=symbols)


def accepts(acceptor: Graph, text: Iterable[str]) -> bool:
    """Return whether a deterministic acceptor with a symbol table accepts a text.

    Raises:
        GraphError: the graph is not deterministic or has no symbol table.

    >>> digits = regex("[0-9]+")
    >>> accepts(digits, "1250"), accepts(digits, ""), accepts(digits, "12e")
    (True, False, False)
    """
    t = acceptor.topology
    if acceptor.isymbols is None or not t.is_deterministic:
        raise GraphError("accepts needs a deterministic graph with a symbol table")
    if len(t.starts) == 0:
        return False
    node = int(t.starts[0])
    offsets, arcs = t.outgoing_by_ilabel
    for symbol in text:
        if symbol not in acceptor.isymbols:
            return False
        label = acceptor.isymbols.label(symbol)
        own = arcs[offsets[node] : offsets[node + 1]]
        place = int(np.searchsorted(t.ilabels[own], label))
        if place == len(own) or t.ilabels[own[place]] != label:
            return False
        node = int(t.dst[own[place]])
    return node in t.finals


class _Part(NamedTuple):
    """A part of a pattern: whether it may be empty, and at which positions it begins and ends."""

    nullable: bool
    first: tuple[int, ...]
    last: tuple[int, ...]


_EMPTY = _Part(True, (), ())


class _Positions:
    """The position automaton of Glushkov in the making: every position reads one of its members.

    ``members[p]`` are the indexes of the characters that position p reads, ``follow[p]`` the
    positions that may come next. It has no epsilons, and one node per position. ``ends`` maps the
    places whose anchors read something to the index of what they read.
    """

    def __init__(self, pattern: str, characters: list[str], ends: Mapping[str, int]) -> None:
        self.pattern = pattern
        self.characters = characters
        self.ends = ends
        self.members: list[frozenset[int]] = []
        self.follow: list[set[int]] = []
        self._neighbours = 0
        self._known: dict[tuple[str, int], frozenset[int]] = {}

    def sequence(self, items: Any, flags: int, *, at_start: bool, at_end: bool) -> _Part:
        """Return the concatenation of parsed items; ``at_…``: whether an anchor may stand there."""
        items = list(items)
        part = _EMPTY
        for i, (code, value) in enumerate(items):
            starts = at_start and self._passes("start", items[:i])
            ends = at_end and self._passes("end", items[i + 1 :])
            part = self._concat(part, self._item(code, value, flags, starts, ends))
        return part

    def _passes(self, place: str, items: Any) -> bool:
        """Return whether an anchor may stand beyond these items: anchors that read nothing."""
        return all(
            code is _constants.AT and (place not in self.ends or _ANCHORS[value][0] != place)
            for code, value in items
        )

    def _item(self, code: Any, value: Any, flags: int, at_start: bool, at_end: bool) -> _Part:
        if code in _UNSUPPORTED:
            self._refuse(_UNSUPPORTED[code])
        if code is _constants.AT:
            place, text = _ANCHORS[value]
            if place == "word":
                self._refuse(f"a word boundary ({text})")
            if not (at_start if place == "start" else at_end):
                self._refuse(f"an anchor ({text}) inside the pattern")
            if place not in self.ends:
                return _EMPTY
            return self._reading(frozenset([self.ends[place]]))
        if code is _constants.SUBPATTERN:
            _, added, removed, items = value
            inner = (flags | added) & ~removed
            return self.sequence(items, inner, at_start=at_start, at_end=at_end)
        if code is _constants.BRANCH:
            parts = [
                self.sequence(items, flags, at_start=at_start, at_end=at_end) for items in value[1]
            ]
            return _Part(
                any(part.nullable for part in parts),
                tuple(p for part in parts for p in part.first),
                tuple(p for part in parts for p in part.last),
            )
        if code in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            least, most, items = value
            once = most is not _constants.MAXREPEAT and most <= 1
            return self._repeat(
                least, most, items, flags, at_start=at_start and once, at_end=at_end and once
            )
        return self._position(_class_text(code, value), flags)

    def _position(self, text: str, flags: int) -> _Part:
        """Return the part of one position; Python itself says which characters it reads."""
        flags &= re.ASCII | re.IGNORECASE | re.DOTALL
        if (text, flags) not in self._known:
            match = re.compile(text, flags).fullmatch
            self._known[text, flags] = frozenset(
                i for i, character in enumerate(self.characters) if match(character)
            )
        members = self._known[text, flags]
        if not members:
            shown = re.sub(r"\\U([0-9a-f]{8})", lambda m: chr(int(m[1], 16)), text)
            raise GraphError(
                f"the pattern {_short(self.pattern)} has {shown}, which matches no character of "
                "the alphabet; the characters that exist are those of alphabet= or symbols=, or "
                "printable ASCII and those that the pattern names"
            )
        return self._reading(members)

    def _reading(self, members: frozenset[int]) -> _Part:
        """Return the part of one position that reads one of some characters."""
        if len(self.members) == MAX_POSITIONS:
            self._refuse(f"counts that write out to more than {MAX_POSITIONS} characters")
        self.members.append(members)
        self.follow.append(set())
        here = (len(self.members) - 1,)
        return _Part(False, here, here)

    def _concat(self, one: _Part, two: _Part) -> _Part:
        self._join(one.last, two.first)
        return _Part(
            one.nullable and two.nullable,
            one.first + two.first if one.nullable else one.first,
            one.last + two.last if two.nullable else two.last,
        )

    def _join(self, lasts: tuple[int, ...], firsts: tuple[int, ...]) -> None:
        """Let every position of ``firsts`` follow every position of ``lasts``."""
        self._neighbours += len(lasts) * len(firsts)
        if self._neighbours > MAX_NEIGHBOURS:
            self._refuse(f"more than {MAX_NEIGHBOURS} pairs of neighbouring characters")
        for p in lasts:
            self.follow[p].update(firsts)

    def _repeat(
        self, least: int, most: Any, items: Any, flags: int, *, at_start: bool, at_end: bool
    ) -> _Part:
        """Return ``x{least,most}`` as copies, ``x x (x (x)?)?``, with few followers each.

        If x may be empty, the copies leave out the empty string and are all optional: the same
        strings, without a chain of empty copies to skip.
        """
        before = len(self.members)
        copy = self.sequence(items, flags, at_start=at_start, at_end=at_end)
        if len(self.members) == before:
            return _EMPTY
        if most == 0:
            del self.members[before:], self.follow[before:]
            return _EMPTY
        least = 0 if copy.nullable else least
        endless = most is _constants.MAXREPEAT
        copies = max(least, 1) if endless else most
        first, ends = copy.first, []
        for count in range(1, copies + 1):
            if count > 1:
                following = self.sequence(items, flags, at_start=False, at_end=False)
                self._join(copy.last, following.first)
                copy = following
            if count >= least:
                ends.append(copy.last)
        if endless:
            self._join(copy.last, copy.first)
        return _Part(least == 0, first, tuple(p for end in ends for p in end))

    def _refuse(self, construct: str) -> Any:
        raise GraphError(
            f"the pattern {_short(self.pattern)} has {construct}; "
            "a regular expression over characters is needed"
        )


def _parsed(pattern: str) -> tuple[Any, int, str]:
    """Return the parse tree of a pattern, its flags and the characters that it names."""
    if not isinstance(pattern, str):
        raise GraphError(f"a pattern is a string, not {type(pattern).__name__}")
    try:
        tree = _parser.parse(pattern)
        return tree, tree.state.flags, "".join(map(chr, _named(tree)))
    except (re.error, OverflowError) as error:
        raise GraphError(f"the pattern {_short(pattern)} does not parse: {error}") from None
    except RecursionError:
        raise GraphError(f"the pattern {_short(pattern)} is nested too deeply") from None


def _named(part: Any) -> Iterator[int]:
    """Yield the codes of the characters that a parsed pattern names, those of ranges included.

    >>> "".join(map(chr, _named(_parser.parse("([а-г]|[^€]){2}"))))
    'абвг€'
    """
    if not isinstance(part, tuple | list | _parser.SubPattern):
        return
    code = part[0] if isinstance(part, tuple) and part else None
    if code is _constants.LITERAL or code is _constants.NOT_LITERAL:
        yield part[1]
    elif code is _constants.RANGE:
        yield from range(part[1][0], part[1][1] + 1)
    else:
        for inner in part:
            yield from _named(inner)


def _class_text(code: Any, value: Any) -> str:
    """Return the pattern of one parsed character or class, for Python to match."""
    if code is _constants.ANY:
        return "."
    if code is _constants.LITERAL:
        return f"[\\U{value:08x}]"
    if code is _constants.NOT_LITERAL:
        return f"[^\\U{value:08x}]"
    if code is _constants.IN:
        return f"[{''.join(_member_text(*member) for member in value)}]"
    raise GraphError(f"the construct {code} of a pattern is not supported")


def _member_text(code: Any, value: Any) -> str:
    if code is _constants.NEGATE:
        return "^"
    if code is _constants.LITERAL:
        return f"\\U{value:08x}"
    if code is _constants.RANGE:
        return f"\\U{value[0]:08x}-\\U{value[1]:08x}"
    return _CATEGORIES[value]


def _automaton(whole: _Part, positions: _Positions) -> tuple[Graph, list[list[int]]]:
    """Return the minimal automaton whose labels are groups of characters, and the groups.

    Characters that stand at the same positions are one group, so that a dot is one arc.
    Groups are in the order of their first character.
    """
    standing: dict[int, list[int]] = {}
    for p, members in enumerate(positions.members):
        for i in members:
            standing.setdefault(i, []).append(p)
    groups: dict[tuple[int, ...], list[int]] = {}
    for i in sorted(standing):
        groups.setdefault(tuple(standing[i]), []).append(i)
    labels: list[list[int]] = [[] for _ in positions.members]
    for label, where in enumerate(groups):
        for p in where:
            labels[p].append(label)
    arcs = [(0, p + 1, label) for p in sorted(set(whole.first)) for label in labels[p]]
    for q, following in enumerate(positions.follow):
        arcs += [(q + 1, p + 1, label) for p in sorted(following) for label in labels[p]]
    src, dst, label_of = np.array(arcs, dtype=np.int64).reshape(-1, 3).T
    finals = {p + 1 for p in whole.last} | ({0} if whole.nullable else set())
    naive = from_arrays(
        src, dst, label_of, start=0, final=finals, num_nodes=1 + len(positions.members)
    )
    try:
        deterministic = determinize(naive, semiring="boolean", max_nodes=MAX_NODES)
    except GraphError:
        raise GraphError(
            f"the pattern {_short(positions.pattern)} needs a deterministic acceptor of more than "
            f"{MAX_NODES} nodes"
        ) from None
    return minimize(deterministic, semiring="boolean"), list(groups.values())


def _with_members(
    grouped: Graph, groups: list[list[int]], *, labels: np.ndarray[Any, Any], symbols: SymbolTable
) -> Graph:
    """Return the automaton with one arc per character instead of one per group."""
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    members = np.array([i for group in groups for i in group], dtype=np.int64)
    count = sizes[grouped.ilabels]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    begins = np.repeat((np.cumsum(sizes) - sizes)[grouped.ilabels], count)
    src, dst = np.repeat(grouped.src, count), np.repeat(grouped.dst, count)
    ilabels = labels[members[begins + within]]
    order = np.lexsort((ilabels, src))
    return from_arrays(
        src[order],
        dst[order],
        ilabels[order],
        start=grouped.starts.tolist(),
        final=grouped.finals.tolist(),
        num_nodes=grouped.num_nodes,
        symbols=symbols,
    )


def _short(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 60 else pattern[:57] + "…")
