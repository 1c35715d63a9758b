"""Plot a run: times of peers as ratios to ours, and growth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["plot"]

_PEERS = ("OpenFst", "OpenFst, whole composition", "Facebook's gtn", "torch")


def plot(record: Mapping[str, Any], path: Path) -> None:
    """Draw the ratios of peers' times to ours, and time and memory over the amount of work.

    The suffix of the path sets the kind of file; equal records give equal files.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    bars = [
        (f"{row['case']}: {row['task']}", entrant["name"], entrant["ratio"])
        for row in record["rows"]
        for entrant in row["entrants"]
        if entrant["name"] in _PEERS
    ]
    grown = [row for row in record["rows"] if row["points"]]
    style = {"svg.hashsalt": "gtn", "svg.fonttype": "none", "font.size": 8}
    with mpl.rc_context(style):
        figure, (left, middle, right) = pyplot.subplots(
            1, 3, figsize=(12, 1.2 + 0.3 * max(len(bars), 8)), width_ratios=(2, 1, 1)
        )
        _bars(left, bars)
        for axes, key, label in (
            (middle, "ms", "time (ms)"),
            (right, "MB", "peak extra memory (MB)"),
        ):
            for row in grown:
                points = [(p["work"], p[key]) for p in row["points"] if p[key] > 0.01]
                if points:
                    axes.loglog(*zip(*points, strict=True), "o-", label=row["task"])
            axes.set_xlabel("work (arcs; frames of CTC)")
            axes.set_ylabel(label)
            axes.grid(alpha=0.3)
        if grown:
            middle.legend()
        figure.tight_layout()
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata)
        pyplot.close(figure)


def _bars(axes: Any, bars: list[tuple[str, str, float]]) -> None:
    colors = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(name for _, name, _ in bars))}
    for place, (_, name, value) in enumerate(bars):
        axes.barh(place, value - 1, left=1, color=colors[name])
        axes.text(max(value, 1) * 1.05, place, f"{value:.3g} x {name}", va="center")
    axes.set_yticks(range(len(bars)), [task for task, _, _ in bars])
    axes.set_xscale("log")
    axes.set_xlim(right=1000 * max([1.0, *(value for *_, value in bars)]))
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time of the peer / ours")
