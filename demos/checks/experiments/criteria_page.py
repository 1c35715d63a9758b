"""``python -m demos.checks criteria``: the criteria side by side, as a table and a plot."""

from __future__ import annotations

from matplotlib.figure import Figure

from demos.tables import in_markdown

__all__ = ["curves_of", "table_of"]

COLORS = {
    "viterbi": "#c8371b",
    "forward": "#e58a2e",
    "discriminative-viterbi": "#1f5fa8",
    "discriminative-forward": "#16324f",
    "hinge": "#2f8f6b",
    "expected-risk": "#8a63a8",
}

PANELS = {
    "loss": "loss in training, nats (for the risk: digits)",
    "centres": "mean distance of two centres",
    "spread": "spread of the states of F6",
    "digit_error": "digit error, validation fields",
}


def table_of(criteria: dict[str, list[dict[str, float]]]) -> str:
    """Return a table in Markdown: the beginning, which all criteria share, and the end of each.

    >>> line = {"centres": 10.0, "spread": 4.0, "exact": 0.5, "digit_error": 0.25}
    >>> print(table_of({"hinge": [line, {**line, "loss": 1.5}]}).splitlines()[2])
    | (at the beginning) |  | 10.0 | 4.0 | 50.0% | 25.0% |
    """
    heads = [
        "criterion",
        "loss",
        "centres apart",
        "spread of states",
        "fields right",
        "digit error",
    ]
    rows = []
    begin = next(iter(criteria.values()))[0]
    every = {"(at the beginning)": begin, **{name: found[-1] for name, found in criteria.items()}}
    for name, line in every.items():
        loss = f"{line['loss']:.3g}" if "loss" in line else ""
        sizes = [f"{line['centres']:.1f}", f"{line['spread']:.1f}"]
        rows.append([name, loss, *sizes, f"{line['exact']:.1%}", f"{line['digit_error']:.1%}"])
    return in_markdown(heads, rows)


def curves_of(criteria: dict[str, list[dict[str, float]]]) -> Figure:
    """Plot loss, centres, states and error over the passes, with a line for each criterion."""
    figure = Figure(figsize=(11.0, 6.4), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    for axes, (key, title) in zip(panels, PANELS.items(), strict=True):
        for name, lines in criteria.items():
            places = [i for i, line in enumerate(lines) if key in line]
            dashed = "--" if name.startswith("discriminative") else "-"
            values = [lines[i][key] for i in places]
            axes.plot(places, values, dashed, color=COLORS[name], label=name, linewidth=1.8)
        axes.set_title(title, fontsize=10, loc="left")
        if key != "loss":
            axes.set_ylim(bottom=0.0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("passes")
    panels[0].set_yscale("log")
    panels[2].legend(frameon=False, fontsize=9, loc="lower left")
    return figure
