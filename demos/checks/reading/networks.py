"""The recognizers by name: which network reads, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

import gtn
from demos.checks.choices import RECOGNIZERS
from demos.checks.reading.lines import LineReading
from demos.checks.reading.segments import SegmentReading
from grammars import RUBBISH
from recognizers.crnn import CRNN
from recognizers.lenet import LeNet5
from recognizers.lines.field_network import FieldNetwork, sweeping
from recognizers.segment_networks.bilinear import BilinearNet
from recognizers.segment_networks.residual import ResidualNet
from recognizers.segment_networks.two_stream import TwoStream
from recognizers.segmentation.rules import CUTS

__all__ = ["FINER", "OF_SEGMENTS", "Reads", "reading_by"]


def _lenet5(output: str, characters: str, **options: Any) -> LeNet5:
    """Return LeNet-5 with this output layer, for ink that is already normalised."""
    return LeNet5(characters, output, normalize=False, initialization="unit-variance", **options)


OF_SEGMENTS: dict[str, Callable[..., nn.Module]] = {
    "two-stream": TwoStream,
    "lenet5": partial(_lenet5, "softmax"),
    "lenet5-rbf": partial(_lenet5, "rbf"),
    "residual": ResidualNet,
    "bilinear": BilinearNet,
}
"""The recognizers of the segments of an over-segmentation, and the functions that build them.

These are called with the characters, ``rubbish=True`` and a ``generator``.
"""

FINER = "-thorough"
"""Suffix of a recognizer's name: it gets more segments to choose from."""

Reads = LineReading | SegmentReading
"""A recognizer of fields: prepares pictures, and returns their texts under a grammar."""


def reading_by(name: str, characters: str, generator: torch.Generator) -> Reads:
    """Return a recognizer with new parameters.

    Args:
        name: of :data:`demos.checks.choices.RECOGNIZERS`.
        characters: its classes; one more is added for what is no character: rubbish, or the blank.
        generator: the same state gives the same parameters.

    Raises:
        ValueError: the name is unknown; the message lists the known ones.
    """
    symbols = gtn.SymbolTable([*characters, RUBBISH])
    if name == "crnn":
        return LineReading(CRNN(characters, rubbish=True, generator=generator), symbols)
    if name == "sdnn":
        swept = FieldNetwork(characters, rubbish=True, generator=generator)
        return LineReading(sweeping(swept), symbols)
    if name not in RECOGNIZERS:
        raise ValueError(f"recognizer {name!r} is not one of {', '.join(RECOGNIZERS)}")
    network_of = OF_SEGMENTS[name.removesuffix(FINER)]
    network = network_of(characters, rubbish=True, generator=generator)
    return SegmentReading(network, symbols, CUTS["thorough" if name.endswith(FINER) else "usual"])
