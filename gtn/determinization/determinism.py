"""Determinism: pairs of labels as symbols, and whether a node has two arcs for one symbol."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gtn.indexes import ArcIndex, frozen, grouped, numbered
from gtn.symbols import EPSILON
from gtn.topology import Topology

__all__ = ["Symbols", "arcs_by_symbol", "nondeterminism", "outgoing_by_symbol", "symbols_of"]

Int32s = NDArray[np.int32]


class Symbols(NamedTuple):
    """Pairs of labels as numbers, ordered by input label, then output label."""

    of_arc: Int32s  # [A], -1 where both labels are epsilon
    ilabels: Int32s  # of each symbol
    olabels: Int32s


def symbols_of(t: Topology) -> Symbols:
    """Number the pairs of labels of a graph; in an acceptor, a pair is a label."""
    if t.is_acceptor:
        keys = t.ilabels.astype(np.int64) + 1
        base = 1
    else:
        base = int(t.olabels.max(initial=-1)) + 2
        keys = (t.ilabels.astype(np.int64) + 1) * base + (t.olabels.astype(np.int64) + 1)
    pairs, of_arc = numbered(keys)
    shift = 1 if len(pairs) and pairs[0] == 0 else 0
    pairs = pairs[shift:]
    ilabels = (pairs // base - 1).astype(np.int32)
    olabels = ilabels if t.is_acceptor else (pairs % base - 1).astype(np.int32)
    return Symbols(frozen(of_arc - np.int32(shift)), ilabels, olabels)


def arcs_by_symbol(symbols: Symbols) -> ArcIndex:
    """Return arcs by symbol, -1 first, and within a symbol in their order."""
    return grouped(frozen(symbols.of_arc + np.int32(1)), len(symbols.ilabels) + 1)


def outgoing_by_symbol(t: Topology, symbols: Symbols) -> ArcIndex:
    """Return arcs by source node, and within a node by symbol, -1 first."""
    return grouped(t.src, t.num_nodes, arcs_by_symbol(symbols).arcs)


def nondeterminism(t: Topology) -> str | None:
    """Return why a graph is not deterministic, with pairs of labels as symbols, or None."""
    graphs = t.graph_of_nodes(t.starts)
    twice = np.flatnonzero(np.diff(graphs) == 0)
    if len(twice):
        one, other = t.starts[twice[0] :][:2]
        return f"nodes {one} and {other} are both starts{t.describe_graph(one)}"
    symbols = symbols_of(t)
    if (symbols.of_arc < 0).any():
        arc = int(np.argmax(symbols.of_arc == EPSILON))
        return f"arc {arc} neither reads nor writes{t.describe_graph(t.src[arc])}"
    arcs = outgoing_by_symbol(t, symbols).arcs
    src, numbers = t.src[arcs], symbols.of_arc[arcs]
    twice = np.flatnonzero((src[1:] == src[:-1]) & (numbers[1:] == numbers[:-1]))
    if len(twice):
        one, other = arcs[twice[0]], arcs[twice[0] + 1]
        node = t.src[one]
        return (
            f"arcs {one} and {other} leave node {node} with the same labels{t.describe_graph(node)}"
        )
    return None
