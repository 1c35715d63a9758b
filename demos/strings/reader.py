"""The reader of lines: a swept network, character models, a grammar, Viterbi (paper, Fig. 24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import gtn
from demos.checkpoint import (
    WEIGHTS,
    load_checkpoint,
    restored,
    save_checkpoint,
)
from demos.strings.choices import NETWORKS
from grammars.characters import character_models
from recognizers.classes import DIGITS
from recognizers.datasets.strings import HEIGHT, line_input
from recognizers.lenet import LeNet5
from recognizers.lines.network import LineNetwork
from recognizers.sdnn import LineError, SpaceDisplacementNetwork

__all__ = ["Output", "Reading", "StringReader", "shipped_checkpoint"]

KIND = "graph-transformer-networks/strings/1"
MARGIN = 16
BATCH = 32


@dataclass(frozen=True)
class Reading:
    """The reading of a line.

    Attributes:
        text: the text of the best path; empty if there is none, or nothing on the line.
        confidence: the posterior of the text, exp(-E_dforw) (eq. 17).
        spans: for each character, the x of the middles of its first and its last window.
        outputs: the class that the best path reads at each position, int64 ``[T]``.
    """

    text: str
    confidence: float
    spans: tuple[tuple[float, float], ...]
    outputs: NDArray[np.int64]


@dataclass(frozen=True)
class Output:
    """The network's output for lines: penalties ``[B, T, C]``, and the positions of each line."""

    emissions: Tensor
    lengths: NDArray[np.int64]


class StringReader(nn.Module):
    """Reads lines of digits, 32 pixels high.

    Args:
        network: the name of the network, one of ``NETWORKS``.
        step: pixels between its outputs; the default 2 takes two passes of a LeNet.
        seed: seed of its parameters.

    >>> reader = StringReader()
    >>> reading = reader.read([np.zeros((32, 60), np.uint8)])[0]
    >>> len(reading.outputs)  # one output for every second pixel
    31
    """

    def __init__(self, network: str = NETWORKS[0], *, step: int = 2, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.settings: dict[str, Any] = {"network": network, "step": step}
        self.sdnn = SpaceDisplacementNetwork(_network(network, generator), step=step, margin=MARGIN)
        self.models = gtn.nn.Learned(character_models(DIGITS))
        self.report: dict[str, Any] = {}

    @property
    def network(self) -> nn.Module:
        """The network that reads a window."""
        return self.sdnn.network

    def output(self, images: Sequence[NDArray[np.uint8]]) -> Output:
        """Return the network's output for lines ``uint8 [32, width]``, 0 paper.

        Raises:
            LineError: a line is not 32 pixels high; the message has its number.
        """
        for i, image in enumerate(images):
            if image.ndim != 2 or image.shape[0] != HEIGHT:
                raise LineError(f"line {i} is {image.shape}; {HEIGHT} rows would be right")
        widths = np.array([image.shape[1] for image in images], dtype=np.int64)
        canvas = np.zeros((len(images), HEIGHT, int(widths.max(initial=1))), dtype=np.uint8)
        for i, image in enumerate(images):
            canvas[i, :, : image.shape[1]] = image
        return self.output_of(canvas, widths)

    def output_of(self, canvas: NDArray[np.uint8], widths: NDArray[np.int64]) -> Output:
        """Return the network's output for stacked lines, uint8 ``[B, 32, W]``."""
        return Output(self.sdnn(line_input(canvas)), self.sdnn.columns(widths))

    def transducer(self, grammar: gtn.Graph | None = None) -> gtn.Graph:
        """Return the character models composed with a grammar of strings, from classes to text."""
        models = self.models()
        if grammar is None:
            return models
        constrained = gtn.compose(models, grammar)
        if not constrained.num_arcs:
            raise ValueError("the grammar matches no string of digits")
        return constrained

    @torch.no_grad()
    def read(
        self, images: Sequence[NDArray[np.uint8]], grammar: gtn.Graph | None = None
    ) -> list[Reading]:
        """Read lines ``uint8 [32, width]``, 0 paper, 255 ink, in batches of similar widths."""
        order = np.argsort([image.shape[-1] for image in images], kind="stable")
        graph = self.transducer(grammar)
        found: list[Reading | None] = [None] * len(images)
        for first in range(0, len(order), BATCH):
            chosen = order[first : first + BATCH]
            readings = self.interpret(self.output([images[i] for i in chosen]), graph)
            for i, reading in zip(chosen, readings, strict=True):
                found[i] = reading
        return [reading for reading in found if reading is not None]

    @torch.no_grad()
    def interpret(self, output: Output, graph: gtn.Graph) -> list[Reading]:
        """Return the readings of the network's outputs under a transducer."""
        emissions, lengths = output.emissions, output.lengths
        labels, arcs = gtn.dense.alignment(emissions, graph, lengths=lengths)
        labels, arcs = labels.numpy(), arcs.numpy()
        writes = np.where(arcs >= 0, np.asarray(graph.olabels)[arcs], -1)
        assert graph.osymbols is not None
        texts = ["".join(graph.osymbols.decode(row[row >= 0].tolist())) for row in writes]
        losses = gtn.nn.MMILoss(graph, infeasible="infinity", reduction="none")(
            emissions, texts, lengths=lengths
        )
        middles = self.sdnn.centres(emissions.shape[1])
        rubbish = len(DIGITS)
        return [
            Reading(text, float(torch.exp(-loss)), _spans(row, read, middles, rubbish), read[:n])
            for text, loss, row, read, n in zip(texts, losses, writes, labels, lengths, strict=True)
        ]

    def save(self, path: str | Path) -> None:
        """Write the reader with what built it and the report of its training."""
        about = {"settings": self.settings, "report": self.report}
        save_checkpoint(path, self.state_dict(), about, kind=KIND)

    @classmethod
    def load(cls, path: str | Path) -> StringReader:
        """Return a reader that :meth:`save` wrote.

        Raises:
            CheckpointError: the file is missing, or not such a checkpoint.
        """
        tensors, about = load_checkpoint(path, kind=KIND)
        reader = restored(lambda: cls(**about["settings"]), tensors, path)
        reader.report = about.get("report", {})
        return reader


def shipped_checkpoint() -> Path:
    """Return the path of the shipped reader."""
    return WEIGHTS / "strings.safetensors"


def _network(name: str, generator: torch.Generator) -> nn.Module:
    if name == "line":
        return LineNetwork(DIGITS, rubbish=True, generator=generator)
    if name == "lenet5":
        return LeNet5(DIGITS, "softmax", rubbish=True, normalize=False,
                      initialization="unit-variance", generator=generator)  # fmt: skip
    if name == "lenet5-rbf":
        return LeNet5(DIGITS, "rbf", rubbish=True, rubbish_penalty=60.0,
                      initialization="unit-variance", generator=generator)  # fmt: skip
    raise ValueError(f"there is no network {name!r}; there are {', '.join(NETWORKS)}")


def _spans(
    writes: NDArray[np.int64], read: NDArray[np.int64], middles: NDArray[np.float64], rubbish: int
) -> tuple[tuple[float, float], ...]:
    """Return where each character begins and ends: a run of outputs from where it is written."""
    begins = np.flatnonzero(writes >= 0)
    quiet = np.append(np.flatnonzero((read == rubbish) | (read < 0)), len(read))
    ends = np.minimum(quiet[np.searchsorted(quiet, begins)], np.append(begins[1:], len(read)))
    return tuple(
        (float(middles[a]), float(middles[b - 1])) for a, b in zip(begins, ends, strict=True)
    )
