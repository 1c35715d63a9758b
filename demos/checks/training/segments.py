"""The training step of a segment reader: distort the ink, compose the graphs, take one loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

import gtn
from demos.checks.reading.reader import CheckReader
from demos.checks.reading.segments import SegmentReading
from demos.checks.training.pretraining import DIGIT_BATCH, Draw, digit_images, drawer, pretrain
from demos.checks.training.samples import Sample, rethicken
from demos.checks.training.settings import Settings
from recognizers.distortion import Distortion
from recognizers.lenet import LeNet5
from recognizers.segmentation.graph import segmentation_graph

__all__ = ["CRITERIA", "SegmentTraining"]

CRITERIA: dict[str, Callable[..., nn.Module]] = {
    "viterbi": gtn.nn.ViterbiLoss,
    "forward": gtn.nn.ForwardLoss,
    "discriminative-viterbi": gtn.nn.DiscriminativeViterbiLoss,
    "discriminative-forward": gtn.nn.DiscriminativeForwardLoss,
    "hinge": gtn.nn.HingeLoss,
    "expected-risk": gtn.nn.ExpectedRiskLoss,
}
"""The four criteria of section VI, the first two without competitors, and two later ones."""

REPLAY_SHARE = 0.3
"""Factor on the loss on single digits beside that on fields."""

DISTORTED = ("image", "surroundings")
"""Arc data that are pictures of ink, distorted at random in training."""


class SegmentTraining:
    """The losses of a segment reader."""

    def __init__(self, reader: CheckReader, settings: Settings) -> None:
        assert isinstance(reader.recognize, SegmentReading)
        if settings.loss not in CRITERIA:
            raise ValueError(
                f"segments are trained by {', '.join(CRITERIA)}, not by {settings.loss!r}"
            )
        self.recognize = reader.recognize
        self.criterion = CRITERIA[settings.loss](
            reader.grammar, infeasible="skip", reduction="none"
        )
        self.distort = Distortion(**settings.distortion)
        self.settings = settings
        self.draw: Draw | None = None
        network = self.recognize.network
        reads_digits = any(character.isdigit() for character in reader.rules.characters)
        if reads_digits and isinstance(network, LeNet5):
            self.digits, self.source = digit_images(settings.digits)
            self.draw = drawer(network, self.digits)

    def before(self, progress: bool) -> dict[str, Any] | None:
        """Pretrain a network that reads single digits; return the line for the log."""
        network, settings = self.recognize.network, self.settings
        if self.draw is None or settings.digit_passes <= 0:
            return None
        assert isinstance(network, LeNet5)
        started = time.perf_counter()
        steps = max(1, round(settings.digit_passes * len(self.digits[0]) / DIGIT_BATCH))
        loss = pretrain(network, self.draw, steps=steps, seed=settings.seed, progress=progress)
        return {"digits": self.source, "loss": loss, "seconds": time.perf_counter() - started}

    def start_pass(self, number: int, samples: Sequence[Sample]) -> None:
        """Do nothing: all passes are alike."""

    def state(self) -> dict[str, torch.Tensor]:
        """Return what the next passes depend on, besides the parameters: nothing."""
        return {}

    def restore(self, state: dict[str, torch.Tensor], samples: Sequence[Sample]) -> None:
        """Resume from what :meth:`state` returned."""

    def batches(self, order: Sequence[Sample], generator: torch.Generator) -> list[list[Sample]]:
        """Return the fields of a pass in batches."""
        count = math.ceil(len(order) / self.settings.batch)
        return [list(order[b::count]) for b in range(count)]

    def losses(
        self, samples: Sequence[Sample], generator: torch.Generator
    ) -> tuple[torch.Tensor, int]:
        """Return the loss of each field, and how many fields no path spells (their loss is 0)."""
        graphs = self._distorted(samples, generator)
        each = self.criterion(self.recognize(graphs), [one.text for one in samples])
        return each, self.criterion.skipped

    def beside(self, generator: torch.Generator) -> torch.Tensor | None:
        """Return the loss on single digits to add to that of fields, if any."""
        if self.draw is None or self.settings.replay <= 0:
            return None
        return REPLAY_SHARE * self.draw(self.settings.replay, generator)

    def _distorted(self, samples: Sequence[Sample], generator: torch.Generator) -> gtn.GraphBatch:
        """Return a batch of segmentation graphs, one variant of each field, with distorted ink."""
        chosen = [
            one.prepared[int(torch.randint(len(one.prepared), (1,), generator=generator))]
            for one in samples
        ]
        batch = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in chosen])
        drawn = {
            name: rethicken(self.distort(batch.data[name], generator), generator)
            for name in self.recognize.reads
            if name in DISTORTED
        }
        return batch.with_data(**drawn)
