"""The reader of fields: recognition, composition with the grammar, the likeliest texts.

``T_seg -> T_rec -> T_gram -> T_vit`` of the paper's Fig. 33 for one amount field, or a network
swept over it in place of the first two (section VII).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from demos.checks.choices import SHIPPED
from demos.checks.reading.networks import reading_by
from demos.checks.reading.texts import Texts, mean, scaled
from demos.checks.reading.views import Views
from grammars import named
from recognizers.folding import folded

__all__ = ["CheckReader", "Reading", "shipped_checkpoint"]

ALTERNATIVES = 5
"""Most texts in one reading."""


@dataclass(frozen=True)
class Reading:
    """The reading of a field.

    Attributes:
        text: the most probable text; empty where no path exists (no ink).
        confidence: its posterior, exp(-E_dforw), the share of the mass of all paths that spells it;
            averaged over the views of the field, and scaled by the reader's calibration.
        accepted: whether the confidence reaches the reader's threshold.
        alternatives: the best texts with their posteriors, best first, ``text`` among them.
    """

    text: str
    confidence: float
    accepted: bool
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass
class Training:
    """What a checkpoint records of its training."""

    seen: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


class CheckReader(nn.Module):
    """Reads amount fields under a grammar.

    Args:
        grammar: a name that :func:`grammars.named` knows.
        recognizer: one of :data:`demos.checks.choices.RECOGNIZERS`; its classes are those of
            the grammar.
        threshold: lowest confidence of an accepted reading.
        views: versions of a field to read (:class:`demos.checks.reading.views.Views`); by
            default as many as suit the recognizer.
        scale: factor on the penalties of texts before they become posteriors
            (:func:`demos.checks.measuring.calibration.calibrate`).

    >>> reader = CheckReader("car")
    >>> blank = np.full((40, 100), 255, np.uint8)
    >>> reader.read([blank])[0]
    Reading(text='', confidence=0.0, accepted=False, alternatives=())
    """

    def __init__(
        self,
        grammar: str = "car",
        recognizer: str = SHIPPED,
        *,
        threshold: float = 0.5,
        views: int | None = None,
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.rules = named(grammar)
        self.recognizer = recognizer
        generator = torch.Generator().manual_seed(seed)
        self.recognize = reading_by(recognizer, self.rules.characters, generator)
        self.grammar = gtn.nn.Learned(self.rules.graph)
        self.threshold = threshold
        self.views = self.recognize.views if views is None else views
        self.scale = scale
        self.training_facts = Training()

    @torch.no_grad()
    def begin_with(self, other: CheckReader) -> None:
        """Take over what another reader has learned.

        With the same grammar, that is everything; otherwise the parameters of the network, and in
        its last layer only the rows of the classes that both have.

        Raises:
            ValueError: another recognizer.
        """
        if other.recognizer != self.recognizer:
            raise ValueError(
                f"a reader with the recognizer {self.recognizer} cannot begin with one with "
                f"{other.recognizer}"
            )
        if other.rules.name == self.rules.name:
            self.load_state_dict(other.state_dict())
            return
        ours, theirs = (one.recognize.state_dict() for one in (self, other))
        table = {c: i for i, c in enumerate(other.recognize.symbols)}
        rows = [(i, table[c]) for i, c in enumerate(self.recognize.symbols) if c in table]
        to, source = (torch.tensor(side) for side in zip(*rows, strict=True))
        # Adding a class lengthens exactly the parameters that have a row per class.
        wider = reading_by(self.recognizer, self.rules.characters + "\0", torch.Generator())
        for name, value in wider.state_dict().items():
            if not name.startswith("network."):
                continue
            if value.shape == ours[name].shape:
                ours[name].copy_(theirs[name])
            else:
                ours[name].index_copy_(0, to, theirs[name].index_select(0, source))

    @torch.no_grad()
    def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
        """Read grey-level fields, ``uint8 [H, W]`` each."""
        prepare = self.recognize.prepare
        return self.read_prepared([Views(image, prepare, self.views) for image in images])

    @torch.no_grad()
    def read_prepared(self, fields: Sequence[Sequence[Any]]) -> list[Reading]:
        """Read prepared fields, each in several views, as one batch."""
        return [self.reading([texts]) for texts in self.texts(fields)]

    @torch.no_grad()
    def texts(self, fields: Sequence[Sequence[Any]]) -> list[Texts]:
        """Return the texts of prepared fields and their posteriors, averaged over the views.

        The views are read one after the other, each for all fields, so memory is that of one view.
        """
        grammar = self.grammar()
        found: list[list[Texts]] = [[] for _ in fields]
        for number in range(max(map(len, fields), default=0)):
            those = [i for i, one in enumerate(fields) if number < len(one)]
            views = self.recognize.texts([fields[i][number] for i in those], grammar)
            for i, texts in zip(those, views, strict=True):
                found[i].append(texts)
        return [mean(texts) for texts in found]

    def reading(self, found: Sequence[Texts]) -> Reading:
        """Return the reading of a field from the texts and posteriors of its views."""
        calibrated = scaled(mean(found), self.scale)
        ranked = sorted(calibrated.items(), key=lambda pair: -pair[1])[:ALTERNATIVES]
        if not ranked:
            return Reading("", 0.0, False)
        text, confidence = ranked[0]
        return Reading(text, confidence, confidence >= self.threshold, tuple(ranked))

    def for_reading(self) -> CheckReader:
        """Return a copy that reads the same, faster, and cannot be trained or saved."""
        return folded(self)

    def save(self, path: str | Path) -> None:
        """Write the reader as one safetensors file."""
        about = {
            "grammar": self.rules.name,
            "recognizer": self.recognizer,
            "threshold": self.threshold,
            "views": self.views,
            "scale": self.scale,
            "seen": sorted(self.training_facts.seen),
            "report": self.training_facts.report,
        }
        save_checkpoint(path, dict(self.state_dict()), about)

    @classmethod
    def load(cls, path: str | Path) -> CheckReader:
        """Return the reader of a checkpoint.

        Raises:
            CheckpointError: the checkpoint is unusable; the message names the file, and the tensors
                that do not fit if it has another architecture.
        """
        tensors, about = load_checkpoint(path)
        missing = {"grammar", "recognizer", "threshold", "views"} - about.keys()
        if missing:
            raise CheckpointError(f"{path}: not a reader: {', '.join(sorted(missing))} is missing")

        def build() -> CheckReader:
            return cls(
                about["grammar"],
                about["recognizer"],
                threshold=about["threshold"],
                views=about["views"],
                scale=about.get("scale", 1.0),
            )

        reader = restored(build, tensors, path)
        reader.training_facts = Training(about.get("seen", []), about.get("report", {}))
        return reader


def shipped_checkpoint(recognizer: str = SHIPPED) -> Path:
    """Return the path of the shipped checkpoint of a recognizer.

    Raises:
        CheckpointError: none is shipped for that recognizer.
    """
    path = WEIGHTS / f"checks-{recognizer}.safetensors"
    if not path.is_file():
        raise CheckpointError(f"{path}: no reader with the recognizer {recognizer!r} is shipped")
    return path
