"""Write ``docs/mnist.md``, its tables and plots from the JSON files of ``results/mnist``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from matplotlib.figure import Figure

from demos.checkpoint import write_whole
from demos.mnist import plots
from demos.mnist.baselines import BASELINES, curve
from demos.mnist.choices import RESULTS
from demos.mnist.evaluate import load_digits
from demos.mnist.models import load_model
from demos.mnist.paper import FIGURE_9, Printed
from demos.mnist.recipes import RECIPES
from demos.mnist.results import CHOICES, Result, ResultError, by_row, read_results, result_path
from demos.mnist.robustness import ROBUSTNESS_FILE
from demos.mnist.rows import PROMPTED
from demos.mnist.sizes import SIZES_FILE
from demos.mnist.train import penalties_of
from demos.pages import fill_file
from demos.plots import as_svg

__all__ = ["compare", "error_reject_curves", "percent", "rows_of"]

CURVES_FILE = "error-reject.json"
TIMES_FILE = "time.json"
OWN = tuple(
    f"check-digits{which}" for which in ("-shipped", "", "-mnist", "-alone", "-alone-mnist")
)
"""Figures of users' own digits: ``own-NAME.json``."""

BETTER = 1.15
"""A row counts as reached if its mean error is at most this times the printed one."""


def compare(
    folder: Path = RESULTS, page: Path = Path("docs/mnist.md"), data: Path | None = None
) -> Path:
    """Write the page, and the plots to a folder of the same name beside it; return the page.

    If ``data`` has the test digits, error-reject curves of the networks whose weights are in
    ``folder`` are measured here and kept in ``error-reject.json``.

    Raises:
        ResultError: a file is not a result; or the folder is missing, or has no result.
    """
    folder, page = Path(folder), Path(page)
    if not folder.is_dir():
        raise ResultError(f"{folder}: no such folder")
    results = by_row(read_results(folder))
    if not results:
        raise ResultError(f"{folder}: no result to write the page of")
    rows = rows_of(results)
    pictures = page.with_suffix("")
    drawn = _bars(rows)
    found = error_reject_curves(results, folder, data)
    if found:
        labels = {p.name: p.label for p, _ in rows}
        named = {label: found[name] for name, label in labels.items() if name in found}
        drawn["error_reject"] = plots.curves(named, "rejected, %", "wrong of the rest, %")
    runs = _read(folder / SIZES_FILE, {"runs": []})["runs"]
    full = [run for run in runs if run["digits"] == 60_000]
    if full:
        drawn["passes"] = plots.passes(full[0]["passes"])
    if len({run["digits"] for run in runs}) > 1:
        distorted = [r.error for r in results.get("lenet-5-distortions", [])]
        drawn["sizes"] = plots.sizes([r for r in runs if r["seed"] == runs[0]["seed"]], distorted)
    robust = _read(folder / ROBUSTNESS_FILE, None)
    if robust:
        drawn["robustness"] = plots.changes(robust["curves"])
    for name, figure in drawn.items():
        write_whole(pictures / f"{name}.svg", as_svg(figure))
    text = fill_file(
        Path(__file__).parent,
        "compare.md",
        lines=[_line(printed, of_row) for printed, of_row in rows],
        notes=[(p.label, p.note) for p, _ in rows if p.note],
        reached=sum(_reached(p, r) is True for p, r in rows),
        measured=sum(_reached(p, r) is not None for p, r in rows),
        missed=[
            (p.label, p.error, percent(_errors(r))) for p, r in rows if _reached(p, r) is False
        ],
        absent=[p for p, r in rows if not r],
        commands=_commands(results),
        runs=runs,
        robust=robust,
        times=_read(folder / TIMES_FILE, {}),
        own={name: _read(folder / f"own-{name}.json", None) for name in OWN},
        choices=_choices(folder / CHOICES),
        machines=sorted({r.machine for of_row in results.values() for r in of_row}),
        prompted=PROMPTED.items(),
        drawn=drawn,
        folder=pictures.name,
    )
    write_whole(page, text)
    return page


def rows_of(results: dict[str, list[Result]]) -> list[tuple[Printed, list[Result]]]:
    """Return the rows of Fig. 9 with their results, then the rows that are not in the paper."""
    known = {printed.name for printed in FIGURE_9}
    rows = [(printed, results.get(printed.name, [])) for printed in FIGURE_9]
    others = [Printed(name, name) for name in results if name not in known]
    return rows + [(printed, results[printed.name]) for printed in others]


def error_reject_curves(
    results: dict[str, list[Result]], folder: Path, data: Path | None = None
) -> dict[str, list[list[float]]]:
    """Return the error-reject curve of each row's first seed, from its result or its weights.

    A measured curve is kept as long as the row's error stays the same.
    """
    path = Path(folder) / CURVES_FILE
    kept: dict[str, dict[str, Any]] = _read(path, {})
    found, measured = {}, {}
    for name, of_row in results.items():
        first = of_row[0]
        weights = result_path(name, first.seed, folder).with_suffix(".safetensors")
        if "error_reject" in first.figures:
            found[name] = first.figures["error_reject"]
            continue
        key = {"seed": first.seed, "error": first.error}
        if key.items() <= kept.get(name, {}).items():
            measured[name] = kept[name]
        elif weights.is_file():
            model, network, _ = load_model(weights)
            test = load_digits(model, "test", data)
            pairs = curve(penalties_of(network, test.inputs), test.labels)
            measured[name] = key | {"curve": pairs}
        else:
            continue
        found[name] = measured[name]["curve"]
    if measured != kept and measured:
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in measured.items())
        write_whole(path, "{" + lines + "}\n")
    return found


def percent(shares: Sequence[float], digits: int = 2) -> str:
    """Return the mean and standard deviation of percentages as text; empty for none.

    >>> percent([0.91, 0.95, 0.99]), percent([8.25]), percent([])
    ('0.95 ± 0.04', '8.25', '')
    """
    if not shares:
        return ""
    mean = f"{fmean(shares):.{digits}f}"
    return mean if len(shares) == 1 else f"{mean} ± {stdev(shares):.{digits}f}"


def _bars(rows: list[tuple[Printed, list[Result]]]) -> dict[str, Figure]:
    """Draw our figures beside the printed ones: errors, rejection, multiply-adds and memory."""
    drawn = {"errors": plots.bars([(p.label, p.error, _errors(r)) for p, r in rows], "wrong, %")}
    drawn["rejection"] = plots.bars(
        [
            (p.label, p.reject, [100 * x.reject_for_half_percent for x in r])
            for p, r in rows
            if p.reject is not None or (r and all(x.reject_for_half_percent is not None for x in r))
        ],
        "rejected so that 0.5% of the rest are wrong, %",
        logarithmic=True,
    )
    for name, unit in (
        ("multiply_adds", "multiply-adds for a digit, thousands"),
        ("memory", "stored numbers, thousands"),
    ):
        bars = [(p.label, getattr(p, name), [getattr(x, name) / 1000 for x in r]) for p, r in rows]
        drawn[name] = plots.bars(
            [b for b in bars if b[1] is not None or b[2]], unit, logarithmic=True
        )
    return drawn


def _errors(results: Sequence[Result]) -> list[float]:
    return [100.0 * r.error for r in results]


def _reached(printed: Printed, results: Sequence[Result]) -> bool | None:
    """Return whether the mean error is near or below the printed one; None: nothing to compare."""
    if printed.error is None or not results:
        return None
    return fmean(_errors(results)) <= BETTER * printed.error + 1e-9


def _line(printed: Printed, results: list[Result]) -> dict[str, str]:
    rejected = [r.reject_for_half_percent for r in results]
    known = [100.0 * share for share in rejected if share is not None]
    minutes = [r.seconds["training"] / 60 for r in results if "training" in r.seconds]
    return {
        "label": printed.label,
        "printed": "" if printed.error is None else f"{printed.error:g}",
        "error": percent(_errors(results)) or "not yet run",
        "printed_reject": "" if printed.reject is None else f"{printed.reject:g}",
        "reject": percent(known),
        "printed_multiply_adds": _thousands(printed.multiply_adds),
        "multiply_adds": _mean_thousands([r.multiply_adds for r in results]),
        "printed_memory": _thousands(printed.memory),
        "memory": _mean_thousands([r.memory for r in results]),
        "seeds": str(len(results)) if results else "",
        "minutes": f"{fmean(minutes):.1f}" if minutes else "",
    }


def _thousands(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _mean_thousands(values: Sequence[float]) -> str:
    return _thousands(fmean(values) / 1000) if values else ""


def _commands(results: dict[str, list[Result]]) -> list[str]:
    """Return one command per row, for all of its seeds."""
    lines = []
    for of_row in results.values():
        command = of_row[0].command.rsplit(" --seed", 1)[0]
        seeds = ",".join(str(r.seed) for r in of_row)
        lines.append(f"{command} --seed {seeds if len(of_row) == 1 else '{' + seeds + '}'}")
    return lines


def _choices(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [line for line in lines if line["row"] in BASELINES or line["row"] in RECIPES]
    return [
        {
            "row": line["row"],
            "settings": ", ".join(f"{k} {_setting(v)}" for k, v in line["settings"].items()),
            "fitted": f"{line['fitted']:,}",
            "error": f"{line['validation_error']:.2%}",
        }
        for line in kept
    ]


def _setting(value: Any) -> str:
    """Return a setting as text; only the first and the last value of a long list."""
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {v}" for k, v in value.items()) + ")"
    if isinstance(value, list) and value:
        return f"{value[0]} to {value[-1]}" if len(value) > 1 else str(value[0])
    return str(value)


def _read(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.is_file() else otherwise
