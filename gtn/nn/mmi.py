"""Maximum mutual information: the paths of the target against those of the whole language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from gtn import dense
from gtn.composition import compose
from gtn.dense.problems import widened
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.nn.criterion import difference
from gtn.nn.losses import DiscriminativeForwardLoss
from gtn.nn.targets import Target, acceptors, one_for_each
from gtn.nn.transformers import Grammar, current
from gtn.product.failure import check_reads_none
from gtn.symbols import count_classes

__all__ = ["MMILoss"]


class MMILoss(DiscriminativeForwardLoss):
    """Numerator against denominator, without lattices: LF-MMI (Povey et al. 2016), eq. 17.

    The denominator is a transducer from one class per frame to the labels of targets, such as
    ``compose(topology, language)``; the numerator is the part of it that writes the target. Both
    are scored against the emissions frame by frame (:mod:`gtn.dense`). Instead of emissions it also
    takes recognition graphs, as :class:`gtn.nn.DiscriminativeForwardLoss` does.

    Args:
        denominator: a graph, or a module that returns one, such as :class:`gtn.nn.Learned`.
        infeasible, reduction: as in :class:`gtn.nn.Criterion`.

    >>> import gtn
    >>> held = gtn.Graph.from_arcs(
    ...     [(0, 1, "a"), (1, 1, "a", None), (1, 2, "b"), (2, 2, "b", None), (0, 2, "b")],
    ...     final=2)
    >>> MMILoss(held)(torch.zeros(3, 2), "ab")  # aab and abb; bbb is another string
    tensor(0.4055)
    """

    def __init__(self, denominator: Grammar, **options: Any) -> None:
        super().__init__(denominator, **options)
        if denominator is None:
            raise TypeError("the denominator is a graph or a module that returns one, not None")

    def forward(
        self,
        emissions: torch.Tensor | Graph,
        targets: Target | Sequence[Target],
        *,
        lengths: dense.Lengths = None,
    ) -> torch.Tensor:
        """Return the loss in nats.

        Args:
            emissions: penalties ``[B, T, C]`` with a list of targets, or ``[T, C]`` with one; or
                a recognition graph or a batch of them.
            targets: strings, sequences of symbols or of labels, or acceptors; a tensor
                ``[B, U]`` is padded with -1, which is epsilon.
            lengths: the frames of each sample, ``[B]``.

        Raises:
            InfeasibleTargetError: no path spells a target, and ``infeasible="raise"``.
            GraphError: the denominator reads other classes, or has failure arcs.
        """
        if isinstance(emissions, Graph):
            return super().forward(emissions, targets)
        emissions = widened(emissions)
        assert self.grammar is not None
        whole = current(self.grammar).without_data()
        check_reads_none(
            whole, "the denominator", "compose the topology of the labels with it first"
        )
        _check_classes(whole, emissions.shape[-1])
        count = len(emissions) if emissions.ndim == 3 else None
        batch = f"a batch of {count}, emissions of shape {list(emissions.shape)}, [B, T, C],"
        if count is not None:
            targets = one_for_each(targets, count, batch)
        target = acceptors(targets, whole.osymbols, whole.penalties, count, batch)
        losses, feasible = difference(
            dense.forward_penalty_float64(emissions, compose(whole, target), lengths=lengths),
            dense.forward_penalty_float64(emissions, whole, lengths=lengths),
        )
        return self.reduced(losses, feasible, targets, whole.osymbols).to(emissions)


def _check_classes(denominator: Graph, classes: int) -> None:
    """Raise if emissions and a denominator are made for different classes.

    Its table says how many there are; without one, the labels that its arcs read.
    """
    table = denominator.isymbols
    read = int(denominator.ilabels.max(initial=-1)) + 1 if table is None else count_classes(table)
    if classes < read or (table is not None and classes != read):
        raise GraphError(
            f"emissions of {classes} classes, but the denominator reads those of {read}"
        )
