"""The readers of words: ink in, the likeliest words out, and all graphs between (Figs. 30, 31)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gtn
from demos.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from demos.words.hmm_reading import HmmReading
from demos.words.letters import SYMBOLS
from demos.words.lexicon import free_strings
from demos.words.segment_reading import SegmentReading
from grammars.decoding import Decoder, Reading
from recognizers.online.amap import amap
from recognizers.online.hmm import REST
from recognizers.online.ink import Ink
from recognizers.online.normalization import Fit, by_height, fit_lines, on_lines
from recognizers.online.segmentation import InkSegmentation
from recognizers.online.slant import upright

__all__ = ["KIND", "SYSTEMS", "WordReader", "WordReading", "shipped_reader"]

KIND = "graph-transformer-networks/words/1"

SYSTEMS = ("segments", "sdnn")
"""Over-segmentation (Fig. 30), and SDNN/HMM (Fig. 31)."""

OUTPUTS = gtn.SymbolTable([*SYMBOLS, REST])

BEAM = 12.0

WEIGHTS = Path(__file__).resolve().parents[2] / "recognizers" / "weights"


@dataclass(frozen=True)
class WordReading:
    """What a word says, and how it was read.

    Attributes:
        readings: the likeliest first, each with `text`, `penalty` and `forward` in nats, and
            `posterior`; none for ink without points or if the beam lost every path.
        ink: the word, normalised, in the pixels of the image.
        fit: the lines and the turning points they were fitted to, in units of the ink that was
            given; None without the normaliser.
        planes: the annotated image of the word, float32 [5, 20, W].
        segmentation: its pieces and segments; None for "sdnn".
        segments: the segmentation graph, with `image` and `box` on its arcs; for "sdnn" the
            chain of the outputs, one arc per class.
        recognized: the recognition graph, one arc per segment and letter (for "sdnn" the chain).
        interpretation: what the beam kept of the composition with the lexicon.
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
        """The likeliest word; empty if there is none."""
        return self.readings[0].text if self.readings else ""


class WordReader(nn.Module):
    """Reads words of pen ink, by one of two systems.

    Args:
        system: "segments" or "sdnn".
        output: of the network, "rbf" or "softmax".
        normaliser: whether words are laid on their four lines and set upright; False: scaled by
            their height.
        options: of the system.

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

    def normalize(self, ink: Ink) -> Ink:
        """The word in the pixels of its annotated image."""
        return upright(on_lines(ink, fit_lines(ink).lines)) if self.normaliser else by_height(ink)

    def decoder(self, lexicon: gtn.Graph | None = None, beam: float = BEAM) -> Decoder:
        """What searches for the words of a lexicon (`lexicon_graph`); None: any letters.

        Making one for character models takes about as long as reading a hundred words.
        """
        models = None
        if isinstance(self.recognize, HmmReading):
            models = self.recognize.models().detach()
        words = free_strings() if lexicon is None else lexicon
        return Decoder.of(words, models=models, beam=beam)

    @torch.no_grad()
    def recognized(self, ink: Ink) -> tuple[InkSegmentation | None, gtn.Graph, gtn.Graph]:
        """Segmentation, segmentation graph and recognition graph of a normalised word."""
        if isinstance(self.recognize, SegmentReading):
            cut = self.recognize.cut(ink)
            graph = self.recognize.graphs([cut])[0]
            return cut, graph, self.recognize(graph)
        images, _ = self.recognize.images([ink])
        chain = gtn.linear(self.recognize(images)[0], symbols=OUTPUTS)
        return None, chain, chain

    @torch.no_grad()
    def read(self, ink: Ink, lexicon: gtn.Graph | Decoder | None = None, n: int = 5) -> WordReading:
        """Read a word: the `n` likeliest readings, and how they came about.

        `lexicon`: a graph of words, or for many words in a row a `decoder`; None: any letters.
        """
        decoder = lexicon if isinstance(lexicon, Decoder) else self.decoder(lexicon)
        fit = fit_lines(ink) if self.normaliser else None
        placed = by_height(ink) if fit is None else upright(on_lines(ink, fit.lines))
        cut, segments, recognized = self.recognized(placed)
        kept = decoder.search(recognized)
        readings = () if ink.is_empty else tuple(decoder.read(recognized, n))
        return WordReading(readings, placed, fit, amap(placed), cut, segments, recognized, kept)

    def save(self, path: str | Path, **about: Any) -> None:
        """Write a checkpoint."""
        save_checkpoint(path, self.state_dict(), {"settings": self.settings, **about}, kind=KIND)

    @classmethod
    def load(cls, path: str | Path) -> WordReader:
        """The reader of a checkpoint.

        Raises:
            CheckpointError: missing, damaged, or of another program.
        """
        tensors, about = load_checkpoint(path, kind=KIND)
        try:
            reader = cls(**about["settings"])
            reader.load_state_dict(tensors)
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: not the parameters of a reader ({error})") from error
        return reader.eval()


def shipped_reader(system: str = "segments") -> WordReader:
    """The trained reader that comes with the package; CheckpointError if none does."""
    return WordReader.load(WEIGHTS / f"words-{system}.safetensors")
