"""Graph transformers: modules that take and return a graph or a batch (paper, section IV)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gtn.composition import compose
from gtn.errors import counted
from gtn.graph import Graph, check_graph
from gtn.paths import viterbi_path

__all__ = ["BestPath", "Compose", "Grammar", "Learned", "current"]

Grammar = Graph | nn.Module


class Learned(nn.Module):
    """A graph whose penalties are parameters: ``grammar()`` returns it with their current values.

    Args:
        graph: a graph, or a batch whose graphs all learn, such as the kernels of a layer; its
            penalties are the initial values. An infinite penalty (a forbidden arc) stays infinite
            whatever an optimizer does: its parameter is a zero without a gradient, and each call
            puts the infinity back. A ``state_dict`` holds penalties by arc, so it fits only graphs
            with the same arcs in the same order.

    >>> import gtn
    >>> grammar = Learned(gtn.string("34"))
    >>> grammar
    Learned(3 nodes, 2 arcs)
    >>> [name for name, _ in grammar.named_parameters()]
    ['penalties', 'start_penalties', 'final_penalties']
    >>> grammar().penalties.requires_grad
    True
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        check_graph(graph)
        self.graph = graph.detach()
        for name in ("penalties", "start_penalties", "final_penalties"):
            initial = getattr(self.graph, name)
            forbidden = initial == torch.inf
            # inf as a parameter becomes NaN under weight decay, so the parameters are finite.
            setattr(self, name, nn.Parameter(torch.where(forbidden, 0.0, initial)))
            self.register_buffer(f"_forbidden_{name}", forbidden, persistent=False)

    def forward(self) -> Graph:
        """Return the graph with the parameters as penalties."""
        return self.graph.with_penalties(
            self._value("penalties"),
            start_penalties=self._value("start_penalties"),
            final_penalties=self._value("final_penalties"),
        )

    def extra_repr(self) -> str:
        """Return the size of the graph, for the text of a module."""
        return f"{counted(self.graph.num_nodes, 'node')}, {counted(self.graph.num_arcs, 'arc')}"

    def _value(self, name: str) -> torch.Tensor:
        forbidden: torch.Tensor = getattr(self, f"_forbidden_{name}")
        parameter: torch.Tensor = getattr(self, name)
        return torch.where(forbidden, torch.inf, parameter)


class Compose(nn.Module):
    """Composes its input with a grammar: the transformer T_gram of section X.

    Args:
        grammar: a graph, or a module that returns one, such as :class:`Learned`.
        options: of :func:`gtn.compose`.

    >>> import gtn
    >>> digits = gtn.linear(torch.tensor([[0.1, 2.3], [1.0, 0.4]]), symbols=gtn.SymbolTable("35"))
    >>> Compose(gtn.string("33"))(digits).penalties
    tensor([0.1000, 1.0000])
    """

    def __init__(self, grammar: Grammar, **options: Any) -> None:
        super().__init__()
        self.grammar = grammar
        self.options = options

    def forward(self, graph: Graph) -> Graph:
        """Return ``graph @ grammar``."""
        return compose(graph, current(self.grammar), **self.options)


class BestPath(nn.Module):
    """Keeps the path of least penalty: the Viterbi transformer (eq. 10).

    >>> import gtn
    >>> BestPath()(gtn.linear(torch.tensor([[0.1, 2.3], [1.0, 0.4]]))).ilabels
    array([0, 1], dtype=int32)
    """

    def forward(self, graph: Graph) -> Graph:
        """Return :func:`gtn.viterbi_path` of the graph."""
        return viterbi_path(graph)


def current(grammar: Grammar) -> Graph:
    """Return the current grammar: the graph itself, or what the module returns."""
    graph: Any = grammar() if callable(grammar) else grammar
    check_graph(graph)
    return graph  # type: ignore[no-any-return]
