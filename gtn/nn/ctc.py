"""Connectionist temporal classification: labels with blanks between them (Graves et al. 2006)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gtn import dense
from gtn.arguments import whole_number
from gtn.batch import GraphBatch
from gtn.construction import from_arrays
from gtn.dense.problems import widened
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.indexes import LARGEST, check_counts
from gtn.kernels.ctc import ctc_arcs
from gtn.nn.criterion import Criterion, difference
from gtn.nn.targets import LabelTargets, label_rows, label_targets, padding_hint
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = ["CTCLoss", "any_labels", "ctc_graphs", "ctc_topology"]


def ctc_topology(
    num_classes: int,
    blank: int = 0,
    *,
    symbols: SymbolTable | None = None,
    compact: bool = False,
) -> Graph:
    """Return the transducer from a class per frame to labels: repeats and blanks are dropped.

    A repeat after a blank is a new label. At node c the last class read is c; the start is the
    node of the blank. C nodes and C² arcs, one from each class to each: a class that follows itself
    directly is a repeat. Composed with a lexicon or a grammar it decodes; composed with the string
    of a target it is the graph of :func:`ctc_graphs`.

    The ``compact`` topology has the same paths, each once, with about 3 C nodes and 7 C arcs. From
    each class, epsilons lead along one chain of the lower classes and one of the higher ones, and
    from the chain to each of its classes. Use it if there are many classes and frames meet it
    before any lexicon. Composed with a lexicon it gives the larger graph, as most nodes there go
    on with few classes.

    Raises:
        GraphError: a blank that is not a class; more arcs than are numbered, of 46341 classes or
            more unless it is compact.
        TypeError: a number of classes that is not whole.

    >>> import gtn
    >>> frames = gtn.string([1, 1, 0, 1, 2])
    >>> gtn.path_labels(gtn.compose(frames, ctc_topology(3)))
    array([1, 1, 2], dtype=int32)
    >>> ctc_topology(100).num_arcs, ctc_topology(100, compact=True).num_arcs
    (10000, 696)
    """
    blank, num_classes = _checked_blank(blank), whole_number(num_classes, "num_classes")
    if blank >= num_classes:
        raise GraphError(f"blank {blank} is not one of {num_classes} classes")
    check_counts(num_classes, 7 * num_classes if compact else num_classes**2)
    if not compact:
        before, now = (grid.ravel() for grid in np.indices((num_classes, num_classes)))
        written = np.where((now == blank) | (now == before), EPSILON, now)
        return from_arrays(
            before, now, now, written, start=blank, final=range(num_classes), symbols=symbols
        )
    # Node C + c leads to class c or a lower one, node 2 C + c to class c or a higher one.
    each = np.arange(num_classes)
    low, high, inner = num_classes, 2 * num_classes, each[:-1]
    heads = [(low + each, each), (high + each, each)]  # read the class
    steps = [
        (each[1:], low + inner),
        (inner, high + each[1:]),
        (low + each[1:], low + inner),
        (high + inner, high + each[1:]),
    ]
    src, dst = (
        np.concatenate([pair[end] for pair in ((each, each), *heads, *steps)]) for end in (0, 1)
    )
    read = np.where(np.arange(len(src)) < 3 * num_classes, dst, EPSILON)
    written = np.where((dst == src) | (read == blank), EPSILON, read)
    return from_arrays(
        src, dst, read, written, start=blank, final=each, num_nodes=3 * num_classes, symbols=symbols
    )


def ctc_graphs(targets: LabelTargets, blank: int = 0, *, target_lengths: Any = None) -> GraphBatch:
    """Return the batch of graphs of the class sequences that stand for each target.

    2 U + 1 nodes for U labels: before, at and after each label; the last two are final. Equal
    labels in a row need a blank between them. O(sum of U).

    Args:
        targets: label sequences (lists, arrays or tensors), or a tensor ``[B, U]``, padded with
            -1, or a tensor of all labels, one target after the other, as torch takes them.
        target_lengths: of the targets in one tensor, ``[B]``; its padding may then be any number.

    Raises:
        GraphError: a blank or a negative label in a target, naming the sample; a blank that is not
            a label.

    >>> ctc_graphs([[7]])[0]
    Graph: 3 nodes, 5 arcs, start 0, final 1, 2
      0 -> 0  0:ε  0
      1 -> 1  7:ε  0
      0 -> 1  7    0
      2 -> 2  0:ε  0
      1 -> 2  0:ε  0
    """
    blank = _checked_blank(blank)
    labels, counts = label_rows(targets, target_lengths, check=False)
    wrong, src, dst, read, written, starts, finals, nodes, arcs = ctc_arcs(labels, counts, blank)
    if wrong >= 0:
        label_rows(targets, target_lengths)  # negative labels have a message of their own
        raise GraphError(
            f"the target of sample {wrong} contains the blank, label {blank}"
            + padding_hint(targets, target_lengths)
        )
    topology = Topology(
        int(nodes[-1]),
        src,
        dst,
        read,
        written,
        starts=starts,
        finals=finals,
        node_offsets=nodes,
        arc_offsets=arcs,
        check=False,
        known={"has_input_epsilons": False},
    )
    return GraphBatch(topology, check=False)


def any_labels(num_classes: int) -> Graph:
    """Return the graph that reads any class in any number of frames.

    >>> any_labels(2)
    Graph: 1 node, 2 arcs, start 0, final 0
      0 -> 0  0  0
      0 -> 0  1  0
    """
    zeros = np.zeros(num_classes, dtype=np.int64)
    return from_arrays(zeros, zeros, np.arange(num_classes), final=0, num_nodes=1)


class CTCLoss(Criterion):
    """Minus the log-probability that frames spell the target, with blanks and repeats.

    The discriminative forward loss (eq. 17) of the graph of the target against all sequences of
    classes. So emissions may be unnormalised, negated logits: with ``-log_softmax`` the loss and
    its gradient are the same. Equal to ``torch.nn.functional.ctc_loss`` of the log-softmax (whose
    ``"mean"`` also divides by target lengths), with a gradient that is right for any input and can
    itself be differentiated.

    Coming from torch: emissions are ``[B, T, C]``, not ``[T, B, C]``, and penalties: negate logits
    and log-probabilities (otherwise nothing is learned, and no error can tell); lengths are
    optional; ``zero_infinity`` is ``infeasible="skip"``.

    Args:
        blank: its class.
        normalized: whether exp(-emissions) sums to one in each frame, as for ``-log_softmax``; this
            saves computing the sum.
        infeasible, reduction: as in :class:`gtn.nn.Criterion`; a target is infeasible if its labels
            and the blanks between equal ones are more than its frames.

    >>> loss = CTCLoss()
    >>> logits = torch.zeros(2, 3)  # 3 classes, all of probability 1/3; 1, 01, 10, 11 spell 1
    >>> loss(-logits, [1])  # log(9/3)
    tensor(1.0986)
    """

    def __init__(self, blank: int = 0, *, normalized: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.blank = _checked_blank(blank)
        self.normalized = normalized

    def forward(
        self,
        emissions: torch.Tensor,
        targets: LabelTargets,
        *,
        lengths: dense.Lengths = None,
        target_lengths: Any = None,
    ) -> torch.Tensor:
        """Return the loss in nats.

        Args:
            emissions: penalties ``[B, T, C]`` with B targets, or ``[T, C]`` with one; half
                precision is widened to float32.
            targets: label sequences; a tensor ``[B, U]``, padded with -1; or, with
                ``target_lengths [B]``, a tensor padded with any number, or a tensor of all labels,
                one target after the other.
            lengths: the frames of each sample, ``[B]``.

        Raises:
            InfeasibleTargetError: no path spells a target, and ``infeasible="raise"``.
            GraphError: a blank that is not a class, or in a target; a label that is not a class;
                not one target per sample; a NaN or -inf emission, or a graph instead of emissions;
                with ``normalized=True``, emissions that are not (if a loss below zero shows it).
        """
        emissions = widened(emissions)
        if self.blank >= emissions.shape[-1]:
            raise GraphError(f"blank {self.blank} is not one of {emissions.shape[-1]} classes")
        each, target_lengths = label_targets(targets, target_lengths, emissions)
        graphs = ctc_graphs(each, self.blank, target_lengths=target_lengths)
        beyond = graphs.ilabels >= emissions.shape[-1]
        if beyond.any():
            arc = int(np.argmax(beyond))
            b = int(np.searchsorted(graphs.topology.arc_offsets, arc, side="right")) - 1
            raise GraphError(
                f"the target of sample {b} has label {graphs.ilabels[arc]}, but there are "
                f"{emissions.shape[-1]} classes"
            )
        graph = graphs[0] if emissions.ndim == 2 else graphs
        correct = dense.forward_penalty_float64(emissions, graph, lengths=lengths)
        if self.normalized:
            every = torch.zeros_like(correct)
        else:
            anything = any_labels(emissions.shape[-1])
            every = dense.forward_penalty_float64(emissions, anything, lengths=lengths)
        losses, feasible = difference(correct, every)
        if self.normalized:
            _check_normalized(losses.detach().reshape(-1), emissions.shape[-2])
        named = targets if emissions.ndim == 2 else each
        return self.reduced(losses, feasible, named).to(emissions)


def _check_normalized(losses: torch.Tensor, frames: int) -> None:
    """Raise if a probability is above one by more than half precision may round."""
    wrong = (losses < -0.05 * frames).nonzero()
    if len(wrong):
        b = int(wrong[0])
        raise GraphError(
            f"with normalized=True the loss of sample {b} is {losses[b].item():g}, but a "
            "probability has no negative penalty: emissions are then -log_softmax, with the minus"
        )


def _checked_blank(blank: Any) -> int:
    try:
        number = whole_number(blank, "blank")
    except TypeError:
        number = -1
    if not 0 <= number <= LARGEST:
        raise GraphError(f"blank {blank!r} is not a class; classes are 0 to {LARGEST}")
    return number
