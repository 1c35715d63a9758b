"""Cross-validation: each field is read by a reader that has not seen it."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from demos.checks.measuring.evaluate import Outcome, evaluate, shares_of, threshold_for
from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.training.settings import Settings
from demos.checks.training.train import train
from demos.figures import keep_figures, load_figures
from demos.run_state import differences, training_into
from recognizers.datasets.fields import Field, FieldSetError, fingerprints

__all__ = ["crossvalidate", "doubtful_names", "folds_of", "operating_point", "summary", "without"]

MEASURED = ("exact", "digit_error", "accepted", "accepted_error", "accepted_at_1pct_error")


def folds_of(fields: Sequence[Field], folds: int, seed: int, block: int = 24) -> list[list[int]]:
    """Return the indexes of the fields of each fold, about equally many in each.

    Blocks of ``block`` successive names stay together, since one person often wrote them all.

    Raises:
        FieldSetError: there are fewer than two folds, or fewer blocks than folds.

    >>> fields = [Field(Path(f"{i}.png"), "1") for i in range(6)]
    >>> sorted(sum(folds_of(fields, 3, seed=0, block=1), []))
    [0, 1, 2, 3, 4, 5]
    """
    by_name = sorted(range(len(fields)), key=lambda i: fields[i].name)
    blocks = math.ceil(len(fields) / block)
    if not 2 <= folds <= blocks:
        raise FieldSetError(f"{blocks} blocks of fields cannot make {folds} folds")
    order = np.random.default_rng(seed).permutation(blocks)
    return [
        [i for b in order[k::folds].tolist() for i in by_name[b * block : (b + 1) * block]]
        for k in range(folds)
    ]


def crossvalidate(
    fields: Sequence[Field],
    settings: Settings,
    out: Path,
    *,
    folds: int = 5,
    block: int = 24,
    further: Sequence[Field] = (),
    doubtful: Collection[str] = (),
    workers: int = 2,
    progress: bool = True,
) -> dict[str, Any]:
    """Train and measure a reader for each fold; return the :func:`summary` of the folds.

    ``doubtful`` names fields whose labels are in doubt; the result holds the figures without them
    under the same word.

    Each finished fold writes ``out/fold-K.json`` and is not run again; an interrupted fold resumes
    where it was. ``out/summary.json`` is written last.

    Raises:
        FieldSetError: ``out`` holds folds of other settings or other fields; or as
            :func:`folds_of`.
        CheckpointError: another process runs in ``out``.
    """
    parts = folds_of(fields, folds, settings.seed, block)
    about = {"settings": asdict(settings), "folds": folds, "block": block, "fields": len(fields)}
    data = json.dumps([fingerprints(fields), fingerprints(further)])
    about["data"] = hashlib.sha256(data.encode()).hexdigest()
    done = []
    with training_into(out, make=True):
        for k, part in enumerate(parts):
            result = out / f"fold-{k}.json"
            if not result.exists():
                chosen = set(part)
                others = [one for i, one in enumerate(fields) if i not in chosen]
                place = out / f"fold-{k}"
                trained = train(
                    others, settings, place, further=further, workers=workers, progress=progress
                )
                reader = CheckReader.load(place / "reader.safetensors")
                figures = evaluate(reader, [fields[i] for i in part], workers=workers)
                outcomes = figures.pop("outcomes")
                wrong = {o.name: [o.truth, o.reading.text] for o in outcomes if not o.exact}
                line = {"fold": k, **figures, "seconds": trained["seconds"], "wrong": wrong}
                line["readings"] = [
                    [o.name, o.truth, o.reading.text, o.reading.confidence] for o in outcomes
                ]
                keep_figures(result, line | {"run": about})
            found = load_figures(result)
            if found["run"] != about:
                raise FieldSetError(
                    f"{result}: a fold of other settings or other fields "
                    f"({differences(found['run'], about)}); choose another --out"
                )
            done.append(found)
        total = summary(done) | {"run": about}
        total["operating_point"] = operating_point(done, wrong_labels=settings.wrong_labels)
        if doubtful:
            others = without(done, doubtful)
            # The remaining labels are taken to be right.
            total["doubtful"] = summary(others) | {"operating_point": operating_point(others)}
        keep_figures(out / "summary.json", total)
    return total


def operating_point(
    folds: Sequence[dict[str, Any]], *, most_errors: float = 0.01, wrong_labels: float = 0.0
) -> dict[str, Any]:
    """Return what each fold accepts at the threshold chosen on all the others.

    Each threshold is thus chosen on hundreds of fields, all read by readers that have not seen
    them, and applied to fields that are not among them. Folds of older runs, which have no
    ``readings``, are left out.

    Returns:
        ``accepted``, the share of fields that is accepted; ``accepted_error``, the share of these
        that is wrong; their ``standard_errors`` over the folds; ``thresholds``.

    >>> right = {"readings": [["a", "1", "1", 0.9], ["b", "2", "2", 0.8]]}
    >>> wrong = {"readings": [["c", "3", "3", 0.95], ["d", "4", "7", 0.85]]}
    >>> found = operating_point([right, wrong])
    >>> found["thresholds"], found["accepted"], found["accepted_error"]
    ([0.95, 0.8], 0.5, 0.5)
    """
    read = [
        [Outcome(name, truth, Reading(text, c, True)) for name, truth, text, c in fold["readings"]]
        for fold in folds
        if "readings" in fold
    ]
    if len(read) < 2:
        return {}
    thresholds, shares, errors, count, bad = [], [], [], 0, 0
    for k, mine in enumerate(read):
        others = [one for i, part in enumerate(read) if i != k for one in part]
        threshold = threshold_for(others, most_errors=most_errors, wrong_labels=wrong_labels)
        accepted = [one for one in mine if one.reading.confidence >= threshold]
        wrong = sum(not one.exact for one in accepted)
        thresholds.append(threshold)
        shares.append(len(accepted) / len(mine))
        errors.append(wrong / max(len(accepted), 1))
        count, bad = count + len(accepted), bad + wrong
    root = math.sqrt(len(read))
    return {
        "accepted": float(np.mean(shares)),
        "accepted_error": bad / max(count, 1),
        "standard_errors": {
            "accepted": float(np.std(shares, ddof=1)) / root,
            "accepted_error": float(np.std(errors, ddof=1)) / root,
        },
        "thresholds": thresholds,
    }


def doubtful_names(path: Path, fields: Sequence[Field]) -> set[str]:
    """Return the names in the column ``file`` of a CSV table, each of which a field must have.

    Raises:
        FieldSetError: the table has no such column or is not UTF-8, or a name is that of no field.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as table:
            rows = csv.DictReader(table)
            if "file" not in (rows.fieldnames or ()):
                raise FieldSetError(f"{path}: no column 'file' in the first line")
            names = {row["file"] or "" for row in rows}  # a row may end before that column
    except UnicodeDecodeError as error:
        raise FieldSetError(f"{path}: not UTF-8 text ({error.reason})") from error
    unknown = sorted(names - {one.name for one in fields})
    if unknown:
        called = ", ".join(name or "'' (a row without a name)" for name in unknown[:5])
        raise FieldSetError(f"{path}: no field is called {called}")
    return names


def without(folds: Sequence[dict[str, Any]], names: Collection[str]) -> list[dict[str, Any]]:
    """Return the folds with figures of all fields except those with these names.

    Each fold keeps its threshold, so it accepts the same fields as before.

    >>> fold = {"seconds": 1.0, "accepted": 0.5}
    >>> fold["readings"] = [["a", "1", "1", 0.9], ["b", "2", "7", 0.8]]
    >>> found = without([fold], {"b"})[0]
    >>> found["n"], found["exact"], found["accepted"]
    (1, 1.0, 1.0)
    """
    found = []
    for fold in folds:
        confidences = sorted((c for *_, c in fold["readings"]), reverse=True)
        count = round(fold["accepted"] * len(confidences))
        threshold = confidences[count - 1] if count else math.inf
        kept = [reading for reading in fold["readings"] if reading[0] not in names]
        outcomes = [
            Outcome(name, truth, Reading(text, c, c >= threshold)) for name, truth, text, c in kept
        ]
        wrong = {o.name: [o.truth, o.reading.text] for o in outcomes if not o.exact}
        found.append({**fold, "readings": kept, "wrong": wrong, **shares_of(outcomes)})
    return found


def summary(folds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of each figure over the folds, its standard error, and all misread fields.

    The standard error of a mean of K folds is their standard deviation divided by the root of K.

    >>> figures = {name: 0.0 for name in MEASURED} | {"n": 2, "seconds": 1.0}
    >>> found = summary([figures | {"exact": 1.0}, figures | {"exact": 0.5}])
    >>> found["exact"], found["standard_errors"]["exact"]
    (0.75, 0.25)
    """
    table = np.array([[fold[name] for name in MEASURED] for fold in folds], dtype=np.float64)
    spread = table.std(axis=0, ddof=1) / math.sqrt(len(folds)) if len(folds) > 1 else 0 * table[0]
    return {
        "n": sum(fold["n"] for fold in folds),
        **dict(zip(MEASURED, table.mean(axis=0).tolist(), strict=True)),
        "standard_errors": dict(zip(MEASURED, spread.tolist(), strict=True)),
        "seconds": sum(fold["seconds"] for fold in folds),
        "wrong": {name: texts for fold in folds for name, texts in fold.get("wrong", {}).items()},
    }
