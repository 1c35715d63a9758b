"""Recalibrate a trained reader on the validation fields of its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demos.checks.measuring.calibration import calibrate, few_fields
from demos.checks.reading.reader import CheckReader
from demos.checks.training.samples import prepared
from recognizers.datasets.fields import Field, FieldSetError, file_hash, split_in_blocks

__all__ = ["recalibrate"]


def recalibrate(
    reader: CheckReader, fields: Sequence[Field], *, workers: int = 1
) -> dict[str, Any]:
    """Calibrate a reader on the validation fields of its training; return the figures.

    With few such fields, scale and threshold stay as they are, as in a training that starts from
    a reader; the ``remarks`` of the figures say so.

    Args:
        reader: trained by :func:`demos.checks.training.train.train`, which recorded its settings.
        fields: all fields that it was trained with, except further ones.
        workers: processes that prepare them.

    Raises:
        FieldSetError: the reader has no record of its settings; its training did not see one of
            the fields, so the validation fields would differ; or none was for validation.
    """
    settings = reader.training_facts.report.get("settings")
    if not settings:
        raise FieldSetError("the reader does not say how it was trained")
    # Training split only fields that the grammar writes, and drew from all without a split.
    fields = [one for one in fields if reader.rules.writes(one.text)]
    seen = set(reader.training_facts.seen)
    for one in fields:
        if not one.split and file_hash(one.path) not in seen:
            raise FieldSetError(
                f"{one.path}: not among the fields that the reader was trained with; give its "
                "--data and --holdout"
            )
    chosen = split_in_blocks(fields, settings["validation"], settings["seed"])[1]
    samples, _ = prepared(
        [fields[i] for i in chosen], reader.recognize.prepare, workers, False, views=reader.views
    )
    if not samples:
        raise FieldSetError("no field is for validation")
    _, figures = calibrate(
        reader,
        [one.prepared for one in samples],
        [one.name for one in samples],
        [one.text for one in samples],
        wrong_labels=settings["wrong_labels"],
        begun_with=reader,
    )
    remarks = few_fields(len(samples), reader.threshold, "the reader before")
    return {**figures, "remarks": remarks}
