"""Pruned composition of frames that come piece by piece: decoding while somebody writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gtn.beam import check_beam
from gtn.beam.cascade import Cascade
from gtn.construction import linear
from gtn.errors import GraphError, bad_penalty
from gtn.graph import Graph
from gtn.indexes import frozen
from gtn.kernels.beam import Writer
from gtn.product import filter_mode
from gtn.product.failure import check_left, check_never_asked, failure_label

__all__ = ["PrunedStream"]


class PrunedStream:
    """The pruned composition of all frames so far with graphs that read them.

    At every moment what :func:`gtn.beam.pruned` gives for ``gtn.linear(all frames)`` and the
    graphs, arc for arc; but the tokens stay where they are, and a further piece costs what is
    tried for its own frames. Memory grows with the frames and with the arcs between tokens that
    were followed, so begin anew where a text has ended. Copies and pickles read all frames again
    when they are made.

    Args:
        readers: graphs, at least one, each reading what the one before it writes; the first reads
            the classes of the frames. Their penalties stay as they are while frames come.
        failure, beam, max_active: as for :func:`gtn.beam.pruned`.

    Attributes:
        length: how many frames there are so far.

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
        check_beam(beam, max_active)
        if not readers:
            raise GraphError("a stream needs at least one graph that reads its frames")
        for i, reader in enumerate(readers):
            if reader.topology.is_batch:
                raise GraphError(f"reader {i} is a batch; a stream is read with single graphs")
        self.length = 0
        self._readers, self._failure = list(readers), failure
        self._beam, self._max_active = beam, max_active
        self._frames: list[torch.Tensor] = []
        self._cascade = Cascade.of([self._chain(), *readers], "match", failure)
        self._search = self._cascade.search(1, filter_mode("sequence"), beam, max_active)
        self._room = _Room(0, 0)
        # The label that no class may have: frames are seen by the first reader only.
        self._asked = failure_label(readers[0], failure) if len(readers) == 1 else None

    def add(self, penalties: torch.Tensor) -> None:
        """Read on: further frames.

        Args:
            penalties: ``[T, C]`` of C classes in T frames, in nats; with or without gradients.
                They are copied: a buffer may be filled again.

        Raises:
            GraphError: another shape, another number of classes than before, NaN or -inf; a class
                that is the failure symbol; and what :func:`gtn.beam.pruned` may come upon.
        """
        if not isinstance(penalties, torch.Tensor) or penalties.ndim != 2:
            shape = list(penalties.shape) if isinstance(penalties, torch.Tensor) else penalties
            raise GraphError(f"penalties of frames are a torch.Tensor [T, C], not {shape}")
        count, classes = penalties.shape
        if self._frames and classes != self._room.classes:
            raise GraphError(f"{classes} classes after frames of {self._room.classes} classes")
        values = penalties.detach().to(device="cpu", dtype=torch.float64).numpy()
        for t, c in np.argwhere(~(values > -np.inf))[:1].tolist():
            raise bad_penalty(f"class {c} in frame {self.length + t} has penalty", values[t, c])
        chain = linear(penalties, symbols=self._readers[0].isymbols)  # or what else may be wrong
        check_left(chain, "the frames")
        if self._asked is not None:
            check_never_asked(chain.olabels, self._asked, "the frames")
        self._frames.append(penalties.clone())
        if self.length + count > self._room.frames or classes != self._room.classes:
            self._room = self._room.for_frames(max(2 * self.length, self.length + count), classes)
            self._search.lengthen(self._room.frames + 1)
        self._room.fill(self.length, values)
        self.length += count
        # Where the last frame ends tokens wait: what may follow there is known with the next.
        self._search.advance(self._room.writer, *self._room.nodes(self.length), more=True)
        self._cascade.check(self._search)

    def graph(self, *, finished: bool = True) -> Graph:
        """Return the interpretation graph of all frames so far: O(all that was followed in them).

        Differentiable in the frames and in the penalties of the readers; a connected graph, whose
        ``sources`` are arcs of the frames and of each reader.

        Args:
            finished: with False, a path may stop wherever the readers stand, at no penalty: what
                is read before its end has come.
        """
        search = self._search.copy()
        search.advance(self._room.writer, *self._room.nodes(self.length + 1))
        chain, cascade = self._chain(), self._cascade if finished else self._open
        cascade = replace(
            cascade,
            graphs=[chain, *cascade.graphs[1:]],
            written=[chain.olabels, *cascade.written[1:]],
        )
        return cascade.product(search).graph(cascade.graphs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how to make a copy: what is searched in has views of what it is filled by."""
        made_with = self._readers, self._failure, self._beam, self._max_active
        return _again, (*made_with, self._frames)

    def _chain(self) -> Graph:
        """Return the graph of all frames so far."""
        frames = torch.cat(self._frames) if self._frames else torch.empty(0, 0)
        return linear(frames, symbols=self._readers[0].isymbols)

    @cached_property
    def _open(self) -> Cascade:
        """The same cascade, in which every node of a reader is final."""
        readers = [_final_everywhere(reader) for reader in self._readers]
        return Cascade.of([self._chain(), *readers], "match", self._failure)


class _Room:
    """The chain of frames as a search sees it, with room for more frames than there are."""

    def __init__(self, frames: int, classes: int) -> None:
        self.frames, self.classes = frames, classes
        self._penalties = np.empty((frames, classes))
        self._alive = np.zeros(frames + 1, dtype=np.bool_)
        self._alive[0] = True
        self._nodes = frozen(np.arange(frames + 1, dtype=np.int32))
        arcs = frames * classes
        offsets = np.minimum(np.arange(frames + 2) * classes, arcs)
        self.writer = Writer(
            frozen(offsets.astype(np.int32)),
            frozen(np.arange(arcs, dtype=np.int32)),
            frozen(np.tile(np.arange(classes, dtype=np.int32), frames)),
            frozen(np.repeat(np.arange(1, frames + 1, dtype=np.int32), classes)),
            frozen(self._alive.view()),
            frozen(np.full(frames + 1, -1, dtype=np.int32)),
            frozen(self._penalties.reshape(-1)),
        )

    def nodes(self, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the first nodes in order, and their offsets."""
        return self._nodes[:count], frozen(np.array([0, count], dtype=np.int32))

    def fill(self, first: int, values: NDArray[np.float64]) -> None:
        """Put penalties ``[T, C]`` of frames from the first on."""
        self._penalties[first : first + len(values)] = values
        self._alive[first + 1 : first + 1 + len(values)] = True

    def for_frames(self, frames: int, classes: int) -> _Room:
        """Return more room, with the frames that are here."""
        larger = _Room(frames, classes)
        if self.frames:
            known = np.flatnonzero(self._alive)[-1]
            larger.fill(0, self._penalties[:known])
        return larger


def _again(
    readers: Sequence[Graph],
    failure: int | str | None,
    beam: float,
    max_active: int | None,
    frames: Sequence[torch.Tensor],
) -> PrunedStream:
    """Return a stream with all frames read."""
    stream = PrunedStream(readers, failure=failure, beam=beam, max_active=max_active)
    for piece in frames:
        stream.add(piece)
    return stream


def _final_everywhere(graph: Graph) -> Graph:
    """Return the graph with all nodes final, at no penalty."""
    every = np.arange(graph.num_nodes, dtype=np.int32)
    return graph._with(topology=graph.topology.ending(every), final_penalties=None)
