"""Graph transformer networks: weighted transducers as differentiable values.

A third of the modules, which many programs never use, are loaded when one of their names is first
used; so is networkx, with drawing, interchange and comparison, which takes as long as all of them.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError as _NotInstalled
from importlib.metadata import version as _version
from sys import modules as _modules
from typing import TYPE_CHECKING, Any

from gtn.batch import GraphBatch
from gtn.builder import Builder
from gtn.composition import ComposePlan, compose, intersect
from gtn.construction import empty, from_arcs, from_arrays, linear
from gtn.data import ArcData, Column, Sources
from gtn.epsilons import remove_epsilon
from gtn.errors import (
    CyclicGraphError,
    DataError,
    DivergentGraphError,
    GraphError,
    InfeasibleTargetError,
    NegativeCycleError,
    SymbolError,
)
from gtn.foreign_names import FUNCTIONS as _FUNCTIONS
from gtn.foreign_names import told as _told
from gtn.graph import Graph
from gtn.optimization import connect, topsort
from gtn.paths import path_labels, path_text, viterbi_path, viterbi_penalty
from gtn.paths.distance import shortest_distance
from gtn.paths.pruning import prune
from gtn.pushing import push
from gtn.rational import closure, concat, invert, project, reverse, union
from gtn.rational.relabelling import cross, relabel
from gtn.scoring import arc_posteriors, forward_penalty
from gtn.scoring.expectation import entropy, expected
from gtn.symbols import BACK_OFF, EPSILON, SymbolTable
from gtn.texts import string, strings
from gtn.topology import Topology

if TYPE_CHECKING:
    from gtn import dense, nn
    from gtn.determinization import determinize
    from gtn.determinization.ambiguity import is_functional, is_unambiguous
    from gtn.determinization.complementation import complement, difference
    from gtn.determinization.minimization import minimize
    from gtn.drawing import draw, to_dot, to_svg
    from gtn.equivalence import equal, equivalent, isomorphic, random_equivalent
    from gtn.interchange import (
        from_kaldi_lattices,
        from_networkx,
        from_openfst_binary,
        from_openfst_symbols,
        from_openfst_text,
        load,
        save,
        to_networkx,
        to_openfst_binary,
        to_openfst_symbols,
        to_openfst_text,
    )
    from gtn.paths.ranking import n_best
    from gtn.paths.sampling import sample
    from gtn.replacement import replace
    from gtn.transduction import ArcTable, expand, transduce

__all__ = [
    "BACK_OFF",
    "EPSILON",
    "ArcData",
    "ArcTable",
    "Builder",
    "Column",
    "ComposePlan",
    "CyclicGraphError",
    "DataError",
    "DivergentGraphError",
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
    "complement",
    "compose",
    "concat",
    "connect",
    "cross",
    "dense",
    "determinize",
    "difference",
    "draw",
    "empty",
    "entropy",
    "equal",
    "equivalent",
    "expand",
    "expected",
    "forward_penalty",
    "from_arcs",
    "from_arrays",
    "from_kaldi_lattices",
    "from_networkx",
    "from_openfst_binary",
    "from_openfst_symbols",
    "from_openfst_text",
    "intersect",
    "invert",
    "is_functional",
    "is_unambiguous",
    "isomorphic",
    "linear",
    "load",
    "minimize",
    "n_best",
    "nn",
    "path_labels",
    "path_text",
    "project",
    "prune",
    "push",
    "random_equivalent",
    "relabel",
    "remove_epsilon",
    "replace",
    "reverse",
    "sample",
    "save",
    "shortest_distance",
    "string",
    "strings",
    "to_dot",
    "to_networkx",
    "to_openfst_binary",
    "to_openfst_symbols",
    "to_openfst_text",
    "to_svg",
    "topsort",
    "transduce",
    "union",
    "viterbi_path",
    "viterbi_penalty",
]

_LATER = {
    "gtn.determinization": ("determinize",),
    "gtn.determinization.ambiguity": ("is_functional", "is_unambiguous"),
    "gtn.determinization.complementation": ("complement", "difference"),
    "gtn.determinization.minimization": ("minimize",),
    "gtn.drawing": ("draw", "to_dot", "to_svg"),
    "gtn.equivalence": ("equal", "equivalent", "isomorphic", "random_equivalent"),
    "gtn.interchange": (
        "from_kaldi_lattices",
        "from_networkx",
        "from_openfst_binary",
        "from_openfst_symbols",
        "from_openfst_text",
        "load",
        "save",
        "to_networkx",
        "to_openfst_binary",
        "to_openfst_symbols",
        "to_openfst_text",
    ),
    "gtn.paths.ranking": ("n_best",),
    "gtn.paths.sampling": ("sample",),
    "gtn.replacement": ("replace",),
    "gtn.transduction": ("ArcTable", "expand", "transduce"),
}
"""Which public names are loaded with which module, when they are first used."""

_PACKAGES = ("dense", "nn")
"""Which packages are loaded when they are first used."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        try:
            value = globals()[name] = _version("graph-transformer-networks")
        except _NotInstalled as error:  # run from its sources; hasattr() then says there is none
            raise AttributeError(f"{error}: only an installed package has a version") from error
        return value
    if name in _PACKAGES:
        return import_module(f"gtn.{name}")
    module = next((module for module, names in _LATER.items() if name in names), None)
    if module is None:
        raise AttributeError(
            f"module 'gtn' has no attribute {name!r}{_told(name, _FUNCTIONS)}",
            name=name,
            obj=_modules[__name__],  # for "Did you mean"
        )
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
