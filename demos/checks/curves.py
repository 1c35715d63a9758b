"""Plots of how far a reader can be trusted: error against rejection, and reliability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from demos.checks.calibration import error_reject, expected_calibration_error, reliability
from demos.checks.evaluate import Outcome

__all__ = ["error_reject_figure", "reliability_figure"]

BLUE, GREY, RED = "#1f5fa8", "#9aa3ad", "#c8371b"


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


def reliability_figure(outcomes: Sequence[Outcome], bins: int = 10) -> Figure:
    """Return the plot of the share right against the confidence, in bins of equally many.

    Lines are two standard errors to either side.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    found = reliability(outcomes, bins)
    places = np.array([100 * one.confidence for one in found])
    right = np.array([100 * one.right for one in found])
    counts = np.array([one.count for one in found], dtype=np.float64)
    # Agresti and Coull: no bin is certain because all of its few fields are right.
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
