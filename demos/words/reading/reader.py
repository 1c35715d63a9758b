"""The readers of words: from ink to the likeliest words, with all graphs between (Figs. 30, 31)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gtn
from demos.checkpoint import (
    WEIGHTS,
    load_checkpoint,
    restored,
    save_checkpoint,
)
from demos.words.choices import BEAM, SPELLING_ORDER, SYSTEMS
from demos.words.reading.guesses import Layout, laid, layouts
from demos.words.reading.letters import SYMBOLS
from demos.words.reading.lexicon import free_strings, lexicon_graph
from demos.words.reading.sdnn import HmmReading
from demos.words.reading.segments import SegmentReading
from demos.words.reading.spelling import spelling_graph
from grammars.decoding import Decoder, Reading
from grammars.words import WordList
from recognizers.online.amap import amap
from recognizers.online.hmm import REST
from recognizers.online.ink import Ink
from recognizers.online.normalization import Fit, by_height, fit_lines
from recognizers.online.segmentation import InkSegmentation

__all__ = [
    "KIND",
    "WordReader",
    "WordReading",
    "costing",
    "joined",
    "shipped_path",
    "shipped_reader",
]

KIND = "graph-transformer-networks/words/1"

OUTPUTS = gtn.SymbolTable([*SYMBOLS, REST])


@dataclass(frozen=True)
class WordReading:
    """The reading of a word, and how it came about.

    Attributes:
        readings: the likeliest first, each with `text`, `penalty` and `forward` in nats, and
            `posterior`; none for ink without points or if the beam lost every path.
        ink: the word, normalised, in the pixels of the image.
        fit: the lines under which the first reading is likeliest, and the turning points, in units
            of the ink that was given; None without the normaliser.
        planes: the annotated image of the word, float32 [5, 20, W].
        segmentation: its pieces and segments; None for "sdnn".
        segments: the segmentation graph, with `image` and `box` on its arcs; for "sdnn" the
            chain of the outputs, one arc per class.
        recognized: the recognition graph, one arc per segment and letter (for "sdnn" the chain).
        interpretation: the part of the composition with the lexicon that the beam kept.
    """

    readings: tuple[Reading, ...]
    ink: Ink
    fit: Fit | None
    planes: np.ndarray
    segmentation: InkSegmentation | None
    segments: gtn.Graph
    recognized: gtn.Graph
    interpretation: gtn.Graph

    @property
    def text(self) -> str:
        """Return the likeliest word; empty if there is none."""
        return self.readings[0].text if self.readings else ""


class WordReader(nn.Module):
    """Read words of pen ink by one of two systems.

    Args:
        system: "segments" or "sdnn".
        output: output layer of the network, "rbf" or "softmax".
        normaliser: whether words are laid on their four lines, set upright, and their letters
            made equally wide; False: scaled by their height.
        options: further options of the system.

    Attributes:
        seen: how often each word occurs in the texts that it learned from.

    >>> reader = WordReader("segments")
    >>> ink = Ink([[(3, 9), (0, 6), (3, 0), (6, 3), (6, 9), (6, 0), (9, 2)]])
    >>> found = reader.read(ink, n=3)
    >>> len(found.readings), found.segmentation.num_pieces
    (3, 3)
    """

    def __init__(
        self,
        system: str = "segments",
        output: str = "softmax",
        *,
        normaliser: bool = True,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        if system not in SYSTEMS:
            raise ValueError(f"system must be one of {', '.join(SYSTEMS)}, not {system!r}")
        self.system, self.normaliser = system, normaliser
        self.settings = {"system": system, "output": output, "normaliser": normaliser, **options}
        make = SegmentReading if system == "segments" else HmmReading
        self.recognize: SegmentReading | HmmReading = make(output, seed=seed, **options)
        self.seen: dict[str, int] = {}
        self._spellings: dict[int, tuple[dict[str, int], gtn.Graph]] = {}

    def normalize(self, ink: Ink) -> Ink:
        """Return the word in the pixels of its annotated image, by the best-fitting lines."""
        return laid(ink, fit_lines(ink).lines) if self.normaliser else by_height(ink)

    def layouts(self, ink: Ink) -> list[Layout]:
        """Return the word in pixels of its annotated image under each of `GUESSES`, best fit first.

        Without the normaliser there is one layout, and no fit.
        """
        return layouts(ink, self.system) if self.normaliser else [Layout(None, by_height(ink), 0.0)]

    def lexicon(self, words: WordList | Sequence[str]) -> gtn.Graph:
        """Return the graph of a list of words (`lexicon_graph`), with this reader's frequencies."""
        return lexicon_graph(words, seen=self.seen)

    def spelling(self, order: int = SPELLING_ORDER) -> gtn.Graph:
        """Return the n-gram graph of any letters (`spelling_graph`), counted in English and in the
        texts that this reader learned from.

        Counting takes a second; the graph is kept, and rebuilt only if `seen` has changed.
        """
        seen, graph = self._spellings.get(order, (None, None))
        if graph is None or seen != self.seen:
            graph = spelling_graph(order, seen=self.seen)
            self._spellings[order] = dict(self.seen), graph
        return graph

    def decoder(self, lexicon: gtn.Graph | None = None, beam: float = BEAM) -> Decoder:
        """Return the decoder of the words of a lexicon (`lexicon`), or of any letters by n-grams
        (`spelling`); None: any letters, all equally likely.

        Building one for character models takes about as long as reading a hundred words.
        """
        models = None
        if isinstance(self.recognize, HmmReading):
            models = self.recognize.models().detach()
        words = free_strings() if lexicon is None else lexicon
        if models is not None and words.isymbols is not None and gtn.BACK_OFF in words.isymbols:
            # Composed with models, each node would get all the letters that it backs off to.
            return Decoder.of(models, words, beam=beam)
        return Decoder.of(words, models=models, beam=beam)

    @torch.no_grad()
    def recognized(self, ink: Ink) -> tuple[InkSegmentation | None, gtn.Graph, gtn.Graph]:
        """Return segmentation, segmentation graph and recognition graph of a normalised word."""
        if isinstance(self.recognize, SegmentReading):
            cut = self.recognize.cut(ink)
            graph = self.recognize.graphs([cut])[0]
            return cut, graph, self.recognize(graph)
        images, _ = self.recognize.images([ink])
        chain = gtn.linear(self.recognize(images)[0], symbols=OUTPUTS)
        return None, chain, chain

    @torch.no_grad()
    def read(self, ink: Ink, lexicon: gtn.Graph | Decoder | None = None, n: int = 5) -> WordReading:
        """Read a word: return the `n` likeliest readings, and how they came about.

        A reading sums all its paths under all `layouts`. The graphs are those of the layout under
        which the first reading is likeliest.

        `lexicon`: a graph of words or, for many words in a row, a `decoder`; None: any letters.
        """
        decoder = lexicon if isinstance(lexicon, Decoder) else self.decoder(lexicon)
        every = self.layouts(ink)[: 1 if ink.is_empty else None]
        each = [self.recognized(layout.ink) for layout in every]
        found = [
            [] if ink.is_empty else costing(decoder.read(graph, n), layout.penalty)
            for layout, (_, _, graph) in zip(every, each, strict=True)
        ]
        readings = joined(found)[:n]
        best = readings[0].text if readings else ""
        own = [min((r.forward for r in one if r.text == best), default=math.inf) for one in found]
        shown = own.index(min(own))
        (fit, placed, _), (cut, segments, recognized) = every[shown], each[shown]
        kept = decoder.search(recognized)
        return WordReading(
            tuple(readings), placed, fit, amap(placed), cut, segments, recognized, kept
        )

    def save(self, path: str | Path, **about: Any) -> None:
        """Write a checkpoint."""
        about = {"settings": self.settings, "seen": self.seen, **about}
        save_checkpoint(path, self.state_dict(), about, kind=KIND)

    @classmethod
    def load(cls, path: str | Path) -> WordReader:
        """Return the reader of a checkpoint.

        Raises:
            CheckpointError: the file is missing, damaged, or of another program.
        """
        tensors, about = load_checkpoint(path, kind=KIND)

        def build() -> WordReader:
            reader = cls(**about["settings"])
            reader.seen = {str(word): int(count) for word, count in about.get("seen", {}).items()}
            return reader

        return restored(build, tensors, path)


def costing(readings: Sequence[Reading], penalty: float) -> list[Reading]:
    """Return the readings of a layout with its penalty (nats) added.

    >>> costing([Reading("a", 1.0, 0.5, 1.0)], 2.0)
    [Reading(text='a', penalty=3.0, forward=2.5, posterior=1.0)]
    """
    return [
        Reading(r.text, r.penalty + penalty, r.forward + penalty, r.posterior) for r in readings
    ]


def joined(found: Sequence[Sequence[Reading]]) -> list[Reading]:
    """Merge the readings of several recognition graphs of one word, likeliest first.

    Probabilities of the same text add up; posteriors are shares of all graphs together.

    >>> found = [Reading("a", 1.0, 1.0, 1.0)], [Reading(t, 1.0, 1.0, 0.5) for t in "ab"]
    >>> [(r.text, round(r.forward, 2), round(r.posterior, 2)) for r in joined(found)]
    [('a', 0.31, 0.67), ('b', 1.0, 0.33)]
    """
    totals = [-one[0].forward - math.log(one[0].posterior) for one in found if one]
    total = float(np.logaddexp.reduce(totals)) if totals else 0.0
    texts: dict[str, list[Reading]] = {}
    for reading in (reading for one in found for reading in one):
        texts.setdefault(reading.text, []).append(reading)
    readings = []
    for text, same in texts.items():
        forward = -float(np.logaddexp.reduce([-r.forward for r in same]))
        posterior = min(1.0, math.exp(-forward - total))
        readings.append(Reading(text, min(r.penalty for r in same), forward, posterior))
    return sorted(readings, key=lambda reading: reading.forward)


def shipped_reader(system: str = "segments") -> WordReader:
    """Return the shipped reader; raise CheckpointError if there is none."""
    return WordReader.load(shipped_path(system))


def shipped_path(system: str) -> Path:
    """Return the file of the shipped reader of a system."""
    if system not in SYSTEMS:
        raise ValueError(f"there is no system {system!r}; there are {', '.join(SYSTEMS)}")
    return WEIGHTS / f"words-{system}.safetensors"
