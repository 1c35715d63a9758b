"""The training step of a line reader: distort the lines, sweep once, take one loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

import gtn
from demos.checks.reading.lines import LineReading
from demos.checks.reading.reader import CheckReader
from demos.checks.training.samples import Sample
from demos.checks.training.settings import Settings
from demos.checks.training.splicing import Splicer, cuts_between
from gtn.nn.criterion import Criterion, difference
from gtn.nn.targets import acceptors
from recognizers.lines.distortion import LineDistortion
from recognizers.lines.images import as_batch

__all__ = ["LineTraining"]

LOOKS = (0.12, 0.3, 0.6)
"""Shares of the passes after which the reader locates its characters again."""

TRIES = 4
"""Attempts at a new field that the grammar writes."""

WEANING = (0.4, 0.8)
"""Shares of the passes between which more and more of the further fields are replaced."""

CRITERIA = {
    "viterbi": (gtn.dense.viterbi_penalty_float64, False),
    "discriminative-viterbi": (gtn.dense.viterbi_penalty_float64, True),
    "forward": (gtn.dense.forward_penalty_float64, False),
    "discriminative-forward": (gtn.dense.forward_penalty_float64, True),
}
"""The criteria of section VI: how paths are scored, and whether wrong paths count, too."""


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
    """The losses of a line reader.

    ``ctc`` trains the network alone, as CRNNs are; any other criterion trains the whole reader,
    through the character models and the grammar.
    """

    def __init__(self, reader: CheckReader, settings: Settings) -> None:
        assert isinstance(reader.recognize, LineReading)
        known = (*CRITERIA, "ctc")
        if settings.loss not in known:
            raise ValueError(f"lines are trained by {', '.join(known)}, not by {settings.loss!r}")
        self.recognize, self.grammar = reader.recognize, reader.grammar
        self.rules = reader.rules
        options: dict[str, Any] = {"infeasible": "skip", "reduction": "none"}
        symbols = self.recognize.symbols
        self.ctc = self.frames = None
        if settings.loss == "ctc":
            self.ctc = gtn.nn.CTCLoss(blank=len(symbols) - 1, **options)
        else:
            self.frames = FrameLoss(settings.loss, **options)
        self.distort = LineDistortion(**settings.distortion)
        self.settings = settings
        self.splicer: Splicer | None = None
        self.weaned = 0.0

    def before(self, progress: bool) -> dict[str, Any] | None:
        """Do nothing: the network learns from fields only."""
        return None

    def start_pass(self, number: int, samples: Sequence[Sample]) -> None:
        """In some passes, locate the characters of the fields again."""
        passes = self.settings.passes
        first, last = WEANING
        weaning = (number / passes - first) / (last - first)
        self.weaned = self.settings.weaned * min(max(weaning, 0.0), 1.0)
        if self.settings.spliced and number in {int(share * passes) for share in LOOKS}:
            cuts = cuts_between(self.recognize, self.grammar(), samples)
            self.splicer = Splicer(samples, cuts) if any(cuts) else None

    def state(self) -> dict[str, torch.Tensor]:
        """Return what the next passes depend on, besides the parameters."""
        if self.splicer is None:
            return {}
        rows = [torch.tensor(cuts, dtype=torch.int32) for cuts in self.splicer.cuts]
        return {"cuts": nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)}

    def restore(self, state: dict[str, torch.Tensor], samples: Sequence[Sample]) -> None:
        """Resume from what :meth:`state` returned."""
        if "cuts" in state:
            cuts = [[int(x) for x in row if x >= 0] for row in state["cuts"]]
            self.splicer = Splicer(samples, cuts)

    def batches(self, order: Sequence[Sample], generator: torch.Generator) -> list[list[Sample]]:
        """Return the fields of a pass, new ones included, in batches of similar width."""
        fields = self._spliced(order, generator)
        size, count = self.settings.batch, math.ceil(len(order) / self.settings.batch)
        found = []
        for i in range(0, len(fields), 8 * size):
            some = sorted(fields[i : i + 8 * size], key=lambda one: one.prepared[0].shape[1])
            found += [some[k : k + size] for k in range(0, len(some), size)]
        return [found[b] for b in torch.randperm(count, generator=generator).tolist()]

    def losses(
        self, samples: Sequence[Sample], generator: torch.Generator
    ) -> tuple[torch.Tensor, int]:
        """Return the loss of each field, and how many fields no path spells (their loss is 0)."""
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
        """Return ``None``: there is no further loss."""
        return None

    def _spliced(self, samples: Sequence[Sample], generator: torch.Generator) -> list[Sample]:
        """Replace some fields by new ones, spliced from parts of others.

        If the grammar does not write a new text, a few more are drawn; then the field stays.
        """
        found = list(samples)
        if self.splicer is None:
            return found
        ours = {id(one) for one in self.splicer.samples}
        drawn = torch.rand(len(samples), generator=generator).tolist()
        spliced, weaned = self.settings.spliced, self.weaned
        shares = [spliced if id(one) in ours else weaned for one in samples]
        places = [i for i, x in enumerate(drawn) if x < shares[i]]
        for _ in range(TRIES):
            for i in places:
                found[i] = self.splicer(generator)
            written = self.rules.writes_each([found[i].text for i in places])
            places = [i for i, is_written in zip(places, written, strict=True) if not is_written]
        for i in places:
            found[i] = samples[i]
        return found
