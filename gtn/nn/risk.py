"""Expected risk over the best paths: minimum word error rate training and its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import GraphBatch
from gtn.best_paths import n_best
from gtn.composition import compose
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.kernels import edit_distance as kernels
from gtn.nn.criterion import Criterion
from gtn.nn.targets import Target, target_labels
from gtn.nn.transformers import Grammar, current
from gtn.paths import path_labels
from gtn.scoring import forward_penalty_float64

__all__ = ["ExpectedRiskLoss", "edit_distances"]

Labels = NDArray[np.int32]
Risk = Callable[[list[Labels], Labels], Any]


def edit_distances(found: list[Labels], target: Labels) -> NDArray[np.float64]:
    """Return the edit distance of each label sequence to the target: O(L U) each.

    >>> row = lambda *labels: np.array(labels, dtype=np.int32)
    >>> edit_distances([row(1, 2, 3), row(2), row()], row(2, 3))
    array([1., 1., 2.])
    """
    offsets = np.cumsum([0, *map(len, found)], dtype=np.int32)
    labels = np.concatenate([np.empty(0, dtype=np.int32), *found])
    distances: NDArray[np.float64] = kernels.edit_distances(labels, offsets, target)
    return distances


class ExpectedRiskLoss(Criterion):
    """Mean risk of the n best paths, each with the share of its exp(-penalty) among them.

    With edit distances this is minimum word error rate training (Prabhavalkar et al. 2018). The
    gradient raises the penalty of paths that are worse than the mean and lowers the others'.

    Args:
        grammar: as in :class:`gtn.nn.GraphLoss`.
        count: how many, n.
        distinct: whether to take the best path of each of the n best strings; otherwise the n
            best paths, of which several may spell one string.
        risk: from the label sequences that the paths write, and that of the target, to their
            risks ``[n]``, finite.
        infeasible, reduction: as in :class:`gtn.nn.Criterion`; infeasible is a graph without a
            path.

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
        self.count = count
        self.distinct = distinct
        self.risk = risk

    def forward(self, graph: Graph, targets: Target | Sequence[Target]) -> torch.Tensor:
        """Return the expected risk; arguments as :meth:`gtn.nn.GraphLoss.forward`.

        Raises:
            InfeasibleTargetError: a graph without a path, and ``infeasible="raise"``.
            GraphError: risks that are not one number for each path.
            SymbolError: a symbol of a target that the graph does not know.
        """
        whole = graph.without_data()
        if self.grammar is not None:
            whole = compose(whole, current(self.grammar).without_data())
        graphs = list(whole) if isinstance(whole, GraphBatch) else [whole]
        each: list[Any] = [*targets] if isinstance(whole, GraphBatch) else [targets]  # type: ignore[misc]
        if len(each) != len(graphs):
            raise GraphError(f"a batch of {len(graphs)} graphs needs a list of as many targets")
        risks = [self._expected(*pair) for pair in zip(graphs, each)]
        losses = torch.stack(risks) if risks else torch.zeros(0, dtype=torch.float64)
        feasible = losses.isfinite()
        losses = losses if isinstance(whole, GraphBatch) else losses.squeeze(0)
        return self.reduced(losses, feasible.reshape(losses.shape), targets).to(graph.penalties)

    def _expected(self, graph: Graph, target: Target) -> torch.Tensor:
        paths = n_best(graph, self.count, distinct=self.distinct)
        assert isinstance(paths, GraphBatch)
        if len(paths) == 0:
            return torch.tensor(torch.inf, dtype=torch.float64)
        found = path_labels(paths)
        risks = torch.as_tensor(self.risk(found, target_labels(target, graph.osymbols)))
        if risks.shape != (len(paths),) or not risks.isfinite().all():
            raise GraphError(
                f"the risks of {len(paths)} paths are as many finite numbers, not {risks}"
            )
        shares = torch.softmax(-forward_penalty_float64(paths), dim=0)
        return torch.dot(shares, risks.to(shares))
