"""The reader of whole checks: T_field, then the reader of fields on every candidate (Fig. 33).

The candidates compete: what all of them may say is one interpretation graph, the field graph with
each arc replaced by the recognition graph of its field, composed with the grammar. So the posterior
of an amount is summed over the fields that it may stand in, and over all ways to read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gtn
from demos.checkpoint import (
    WEIGHTS,
    CheckpointError,
    load_checkpoint,
    restored,
    save_checkpoint,
)
from demos.checks.reading.lines import LineReading, equally_wide, likely
from demos.checks.reading.reader import CheckReader, Reading
from demos.checks.reading.texts import Texts, texts_of
from demos.checks.reading.views import variant
from recognizers.fields import FieldPenalty, LocatedFields, field_graph, likeliest, locate_fields
from recognizers.fields.candidates import ROLES
from recognizers.lines.images import as_batch
from recognizers.segmentation.graph import segmentation_graph

__all__ = ["KIND", "SHIPPED_WHOLE", "Prepared", "WholeReader", "prepare_check"]

KIND = "graph-transformer-networks/whole-checks/1"
"""The kind of checkpoint that readers of whole checks are kept in."""

SHIPPED_WHOLE = WEIGHTS / "whole-checks.safetensors"
"""The reader of whole checks that comes with the package."""

VIEWS = 5
"""In how many versions the fields of a check are read, unless said otherwise."""

PATHS = 12
"""Paths of the field graph that are read: those of least penalty."""

WITHIN = 10.0
"""Nats behind the likeliest path at which a path of the field graph is not read."""

BEAM = 14.0
"""Nats behind the best at which a way to read a check is given up."""

WIDTHS = 96
"""Lines are made as wide as a multiple of so many pixels."""

POINT = "."
"""What stands between the dollars and the cents of two fields."""


@dataclass(frozen=True)
class Prepared:
    """A check located: its likeliest candidates, and of each field what the recognizer reads."""

    fields: LocatedFields
    pictures: tuple[Any, ...]


class WholeReader(nn.Module):
    """Reads whole checks: :class:`recognizers.fields.FieldPenalty` and a reader of fields.

    Args:
        reader: reads each candidate, by any recognizer and grammar; unless given, a new one of
            dollars and cents that is swept over the fields.
        paths: how many paths of the field graph are read.
        threshold: least confidence of an accepted reading.
        views: in how many versions the fields of a check are read
            (:func:`demos.checks.reading.views.variant`); posteriors are means over them.

    What is swept over a field says for each column what stands there; its penalties are made
    logarithms of shares, so that fields of different widths can compete: a field is then as
    likely as the share of all that it may say is an amount. Segments are not (section VI-E). A
    factor and a penalty per field are learned for what the recognizer says.

    >>> reader = WholeReader()
    >>> reader.read([np.full((200, 400), 255, np.uint8)])[0].text
    ''
    """

    def __init__(
        self,
        reader: CheckReader | None = None,
        *,
        paths: int = PATHS,
        threshold: float = 0.5,
        views: int = VIEWS,
    ) -> None:
        super().__init__()
        self.reader = reader or CheckReader("amounts", "sdnn")
        self.field_penalty = FieldPenalty()
        self.scale = nn.Parameter(torch.ones(()))
        self.paths = paths
        self.threshold = threshold
        self.views = views
        self.report: dict[str, Any] = {}

    def chosen(self, found: LocatedFields) -> Prepared:
        """Return the candidates that are read, those of the likeliest paths."""
        best = likeliest(found, self.penalties(found), self.paths, WITHIN)
        return prepare_check(best, self.reader)

    def penalties(self, found: LocatedFields) -> torch.Tensor:
        """Return the field penalties ``[N]`` of candidates, in nats."""
        features, roles = torch.from_numpy(found.features), torch.from_numpy(found.roles)
        penalties: torch.Tensor = self.field_penalty(features, roles)
        return penalties

    @property
    def decoder(self) -> gtn.Graph:
        """The transducer from the recognizer's classes to texts."""
        grammar = self.reader.grammar()
        recognize = self.reader.recognize
        return recognize.decoder(grammar) if isinstance(recognize, LineReading) else grammar

    def recognition_graphs(self, pictures: Sequence[Any], decoder: gtn.Graph) -> gtn.GraphBatch:
        """Return a recognition graph for each picture of a field."""
        recognize = self.reader.recognize
        if isinstance(recognize, LineReading):
            found: dict[int, gtn.Graph] = {}
            for places in equally_wide(pictures):
                emissions = recognize(as_batch([pictures[i] for i in places]))
                shares = -torch.log_softmax(-emissions.float(), dim=2) * self.scale
                chains = likely(shares, decoder)
                found |= {place: chains[k] for k, place in enumerate(places)}
            nothing = gtn.empty(symbols=decoder.isymbols)
            return gtn.GraphBatch.from_graphs([found.get(i, nothing) for i in range(len(pictures))])
        graphs = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in pictures])
        read = recognize(graphs.without_data("box"))
        assert isinstance(read, gtn.GraphBatch)
        return read.with_penalties(read.penalties * self.scale).without_data()

    def recognition_graph(self, check: Prepared, decoder: gtn.Graph) -> gtn.Graph:
        """Return the field graph of a check with every field read: T_field, T_seg, T_rec.

        Behind the dollars of a pair stands an arc that reads the point, if the grammar has one.
        """
        graph = field_graph(check.fields, self.penalties(check.fields))
        fields = graph.data["field"].tolist()
        return gtn.replace(graph, self._read(check, fields, decoder))

    def _read(self, check: Prepared, fields: list[int], decoder: gtn.Graph) -> gtn.GraphBatch:
        each = self.recognition_graphs(check.pictures, decoder)
        table = decoder.isymbols
        assert table is not None
        pointed = POINT in table
        behind = [
            gtn.string(POINT if pointed and ROLES[role] == "dollars" else "", symbols=table)
            for role in check.fields.roles[fields]
        ]
        chosen = gtn.GraphBatch.from_graphs([each[i] for i in fields])
        joined = gtn.concat(chosen, gtn.GraphBatch.from_graphs(behind))
        assert isinstance(joined, gtn.GraphBatch)
        return joined

    def interpretation_graph(self, check: Prepared, decoder: gtn.Graph | None = None) -> gtn.Graph:
        """Return all that a check may say, as one graph, as far as a beam keeps it."""
        decoder = self.decoder if decoder is None else decoder
        return gtn.compose(self.recognition_graph(check, decoder), decoder, beam=BEAM)

    def writes(self, text: str) -> str:
        """Return an amount as the reader's grammar writes it: without the point, if it has none.

        >>> WholeReader().writes("1250.60")
        '1250.60'
        """
        return text if POINT in (self.reader.rules.graph.osymbols or ()) else text.replace(".", "")

    @torch.no_grad()
    def read_located(self, checks: Sequence[LocatedFields]) -> list[Reading]:
        """Read checks of which all candidates are known: the likeliest of each."""
        return self.read_prepared([self.chosen(found) for found in checks])

    @torch.no_grad()
    def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
        """Read checks, uint8 ``[H, W]`` each, 255 white."""
        return self.read_located([locate_fields(image) for image in images])

    @torch.no_grad()
    def read_prepared(self, checks: Sequence[Prepared]) -> list[Reading]:
        """Read checks that are located already."""
        found = [[texts] for texts in self.texts(checks)]
        for number in range(self.views - 1):
            others = [self._varied(check, number) for check in checks]
            for one, texts in zip(found, self.texts(others), strict=True):
                one.append(texts)
        readings = [self.reader.reading(texts) for texts in found]
        return [
            Reading(r.text, r.confidence, r.confidence >= self.threshold, r.alternatives)
            for r in readings
        ]

    @torch.no_grad()
    def texts(self, checks: Sequence[Prepared]) -> list[Texts]:
        """Return the likeliest texts of checks and their posteriors; none of one without fields."""
        decoder = self.decoder
        graphs = [self.interpretation_graph(one, decoder) for one in checks if one.pictures]
        each = iter(texts_of(gtn.GraphBatch.from_graphs(graphs)) if graphs else [])
        return [next(each) if one.pictures else {} for one in checks]

    def _varied(self, check: Prepared, number: int) -> Prepared:
        """Return a check with each field as another hand might have written it."""
        rng = np.random.default_rng
        images = tuple(variant(image, rng(number)) for image in check.fields.images)
        return prepare_check(replace(check.fields, images=images), self.reader)

    def save(self, path: str | Path) -> None:
        """Write the reader as one safetensors file."""
        about = {
            "grammar": self.reader.rules.name,
            "recognizer": self.reader.recognizer,
            "threshold": self.threshold,
            "paths": self.paths,
            "views": self.views,
            "report": self.report,
        }
        save_checkpoint(path, dict(self.state_dict()), about, kind=KIND)

    @classmethod
    def load(cls, path: str | Path) -> WholeReader:
        """Return the reader of a checkpoint.

        Raises:
            CheckpointError: naming the file, and what does not fit.
        """
        tensors, about = load_checkpoint(path, kind=KIND)
        missing = {"grammar", "recognizer", "threshold", "paths", "views"} - about.keys()
        if missing:
            raise CheckpointError(f"{path}: no reader, {', '.join(sorted(missing))} is missing")

        def build() -> WholeReader:
            fields = CheckReader(about["grammar"], about["recognizer"])
            paths, views = about["paths"], about["views"]
            return cls(fields, paths=paths, threshold=about["threshold"], views=views)

        reader = restored(build, tensors, path)
        reader.report = about.get("report", {})
        return reader


def prepare_check(fields: LocatedFields, reader: CheckReader) -> Prepared:
    """Return candidates with what the recognizer of a reader reads of each.

    Lines get paper on both sides up to one of a few widths, so that many are swept at once.
    """
    pictures = [reader.recognize.prepare(image) for image in fields.images]
    if isinstance(reader.recognize, LineReading):
        pictures = [_widened(line) for line in pictures]
    return Prepared(fields, tuple(pictures))


def _widened(line: np.ndarray) -> np.ndarray:
    room = -line.shape[1] % WIDTHS
    return np.pad(line, ((0, 0), (room // 2, room - room // 2)))
