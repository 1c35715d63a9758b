"""Plots of a training, and of a reader's confidence: error by rejection, reliability."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from demos.checkpoint import write_whole
from demos.checks.measuring.calibration import error_reject, expected_calibration_error, reliability
from demos.checks.measuring.evaluate import Outcome
from demos.plots import as_svg, count_passes

__all__ = [
    "error_reject_figure",
    "reliability_figure",
    "training_figure",
    "write_curves",
    "write_plots",
]

BLUE, GREY, RED = "#1f5fa8", "#9aa3ad", "#c8371b"


def training_figure(lines: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the plot of a log: the loss of each pass, and the share of validation fields wrong.

    Lines without ``pass`` describe what came before the passes, and are left out; the second plot
    is drawn only if lines have ``validation_exact``.
    """
    lines = [line for line in lines if "pass" in line]
    validated = [line for line in lines if "validation_exact" in line]
    figure = Figure(figsize=(9.6, 3.4) if validated else (5.2, 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, 2 if validated else 1))
    losses = np.array([line["loss"] for line in lines])
    style = {"color": BLUE, "linewidth": 1.8, "marker": "o" if len(lines) == 1 else ""}
    panels[0].plot([line["pass"] for line in lines], losses, **style)
    panels[0].set_ylabel("loss, nats")
    if len(losses) and losses.min() > 0:
        panels[0].set_yscale("log")
    if validated:
        wrong = [100 * (1 - line["validation_exact"]) for line in validated]
        panels[1].plot([line["pass"] for line in validated], wrong, **style)
        panels[1].set_ylim(bottom=0)
        panels[1].set_ylabel("wrong, % of the validation fields")
    for axes in panels:
        axes.set_xlabel("passes")
        count_passes(axes)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def write_curves(run: Path) -> None:
    """Plot the log of a run, ``log.jsonl`` in its folder, to ``curves.svg`` beside it."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    write_whole(run / "curves.svg", as_svg(training_figure(lines)))


def error_reject_figure(
    outcomes: Sequence[Outcome], threshold: float, most_errors: float = 0.01
) -> Figure:
    """Return the plot of errors among the accepted against the share that is rejected.

    The point of the reader's ``threshold`` is marked, and where at most ``most_errors`` is wrong.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    rejected, wrong, _ = error_reject(outcomes)
    axes.step(100 * rejected, 100 * wrong, where="post", color=BLUE, linewidth=1.8)
    axes.axhline(100 * most_errors, color=GREY, linewidth=1.0, linestyle="--")
    axes.text(100, 100 * most_errors, f"{most_errors:.0%} ", ha="right", va="bottom", color=GREY)
    accepted = [o for o in outcomes if o.reading.confidence >= threshold]
    if accepted:
        x = 100 * (1 - len(accepted) / len(outcomes))
        y = 100 * sum(not o.exact for o in accepted) / len(accepted)
        axes.plot([x], [y], "o", color=RED, label=f"threshold {threshold:.3f}")
        axes.legend(frameon=False, fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("rejected, % of the fields")
    axes.set_ylabel("wrong, % of the accepted")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def write_plots(outcomes: Sequence[Outcome], threshold: float, folder: Path) -> None:
    """Write ``error-reject.svg`` and ``reliability.svg`` to a folder."""
    write_whole(folder / "error-reject.svg", as_svg(error_reject_figure(outcomes, threshold)))
    write_whole(folder / "reliability.svg", as_svg(reliability_figure(outcomes)))


def reliability_figure(outcomes: Sequence[Outcome], bins: int = 10) -> Figure:
    """Return the plot of the share right against the confidence, in bins of equal count.

    Error bars are two standard errors to either side.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    found = reliability(outcomes, bins)
    places = np.array([100 * one.confidence for one in found])
    right = np.array([100 * one.right for one in found])
    counts = np.array([one.count for one in found], dtype=np.float64)
    # Agresti and Coull: a bin is not certain just because its few fields are all right.
    middle = (right / 100 * counts + 2) / (counts + 4)
    spread = 200 * np.sqrt(middle * (1 - middle) / (counts + 4))
    low, high = np.clip(100 * middle - spread, 0, 100), np.clip(100 * middle + spread, 0, 100)
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1.0, linestyle="--")
    axes.vlines(places, low, high, color=BLUE, linewidth=1.0, alpha=0.6)
    axes.plot(places, right, "o-", color=BLUE, markersize=4)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 102)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("right, %")
    error = expected_calibration_error(outcomes, bins)
    axes.set_title(f"expected calibration error {error:.1%}", fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
