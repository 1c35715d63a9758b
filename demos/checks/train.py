"""Training the check reader from amounts alone: no boxes, one loss through the graphs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import gtn
from demos.checks.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, write_whole
from demos.checks.evaluate import Outcome, threshold_for
from demos.checks.pretraining import DIGIT_BATCH, Draw, digit_images, drawer, pretrain
from demos.checks.reader import RECOGNIZERS, CheckReader
from demos.checks.samples import Mixture, Sample, distorted_graphs, segmented
from recognizers.datasets.fields import Field, FieldSetError, file_hash, split_in_blocks
from recognizers.distortion import Distortion
from recognizers.lenet import LeNet5

__all__ = ["LOSSES", "Settings", "train", "with_wrong_labels"]

LOSSES = {
    "viterbi": gtn.nn.ViterbiLoss,
    "discriminative-viterbi": gtn.nn.DiscriminativeViterbiLoss,
    "forward": gtn.nn.ForwardLoss,
    "discriminative-forward": gtn.nn.DiscriminativeForwardLoss,
}
"""The four criteria of section VI by name."""

REPLAY_SHARE = 0.3
"""How much the loss on single digits counts beside that on fields."""


@dataclass(frozen=True)
class Settings:
    """Everything that a training run depends on, beside its data.

    ``variants`` of each field are segmented beside the field itself, and one of them is drawn in
    each pass; of the ``further`` fields so many are drawn in each pass. A network that reads a
    segment's ink alone is pretrained on single ``digits``, and ``replay`` of them go through it
    beside each batch of fields, so that it keeps what it knew of other hands. The reader that is
    kept is the running mean of the parameters, with ``averaging`` as the share of the newest.

    Some labels are wrong. ``wrong_labels`` is the share of them that training reckons with, once
    a third of it is over: the discriminative forward loss of a field is then minus the logarithm
    of the probability that its label is among the wrong ones, or is what the reader reads.
    """

    grammar: str = "car"
    loss: str = "discriminative-forward"
    recognizer: str = RECOGNIZERS[0]
    passes: int = 34
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-3
    further: int = 800
    wrong_labels: float = 0.02
    digits: str = "auto"
    digit_passes: float = 3.0
    validation: float = 0.06
    averaging: float = 0.01
    variants: int = 5
    replay: int = 48
    seed: int = 0
    distortion: dict[str, float] = field(
        default_factory=lambda: {
            "translation": 1.5,
            "scaling": 0.15,
            "squeezing": 0.15,
            "shearing": 0.2,
            "rotation": 8.0,
        }
    )


def train(
    fields: Sequence[Field],
    settings: Settings,
    out: Path,
    *,
    further: Sequence[Field] = (),
    workers: int = 2,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a reader on fields and write it to ``out/reader.safetensors``; return the metrics.

    ``out`` also holds ``settings.json``, ``log.jsonl`` (a line per pass), ``metrics.json``, and
    ``state.safetensors``, from which an interrupted run goes on after its last whole pass, with
    the same result.

    Of the ``further`` fields, composed ones for instance, ``settings.further`` are drawn in each
    pass; none of them is used for validation.

    Raises:
        FieldSetError: a text that the grammar does not write, naming the file; no field left.
        CheckpointError: ``out`` holds a run of other settings or other fields.
    """
    began = time.perf_counter()
    torch.manual_seed(settings.seed)
    reader = CheckReader(settings.grammar, settings.recognizer, seed=settings.seed)
    _check_texts(reader, [*fields, *further])
    hashes = sorted(file_hash(one.path) for one in (*fields, *further))
    run = {"settings": asdict(settings), "fields": hashes}
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")

    parts = split_in_blocks(fields, settings.validation, settings.seed)
    ours, others = ([fields[i] for i in part] for part in parts)
    training, problems = segmented(ours, workers, progress, variants=settings.variants)
    validation, more = segmented(others, workers, progress, views=reader.views)
    extra, most = segmented(further, workers, progress)
    problems += more + most
    if not training:
        raise FieldSetError("no field is left to train on")
    mixed = Mixture(training, extra, settings.further)
    loop = _Loop(reader, settings, run, out, len(mixed))
    draw = None
    digits_read = any(character.isdigit() for character in reader.rules.characters)
    if digits_read and isinstance(reader.network, LeNet5):
        digits, name = digit_images(settings.digits)
        draw = drawer(reader.network, digits)
    if draw is not None and settings.replay > 0:
        loop.replay = draw
    if not loop.resume():
        if draw is not None and settings.digit_passes > 0:
            started = time.perf_counter()
            steps = max(1, round(settings.digit_passes * len(digits[0]) / DIGIT_BATCH))
            loss = pretrain(
                reader.network, draw, steps=steps, seed=settings.seed, progress=progress
            )
            loop.log({"digits": name, "loss": loss, "seconds": time.perf_counter() - started})
        loop.start()
    for number in range(loop.done, settings.passes):
        loop.one_pass(number, mixed, validation, progress)

    loop.use_average()
    reader.eval()
    outcomes = [
        Outcome(one.name, one.text, reading)
        for one, reading in zip(validation, _read(reader, validation, reader.views), strict=True)
    ]
    reader.threshold = threshold_for(outcomes, most_errors=0.01, wrong_labels=settings.wrong_labels)
    metrics = {
        "training_fields": len(training),
        "further_fields": len(mixed.further),
        "validation_fields": len(validation),
        "validation_exact": _share(outcomes),
        "threshold": reader.threshold,
        "passes": settings.passes,
        "seconds": loop.seconds_before + time.perf_counter() - began,
        "problems": problems,
        "parameters": sum(p.numel() for p in reader.parameters() if p.requires_grad),
    }
    reader.training_facts.seen = hashes
    reader.training_facts.report = metrics | {"settings": asdict(settings)}
    reader.save(out / "reader.safetensors")
    write_whole(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


class _Loop:
    """Passes over the fields; all that the next pass depends on is in the state file."""

    def __init__(
        self, reader: CheckReader, settings: Settings, run: dict[str, Any], out: Path, fields: int
    ) -> None:
        self.reader, self.settings, self.run, self.out = reader, settings, run, out
        self.loss = LOSSES[settings.loss](reader.grammar, infeasible="skip", reduction="none")
        slow = list(reader.network.parameters())
        fast = [p for name, p in reader.named_parameters() if ".network." not in name]
        self.optimizer = torch.optim.AdamW(
            [{"params": slow, "factor": 1.0}, {"params": fast, "factor": 5.0}],
            weight_decay=settings.decay,
        )
        self.batches = math.ceil(fields / settings.batch)
        self.distort = Distortion(**settings.distortion)
        self.average = {k: v.clone() for k, v in reader.state_dict().items()}
        self.replay: Draw | None = None
        self.done = 0
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
        torch.manual_seed(draw)  # of what drop-out leaves out
        order = training.draw(generator)
        total, skipped = 0.0, 0
        self.reader.train()
        bar = tqdm(
            range(self.batches),
            desc=f"pass {number + 1}/{self.settings.passes}",
            unit="batch",
            disable=not progress,
            leave=False,
        )
        for b in bar:
            chosen = order[b :: self.batches]
            self._rate(number * self.batches + b)
            graphs = distorted_graphs(chosen, self.reader.recognize.reads, self.distort, generator)
            each = self.loss(self.reader.recognize(graphs), [one.text for one in chosen])
            # Of the four criteria this one alone is minus the log of a probability.
            likelihood = self.settings.loss == "discriminative-forward"
            if likelihood and 3 * number >= self.settings.passes:
                each = with_wrong_labels(each, self.settings.wrong_labels)
            loss = each.sum() / max(1, len(chosen) - self.loss.skipped)
            self.optimizer.zero_grad()
            loss.backward()
            if self.replay is not None:
                (REPLAY_SHARE * self.replay(self.settings.replay, generator)).backward()
            torch.nn.utils.clip_grad_norm_(self.reader.parameters(), 5.0)
            self.optimizer.step()
            for key, value in self.reader.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, self.settings.averaging)
                else:  # how many batches the statistics are of
                    self.average[key].copy_(value)
            total += loss.item() * len(chosen)
            skipped += self.loss.skipped
            bar.set_postfix(loss=f"{loss.item():.3f}")
        self.reader.eval()
        kept = {k: v.clone() for k, v in self.reader.state_dict().items()}
        self.use_average()
        readings = _read(self.reader, validation, views=1)
        self.reader.load_state_dict(kept)
        exact = sum(r.text == v.text for r, v in zip(readings, validation, strict=True))
        self.done = number + 1
        seconds = time.perf_counter() - started
        self.seconds += seconds
        line = {
            "pass": self.done,
            "loss": total / len(training),
            "infeasible": skipped,
            "validation_exact": exact / max(len(validation), 1),
            "seconds": seconds,
        }
        self.log(line)
        self._save()
        if progress:
            tqdm.write(
                f"pass {self.done}: loss {line['loss']:.3f}, "
                f"validation {line['validation_exact']:.1%} exact, {seconds:.0f} s"
            )

    def _rate(self, step: int) -> None:
        """Set the learning rate: a short rise, then a cosine to zero."""
        share = step / max(1, self.batches * self.settings.passes)
        rise = 0.1
        height = (
            share / rise if share < rise else 0.5 * (1 + math.cos(math.pi * (share - rise) / 0.9))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * group["factor"] * height

    def log(self, line: dict[str, Any]) -> None:
        """Append a line to the log."""
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def _save(self) -> None:
        tensors = {f"reader.{k}": v for k, v in self.reader.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{key}": value for key, value in state.items()}
        about = self.run | {"done": self.done, "seconds": self.seconds}
        save_checkpoint(self.out / "state.safetensors", tensors, about)

    def resume(self) -> bool:
        """Go on from the state file; False if there is none."""
        path = self.out / "state.safetensors"
        if not path.exists():
            (self.out / "log.jsonl").unlink(missing_ok=True)
            return False
        tensors, about = load_checkpoint(path)
        if {key: about.get(key) for key in self.run} != self.run:
            raise CheckpointError(
                f"{path}: belongs to a run of other settings or other fields; "
                "choose another --out, or remove it"
            )
        self.reader.load_state_dict(
            {k.removeprefix("reader."): v for k, v in tensors.items() if k.startswith("reader.")}
        )
        self.average = {
            k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")
        }
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, i, name = key.split(".", 2)
                states.setdefault(int(i), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": states})
        self.done, self.seconds = about["done"], about["seconds"]
        self.seconds_before = self.seconds
        # A run killed between a line of the log and its state would write that line twice.
        log = self.out / "log.jsonl"
        lines = log.read_text().splitlines(keepends=True) if log.exists() else []
        kept = [x for x in lines if x.endswith("\n") and json.loads(x).get("pass", 0) <= self.done]
        write_whole(log, "".join(kept))
        return True


def with_wrong_labels(losses: torch.Tensor, share: float) -> torch.Tensor:
    """Return minus the logarithm of a mixture: ``share`` of the labels say nothing of the field.

    ``-log((1 - share) exp(-loss) + share)``: about the loss where it is small, and never much
    above ``-log(share)``, with a gradient that vanishes there.

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
        found += reader.read_segmentations([s.segmentations[:views] for s in samples[i : i + 32]])
    return found


def _check_texts(reader: CheckReader, fields: Sequence[Field]) -> None:
    wrong = [one for one in fields if not reader.rules.writes(one.text)]
    if wrong:
        named = "; ".join(f"{one.name}: {one.text!r}" for one in wrong[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise FieldSetError(
            f"the grammar {reader.rules.name!r} does not write the text of {named}{more}; "
            f"its characters are {reader.rules.characters!r}"
        )


def _share(outcomes: Sequence[Outcome]) -> float:
    return sum(o.exact for o in outcomes) / max(len(outcomes), 1)
