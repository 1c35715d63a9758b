"""Graph transformers and training criteria as ``torch.nn.Module`` (paper, sections IV to VIII).

Every transformer takes and returns a graph or a batch of graphs, so ``torch.nn.Sequential`` chains
them, and any piece can be your own. A criterion takes graphs, or the emission penalties of a
network, with their targets.
"""

from gtn.nn.asg import ASGLoss
from gtn.nn.criterion import Criterion
from gtn.nn.ctc import CTCLoss, ctc_graphs, ctc_topology
from gtn.nn.edits import EditAlignment, edit_alignment, edit_distances
from gtn.nn.hinge import HingeLoss
from gtn.nn.losses import (
    DiscriminativeForwardLoss,
    DiscriminativeViterbiLoss,
    ForwardLoss,
    GraphLoss,
    ViterbiLoss,
)
from gtn.nn.mmi import MMILoss
from gtn.nn.risk import ExpectedRiskLoss
from gtn.nn.transformers import BestPath, Compose, Learned

__all__ = [
    "ASGLoss",
    "BestPath",
    "CTCLoss",
    "Compose",
    "Criterion",
    "DiscriminativeForwardLoss",
    "DiscriminativeViterbiLoss",
    "EditAlignment",
    "ExpectedRiskLoss",
    "ForwardLoss",
    "GraphLoss",
    "HingeLoss",
    "Learned",
    "MMILoss",
    "ViterbiLoss",
    "ctc_graphs",
    "ctc_topology",
    "edit_alignment",
    "edit_distances",
]
