"""Builder: a graph node by node and arc by arc."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch

from gtn.construction import Label, arc_of, end_penalty, from_arcs
from gtn.data import ArcData
from gtn.errors import DataError, GraphError
from gtn.graph import Graph

__all__ = ["Builder"]


class Builder:
    """A graph under construction, for people who write loops.

    >>> b = Builder()
    >>> first, last = b.add_node(start=True), b.add_node(final=0.5)
    >>> b.add_arc(first, last, "a", penalty=1.0)
    0
    >>> b.build()
    Graph: 2 nodes, 1 arc, start 0, final 1 (0.5)
      0 -> 1  a  1
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of :func:`from_arcs`: symbols, dtype."""
        self._options = options
        self._starts: dict[int, float] = {}
        self._finals: dict[int, float] = {}
        self._arcs: list[tuple[Any, ...]] = []
        self._rows: list[Mapping[str, Any]] = []
        self._num_nodes = 0

    def add_node(self, *, start: bool | float = False, final: bool | float = False) -> int:
        """Add a node and return its number; a float is the penalty of starting or ending there.

        Raises:
            GraphError: a value that is neither a bool nor a penalty; a penalty that needs a
                gradient (set it with ``with_penalties`` instead).
        """
        node = self._num_nodes
        ends = end_penalty(start, f"start node {node}"), end_penalty(final, f"final node {node}")
        self._num_nodes += 1
        for penalty, of_nodes in zip(ends, (self._starts, self._finals)):
            if penalty is not None:
                of_nodes[node] = penalty
        return node

    def add_arc(
        self,
        src: int,
        dst: int,
        label: Label,
        olabel: Any = ...,
        penalty: Any = 0.0,
        **data: Any,
    ) -> int:
        """Add an arc and return its number; keywords are its arc data.

        Arcs have the forms of :func:`from_arcs`: after one label, a float is the penalty.

        Raises:
            GraphError: a node that was not added; an arc of another form; a penalty that is not a
                number, or that needs a gradient (set it with ``with_penalties`` instead).
        """
        arc = len(self._arcs)
        if getattr(penalty, "requires_grad", False):
            raise GraphError(
                f"arc {arc} has a penalty that needs a gradient; build the graph, then give it all "
                "penalties as one tensor, with_penalties(…)"
            )
        if not isinstance(penalty, Real | torch.Tensor):
            raise GraphError(f"arc {arc} has penalty {penalty!r}; a penalty is a number")
        given = (src, dst, label) if olabel is ... else (src, dst, label, olabel)
        *row, own = arc_of(arc, given)
        if own and penalty:
            raise GraphError(f"arc {arc} has two penalties, {own} and {penalty}; give one of them")
        for end, node in (("source", src), ("destination", dst)):
            if not 0 <= node < self._num_nodes:
                raise GraphError(
                    f"arc {arc} has {end} node {node}, which was not added: "
                    f"there are {self._num_nodes} nodes"
                )
        self._arcs.append((*row, own or float(penalty)))
        self._rows.append(data)
        return arc

    def build(self) -> Graph:
        """Return the graph.

        Raises:
            DataError: an arc lacks a key that another has, or has data of another shape.
        """
        keys = dict.fromkeys(key for row in self._rows for key in row)
        columns = {}
        for key in keys:
            missing = next((a for a, row in enumerate(self._rows) if key not in row), None)
            if missing is not None:
                raise DataError(f"arc {missing} has no data {key!r}, other arcs have")
            rows = [row[key] for row in self._rows]
            tensors = isinstance(rows[0], torch.Tensor)
            shapes = [tuple(np.shape(row)) for row in rows]
            other = next((a for a, shape in enumerate(shapes) if shape != shapes[0]), None)
            if other is not None:
                raise DataError(
                    f"data {key!r} of arc {other} has shape {shapes[other]}, that of arc 0 "
                    f"{shapes[0]}; rows of one key have one shape, so pad or resize them"
                )
            columns[key] = torch.stack(rows) if tensors else np.stack(rows)
        return from_arcs(
            self._arcs,
            start=self._starts,
            final=self._finals,
            num_nodes=self._num_nodes,
            data=ArcData(columns).columns(),
            **self._options,
        )
