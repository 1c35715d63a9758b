"""Sampling: draw paths at random, with the probability that a graph gives them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.arguments import whole_number
from gtn.batch import GraphBatch
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.indexes import check_counts
from gtn.kernels.sampling import draw_paths, running_shares
from gtn.paths.viterbi import chains
from gtn.product.failure import check_reads_none
from gtn.scoring.recursion import PathSums, path_sums
from gtn.tensors import as_array, float64_penalties

__all__ = ["sample"]

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


def sample(
    graph: Graph, count: int, generator: torch.Generator | None = None
) -> GraphBatch | list[GraphBatch]:
    """Return ``count`` paths drawn at random, each with probability exp(forward - its penalty).

    Exact, also on graphs with cycles: a path is drawn from its end to its start, each arc with its
    share of the sum at the node it enters (eq. 13). One pass over the graph, then O(L log D) for a
    path of L arcs through nodes with up to D incoming arcs. The same seed draws the same paths.

    Args:
        graph: a graph, or a batch of graphs.
        count: how many paths; the same path may be drawn more than once.
        generator: source of randomness on the CPU; None: torch's own.

    Returns:
        A batch of chains with the paths' labels, penalties (differentiable) and arc data; their
        ``sources`` are the arcs of the paths; empty if the graph has no path. For a batch, a list
        of such batches.

    Raises:
        DivergentGraphError: the sum over all paths is infinite, so there is no distribution.
        GraphError: a count below one, or more paths than are numbered; another generator; a NaN or
            -inf penalty; a failure arc.
        TypeError: a count that is not a whole number.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 0, "a", 1.0), (0, 1, "b", 0.5)], final=1)
    >>> [gtn.path_text(p) for p in sample(g, 5, torch.Generator().manual_seed(0))]
    ['b', 'aab', 'aaab', 'b', 'ab']

    A grammar with cycles and no penalties has no distribution. Here each way out of a node is as
    likely as the others, as in OpenFst's ``randgen``:

    >>> grammar = (gtn.string("ab") | gtn.string("c")).closure()
    >>> ways = np.bincount(grammar.src, minlength=grammar.num_nodes)
    >>> ways[grammar.finals] += 1
    >>> even = grammar.with_penalties(
    ...     torch.tensor(np.log(ways[grammar.src])),
    ...     final_penalties=torch.tensor(np.log(ways[grammar.finals])))
    >>> [gtn.path_text(p) for p in sample(even, 5, torch.Generator().manual_seed(0))]
    ['cabab', 'ababcab', '', '', '']
    """
    check_graph(graph)
    check_reads_none(graph, "the graph")
    count = whole_number(count, "count")
    if count < 1:
        raise GraphError(f"a sample of {count} paths; at least one can be drawn")
    check_counts(count * graph.topology.batch_size, 0, "batch of paths")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise GraphError(
            f"generator={generator!r} is not a torch.Generator; torch.Generator().manual_seed(0) "
            "makes one of a seed"
        )
    arcs, starts, finals = float64_penalties(graph)
    topology = graph.topology
    sums = path_sums(topology, arcs, starts, finals)
    ways = sums.potentials[topology.finals] + as_array(finals)
    groups = [
        _ends(ways[low:high], count, generator) + low
        for low, high in pairwise(topology.final_offsets)
    ]
    chosen = np.concatenate([np.empty(0, dtype=np.int32), *groups])
    seeds = torch.randint(-(2**63), 2**63 - 1, (len(chosen),), generator=generator).numpy()
    drawn, offsets, origins = _draw(sums, topology.finals[chosen], seeds)
    origins = np.searchsorted(topology.starts, origins).astype(np.int32)
    exists = np.ones(len(chosen), dtype=np.bool_)
    paths = chains(graph, drawn, offsets, origins, chosen, exists=exists, batch=True)
    assert isinstance(paths, GraphBatch)
    bounds = np.cumsum([0, *map(len, groups)])
    return list(paths._parts(bounds)) if topology.is_batch else paths


def _ends(ways: NDArray[np.float64], count: int, generator: torch.Generator | None) -> Int32s:
    """Draw the finals of paths by the penalties of all ways that end there; none if none does."""
    least = ways.min(initial=np.inf)
    if least == np.inf:
        return np.empty(0, dtype=np.int32)
    running = np.cumsum(np.exp(least - ways))
    drawn = torch.rand(count, generator=generator, dtype=torch.float64).numpy() * running[-1]
    ends: Int32s = np.searchsorted(running, drawn, side="right").astype(np.int32)
    return ends


def _draw(sums: PathSums, ends: Int32s, seeds: Int64s) -> tuple[Int32s, Int64s, Int32s]:
    """Return the arcs of paths that end at given nodes, their offsets, and where they start."""
    topology = sums.topology
    start_shares = np.zeros(topology.num_nodes)
    start_shares[topology.starts] = sums.start_shares
    running = running_shares(*topology.incoming, sums.shares, start_shares)
    return draw_paths(ends, seeds, *topology.incoming, topology.src, start_shares, running)
