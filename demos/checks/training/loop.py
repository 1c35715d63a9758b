"""Training passes over fields; all that the next pass depends on is saved."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from demos.checks.reading.lines import LineReading
from demos.checks.reading.reader import CheckReader
from demos.checks.training.lines import LineTraining
from demos.checks.training.samples import Mixture, Sample
from demos.checks.training.segments import SegmentTraining
from demos.checks.training.settings import Settings
from demos.run_state import RunState, moments_of, move_average, restore_moments

__all__ = ["FieldLoop", "with_wrong_labels"]

PROBABLE = ("discriminative-forward", "ctc")
"""The criteria that are minus the logarithm of a probability."""

KNOWS = 0.75
"""Wrong labels are allowed for once the mean loss is below this share of -log(wrong_labels)."""


class FieldLoop:
    """Train in passes over the fields; the state file holds all that the next pass depends on."""

    def __init__(
        self, reader: CheckReader, settings: Settings, run: dict[str, Any], out: Path, fields: int
    ) -> None:
        self.reader, self.settings = reader, settings
        self.state = RunState(out, run, "other settings or other fields")
        kind = LineTraining if isinstance(reader.recognize, LineReading) else SegmentTraining
        self.training = kind(reader, settings)
        slow = list(reader.recognize.network.parameters())
        fast = [p for name, p in reader.named_parameters() if ".network." not in name]
        self.optimizer = torch.optim.AdamW(
            [{"params": slow, "factor": 1.0}, {"params": fast, "factor": 5.0}],
            weight_decay=settings.decay,
        )
        self.batches = math.ceil(fields / settings.batch)
        self.average = {k: v.clone() for k, v in reader.state_dict().items()}
        self.best: dict[str, torch.Tensor] = {}
        self.best_pass, self.best_exact = 0, 0.0
        self.done = 0
        self.level = math.inf  # mean loss of the last pass
        self.seconds = 0.0  # of all passes, and of the passes before this run
        self.seconds_before = 0.0

    def start(self) -> None:
        """Begin a new run with the reader as it is."""
        self.average = {k: v.clone() for k, v in self.reader.state_dict().items()}
        self._save()

    def use_average(self) -> None:
        """Give the reader the running mean of its parameters, which generalizes better."""
        self.reader.load_state_dict(self.average)

    def one_pass(
        self, number: int, training: Mixture, validation: list[Sample], progress: bool
    ) -> None:
        """Go through the training fields once, log it, and write the state."""
        started = time.perf_counter()
        draw = 1_000_003 * self.settings.seed + number
        generator = torch.Generator().manual_seed(draw)
        torch.manual_seed(draw)  # for drop-out
        with self._averaged():
            self.training.start_pass(number, training.fields)
        batches = self.training.batches(training.draw(generator), generator)
        total, skipped = 0.0, 0
        self.reader.train()
        bar = tqdm(
            batches,
            desc=f"pass {number + 1}/{self.settings.passes}",
            unit="batch",
            disable=not progress,
            leave=False,
        )
        for b, chosen in enumerate(bar):
            self._rate(number * self.batches + b)
            each, infeasible = self.training.losses(chosen, generator)
            if self._reckons_with_wrong_labels(number):
                each = with_wrong_labels(each, self.settings.wrong_labels)
            loss = each.sum() / max(1, len(chosen) - infeasible)
            self.optimizer.zero_grad()
            loss.backward()
            beside = self.training.beside(generator)
            if beside is not None:
                beside.backward()
            torch.nn.utils.clip_grad_norm_(self.reader.parameters(), 5.0)
            self.optimizer.step()
            # Average over the last tenth of the steps at most: early parameters are far off.
            steps = number * self.batches + b
            newest = max(self.settings.averaging, 1.0 / (1.0 + 0.1 * steps))
            move_average(self.average, self.reader.state_dict(), newest)
            total += loss.item() * len(chosen)
            skipped += infeasible
            bar.set_postfix(loss=f"{loss.item():.3f}")
        with self._averaged():
            readings = _read(self.reader, validation, views=1)
        exact = sum(r.text == v.text for r, v in zip(readings, validation, strict=True))
        self.done, self.level = number + 1, total / len(training)
        if validation and exact >= self.best_exact:
            self.best_pass, self.best_exact = self.done, float(exact)
            self.best = {k: v.clone() for k, v in self.average.items()}
        seconds = time.perf_counter() - started
        self.seconds += seconds
        line = {
            "pass": self.done,
            "loss": total / len(training),
            "infeasible": skipped,
            "validation_exact": exact / max(len(validation), 1),
            "seconds": seconds,
        }
        self.state.log(line)
        self._save()
        if progress:
            tqdm.write(
                f"pass {self.done}: loss {line['loss']:.3f}, "
                f"validation {line['validation_exact']:.1%} exact, {seconds:.0f} s"
            )

    def _reckons_with_wrong_labels(self, number: int) -> bool:
        """Whether to allow for wrong labels: only once the reader knows most fields.

        Earlier, after few passes over few fields, all labels would seem wrong.
        """
        share, ripe = self.settings.wrong_labels, 3 * number >= self.settings.passes
        probable = self.settings.loss in PROBABLE and share > 0.0
        return probable and ripe and self.level < -KNOWS * math.log(share)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the reader use the running mean of its parameters."""
        kept = {k: v.clone() for k, v in self.reader.state_dict().items()}
        self.use_average()
        self.reader.eval()
        yield
        self.reader.load_state_dict(kept)

    def _rate(self, step: int) -> None:
        """Set the learning rate: a short rise, then a cosine decay to zero."""
        share = step / max(1, self.batches * self.settings.passes)
        rise = 0.1
        height = (
            share / rise if share < rise else 0.5 * (1 + math.cos(math.pi * (share - rise) / 0.9))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * group["factor"] * height

    def _save(self) -> None:
        self.state.save(
            {
                "reader": self.reader.state_dict(),
                "average": self.average,
                "best": self.best,
                "training": self.training.state(),
                "optimizer": moments_of(self.optimizer),
            },
            done=self.done,
            seconds=self.seconds,
            level=self.level if math.isfinite(self.level) else None,
            best_pass=self.best_pass,
            best_exact=self.best_exact if math.isfinite(self.best_exact) else None,
        )

    def resume(self, samples: Sequence[Sample]) -> bool:
        """Resume from the state file; return False if there is none."""
        found = self.state.load()
        if found is None:
            return False
        parts, about = found
        self.reader.load_state_dict(parts["reader"])
        self.average, self.best = parts["average"], parts.get("best", {})
        self.training.restore(parts.get("training", {}), samples)
        restore_moments(self.optimizer, parts.get("optimizer", {}))
        self.done, self.seconds = about["done"], about["seconds"]
        self.level = math.inf if about.get("level") is None else about["level"]
        # States saved before the best pass was recorded have none to compare with.
        self.best_pass = about.get("best_pass", 0)
        self.best_exact = math.inf if about.get("best_exact") is None else about["best_exact"]
        self.seconds_before = self.seconds
        self.state.cut_log(lambda line: line.get("pass", 0) <= self.done)
        return True


def with_wrong_labels(losses: torch.Tensor, share: float) -> torch.Tensor:
    """Return minus the logarithm of a mixture in which ``share`` of the labels are uninformative.

    ``-log((1 - share) exp(-loss) + share)`` is about the loss where that is small; it never
    exceeds ``-log(share)``, where its gradient vanishes.

    >>> with_wrong_labels(torch.tensor([0.5, 50.0]), 0.02)
    tensor([0.4871, 3.9120])
    """
    if share <= 0.0:
        return losses
    right = math.log1p(-share) - losses
    return -torch.logaddexp(right, torch.full_like(losses, math.log(share)))


def _read(reader: CheckReader, samples: Sequence[Sample], views: int) -> list[Any]:
    found = []
    for i in range(0, len(samples), 32):
        found += reader.read_prepared([s.prepared[:views] for s in samples[i : i + 32]])
    return found
