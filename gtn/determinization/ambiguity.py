"""Ambiguity: whether a string has several paths, or an input several outputs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from gtn.composition import compose
from gtn.determinization.determinism import nondeterminism, symbols_of
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.indexes import frozen
from gtn.kernels.delays import consistent_delays
from gtn.optimization import connect
from gtn.topology import Topology

__all__ = ["is_functional", "is_unambiguous"]


def is_unambiguous(graph: Graph, side: Literal["input", "output", "both"] = "input") -> Any:
    """Return whether every string has at most one path.

    With an ambiguous grammar a reading is counted once for each of its paths, which makes every
    posterior wrong. Decided by composing the graph with itself, which gives all pairs of paths with
    equal strings: the graph is ambiguous if and only if a pair of different arcs, or of different
    starts, is among them. O(pairs of arcs), in time and memory; O(A log A) for a graph that is
    deterministic forwards or backwards. A path of infinite penalty counts as a path.

    Args:
        graph: graph or batch; cycles and epsilons are fine.
        side: what a path spells: its ``"input"`` string, its ``"output"`` string, or with
            ``"both"`` its sequence of label pairs, as :func:`gtn.determinize` takes them. (Since
            paths may align the same two strings in different ways, it is undecidable whether a
            pair of strings has two paths; one path per input string rules that out.)

    Returns:
        bool; for a batch, ``bool [B]``.

    Raises:
        GraphError: another side.

    >>> import gtn
    >>> is_unambiguous(gtn.Graph.from_arcs([(0, 1, "a"), (0, 1, "b")], final=1))
    True
    >>> is_unambiguous(gtn.Graph.from_arcs([(0, 1, "a"), (0, 2, "a")], final=[1, 2]))
    False
    """
    check_graph(graph)
    t = connect(graph).topology
    if side == "both":
        spelled = t.relabelled(symbols_of(t).of_arc, None)
    elif side in ("input", "output"):
        spelled = t.relabelled(t.ilabels if side == "input" else t.olabels, None)
    else:
        raise GraphError(f"side {side!r}; the sides are 'input', 'output' and 'both'")
    ambiguous = np.zeros(t.batch_size, dtype=np.bool_)
    if nondeterminism(spelled) is not None and nondeterminism(spelled.reversed) is not None:
        pairs = _pairs(spelled)
        left, right = (source.index for source in pairs.sources)
        ambiguous[pairs.topology.arc_graph[left != right]] = True
        different = pairs.starts[pairs.start_penalties.numpy() != 0]
        ambiguous[pairs.topology.graph_of_nodes(different)] = True
    return ~ambiguous if t.is_batch else not ambiguous[0]


def is_functional(graph: Graph) -> Any:
    """Return whether every input string has at most one output string.

    :func:`gtn.determinize` requires this of transducers. Decided by composing the graph with
    itself, which gives all pairs of paths with equal inputs: on all ways to a pair of nodes, one
    output must be ahead of the other by the same string, which must be empty where both end (Béal,
    Carton, Prieur and Sakarovitch 2003). O(pairs of arcs), in time and memory; O(A log A) for a
    graph whose inputs are deterministic, forwards or backwards. Strings are compared by 62-bit
    hashes, so True is wrong with a probability below 1e-12 for outputs of a thousand labels. An
    acceptor is functional. A path of infinite penalty counts as a path.

    Args:
        graph: graph or batch; cycles and epsilons are fine.

    Returns:
        bool; for a batch, ``bool [B]``.

    >>> import gtn
    >>> is_functional(gtn.Graph.from_arcs([(0, 1, "a", "x"), (0, 1, "b", "x")], final=1))
    True
    >>> is_functional(gtn.Graph.from_arcs([(0, 1, "a", "x"), (0, 1, "a", "y")], final=1))
    False
    """
    check_graph(graph)
    t = connect(graph).topology
    functional = np.ones(t.batch_size, dtype=np.bool_)
    spelled = t.relabelled(t.ilabels, None)
    if not t.is_acceptor and nondeterminism(spelled.reversed) is not None:
        pairs = _pairs(spelled)
        found = pairs.topology
        # Source -1 is no arc, which writes nothing.
        written = np.append(t.olabels, np.int32(-1))
        left, right = (frozen(written[source.index]) for source in pairs.sources)
        final = frozen(found.final_of_nodes >= 0)
        differ = consistent_delays(found.starts, found.dst, *found.outgoing, left, right, final)
        functional[found.graph_of_nodes(np.flatnonzero(differ).astype(np.int32))] = False
    return functional if t.is_batch else bool(functional[0])


def _pairs(spelled: Topology) -> Graph:
    """Return the pairs of paths of an acceptor that spell the same string.

    The match filter advances both through their epsilons together, so a path paired with itself
    pairs each arc with itself, once, and no other pair of paths does. Start k has penalty k on one
    side and -k on the other, so the sum is 0 only where a start meets itself.
    """
    starts = torch.arange(len(spelled.starts), dtype=torch.float64)
    one, other = (
        Graph(
            spelled,
            starts.new_zeros(spelled.num_arcs),
            start_penalties=sign * starts,
            final_penalties=starts.new_zeros(len(spelled.finals)),
        )
        for sign in (1, -1)
    )
    return compose(one, other, filter="match")
