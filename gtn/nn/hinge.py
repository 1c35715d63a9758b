"""The structured hinge loss: a correct path must win by a margin that grows with the errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.arguments import real_number
from gtn.batch import GraphBatch
from gtn.composition import compose
from gtn.construction import from_arrays
from gtn.graph import Graph
from gtn.nn.losses import DiscriminativeViterbiLoss
from gtn.nn.transformers import Grammar
from gtn.paths import path_labels
from gtn.product import relabelled, relabelling

__all__ = ["HingeLoss"]


class HingeLoss(DiscriminativeViterbiLoss):
    """C_cvit minus the least of (penalty - margin * errors) over all paths; never negative.

    Cost-augmented Viterbi (Taskar et al. 2003, Tsochantaridis et al. 2005): zero if and only if
    the best correct path beats every other path by the margin times the number of places where
    the other's output differs from the target (missing and additional symbols count).

    Args:
        grammar, infeasible, reduction: as in :class:`gtn.nn.GraphLoss`.
        margin: nats per error. With margin 0 this is the discriminative Viterbi loss.

    Raises:
        ValueError: a margin that is negative, infinite or NaN.
        TypeError: a margin that is not a number.

    >>> import gtn
    >>> g = gtn.linear(torch.tensor([[0.0, 0.25], [0.0, 3.0]]))
    >>> HingeLoss(margin=1.0)(g, [0, 0])  # 1 0 has one error, and is worse by 0.25 only
    tensor(0.7500)
    """

    def __init__(self, grammar: Grammar | None = None, *, margin: float = 1.0, **options: Any):
        super().__init__(grammar, **options)
        margin = real_number(margin, "margin")
        if not 0 <= margin < math.inf:
            raise ValueError(f"margin={margin}; a margin is a finite number of nats >= 0")
        self.margin = margin

    def compared(self, whole: Graph, target: Graph) -> Graph:
        """Return the whole graph with the margin subtracted at every error."""
        rows = path_labels(target)
        written = np.unique(whole.olabels[whole.olabels >= 0])
        # An acceptor keeps the table of the input graph, which need not be that of the target.
        relabel = relabelling(whole.osymbols, target.isymbols, "match")
        each = [
            self._errors(row if relabel is None else relabelled(row, relabel), written)
            for row in (rows if target.topology.is_batch else [rows])
        ]
        if not each:
            return whole
        errors = GraphBatch.from_graphs(each) if target.topology.is_batch else each[0]
        return compose(whole, errors.with_symbols(whole.osymbols).to(whole.penalties))

    def _errors(self, target: NDArray[np.int32], written: NDArray[np.int32]) -> Graph:
        """Return the acceptor of all outputs, with penalty -margin for each wrong place."""
        length = len(target)
        src = np.repeat(np.arange(length + 1), len(written))
        labels = np.tile(written, length + 1)
        wrong = np.append(target, -1)[src] != labels
        missing = np.arange(length, -1, -1)
        return from_arrays(
            src,
            np.minimum(src + 1, length),
            labels,
            penalties=torch.from_numpy(np.where(wrong, -self.margin, 0.0)),
            final=range(length + 1),
            final_penalties=torch.from_numpy(-self.margin * missing),
        )
