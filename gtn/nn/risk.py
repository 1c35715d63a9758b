"""Expected risk over the best paths, as in minimum word error rate training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.arguments import whole_number
from gtn.batch import GraphBatch
from gtn.composition import compose
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.indexes import LARGEST
from gtn.nn.criterion import Criterion
from gtn.nn.edits import edit_distances
from gtn.nn.targets import Target, one_for_each, target_labels
from gtn.nn.transformers import Grammar, current
from gtn.paths import path_labels
from gtn.paths.ranking import best_of_each
from gtn.product import relabelled, relabelling
from gtn.scoring import forward_penalty_float64
from gtn.symbols import SymbolTable
from gtn.tensors import as_index

__all__ = ["ExpectedRiskLoss"]

Labels = NDArray[np.int32]
Risk = Callable[[list[Labels], Labels], Any]


class ExpectedRiskLoss(Criterion):
    """Mean risk of the n best paths, each weighted by its share of their exp(-penalty).

    With edit distances this is minimum word error rate training (Prabhavalkar et al. 2018). A step
    down the gradient raises the penalties of paths worse than the mean and lowers the others'.

    Args:
        grammar: as in :class:`gtn.nn.GraphLoss`.
        count: how many paths, n.
        distinct: whether to take the best path of each of the n best strings; otherwise the n
            best paths, several of which may spell the same string.
        risk: a function of the label sequences that the paths write and of the target's, which
            returns the risks ``[n]``, finite; labels are those of the grammar's output table, if
            there is one.
        infeasible, reduction: as in :class:`gtn.nn.Criterion`; a graph without a path is
            infeasible.

    Raises:
        GraphError: a count below one.
        TypeError: a count that is not a whole number, or a risk that is not a function.

    >>> import gtn
    >>> g = gtn.linear(torch.zeros(2, 2))  # of 00, 01, 10 and 11, two have one error, one has two
    >>> ExpectedRiskLoss(count=4)(g, [0, 0])
    tensor(1.)
    """

    def __init__(
        self,
        grammar: Grammar | None = None,
        *,
        count: int = 16,
        distinct: bool = True,
        risk: Risk = edit_distances,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.grammar = grammar
        count = whole_number(count, "count")
        if count < 1:
            raise GraphError(f"count={count}; the risk is that of at least one path")
        if not callable(risk):
            raise TypeError(f"risk={risk!r}; it is a function of label sequences and a target")
        self.count = min(count, LARGEST)  # as many as are numbered
        self.distinct = distinct
        self.risk = risk

    def forward(self, graph: Graph, targets: Target | Sequence[Target]) -> torch.Tensor:
        """Return the expected risk; arguments as in :meth:`gtn.nn.GraphLoss.forward`.

        Raises:
            InfeasibleTargetError: a graph without a path, and ``infeasible="raise"``.
            GraphError: risks that are not one number for each path.
            SymbolError: a symbol or label of a target that the graph's table does not have.
        """
        check_graph(graph)
        whole, table = graph.without_data(), None
        if self.grammar is not None:
            grammar = current(self.grammar).without_data()
            whole, table = compose(whole, grammar), grammar.osymbols
        many = isinstance(whole, GraphBatch)
        each = one_for_each(targets, whole.topology.batch_size) if many else [targets]
        losses = self._expected(whole, whole.osymbols if table is None else table, each)
        feasible = losses.isfinite()
        losses = losses if many else losses.squeeze(0)
        return self.reduced(losses, feasible.reshape(losses.shape), each if many else targets).to(
            graph.penalties
        )

    def _expected(
        self, graph: Graph, table: SymbolTable | None, targets: Sequence[Target]
    ) -> torch.Tensor:
        """Return the expected risk of each graph, ``[B]``; infinite where there is no path.

        ``table``: of the labels of targets, and of those that ``risk`` gets.
        """
        paths, offsets = best_of_each(graph, self.count, "output" if self.distinct else None)
        counts = np.diff(offsets)
        rows = path_labels(paths)
        # If the grammar is an acceptor, paths write labels of the input graph's table.
        relabel = relabelling(table, graph.osymbols, "match")
        if relabel is not None:
            rows = [relabelled(row, relabel) for row in rows]
        # One row for each graph, as long as the largest number of paths.
        shape = len(counts), int(counts.max(initial=0))
        owner = np.repeat(np.arange(len(counts)), counts)
        place = as_index(owner * shape[1] + np.arange(len(rows)) - offsets[owner])
        exists = torch.from_numpy(counts > 0)
        penalties = torch.where(exists[:, None], torch.inf, torch.zeros(shape, dtype=torch.float64))
        penalties = penalties.reshape(-1).index_copy(0, place, forward_penalty_float64(paths))
        risks = torch.zeros(shape, dtype=torch.float64)
        for g in np.flatnonzero(counts).tolist():
            found = rows[offsets[g] : offsets[g + 1]]
            answer = self.risk(found, target_labels(targets[g], table))
            try:
                given = torch.as_tensor(answer)
            except (TypeError, ValueError, RuntimeError) as error:
                raise GraphError(
                    f"the risks of {len(found)} paths are as many finite numbers, not {answer!r}"
                ) from error
            if given.shape != (len(found),) or not given.isfinite().all():
                raise GraphError(
                    f"the risks of {len(found)} paths must be as many finite numbers, not {given}"
                )
            risks[g, : len(found)] = given
        expected = (torch.softmax(-penalties.reshape(shape), dim=1) * risks).sum(1)
        return torch.where(exists, expected, torch.inf)
