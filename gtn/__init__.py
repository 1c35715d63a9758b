"""Graph transformer networks: weighted transducers as differentiable values."""

from gtn import nn
from gtn.batch import GraphBatch
from gtn.composition import ComposePlan, compose, intersect
from gtn.construction import Builder, empty, from_arcs, from_arrays, linear, string
from gtn.data import ArcData, Column, Sources
from gtn.errors import (
    CyclicGraphError,
    DataError,
    GraphError,
    InfeasibleTargetError,
    NegativeCycleError,
    SymbolError,
)
from gtn.graph import Graph
from gtn.scoring import (
    arc_posteriors,
    forward_penalty,
    n_best,
    path_labels,
    path_text,
    viterbi_path,
    viterbi_penalty,
)
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = [
    "EPSILON",
    "ArcData",
    "Builder",
    "Column",
    "ComposePlan",
    "CyclicGraphError",
    "DataError",
    "Graph",
    "GraphBatch",
    "GraphError",
    "InfeasibleTargetError",
    "NegativeCycleError",
    "Sources",
    "SymbolError",
    "SymbolTable",
    "Topology",
    "arc_posteriors",
    "compose",
    "empty",
    "forward_penalty",
    "from_arcs",
    "from_arrays",
    "intersect",
    "linear",
    "n_best",
    "nn",
    "path_labels",
    "path_text",
    "string",
    "viterbi_path",
    "viterbi_penalty",
]
