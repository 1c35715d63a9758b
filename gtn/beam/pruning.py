"""Pruned composition on the fly: decoding with large lexicons and grammars (token passing)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gtn.arguments import real_number, whole_number
from gtn.beam.cascade import Cascade
from gtn.errors import GraphError
from gtn.graph import Graph
from gtn.product import common_length, filter_mode

__all__ = ["checked_beam", "pruned"]


def pruned(
    graphs: Sequence[Graph],
    *,
    filter: str = "sequence",
    symbols: str = "match",
    suffixes: Sequence[str] | None = None,
    failure: int | str | None = None,
    beam: float = np.inf,
    max_active: int | None = None,
) -> Graph:
    """Return the composition of several graphs within a beam, without building more of it.

    ``gtn.compose(…, beam=…)`` and ``gtn.viterbi_path(lattice, lexicon, grammar, beam=…)`` use it.
    Each graph reads what the one before it writes; the first is usually a lattice, the others a
    lexicon and a grammar. A token is a tuple of nodes, one of each graph. Nodes of the first graph
    are taken in topological order, all tokens at a node together: they have read the same ink or
    time. Tokens that arrive more than ``beam`` behind the best are dropped; of the rest, the
    ``max_active`` best are followed (on ties, those found first), through epsilons that the other
    graphs read and then along the arcs of the node. Tokens that recombine meet in one node of the
    result. It has all arcs between tokens that were followed, except those that arrive more than
    ``beam`` behind.

    With ``beam=inf`` and no ``max_active``, the result is the whole composition: the same paths,
    each once. M moves of the tokens followed take O(M log M), whatever the size of the other graphs
    (but for one pass over their penalties, and over all their arrays if there are more than two
    graphs); indexes of their topologies are made once.

    Args:
        graphs: at least two graphs or batches; the first acyclic.
        filter, symbols: as in :func:`gtn.compose`, between each graph and the next.
        suffixes: one ending per graph, for keys of arc data that several have.
        failure: input label (or symbol) of failure arcs of the last graph, unless they read
            ``gtn.BACK_OFF``; see :func:`gtn.compose`.
        beam: in nats, >= 0.
        max_active: how many tokens to follow at each node of the first graph.

    Returns:
        A connected graph, differentiable in the penalties of all operands, whose ``sources`` are
        arcs of each of them. If the beam loses every path, a graph without nodes: its Viterbi and
        forward penalties are ``inf``; a larger beam may find a path.

    Raises:
        CyclicGraphError: a cycle of the first graph lies on a path.
        NegativeCycleError: a cycle of negative penalty on which the first graph stands still, so
            no token is the best.
        GraphError: a beam or ``max_active`` out of range; otherwise as :func:`gtn.compose`.
        TypeError: a beam that is not a number, or ``max_active`` that is not a whole one.

    >>> import gtn, torch
    >>> lattice = gtn.linear(
    ...     torch.tensor([[0.25, 1.0], [1.0, 0.25]]), symbols=gtn.SymbolTable("ab"))
    >>> lexicon = gtn.closure(gtn.union(gtn.string("ab"), gtn.string("bb")))
    >>> pruned([lattice, lexicon], beam=0.5).num_arcs, pruned([lattice, lexicon]).num_arcs
    (4, 8)
    """
    beam, max_active = checked_beam(beam, max_active)
    mode = filter_mode(filter)
    length = common_length(*(g.topology for g in graphs))
    cascade = Cascade.of(graphs, symbols, failure)
    search = cascade.search(length, mode, beam, max_active)
    search.advance(cascade.writer(), *cascade.order(length))
    return cascade.product(search).graph(cascade.graphs, suffixes)


def checked_beam(beam: float, max_active: int | None) -> tuple[float, int | None]:
    """Return the beam (nats) and the number of tokens to follow as Python's numbers.

    Kernels would be compiled anew for numbers of other types, or fail to be.

    Raises:
        GraphError: one out of range.
        TypeError: something that is not a number.
    """
    beam = real_number(beam, "beam")
    if not beam >= 0:
        raise GraphError(f"beam={beam}; a beam is a number of nats >= 0, or inf")
    if max_active is not None:
        max_active = whole_number(max_active, "max_active")
        if max_active < 1:
            raise GraphError(f"max_active={max_active}; at least one token must be followed")
    return beam, max_active
