"""How far a confidence can be trusted, and what makes it so.

The posteriors of a network that was trained on a few hundred fields are mostly too near to one.
One number, fitted on the validation fields, sets that right: all penalties of texts are multiplied
by it (the inverse of a temperature; Guo et al. 2017).
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
"""Standard deviation of the logarithm of the scale, as expected before any field is seen."""


FEWEST = 24
"""Validation fields, at least, of which a threshold can be chosen: a block of successive names."""


@dataclass(frozen=True)
class Bin:
    """Readings of about one confidence: how many, their mean confidence, and the share right."""

    count: int
    confidence: float
    right: float


def reliability(outcomes: Sequence[Outcome], bins: int = 10) -> list[Bin]:
    """Return the outcomes in bins of equally many, from the least confidence to the largest.

    Bins of equal count, since most confidences are near one; fewer than ``bins`` where there are
    fewer outcomes.
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
    """Return the mean of abs(confidence - share right) over the bins, by their counts."""
    found = reliability(outcomes, bins)
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.confidence - one.right) for one in found) / max(total, 1)


def error_reject(outcomes: Sequence[Outcome]) -> tuple[Floats, Floats, Floats]:
    """Return the curve of what is left out against what is wrong of the rest.

    Returns:
        The share rejected ``[K]``, the share of what is accepted that is wrong ``[K]``, and the
        least confidence that is accepted ``[K]``; a point for each different confidence, from
        nothing rejected on. Equal confidences are rejected together.
    """
    ranked = sorted(outcomes, key=lambda o: -o.reading.confidence)
    confidence = np.array([o.reading.confidence for o in ranked])
    wrong = np.cumsum([not o.exact for o in ranked], dtype=np.float64)
    accepted = np.arange(1, len(ranked) + 1)
    last = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], len(ranked) > 0))[::-1]
    rejected = 1.0 - accepted[last] / max(len(ranked), 1)
    return rejected, wrong[last] / accepted[last], confidence[last]


def fit_scale(fields: Sequence[Texts], truths: Sequence[str], wrong_labels: float = 0.0) -> float:
    """Return the scale by which the truths are the most probable.

    Minus the logarithm of the posterior of the truth after scaling, summed over the fields, is
    least, together with that of a normal distribution of the logarithm of the scale around 0
    (``SPREAD``): on a few dozen fields, nearly all of which are right, any large scale would do. A
    truth that is none of the texts counts as one of the others. With ``wrong_labels`` so many of
    the truths are taken to say nothing, as in training. 1.0 without a field.

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

    The threshold is the least confidence, after scaling, at which at most ``most_errors`` of what
    is accepted of these fields is wrong (:func:`demos.checks.measuring.evaluate.threshold_for`).
    Fewer than ``FEWEST`` fields say too little of either: of a reader that was ``begun_with``
    another, they leave scale and threshold as they are there.

    Args:
        reader: gets the ``scale`` and the ``threshold``.
        fields: as prepared, each in the reader's views; of none is the training.
        names, truths: of the fields.
        wrong_labels: share of the truths that is reckoned to be wrong.
        most_errors: of what is accepted.
        begun_with: the reader whose parameters this one's training began with, if any; itself, if
            it is calibrated anew.
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
    """Return what is to be said of a threshold for which there were few validation fields, or none.

    Args:
        count: how many.
        threshold: what :func:`calibrate` left the reader.
        whose: it is kept of which reader, where it was ``begun_with`` one.

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
