"""The reader: segmentation, recognition, composition with the grammar, Viterbi.

``T_seg -> T_rec -> T_gram -> T_vit`` of the paper's Fig. 33, for one amount field.
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
import recognizers
from demos.checks.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from demos.checks.ink import views
from grammars import RUBBISH, named
from recognizers.lenet import LeNet5
from recognizers.recognition import RecognitionTransformer
from recognizers.segmentation import Segmentation, segment_field
from recognizers.segmentation_graph import segmentation_graph
from recognizers.two_stream import TwoStream

__all__ = ["RECOGNIZERS", "CheckReader", "Reading", "shipped_checkpoint"]

Network = LeNet5 | TwoStream

RECOGNIZERS = ("two-stream", "lenet5", "lenet5-rbf")
"""The networks that read segments, by name."""

CANDIDATES = 8
"""Texts of least Viterbi penalty among which that of largest posterior is sought."""

VIEWS = 5
"""In how many versions a field is read, unless said otherwise."""

ALTERNATIVES = 5
"""Most texts of one reading."""


@dataclass(frozen=True)
class Reading:
    """What a field says.

    Attributes:
        text: the most probable text; empty where no path exists (no ink).
        confidence: its posterior, exp(-E_dforw): the share of all paths' mass that spells it;
            the mean of that over the views of the field.
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
        recognizer: the name of the network that reads segments, of ``RECOGNIZERS``; its classes are
            the grammar's.
        threshold: least confidence of an accepted reading.
        views: in how many versions a field is read (:func:`demos.checks.ink.views`).

    >>> reader = CheckReader("car")
    >>> blank = np.full((40, 100), 255, np.uint8)
    >>> reader.read([blank])[0]
    Reading(text='', confidence=0.0, accepted=False, alternatives=())
    """

    def __init__(
        self,
        grammar: str = "car",
        recognizer: str = RECOGNIZERS[0],
        *,
        threshold: float = 0.5,
        views: int = VIEWS,
        seed: int = 0,
    ) -> None:
        super().__init__()
        rules = named(grammar)
        generator = torch.Generator().manual_seed(seed)
        net = _network(recognizer, rules.characters, generator)
        symbols = gtn.SymbolTable([*rules.characters, RUBBISH])
        self.rules = rules
        self.recognizer = recognizer
        self.recognize = RecognitionTransformer(net, symbols)
        self.grammar = gtn.nn.Learned(rules.graph)
        self.threshold = threshold
        self.views = views
        self.training_facts = Training()

    @property
    def network(self) -> Network:
        """The network that reads single segments."""
        net = self.recognize.network
        assert isinstance(net, LeNet5 | TwoStream)
        return net

    def interpretations(self, segments: gtn.Graph) -> gtn.Graph:
        """Return the interpretation graphs of segmentation graphs: T_rec, then T_gram."""
        return gtn.compose(self.recognize(segments), self.grammar())

    @torch.no_grad()
    def read(self, images: Sequence[np.ndarray]) -> list[Reading]:
        """Read grey-level fields, ``uint8 [H, W]`` each."""
        return self.read_segmentations(
            [[segment_field(view) for view in views(image, self.views)] for image in images]
        )

    @torch.no_grad()
    def read_segmentations(self, fields: Sequence[Sequence[Segmentation]]) -> list[Reading]:
        """Read fields that are segmented already, each in several views, as one batch."""
        every = [segmentation_graph(view) for field in fields for view in field]
        if not every:
            return []
        graphs = gtn.GraphBatch.from_graphs(every).without_data("box")
        each = iter(self._texts(self.interpretations(graphs).without_data()))
        return [self._reading([next(each) for _ in field]) for field in fields]

    @torch.no_grad()
    def steps(self, image: np.ndarray) -> Steps:
        """Read one field and keep the graphs on the way, those of the field as it is."""
        segmentation = segment_field(image)
        segments = segmentation_graph(segmentation)
        interpretation = self.interpretations(segments)
        reading = self.read([image])[0]
        spelled = gtn.string(reading.text, symbols=interpretation.osymbols)
        best = gtn.viterbi_path(gtn.compose(interpretation, spelled))
        if not best.num_nodes:  # only another view of the field can be read so
            best = gtn.viterbi_path(interpretation)
        return Steps(segmentation, segments, interpretation, best, reading)

    def _texts(self, interpretations: gtn.GraphBatch) -> list[dict[str, float]]:
        """Return the likeliest texts of each interpretation graph and their posteriors."""
        paths = gtn.n_best(interpretations, CANDIDATES, distinct="output")
        texts: list[list[str]] = [gtn.path_text(each) for each in paths]
        owners = [i for i, found in enumerate(texts) for _ in found]
        if not owners:
            return [{} for _ in texts]
        exact = interpretations.double()
        table = interpretations.osymbols
        strings = gtn.strings([text for found in texts for text in found], symbols=table)
        spelled = gtn.forward_penalty(
            gtn.compose(
                gtn.GraphBatch.from_graphs([exact[i] for i in owners]),
                strings.double(),
            )
        )
        excess = spelled - gtn.forward_penalty(exact)[owners]  # E_dforw, eq. 17
        posterior = iter(torch.exp(-excess).clamp(max=1.0).tolist())
        return [{text: next(posterior) for text in found} for found in texts]

    def _reading(self, found: Sequence[dict[str, float]]) -> Reading:
        """Return the reading of a field from the texts and posteriors of its views."""
        total: dict[str, float] = {}
        for view in found:
            for text, posterior in view.items():
                total[text] = total.get(text, 0.0) + posterior / len(found)
        if not total:
            return Reading("", 0.0, False)
        ranked = sorted(total.items(), key=lambda pair: -pair[1])[:ALTERNATIVES]
        text, confidence = ranked[0]
        return Reading(text, confidence, confidence >= self.threshold, tuple(ranked))

    def save(self, path: str | Path) -> None:
        """Write the reader as one safetensors file."""
        about = {
            "grammar": self.rules.name,
            "recognizer": self.recognizer,
            "threshold": self.threshold,
            "views": self.views,
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
        missing = {"grammar", "recognizer", "threshold", "views"} - about.keys()
        if missing:
            raise CheckpointError(f"{path}: no reader, {', '.join(sorted(missing))} is missing")
        try:
            reader = cls(
                about["grammar"],
                about["recognizer"],
                threshold=about["threshold"],
                views=about["views"],
            )
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


def _network(name: str, characters: str, generator: torch.Generator) -> Network:
    if name == "two-stream":
        return TwoStream(characters, rubbish=True, generator=generator)
    if name not in RECOGNIZERS:
        raise ValueError(f"recognizer {name!r} is none of {', '.join(RECOGNIZERS)}")
    return LeNet5(
        characters,
        "rbf" if name == "lenet5-rbf" else "softmax",
        rubbish=True,
        normalize=False,
        initialization="unit-variance",
        generator=generator,
    )


def shipped_checkpoint() -> Path:
    """Return the path of the checkpoint that comes with the package."""
    return Path(recognizers.__file__).parent / "weights" / "checks.safetensors"
