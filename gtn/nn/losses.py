"""The four criteria of the paper (section VI), for any graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from gtn.batch import GraphBatch
from gtn.composition import compose
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.nn.criterion import Criterion, difference
from gtn.nn.targets import Target, acceptors, one_for_each
from gtn.nn.transformers import Grammar, current
from gtn.paths import viterbi_penalty_float64
from gtn.product.failure import failure_label
from gtn.scoring import forward_penalty_float64

__all__ = [
    "DiscriminativeForwardLoss",
    "DiscriminativeViterbiLoss",
    "ForwardLoss",
    "GraphLoss",
    "ViterbiLoss",
]


class GraphLoss(Criterion):
    """What the four criteria of section VI share: constraining a graph to its target.

    The constrained graph holds exactly the paths whose output, after the grammar, is the target.
    It is ``graph @ (grammar @ string(target))``, the right part first (except for grammars with
    failure arcs).

    Args:
        grammar: composed with the input graph; a graph, or a module that returns one. ``None``:
            the input graph is the interpretation graph itself.
        infeasible, reduction: as in :class:`gtn.nn.Criterion`.
    """

    def __init__(self, grammar: Grammar | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.grammar = grammar

    def forward(self, graph: Graph, targets: Target | Sequence[Target]) -> torch.Tensor:
        """Return the loss in nats.

        Args:
            graph: a graph with one target, or a batch with a list of them: recognition graphs
                if there is a grammar, interpretation graphs otherwise.
            targets: strings, sequences of symbols or of labels (also tensors), or acceptors; for
                a batch also a batch of acceptors.

        Raises:
            InfeasibleTargetError: no path spells a target, and ``infeasible="raise"``.
            GraphError: emissions instead of a graph; not one target for each graph; a target of
                symbols where the output has no table.
        """
        if not isinstance(graph, Graph):
            raise GraphError(
                f"a loss of graphs takes a graph, not {type(graph).__name__}; of emissions "
                "gtn.linear makes one"
            )
        graph = graph.without_data()
        grammar = None if self.grammar is None else current(self.grammar).without_data()
        table = (graph if grammar is None else grammar).osymbols
        count = len(graph) if isinstance(graph, GraphBatch) else None
        if count is not None:
            targets = one_for_each(targets, count)
        target = acceptors(targets, table, graph.penalties, count)
        whole = graph if grammar is None else compose(graph, grammar)
        if grammar is None or failure_label(grammar, None) is not None:
            # The part of a grammar for one target would back off where the whole does not.
            constrained = compose(whole, target)
        else:
            constrained = compose(graph, compose(grammar, target))
        losses, feasible = self.penalties(constrained, self.compared(whole, target))
        return self.reduced(losses, feasible, targets, table).to(graph.penalties)

    def compared(self, whole: Graph, target: Graph) -> Graph:
        """Return the graph that the constrained one is compared with: the whole, unchanged."""
        return whole

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses in float64, ``[]`` or ``[B]``, and which of them are feasible."""
        raise TypeError(f"{type(self).__name__} is not a criterion; use one of the four of gtn.nn")


class ViterbiLoss(GraphLoss):
    """Penalty of the best correct path, C_cvit (eq. 11). Training on it alone collapses (VI-A)."""

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eq. 11."""
        correct = viterbi_penalty_float64(constrained)
        return correct, correct.isfinite()


class DiscriminativeViterbiLoss(GraphLoss):
    """C_cvit - C_vit >= 0 (eq. 12): zero if and only if a best path is correct.

    The worked example of Fig. 20 (target "34"):

    >>> import gtn
    >>> fig20 = gtn.Graph.from_arcs(
    ...     [(0, 1, "3", 0.1), (0, 1, "5", 2.3), (1, 2, "4", 0.4), (1, 2, "2", 1.3),
    ...      (2, 3, "1", 0.1), (2, 3, "4", 2.4), (0, 2, "3", 3.4), (0, 2, "4", 4.4),
    ...      (1, 3, "4", 0.6), (1, 3, "9", 1.2)], final=3).double()
    >>> round(DiscriminativeViterbiLoss()(fig20, "34").item(), 6)
    0.1
    >>> round(DiscriminativeForwardLoss()(fig20, "34").item(), 6)
    1.305441
    """

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eq. 12."""
        return difference(viterbi_penalty_float64(constrained), viterbi_penalty_float64(whole))


class ForwardLoss(GraphLoss):
    """Forward penalty of the correct paths, C_cforw (VI-C). Training on it alone collapses."""

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the forward penalty of the constrained graph (eqs. 13 and 14)."""
        correct = forward_penalty_float64(constrained)
        return correct, correct.isfinite()


class DiscriminativeForwardLoss(GraphLoss):
    """C_cforw - C_forw >= 0 (eq. 17): minus the log posterior of the target.

    Its gradient with respect to an arc's penalty is the arc's posterior in the constrained graph
    minus that in the whole one.
    """

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eq. 17."""
        return difference(forward_penalty_float64(constrained), forward_penalty_float64(whole))
