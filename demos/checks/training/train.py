"""Training the check reader from amounts alone: no boxes, one loss through the graphs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from demos.checkpoint import (
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
    tensors_hash,
    write_whole,
)
from demos.checks.measuring.calibration import calibrate
from demos.checks.measuring.curves import write_curves
from demos.checks.measuring.evaluate import Outcome
from demos.checks.reading.lines import LineReading
from demos.checks.reading.reader import CheckReader
from demos.checks.training.lines import LineTraining
from demos.checks.training.samples import Mixture, Sample, prepared
from demos.checks.training.segments import SegmentTraining
from demos.checks.training.settings import Settings
from recognizers.datasets.fields import Field, FieldSetError, fingerprints, split_in_blocks

__all__ = ["LOSSES", "Settings", "train", "with_wrong_labels"]

LOSSES = (
    "viterbi",
    "discriminative-viterbi",
    "forward",
    "discriminative-forward",
    "hinge",
    "expected-risk",
    "ctc",
)
"""The four criteria of section VI, two later ones, and that of a network alone on whole lines."""

PROBABLE = ("discriminative-forward", "ctc")
"""Those that are minus the logarithm of a probability."""

KNOWS = 0.75
"""Share of -log(wrong_labels), the loss of a wrong label, below which the mean loss must be."""


def train(
    fields: Sequence[Field],
    settings: Settings,
    out: Path,
    *,
    further: Sequence[Field] = (),
    start: CheckReader | None = None,
    workers: int = 2,
    progress: bool = True,
    infeasible: str = "raise",
) -> dict[str, Any]:
    """Train a reader on fields and write it to ``out/reader.safetensors``; return the metrics.

    ``out`` also holds ``settings.json``, ``log.jsonl`` (a line per pass), ``metrics.json``,
    ``curves.svg``, and ``state.safetensors``, from which an interrupted run goes on after its last
    whole pass, with the same result. ``best.safetensors`` is the reader after the pass that read
    the most validation fields, the last such pass; there is none without validation fields.

    With ``start`` the reader begins with what another has learned (:meth:`CheckReader.begin_with`)
    in the place of pretraining on single digits.

    Of the ``further`` fields, composed ones for instance, ``settings.further`` are drawn in each
    pass; none of them is used for validation. A field whose text the grammar does not write is
    an error; or, where ``infeasible`` is ``"skip"``, left out and named among the ``problems`` of
    the metrics.

    Raises:
        FieldSetError: a text that the grammar does not write, naming the file; no field left.
        CheckpointError: ``out`` holds a run of other settings, other fields or another ``start``.
        ValueError: ``start`` has another recognizer.
    """
    began = time.perf_counter()
    torch.manual_seed(settings.seed)
    reader = CheckReader(settings.grammar, settings.recognizer, seed=settings.seed)
    if start is not None:
        reader.begin_with(start)
    fields, problems = _writable(reader, fields, infeasible)
    further, others_left_out = _writable(reader, further, infeasible)
    parts = split_in_blocks(fields, settings.validation, settings.seed)
    run = {
        "settings": asdict(settings),
        "fields": fingerprints([fields[i] for part in parts for i in part]),
        "further": fingerprints(further),
        "start": None if start is None else tensors_hash(start.state_dict()),
    }
    out.mkdir(parents=True, exist_ok=True)

    ours, others = ([fields[i] for i in part] for part in parts)
    prepare = reader.recognize.prepare
    variants = settings.variants
    training, bad = prepared(ours, prepare, workers, progress, variants=variants)
    validation, more = prepared(others, prepare, workers, progress, views=reader.views)
    extra, most = prepared(further, prepare, workers, progress)
    problems += others_left_out + bad + more + most
    if not training:
        raise FieldSetError("no field is left to train on")
    if not validation:
        problems.append("no field is for validation, so only certain readings will be accepted")
    mixed = Mixture(training, extra, settings.further)
    loop = _Loop(reader, settings, run, out, len(mixed))
    if not loop.resume(training):
        line = None if start is not None else loop.training.before(progress)
        if line is not None:
            loop.log(line)
        loop.start()
    write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
    for number in range(loop.done, settings.passes):
        loop.one_pass(number, mixed, validation, progress)

    seen = {line[0] for line in (*run["fields"], *run["further"])}
    reader.training_facts.seen = sorted(seen | set(start.training_facts.seen if start else ()))
    metrics = {
        "training_fields": len(training),
        "further_fields": len(mixed.further),
        "validation_fields": len(validation),
        **_calibrated(reader, loop.average, validation, settings),
        "passes": settings.passes,
        "start": run["start"],
        "seconds": loop.seconds_before + time.perf_counter() - began,
        "problems": problems,
        "parameters": sum(p.numel() for p in reader.parameters() if p.requires_grad),
    }
    reader.training_facts.report = metrics | {"settings": asdict(settings)}
    reader.save(out / "reader.safetensors")
    if loop.best:
        best = metrics | _calibrated(reader, loop.best, validation, settings)
        best["passes"] = loop.best_pass
        reader.training_facts.report = best | {"settings": asdict(settings)}
        reader.save(out / "best.safetensors")
        metrics["best"] = {key: best[key] for key in ("passes", "validation_exact")}
    else:  # what stands there is of another run
        (out / "best.safetensors").unlink(missing_ok=True)
    write_whole(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    write_curves(out)
    return metrics


def _calibrated(
    reader: CheckReader,
    parameters: dict[str, torch.Tensor],
    validation: Sequence[Sample],
    settings: Settings,
) -> dict[str, Any]:
    """Give the reader its parameters, and fit scale and threshold; return what came of it."""
    reader.load_state_dict(parameters)
    reader.eval()
    outcomes, calibration = calibrate(
        reader,
        [one.prepared[: reader.views] for one in validation],
        [one.name for one in validation],
        [one.text for one in validation],
        wrong_labels=settings.wrong_labels,
    )
    return {"validation_exact": _share(outcomes), **calibration}


class _Loop:
    """Passes over the fields; all that the next pass depends on is in the state file."""

    def __init__(
        self, reader: CheckReader, settings: Settings, run: dict[str, Any], out: Path, fields: int
    ) -> None:
        self.reader, self.settings, self.run, self.out = reader, settings, run, out
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
        torch.manual_seed(draw)  # of what drop-out leaves out
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
            # Never a mean over more than the last tenth of the steps: the first were far off.
            steps = number * self.batches + b
            newest = max(self.settings.averaging, 1.0 / (1.0 + 0.1 * steps))
            for key, value in self.reader.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, newest)
                else:  # how many batches the statistics are of
                    self.average[key].copy_(value)
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
        self.log(line)
        self._save()
        if progress:
            tqdm.write(
                f"pass {self.done}: loss {line['loss']:.3f}, "
                f"validation {line['validation_exact']:.1%} exact, {seconds:.0f} s"
            )

    def _reckons_with_wrong_labels(self, number: int) -> bool:
        """Whether some labels are taken for wrong: not before the reader knows most fields.

        Else, after few passes over few fields, all labels would seem to be wrong.
        """
        share, ripe = self.settings.wrong_labels, 3 * number >= self.settings.passes
        probable = self.settings.loss in PROBABLE and share > 0.0
        return probable and ripe and self.level < -KNOWS * math.log(share)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Have the reader read with the running mean of its parameters."""
        kept = {k: v.clone() for k, v in self.reader.state_dict().items()}
        self.use_average()
        self.reader.eval()
        yield
        self.reader.load_state_dict(kept)

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
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        tensors |= {f"training.{k}": v for k, v in self.training.state().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{key}": value for key, value in state.items()}
        about = self.run | {"done": self.done, "seconds": self.seconds}
        about["level"] = self.level if math.isfinite(self.level) else None
        best = self.best_exact if math.isfinite(self.best_exact) else None
        about |= {"best_pass": self.best_pass, "best_exact": best}
        save_checkpoint(self.out / "state.safetensors", tensors, about)

    def resume(self, samples: Sequence[Sample]) -> bool:
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
        parts: dict[str, dict[str, torch.Tensor]] = {
            name: {} for name in ("reader", "average", "best", "training")
        }
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
        self.reader.load_state_dict(parts["reader"])
        self.average, self.best = parts["average"], parts["best"]
        self.training.restore(parts["training"], samples)
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in parts.get("optimizer", {}).items():
            i, _, name = key.partition(".")
            states.setdefault(int(i), {})[name] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": states})
        self.done, self.seconds = about["done"], about["seconds"]
        self.level = math.inf if about.get("level") is None else about["level"]
        # A run that was begun before there was a best pass has none to compare with.
        self.best_pass = about.get("best_pass", 0)
        self.best_exact = math.inf if about.get("best_exact") is None else about["best_exact"]
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
        found += reader.read_prepared([s.prepared[:views] for s in samples[i : i + 32]])
    return found


def _writable(
    reader: CheckReader, fields: Sequence[Field], infeasible: str
) -> tuple[list[Field], list[str]]:
    """Return the fields whose text the grammar writes, and what is wrong with the others."""
    if infeasible not in ("raise", "skip"):
        raise ValueError(f"infeasible={infeasible!r}; known are 'raise', 'skip'")
    writes = {text: reader.rules.writes(text) for text in {one.text for one in fields}}
    wrong = [one for one in fields if not writes[one.text]]
    name, characters = reader.rules.name, reader.rules.characters
    if wrong and infeasible == "raise":
        named = "; ".join(f"{one.name}: {one.text!r}" for one in wrong[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise FieldSetError(
            f"the grammar {name!r} does not write the text of {named}{more}; "
            f"its characters are {characters!r}"
        )
    problems = [f"{one.path}: the grammar {name!r} does not write {one.text!r}" for one in wrong]
    return [one for one in fields if writes[one.text]], problems


def _share(outcomes: Sequence[Outcome]) -> float:
    return sum(o.exact for o in outcomes) / max(len(outcomes), 1)
