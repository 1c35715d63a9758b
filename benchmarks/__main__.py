"""Measure our library and its peers side by side: ``python -m benchmarks``.

Trust the ratios first: each is the median over rounds in which all entrants take turns, so a busy
machine does not spoil them. It does spoil times: to keep those, let nothing else run.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from benchmarks.case import Case, Race
from benchmarks.cases import CASES
from benchmarks.peers.process import Peer
from benchmarks.plot import plot
from benchmarks.race import Patience, run_race
from benchmarks.record import machine, row
from benchmarks.report import lines, with_tables
from gtn.whole_files import write_whole

PATIENCE = {
    "full": Patience(least=5, most=25, seconds=6.0),
    "quick": Patience(least=3, most=7, seconds=0.5),
    "smallest": Patience(least=1, most=1, seconds=0.0),
}


def measured(
    cases: Sequence[Case], size: str = "full", peers: Sequence[Peer] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the row of each race and measurement of the cases as soon as it is done.

    Args:
        size: ``"full"``, ``"quick"`` or ``"smallest"``.
        peers: adapters running in other interpreters; each takes part in the races it can.
    """
    for case in cases:
        inputs = case.inputs(**case.sizes[size])
        for task in case.tasks:
            if isinstance(task, Race):
                asked = None if task.question is None else task.question(inputs)
                others = [p for p in peers if asked is not None and p.asked(asked)]
                outcome = run_race(task, inputs, PATIENCE[size], others)
            else:
                outcome = task.measure(inputs)
            yield row(case, size, task, outcome)


def record(cases: Sequence[Case], size: str = "full", peers: Sequence[Peer] = ()) -> dict[str, Any]:
    """Run the cases, print each row, and return the record of the run."""
    rows = []
    for found in measured(cases, size, peers):
        print(lines(found), flush=True)
        rows.append(found)
    return {"machine": machine(), "size": size, "rows": rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog=f"cases: {', '.join(CASES)}"
    )
    parser.add_argument(
        "--case",
        action="append",
        metavar="NAME",
        choices=CASES,
        help="run only this case; may be repeated",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the figures in this file (svg, png)"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="rewrite the tables of this page")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="a peer with an adapter (facebook_gtn) in another interpreter",
    )
    options = parser.parse_args(arguments)
    if any("=" not in peer for peer in options.peer):
        parser.error("--peer takes NAME=PYTHON, as in facebook_gtn=/opt/gtn/bin/python")
    for place in filter(None, (options.json, options.plot, options.page)):
        if not place.parent.is_dir():  # checked before minutes of measuring
            parser.error(f"there is no folder {place.parent} to write {place.name} to")
        if place.is_dir():
            parser.error(f"{place} is a folder, not a file to write")
    if options.plot and options.plot.suffix not in (".svg", ".png"):
        parser.error(f"--plot: {options.plot} is no .svg or .png file")
    if options.page and not options.page.is_file():
        parser.error(f"there is no page {options.page} whose tables could be rewritten")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    cases = [CASES[name] for name in options.case or CASES]
    with ExitStack() as stack:
        try:
            peers = [stack.enter_context(Peer(*peer.split("=", 1))) for peer in options.peer]
        except OSError as error:
            parser.error(f"--peer: {error}")
        found = record(cases, "quick" if options.quick else "full", peers)
    if options.json:
        content = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        write_whole(options.json, content.encode())
    if options.plot:
        plot(found, options.plot)
    if options.page:
        write_whole(options.page, with_tables(options.page.read_text(), found).encode())


if __name__ == "__main__":
    main()
