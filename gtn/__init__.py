"""Graph transformer networks: weighted transducers as differentiable values."""

from gtn.batch import GraphBatch
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
from gtn.symbols import EPSILON, SymbolTable
from gtn.topology import Topology

__all__ = [
    "EPSILON",
    "ArcData",
    "Builder",
    "Column",
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
    "empty",
    "from_arcs",
    "from_arrays",
    "linear",
    "string",
]
