"""Exact sums over all paths of graphs with cycles, component by component.

Going round cycles any number of times is a geometric series of matrices. Within a strongly
connected component, masses x that start as b and follow arcs of masses A sum to the solution of
``(I - A) x = b``; as A has no negative entry, the series converges if and only if elimination
without pivoting meets only positive pivots.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are first used
from numpy.typing import NDArray

from gtn.errors import DivergentGraphError
from gtn.indexes import Components, frozen
from gtn.kernels import blocks as kernels
from gtn.topology import Topology

__all__ = ["CyclicSums"]

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMALL_COMPONENT = 64
"""The most nodes of a component to solve as a dense matrix; above, sparse is faster."""


class CyclicSums:
    """Forward potentials of a graph with cycles, and the linear solve along it.

    O(N + A) outside the cycles; inside, one factorisation per component serves the potentials and
    all solves: O(m^3) for m nodes up to :data:`SMALL_COMPONENT`, above that as much as the sparse
    factors fill in (about O(N + A) for closures of chains and trees).

    Args:
        topology: any graph or batch.
        arcs, starts: penalties, ``float64 [A]`` and ``[S]``; checked.
        finals: penalties ``[F]``: only nodes on a path count, others have an infinite potential.
            None: all reachable nodes count.

    Attributes:
        potentials: minus the log of the sum over all ways to each node, ``[N]``.
        shares, start_shares: the share of each arc, ``[A]``, and start, ``[S]``, in its node's sum.

    Raises:
        DivergentGraphError: naming a component whose sum is infinite.
    """

    def __init__(
        self, topology: Topology, arcs: Float64s, starts: Float64s, finals: Float64s | None
    ) -> None:
        self.topology = topology
        self._blocks = blocks = _blocks(topology, arcs, starts, finals)
        start_penalties = np.full(topology.num_nodes, np.inf)
        start_penalties[topology.starts] = starts
        # A forbidden arc is no way, even if it leaves a node that does not count.
        self.potentials = np.full(topology.num_nodes, np.inf)
        self._lu = np.zeros(int(blocks.lu_offsets[-1]))
        self._sparse: dict[int, _Sparse] = {}
        self._sum(arcs, start_penalties)
        self.shares, node_shares = kernels.block_shares(
            blocks.nodes,
            *topology.incoming,
            topology.src,
            arcs,
            start_penalties,
            self.potentials,
        )
        self.start_shares = node_shares[topology.starts]

    def _sum(self, arcs: Float64s, start_penalties: Float64s) -> None:
        """Fill in the potentials and the factors of I - shares of every component."""
        topology, blocks = self.topology, self._blocks
        entries, scales = (np.empty(topology.num_nodes) for _ in range(2))
        block = 0
        while True:
            block, rounding = kernels.block_potentials(
                block,
                blocks.kinds,
                blocks.nodes,
                blocks.offsets,
                blocks.place,
                blocks.block_of,
                *topology.incoming,
                topology.src,
                arcs,
                start_penalties,
                self.potentials,
                entries,
                scales,
                blocks.lu_offsets,
                self._lu,
            )
            if block == len(blocks.kinds):
                return
            nodes, inner = blocks.of(block), blocks.arcs_within(block, topology)
            if rounding >= 0:
                matrix = _masses(nodes, inner, arcs, scales, blocks.place, topology)
                solver = _factored(matrix, rounding)
                if solver is not None:
                    x = solver.solve(np.exp(scales[nodes] - entries[nodes]))
                    if (x > 0).all() and np.isfinite(x).all():
                        self.potentials[nodes] += scales[nodes] - np.log(x)
                        self._sparse[block] = _Sparse(solver, x)
                        block += 1
                        continue
            raise DivergentGraphError(
                _describe(nodes, inner[arcs[inner] < np.inf], topology.describe_graph(nodes[0]))
            )

    def solve(self, given: Float64s, transposed: bool) -> tuple[Float64s, Float64s]:
        """Solve ``x_n = given_n + Σ_a shares_a x_src(a)`` over arcs into n; as ``kernels.solve``.

        Transposed: arcs out of n, ``x_dst(a)``. Returns ``x [N]`` and the products ``[A]``.
        """
        topology, blocks = self.topology, self._blocks
        index = topology.outgoing if transposed else topology.incoming
        other = topology.dst if transposed else topology.src
        x = given.copy()
        block = len(blocks.kinds) - 1 if transposed else 0
        while True:
            block = kernels.block_solve(
                block,
                transposed,
                blocks.kinds,
                blocks.nodes,
                blocks.offsets,
                blocks.block_of,
                *index,
                other,
                self.shares,
                blocks.lu_offsets,
                self._lu,
                x,
            )
            if block == (-1 if transposed else len(blocks.kinds)):
                return x, np.where(self.shares != 0, self.shares * x[other], 0.0)
            nodes = blocks.of(block)
            x[nodes] = self._sparse[block].solve(x[nodes], transposed)
            block += -1 if transposed else 1


class _Sparse(NamedTuple):
    """Factors of I - A of a large component, and its masses: A_ij = shares_ij scale_i / scale_j."""

    solver: Any
    scale: Float64s

    def solve(self, given: Float64s, transposed: bool) -> Float64s:
        """Solve with I - shares, or its transpose."""
        found: Float64s
        if transposed:
            found = self.solver.solve(given / self.scale, "T") * self.scale
        else:
            found = self.solver.solve(given * self.scale) / self.scale
        return found


class _Blocks(NamedTuple):
    """The components that count, in topological order, and the place of each node in them."""

    kinds: NDArray[np.int8]
    nodes: Int32s
    offsets: Int32s
    place: Int32s
    block_of: Int32s
    lu_offsets: NDArray[np.int64]

    def of(self, block: int) -> Int32s:
        return self.nodes[self.offsets[block] : self.offsets[block + 1]]

    def arcs_within(self, block: int, topology: Topology) -> Int32s:
        """Return the arcs that join two nodes of a block."""
        nodes = self.of(block)
        offsets, arcs = topology.incoming
        counts = np.diff(offsets)[nodes]
        first = np.repeat(offsets[nodes] - np.cumsum(counts) + counts, counts)
        entering = arcs[first + np.arange(len(first))]
        within: Int32s = np.sort(entering[self.block_of[topology.src[entering]] == block])
        return within


def _blocks(
    topology: Topology, arcs: Float64s, starts: Float64s, finals: Float64s | None
) -> _Blocks:
    """Return the components of the graph without what infinite penalties forbid."""
    # A cycle that an infinite penalty interrupts does not count.
    open_ = arcs < np.inf
    may_end = np.ones(len(topology.finals), dtype=np.bool_) if finals is None else finals < np.inf
    rest = topology.only(open_, starts < np.inf, may_end)
    nodes, offsets = _kept(rest.components, rest.accessible if finals is None else rest.on_paths)
    sizes = np.diff(offsets)
    block_of = np.full(topology.num_nodes, -1, dtype=np.int32)
    block_of[nodes] = np.repeat(np.arange(len(sizes)), sizes)
    place = np.zeros(topology.num_nodes, dtype=np.int32)
    place[nodes] = np.arange(len(nodes)) - np.repeat(offsets[:-1], sizes)
    loops = block_of[topology.src[open_ & (topology.src == topology.dst)]]
    kinds = np.where(sizes > 1, kernels.SMALL, kernels.PLAIN).astype(np.int8)
    kinds[loops[loops >= 0]] = kernels.SMALL
    kinds[sizes > SMALL_COMPONENT] = kernels.LARGE
    squares = np.where(kinds == kernels.SMALL, sizes.astype(np.int64) ** 2, 0)
    return _Blocks(
        frozen(kinds),
        frozen(nodes),
        frozen(offsets),
        frozen(place),
        frozen(block_of),
        frozen(np.concatenate(([0], np.cumsum(squares)))),
    )


def _kept(components: Components, counts: Mask) -> tuple[Int32s, Int32s]:
    """Return the components whose nodes count (in each, all nodes do or none)."""
    kept = counts[components.nodes]
    first = kept[components.offsets[:-1]]
    sizes = np.diff(components.offsets)[first]
    return components.nodes[kept], np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)


def _masses(
    nodes: Int32s,
    inner: Int32s,
    arcs: Float64s,
    scales: Float64s,
    place: Int32s,
    topology: Topology,
) -> Any:
    """Return I - A of a component, where A has the masses of its arcs (source: column)."""
    src, dst = topology.src[inner], topology.dst[inner]
    with np.errstate(over="ignore"):
        masses = np.exp(scales[dst] - (arcs[inner] + scales[src]))
    size = len(nodes)
    every = np.arange(size)
    return scipy.sparse.csc_array(
        (
            np.concatenate((np.ones(size), -masses)),
            (np.concatenate((every, place[dst])), np.concatenate((every, place[src]))),
        ),
        shape=(size, size),
    )


def _factored(matrix: Any, rounding: float) -> Any:
    """Return the sparse factors of I - A, or None where powers of A have no finite sum."""
    if not np.isfinite(matrix.data).all():
        return None
    try:
        # Pivots from the diagonal only; a column order that copes with a hub (a closure's start).
        solver = scipy.sparse.linalg.splu(
            matrix, permc_spec="COLAMD", diag_pivot_thresh=0, options={"SymmetricMode": True}
        )
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        return None
    converges = (solver.perm_r == solver.perm_c).all() and (solver.U.diagonal() > rounding).all()
    return solver if converges else None


def _describe(nodes: Int32s, arcs: Int32s, where: str) -> str:
    """Return the message about a component that does not converge."""
    node = "node" if len(nodes) == 1 else f"{len(nodes)} nodes,"
    named = ", ".join(str(n) for n in np.sort(nodes)[:8]) + (", …" if len(nodes) > 8 else "")
    loops = ", ".join(str(a) for a in arcs[:8]) + (", …" if len(arcs) > 8 else "")
    return (
        f"the sum over all paths is infinite: the cycles through {node} {named} (arcs {loops})"
        f"{where} lose no mass; going round once must multiply the sum of exp(-penalty) by less "
        "than 1"
    )
