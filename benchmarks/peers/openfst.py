"""OpenFst (pynini) as an entrant; if it is not installed, races run without it.

Machines are converted, and sorted where OpenFst needs it, before the clock starts. They may keep
properties that they have computed from one repetition to the next.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import gtn
from benchmarks.case import Answer, Entrant
from gtn.testing.openfst import to_openfst

__all__ = ["NAME", "arcs", "least", "machine", "openfst", "present"]

NAME = "OpenFst"


def present() -> bool:
    """Whether pynini is installed."""
    return importlib.util.find_spec("pynini") is not None


def openfst(
    run: Callable[..., Any],
    operands: Callable[[], Sequence[Any]],
    answer: Callable[[Any], Answer],
    *,
    name: str = NAME,
    prepare: Callable[..., Sequence[Any]] | None = None,
) -> list[Entrant]:
    """Return the entrant, or no entrant if pynini is not installed.

    Args:
        run: called with pynini and the operands.
        operands: makes the operands, once.
        answer: makes the answer from a result.
        prepare: makes the operands of one repetition from pynini and the operands.
    """
    if not present():
        return []
    import pynini

    given = tuple(operands())
    made = (lambda: (pynini, *given)) if prepare is None else (
        lambda: (pynini, *prepare(*given))
    )  # fmt: skip
    return [Entrant(name, run, made, answer)]


def machine(graph: gtn.Graph, kind: Any = "tropical", sort: str | None = None) -> Any:
    """Return the OpenFst machine of a graph, its arcs sorted by ``"ilabel"`` or ``"olabel"``."""
    fst = to_openfst(graph, kind)
    if sort is not None:
        fst.arcsort(sort)
    return fst


def least(fst: Any) -> float:
    """Return the least penalty of a path (the whole sum, in a log semiring)."""
    import pynini

    if fst.start() < 0:
        return float("inf")
    return float(pynini.shortestdistance(fst, reverse=True)[fst.start()])


def arcs(fst: Any) -> int:
    """Return the number of arcs."""
    return sum(fst.num_arcs(state) for state in fst.states())
