"""What a training step of a reader of lines is: lines distorted, one sweep, one loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

import gtn
from demos.checks.line_reading import LineReading
from demos.checks.reader import CheckReader
from demos.checks.samples import Sample
from demos.checks.settings import Settings
from gtn.nn.criterion import Criterion, difference
from gtn.nn.targets import acceptors
from recognizers.line_distortion import LineDistortion
from recognizers.line_images import as_batch

__all__ = ["LineTraining"]

CRITERIA = {
    "viterbi": (gtn.dense.viterbi_penalty_float64, False),
    "discriminative-viterbi": (gtn.dense.viterbi_penalty_float64, True),
    "forward": (gtn.dense.forward_penalty_float64, False),
    "discriminative-forward": (gtn.dense.forward_penalty_float64, True),
}
"""The criteria of section VI: what scores the paths, and whether the wrong ones count, too."""


class FrameLoss(Criterion):
    """A criterion of section VI on emissions, frame by frame, without a recognition graph."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(**options)
        self.scorer, self.discriminative = CRITERIA[name]

    def forward(
        self, emissions: torch.Tensor, decoder: gtn.Graph, texts: Sequence[str]
    ) -> torch.Tensor:
        """Return the losses of emissions ``[B, T, C]`` in nats."""
        target = acceptors(texts, decoder.osymbols, decoder.penalties, len(texts))
        correct = self.scorer(emissions, gtn.compose(decoder, target))
        every = self.scorer(emissions, decoder) if self.discriminative else correct.new_zeros(())
        losses, feasible = difference(correct, every.expand_as(correct))
        return self.reduced(losses, feasible, texts).to(emissions)


class LineTraining:
    """The losses of a reader that is swept over lines.

    By ``ctc`` the network alone is trained, as CRNNs are; by any other criterion the whole
    reader, through the character models and the grammar.
    """

    def __init__(self, reader: CheckReader, settings: Settings) -> None:
        assert isinstance(reader.recognize, LineReading)
        known = (*CRITERIA, "ctc")
        if settings.loss not in known:
            raise ValueError(f"lines are trained by {', '.join(known)}, not by {settings.loss!r}")
        self.recognize, self.grammar = reader.recognize, reader.grammar
        options: dict[str, Any] = {"infeasible": "skip", "reduction": "none"}
        symbols = self.recognize.symbols
        self.ctc = self.frames = None
        if settings.loss == "ctc":
            self.ctc = gtn.nn.CTCLoss(blank=len(symbols) - 1, **options)
        else:
            self.frames = FrameLoss(settings.loss, **options)
        self.distort = LineDistortion(**settings.distortion)

    def before(self, progress: bool) -> dict[str, Any] | None:
        """Do nothing: the network learns from fields alone."""
        return None

    def losses(
        self, samples: Sequence[Sample], generator: torch.Generator
    ) -> tuple[torch.Tensor, int]:
        """Return the loss of each field, and how many of them no path spells (their loss is 0)."""
        lines = self.distort(as_batch([one.prepared[0] for one in samples]), generator)
        with torch.autocast("cpu", torch.bfloat16):
            emissions = self.recognize(lines)
        texts = [one.text for one in samples]
        if self.ctc is not None:
            each = self.ctc(emissions, [self.recognize.symbols.encode(text) for text in texts])
            return each, self.ctc.skipped
        assert self.frames is not None
        each = self.frames(emissions, self.recognize.decoder(self.grammar()), texts)
        return each, self.frames.skipped

    def beside(self, generator: torch.Generator) -> torch.Tensor | None:
        """Return nothing: no other loss counts."""
        return None
