"""Reading whole lines: a network swept over the field, character models, the grammar (section VII).

Nothing is cut: the network classifies every column, the character models define which sequences of
classes are characters, and the grammar which characters make an amount. The emissions are composed
frame by frame with the composition of models and grammar, so the product graph is built only around
what is likely.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

import gtn
from demos.checks.reading.texts import CANDIDATES, Texts, posteriors_of
from grammars.characters import character_models
from recognizers.lines.images import as_batch, normalise_line

__all__ = ["LineReading", "decoded", "edges", "equally_wide", "likely"]

LIKELY = 12.0
"""Nats behind the best class of its column within which a class enters the list of texts."""

MOST = 32
"""Most fields in one batch of the network."""


STEP = 4
"""Pixels between columns of outputs, in all networks that sweep lines."""


class LineReading(nn.Module):
    """Read lines.

    Args:
        network: ``[B, 1, H, W]`` to penalties ``[B, T, C]``.
        symbols: the text of the C classes, the last of which is the blank.
    """

    prepare = staticmethod(normalise_line)
    """Prepare a picture for :meth:`texts`."""

    views = 5
    """Versions of a field to read: unfamiliar hands are mostly read right in some of them."""

    together = 256
    """Fields best read at once: among this many, many have the same width."""

    def __init__(self, network: nn.Module, symbols: gtn.SymbolTable) -> None:
        super().__init__()
        self.network = network
        self.symbols = symbols
        characters = "".join(list(symbols)[:-1])
        self.models = gtn.nn.Learned(character_models(characters, touch=0.0))
        self._plan: tuple[gtn.Graph, gtn.ComposePlan] | None = None

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        """Return the emissions ``[B, T, C]`` of lines ``[B, 1, H, W]``: penalties in nats."""
        emissions: torch.Tensor = self.network(lines)
        return emissions

    def decoder(self, grammar: gtn.Graph) -> gtn.Graph:
        """Return the transducer from a class per column to texts: models, then grammar."""
        models = self.models()
        if self._plan is None or self._plan[0].topology is not grammar.topology:
            assert models.osymbols is not None
            assert grammar.isymbols is not None
            relabel = models.osymbols.merge(grammar.isymbols)[1]
            plan = gtn.ComposePlan(models.topology, grammar.topology, relabel=relabel)
            self._plan = grammar, plan
        return self._plan[1](models, grammar)

    def texts(
        self, lines: Sequence[np.ndarray], grammar: gtn.Graph, count: int = CANDIDATES
    ) -> list[Texts]:
        """Return the ``count`` likeliest texts of each field and their posteriors.

        A field without ink has none.
        """
        found: list[Texts] = [{} for _ in lines]
        decoder = self.decoder(grammar).double()
        for places in equally_wide(lines):
            emissions = self(as_batch([lines[i] for i in places])).double()
            for i, texts in zip(places, decoded(emissions, decoder, count), strict=True):
                found[i] = texts
        return found


def edges(columns: int, wide: int, step: int = STEP) -> np.ndarray:
    """Return where the columns of outputs begin and end in a line, in its pixels: ``[T + 1]``.

    The columns are ``step`` pixels wide and centred on the line; a network swept without padding
    has slightly fewer of them than fit the line.

    >>> edges(2, 16).tolist()
    [4.0, 8.0, 12.0]
    """
    return 0.5 * wide + step * (np.arange(columns + 1) - 0.5 * columns)


def equally_wide(lines: Sequence[np.ndarray], most: int = MOST) -> list[list[int]]:
    """Return the indices of the lines with ink, in groups of equal width of at most ``most``.

    A line is thus read the same whatever lines are read with it.

    >>> equally_wide([np.ones((2, 3)), np.zeros((2, 3)), np.ones((2, 5)), np.ones((2, 3))])
    [[0, 3], [2]]
    """
    groups: dict[int, list[int]] = {}
    for i, line in enumerate(lines):
        if line.any():
            groups.setdefault(line.shape[1], []).append(i)
    return [group[i : i + most] for group in groups.values() for i in range(0, len(group), most)]


def decoded(emissions: torch.Tensor, decoder: gtn.Graph, count: int = CANDIDATES) -> list[Texts]:
    """Return the ``count`` likeliest texts of emissions ``[B, T, C]`` and their posteriors."""
    lattices = gtn.compose(likely(emissions, decoder), decoder, beam=LIKELY)
    found = [gtn.path_text(p) for p in gtn.n_best(lattices, count, distinct=True)]

    def spelled(owners: list[int], texts: list[str]) -> torch.Tensor:
        strings = gtn.strings(texts, symbols=decoder.osymbols).double()
        return gtn.dense.forward_penalty(emissions[owners], gtn.compose(decoder, strings))

    return posteriors_of(found, spelled, gtn.dense.forward_penalty(emissions, decoder))


def likely(emissions: torch.Tensor, decoder: gtn.Graph) -> gtn.GraphBatch:
    """Return a batch of chains, one arc per column and likely class."""
    count, columns, _ = emissions.shape
    gap = emissions - emissions.amin(dim=2, keepdim=True)
    field, column, label = torch.nonzero(gap <= LIKELY, as_tuple=True)
    begins = np.arange(count, dtype=np.int32) * (columns + 1)
    src = (field * (columns + 1) + column).numpy().astype(np.int32)
    arcs = np.bincount(field.numpy(), minlength=count)
    topology = gtn.Topology(
        count * (columns + 1),
        src,
        src + 1,
        label.numpy().astype(np.int32),
        starts=begins,
        finals=begins + columns,
        node_offsets=np.append(begins, count * (columns + 1)),
        arc_offsets=np.append(0, np.cumsum(arcs)),
    )
    nothing = emissions.new_zeros(count)
    return gtn.GraphBatch(
        topology,
        emissions[field, column, label],
        start_penalties=nothing,
        final_penalties=nothing,
        isymbols=decoder.isymbols,
        osymbols=decoder.isymbols,
    )
