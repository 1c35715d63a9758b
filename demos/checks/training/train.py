"""Train the check reader from amounts alone: no boxes, one loss through the graphs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from demos.checkpoint import tensors_hash, write_whole
from demos.checks.measuring.calibration import calibrate, few_fields
from demos.checks.measuring.curves import write_curves
from demos.checks.measuring.evaluate import Outcome
from demos.checks.reading.reader import CheckReader
from demos.checks.training.loop import FieldLoop
from demos.checks.training.samples import Mixture, Sample, prepared
from demos.checks.training.settings import Settings
from demos.run_state import training_into
from recognizers.datasets.fields import Field, FieldSetError, fingerprints, split_in_blocks

__all__ = ["train"]


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
    ``curves.svg``, and ``state.safetensors``, from which an interrupted run resumes after its
    last whole pass, with the same result. ``best.safetensors`` is the reader after the pass that
    read the most validation fields, the last of several; without validation fields there is none.

    With ``start`` the reader begins with what another has learned (:meth:`CheckReader.begin_with`)
    instead of pretraining on single digits.

    Each pass draws ``settings.further`` of the ``further`` fields, which may be composed ones; none
    of them is used for validation. A field whose text the grammar does not write is an error;
    with ``infeasible="skip"`` it is left out and named among the ``problems`` of the metrics. The
    ``remarks`` of the metrics say if there were too few validation fields for a threshold.

    Raises:
        FieldSetError: a text that the grammar does not write, naming the file; no field left.
        CheckpointError: ``out`` holds a run of other settings, other fields or another ``start``;
            or another process trains into it.
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
    with training_into(out, make=True):
        ours, others = ([fields[i] for i in part] for part in parts)
        prepare = reader.recognize.prepare
        variants = settings.variants
        training, bad = prepared(ours, prepare, workers, progress, variants=variants)
        validation, more = prepared(others, prepare, workers, progress, views=reader.views)
        extra, most = prepared(further, prepare, workers, progress)
        problems += others_left_out + bad + more + most
        if not training:
            raise FieldSetError("no field is left to train on")
        mixed = Mixture(training, extra, settings.further)
        loop = FieldLoop(reader, settings, run, out, len(mixed))
        if not loop.resume(training):
            line = None if start is not None else loop.training.before(progress)
            if line is not None:
                loop.state.log(line)
            loop.start()
        write_whole(out / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
        for number in range(loop.done, settings.passes):
            loop.one_pass(number, mixed, validation, progress)

        seen = {line[0] for line in (*run["fields"], *run["further"])}
        reader.training_facts.seen = sorted(seen | set(start.training_facts.seen if start else ()))
        whose = None if start is None else "the reader that this one began with"
        metrics = {
            "training_fields": len(training),
            "further_fields": len(mixed.further),
            "validation_fields": len(validation),
            **_calibrated(reader, loop.average, validation, settings, start),
            "passes": settings.passes,
            "start": run["start"],
            "seconds": loop.seconds_before + time.perf_counter() - began,
            "problems": problems,
            "remarks": few_fields(len(validation), reader.threshold, whose),
            "parameters": sum(p.numel() for p in reader.parameters() if p.requires_grad),
        }
        reader.training_facts.report = metrics | {"settings": asdict(settings)}
        reader.save(out / "reader.safetensors")
        if loop.best:
            best = metrics | _calibrated(reader, loop.best, validation, settings, start)
            best["passes"] = loop.best_pass
            reader.training_facts.report = best | {"settings": asdict(settings)}
            reader.save(out / "best.safetensors")
            metrics["best"] = {key: best[key] for key in ("passes", "validation_exact")}
        else:  # a file there is of another run
            (out / "best.safetensors").unlink(missing_ok=True)
        write_whole(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        write_curves(out)
    return metrics


def _calibrated(
    reader: CheckReader,
    parameters: dict[str, torch.Tensor],
    validation: Sequence[Sample],
    settings: Settings,
    start: CheckReader | None,
) -> dict[str, Any]:
    """Load the parameters into the reader, and fit scale and threshold; return the figures."""
    reader.load_state_dict(parameters)
    reader.eval()
    outcomes, calibration = calibrate(
        reader,
        [one.prepared[: reader.views] for one in validation],
        [one.name for one in validation],
        [one.text for one in validation],
        wrong_labels=settings.wrong_labels,
        begun_with=start,
    )
    return {"validation_exact": _share(outcomes), **calibration}


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
            f"its characters are {characters!r}; correct the labels, give another grammar, or "
            "leave these fields out (--infeasible skip)"
        )
    problems = [f"{one.path}: the grammar {name!r} does not write {one.text!r}" for one in wrong]
    return [one for one in fields if writes[one.text]], problems


def _share(outcomes: Sequence[Outcome]) -> float:
    return sum(o.exact for o in outcomes) / max(len(outcomes), 1)
