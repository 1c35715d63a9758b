"""Decoding a word against a lexicon: what a reader of isolated words does, and how long it takes.

Two kinds of recognizers are imitated: a segmentation graph with 95 classes on each piece or group
of pieces of ink, and the frames of a replicated network with 95 classes and a blank. Times are
processor time of one thread, so that other work on the machine counts as little as possible.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

import gtn
from benchmarks.case import Case, Figures, Goal, Outcome
from grammars.characters import character_models
from grammars.decoding import Decoder
from grammars.lexicon import lexicon
from grammars.words import WordList

CHARACTERS = "".join(chr(c) for c in range(32, 127))
BLANK = len(CHARACTERS)
BEAM, WIDE = 10.0, 16.0
_LONGEST_GROUP = 4


class _Inputs(NamedTuple):
    words: WordList
    written: list[str]
    counts: tuple[int, ...]


def _inputs(lexicons: tuple[int, ...], written: int) -> _Inputs:
    from grammars.frequent_words import frequent_words  # the extra "words"

    words = frequent_words(max(lexicons), alphabet=CHARACTERS[1:])
    rng = np.random.default_rng(0)
    # Frequent words are written more often, as in running text; every lexicon has all of them.
    shares = np.exp(-words.penalties[: min(lexicons)])
    chosen = rng.choice(min(lexicons), written, p=shares / shares.sum())
    return _Inputs(words, [words.words[k] for k in chosen], lexicons)


def frames(word: str, seed: int, length: int = 60, signal: float = 6.0) -> torch.Tensor:
    """Return penalties ``[length, 96]`` of the frames of a word.

    Each letter has two frames, the rest are blank. Noise makes some of them wrong, more of them if
    the signal is weaker.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (length, BLANK + 1))
    target = np.full(length, BLANK)
    for k, letter in enumerate(word):
        at = 2 + k * (length - 4) // len(word)
        target[at : at + 2] = CHARACTERS.index(letter)
    logits[np.arange(length), target] += rng.normal(signal, 2, length)
    return -torch.log_softmax(torch.from_numpy(logits), dim=1).float()


def pieces(word: str, seed: int) -> gtn.Graph:
    """Return a segmentation graph of a word.

    Each letter has one to three pieces of ink; groups have up to four pieces, with 95 classes on
    each.
    """
    rng = np.random.default_rng(seed)
    ends = np.cumsum([0, *rng.integers(1, _LONGEST_GROUP, len(word))]).tolist()
    letters = dict(zip(pairwise(ends), word))
    src, dst, rows = [], [], []
    for first in range(ends[-1]):
        for last in range(first + 1, min(first + _LONGEST_GROUP, ends[-1]) + 1):
            row = rng.uniform(3, 15, len(CHARACTERS)) * (last - first)
            if (first, last) in letters:
                row[CHARACTERS.index(letters[first, last])] = rng.exponential(2.0)
            src.append(first)
            dst.append(last)
            rows.append(row)
    return gtn.from_arrays(
        np.repeat(src, len(CHARACTERS)),
        np.repeat(dst, len(CHARACTERS)),
        np.tile(np.arange(len(CHARACTERS)), len(rows)),
        penalties=torch.from_numpy(np.concatenate(rows)).float(),
        final=ends[-1],
        symbols=gtn.SymbolTable(CHARACTERS),
    )


def _measure(inputs: _Inputs) -> Outcome:
    figures: dict[str, float] = {}
    symbols = gtn.SymbolTable(CHARACTERS)
    models = character_models(CHARACTERS, touch=0.0)
    for count in inputs.counts:
        words = WordList(inputs.words.words[:count], inputs.words.penalties[:count])
        lexicon(WordList(words.words[:10], words.penalties[:10]), symbols=symbols)
        began = time.thread_time()
        graph = lexicon(words, symbols=symbols)
        name = f"{count:,} words"
        figures[f"{name}: build lexicon (s)"] = time.thread_time() - began
        figures[f"{name}: nodes"] = graph.num_nodes
        figures[f"{name}: arcs"] = graph.num_arcs
        for kind, decoder, recognized in (
            ("pieces", Decoder.of(graph), pieces),
            ("frames", Decoder.of(graph, models=models), frames),
        ):
            times, wrong, other = _decoded(decoder, inputs.written, recognized)
            figures[f"{name}, {kind}: decode (ms)"] = statistics.median(times)
            figures[f"{name}, {kind}: decode, slowest (ms)"] = max(times)
            figures[f"{name}, {kind}: wrong (%)"] = 100 * wrong
            figures[f"{name}, {kind}: lost by the beam (%)"] = 100 * other
    return Outcome(figures=figures)


def _decoded(
    decoder: Decoder, written: list[str], recognized: Callable[[str, int], Any]
) -> tuple[list[float], float, float]:
    """Return milliseconds of each word, the share misread, and the share lost to the beam.

    Both are shares of all words; a word is lost if it is misread but a wide beam reads it right.
    """
    narrow, wide = decoder.with_beam(BEAM), decoder.with_beam(WIDE)
    times, wrong, lost = [], 0, 0
    narrow.read(recognized(written[0], 0), 1)
    for seed, word in enumerate(written):
        given = recognized(word, seed)
        began = time.thread_time()
        found = narrow.read(given, 1)
        times.append(1e3 * (time.thread_time() - began))
        if not found or found[0].text != word:
            wrong += 1
            again = wide.read(given, 1)
            lost += bool(again) and again[0].text == word
    return times, wrong / len(written), lost / len(written)


DECODE_WORDS = Case(
    "decode-words",
    f"Decode a word against a lexicon, one best with its posterior, beam of {BEAM:g} nats",
    {
        "full": {"lexicons": (25_000, 250_000), "written": 500},
        "quick": {"lexicons": (25_000,), "written": 50},
        "smallest": {"lexicons": (100,), "written": 2},
    },
    _inputs,
    (
        Figures(
            "decode",
            _measure,
            goals=(
                Goal("25,000 words, pieces: decode (ms)", at_most=30),
                Goal("25,000 words, frames: decode (ms)", at_most=30),
                Goal("250,000 words, pieces: decode (ms)", at_most=100),
                Goal("250,000 words, frames: decode (ms)", at_most=100),
                Goal("25,000 words, pieces: lost by the beam (%)", at_most=0.2),
                Goal("25,000 words, frames: lost by the beam (%)", at_most=0.2),
            ),
        ),
    ),
)
