"""Pruned composition of frames that come piece by piece: decoding while someone writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.beam import checked_beam
from gtn.beam.cascade import Cascade
from gtn.beam.settling import Waiting, nowhere
from gtn.construction import linear
from gtn.errors import GraphError, bad_penalty
from gtn.graph import Graph, check_graph
from gtn.indexes import LARGEST, check_counts, frozen
from gtn.kernels.beam import Writer
from gtn.paths.narrows import common_nodes
from gtn.paths.pruning import rounding
from gtn.paths.ways import least_ways
from gtn.product import filter_mode
from gtn.product.failure import check_left, check_never_asked, failure_label
from gtn.tensors import as_array, float64_penalties
from gtn.topology import Topology

__all__ = ["PrunedStream"]


class PrunedStream:
    """The pruned composition of all frames so far with graphs that read them.

    At any time it equals, arc for arc, what :func:`gtn.beam.pruned` gives for
    ``gtn.linear(all frames)`` and the graphs; but the tokens are kept, so another piece costs only
    the search through its own frames. Memory grows with the frames and with the arcs between
    followed tokens: begin anew where a text ends, or :meth:`settle` now and then.

    Args:
        readers: graphs, at least one, each reading what the one before it writes; the first reads
            the classes of the frames. Their penalties stay as they are while frames come.
        failure, beam, max_active: as for :func:`gtn.beam.pruned`.

    Attributes:
        length: how many frames there are so far.
        settled: how many of them are settled and forgotten.

    Raises:
        GraphError: no reader, one that is a batch; otherwise as :func:`gtn.beam.pruned`.

    >>> import gtn
    >>> stream = PrunedStream([gtn.string("ab") | gtn.string("bb")], beam=4.0)
    >>> stream.add(torch.tensor([[0.25, 1.0]]))
    >>> stream.graph().num_nodes, stream.graph(finished=False).num_arcs
    (0, 2)
    >>> stream.add(torch.tensor([[1.0, 0.5]]))
    >>> gtn.path_text(gtn.viterbi_path(stream.graph()))
    'ab'
    """

    def __init__(
        self,
        readers: Sequence[Graph],
        *,
        failure: int | str | None = None,
        beam: float = np.inf,
        max_active: int | None = None,
    ) -> None:
        beam, max_active = checked_beam(beam, max_active)
        if not isinstance(readers, Sequence):
            raise GraphError(f"readers are a sequence of graphs, not {type(readers).__name__}")
        if not readers:
            raise GraphError("a stream needs at least one graph that reads its frames")
        check_graph(*readers)
        for i, reader in enumerate(readers):
            if reader.topology.is_batch:
                raise GraphError(f"reader {i} is a batch; a stream is read with single graphs")
        self.length = self.settled = 0
        self._readers, self._failure = list(readers), failure
        self._beam, self._max_active = beam, max_active
        self._frames: list[torch.Tensor] = []
        self._cascade = Cascade.of([self._chain(), *readers], "match", failure)
        self._search = self._cascade.search(1, filter_mode("sequence"), beam, max_active)
        self._room = _Room(0, 0)
        # The label that no class may have: frames are seen by the first reader only.
        self._asked = failure_label(readers[0], failure) if len(readers) == 1 else None

    def add(self, penalties: torch.Tensor) -> None:
        """Read further frames; where an interrupt ends this, all are added or none (``length``).

        Args:
            penalties: ``[T, C]`` of C classes in T frames, in nats; with or without gradients.
                They are copied: a buffer may be filled again.

        Raises:
            GraphError: another shape, another number of classes than before, NaN or -inf; a class
                that is the failure symbol; otherwise as in :func:`gtn.beam.pruned`.
        """
        if not isinstance(penalties, torch.Tensor) or penalties.ndim != 2:
            shape = list(penalties.shape) if isinstance(penalties, torch.Tensor) else penalties
            raise GraphError(f"penalties of frames are a torch.Tensor [T, C], not {shape}")
        count, classes = penalties.shape
        if self._frames and classes != self._room.classes:
            raise GraphError(f"{classes} classes after frames of {self._room.classes} classes")
        kept = self.length - self.settled
        check_counts(kept + count + 1, (kept + count) * classes, "stream (of what is not settled)")
        values = penalties.detach().to(device="cpu", dtype=torch.float64).numpy()
        for t, c in np.argwhere(~(values > -np.inf))[:1].tolist():
            raise bad_penalty(f"class {c} in frame {self.length + t} has penalty", values[t, c])
        chain = linear(penalties, symbols=self._readers[0].isymbols)  # or what else may be wrong
        check_left(chain, "the frames")
        if self._asked is not None:
            check_never_asked(chain.olabels, self._asked, "the frames")
        piece, room = penalties.clone(), self._room
        if kept + count > room.frames or classes != room.classes:
            spare = min(2 * kept, LARGEST // max(1, classes) - 1)
            room = room.for_frames(max(spare, kept + count), classes)
            self._search.lengthen(room.frames + 1)
        room.put(kept, values)
        # An interrupt comes between two calls: so all frames are added, or none.
        self._room, self.length = room, self.length + count
        room.alive[kept + 1 : kept + 1 + count] = True
        self._frames += [piece]
        self._advance()
        self._cascade.check(self._search)

    def graph(self, *, finished: bool = True) -> Graph:
        """Return the interpretation graph of all frames so far, from where :meth:`settle` ended.

        It is connected, and differentiable in the frames and in the penalties of the readers. Its
        ``sources`` are arcs of the frames and of each reader: with C classes, arc ``t * C + c`` of
        the frames is class c of frame ``settled + t``. O(tokens and arcs followed in these frames).

        Args:
            finished: if False, a path may stop at any node of the readers, without penalty: a
                reading before the end of the text.
        """
        search = self._search.copy()
        search.advance(self._room.writer, *self._room.nodes(self.length - self.settled + 1))
        cascade = self._now(self._cascade if finished else self._open)
        return cascade.product(search).graph(cascade.graphs)

    def settle(self, *, beam: float = np.inf) -> Graph:
        """Return the part of all paths so far that lies before a node they share, and forget it.

        It is the last node that every path to a token that may still be followed goes through;
        from now on the stream begins there. Time and memory then depend only on the frames since
        that node, and penalties are counted from there, so they lose no digits however long the
        stream gets. Nothing is lost: ``gtn.concat(settled, graph)``, of the graph returned here and
        :meth:`graph` at any later time, has the paths of a stream that was never settled, with
        their penalties (but for rounding). So the texts of the two parts are independent:
        penalties and forward penalties add, posteriors multiply.

        Similar paths stay apart for long, so such a node may be rare. With a ``beam``, only paths
        at most so much worse than the best one to the same token must go through the node; all
        others are lost. The search goes on as if they were there, and the best path of all stays
        the best. At 0 it is the trace back from the tokens along their best paths.

        Settled frames are no longer in :meth:`graph`, and its gradients do not reach them; those
        of the returned graph do, so a sum of both has all. O(tokens and arcs followed since the
        last time), whether there is such a node or not.

        Args:
            beam: how much worse than the best path to the same token a kept path may be, in nats.

        Returns:
            The part of the interpretation graph up to that node: connected, its final penalty 0,
            ``sources`` as those of :meth:`graph` before. One node without arcs if nothing is
            settled. If no token is left, so that nothing will ever be read, a graph without nodes;
            all frames are then forgotten.

        Raises:
            GraphError: a wrong beam; otherwise as :func:`gtn.beam.pruned`. Then nothing is settled.

        >>> import gtn
        >>> stream = PrunedStream([gtn.closure(gtn.string("ab") | gtn.string("cb"))], beam=4.0)
        >>> stream.add(torch.tensor([[0.0, 9.0, 1.0], [9.0, 0.0, 9.0], [2.0, 9.0, 3.0]]))
        >>> [gtn.path_text(path) for path in gtn.n_best(stream.settle(), 9)]
        ['ab', 'cb']
        >>> stream.settled, gtn.viterbi_penalty(stream.graph(finished=False))
        (2, tensor(2.))
        """
        settled, forget = self.settling(beam=beam)
        forget()
        return settled

    def settling(self, *, beam: float = np.inf) -> tuple[Graph, Callable[[], None]]:
        """Return the graph that :meth:`settle` would return, and a function that forgets it.

        So the graph can be read first, and nothing is lost if that fails. O(tokens and arcs
        followed since the last time).

        Raises:
            GraphError: as :meth:`settle`; by the function, if frames were added or settled in the
                meantime.

        >>> import gtn
        >>> stream = PrunedStream([gtn.string("ab")])
        >>> stream.add(torch.zeros(1, 2))
        >>> settled, forget = stream.settling()
        >>> gtn.path_text(settled), stream.settled
        ('a', 0)
        >>> forget()
        >>> stream.settled
        1
        """
        beam, _ = checked_beam(beam, None)
        self._advance()  # where adding was interrupted
        cascade, search = self._now(self._cascade), self._search.copy()
        if not self.length:
            return nowhere(cascade).graph(cascade.graphs), lambda: None
        waiting = Waiting(cascade, search)
        topology = waiting.product.topology
        if not topology.num_nodes:
            settled, count = waiting.product, waiting.give_up()
        else:
            if beam < np.inf:
                with torch.no_grad():
                    topology = _near(waiting.product.graph(cascade.graphs), beam)
            common = common_nodes(topology)
            common = common[~np.isin(common, waiting.product.topology.starts)]
            if len(common):
                settled, count = waiting.settle(common[len(common) - 1])
            else:
                settled, count = nowhere(cascade), waiting.forget()
        graph = settled.graph(cascade.graphs)
        frames, room = self._left(count)
        search.lengthen(room.frames + 1)
        before = self._search, self.length

        def forget() -> None:
            if before != (self._search, self.length):
                raise GraphError("frames were added or settled since; call settling again")
            self._search, self._frames, self._room = search, frames, room
            self.settled += count

        return graph, forget

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to make a copy; the search has views of buffers, which cannot be copied."""
        self._advance()  # where adding was interrupted
        made_with = self._readers, self._failure, self._beam, self._max_active
        return _again, (*made_with, self._frames, self.settled, self._search.state())

    def _advance(self) -> None:
        """Follow all frames that there are, as far as they are not followed yet.

        Tokens wait where the last frame ends: the next frame decides what follows.
        """
        nodes = self._room.nodes(self.length - self.settled)
        self._search.advance(self._room.writer, *nodes, more=True)

    def _now(self, cascade: Cascade) -> Cascade:
        """Return the cascade with the frames that are not forgotten."""
        chain = self._chain()
        return replace(
            cascade,
            graphs=[chain, *cascade.graphs[1:]],
            written=[chain.olabels, *cascade.written[1:]],
        )

    def _left(self, count: int) -> tuple[list[torch.Tensor], _Room]:
        """Return the frames without the first ``count``, and their layout."""
        if not count:
            return self._frames, self._room
        ends = np.cumsum([len(piece) for piece in self._frames]).tolist()
        # Copies, so that the rest does not keep the memory of forgotten frames.
        rest = [
            piece if end - len(piece) >= count else piece[count - end :].clone()
            for piece, end in zip(self._frames, ends, strict=True)
            if end > count
        ]
        rest = rest or [self._frames[0][:0].clone()]
        return rest, _Room.of(rest)

    def _chain(self) -> Graph:
        """Return the graph of all frames that are not forgotten."""
        frames = torch.cat(self._frames) if self._frames else torch.empty(0, 0)
        return linear(frames, symbols=self._readers[0].isymbols)

    @cached_property
    def _open(self) -> Cascade:
        """The same cascade, in which every node of a reader is final."""
        readers = [_final_everywhere(reader) for reader in self._readers]
        return Cascade.of([self._chain(), *readers], "match", self._failure)


class _Room:
    """The chain of frames as a search sees it, with spare room for more frames.

    Attributes:
        alive: ``[frames + 1]``, the nodes where frames begin or end, and not room alone.
    """

    def __init__(self, frames: int, classes: int) -> None:
        self.frames, self.classes = frames, classes
        self._penalties = np.empty((frames, classes))
        self.alive = np.zeros(frames + 1, dtype=np.bool_)
        self.alive[0] = True
        self._nodes = frozen(np.arange(frames + 1, dtype=np.int32))
        arcs = frames * classes
        offsets = np.minimum(np.arange(frames + 2) * classes, arcs)
        self.writer = Writer(
            frozen(offsets.astype(np.int32)),
            frozen(np.arange(arcs, dtype=np.int32)),
            frozen(np.tile(np.arange(classes, dtype=np.int32), frames)),
            frozen(np.repeat(np.arange(1, frames + 1, dtype=np.int32), classes)),
            frozen(self.alive.view()),
            frozen(np.full(frames + 1, -1, dtype=np.int32)),
            frozen(self._penalties.reshape(-1)),
        )

    @classmethod
    def of(cls, pieces: Sequence[torch.Tensor]) -> _Room:
        """Return room for exactly the frames of some pieces, at least one."""
        frames = torch.cat([piece.detach() for piece in pieces])
        values = frames.to(device="cpu", dtype=torch.float64).numpy()
        room = cls(*values.shape)
        room.put(0, values)
        room.alive[:] = True
        return room

    def nodes(self, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the first ``count`` nodes in order, and their offsets."""
        return self._nodes[:count], frozen(np.array([0, count], dtype=np.int32))

    def put(self, first: int, values: NDArray[np.float64]) -> None:
        """Put in penalties ``[T, C]`` of frames, beginning with frame ``first``.

        A search sees them once the nodes where they end are ``alive``.
        """
        self._penalties[first : first + len(values)] = values

    def for_frames(self, frames: int, classes: int) -> _Room:
        """Return larger room, with the frames of this one."""
        larger = _Room(frames, classes)
        if self.frames:
            known = np.flatnonzero(self.alive)[-1]
            larger.put(0, self._penalties[:known])
            larger.alive[: known + 1] = True
        return larger


def _again(
    readers: Sequence[Graph],
    failure: int | str | None,
    beam: float,
    max_active: int | None,
    frames: Sequence[torch.Tensor],
    settled: int = 0,
    state: tuple[Any, ...] | None = None,
) -> PrunedStream:
    """Return a stream that goes on from a search's state; without one, it reads the frames anew.

    Older pickles have only frames.
    """
    stream = PrunedStream(readers, failure=failure, beam=beam, max_active=max_active)
    if state is None:
        for piece in frames:
            stream.add(piece)
        return stream
    stream._frames, stream.settled = list(frames), settled
    stream.length = settled + sum(map(len, frames))
    stream._search.resume(state)
    if frames:
        stream._room = _Room.of(frames)
        stream._search.lengthen(stream._room.frames + 1)
    return stream


def _near(graph: Graph, beam: float) -> Topology:
    """Return the topology of all nodes and the arcs on paths near the best to the same final."""
    t = graph.topology
    arcs, starts, finals = (as_array(part) for part in float64_penalties(graph))
    ahead, _ = least_ways(t, arcs, starts, finals)
    best = ahead[t.finals]
    # How far behind the best path to the same final: each final subtracts its own distance.
    behind, _ = least_ways(t, arcs, starts, np.where(best < np.inf, -best, np.inf), backward=True)
    size = np.abs(best, where=best < np.inf, out=np.zeros_like(best)).max()
    latest = beam + rounding(t.num_nodes) * size
    near = ahead[t.src] + arcs + behind[t.dst] <= latest
    return t.only(near, starts + behind[t.starts] <= latest, best < np.inf)


def _final_everywhere(graph: Graph) -> Graph:
    """Return the graph with all nodes final, without penalty."""
    every = np.arange(graph.num_nodes, dtype=np.int32)
    return graph._with(topology=graph.topology.ending(every), final_penalties=None)
