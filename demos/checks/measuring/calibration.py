"""Measure and fit how far a confidence can be trusted.

The posteriors of a network trained on a few hundred fields are mostly too close to one. One number,
fitted on the validation fields, corrects that: it multiplies all penalties of texts (an inverse
temperature; Guo et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from demos.checks.measuring.evaluate import Outcome, threshold_for
from demos.checks.reading.reader import CheckReader
from demos.checks.reading.texts import Texts, scaled
from demos.checks.reading.texts import rest as mass_of_others

__all__ = [
    "FEWEST",
    "Bin",
    "calibrate",
    "error_reject",
    "expected_calibration_error",
    "few_fields",
    "fit_scale",
    "reliability",
]

Floats = NDArray[np.float64]

LEAST_SCALE, MOST_SCALE = 0.05, 5.0

SPREAD = math.log(2.0)
"""Standard deviation of the prior on the logarithm of the scale."""


FEWEST = 24
"""Fewest validation fields that a threshold is chosen on: a block of successive names."""


@dataclass(frozen=True)
class Bin:
    """Readings of similar confidence: their number, mean confidence, and share right."""

    count: int
    confidence: float
    right: float


def reliability(outcomes: Sequence[Outcome], bins: int = 10) -> list[Bin]:
    """Return the outcomes in bins of equal count, from the lowest confidence to the highest.

    The bins have equal counts because most confidences are near one. There are fewer than ``bins``
    if there are fewer outcomes.
    """
    ranked = sorted(outcomes, key=lambda o: o.reading.confidence)
    parts = np.array_split(np.arange(len(ranked)), max(1, min(bins, len(ranked))))
    return [
        Bin(
            len(part),
            float(np.mean([ranked[i].reading.confidence for i in part])),
            float(np.mean([ranked[i].exact for i in part])),
        )
        for part in parts
        if len(part)
    ]


def expected_calibration_error(outcomes: Sequence[Outcome], bins: int = 10) -> float:
    """Return the mean of abs(confidence - share right) over the bins, weighted by their counts."""
    found = reliability(outcomes, bins)
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.confidence - one.right) for one in found) / max(total, 1)


def error_reject(outcomes: Sequence[Outcome]) -> tuple[Floats, Floats, Floats]:
    """Return the curve of the error among accepted readings against the share rejected.

    Returns:
        The share rejected ``[K]``, the share of accepted readings that are wrong ``[K]``, and the
        lowest accepted confidence ``[K]``; one point per distinct confidence, starting with
        nothing rejected. Equal confidences are rejected together.
    """
    ranked = sorted(outcomes, key=lambda o: -o.reading.confidence)
    confidence = np.array([o.reading.confidence for o in ranked])
    wrong = np.cumsum([not o.exact for o in ranked], dtype=np.float64)
    accepted = np.arange(1, len(ranked) + 1)
    last = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], len(ranked) > 0))[::-1]
    rejected = 1.0 - accepted[last] / max(len(ranked), 1)
    return rejected, wrong[last] / accepted[last], confidence[last]


def fit_scale(fields: Sequence[Texts], truths: Sequence[str], wrong_labels: float = 0.0) -> float:
    """Return the scale that makes the truths most probable.

    It minimises minus the logarithm of the posterior of the truth after scaling, summed over the
    fields, plus that of a normal prior on the logarithm of the scale, with mean 0 and deviation
    ``SPREAD``: on a few dozen fields, nearly all read right, any large scale would do otherwise. A
    truth that is none of the texts counts as one of the others. ``wrong_labels`` is the share of
    truths taken to be uninformative, as in training. Without fields the scale is 1.0.

    >>> sure = [{"1": 0.99}] * 10
    >>> 0.4 < fit_scale(sure, ["1"] * 9 + ["7"]) < 0.6  # nine in ten are right, not 99 in 100
    True
    """
    if not fields:
        return 1.0

    def loss(logarithm: float) -> float:
        scale, total = math.exp(logarithm), 0.5 * (logarithm / SPREAD) ** 2
        for texts, truth in zip(fields, truths, strict=True):
            found = scaled(texts, scale)
            posterior = found.get(truth, mass_of_others(found))
            total -= math.log(max((1.0 - wrong_labels) * posterior + wrong_labels, 1e-12))
        return total

    bounds = math.log(LEAST_SCALE), math.log(MOST_SCALE)
    return math.exp(float(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def calibrate(
    reader: CheckReader,
    fields: Sequence[Sequence[Any]],
    names: Sequence[str],
    truths: Sequence[str],
    *,
    wrong_labels: float = 0.0,
    most_errors: float = 0.01,
    begun_with: CheckReader | None = None,
) -> tuple[list[Outcome], dict[str, float]]:
    """Fit a reader's scale and threshold on validation fields; return their outcomes and figures.

    The threshold is the lowest confidence, after scaling, at which at most ``most_errors`` of the
    accepted fields are wrong (:func:`demos.checks.measuring.evaluate.threshold_for`). Fewer than
    ``FEWEST`` fields say too little about either: a reader that was ``begun_with`` another then
    keeps the scale and the threshold of that one.

    Args:
        reader: gets the ``scale`` and the ``threshold``.
        fields: prepared fields, each in the reader's views; none of them used for training.
        names, truths: the names and the texts of the fields.
        wrong_labels: share of the truths assumed to be wrong.
        most_errors: largest share of accepted readings that may be wrong.
        begun_with: the reader that this one's training started from, if any; the reader itself if
            it is recalibrated.
    """
    kept = None
    if begun_with is not None and len(fields) < FEWEST:
        kept = begun_with.scale, begun_with.threshold
    found: list[Texts] = []
    for i in range(0, len(fields), 32):
        found += reader.texts(fields[i : i + 32])

    def outcomes() -> list[Outcome]:
        readings = [reader.reading([texts]) for texts in found]
        return [Outcome(*row) for row in zip(names, truths, readings, strict=True)]

    reader.scale = 1.0
    before = expected_calibration_error(outcomes())
    if kept is not None:
        reader.scale, reader.threshold = kept
    else:
        reader.scale = fit_scale(found, truths, wrong_labels)
        reader.threshold = threshold_for(
            outcomes(), most_errors=most_errors, wrong_labels=wrong_labels
        )
    final = outcomes()
    return final, {
        "scale": reader.scale,
        "threshold": reader.threshold,
        "calibration_error_before": before,
        "calibration_error": expected_calibration_error(final),
    }


def few_fields(count: int, threshold: float, whose: str | None = None) -> list[str]:
    """Return remarks on a threshold chosen on few validation fields, or none.

    Args:
        count: number of validation fields.
        threshold: the reader's threshold after :func:`calibrate`.
        whose: names the reader whose threshold was kept, if this one was ``begun_with`` it.

    >>> few_fields(2, 0.75)
    ['of 2 validation fields the threshold 0.750 says little: mark 24 or more (column split)']
    >>> few_fields(24, 0.75)
    []
    """
    if count >= FEWEST:
        return []
    fields = "1 validation field" if count == 1 else f"{count or 'no'} validation fields"
    if whose is not None:
        return [
            f"of {fields} no threshold can be chosen: it stays at {threshold:.3f}, that of "
            f"{whose}; mark {FEWEST} or more (column split)"
        ]
    if not count:
        return ["no field is for validation, so only certain readings will be accepted"]
    return [
        f"of {fields} the threshold {threshold:.3f} says little: mark {FEWEST} or more (column "
        "split)"
    ]
