"""The losses of the two systems, on strings of letters and on whole words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import gtn
from demos.words.reading.sdnn import MARGIN as HMM_MARGIN
from demos.words.reading.sdnn import HmmReading
from demos.words.reading.segments import SegmentReading
from demos.words.training.strings import LetterString, labelled_segments, output_labels
from gtn.nn.criterion import Criterion, difference
from gtn.nn.targets import acceptors
from recognizers.online.ink import Ink
from recognizers.online.segmentation import InkSegmentation
from recognizers.online.segmentation_graph import segmentation_graphs

__all__ = ["HmmTraining", "SegmentTraining", "Target", "training_of"]


class Target(NamedTuple):
    """A word, prepared for a system, and its text."""

    word: Any
    text: str
    width: float


class SegmentTraining:
    """Losses of over-segmentation."""

    def __init__(self, reading: SegmentReading) -> None:
        self.reading = reading
        self.criterion = gtn.nn.DiscriminativeForwardLoss(infeasible="skip", reduction="none")

    def word(self, ink: Ink, text: str) -> Target:
        """Return a normalised word, cut once and for all."""
        word = self.reading.cut(ink)
        return Target(word, text, float(len(word)))

    def string(self, string: LetterString, rng: np.random.Generator) -> Any:
        """Return some segments of a string of letters, with their classes."""
        return labelled_segments(string, rng)

    def string_loss(
        self,
        strings: Sequence[tuple[InkSegmentation, np.ndarray]],
        rng: np.random.Generator,
        strength: float,
    ) -> Tensor:
        """Return the cross entropy of the segments of strings, each distorted."""
        images = torch.from_numpy(self.reading.images([w for w, _ in strings], rng, strength))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reading.halved):
            penalties = self.reading.network(images)
        labels = torch.from_numpy(np.concatenate([labels for _, labels in strings]))
        return functional.cross_entropy(-penalties, labels)

    def word_losses(
        self, targets: Sequence[Target], rng: np.random.Generator, strength: float
    ) -> tuple[Tensor, int]:
        """Return eq. 17 of each word against free strings, and how many no path spells (loss 0)."""
        words = [target.word for target in targets]
        graph = segmentation_graphs(words, self.reading.images(words, rng, strength))
        losses = self.criterion(self.reading(graph), [target.text for target in targets])
        return losses, self.criterion.skipped


class _FrameLoss(Criterion):
    """Eq. 17 of outputs, position by position, against all strings of the character models."""

    def forward(
        self, outputs: Tensor, models: gtn.Graph, texts: Sequence[str], lengths: np.ndarray
    ) -> Tensor:
        """Return losses [B] of outputs [B, T, C], whose first `lengths` belong to the word."""
        target = acceptors(texts, models.osymbols, models.penalties, len(texts))
        correct = gtn.dense.forward_penalty_float64(
            outputs, gtn.compose(models, target), lengths=lengths
        )
        every = gtn.dense.forward_penalty_float64(outputs, models, lengths=lengths)
        losses, feasible = difference(correct, every)
        return self.reduced(losses, feasible, texts).to(outputs)


class HmmTraining:
    """Losses of SDNN/HMM."""

    def __init__(self, reading: HmmReading) -> None:
        self.reading = reading
        self.criterion = _FrameLoss(infeasible="skip", reduction="none")

    def word(self, ink: Ink, text: str) -> Target:
        """Return a normalised word."""
        return Target(ink, text, ink.bounds[2])

    def string(self, string: LetterString, rng: np.random.Generator) -> Any:
        """Return a string of letters as it is."""
        return string

    def string_loss(
        self, strings: Sequence[LetterString], rng: np.random.Generator, strength: float
    ) -> Tensor:
        """Return the cross entropy of the outputs at all positions of strings, slightly distorted.

        Distorting a word as a whole leaves its letters about where they were.
        """
        images, lengths = self.reading.images([s.ink for s in strings], rng, 0.5 * strength)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reading.halved):
            penalties = self.reading.network(images.contiguous(memory_format=torch.channels_last))
        labels = np.full((len(strings), penalties.shape[3]), -100)
        # Output t looks at column 2 t + 8.5 of an image that begins MARGIN - 2 before the word.
        shift = HMM_MARGIN - 2.0 - 8.5
        for row, string, length in zip(labels, strings, lengths.tolist(), strict=True):
            row[:length] = output_labels(string, length, shift)
        return functional.cross_entropy(-penalties[:, :, 0], torch.from_numpy(labels))

    def word_losses(
        self, targets: Sequence[Target], rng: np.random.Generator, strength: float
    ) -> tuple[Tensor, int]:
        """Return eq. 17 of each word against free strings, and how many no path spells (loss 0)."""
        images, lengths = self.reading.images([t.word for t in targets], rng, strength)
        outputs = self.reading(images)
        texts = [target.text for target in targets]
        losses = self.criterion(outputs, self.reading.models(), texts, lengths)
        return losses, self.criterion.skipped


def training_of(reading: SegmentReading | HmmReading) -> SegmentTraining | HmmTraining:
    """Return the losses of a system."""
    if isinstance(reading, SegmentReading):
        return SegmentTraining(reading)
    return HmmTraining(reading)
