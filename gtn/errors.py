"""Exceptions: each says what is wrong with a graph, where, and what would be right."""

from __future__ import annotations

from math import isnan

__all__ = [
    "CyclicGraphError",
    "DataError",
    "DivergentGraphError",
    "GraphError",
    "InfeasibleTargetError",
    "NegativeCycleError",
    "SymbolError",
    "bad_penalty",
    "counted",
]


class GraphError(ValueError):
    """A graph, or an argument, is wrong; the message names the arc, node or label."""


class CyclicGraphError(GraphError):
    """The operation needs an acyclic graph; the message names the nodes of one cycle."""


class NegativeCycleError(CyclicGraphError):
    """A cycle of negative penalty lies on a path, so there is no least path penalty."""


class DivergentGraphError(CyclicGraphError):
    """The sum over all paths is infinite: some cycles lose too little mass per round."""


class SymbolError(GraphError):
    """A label has no symbol, a symbol no label, or only one of two graphs has a table."""


class DataError(GraphError):
    """Arc data of the wrong length, of an unknown key, or of a key that two operands share."""


class InfeasibleTargetError(GraphError):
    """No path of the graph spells the desired output; the message names the sample."""


def bad_penalty(what: str, value: float) -> GraphError:
    """Return the error of a penalty that is NaN or -inf.

    >>> str(bad_penalty("arc 3 has penalty", float("nan")))
    'arc 3 has penalty nan; a penalty is a finite number, or inf to forbid'
    """
    hint = "" if isnan(value) else ": minus a log-probability, which is inf for one of zero"
    return GraphError(f"{what} {value}; a penalty is a finite number, or inf to forbid{hint}")


def counted(count: int, what: str) -> str:
    """Return a count with its noun, whose plural takes an s.

    >>> counted(1, "arc"), counted(2, "arc"), counted(0, "arc")
    ('1 arc', '2 arcs', '0 arcs')
    """
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
