"""The rewrite rule of a dictionary, which replaces words of a text by others."""

from __future__ import annotations

from typing import Any, NamedTuple

import gtn
from benchmarks.case import Answer, Case, Entrant, Race
from benchmarks.graphs import words
from benchmarks.peers.openfst import openfst
from grammars.rewriting import rewrite

_LETTERS = "abcdefghijklmnopqrstuvwxyz "
_TABLE = gtn.SymbolTable(_LETTERS)


class _Inputs(NamedTuple):
    few: dict[str, str]
    many: dict[str, str]


def _inputs(few: int, many: int) -> _Inputs:
    pairs = {word: word[::-1] for word in words(many)}
    return _Inputs(dict(list(pairs.items())[:few]), pairs)


def _sentence(pairs: dict[str, str]) -> str:
    return " ".join(["zzz", *list(pairs)[:20], "zzz"])


def _answer(text: str) -> Answer:
    return {f"letter {i}": float(ord(letter)) for i, letter in enumerate(text)}


def _ours(pairs: dict[str, str]) -> Entrant:
    def text(rule: gtn.Graph) -> str:
        written = gtn.string(_sentence(pairs), symbols=_TABLE) @ rule
        return str(gtn.path_text(gtn.viterbi_path(written), "output"))

    return Entrant(
        "gtn",
        lambda: rewrite(pairs, before="^|[ ]", after="[ ]|$", alphabet=_TABLE),
        answer=lambda rule: _answer(text(rule)),
    )


def _theirs(pairs: dict[str, str]) -> list[Entrant]:
    def rule(pynini: Any) -> Any:
        letters = pynini.union(*map(pynini.accep, _LETTERS)).closure().optimize()
        begins, ends = (pynini.union(mark, " ") for mark in ("[BOS]", "[EOS]"))
        return pynini.cdrewrite(pynini.string_map(list(pairs.items())), begins, ends, letters)

    def answer(made: Any) -> Answer:
        import pynini

        return _answer(pynini.shortestpath(_sentence(pairs) @ made).string("utf8"))

    return openfst(rule, list, answer)


REWRITE = Case(
    "rewrite",
    "Make the rewrite rule of a dictionary, for words between blanks",
    {
        "full": {"few": 300, "many": 20_000},
        "quick": {"few": 100, "many": 2_000},
        "smallest": {"few": 5, "many": 20},
    },
    _inputs,
    (
        Race(
            "few words",
            lambda inputs: [_ours(inputs.few), *_theirs(inputs.few)],
            per=("word", lambda inputs: len(inputs.few)),
        ),
        Race(
            "many words",
            lambda inputs: [_ours(inputs.many)],
            per=("word", lambda inputs: len(inputs.many)),
        ),
    ),
)
