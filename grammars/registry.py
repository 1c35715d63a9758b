"""Grammars by name, for commands and checkpoints that say which grammar they read with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from grammars.amounts import DIGITS, FILLS, FORMATS, amounts, courtesy_digits
from grammars.fill import RUBBISH, with_fill
from grammars.regex import regex
from gtn.composition import compose
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.paths import viterbi_penalty
from gtn.rational import with_labels
from gtn.symbols import SymbolTable
from gtn.texts import strings

__all__ = ["NAMES", "Grammar", "named"]

NAMES = {
    "car": "digits of a courtesy amount, 1 to 8, among fill (also: digits)",
    "car:no-prior": "the same, of any length, with no prior over lengths and places",
    "amounts": "courtesy amounts such as $1,234.56 or 20 45/xx, read as 1234.56 and 20.45",
    **{f"amounts:{name}": f"amounts as they are written there: {name}" for name in FORMATS},
    "regex:PATTERN": "texts that match a regular expression, among fill",
}
"""The names that :func:`named` knows, and what they stand for."""

_FILL_PENALTIES = {"before": 1.0, "between": 2.0, "after": 1.0}


@dataclass(frozen=True)
class Grammar:
    """A grammar and the classes that its recognizer needs.

    Attributes:
        name: the name from which :func:`named` makes it.
        characters: the classes of the recognizer in order, class k = label k; one more class
            follows, rubbish, which the grammar reads as fill.
        graph: the transducer from ``len(characters) + 1`` classes to texts.
    """

    name: str
    characters: str
    graph: Graph

    def writes(self, text: str) -> bool:
        """Return whether a text is the output of some path, so that it can be a target.

        >>> named("car").writes("1250"), named("car").writes("12.50")
        (True, False)
        """
        return self.writes_each([text])[0]

    def writes_each(self, texts: Sequence[str]) -> list[bool]:
        """Return :meth:`writes` for each text; one call for many texts is faster than one for each.

        >>> named("car").writes_each(["1250", "12.50", ""])
        [True, False, False]
        """
        table = self.graph.osymbols
        known = [table is not None and all(c in table for c in text) for text in texts]
        spelled = [text for text, is_known in zip(texts, known, strict=True) if is_known]
        if table is None or not spelled:
            return [False] * len(texts)
        paths = compose(self.graph.detach(), strings(spelled, symbols=table))
        found = iter(torch.isfinite(viterbi_penalty(paths)).tolist())
        return [is_known and next(found) for is_known in known]


def named(name: str) -> Grammar:
    """Return the grammar with a name, one of :data:`NAMES`.

    Every grammar can read any piece of ink as fill, by the rubbish class, before, between and after
    the characters; it has one path for every (input string, output string) pair. A regular
    expression is over printable ASCII and any other characters of the pattern; its recognizer has
    one class for each character that it can read.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
        GraphError: a pattern that is not a regular expression.

    >>> named("car").characters, named("car").graph.isymbols.label(RUBBISH)
    ('0123456789', 10)
    >>> grammar = named("regex:[0-9]+-[0-9]+")
    >>> grammar.characters, grammar.writes("12-7"), grammar.writes("127")
    ('-0123456789', True, False)
    """
    if name in ("car", "digits"):
        return Grammar("car", DIGITS, courtesy_digits())
    if name == "car:no-prior":
        return Grammar(name, DIGITS, courtesy_digits(max_length=None))
    kind, _, rest = name.partition(":")
    if name == "amounts" or (kind == "amounts" and rest in FORMATS):
        # A recognizer sees only ink, so there is no class for a space.
        fills = {c: p for c, p in FILLS.items() if not c.isspace()}
        return _filled(name, amounts(fills=fills, **FORMATS[rest or "us"]))
    if kind == "regex" and name != kind:
        return _filled(name, _narrow(regex(rest)))
    raise ValueError(f"there is no grammar {name!r}; there are {', '.join(NAMES)}")


def _filled(name: str, text: Graph) -> Grammar:
    """Return the grammar of a graph whose input table holds single characters 0, 1, 2 …"""
    assert text.isymbols is not None
    characters = "".join(text.isymbols)
    return Grammar(name, characters, with_fill(text, RUBBISH, penalty=_FILL_PENALTIES))


def _narrow(acceptor: Graph) -> Graph:
    """Return an acceptor with only the symbols that it reads, labelled 0, 1, 2 … in order."""
    assert acceptor.isymbols is not None
    used, labels = np.unique(acceptor.ilabels, return_inverse=True)
    if len(used) == 0:
        raise GraphError("the grammar reads no character at all")
    table = SymbolTable(acceptor.isymbols.decode(used.tolist()))
    return with_labels(acceptor, labels.astype(np.int32), None, table, table)
