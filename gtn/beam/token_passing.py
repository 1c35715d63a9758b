"""Token passing, the search behind pruned composition: its buffers, and how they grow."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gtn.indexes import frozen
from gtn.kernels import beam as kernels

__all__ = ["Passed", "Starts", "TokenPassing"]

Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]
_ROOM = 1024
_LIMIT = int(np.iinfo(np.int32).max) - 1


class Starts(NamedTuple):
    """Where tokens begin: S starts of B products of G graphs."""

    nodes: Int32s  # [S, G]: a start of each graph (readers are numbered consecutively)
    penalties: Float64s  # [S]
    offsets: Int32s  # [B + 1]: where the starts of each product begin
    entries: Int32s  # [S, G]: which start of its graph each node is


class Passed(NamedTuple):
    """What token passing has found: T tokens, A arcs, S starts of B products of G graphs."""

    tokens: Int32s  # [T, G]: node of each graph (readers are numbered consecutively)
    kept: NDArray[np.bool_]  # [T]: whether the token was followed
    arrived: Float64s  # [T]: least penalty on arrival at the same node of the first graph
    arcs: Int32s  # [A, G + 2]: source and destination token, arc of each graph or -1
    ways: Float64s  # [A]: least penalty of a way to the end of the arc, through the arc
    begun: Int32s  # [S]: token of each start, or -1
    offsets: Int32s  # [B + 1]: where the tokens of each product begin


class TokenPassing:
    """A search: see the kernel, :func:`gtn.kernels.beam.pass_tokens`.

    Args:
        readers: all graphs but the first, concatenated.
        starts: where tokens begin.
        num_nodes: of the first graph.
        mode: the filter, a value of ``gtn.kernels.composition.FILTERS``.
        beam: in nats.
        max_active: the most tokens to follow at a node of the first graph; None for all.
    """

    def __init__(
        self,
        readers: kernels.Readers,
        starts: Starts,
        num_nodes: int,
        mode: int,
        beam: float,
        max_active: int | None,
    ) -> None:
        self.starts, self.beam = starts, float(beam)
        self._readers, self._mode = readers, mode
        self._active = _LIMIT if max_active is None else min(max_active, _LIMIT)
        self._x = _empty(num_nodes, starts.nodes.shape[1] + 1)
        self._begun = np.full(len(starts.nodes), -1, dtype=np.int32)
        self._offsets = np.zeros(len(starts.offsets), dtype=np.int32)

    def advance(
        self, writer: kernels.Writer, order: Int32s, offsets: Int32s, *, more: bool = False
    ) -> None:
        """Pass tokens through nodes of the first graph; stop early if ``status`` is an error.

        Args:
            order, offsets: nodes in topological order, grouped by graph of the batch, and their
                offsets ``[B + 1]``; nodes that were passed before are skipped.
            more: whether nodes will follow the last one, so that the search does not end there.
        """
        done = False
        while not done:
            # A search that was interrupted may be within a node, too.
            if self._x.counts[kernels.STAGE] in (kernels.BEGINNING, kernels.FOLLOWING):
                self._x = _grown(self._x)
                if self.status != kernels.FINE:
                    break
            done = kernels.pass_tokens(
                writer,
                self._readers,
                self._x,
                order,
                offsets,
                self.starts.nodes,
                self.starts.penalties,
                self.starts.offsets,
                self._begun,
                self._offsets,
                self._mode,
                self.beam,
                self._active,
                more,
            )

    @property
    def status(self) -> int:
        """FINE, or the reason why the search stopped: TOO_MANY, NEGATIVE or BAD, of the kernel."""
        return int(self._x.counts[kernels.STATUS])

    @property
    def count(self) -> int:
        """How many tokens there are."""
        return int(self._x.counts[kernels.TOKENS])

    @property
    def at(self) -> Int32s:
        """The token that the status is about: a node of each graph, ``[G]``."""
        token: Int32s = self._x.nodes[self._x.counts[kernels.AT], :-1]
        return token

    def passed(self) -> Passed:
        """Return what the search has found so far."""
        x = self._x
        tokens, arcs = x.counts[kernels.TOKENS], x.counts[kernels.ARCS]
        return Passed(
            x.nodes[:tokens, :-1],
            x.notes[:tokens, kernels.KEPT] > 0,
            x.best[:tokens],
            x.arcs[:arcs],
            x.ways[:arcs],
            self._begun,
            self._offsets,
        )

    def waiting(self) -> tuple[Passed, NDArray[np.bool_]]:
        """Return what a search along a chain has found, and which tokens may go on, ``[T]``.

        These wait at the next node, within the beam of the best token there. They count as kept:
        which of them ``max_active`` drops is known only when the search goes on.
        """
        x, passed = self._x, self.passed()
        next_node, places = x.counts[kernels.ORDER], passed.tokens[:, 0]
        least, here = x.least[next_node], places == next_node
        going = here & (x.best[: len(here)] <= least + self.beam)
        found = passed._replace(
            kept=passed.kept | going,
            arrived=np.where(here, least, x.arrived[places]),
            offsets=np.array([0, len(places)], dtype=np.int32),
        )
        return found, going

    def keep(self, tokens: NDArray[np.bool_], arcs: NDArray[np.int64]) -> Int32s:
        """Forget all other tokens and arcs of a search along a chain; the rest keeps its order.

        Args:
            tokens: which tokens stay, ``[T]``; those that wait at the next node stay in any case.
            arcs: numbers of the arcs that stay, increasing; both their ends must stay.

        Returns:
            ``[T]``, the new number of each token, -1 if it is forgotten.
        """
        x, counts = self._x, self._x.counts.copy()
        next_node, count = counts[kernels.ORDER], counts[kernels.TOKENS]
        stay = tokens | (x.nodes[:count, 0] == next_node)
        new = np.where(stay, np.cumsum(stay) - 1, -1).astype(np.int32)
        nodes, notes, best = x.nodes[:count][stay], x.notes[:count][stay], x.best[:count][stay]
        moves, ways = x.arcs[arcs], x.ways[arcs]
        moves[:, :2] = new[moves[:, :2]]
        here = np.flatnonzero(nodes[:, 0] == next_node)
        notes[:, kernels.LINK] = -1
        notes[here[1:], kernels.LINK] = here[:-1]
        there = x.there.copy()
        if len(here):
            there[next_node] = here[-1], len(here)
        begun = self._begun >= 0
        self._begun[begun] = new[self._begun[begun]]
        x = x._replace(there=there, counts=counts)
        self._x = _with_room(x, nodes, notes, best, moves, ways)
        return new

    def begin_at(self, token: int, num_arcs: int) -> None:
        """Make a search along a chain begin with one token, from which it reaches all others.

        Nodes and arcs of the chain are counted from this token's node, and penalties from its own,
        so that sums do not grow and lose digits.

        Args:
            token: its number.
            num_arcs: how many arcs of the chain come before its node.
        """
        x = self._x
        self.starts = Starts(
            frozen(np.append(0, x.nodes[token, 1:-1]).astype(np.int32)[None]),
            np.zeros(1),
            frozen(np.array([0, 1], dtype=np.int32)),
            frozen(np.full((1, x.nodes.shape[1] - 1), -1, dtype=np.int32)),
        )
        self._begun = np.array([token], dtype=np.int32)
        own = x.best[token] if np.isfinite(x.best[token]) else 0.0
        self.begin_later(int(x.nodes[token, 0]), num_arcs, own)
        # The token must be within the beam of itself, however sums were rounded.
        self._x.arrived[0] = max(self._x.arrived[0], -self.beam)

    def begin_later(self, num_nodes: int, num_arcs: int, penalty: float = 0.0) -> None:
        """Count nodes, arcs and penalties from later in the chain; no token may be before that."""
        x, counts = self._x, self._x.counts.copy()
        tokens, arcs = counts[kernels.TOKENS], counts[kernels.ARCS]
        counts[kernels.ORDER] -= num_nodes
        chain = slice(num_nodes, num_nodes + counts[kernels.ORDER] + 1)
        least, arrived = x.least[chain] - penalty, x.arrived[chain] - penalty
        nodes, moves = x.nodes[:tokens].copy(), x.arcs[:arcs].copy()
        nodes[:, 0] -= num_nodes
        moves[:, 2] -= np.where(moves[:, 2] < 0, 0, num_arcs)
        # What is within the beam must stay within it, however sums are rounded.
        ends = nodes[moves[:, 1], 0]
        latest = np.where(ends == counts[kernels.ORDER], least[ends], arrived[ends]) + self.beam
        x = x._replace(there=x.there[chain].copy(), least=least, arrived=arrived, counts=counts)
        self._x = _with_room(
            x,
            nodes,
            x.notes[:tokens],
            x.best[:tokens] - penalty,
            moves,
            np.minimum(x.ways[:arcs] - penalty, latest),
        )

    def state(self) -> tuple[Any, ...]:
        """Return the state from which another search along a chain, with these readers, goes on."""
        x = self._x
        tokens, arcs = x.counts[kernels.TOKENS], x.counts[kernels.ARCS]
        found = x.nodes[:tokens], x.notes[:tokens], x.best[:tokens], x.arcs[:arcs], x.ways[:arcs]
        chain = slice(0, x.counts[kernels.ORDER] + 1)
        waiting = x.there[chain], x.least[chain], x.arrived[chain], x.counts
        return (*found, *waiting), tuple(self.starts), self._begun

    def resume(self, state: tuple[Any, ...]) -> None:
        """Go on from the state of another search, sharing none of the arrays that change."""
        found, (nodes, penalties, offsets, entries), begun = state
        there, least, arrived, counts = (array.copy() for array in found[5:])
        x = self._x._replace(there=there, least=least, arrived=arrived, counts=counts)
        self._x, self._begun = _with_room(x, *found[:5]), begun.copy()
        self.starts = Starts(frozen(nodes), penalties, frozen(offsets), frozen(entries))

    def lengthen(self, num_nodes: int) -> None:
        """Make room for at least ``num_nodes`` nodes of the first graph."""
        x = self._x
        if num_nodes <= len(x.there):
            return
        self._x = x._replace(
            there=_longer(x.there, num_nodes, [-1, 0]),
            least=_longer(x.least, num_nodes, np.inf),
            arrived=_longer(x.arrived, num_nodes, np.inf),
        )

    def copy(self) -> Self:
        """Return a search in the same state that can be advanced independently."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._x = kernels.Search._make(array.copy() for array in self._x)
        twin._begun, twin._offsets = self._begun.copy(), self._offsets.copy()
        return twin


def _empty(num_nodes: int, width: int) -> kernels.Search:
    """Return the buffers of a search that has found nothing yet."""
    room = min(_ROOM, _LIMIT)
    place = np.ones((7, width), dtype=np.int64)
    place[kernels.UNIT, 1:] = 3 ** np.arange(width - 1)
    return kernels.Search(
        np.empty((room, width), dtype=np.int32),
        np.empty((room, 4), dtype=np.int32),
        np.empty(room),
        np.full(16, -1, dtype=np.int32),
        np.empty((room, width + 1), dtype=np.int32),
        np.empty(room),
        np.empty(2 * room),
        np.empty(2 * room, dtype=np.int32),
        np.full((num_nodes, 2), -1, dtype=np.int32),
        np.full(num_nodes, np.inf),
        np.full(num_nodes, np.inf),
        np.zeros(17, dtype=np.int64),
        np.zeros(width, dtype=np.int32),
        np.zeros(width - 1, dtype=np.int32),
        place,
        np.zeros(width),
    )


def _grown(x: kernels.Search) -> kernels.Search:
    """Return the buffers, with more room in those that are full, up to the limit."""
    counts = x.counts.copy()  # all at once: an interrupt finds the old buffers or the new ones
    tokens, arcs = counts[kernels.TOKENS], counts[kernels.ARCS]
    if max(tokens, arcs) >= _LIMIT:
        counts[kernels.STATUS] = kernels.TOO_MANY
    if tokens == len(x.nodes):
        room = min(4 * tokens + 1, _LIMIT)
        x = x._replace(
            nodes=_longer(x.nodes, room), notes=_longer(x.notes, room), best=_longer(x.best, room)
        )
    if 2 * (tokens - counts[kernels.FIRST]) >= len(x.slots):
        x = x._replace(slots=np.full(4 * len(x.slots), -1, dtype=np.int32))
        counts[kernels.EMPTIED] = 1
    if arcs == len(x.arcs):
        room = min(4 * arcs + 1, _LIMIT)
        x = x._replace(arcs=_longer(x.arcs, room), ways=_longer(x.ways, room))
    if counts[kernels.HEAP] == len(x.heap) or len(x.heap) < len(x.nodes):
        room = 2 * max(len(x.heap), len(x.nodes))
        x = x._replace(keys=_longer(x.keys, room), heap=_longer(x.heap, room))
    # The token whose moves did not all fit repeats them.
    counts[kernels.ARCS] = counts[kernels.BEFORE]
    return x._replace(counts=counts)


def _with_room(
    x: kernels.Search,
    nodes: Int32s,
    notes: Int32s,
    best: Float64s,
    arcs: Int32s,
    ways: Float64s,
) -> kernels.Search:
    """Return the buffers with only these tokens and arcs, and room for as many again."""
    room, room_of_arcs = (min(max(_ROOM, 2 * len(rows)), _LIMIT) for rows in (nodes, arcs))
    counts = x.counts
    counts[kernels.TOKENS], counts[kernels.ARCS], counts[kernels.EMPTIED] = len(nodes), len(arcs), 1
    return x._replace(
        nodes=_longer(nodes, room),
        notes=_longer(notes, room),
        best=_longer(best, room),
        slots=np.full(1 << max(4, (4 * len(nodes)).bit_length()), -1, dtype=np.int32),
        arcs=_longer(arcs, room_of_arcs),
        ways=_longer(ways, room_of_arcs),
        keys=np.empty(2 * room),
        heap=np.empty(2 * room, dtype=np.int32),
    )


def _longer(rows: NDArray[Any], room: int, fill: Any = None) -> NDArray[Any]:
    """Return the rows with more room, filled with a number (or a row) if one is given."""
    longer = np.empty((room, *rows.shape[1:]), dtype=rows.dtype)
    longer[: len(rows)] = rows
    if fill is not None:
        longer[len(rows) :] = fill
    return longer
