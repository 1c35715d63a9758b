"""Decoding: what a recognizer saw, as the likeliest words of a lexicon (paper, section IX).

A beam search goes through a recognition graph (or a network's outputs, frame by frame), character
models, a lexicon and a language model together, without building their composition.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from gtn.batch import GraphBatch
from gtn.beam import checked_beam, pruned
from gtn.composition import compose
from gtn.construction import linear
from gtn.errors import GraphError
from gtn.graph import Graph, check_graph
from gtn.paths import path_labels
from gtn.paths.ranking import n_best
from gtn.product.failure import check_left, failure_label
from gtn.rational import project
from gtn.scoring import forward_penalty
from gtn.streaming import PrunedStream
from gtn.symbols import BACK_OFF, SymbolTable, count_classes
from gtn.tensors import Lengths, as_index, checked_lengths
from gtn.texts import strings

__all__ = ["Decoder", "DecodingStream", "Reading"]


BEAM = 12.0
"""Of decoders, in nats, unless another is given."""


class Reading(NamedTuple):
    """One possible text, with its penalties.

    Attributes:
        text: what was read.
        penalty: penalty of its best path, in nats.
        forward: forward penalty of all its paths within the beam, in nats.
        posterior: its share of all paths within the beam: exp(-E_dforw) of eq. 17.
    """

    text: str
    penalty: float
    forward: float
    posterior: float


@dataclass(frozen=True)
class Decoder:
    """Reads recognition graphs with a lexicon, character models and a language model.

    Each graph reads what the one before it writes: first the recognition graph, then the readers
    in order. The last reader writes the reading: letters or words.

    Attributes:
        readers: at least one graph: character models, a lexicon, an n-gram grammar. Character
            models and a lexicon are faster composed into one, see :meth:`of`.
        failure: symbol of the failure arcs of the last reader, unless it is ``gtn.BACK_OFF``.
        beam: in nats; tokens further behind the best at the same place are dropped.
        max_active: most tokens followed at one place.
        separator: put between the written symbols in the text of a reading.

    Raises:
        GraphError: no reader; a reader that is a batch or has no path; a wrong beam; failure arcs
            in a reader other than the last.
        SymbolError: a failure symbol that the last reader lacks.

    >>> import gtn
    >>> from grammars.lexicon import lexicon
    >>> decoder = Decoder.of(lexicon(["cap", "cat", "cut"]), beam=8.0)
    >>> recognized = gtn.Graph.from_arcs(
    ...     [(0, 1, "c", 0.4), (0, 1, "o", 1.0), (0, 1, "d", 1.8),
    ...      (1, 2, "a", 0.2), (1, 2, "u", 0.8), (1, 2, "x", 0.1),
    ...      (2, 3, "p", 0.2), (2, 3, "t", 0.8)], final=3)
    >>> [(r.text, round(r.penalty, 3), round(r.posterior, 3)) for r in decoder.read(recognized)]
    [('cap', 0.8, 0.541), ('cat', 1.4, 0.297), ('cut', 2.0, 0.163)]
    """

    readers: tuple[Graph, ...]
    failure: str | int | None = None
    beam: float = BEAM
    max_active: int | None = None
    separator: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.readers, Graph):
            raise GraphError("readers are a tuple of graphs; of one it is (graph,)")
        check_graph(*self.readers)
        if not self.readers:
            raise GraphError("a decoder needs at least one graph to read with: a lexicon")
        for i, reader in enumerate(self.readers):
            if reader.topology.is_batch:
                raise GraphError(f"reader {i} is a batch; a decoder reads with single graphs")
            if reader.num_nodes == 0:
                raise GraphError(f"reader {i} has no path: nothing can be read with it")
        checked_beam(self.beam, self.max_active)
        for i, reader in enumerate(self.readers[:-1]):
            check_left(reader, f"reader {i}")
        failure_label(self.readers[-1], self.failure)

    @classmethod
    def of(
        cls,
        lexicon: Graph,
        grammar: Graph | None = None,
        *,
        models: Graph | None = None,
        failure: str | int | None = None,
        beam: float = BEAM,
        max_active: int | None = None,
        separator: str = "",
    ) -> Decoder:
        """Return a decoder with a lexicon and, if given, character models and a grammar.

        The models are composed with the lexicon once, here. The result has a few times the
        lexicon's arcs, but the search then tries only these for a token, not every class of the
        models. Arc data of the graphs is dropped. Gradients reach learned penalties of any of the
        graphs, but their values are taken now: while they learn, make a new decoder at each step.

        Args:
            lexicon: from letters to letters or words.
            grammar: reads what the lexicon writes, such as :meth:`grammars.ngram.NGrams.graph`.
            models: from the classes of a recognizer to letters, such as
                :func:`grammars.characters.character_models`.
            failure, beam, max_active, separator: as the attributes.

        Raises:
            GraphError: a lexicon that is not a graph, or of which the models can write no word.
        """
        if not isinstance(lexicon, Graph):
            raise GraphError(
                f"the lexicon of a decoder is a graph, not {type(lexicon).__name__}; "
                "grammars.lexicon.lexicon makes one of words"
            )
        first = lexicon if models is None else compose(models, lexicon)
        if first.num_nodes == 0 and models is not None:
            raise GraphError(
                f"the models write nothing that the lexicon reads: {models.osymbols!r} against "
                f"{lexicon.isymbols!r}"
            )
        graphs = (first,) if grammar is None else (first, grammar)
        # In the dtype of a search, so that no search has to convert them again.
        readers = tuple(_plain(graph).double() for graph in graphs)
        return cls(readers, failure, beam, max_active, separator)

    def with_beam(self, beam: float, max_active: int | None = None) -> Decoder:
        """Return the same decoder with another beam."""
        return replace(self, beam=beam, max_active=max_active)

    def search(self, recognized: Graph | torch.Tensor) -> Graph:
        """Return the interpretation graph: all paths within the beam.

        Time and memory depend on the tokens followed, not on the size of the readers. The result
        is differentiable in the penalties of ``recognized`` and of the readers.

        Args:
            recognized: a recognition graph, or batch; or penalties ``[T, C]`` of C classes in T
                frames.

        Raises:
            GraphError: as :func:`gtn.beam.pruned`; an input that is neither graph nor tensor; a
                tensor with more or fewer classes than the first reader reads.
        """
        if isinstance(recognized, torch.Tensor):
            self._check_frames(recognized)
            recognized = linear(recognized, symbols=self.readers[0].isymbols)
        if not isinstance(recognized, Graph):
            raise GraphError(
                "what is read is a recognition graph or a torch.Tensor of penalties [T, C], not "
                f"{type(recognized).__name__}"
            )
        return pruned(
            [recognized, *self.readers],
            failure=self.failure,
            beam=self.beam,
            max_active=self.max_active,
        )

    def read(
        self, recognized: Graph | torch.Tensor, count: int = 5, *, candidates: int | None = None
    ) -> list[Reading]:
        """Return the likeliest readings, most probable first; none if the beam loses every path.

        The candidates are the readings with the best paths. They are ordered by the forward
        penalty of all their paths within the beam.

        Args:
            recognized: as in :meth:`search`; a single graph.
            count: how many readings.
            candidates: how many candidates; ``4 * count`` unless given.

        Raises:
            GraphError: a count below one; a batch; otherwise as :meth:`search`.
        """
        if isinstance(recognized, GraphBatch):
            raise GraphError("one graph is read at a time; batch[i] is one of a batch")
        with torch.no_grad():
            return self._readings(self.search(recognized), count, candidates)

    def read_all(
        self,
        recognized: Iterable[Graph | torch.Tensor] | torch.Tensor,
        count: int = 1,
        *,
        lengths: Lengths = None,
    ) -> list[list[Reading]]:
        """Return the readings of several graphs, one after the other.

        Args:
            recognized: each as in :meth:`read`; or penalties ``[B, T, C]``.
            count: how many readings of each.
            lengths: for penalties ``[B, T, C]``, the frames of each, ``[B]``; all T unless given.

        Raises:
            GraphError: as :meth:`read`; lengths without such a tensor, or that do not fit it.
        """
        if lengths is not None:
            if not isinstance(recognized, torch.Tensor) or recognized.ndim != 3:
                raise GraphError("lengths are those of one tensor of penalties [B, T, C]")
            frames = checked_lengths(lengths, *recognized.shape[:2])
            recognized = [one[:n] for one, n in zip(recognized, frames.tolist())]
        return [self.read(one, count) for one in recognized]

    def stream(self) -> DecodingStream:
        """Return a stream, which reads frames as they come."""
        return DecodingStream(self)

    def _readings(self, found: Graph, count: int, candidates: int | None) -> list[Reading]:
        """Return the likeliest readings of an interpretation graph, as :meth:`read` does."""
        most = _checked_counts(count, candidates)
        found = _plain(found).double()
        if found.num_nodes == 0:
            return []
        paths = n_best(found, most, distinct="output")
        assert isinstance(paths, GraphBatch)
        if not len(paths):
            return []
        labels = path_labels(paths)
        total = forward_penalty(found)
        spelled = strings(labels, symbols=found.osymbols, dtype=torch.float64)
        each = forward_penalty(compose(project(found, "output"), spelled))
        best = torch.zeros(len(paths), dtype=torch.float64)
        best.index_add_(0, as_index(paths.topology.arc_graph), paths.penalties)
        best += paths.start_penalties + paths.final_penalties
        penalties, forwards = best.tolist(), each.tolist()
        posteriors = torch.exp(total - each).tolist()
        likeliest = sorted(range(len(labels)), key=forwards.__getitem__)[:count]
        return [
            Reading(self._text(found.osymbols, labels[i]), penalties[i], forwards[i], posteriors[i])
            for i in likeliest
        ]

    def _check_frames(self, penalties: torch.Tensor) -> None:
        """Check that penalties are ``[T, C]`` of the classes that the first reader reads."""
        if penalties.ndim != 2:
            batch = (
                "; read_all takes [B, T, C], and search the batch that gtn.linear(penalties, "
                "symbols=decoder.readers[0].isymbols, lengths=lengths) makes of them"
            )
            more = batch if penalties.ndim == 3 else ""
            raise GraphError(f"penalties must be [T, C], not {list(penalties.shape)}{more}")
        symbols = self.readers[0].isymbols
        if symbols is None:
            return
        # The label of failure arcs is not a class.
        classes = count_classes(
            symbols, (BACK_OFF, self.failure) if len(self.readers) == 1 else (BACK_OFF,)
        )
        if penalties.shape[1] != classes:
            raise GraphError(f"penalties of {penalties.shape[1]} classes, but {classes} are read")

    def _text(self, table: SymbolTable | None, labels: Sequence[int]) -> str:
        if table is None:
            return self.separator.join(str(label) for label in labels)
        return self.separator.join(table.decode(labels))


class DecodingStream:
    """Reads the frames of a network as they come, piece by piece: :meth:`Decoder.stream`.

    After each piece, its readings are exactly those that the decoder gives for all frames so far
    at once; a piece costs only the search through its own frames. Memory grows with the tokens
    followed: begin a new stream where a text ends or, if it does not end, :meth:`settle` now and
    then.

    Args:
        decoder: gives the readers, the beam and the separator.

    >>> from grammars.lexicon import lexicon
    >>> stream = Decoder.of(lexicon(["cat", "cut"])).stream()
    >>> letters = -torch.eye(4).log_softmax(dim=1)  # a, c, t, u
    >>> stream.add(letters[[1, 0]])
    >>> stream.read()
    []
    >>> stream.read(finished=False)[0].text
    'ca'
    >>> stream.add(letters[[2]])
    >>> [reading.text for reading in stream.read()]
    ['cat', 'cut']
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._stream = PrunedStream(
            decoder.readers,
            failure=decoder.failure,
            beam=decoder.beam,
            max_active=decoder.max_active,
        )

    @property
    def length(self) -> int:
        """How many frames there are so far."""
        return self._stream.length

    @property
    def settled(self) -> int:
        """How many frames are settled."""
        return self._stream.settled

    def add(self, frames: torch.Tensor) -> None:
        """Read T further frames: penalties ``[T, C]`` of C classes.

        Raises:
            GraphError: as :meth:`Decoder.search`.
        """
        if isinstance(frames, torch.Tensor):
            self._decoder._check_frames(frames)
        self._stream.add(frames)

    def search(self, *, finished: bool = True) -> Graph:
        """Return the interpretation graph of all frames not settled: all paths within the beam.

        Args:
            finished: with False, also the beginnings of texts whose end is still to come: see
                :meth:`gtn.streaming.PrunedStream.graph`.
        """
        return self._stream.graph(finished=finished)

    def read(
        self, count: int = 5, *, candidates: int | None = None, finished: bool = True
    ) -> list[Reading]:
        """Return the likeliest readings of all frames not settled: O(tokens followed in them).

        Args:
            count, candidates: as in :meth:`Decoder.read`.
            finished: as in :meth:`search`.

        Raises:
            GraphError: a count below one.
        """
        with torch.no_grad():
            return self._decoder._readings(self.search(finished=finished), count, candidates)

    def settle(
        self, count: int = 1, *, candidates: int | None = None, beam: float = math.inf
    ) -> list[Reading]:
        """Return the likeliest readings of the part that later frames cannot change; forget it.

        This part ends at the last node that all paths share: see
        :meth:`gtn.streaming.PrunedStream.settle`. From then on :meth:`search` and :meth:`read`
        begin there, with frames ``settled`` to ``length``, and cost only as much. The settled part
        and what is read later are independent: to join a reading of each, concatenate the texts,
        add penalties and forward penalties, and multiply posteriors.

        Args:
            count, candidates: as in :meth:`Decoder.read`.
            beam: as in :meth:`gtn.streaming.PrunedStream.settle`: inf loses nothing; a smaller
                beam settles more, earlier, and keeps the best path.

        Returns:
            No reading if nothing is settled, or if nothing can be read any more. A reading with an
            empty text covers frames in which nothing is written.

        Raises:
            GraphError: a count below one, or a wrong beam; then nothing is settled, as where
                anything else is wrong with what is to be read.

        >>> from grammars.lexicon import lexicon
        >>> stream = Decoder.of(lexicon(["cat ", "cut "]).closure(), beam=6.0).stream()
        >>> letters = -10 * torch.eye(5) + 10  # space, a, c, t, u
        >>> stream.add(letters[[2, 1, 3, 0, 2]])
        >>> stream.settle()
        [Reading(text='cat c', penalty=0.0, forward=0.0, posterior=1.0)]
        >>> stream.add(letters[[4, 3, 0]])
        >>> stream.settled, [reading.text for reading in stream.read()]
        (5, ['ut '])
        """
        _checked_counts(count, candidates)  # before anything is forgotten
        with torch.no_grad():
            found, forget = self._stream.settling(beam=beam)
            readings = self._decoder._readings(found, count, candidates) if found.num_arcs else []
        forget()
        return readings


def _checked_counts(count: int, candidates: int | None) -> int:
    """Return how many candidates to look at for ``count`` readings.

    Raises:
        GraphError: a count below one.
    """
    for name, number in (("count", count), ("candidates", candidates)):
        if number is not None and operator.index(number) < 1:
            raise GraphError(f"{name}={number}; at least one can be asked for")
    return 4 * count if candidates is None else candidates


def _plain(graph: Graph) -> Graph:
    """Return a graph without data and sources, which a search does not need."""
    return Graph(
        graph.topology,
        graph.penalties,
        start_penalties=graph.start_penalties,
        final_penalties=graph.final_penalties,
        isymbols=graph.isymbols,
        osymbols=graph.osymbols,
        check=False,
    )
