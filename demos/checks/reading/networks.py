"""The recognizers by name: which network reads, and how."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

import gtn
from demos.checks.reading.lines import LineReading
from demos.checks.reading.segments import SegmentReading
from grammars import RUBBISH
from recognizers.bilinear import BilinearNet
from recognizers.crnn import CRNN
from recognizers.field_network import FieldNetwork, sweeping
from recognizers.lenet import LeNet5
from recognizers.residual import ResidualNet
from recognizers.segment_rules import CUTS
from recognizers.two_stream import TwoStream

__all__ = ["RECOGNIZERS", "SWEEPING", "Reads", "reading_by"]

SWEEPING = ("crnn", "sdnn")
"""The recognizers that are swept over the whole line."""

OF_SEGMENTS = ("two-stream", "lenet5", "lenet5-rbf", "residual", "bilinear")
"""The recognizers that read the segments of an over-segmentation."""

FINER = "-thorough"
"""Behind the name of one of these: it is given more segments to choose from."""

RECOGNIZERS = (*OF_SEGMENTS, *(name + FINER for name in OF_SEGMENTS), *SWEEPING)
"""All recognizers."""

Reads = LineReading | SegmentReading
"""What reads fields: prepares their pictures, and knows their texts under a grammar."""


def reading_by(name: str, characters: str, generator: torch.Generator) -> Reads:
    """Return a recognizer with new parameters.

    Args:
        name: of ``RECOGNIZERS``.
        characters: its classes; one more is what is no character: rubbish, or the blank.
        generator: the same state gives the same parameters.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    symbols = gtn.SymbolTable([*characters, RUBBISH])
    if name == "crnn":
        return LineReading(CRNN(characters, rubbish=True, generator=generator), symbols)
    if name == "sdnn":
        swept = FieldNetwork(characters, rubbish=True, generator=generator)
        return LineReading(sweeping(swept), symbols)
    if name not in RECOGNIZERS:
        raise ValueError(f"recognizer {name!r} is none of {', '.join(RECOGNIZERS)}")
    network = _of_segments(name.removesuffix(FINER), characters, generator)
    return SegmentReading(network, symbols, CUTS["thorough" if name.endswith(FINER) else "usual"])


def _of_segments(name: str, characters: str, generator: torch.Generator) -> nn.Module:
    """Return a new network that reads single segments."""
    kinds: dict[str, Callable[..., nn.Module]] = {
        "two-stream": TwoStream,
        "residual": ResidualNet,
        "bilinear": BilinearNet,
    }
    if name in kinds:
        return kinds[name](characters, rubbish=True, generator=generator)
    return LeNet5(
        characters,
        "rbf" if name == "lenet5-rbf" else "softmax",
        rubbish=True,
        normalize=False,
        initialization="unit-variance",
        generator=generator,
    )
