"""Files with the figures of trained readers, one per run, from which the page is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from demos.figures import keep_figures, load_figures, machine
from demos.strings.choices import NETWORKS, TEST_STRINGS
from demos.strings.evaluate import evaluate, evaluate_folder, held_out_strings
from demos.strings.reader import StringReader
from demos.strings.spotter import TEST_PAGES, Spotter, evaluate_spotter
from demos.strings.train import STAGES
from recognizers.datasets.fields import load_fields

__all__ = ["TESTS", "read_own", "read_runs", "read_spotters", "write_run", "write_spotter"]

OWN = "own-"
"""Prefix of the files of readers that also learned from a folder's lines."""

TESTS: dict[str, dict[str, Any]] = {
    "clean": {},
    "noise": {"noise": 0.1},
    "free": {"recipe": "free"},
}
"""The fixed tests by name."""


def write_run(
    out: Path,
    digits: tuple[Tensor, Tensor],
    results: Path,
    count: int = TEST_STRINGS,
    *,
    data: Path | None = None,
    holdout: int = 0,
) -> Path:
    """Evaluate the reader of each stage of a run on the tests; return the file of the figures.

    Args:
        out: folder of the run.
        digits: MNIST's test images and labels.
        results: folder of the file, which is named by network and seed.
        count: strings in each test.
        data: the folder that the run also learned from; the lines held out, those of the split
            ``test`` and the last ``holdout``, make the test ``"own"``.
    """
    metrics = load_figures(out / "metrics.json")
    has_own = data is not None and bool(load_fields(data).held_out(holdout)[1])
    figures: dict[str, dict[str, Any]] = {}
    for stage in STAGES:
        reader = StringReader.load(out / f"{stage}.safetensors")
        figures[stage] = {
            name: evaluate(reader, held_out_strings(digits, count, **options))[0]
            for name, options in TESTS.items()
        }
        if data is not None and has_own:
            figures[stage]["own"] = evaluate_folder(reader, data, holdout=holdout)[0]
    settings = metrics["settings"]
    prefix = "" if data is None else f"{OWN}{data.resolve().name}-"
    path = results / f"{prefix}{settings['network']}-seed{settings['seed']}.json"
    content = metrics | {"machine": machine(), "figures": figures}
    if data is not None:
        content["data"] = data.resolve().name
    keep_figures(path, content)
    return path


def read_runs(results: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the runs of a folder by network, the default first, in the order of their seeds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(results.glob("*-seed*.json")):
        run = load_figures(path)
        if "network" not in run["settings"] or path.name.startswith(OWN):
            continue
        found.setdefault(run["settings"]["network"], []).append(run)
    return {
        name: sorted(found[name], key=lambda run: run["settings"]["seed"])
        for name in NETWORKS
        if name in found
    }


def read_own(results: Path) -> list[dict[str, Any]]:
    """Return the runs that also learned from a folder's lines and held some of them out."""
    runs = [load_figures(path) for path in sorted(results.glob(f"{OWN}*-seed*.json"))]
    return [run for run in runs if all("own" in figures for figures in run["figures"].values())]


def write_spotter(
    out: Path, digits: tuple[Tensor, Tensor], results: Path, count: int = TEST_PAGES
) -> Path:
    """Evaluate the spotter of a run on the fixed pages; return the file of the figures."""
    metrics = load_figures(out / "metrics.json")
    figures = evaluate_spotter(Spotter.load(out / "spotter.safetensors"), digits, count)
    settings = metrics["settings"]
    name = "spotter" if settings["positions"] else "spotter-without-positions"
    path = results / f"{name}-seed{settings['seed']}.json"
    keep_figures(path, metrics | {"figures": figures})
    return path


def read_spotters(results: Path, *, positions: bool) -> list[dict[str, Any]]:
    """Return the runs of spotters in a folder, in the order of their seeds."""
    name = "spotter" if positions else "spotter-without-positions"
    runs = [load_figures(path) for path in results.glob(f"{name}-seed*.json")]
    return sorted(runs, key=lambda run: run["settings"]["seed"])
