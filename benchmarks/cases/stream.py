"""Reading without end: how many frames a stream that settles keeps, and what a piece costs.

Words of a lexicon are read one after the other from the noisy frames of
:mod:`benchmarks.cases.decode_words`; after each piece the stream settles what it can. Times are
processor time of one thread.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

import gtn
from benchmarks.case import Case, Figures, Outcome
from benchmarks.cases.decode_words import CHARACTERS, frames
from grammars.characters import character_models
from grammars.decoding import Decoder
from grammars.lexicon import lexicon
from grammars.words import WordList

_PIECE = 20  # frames
_BEAMS = ((8.0, math.inf), (8.0, 0.0), (12.0, math.inf), (12.0, 8.0), (12.0, 0.0))


class _Inputs(NamedTuple):
    words: WordList
    some: int  # frames
    many: int


class _Costs(NamedTuple):
    kept: list[int]  # unsettled frames after each piece
    read: list[float]  # milliseconds of each piece
    settled: list[float]


def _inputs(words: int, some: int, many: int) -> _Inputs:
    from grammars.frequent_words import frequent_words  # the extra "words"

    return _Inputs(frequent_words(words, alphabet=CHARACTERS[1:]), some, many)


def _pieces(words: WordList, length: int) -> Iterator[torch.Tensor]:
    """Yield the frames of words and the blanks after them, until there are ``length`` frames."""
    rng, written = np.random.default_rng(1), 0
    while written < length:
        word = words.words[rng.integers(min(50, len(words)))] + " "
        of_word = frames(word, int(rng.integers(10**6)), 24 + 6 * len(word))
        written += len(of_word)
        yield from of_word.split(_PIECE)


def _decoder(words: WordList, beam: float) -> Decoder:
    symbols = gtn.SymbolTable(CHARACTERS)
    text = (lexicon(words, symbols=symbols) + gtn.string(" ", symbols=symbols)).closure()
    return Decoder.of(text, models=character_models(CHARACTERS, touch=0.0), beam=beam)


def _costs(words: WordList, length: int, beam: float, settle: float) -> _Costs:
    stream, costs = _decoder(words, beam).stream(), _Costs([], [], [])
    for piece in _pieces(words, length):
        began = time.thread_time()
        stream.add(piece)
        added = time.thread_time()
        stream.settle(beam=settle)
        costs.read.append(1e3 * (added - began))
        costs.settled.append(1e3 * (time.thread_time() - added))
        costs.kept.append(stream.length - stream.settled)
    return costs


def _by_beam(inputs: _Inputs) -> Outcome:
    figures: dict[str, float] = {}
    for beam, settle in _BEAMS:
        costs = _costs(inputs.words, inputs.some, beam, settle)
        name = f"beam {beam:g}, settled at {settle:g}"
        figures[f"{name}: frames kept, median"] = statistics.median(costs.kept)
        figures[f"{name}: frames kept, most"] = max(costs.kept)
        figures[f"{name}: read and settle a piece (ms)"] = statistics.mean(
            map(sum, zip(costs.read, costs.settled, strict=True))
        )
    return Outcome(figures=figures)


def _endless(inputs: _Inputs) -> Outcome:
    costs = _costs(inputs.words, inputs.many, 8.0, math.inf)
    fifth = len(costs.kept) // 5
    figures = {"frames kept, most": float(max(costs.kept))}
    for name, part in (("first", slice(0, fifth)), ("last", slice(-fifth, None))):
        figures[f"read a piece of the {name} fifth (ms)"] = statistics.mean(costs.read[part])
        figures[f"settle after one of the {name} fifth (ms)"] = statistics.mean(costs.settled[part])
    return Outcome(figures=figures)


STREAM = Case(
    "stream",
    f"Read words without end, in pieces of {_PIECE} frames, and settle after each",
    {
        "full": {"words": 1000, "some": 3_000, "many": 50_000},
        "quick": {"words": 1000, "some": 400, "many": 2_000},
        "smallest": {"words": 20, "some": 60, "many": 120},
    },
    _inputs,
    (Figures("by the beams", _by_beam), Figures("a beam of 8, settled at inf", _endless)),
)
