"""Graph transformers and training criteria as ``torch.nn.Module`` (paper, sections IV to VIII).

Every module takes and returns a graph or a batch of graphs, so that ``torch.nn.Sequential``
chains them and any piece can be the user's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gtn.batch import GraphBatch
from gtn.composition import compose
from gtn.construction import empty, string
from gtn.errors import GraphError, InfeasibleTargetError
from gtn.graph import Graph
from gtn.paths import viterbi_path, viterbi_penalty_float64
from gtn.scoring import forward_penalty_float64
from gtn.symbols import SymbolTable

__all__ = [
    "BestPath",
    "Compose",
    "DiscriminativeForwardLoss",
    "DiscriminativeViterbiLoss",
    "ForwardLoss",
    "GraphLoss",
    "Learned",
    "ViterbiLoss",
]

Grammar = Graph | nn.Module
Target = str | Sequence[Any] | Graph


class Learned(nn.Module):
    """A graph whose penalties are parameters: ``grammar()`` returns it with their values now.

    Args:
        graph: a single graph; its penalties are the initial values. An infinite penalty (a
            forbidden arc) stays infinite whatever an optimizer does: it is put back at each call,
            and the parameter in its place is a zero without a gradient.

    >>> import gtn
    >>> grammar = Learned(gtn.string("34"))
    >>> [name for name, _ in grammar.named_parameters()]
    ['penalties', 'start_penalties', 'final_penalties']
    >>> grammar().penalties.requires_grad
    True
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        if graph.topology.is_batch:
            raise GraphError("Learned takes a single graph; one of a batch is batch[i]")
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

    def _value(self, name: str) -> torch.Tensor:
        forbidden: torch.Tensor = getattr(self, f"_forbidden_{name}")
        parameter: torch.Tensor = getattr(self, name)
        return torch.where(forbidden, torch.inf, parameter)


class Compose(nn.Module):
    """Composes what comes in with a grammar: the transformer T_gram of section X.

    Args:
        grammar: a graph, or a module that returns one, as :class:`Learned`.
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
        return compose(graph, _now(self.grammar), **self.options)


class BestPath(nn.Module):
    """Keeps the path of least penalty: the Viterbi transformer (eq. 10).

    >>> import gtn
    >>> BestPath()(gtn.linear(torch.tensor([[0.1, 2.3], [1.0, 0.4]]))).ilabels
    array([0, 1], dtype=int32)
    """

    def forward(self, graph: Graph) -> Graph:
        """Return :func:`gtn.viterbi_path` of the graph."""
        return viterbi_path(graph)


class GraphLoss(nn.Module):
    """What the four criteria of section VI share: constraining a graph to its target.

    The constrained graph holds exactly the paths whose output, after the grammar, is the target;
    it is ``graph @ (grammar @ string(target))``, the right part first.

    Args:
        grammar: composed with what comes in; a graph, or a module that returns one. ``None``:
            the graph that comes in is the interpretation graph itself.
        infeasible: what to do with a target that no path spells: ``"raise"``; ``"skip"``: leave
            it out of the mean and count it in :attr:`skipped`; ``"infinity"``: its loss is
            infinite, with gradient zero.
        reduction: ``"mean"``, ``"sum"`` or ``"none"`` (one loss per graph, ``[B]``).
    """

    def __init__(
        self,
        grammar: Grammar | None = None,
        *,
        infeasible: str = "raise",
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if infeasible not in ("raise", "skip", "infinity"):
            raise ValueError(f"infeasible={infeasible!r}; known are 'raise', 'skip', 'infinity'")
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction={reduction!r}; known are 'mean', 'sum', 'none'")
        self.grammar = grammar
        self.infeasible = infeasible
        self.reduction = reduction
        self.skipped = 0

    def forward(self, graph: Graph, targets: Target | Sequence[Target]) -> torch.Tensor:
        """Return the loss in nats.

        Args:
            graph: a graph with one target, or a batch with a list of them: recognition graphs
                if there is a grammar, interpretation graphs otherwise.
            targets: strings, sequences of symbols or of labels (tensors too), or acceptors; for
                a batch also a batch of acceptors.

        Raises:
            InfeasibleTargetError: no path spells a target, and ``infeasible="raise"``.
        """
        graph = graph.without_data()
        grammar = None if self.grammar is None else _now(self.grammar).without_data()
        table = (graph if grammar is None else grammar).osymbols
        if isinstance(graph, GraphBatch):
            wrong = isinstance(targets, str | Graph) and not isinstance(targets, GraphBatch)
            each: list[Any] = [] if wrong else list(targets)  # type: ignore[arg-type]
            if wrong or len(each) != len(graph):
                raise GraphError(f"a batch of {len(graph)} graphs needs a list of as many targets")
            acceptors: Graph = (
                GraphBatch.from_graphs([_acceptor(t, table, graph) for t in each])
                if each
                else _nothing(table, graph)
            )
        else:
            acceptors = _acceptor(targets, table, graph)
        constraint = acceptors if grammar is None else compose(grammar, acceptors)
        constrained = compose(graph, constraint)
        whole = graph if grammar is None else compose(graph, grammar)
        losses, feasible = self.penalties(constrained, whole)
        return self._reduced(losses, feasible, targets).to(
            device=graph.penalties.device, dtype=graph.penalties.dtype
        )

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses in float64, ``[]`` or ``[B]``, and which of them are feasible."""
        raise TypeError(f"{type(self).__name__} is no criterion; use one of the four of gtn.nn")

    def _reduced(self, losses: torch.Tensor, feasible: torch.Tensor, targets: Any) -> torch.Tensor:
        wrong = (~feasible).reshape(-1).nonzero().reshape(-1).tolist()
        self.skipped = len(wrong)
        if wrong and self.infeasible == "raise":
            named = [targets] if losses.ndim == 0 else [targets[i] for i in wrong[:5]]
            samples = ", ".join(
                f"sample {i}" + (f" ({target!r})" if not isinstance(target, Graph) else "")
                for i, target in zip(wrong, named, strict=False)
            )
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise InfeasibleTargetError(f"no path spells the target of {samples}{more}")
        instead = torch.inf if self.infeasible == "infinity" else 0.0
        losses = torch.where(feasible, losses, losses.new_tensor(instead))
        if self.reduction == "none" or losses.ndim == 0:
            return losses
        if self.reduction == "sum":
            return losses.sum()
        counted = len(losses) - (len(wrong) if self.infeasible == "skip" else 0)
        return losses.sum() / max(counted, 1)


class ViterbiLoss(GraphLoss):
    """Penalty of the best correct path, C_cvit (eq. 11). Collapses if trained alone (VI-A)."""

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eq. 11."""
        correct = viterbi_penalty_float64(constrained)
        return correct, correct.isfinite()


class DiscriminativeViterbiLoss(GraphLoss):
    """C_cvit - C_vit >= 0 (eq. 12): zero if and only if a best path is a correct one.

    The worked example of Fig. 20 (target "34"):

    >>> import gtn
    >>> fig20 = gtn.Graph.from_arcs(
    ...     [(0, 1, "3", 0.1), (0, 1, "5", 2.3), (1, 2, "4", 0.4), (1, 2, "2", 1.3),
    ...      (2, 3, "1", 0.1), (2, 3, "4", 2.4), (0, 2, "3", 3.4), (0, 2, "4", 4.4),
    ...      (1, 3, "4", 0.6), (1, 3, "9", 1.2)], final=3).double()
    >>> round(DiscriminativeViterbiLoss()(fig20, "34").item(), 6)
    0.1
    >>> round(DiscriminativeForwardLoss()(fig20, "34").item(), 6)
    1.305441
    """

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eq. 12."""
        return _difference(viterbi_penalty_float64(constrained), viterbi_penalty_float64(whole))


class ForwardLoss(GraphLoss):
    """Forward penalty of the correct paths, C_cforw (section VI-C). Collapses if alone."""

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the forward penalty of the constrained graph (eqs. 13 and 14)."""
        correct = forward_penalty_float64(constrained)
        return correct, correct.isfinite()


class DiscriminativeForwardLoss(GraphLoss):
    """C_cforw - C_forw >= 0 (eq. 17): minus the log posterior of the target.

    Its gradient to an arc is the arc's posterior in the constrained graph minus that in the
    whole one.
    """

    def penalties(self, constrained: Graph, whole: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return eq. 17."""
        return _difference(forward_penalty_float64(constrained), forward_penalty_float64(whole))


def _difference(correct: torch.Tensor, all_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return correct - all, clear of inf - inf where nothing is feasible."""
    feasible = correct.isfinite()
    zero = correct.new_zeros(())
    return torch.where(feasible, correct, zero) - torch.where(feasible, all_, zero), feasible


def _now(grammar: Grammar) -> Graph:
    if isinstance(grammar, Graph):
        return grammar
    graph: Graph = grammar()
    return graph


def _nothing(table: SymbolTable | None, like: Graph) -> Graph:
    return empty(symbols=table, dtype=like.penalties.dtype).to(like.penalties.device)


def _acceptor(target: Any, table: SymbolTable | None, like: Graph) -> Graph:
    """Return the acceptor of a target; a symbol outside the table can be on no path."""
    if isinstance(target, Graph):
        return target
    dtype = like.penalties.dtype
    items = target.tolist() if isinstance(target, torch.Tensor) else list(target)
    texts = [x for x in items if isinstance(x, str)]
    if table is None and texts:
        raise GraphError(f"target {target!r} has symbols, but the graph's output has no table")
    if table is not None and any(x not in table for x in texts):
        return _nothing(table, like)
    return string(items, symbols=table, dtype=dtype).to(like.penalties.device)
