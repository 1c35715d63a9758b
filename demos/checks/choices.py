"""What can be chosen by name, and what is taken where nothing is: for the command line.

Names alone, so that a command line is read without loading what they stand for; what is made by
them has the same names, and a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "CRITERIA",
    "CUTS",
    "CUTTING",
    "GRAMMARS",
    "LOSSES",
    "PARTS",
    "PARTS_OF_CHECKS",
    "RECOGNIZERS",
    "RESULTS",
    "SHIPPED",
    "SHIPPED_READERS",
    "SWEEPING",
    "WAYS",
]

SWEEPING = ("crnn", "sdnn")
"""The recognizers that are swept over the whole line."""

_OF_SEGMENTS = ("two-stream", "lenet5", "lenet5-rbf", "residual", "bilinear")

CUTTING = (*_OF_SEGMENTS, *(f"{name}-thorough" for name in _OF_SEGMENTS))
"""The recognizers that read the segments of an over-segmentation, or of a finer one."""

RECOGNIZERS = (*CUTTING, *SWEEPING)
"""All recognizers (:mod:`demos.checks.reading.networks`)."""

SHIPPED = "sdnn"
"""The recognizer that reads where none is named."""

SHIPPED_READERS = (SHIPPED, "two-stream")
"""The recognizers whose readers of fields come with the package."""

GRAMMARS = (
    "car",
    "car:no-prior",
    "amounts",
    *(f"amounts:{name}" for name in ("us", "uk", "de", "fr", "ch")),
    "regex:PATTERN",
)
"""What may be written (:mod:`grammars.registry`)."""

CRITERIA = (
    "viterbi",
    "forward",
    "discriminative-viterbi",
    "discriminative-forward",
    "hinge",
    "expected-risk",
)
"""The losses through graphs (:mod:`demos.checks.training.segments`)."""

LOSSES = (
    "viterbi",
    "discriminative-viterbi",
    "forward",
    "discriminative-forward",
    "hinge",
    "expected-risk",
    "ctc",
)
"""The four criteria of section VI, two later ones, and that of a network alone on whole lines."""

WAYS = ("intersection", "union")
"""How several readers read as one (:mod:`demos.checks.reading.combination`)."""

CUTS = ("usual", "thorough")
"""Where a field may be cut (:mod:`recognizers.segmentation.rules`)."""

PARTS = ("train", "test")
"""Whose digits fields are composed of (:mod:`recognizers.datasets.penned_amounts`)."""

PARTS_OF_CHECKS = ("train", "test")
"""Of which families checks are composed (:mod:`recognizers.datasets.check_layouts`)."""

RESULTS = Path("results") / "checks"
"""Folder of the results, from the root of the project."""
