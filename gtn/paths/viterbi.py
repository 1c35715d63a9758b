"""Single paths: the best one, and what a path reads and writes (paper, section V).

Penalties of paths are differentiable with respect to the arc, start and final penalties they are
sums of. The arithmetic is float64 whatever the dtype of the penalties.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.association import composed
from gtn.batch import rearranged, traced
from gtn.beam import pruned
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.indexes import check_counts, frozen, integers
from gtn.kernels import scoring as kernels
from gtn.paths.ways import least_ways
from gtn.product.failure import check_reads_none
from gtn.tensors import as_array, as_given, as_index, float64_penalties
from gtn.topology import Topology

__all__ = [
    "chains",
    "path_labels",
    "path_text",
    "together",
    "viterbi_path",
    "viterbi_penalty",
    "viterbi_penalty_float64",
]

Int32s = NDArray[np.int32]


# -- Viterbi -----------------------------------------------------------------------------------


def viterbi_path(
    graph: Graph,
    *others: Graph,
    beam: float | None = None,
    max_active: int | None = None,
    failure: int | str | None = None,
    symbols: str = "match",
    suffixes: Sequence[str] | None = None,
) -> Graph:
    """Return the path of least penalty as a graph: the Viterbi transformer (eq. 10).

    With several graphs, the best path of their composition (decoding); each reads what the one
    before it writes. With a ``beam``, tokens pass through the first, which must be acyclic; only
    likely tokens are followed, and the rest is not built (see :func:`gtn.beam.pruned`, also for
    the other arguments). Without a beam nothing is left out: the graphs are composed two by two,
    those with the fewest common arcs first. If two neighbours have very many common arcs that a
    third rules out, ``beam=math.inf`` passes tokens through all graphs at once.

    O(N + A) on acyclic graphs. On ties, starting at a node wins over entering it, then the lowest
    arc wins (unless that leads round a cycle of penalty zero), and at the end the lowest final
    node. Cycles are allowed unless one on a path has a negative penalty.

    Returns:
        A chain with the path's labels, penalties, arc data, start and final penalty; its
        ``sources`` are the arcs of the path, in each graph. A graph without nodes if there is no
        path, or if the beam loses every path. For a batch, a batch.

    Raises:
        NegativeCycleError: naming a cycle of negative penalty that lies on a path.
        GraphError: a NaN or -inf penalty; the message names the arc. A beam with only one graph.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, "a", 1.0), (0, 1, "b", 0.5), (1, 2, "c", 2.0)], final=2)
    >>> path_text(viterbi_path(g))
    'bc'

    Decode the best word of a lexicon through a grammar:

    >>> lexicon = gtn.Graph.from_arcs(
    ...     [(0, 1, "a", None), (1, 2, "c", "ac"), (0, 3, "b", None), (3, 2, "c", "bc")], final=2)
    >>> grammar = gtn.Graph.from_arcs([(0, 1, "ac", 0.25), (0, 1, "bc", 1.0)], final=1)
    >>> path_text(viterbi_path(g, lexicon, grammar, beam=4.0))
    'ac'
    """
    if others or beam is not None or max_active is not None or failure is not None:
        joint = together(graph, others, beam, max_active, failure, symbols, suffixes)
        return traced(viterbi_path(joint), joint)
    check_graph(graph)
    check_reads_none(graph, "the graph")
    topology = graph.topology
    arcs, starts, finals = (as_array(p) for p in float64_penalties(graph))
    best, entry = least_ways(topology, arcs, starts, finals)
    ends = topology.starts, topology.finals, finals, topology.node_offsets
    *path, exists = kernels.best_paths(best, entry, topology.src, *ends)
    return chains(graph, *path, exists=exists, batch=topology.is_batch)


def viterbi_penalty(graph: Graph) -> torch.Tensor:
    """Return the least path penalty: eq. 10.

    O(N + A) on acyclic graphs. ``inf`` if there is no path, with gradient zero; otherwise the
    gradient is one on the arcs of the best path.

    Returns:
        ``[]`` in nats, ``[B]`` for a batch; in the penalties' dtype.

    Raises:
        NegativeCycleError, GraphError: as :func:`viterbi_path`.

    >>> import gtn
    >>> viterbi_penalty(gtn.linear(torch.tensor([[0.5, 1.0], [2.0, 0.25]])))
    tensor(0.7500)
    """
    check_graph(graph)
    return as_given(viterbi_penalty_float64(graph), graph)


def viterbi_penalty_float64(graph: Graph) -> torch.Tensor:
    """Return the Viterbi penalty in float64 on the CPU, for differences before rounding."""
    path = viterbi_path(graph.without_data())
    topology = path.topology
    arcs, starts, finals = float64_penalties(path)
    total = arcs.new_zeros(topology.batch_size)
    total = total.index_add(0, as_index(topology.arc_graph), arcs)
    total = total.index_add(0, as_index(topology.graph_of_nodes(topology.starts)), starts)
    total = total.index_add(0, as_index(topology.graph_of_nodes(topology.finals)), finals)
    exists = torch.from_numpy(np.diff(topology.node_offsets) > 0)
    total = torch.where(exists, total, torch.inf)
    return total if topology.is_batch else total.squeeze(0)


def together(
    graph: Graph,
    others: Sequence[Graph],
    beam: float | None,
    max_active: int | None,
    failure: int | str | None,
    symbols: str,
    suffixes: Sequence[str] | None,
) -> Graph:
    """Return the composition of several graphs, within the beam if there is one."""
    if not others:
        raise GraphError(
            "beam, max_active and failure are for the composition of several graphs; give them "
            "after the first, or prune this one"
        )
    check_graph(graph, *others)
    if beam is None and max_active is None:
        # Nothing is pruned: the same result as by tokens, without tokens.
        return composed([graph, *others], symbols=symbols, suffixes=suffixes, failure=failure)
    return pruned(
        [graph, *others],
        symbols=symbols,
        suffixes=suffixes,
        failure=failure,
        beam=np.inf if beam is None else beam,
        max_active=max_active,
    )


def chains(
    graph: Graph,
    arcs: Int32s,
    offsets: NDArray[Any],
    starts: Int32s,
    finals: Int32s,
    *,
    exists: NDArray[np.bool_],
    batch: bool,
) -> Graph:
    """Return chains of the given arcs; a path that does not exist has no node."""
    check_counts(int(offsets[-1]) + len(exists), int(offsets[-1]), "batch of paths")
    offsets = integers(offsets, "offsets", check=False)
    src, dst, begins, ends, node_offsets = kernels.chains(offsets, frozen(exists))
    topology = Topology(
        int(node_offsets[-1]),
        src,
        dst,
        *graph.topology.labels_of(arcs),
        starts=begins,
        finals=ends,
        node_offsets=node_offsets,
        arc_offsets=offsets,
        is_batch=batch,
        check=False,
    )
    return rearranged(graph, topology, arcs, starts, finals)


# -- label sequences -----------------------------------------------------------------------------


def path_labels(path: Graph | list[Any], side: str = "output") -> Any:
    """Return the labels that a path reads (``side="input"``) or writes, epsilons left out.

    Returns:
        ``int32 [L]``; for a batch of paths, a list of such arrays; for a list of batches, as
        :func:`gtn.n_best` of a batch returns, a list of such lists.

    Raises:
        GraphError: the graph is not a chain from its one start to its one final, naming the node
            where it branches.

    >>> import gtn
    >>> path_labels(gtn.string([3, 1, 4]))
    array([3, 1, 4], dtype=int32)
    """
    if side not in ("input", "output"):
        raise GraphError(f"side={side!r}; it is 'input' or 'output'")
    if isinstance(path, list):
        return [path_labels(one, side) for one in path]
    check_graph(path)
    t = path.topology
    ends = t.starts, t.finals, t.node_offsets, t.arc_offsets
    in_order, is_path = kernels.chain_order(t.src, t.dst, *ends)
    if not is_path:
        raise _no_path(t)
    labels = (t.ilabels if side == "input" else t.olabels)[in_order]
    parts = (labels[first:last] for first, last in pairwise(t.arc_offsets.tolist()))
    found = [part[part >= 0] for part in parts]
    return found if t.is_batch else found[0]


def _no_path(topology: Topology) -> GraphError:
    """Return the error that says why a topology, or one of a batch, is not a single path."""
    outermost = []
    for name, ends in (("leave", topology.src), ("enter", topology.dst)):
        counts = np.bincount(ends, minlength=topology.num_nodes)
        if (counts > 1).any():
            node = int(np.argmax(counts > 1))
            return GraphError(
                f"{counts[node]} arcs {name} node {node}: not a single path; viterbi_path and "
                "n_best choose paths of a graph"
            )
        outermost.append(np.flatnonzero(counts == 0))
    chains = np.diff(topology.node_offsets) - np.diff(topology.arc_offsets)
    if (chains > 1).any() or not topology.is_acyclic:
        return GraphError("not a single path: the graph is in several pieces, or is a cycle")
    last, first = outermost
    if not np.array_equal(topology.starts, first):
        name, ends, end, expected = "starts", topology.starts, "first", first
    else:
        name, ends, end, expected = "finals", topology.finals, "last", last
    return GraphError(
        f"not a single path: the {name} are nodes {ends.tolist()}, the {end} nodes of the chain "
        f"{expected.tolist()}"
    )


def path_text(path: Graph | list[Any], side: str = "output", separator: str = "") -> Any:
    """Return what a path writes (or reads) as text: its symbols joined.

    Returns:
        A string; for a batch of paths, a list of strings; for a list of batches, as
        :func:`gtn.n_best` of a batch returns, a list of such lists. Labels without a symbol table
        are written as numbers. If there is no path (a graph without nodes), the text is empty, like
        that of a path without labels.

    >>> import gtn
    >>> path_text(gtn.string("cap"))
    'cap'
    >>> nothing, silent = gtn.viterbi_path(gtn.string("a") @ gtn.string("b")), gtn.string("")
    >>> [(path_text(path), path.num_nodes) for path in (nothing, silent)]
    [('', 0), ('', 1)]
    """
    if not isinstance(separator, str):
        raise GraphError(f"separator={separator!r}; it is a text between symbols, such as ' '")
    if isinstance(path, list):
        return [path_text(one, side, separator) for one in path]
    check_graph(path)
    table = path.isymbols if side == "input" else path.osymbols
    labels = path_labels(path, side)
    rows = labels if path.topology.is_batch else [labels]
    texts = [
        separator.join(map(str, row) if table is None else table.decode(row))
        for row in (row.tolist() for row in rows)
    ]
    return texts if path.topology.is_batch else texts[0]
