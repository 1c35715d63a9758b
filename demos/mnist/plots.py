"""Plots for docs/mnist.md, drawn from results: small SVG files without a date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demos.plots import count_passes

__all__ = ["bars", "changes", "curves", "passes", "sizes"]

PAPER, OURS, OTHER = "#b9b4a7", "#1f5fa8", "#c8371b"

LABELS = {
    "scale": "size, times as large",
    "shift_right": "shift to the right, pixels",
    "shift_down": "shift downwards, pixels",
    "rotation": "rotation, degrees",
    "noise": "share of pixels inverted",
}


def bars(
    rows: Sequence[tuple[str, float | None, Sequence[float]]],
    unit: str,
    *,
    logarithmic: bool = False,
) -> Figure:
    """Plot two bars for each row (label, printed, ours of each seed): Figs. 9 to 12.

    Our bar is the mean over seeds, with a line from the least to the greatest. A missing value has
    no bar.
    """
    figure = Figure(figsize=(8.0, 0.9 + 0.34 * len(rows)))
    axes = figure.subplots()
    for place, (_, printed, ours) in enumerate(rows):
        if printed is not None:
            axes.barh(place - 0.2, printed, 0.38, color=PAPER)
            _mark(axes, printed, place - 0.2, printed)
        if ours:
            mean = sum(ours) / len(ours)
            axes.barh(place + 0.2, mean, 0.38, color=OURS)
            if len(ours) > 1:
                ends = [min(ours), max(ours)]
                axes.plot(ends, [place + 0.2] * 2, "k", linewidth=1.2, solid_capstyle="butt")
            _mark(axes, max(ours), place + 0.2, mean)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=8)
    axes.invert_yaxis()
    if logarithmic:
        axes.set_xscale("log")
    axes.margins(x=0.12, y=0.01)
    axes.set_xlabel(unit)
    axes.barh([0], [0], color=PAPER, label="the paper")
    axes.barh([0], [0], color=OURS, label="here")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, frameon=False)
    _plain(axes)
    return figure


def curves(
    found: Mapping[str, Sequence[Sequence[float]]], x: str, y: str, *, least: float = 1e-4
) -> Figure:
    """Plot named lines of pairs (share, share) in percent, the second on a logarithmic axis."""
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    axes = figure.subplots()
    colors = mpl.colormaps["tab10"]
    for number, (name, pairs) in enumerate(found.items()):
        known = [(100 * a, 100 * b) for a, b in pairs if b >= least]
        dashes = ("-", "--", ":", "-.")[number // colors.N % 4]
        axes.plot(*zip(*known, strict=True), dashes, label=name, color=colors(number % colors.N))
    axes.axhline(0.5, color="black", linewidth=0.6, linestyle=":")
    axes.set_yscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    figure.legend(fontsize=8, frameon=False, loc="outside right upper")
    _plain(axes)
    return figure


def passes(lines: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot training and test error against the number of passes (Fig. 5)."""
    figure = Figure(figsize=(5.5, 3.4))
    axes = figure.subplots()
    number = [line["pass"] for line in lines]
    axes.plot(number, [100 * line["wrong"] for line in lines], color=OTHER, label="during the pass")
    axes.plot(number, [100 * line["test_wrong"] for line in lines], color=OURS, label="test")
    axes.set_ylim(0, 1.1 * max(3.0, 100 * max(line["test_wrong"] for line in lines)))
    axes.set_xlabel("passes over the training digits")
    count_passes(axes)
    axes.set_ylabel("wrong, %")
    axes.legend(fontsize=8, frameon=False)
    _plain(axes)
    return figure


def sizes(runs: Sequence[Mapping[str, Any]], distorted: Sequence[float] = ()) -> Figure:
    """Plot training and test error against the number of training digits (Fig. 6).

    ``distorted`` are the test errors of the network trained with distortions, one for each seed.
    """
    figure = Figure(figsize=(5.5, 3.4))
    axes = figure.subplots()
    digits = [run["digits"] / 1000 for run in runs]
    test = [100 * run["error"] for run in runs]
    training = [100 * run["passes"][-1]["wrong"] for run in runs]
    axes.plot(digits, test, "o-", color=OURS, label="test")
    axes.plot(digits, training, "o-", color=OTHER, label="training, last pass")
    if distorted:
        label = "test, with distortions"
        axes.plot([60.0] * len(distorted), [100 * e for e in distorted], "k^", ms=5, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("training digits, thousands")
    axes.set_ylabel("wrong, %")
    axes.legend(fontsize=8, frameon=False)
    _plain(axes)
    return figure


def changes(found: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Plot the share wrong against the amount, for each kind of change (section III-E)."""
    figure = Figure(figsize=(9.0, 5.0))
    grid = figure.subplots(2, 3, sharey=True)
    for axes, (name, pairs) in zip(grid.flat, found.items(), strict=False):
        axes.plot([a for a, _ in pairs], [100 * b for _, b in pairs], ".-", color=OURS)
        axes.set_xlabel(LABELS.get(name, name), fontsize=8)
        axes.set_ylim(0, 100)
        _plain(axes)
    for axes in list(grid.flat)[len(found) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("wrong, %")
    figure.tight_layout()
    return figure


def _mark(axes: Axes, x: float, y: float, value: float) -> None:
    axes.annotate(
        f"{round(value, 2):,.4g}" if value < 1000 else f"{value:,.0f}",
        (x, y),
        (3, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
