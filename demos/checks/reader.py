"""The reader: segmentation, recognition, composition with the grammar, Viterbi.

``T_seg -> T_rec -> T_gram -> T_vit`` of the paper's Fig. 33, for one amount field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gtn
import recognizers
from demos.checks.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from grammars import RUBBISH, named
from recognizers.lenet import LeNet5
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import Segmentation, segment_field
from recognizers.segmentation_graph import segmentation_graph

__all__ = ["CheckReader", "Reading", "shipped_checkpoint"]

CANDIDATES = 200
"""Paths among which the best distinct readings are sought."""


@dataclass(frozen=True)
class Reading:
    """What a field says.

    Attributes:
        text: the most probable text; empty where no path exists (no ink).
        confidence: its posterior, exp(-E_dforw): the share of all paths' mass that spells it.
        accepted: whether the confidence reaches the reader's threshold.
        alternatives: the best texts with their posteriors, best first, ``text`` among them.
    """

    text: str
    confidence: float
    accepted: bool
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Steps:
    """The graphs of one reading, for those who want to see them."""

    segmentation: Segmentation
    segments: gtn.Graph
    interpretation: gtn.Graph
    best: gtn.Graph
    reading: Reading


@dataclass
class Training:
    """What a checkpoint says of its training."""

    seen: list[str] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


class CheckReader(nn.Module):
    """Reads amount fields under a grammar.

    Args:
        grammar: a name that :func:`grammars.named` knows.
        network: settings of :class:`recognizers.lenet.LeNet5`; the classes are the grammar's.
        threshold: least confidence of an accepted reading.

    >>> reader = CheckReader("car")
    >>> blank = np.full((40, 100), 255, np.uint8)
    >>> reader.read([blank])[0]
    Reading(text='', confidence=0.0, accepted=False, alternatives=())
    """

    def __init__(
        self,
        grammar: str = "car",
        network: dict[str, Any] | None = None,
        *,
        threshold: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        rules = named(grammar)
        settings = {"output": "softmax", "normalize": False} | (network or {})
        settings |= {"classes": rules.characters, "rubbish": True}
        generator = torch.Generator().manual_seed(seed)
        net = LeNet5(**settings, initialization="unit-variance", generator=generator)
        symbols = gtn.SymbolTable([*rules.characters, RUBBISH])
        self.rules = rules
        self.recognize = RecognitionTransformer(net, symbols)
        self.grammar = gtn.nn.Learned(rules.graph)
        self.threshold = threshold
        self.training_facts = Training()

    @property
    def network(self) -> LeNet5:
        """The network that reads single segments."""
        net = self.recognize.network
        assert isinstance(net, LeNet5)
        return net

    def interpretations(self, segments: gtn.Graph) -> gtn.Graph:
        """Return the interpretation graphs of segmentation graphs: T_rec, then T_gram."""
        return gtn.compose(self.recognize(segments), self.grammar())

    @torch.no_grad()
    def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
        """Read grey-level fields, ``uint8 [H, W]`` each."""
        return self.read_segmentations([segment_field(image) for image in images])

    @torch.no_grad()
    def read_segmentations(self, fields: Sequence[Segmentation]) -> list[Reading]:
        """Read fields that are segmented already, as one batch."""
        if not fields:
            return []
        graphs = gtn.GraphBatch.from_graphs([segmentation_graph(one) for one in fields])
        interpretations = self.interpretations(graphs.without_data("box"))
        return [self._reading(one) for one in interpretations.without_data()]

    @torch.no_grad()
    def steps(self, image: np.ndarray) -> Steps:
        """Read one field and keep the graphs on the way."""
        segmentation = segment_field(image)
        segments = segmentation_graph(segmentation)
        interpretation = self.interpretations(segments)
        reading = self._reading(interpretation.without_data())
        spelled = gtn.string(reading.text, symbols=interpretation.osymbols)
        best = gtn.viterbi_path(gtn.compose(interpretation, spelled))
        return Steps(segmentation, segments, interpretation, best, reading)

    def _reading(self, interpretation: gtn.Graph) -> Reading:
        paths = gtn.n_best(interpretation, CANDIDATES)
        assert isinstance(paths, gtn.GraphBatch)
        texts = list(dict.fromkeys(gtn.path_text(paths)))[:5]
        if not texts:
            return Reading("", 0.0, False)
        table = interpretation.osymbols
        strings = gtn.GraphBatch.from_graphs([gtn.string(t, symbols=table) for t in texts])
        spelled = gtn.forward_penalty(gtn.compose(interpretation.double(), strings.double()))
        excess = spelled - gtn.forward_penalty(interpretation.double())  # E_dforw, eq. 17
        posteriors = [min(1.0, math.exp(-e)) for e in excess.tolist()]
        ranked = sorted(zip(texts, posteriors, strict=True), key=lambda pair: -pair[1])
        text, confidence = ranked[0]
        return Reading(text, confidence, confidence >= self.threshold, tuple(ranked))

    def save(self, path: str | Path) -> None:
        """Write the reader as one safetensors file."""
        about = {
            "grammar": self.rules.name,
            "network": self.network.settings,
            "threshold": self.threshold,
            "seen": sorted(self.training_facts.seen),
            "report": self.training_facts.report,
        }
        save_checkpoint(path, dict(self.state_dict()), about)

    @classmethod
    def load(cls, path: str | Path) -> CheckReader:
        """Return the reader of a checkpoint.

        Raises:
            CheckpointError: naming the file; and the tensors that do not fit, for a checkpoint of
                another architecture.
        """
        tensors, about = load_checkpoint(path)
        missing = {"grammar", "network", "threshold"} - about.keys()
        if missing:
            raise CheckpointError(f"{path}: no reader, {', '.join(sorted(missing))} is missing")
        try:
            reader = cls(about["grammar"], about["network"], threshold=about["threshold"])
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: a reader of another architecture: {error}") from error
        expected = reader.state_dict()
        wrong = [f"{k} is missing" for k in expected.keys() - tensors.keys()]
        wrong += [f"{k} is unknown" for k in tensors.keys() - expected.keys()]
        wrong += [
            f"{k} is {list(tensors[k].shape)}, not {list(expected[k].shape)}"
            for k in expected.keys() & tensors.keys()
            if tensors[k].shape != expected[k].shape
        ]
        if wrong:
            raise CheckpointError(
                f"{path}: a reader of another architecture: {'; '.join(sorted(wrong)[:5])}"
            )
        reader.load_state_dict(tensors)
        reader.training_facts = Training(about.get("seen", []), about.get("report", {}))
        return reader.eval()


def shipped_checkpoint() -> Path:
    """Return the path of the checkpoint that comes with the package."""
    return Path(recognizers.__file__).parent / "weights" / "checks.safetensors"
