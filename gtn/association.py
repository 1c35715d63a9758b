"""Composition of several graphs two by two, in an order with small intermediate results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gtn.composition import compose
from gtn.data import Sources, merged
from gtn.graph import Graph
from gtn.product import in_common_tables, is_acceptor, relabelled, relabelling
from gtn.product.failure import check_left, failure_label
from gtn.symbols import EPSILON
from gtn.topology import Topology

__all__ = ["composed"]


def composed(
    graphs: Sequence[Graph],
    *,
    symbols: str = "match",
    suffixes: Sequence[str] | None = None,
    failure: int | str | None = None,
) -> Graph:
    """Return the composition of several graphs, each reading what the one before it writes.

    The result has the same paths, each once, in any order of composition. The next pair to compose
    is always the neighbours with the fewest pairs of arcs whose labels match: a lattice and a
    lexicon before a large grammar, but a string and its neighbour before all others.

    Args:
        graphs: at least two graphs or batches.
        symbols: as in :func:`gtn.compose`, between each graph and the next.
        suffixes: one ending per graph, for keys of arc data that several have.
        failure: input label (or symbol) of failure arcs of the last graph, unless they read
            ``gtn.BACK_OFF``; see :func:`gtn.compose`.

    Returns:
        A connected graph whose ``sources`` are arcs of each of the graphs. It writes labels of the
        last one's table; if all are acceptors, of the first one's.

    Raises:
        GraphError: as in :func:`gtn.compose`.

    >>> import gtn
    >>> words = gtn.Graph.from_arcs([(0, 1, "a", "x"), (1, 2, "b", None)], final=2)
    >>> found = composed([gtn.string("ab"), words, gtn.string("x")])
    >>> found.num_arcs, len(found.sources)
    (2, 3)
    """
    graphs = list(graphs)
    if len(graphs) == 2:
        return compose(*graphs, symbols=symbols, suffixes=suffixes, failure=failure)  # type: ignore[arg-type]
    if symbols == "match":
        for i, graph in enumerate(graphs[:-1]):
            check_left(graph, f"graph {i}")
            graphs[i : i + 2] = in_common_tables(graphs[i], graphs[i + 1])
    data = [graph.data for graph in graphs]
    parts = [graph.without_data() for graph in graphs]
    behind = [[Sources(np.arange(graph.num_arcs, dtype=np.int32))] for graph in graphs]
    failures = [*[None] * (len(parts) - 2), failure]  # of each pair
    met = zip(pairwise(parts), failures, strict=True)
    common = [_candidates(a, b, symbols, label) for (a, b), label in met]  # of each pair
    while len(parts) > 1:
        i = int(np.argmin(common))
        made = compose(parts[i], parts[i + 1], symbols=symbols, failure=failures[i])
        behind[i : i + 2] = [
            [s.then(given) for given, group in zip(made.sources, behind[i : i + 2]) for s in group]
        ]
        parts[i : i + 2] = [made]
        del common[i], failures[i]
        if len(parts) > 2:
            for j in range(max(i - 1, 0), min(i + 1, len(common))):
                common[j] = _candidates(parts[j], parts[j + 1], symbols, failures[j])
    (whole,), (sources,) = parts, behind
    if not all(map(is_acceptor, graphs)):
        # Two acceptors that were composed by themselves have the table of the first of them.
        last_table = graphs[-1].osymbols
        relabel = relabelling(whole.osymbols, last_table, symbols, of="written")
        if relabel is not None:
            olabels = relabelled(whole.olabels, relabel)
            topology = whole.topology.relabelled(whole.ilabels, olabels)
            whole = whole._with(topology=topology, osymbols=last_table)
    columns = merged([part.take(s) for part, s in zip(data, sources, strict=True)], suffixes)
    return whole._with(data=columns, sources=tuple(sources))


def _candidates(a: Graph, b: Graph, symbols: str, failure: int | str | None) -> float:
    """Return how many arcs the composition may have: matching pairs, and arcs that move alone.

    A bound, except where both have epsilons: there the filter may visit a pair of nodes twice. With
    failure arcs in ``b``, every arc of ``a`` may match at each node of ``b``. For two batches, the
    number is divided by that of their graphs. O(labels).
    """
    written, wrote = _label_counts(a.topology, "olabels")
    relabel = relabelling(a.osymbols, b.isymbols, symbols, of="written")
    as_read = written if relabel is None else relabelled(written, relabel)
    labels, reads = _label_counts(b.topology, "ilabels")
    at = np.minimum(np.searchsorted(labels, as_read), max(len(labels) - 1, 0))
    meets = labels[at] == as_read if len(labels) else np.zeros(len(written), dtype=np.bool_)
    both = float(wrote[meets] @ reads[at[meets]])
    alone = float(wrote[written == EPSILON].sum()) * b.num_nodes
    alone += float(reads[labels == EPSILON].sum()) * a.num_nodes
    if failure_label(b, failure, symbols) is not None:
        both = float(wrote.sum()) * b.num_nodes
    batches = a.topology.is_batch and b.topology.is_batch
    return (both + alone) / (max(a.topology.batch_size, 1) if batches else 1)


def _label_counts(topology: Topology, side: str) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the sorted labels of a side, and the number of arcs with each; computed once."""

    def counted() -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        labels, counts = np.unique(getattr(topology, side), return_counts=True)
        return labels, counts.astype(np.float64)

    return topology.once((_label_counts, side), counted)
