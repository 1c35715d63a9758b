"""The automatic segmentation criterion: learned transitions between labels, no blank."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from gtn import dense
from gtn.arguments import whole_number
from gtn.batch import GraphBatch
from gtn.construction import from_arrays
from gtn.dense.problems import widened
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.nn.criterion import Criterion, difference
from gtn.nn.targets import LabelTargets, label_rows, label_targets
from gtn.topology import Topology

__all__ = ["ASGLoss"]


class ASGLoss(Criterion):
    """Forward penalty of the target's labels, each held for some frames, against all labels.

    Collobert, Puhrsch and Synnaeve 2016: the discriminative forward loss (eq. 17), with learned
    penalties on both sides for the first label and for each transition. Two equal labels in a row
    cannot be told from one that is held: spell repeats with an extra label.

    Args:
        num_classes: C.
        infeasible, reduction: as in :class:`gtn.nn.Criterion`.

    Raises:
        GraphError: less than one class.
        TypeError: ``num_classes`` is not a whole number.

    Attributes:
        transitions: penalties ``[C, C]`` of reading a class (column) after another (row).
        beginnings: penalties ``[C]`` of reading a class first.

    >>> loss = ASGLoss(2)
    >>> loss(torch.zeros(3, 2), [0, 1])  # 001 and 011 of eight: log(8/2)
    tensor(1.3863, grad_fn=<ToCopyBackward0>)
    """

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        num_classes = whole_number(num_classes, "num_classes")
        if num_classes < 1:
            raise GraphError(f"num_classes={num_classes}; there is at least one class")
        self.transitions = nn.Parameter(torch.zeros(num_classes, num_classes))
        self.beginnings = nn.Parameter(torch.zeros(num_classes))

    def forward(
        self,
        emissions: torch.Tensor,
        targets: LabelTargets,
        *,
        lengths: dense.Lengths = None,
        target_lengths: Any = None,
    ) -> torch.Tensor:
        """Return the loss in nats; arguments and errors as in :class:`gtn.nn.CTCLoss`.

        Raises:
            GraphError: also two equal labels in a row, naming sample and position; emissions
                with another number of classes than the loss has.
        """
        emissions = widened(emissions)
        if emissions.shape[-1] != len(self.beginnings):
            raise GraphError(
                f"emissions of shape {tuple(emissions.shape)}; the last dimension is of the "
                f"{len(self.beginnings)} classes of this loss"
            )
        each, target_lengths = label_targets(targets, target_lengths, emissions)
        every = self.every()  # this checks the parameters, which both sides share
        graphs = self.correct(each, target_lengths)
        graph = graphs[0] if emissions.ndim == 2 else graphs
        losses, feasible = difference(
            dense.forward_penalty_float64(emissions, graph, lengths=lengths),
            dense.forward_penalty_float64(emissions, every, lengths=lengths),
        )
        named = targets if emissions.ndim == 2 else each
        return self.reduced(losses, feasible, named).to(emissions)

    def every(self) -> Graph:
        """Return the graph of all label sequences: a start and a node for each class."""
        classes = np.arange(len(self.beginnings))
        before, now = (grid.ravel() for grid in np.indices(self.transitions.shape))
        return from_arrays(
            np.concatenate((0 * classes, 1 + before)),
            np.concatenate((1 + classes, 1 + now)),
            np.concatenate((classes, now)),
            penalties=self._penalties(),
            final=range(1 + len(classes)),
        )

    def correct(self, targets: LabelTargets, target_lengths: Any = None) -> GraphBatch:
        """Return the graphs of the targets: a chain of labels, each held as long as it takes."""
        labels, counts = label_rows(targets, target_lengths)
        classes = len(self.beginnings)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        if (labels >= classes).any():
            at = int(np.argmax(labels >= classes))
            b = int(np.searchsorted(offsets, at, side="right")) - 1
            raise GraphError(
                f"the target of sample {b} has label {labels[at]}, but there are {classes} classes"
            )
        is_first = np.zeros(len(labels), dtype=np.bool_)
        is_first[offsets[:-1][counts > 0]] = True
        before = np.roll(labels, 1)
        repeats = ~is_first & (labels == before)
        if repeats.any():  # else each place of the boundary would count the same frames again
            at = int(np.argmax(repeats))
            b = int(np.searchsorted(offsets, at, side="right")) - 1
            raise GraphError(
                f"the target of sample {b} has label {labels[at]} at positions "
                f"{at - offsets[b] - 1} and {at - offsets[b]}, which reads as one label that is "
                "held; spell repeats by a label of their own"
            )
        into = np.where(is_first, labels, classes + before * classes + labels)
        held = classes + labels * classes + labels
        parameters = np.stack((into, held)).T.ravel()
        node = np.arange(len(labels)) + np.repeat(np.arange(len(counts)), counts) + 1
        nodes = offsets + np.arange(len(offsets))
        topology = Topology(
            int(nodes[-1]),
            np.stack((node - 1, node)).T.ravel(),
            np.repeat(node, 2),
            np.repeat(labels, 2),
            starts=nodes[:-1],
            finals=nodes[1:] - 1,
            node_offsets=nodes,
            arc_offsets=2 * offsets,
            check=False,
        )
        penalties = self._penalties()
        chosen = torch.from_numpy(parameters).to(penalties.device)
        return GraphBatch(topology, penalties.index_select(0, chosen), check=False)

    def _penalties(self) -> torch.Tensor:
        """Return beginnings, then transitions row by row."""
        return torch.cat((self.beginnings, self.transitions.reshape(-1)))
