"""The recognizers by name: which network reads, and how."""

from __future__ import annotations

import torch

import gtn
from demos.checks.line_reading import LineReading
from demos.checks.segment_reading import SegmentReading
from grammars import RUBBISH
from recognizers.crnn import CRNN
from recognizers.field_network import FieldNetwork, sweeping
from recognizers.lenet import LeNet5
from recognizers.two_stream import TwoStream

__all__ = ["RECOGNIZERS", "SWEEPING", "Reads", "reading_by"]

SWEEPING = ("crnn", "sdnn")
"""The recognizers that are swept over the whole line."""

RECOGNIZERS = ("two-stream", "lenet5", "lenet5-rbf", *SWEEPING)
"""All recognizers: the others read the segments of an over-segmentation."""

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
        network = FieldNetwork(characters, rubbish=True, generator=generator)
        return LineReading(sweeping(network), symbols)
    if name == "two-stream":
        return SegmentReading(TwoStream(characters, rubbish=True, generator=generator), symbols)
    if name not in RECOGNIZERS:
        raise ValueError(f"recognizer {name!r} is none of {', '.join(RECOGNIZERS)}")
    lenet = LeNet5(
        characters,
        "rbf" if name == "lenet5-rbf" else "softmax",
        rubbish=True,
        normalize=False,
        initialization="unit-variance",
        generator=generator,
    )
    return SegmentReading(lenet, symbols)
