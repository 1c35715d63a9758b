"""The reader of whole checks: T_field, then the reader of fields on every candidate (Fig. 33).

The candidates compete in one interpretation graph: the field graph, with each arc replaced by the
recognition graph of its field, composed with the grammar. So the posterior of an amount is summed
over the fields that may hold it, and over all ways to read them.
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
"""Checkpoint format of readers of whole checks."""

SHIPPED_WHOLE = WEIGHTS / "whole-checks.safetensors"
"""The shipped reader of whole checks."""

VIEWS = 5
"""Versions of each field to read, by default."""

PATHS = 12
"""Number of paths of the field graph to read: those of least penalty."""

WITHIN = 10.0
"""Paths of the field graph further than this many nats behind the likeliest are not read."""

BEAM = 14.0
"""Readings of a check further than this many nats behind the best are dropped."""

WIDTHS = 96
"""Lines are padded to a multiple of this many pixels."""

POINT = "."
"""What separates the dollars and the cents of two fields."""


@dataclass(frozen=True)
class Prepared:
    """A located check: its likeliest candidates, and the prepared input of each field."""

    fields: LocatedFields
    pictures: tuple[Any, ...]


class WholeReader(nn.Module):
    """Reads whole checks: :class:`recognizers.fields.FieldPenalty` and a reader of fields.

    Args:
        reader: reads each candidate, with any recognizer and grammar; by default a new reader of
            dollars and cents that is swept over the fields.
        paths: number of paths of the field graph to read.
        threshold: lowest confidence of an accepted reading.
        views: versions of each field to read
            (:func:`demos.checks.reading.views.variant`); their posteriors are averaged.

    The penalties of a swept recognizer are normalised to probabilities in each column, so that
    fields of different widths can compete: a field is then as likely as the share of its readings
    that are amounts. Penalties of segments are not normalised (section VI-E). A factor on the
    recognizer's penalties and a penalty per field are learned.

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
        """Return the candidates to read: those on the likeliest paths."""
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

        After the dollars of a pair, an arc reads the point if the grammar has one.
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
        """Return one graph of all readings of a check within the beam."""
        decoder = self.decoder if decoder is None else decoder
        return gtn.compose(self.recognition_graph(check, decoder), decoder, beam=BEAM)

    def writes(self, text: str) -> str:
        """Return an amount as the reader's grammar writes it: without the point if that has none.

        >>> WholeReader().writes("1250.60")
        '1250.60'
        """
        return text if POINT in (self.reader.rules.graph.osymbols or ()) else text.replace(".", "")

    @torch.no_grad()
    def read_located(self, checks: Sequence[LocatedFields]) -> list[Reading]:
        """Read checks whose candidates are all known: read the likeliest of each."""
        return self.read_prepared([self.chosen(found) for found in checks])

    @torch.no_grad()
    def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
        """Read checks, uint8 ``[H, W]`` each, 255 white."""
        return self.read_located([locate_fields(image) for image in images])

    @torch.no_grad()
    def read_prepared(self, checks: Sequence[Prepared]) -> list[Reading]:
        """Read checks that are already prepared."""
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
        """Return the likeliest texts of checks with posteriors; none for a check without fields."""
        decoder = self.decoder
        graphs = [self.interpretation_graph(one, decoder) for one in checks if one.pictures]
        each = iter(texts_of(gtn.GraphBatch.from_graphs(graphs)) if graphs else [])
        return [next(each) if one.pictures else {} for one in checks]

    def _varied(self, check: Prepared, number: int) -> Prepared:
        """Return a check with each field varied as if another hand had written it."""
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
            CheckpointError: the checkpoint is unusable; names the file and what does not fit.
        """
        tensors, about = load_checkpoint(path, kind=KIND)
        missing = {"grammar", "recognizer", "threshold", "paths", "views"} - about.keys()
        if missing:
            raise CheckpointError(f"{path}: not a reader: {', '.join(sorted(missing))} is missing")

        def build() -> WholeReader:
            fields = CheckReader(about["grammar"], about["recognizer"])
            paths, views = about["paths"], about["views"]
            return cls(fields, paths=paths, threshold=about["threshold"], views=views)

        reader = restored(build, tensors, path)
        reader.report = about.get("report", {})
        return reader


def prepare_check(fields: LocatedFields, reader: CheckReader) -> Prepared:
    """Return candidates, each prepared for the recognizer of a reader.

    Lines are padded with paper on both sides to a few widths, so that many are swept at once.
    """
    pictures = [reader.recognize.prepare(image) for image in fields.images]
    if isinstance(reader.recognize, LineReading):
        pictures = [_widened(line) for line in pictures]
    return Prepared(fields, tuple(pictures))


def _widened(line: np.ndarray) -> np.ndarray:
    room = -line.shape[1] % WIDTHS
    return np.pad(line, ((0, 0), (room // 2, room - room // 2)))
