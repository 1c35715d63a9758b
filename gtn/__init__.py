"""Graph transformer networks: weighted transducers as differentiable values."""

from gtn import nn
from gtn.batch import GraphBatch
from gtn.composition import ComposePlan, compose, intersect
from gtn.construction import Builder, empty, from_arcs, from_arrays, linear, string
from gtn.data import ArcData, Column, Sources
from gtn.determinization import determinize, minimize
from gtn.drawing import draw, to_dot, to_svg
from gtn.equivalence import equal, is_unambiguous, isomorphic
from gtn.errors import (
    CyclicGraphError,
    DataError,
    GraphError,
    InfeasibleTargetError,
    NegativeCycleError,
    SymbolError,
)
from gtn.graph import Graph
from gtn.optimization import connect, topsort
from gtn.paths import n_best, path_labels, path_text, viterbi_path, viterbi_penalty
from gtn.rational import closure, concat, invert, project, reverse, union
from gtn.scoring import arc_posteriors, forward_penalty
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology
from gtn.transduction import ArcTable, expand, replace, transduce

__all__ = [
    "EPSILON",
    "ArcData",
    "ArcTable",
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
    "closure",
    "compose",
    "concat",
    "connect",
    "determinize",
    "draw",
    "empty",
    "equal",
    "expand",
    "forward_penalty",
    "from_arcs",
    "from_arrays",
    "intersect",
    "invert",
    "is_unambiguous",
    "isomorphic",
    "linear",
    "minimize",
    "n_best",
    "nn",
    "path_labels",
    "path_text",
    "project",
    "replace",
    "reverse",
    "string",
    "to_dot",
    "to_svg",
    "topsort",
    "transduce",
    "union",
    "viterbi_path",
    "viterbi_penalty",
]
