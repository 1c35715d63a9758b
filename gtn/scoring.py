"""Scoring: forward and Viterbi penalties, best paths, posteriors (paper, sections V and VI).

All of it is differentiable to arc, start and final penalties. The forward penalty is so to any
order: its gradient is a linear solve along the graph, and the derivative of such a solve is the
same solve along the reversed graph. The arithmetic is float64 whatever the dtype of the
penalties.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.batch import GraphBatch, rearranged
from gtn.errors import GraphError, NegativeCycleError
from gtn.graph import Graph, check_penalties
from gtn.kernels import scoring as kernels
from gtn.topology import Topology, frozen

__all__ = [
    "arc_posteriors",
    "forward_penalty",
    "n_best",
    "path_labels",
    "path_text",
    "viterbi_path",
    "viterbi_penalty",
]

Int32s = NDArray[np.int32]


# -- forward -----------------------------------------------------------------------------------


def forward_penalty(graph: Graph) -> torch.Tensor:
    """Return minus the logarithm of the sum over all paths of exp(-penalty): eqs. 13 and 14.

    O(N + A). Never more than the Viterbi penalty; ``inf`` where there is no path, with gradient
    zero. The gradient to an arc's penalty is the arc's posterior (eqs. 15 and 16).

    Returns:
        ``[]`` in nats, ``[B]`` for a batch; of the penalties' dtype.

    Raises:
        CyclicGraphError: a cycle lies on a path; the message names it.
        GraphError: a NaN or -inf penalty; the message names the arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0)], final=1).double()
    >>> forward_penalty(g).item()  # -log(e^-1 + e^-2)
    0.6867383124817772
    """
    return _as_given(forward_penalty_float64(graph), graph)


def forward_penalty_float64(graph: Graph) -> torch.Tensor:
    """Return the forward penalty in float64 on the CPU, for differences before rounding."""
    arcs, starts, finals = _float64_penalties(graph)
    topology = graph.topology
    potentials = _potentials(arcs, starts, topology)
    return _total(potentials, finals, topology)


def arc_posteriors(graph: Graph) -> torch.Tensor:
    """Return for each arc the probability that a path uses it (a path has exp(-penalty)).

    The gradient of the forward penalty, computed directly and itself differentiable: ``[A]``.
    On every cut of the graph the posteriors sum to one; without a path they are zero.

    >>> import gtn
    >>> arc_posteriors(gtn.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 8, 2.0)], final=1))
    tensor([0.7311, 0.2689])
    """
    arcs, starts, finals = _float64_penalties(graph)
    topology = graph.topology
    potentials = _potentials(arcs, starts, topology)
    total = _total(potentials, finals, topology)
    ends = _index(topology.finals)
    ways = potentials.index_select(0, ends) + finals
    owner = _index(topology.graph_of_nodes(topology.finals))
    end_shares = _exp_minus(ways, total.reshape(-1).index_select(0, owner))
    seeds = torch.zeros_like(potentials).index_add(0, ends, end_shares)
    shares = _shares(arcs, potentials, topology)
    mass = _solve(shares, seeds, topology, True)
    return _as_given(shares * mass.index_select(0, _index(topology.dst)), graph)


def _total(potentials: torch.Tensor, finals: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Add the ways to end, per graph of the batch (eq. 14): ``[]``, or ``[B]`` for a batch."""
    ways = potentials.index_select(0, _index(topology.finals)) + finals
    owner = _index(topology.graph_of_nodes(topology.finals))
    none = ways.new_full((topology.batch_size,), torch.inf)
    least = none.scatter_reduce(0, owner, ways.detach(), "amin")
    base = torch.where(least.isfinite(), least, 0.0)
    mass = torch.zeros_like(none).index_add(0, owner, torch.exp(base.index_select(0, owner) - ways))
    feasible = mass > 0
    totals = torch.where(feasible, base - torch.log(torch.where(feasible, mass, 1.0)), none)
    return totals if topology.is_batch else totals.squeeze(0)


def _shares(arcs: torch.Tensor, potentials: torch.Tensor, topology: Topology) -> torch.Tensor:
    """Return each arc's share in its destination's sum, differentiable; 0 where it has none."""
    ways = arcs + potentials.index_select(0, _index(topology.src))
    return _exp_minus(ways, potentials.index_select(0, _index(topology.dst)))


def _exp_minus(ways: torch.Tensor, totals: torch.Tensor) -> torch.Tensor:
    """Return exp(totals - ways), 0 (with gradient 0) where either is infinite."""
    both = ways.isfinite() & totals.isfinite()
    zero = ways.new_zeros(())
    difference = torch.where(both, totals, zero) - torch.where(both, ways, zero)
    return torch.where(both, torch.exp(difference), zero)


class _Potentials(torch.autograd.Function):
    """Forward potentials ``[N]`` of arc and start penalties (eq. 13)."""

    @staticmethod
    def forward(
        ctx: Any, arcs: torch.Tensor, starts: torch.Tensor, topology: Topology
    ) -> torch.Tensor:
        values, shares, start_shares, bad = kernels.forward_potentials(
            topology.path_order,
            *topology.incoming,
            topology.src,
            topology.starts,
            _numpy(arcs),
            _numpy(starts),
        )
        if bad >= 0:
            check_penalties(arcs.detach(), topology.num_arcs, "arc")
        potentials = torch.from_numpy(values)
        ctx.topology = topology
        ctx.shares, ctx.start_shares = shares, start_shares
        ctx.save_for_backward(arcs, starts, potentials)
        return potentials

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        topology: Topology = ctx.topology
        arcs, starts, potentials = ctx.saved_tensors
        start_nodes = _index(topology.starts)
        if not torch.is_grad_enabled():
            mass, products = kernels.solve(
                topology.reverse_path_order,
                *topology.outgoing,
                topology.dst,
                ctx.shares,
                _numpy(gradients[0]),
            )
            start_gradient = torch.from_numpy(ctx.start_shares * mass[topology.starts])
            return torch.from_numpy(products), start_gradient, None
        # To be differentiated again: the same in torch, with shares as functions of the inputs.
        shares = _shares(arcs, potentials, topology)
        start_shares = _exp_minus(starts, potentials.index_select(0, start_nodes))
        adjoint = _solve(shares, gradients[0], topology, True)
        return (
            shares * adjoint.index_select(0, _index(topology.dst)),
            start_shares * adjoint.index_select(0, start_nodes),
            None,
        )


class _Solve(torch.autograd.Function):
    """Solve ``x_n = u_n + Σ t_a x_src(a)`` over arcs into n; transposed: arcs out of n, x_dst(a).

    Closed under differentiation: the derivative to u is the transposed solve.
    """

    @staticmethod
    def forward(
        ctx: Any, factors: torch.Tensor, given: torch.Tensor, topology: Topology, transposed: bool
    ) -> torch.Tensor:
        order = topology.reverse_path_order if transposed else topology.path_order
        index = topology.outgoing if transposed else topology.incoming
        other = topology.dst if transposed else topology.src
        solution, _ = kernels.solve(order, *index, other, _numpy(factors), _numpy(given))
        ctx.topology, ctx.transposed = topology, transposed
        result = torch.from_numpy(solution)
        ctx.save_for_backward(factors, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        topology: Topology = ctx.topology
        factors, solution = ctx.saved_tensors
        adjoint = _solve(factors, gradients[0], topology, not ctx.transposed)
        here, there = (
            (topology.src, topology.dst) if ctx.transposed else (topology.dst, topology.src)
        )
        product = adjoint.index_select(0, _index(here)) * solution.index_select(0, _index(there))
        return product, adjoint, None, None


def _potentials(arcs: torch.Tensor, starts: torch.Tensor, topology: Topology) -> torch.Tensor:
    result: torch.Tensor = _Potentials.apply(arcs, starts, topology)  # type: ignore[no-untyped-call]
    return result


def _solve(
    factors: torch.Tensor, given: torch.Tensor, topology: Topology, transposed: bool
) -> torch.Tensor:
    result: torch.Tensor = _Solve.apply(factors, given, topology, transposed)  # type: ignore[no-untyped-call]
    return result


# -- Viterbi -----------------------------------------------------------------------------------


def viterbi_path(graph: Graph) -> Graph:
    """Return the path of least penalty as a graph: the Viterbi transformer (eq. 10).

    O(N + A) on acyclic graphs. Where two paths are equally good, each node prefers to start,
    then the lowest arc (unless that leads round a cycle of penalty zero); the lowest final node
    wins. Cycles are allowed where no cycle on a path has a negative penalty.

    Returns:
        A chain with the path's labels, penalties, arc data, start and final penalty; its
        ``sources`` are the arcs of the path. A graph without nodes where there is no path. For a
        batch, a batch.

    Raises:
        NegativeCycleError: naming a cycle of negative penalty that lies on a path.
        GraphError: a NaN or -inf penalty; the message names the arc.

    >>> import gtn
    >>> g = gtn.Graph.from_arcs([(0, 1, "a", 1.0), (0, 1, "b", 0.5), (1, 2, "c", 2.0)], final=2)
    >>> path_text(viterbi_path(g))
    'bc'
    """
    topology = graph.topology
    arcs, starts, finals = (_numpy(p) for p in _float64_penalties(graph))
    if topology.is_acyclic:
        best, entry, bad = kernels.viterbi(
            topology.order, *topology.incoming, topology.src, topology.starts, arcs, starts
        )
    else:
        useful = _on_finite_paths(topology, arcs, starts, finals)
        best, entry, bad, cycle = kernels.shortest_from(
            useful, *topology.outgoing, topology.src, topology.dst, topology.starts, arcs, starts
        )
        if len(cycle):
            raise NegativeCycleError(
                f"a cycle has the negative penalty {arcs[cycle].sum():.6g}, so there is no best "
                f"path: {topology.describe_cycle(cycle)}"
            )
    if bad >= 0:
        check_penalties(graph.penalties, graph.num_arcs, "arc")
    ends = np.full(topology.batch_size, -1, dtype=np.int32)
    owner = topology.graph_of_nodes(topology.finals)
    ways = best[topology.finals] + finals
    by_penalty = np.lexsort((topology.finals, ways, owner))
    graphs, first = np.unique(owner[by_penalty], return_index=True)
    chosen = by_penalty[first]
    reachable = ways[chosen] < np.inf
    ends[graphs[reachable]] = topology.finals[chosen[reachable]]
    path_arcs, offsets, origins = kernels.trace_back(ends, entry, topology.src)
    return _paths(
        graph,
        path_arcs,
        offsets,
        np.searchsorted(topology.starts, origins[ends >= 0]).astype(np.int32),
        np.searchsorted(topology.finals, ends[ends >= 0]).astype(np.int32),
        exists=ends >= 0,
        batch=topology.is_batch,
    )


def _on_finite_paths(
    topology: Topology,
    arcs: NDArray[np.float64],
    starts: NDArray[np.float64],
    finals: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which nodes lie on a path that no infinite penalty forbids, ``[N]``."""
    open_ = arcs != np.inf
    if not (open_.all() and np.isfinite(starts).all() and np.isfinite(finals).all()):
        topology = Topology(
            topology.num_nodes,
            topology.src[open_],
            topology.dst[open_],
            topology.ilabels[open_],
            starts=topology.starts[starts < np.inf],
            finals=topology.finals[finals < np.inf],
            check=False,
        )
    mask: NDArray[np.bool_] = frozen(topology.accessible & topology.coaccessible)
    return mask


def viterbi_penalty(graph: Graph) -> torch.Tensor:
    """Return the least path penalty: eq. 10.

    O(N + A) on acyclic graphs. ``inf`` where there is no path, with gradient zero; otherwise the
    gradient is one on the arcs of the best path.

    Returns:
        ``[]`` in nats, ``[B]`` for a batch; of the penalties' dtype.

    Raises:
        NegativeCycleError, GraphError: as :func:`viterbi_path`.

    >>> import gtn
    >>> viterbi_penalty(gtn.linear(torch.tensor([[0.5, 1.0], [2.0, 0.25]])))
    tensor(0.7500)
    """
    return _as_given(viterbi_penalty_float64(graph), graph)


def viterbi_penalty_float64(graph: Graph) -> torch.Tensor:
    """Return the Viterbi penalty in float64 on the CPU, for differences before rounding."""
    path = viterbi_path(graph.without_data())
    topology = path.topology
    arcs, starts, finals = _float64_penalties(path)
    total = arcs.new_zeros(topology.batch_size)
    total = total.index_add(0, _index(topology.arc_graph), arcs)
    total = total.index_add(0, _index(topology.graph_of_nodes(topology.starts)), starts)
    total = total.index_add(0, _index(topology.graph_of_nodes(topology.finals)), finals)
    exists = torch.from_numpy(np.diff(topology.node_offsets) > 0)
    total = torch.where(exists, total, torch.inf)
    return total if topology.is_batch else total.squeeze(0)


def n_best(graph: Graph, count: int) -> GraphBatch | list[GraphBatch]:
    """Return the ``count`` paths of least penalty of an acyclic graph, best first; exact.

    O(A log A + count L log A) for paths of L arcs. Paths are told apart by their arcs, so two
    may spell the same string.

    Returns:
        A batch of chains, as :func:`viterbi_path` makes them (fewer, if the graph has fewer
        paths); for a batch, a list of them. Penalties are differentiable.

    Raises:
        CyclicGraphError: a cycle lies on a path.
        GraphError: a count below one; a NaN or -inf penalty.

    >>> import gtn
    >>> g = gtn.linear(torch.tensor([[0.0, 1.0], [0.0, 0.5]]), symbols=gtn.SymbolTable("ab"))
    >>> [path_text(p) for p in n_best(g, 3)]
    ['aa', 'ab', 'ba']
    """
    if count < 1:
        raise GraphError(f"n_best of {count} paths; at least one can be asked for")
    if isinstance(graph, GraphBatch):
        return [
            # The arcs of graph i are named as arcs of the batch.
            paths._with(sources=(one.sources[0].then(paths.sources[0]),))
            for one, paths in ((one, _n_best(one, count)) for one in graph)
        ]
    return _n_best(graph, count)


def _n_best(graph: Graph, count: int) -> GraphBatch:
    topology = graph.topology
    check_penalties(graph.penalties, graph.num_arcs, "arc")
    arcs, starts, finals = (_numpy(p) for p in _float64_penalties(graph))
    # What remains to the end is Viterbi along the reversed graph.
    remaining, _, _ = kernels.viterbi(
        topology.reverse_path_order,
        *topology.outgoing,
        topology.dst,
        topology.finals,
        arcs,
        finals,
    )
    path_arcs, offsets, first, last = kernels.n_best_paths(
        count,
        *topology.outgoing,
        topology.dst,
        topology.starts,
        topology.finals,
        arcs,
        starts,
        finals,
        remaining,
    )
    exists = np.ones(len(first), dtype=np.bool_)
    paths = _paths(graph, path_arcs, offsets, first, last, exists=exists, batch=True)
    assert isinstance(paths, GraphBatch)
    return paths


def _paths(
    graph: Graph,
    arcs: Int32s,
    offsets: Int32s,
    starts: Int32s,
    finals: Int32s,
    *,
    exists: NDArray[np.bool_],
    batch: bool,
) -> Graph:
    """Return chains of the given arcs; a path that does not exist has no node."""
    lengths = np.diff(offsets)
    node_offsets = np.concatenate(([0], np.cumsum(np.where(exists, lengths + 1, 0))))
    before = np.repeat(node_offsets[:-1] - offsets[:-1], lengths)
    src = np.arange(len(arcs)) + before
    acceptor = graph.topology.olabels is graph.topology.ilabels
    topology = Topology(
        int(node_offsets[-1]),
        src,
        src + 1,
        graph.ilabels[arcs],
        None if acceptor else graph.olabels[arcs],
        starts=node_offsets[:-1][exists],
        finals=node_offsets[1:][exists] - 1,
        node_offsets=node_offsets if batch else None,
        arc_offsets=offsets if batch else None,
        check=False,
    )
    return rearranged(graph, topology, arcs, starts, finals)


# -- label sequences -----------------------------------------------------------------------------


def path_labels(path: Graph, side: str = "output") -> Any:
    """Return the labels that a path reads (``side="input"``) or writes, epsilons left out.

    Returns:
        ``int32 [L]``; for a batch of paths, a list of such arrays.

    Raises:
        GraphError: the graph is not a chain from its one start to its one final, naming the node
            where it branches.

    >>> import gtn
    >>> path_labels(gtn.string([3, 1, 4]))
    array([3, 1, 4], dtype=int32)
    """
    if side not in ("input", "output"):
        raise GraphError(f"side={side!r}; it is 'input' or 'output'")
    topology = path.topology
    outermost = []
    for name, ends in (("leave", topology.src), ("enter", topology.dst)):
        counts = np.bincount(ends, minlength=topology.num_nodes)
        if (counts > 1).any():
            node = int(np.argmax(counts > 1))
            raise GraphError(f"{counts[node]} arcs {name} node {node}: not a single path")
        outermost.append(np.flatnonzero(counts == 0))
    chains = np.diff(topology.node_offsets) - np.diff(topology.arc_offsets)
    if (chains > 1).any() or not topology.is_acyclic:
        raise GraphError("not a single path: the graph is in several pieces, or is a cycle")
    for name, ends, expected in (
        ("starts", topology.starts, outermost[1]),
        ("finals", topology.finals, outermost[0]),
    ):
        if not np.array_equal(ends, expected):
            raise GraphError(
                f"not a single path: the {name} are nodes {ends.tolist()}, the "
                f"{'first' if name == 'starts' else 'last'} nodes of the chain {expected.tolist()}"
            )
    place = np.empty(topology.num_nodes, dtype=np.int64)
    place[topology.order] = np.arange(topology.num_nodes)
    owner = topology.arc_graph
    in_order = np.lexsort((place[topology.src], owner))
    labels = (topology.ilabels if side == "input" else topology.olabels)[in_order]
    bounds = topology.arc_offsets
    parts = (labels[first:last] for first, last in pairwise(bounds))
    found = [part[part >= 0] for part in parts]
    return found if topology.is_batch else found[0]


def path_text(path: Graph, side: str = "output", separator: str = "") -> Any:
    """Return what a path writes (or reads) as text: its symbols joined.

    Returns:
        A string; for a batch of paths, a list of strings. Labels without a symbol table are
        written as numbers.

    >>> import gtn
    >>> path_text(gtn.string("cap"))
    'cap'
    """
    table = path.isymbols if side == "input" else path.osymbols
    labels = path_labels(path, side)
    rows = labels if path.topology.is_batch else [labels]
    texts = [
        separator.join(str(x) for x in (row if table is None else table.decode(row)))
        for row in rows
    ]
    return texts if path.topology.is_batch else texts[0]


# -- between torch and the kernels -----------------------------------------------------------------


def _float64_penalties(graph: Graph) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    arcs, starts, finals = (
        p.to(device="cpu", dtype=torch.float64)
        for p in (graph.penalties, graph.start_penalties, graph.final_penalties)
    )
    check_penalties(starts, len(starts), "start")
    check_penalties(finals, len(finals), "final")
    return arcs, starts, finals


def _as_given(result: torch.Tensor, graph: Graph) -> torch.Tensor:
    return result.to(device=graph.penalties.device, dtype=graph.penalties.dtype)


def _numpy(tensor: torch.Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().contiguous().numpy()
    return array


def _index(numbers: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(numbers.astype(np.int64))
