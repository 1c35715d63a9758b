"""What can be chosen by name on the command line, and the defaults.

Only names, so that a command line is parsed without loading what they stand for. The modules that
build these things repeat the names; a test keeps the two in step.
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
"""The default recognizer."""

SHIPPED_READERS = (SHIPPED, "two-stream")
"""The recognizers whose readers of fields are shipped with the package."""

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
"""The four criteria of section VI, two later ones, and CTC, of networks on whole lines."""

WAYS = ("intersection", "union")
"""How several readers are combined (:mod:`demos.checks.reading.combination`)."""

CUTS = ("usual", "thorough")
"""Where a field may be cut (:mod:`recognizers.segmentation.rules`)."""

PARTS = ("train", "test")
"""The part whose digits fields are composed of (:mod:`recognizers.datasets.penned_amounts`)."""

PARTS_OF_CHECKS = ("train", "test")
"""The part whose layouts checks have (:mod:`recognizers.datasets.check_layouts`)."""

RESULTS = Path("results") / "checks"
"""Folder of the results, from the root of the project."""
