"""Write the page of the line reader, ``docs/strings.md``, from the figures of its runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from demos.checkpoint import write_whole
from demos.figures import load_figures
from demos.pages import fill_text
from demos.strings.drawing import draw_line, draw_page, heat_map, write_figure
from demos.strings.evaluate import held_out_strings
from demos.strings.page import PAGE
from demos.strings.reader import StringReader
from demos.strings.results import read_own, read_runs, read_spotters
from demos.strings.spotter import Spotter
from demos.strings.train import STAGES
from recognizers.classes import DIGITS
from recognizers.datasets.pages import PageRecipe, draw_pages

__all__ = ["write_page", "write_pictures"]

Run = dict[str, Any]
STAGE_NAMES = {
    "characters": "characters",
    "transducer": "characters, then the transducer alone",
    "strings": "characters, then strings (global)",
}


def write_page(results: Path, page: Path) -> Path:
    """Write the page from the files in ``results``; return it.

    Raises:
        FileNotFoundError: the folder has no run, or no ``speed.json``.
    """
    runs = read_runs(results)
    if not runs:
        raise FileNotFoundError(f"{results}: no run of a reader; train with --results {results}")
    speed = load_figures(results / "speed.json")
    known = read_spotters(results, positions=True)
    unknown = read_spotters(results, positions=False)
    text = fill_text(
        PAGE,
        readers=[_rows(name, found) for name, found in runs.items()],
        cuts={name: _cuts(found) for name, found in runs.items()},
        seeds={name: len(found) for name, found in runs.items()},
        speed=speed,
        spotters=[
            _spotter("with positions", known),
            _spotter("from what is on the page alone", unknown),
        ],
        float32_runs=[
            f"`{name}` seed {run['settings']['seed']}"
            for name, found in runs.items()
            for run in found
            if not run["settings"]["bfloat16"]
        ],
        own=[run | {"rows": _own_rows(run)} for run in read_own(results)],
        settings=runs[next(iter(runs))][0]["settings"],
        machine=runs[next(iter(runs))][0]["machine"],
        minutes={
            name: sorted({f"{sum(run['seconds'].values()) / 60:.1f}" for run in found}, key=float)
            for name, found in runs.items()
        },
    )
    write_whole(page, text)
    return page


def write_pictures(
    reader: StringReader, spotter: Spotter, digits: tuple[Tensor, Tensor], folder: Path
) -> list[Path]:
    """Draw lines of the fixed test, clean and with noise, and a page, into a folder."""
    written = []
    for name, noise, which in (("clean", 0.0, 0), ("noise", 0.1, 4)):
        image, _ = held_out_strings(digits, which + 1, noise=noise)[which]
        written.append(folder / f"{name}.svg")
        write_figure(draw_line(reader, image, reader.read([image])[0]), written[-1])
    recipe = PageRecipe(side=200, digits=(10, 10))
    page = draw_pages(*digits, recipe, 1, np.random.default_rng(5)).images[0]
    with torch.no_grad():
        scores = torch.log_softmax(-spotter.penalties(page[None])[0].double(), dim=1)
    label = DIGITS.index("3")
    heat = heat_map(scores[:, label].numpy(), spotter.pyramid.places(*page.shape), *page.shape)
    found = spotter.spot(page, least=-0.7, label=label)
    written.append(folder / "page.svg")
    write_figure(draw_page(page, heat, found, "3"), written[-1])
    return written


def _rows(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the table of a network: one row per stage, the cells as text."""
    rows = []
    for stage in STAGES:
        cells = [STAGE_NAMES[stage]]
        for test in ("clean", "noise", "free"):
            for figure in ("string_error", "char_error"):
                cells.append(_spread(runs, lambda run, s=stage, t=test, f=figure: (
                    100 * run["figures"][s][t][f])))  # fmt: skip
        rows.append(cells)
    steps = [
        " or ".join(str(n) for n in sorted({run["settings"][stage] for run in runs}))
        for stage in ("characters", "strings")
    ]
    return {"name": name, "rows": rows, "parameters": runs[0]["parameters"], "steps": steps}


def _own_rows(run: Run) -> list[list[str]]:
    """Return the table of a run that learned from a folder's lines: a row for each stage."""
    rows = []
    for stage in ("characters", "strings"):
        tests = [run["figures"][stage][test] for test in ("own", "clean", "free")]
        figures = [100 * t[f] for t in tests for f in ("string_error", "char_error")]
        rows.append([STAGE_NAMES[stage], *(f"{value:.1f}" for value in figures)])
    return rows


def _cuts(runs: Sequence[Run]) -> dict[str, str]:
    """Return the relative fall of the string error from each stage to the last."""

    def cut(run: Run, stage: str, test: str) -> float:
        before, after = (run["figures"][s][test]["string_error"] for s in (stage, "strings"))
        return 100 * (1 - after / before)

    return {
        f"{stage} {test}": _spread(runs, lambda run, s=stage, t=test: cut(run, s, t), digits=0)
        for stage in ("characters", "transducer")
        for test in ("clean", "noise")
    }


def _spotter(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    each = [run["figures"]["of_digits"] for run in runs]
    worst = min(DIGITS, key=lambda d: statistics.mean(e[d] for e in each)) if each else ""
    return {
        "name": name,
        "seeds": len(runs),
        "steps": " or ".join(sorted({str(run["settings"]["steps"]) for run in runs})),
        "precision": _spread(runs, lambda run: run["figures"]["average_precision"], digits=3),
        "worst": worst,
        "least": statistics.mean(e[worst] for e in each) if each else 0.0,
        "minutes": statistics.mean(run["seconds"] for run in runs) / 60 if runs else 0.0,
    }


def _spread(runs: Sequence[Run], of: Callable[[Run], float], *, digits: int = 2) -> str:
    """Return the mean over runs and, for several runs, the range in parentheses."""
    values = [of(run) for run in runs]
    if not values:
        return "not measured"
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"
