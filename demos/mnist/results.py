"""Results of finished runs: one JSON file per row and seed, ``results/mnist/ROW-seedN.json``.

Tables, plots and cards are written from these files alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from demos.checkpoint import write_whole
from demos.figures import machine
from demos.mnist.choices import RESULTS

__all__ = [
    "CHOICES",
    "Result",
    "ResultError",
    "add_choice",
    "by_row",
    "error_reject_curve",
    "read_results",
    "reject_share",
    "result_path",
    "write_result",
]

CHOICES = "choices.jsonl"
"""File in the results folder with one line per choice tried on the last training digits."""


class ResultError(ValueError):
    """A file that is not a result; the message begins with its path."""


@dataclass(frozen=True)
class Result:
    """One finished run: what was run, and what it reached on the ``n`` test digits.

    ``error`` is the share of wrong answers and ``reject_for_half_percent`` the share that must be
    rejected so that 0.5% of the rest are wrong (None where a method has no confidence).
    ``multiply_adds`` and ``memory`` (stored numbers) are of one digit and of the whole method, and
    counted, not estimated. ``seconds`` has the keys "training" and "test"; ``passes`` is the log,
    one dict for each pass over the data; ``figures`` holds whatever a row has beside.
    """

    row: str
    model: str
    seed: int
    n: int
    error: float
    reject_for_half_percent: float | None
    parameters: int
    multiply_adds: float
    memory: int
    configuration: dict[str, Any]
    command: str
    seconds: dict[str, float]
    passes: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    machine: str = field(default_factory=machine)
    torch: str = torch.__version__


def result_path(row: str, seed: int, folder: str | Path = RESULTS) -> Path:
    """Return the file of a row and seed.

    >>> result_path("lenet-5", 0).as_posix()
    'results/mnist/lenet-5-seed0.json'
    """
    return Path(folder) / f"{row}-seed{seed}.json"


def write_result(result: Result, folder: str | Path = RESULTS) -> Path:
    """Write a result to its file, whole or not at all, and return the file."""
    path = result_path(result.row, result.seed, folder)
    # One line for each pass: the log is read by people too.
    lines = [
        f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in asdict(result).items() if k != "passes"
    ]
    passes = ",\n".join(f"    {json.dumps(line)}" for line in result.passes)
    lines.append(f'  "passes": [\n{passes}\n  ]' if passes else '  "passes": []')
    write_whole(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def read_results(folder: str | Path = RESULTS, row: str | None = None) -> list[Result]:
    """Return all results of a folder, or those of one row, ordered by row and seed.

    Raises:
        ResultError: a file is not the JSON of a result; names the file and what is missing.
    """
    found = []
    for path in sorted(Path(folder).glob("*-seed*.json")):
        try:
            content = json.loads(path.read_text())
            found.append(Result(**content))
        except (ValueError, TypeError) as error:
            wanted = ", ".join(f.name for f in fields(Result))
            raise ResultError(f"{path}: not a result ({error}); its keys are {wanted}") from error
    kept = [r for r in found if row is None or r.row == row]
    return sorted(kept, key=lambda r: (r.row, r.seed))


def error_reject_curve(penalties: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return share rejected and share wrong of the rest, both float64 [n], for every threshold.

    ``penalties`` [n, classes], lower is better; ``labels`` [n]. Digits are rejected in the order
    of the difference of their two least penalties, the least difference first (section III-B);
    entry k rejects k digits. Raises ValueError for fewer than two classes or no digit.

    >>> y = torch.tensor([[0.0, 9.0], [4.0, 5.0], [7.0, 0.0]])
    >>> error_reject_curve(y, torch.tensor([0, 1, 1]))[1]
    tensor([0.3333, 0.0000, 0.0000], dtype=torch.float64)
    """
    if penalties.dim() != 2 or penalties.shape[1] < 2 or len(penalties) == 0:
        raise ValueError(f"penalties must be [n, 2 classes or more], not {tuple(penalties.shape)}")
    best = penalties.double().topk(2, dim=1, largest=False)
    order = (best.values[:, 1] - best.values[:, 0]).argsort(stable=True)
    wrong = (best.indices[:, 0] != labels)[order].double()
    count = len(wrong)
    kept = torch.arange(count, 0, -1, dtype=torch.float64)
    return torch.arange(count, dtype=torch.float64) / count, wrong.flip(0).cumsum(0).flip(0) / kept


def reject_share(penalties: Tensor, labels: Tensor, most_errors: float = 0.005) -> float:
    """Return the least share to reject for at most ``most_errors`` wrong of the rest (Fig. 10).

    >>> y = torch.tensor([[0.0, 9.0], [4.0, 5.0], [7.0, 0.0]])
    >>> round(reject_share(y, torch.tensor([0, 1, 1])), 4)
    0.3333
    """
    rejected, wrong = error_reject_curve(penalties, labels)
    enough = (wrong <= most_errors).nonzero()
    return float(rejected[enough[0, 0]]) if len(enough) else 1.0


def add_choice(
    folder: str | Path, row: str, seed: int, settings: dict[str, Any], fitted: int, wrong: float
) -> None:
    """Record once what a row, fitted to so many digits, reached on the last training digits."""
    line = {
        "row": row,
        "seed": seed,
        "settings": settings,
        "fitted": fitted,
        "validation_error": wrong,
    }
    path = Path(folder) / CHOICES
    lines = path.read_text().splitlines() if path.exists() else []
    if json.dumps(line) not in lines:
        write_whole(path, "\n".join([*lines, json.dumps(line)]) + "\n")


def by_row(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Return the results of each row, in the order given."""
    rows: dict[str, list[Result]] = {}
    for result in results:
        rows.setdefault(result.row, []).append(result)
    return rows
