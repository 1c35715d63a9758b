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
from torch.nn import functional
from tqdm import tqdm

import gtn
from demos.checks.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, write_whole
from demos.checks.evaluate import Outcome, threshold_for
from demos.checks.ink import segment_files
from demos.checks.pretraining import DIGIT_BATCH, Draw, digit_images, drawer, pretrain
from demos.checks.reader import CheckReader
from recognizers.datasets.fields import Field, FieldSetError, file_hash, split_by_hash
from recognizers.distortion import Distortion
from recognizers.images import ImageError
from recognizers.segmentation import Segmentation
from recognizers.segmentation_graph import segmentation_graph

__all__ = ["LOSSES", "Settings", "train"]

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
    each pass; ``replay`` single digits go through the network beside each batch of fields, so
    that it keeps what it knew of other hands; the reader that is kept is the running mean of the
    parameters, with ``averaging`` as the share of the newest.
    """

    grammar: str = "car"
    loss: str = "discriminative-forward"
    output: str = "softmax"
    passes: int = 40
    batch: int = 8
    rate: float = 2e-3
    digits: str = "auto"
    digit_passes: float = 3.0
    validation: float = 0.1
    averaging: float = 0.005
    variants: int = 3
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


@dataclass
class Sample:
    """A field ready for training: segmented as it is, and as variants of it are."""

    name: str
    text: str
    segmentations: list[Segmentation]

    @property
    def segmentation(self) -> Segmentation:
        """The field as it is."""
        return self.segmentations[0]


def train(
    fields: Sequence[Field],
    settings: Settings,
    out: Path,
    *,
    workers: int = 2,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a reader on fields and write it to ``out/reader.safetensors``; return the metrics.

    ``out`` also holds ``settings.json``, ``log.jsonl`` (a line per pass), ``metrics.json``, and
    ``state.safetensors``, from which an interrupted run goes on after its last whole pass, with
    the same result.

    Raises:
        FieldSetError: a text that the grammar does not write, naming the file; no field left.
        CheckpointError: ``out`` holds a run of other settings or other fields.
    """
    began = time.perf_counter()
    torch.manual_seed(settings.seed)
    reader = CheckReader(settings.grammar, {"output": settings.output}, seed=settings.seed)
    _check_texts(reader, fields)
    hashes = sorted(file_hash(one.path) for one in fields)
    run = {"settings": asdict(settings), "fields": hashes}
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")

    training, validation, problems = _samples(fields, settings, workers, progress)
    if not training:
        raise FieldSetError("no field is left to train on")
    loop = _Loop(reader, settings, run, out, len(training))
    draw = None
    if any(character.isdigit() for character in reader.rules.characters):
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
        loop.one_pass(number, training, validation, progress)

    loop.use_average()
    reader.eval()
    outcomes = [
        Outcome(one.name, one.text, reading)
        for one, reading in zip(validation, _read(reader, validation), strict=True)
    ]
    reader.threshold = threshold_for(outcomes, most_errors=0.01)
    metrics = {
        "training_fields": len(training),
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
        self.loss = LOSSES[settings.loss](reader.grammar, infeasible="skip", reduction="mean")
        slow = list(reader.network.parameters())
        fast = [p for name, p in reader.named_parameters() if ".network." not in name]
        self.optimizer = torch.optim.AdamW(
            [{"params": slow, "factor": 1.0}, {"params": fast, "factor": 5.0}], weight_decay=1e-4
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
        self, number: int, training: list[Sample], validation: list[Sample], progress: bool
    ) -> None:
        """Go through the training fields once, log it, and write the state."""
        started = time.perf_counter()
        generator = torch.Generator().manual_seed(1_000_003 * self.settings.seed + number)
        order = torch.randperm(len(training), generator=generator).tolist()
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
            chosen = [training[i] for i in order[b :: self.batches]]
            self._rate(number * self.batches + b)
            graphs = _graphs(chosen, self.distort, generator)
            loss = self.loss(self.reader.recognize(graphs), [one.text for one in chosen])
            self.optimizer.zero_grad()
            loss.backward()
            if self.replay is not None:
                (REPLAY_SHARE * self.replay(self.settings.replay, generator)).backward()
            torch.nn.utils.clip_grad_norm_(self.reader.parameters(), 10.0)
            self.optimizer.step()
            for key, value in self.reader.state_dict().items():
                self.average[key].lerp_(value, self.settings.averaging)
            total += loss.item() * len(chosen)
            skipped += self.loss.skipped
            bar.set_postfix(loss=f"{loss.item():.3f}")
        self.reader.eval()
        readings = _read(self.reader, validation)
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


def _graphs(
    samples: Sequence[Sample], distort: Distortion, generator: torch.Generator
) -> gtn.GraphBatch:
    """Return the batch of segmentation graphs of one variant each, their ink distorted."""
    chosen = [
        one.segmentations[int(torch.randint(len(one.segmentations), (1,), generator=generator))]
        for one in samples
    ]
    batch = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in chosen])
    return batch.with_data(image=rethicken(distort(batch.data["image"], generator), generator))


def rethicken(images: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Return images ``[A, 1, H, W]`` with strokes that are thicker or thinner, each at random."""
    thick = functional.max_pool2d(images, 3, 1, 1)
    thin = -functional.max_pool2d(-images, 3, 1, 1)
    share = 1.4 * torch.rand(len(images), 1, 1, 1, generator=generator) - 0.7
    return torch.where(
        share > 0, images + share * (thick - images), images - 0.5 * share * (thin - images)
    )


def _read(reader: CheckReader, samples: Sequence[Sample]) -> list[Any]:
    found = []
    for i in range(0, len(samples), 32):
        found += reader.read_segmentations([s.segmentation for s in samples[i : i + 32]])
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


def _samples(
    fields: Sequence[Field], settings: Settings, workers: int, progress: bool
) -> tuple[list[Sample], list[Sample], list[str]]:
    """Segment all fields; return training and validation samples, and what could not be read."""
    paths = [one.path for one in fields]
    found: list[Sample | None] = []
    problems = []
    results = segment_files(paths, workers, settings.variants)
    bar = tqdm(results, total=len(paths), desc="segmenting", unit="field", disable=not progress)
    for one, (_, result) in zip(fields, bar, strict=True):
        if isinstance(result, ImageError):
            problems.append(str(result))
            tqdm.write(f"left out: {result}")
            found.append(None)
        else:
            found.append(Sample(one.name, one.text, result))
    parts = split_by_hash(fields, settings.validation, settings.seed)
    training, validation = ([s for i in part if (s := found[i])] for part in parts)
    return training, validation, problems


def _share(outcomes: Sequence[Outcome]) -> float:
    return sum(o.exact for o in outcomes) / max(len(outcomes), 1)
