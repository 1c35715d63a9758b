"""Train a reader of whole checks from a folder of checks (:mod:`demos.checks.whole.loop`)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from demos.checkpoint import tensors_hash, write_whole
from demos.checks.measuring.curves import write_curves
from demos.checks.measuring.evaluate import Outcome
from demos.checks.reading.lines import LineReading
from demos.checks.reading.reader import CheckReader
from demos.checks.whole.data import KnownCheck
from demos.checks.whole.loop import WholeLoop
from demos.checks.whole.reader import Prepared, WholeReader
from demos.checks.whole.samples import (
    LocatedCheck,
    WrittenLine,
    composed_lines,
    lines_of,
    locate_all,
)
from demos.checks.whole.settings import WholeSettings
from recognizers.datasets.fields import FieldSetError

__all__ = ["split_by_family", "train_whole"]


def train_whole(
    checks: Sequence[KnownCheck],
    settings: WholeSettings,
    out: Path,
    *,
    digits: Path,
    start: CheckReader | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a reader of whole checks; write ``out/reader.safetensors``; return the metrics.

    ``out`` also holds ``settings.json``, ``log.jsonl`` (a line per pass; drawn in ``curves.svg``),
    ``metrics.json`` and
    ``state.safetensors``, from which an interrupted run resumes after its last whole pass, with
    the same result.

    Args:
        checks: with their parts and layouts, as composed checks have them.
        settings: a swept recognizer is trained; one that reads segments is used as it is.
        out: folder, created if missing.
        digits: MNIST folder, for further lines.
        start: a reader of fields to start from: all of it that fits is taken.

    Raises:
        FieldSetError: the fields of no check are known.
        CheckpointError: ``out`` holds a run of other settings, other checks or another ``start``.
    """
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    ours, others = split_by_family(checks, settings.validation, settings.seed)
    if not any(check.parts for check in ours):
        raise FieldSetError("no check whose fields are known: truth.jsonl says where they are")
    training, problems = locate_all(ours, progress=progress)
    validation, more = locate_all(others, progress=progress)
    torch.manual_seed(settings.seed)
    fields = CheckReader(settings.grammar, settings.recognizer, seed=settings.seed)
    if start is not None:
        fields.begin_with(start)
    reader = WholeReader(fields, paths=settings.paths)
    run = {
        "settings": asdict(settings),
        "checks": [[check.name, check.text] for check in checks],
        "begun": tensors_hash(reader.state_dict()),
    }
    loop = WholeLoop(reader, settings, run, out, progress)
    loop.resume()
    write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
    lines: list[WrittenLine] = []
    if loop.done < settings.line_passes and isinstance(reader.reader.recognize, LineReading):
        lines = lines_of(training)
        further = composed_lines(settings.composed, settings.seed, digits)
        for number in range(loop.done, settings.line_passes):
            loop.pass_of_lines(number, lines, further)
    loop.done = max(loop.done, settings.line_passes)
    if loop.done == settings.line_passes:
        loop.train_fields(training)
    prepared = _prepared(reader, training, settings)
    for number in range(loop.done - settings.line_passes - 1, settings.global_passes):
        loop.pass_of_checks(number, prepared)

    reader.eval()
    outcomes = [
        Outcome(
            one.check.name,
            reader.writes(one.check.text),
            reader.read_prepared([_located(reader, one)])[0],
        )
        for one in tqdm(validation, desc="validation", unit="check", disable=not progress)
    ]
    reader.threshold = smooth_threshold(outcomes, settings.most_errors)
    accepted = [o for o in outcomes if o.reading.confidence >= reader.threshold]
    metrics = {
        "training_checks": len(training),
        "validation_checks": len(validation),
        "located": sum(bool(one.right) for one in training) / max(len(training), 1),
        "validation_exact": sum(o.exact for o in outcomes) / max(len(outcomes), 1),
        "validation_accepted": len(accepted) / max(len(outcomes), 1),
        "threshold": reader.threshold,
        "seconds": loop.seconds_before + time.perf_counter() - began,
        "problems": problems + more,
        "parameters": sum(p.numel() for p in reader.parameters()),
    }
    reader.report = metrics | {"settings": asdict(settings)}
    reader.save(out / "reader.safetensors")
    write_whole(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    write_curves(out)
    return metrics


def smooth_threshold(outcomes: Sequence[Outcome], most_errors: float) -> float:
    """Return the lowest confidence at which at most ``most_errors`` of all checks are read wrong.

    A hundred checks hold too few errors to count those above each threshold. Instead, the
    probability that a reading is right is fitted as a logistic function of the log-odds of its
    confidence, and the expected errors are summed.
    """
    confidence = np.array([o.reading.confidence for o in outcomes])
    right = np.array([o.exact for o in outcomes])
    odds = np.clip(confidence, 1e-6, 1.0 - 1e-6)
    odds = np.log(odds / (1.0 - odds))
    if len(set(right.tolist())) < 2:
        return float(confidence.min(initial=1.0)) if right.all() else 1.0
    model = LogisticRegression().fit(odds[:, None], right)
    wrong = model.predict_proba(odds[:, None])[:, 0]
    order = np.argsort(-confidence, kind="stable")
    expected = np.cumsum(wrong[order]) / len(order)
    good = int((expected <= most_errors).sum())
    return float(confidence[order][good - 1]) if good else 1.0


def split_by_family(
    checks: Sequence[KnownCheck], share: float, seed: int
) -> tuple[list[KnownCheck], list[KnownCheck]]:
    """Return (training, validation) checks, which share no family of layouts.

    >>> some = [KnownCheck(Path(f"{i}.png"), "1", layout=f"family{i % 4} 0") for i in range(8)]
    >>> [len(part) for part in split_by_family(some, 0.25, 0)]
    [6, 2]
    """
    families = sorted({check.family for check in checks})
    order = np.random.default_rng(seed).permutation(len(families))
    count = min(max(1, round(share * len(families))), len(families) - 1)
    chosen = {families[i] for i in order[:count]}
    parts: tuple[list[KnownCheck], list[KnownCheck]] = ([], [])
    for check in checks:
        parts[check.family in chosen].append(check)
    return parts


@torch.no_grad()
def _located(reader: WholeReader, one: LocatedCheck) -> Prepared:
    return reader.chosen(one.found)


def _prepared(
    reader: WholeReader, located: Sequence[LocatedCheck], settings: WholeSettings
) -> list[tuple[Prepared, str]]:
    if not settings.global_passes:
        return []
    return [(_located(reader, one), reader.writes(one.check.text)) for one in located]
