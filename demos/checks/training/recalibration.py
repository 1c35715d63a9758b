"""Calibrating a reader anew, long after it was trained, on the validation fields it had then."""

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
    """Calibrate a reader on those fields that were for validation in its training; the figures.

    Few such fields leave scale and threshold as they are, as where training begins with a reader;
    the ``remarks`` of the figures say so.

    Args:
        reader: trained by :func:`demos.checks.training.train.train`, whose settings it knows.
        fields: all that it was trained with, further ones left out.
        workers: processes that prepare them.

    Raises:
        FieldSetError: the reader does not know its settings; a field that its training has not
            seen, so that others were for validation than would be now; none was for validation.
    """
    settings = reader.training_facts.report.get("settings")
    if not settings:
        raise FieldSetError("the reader does not say how it was trained")
    # Training split those fields that the grammar writes, and drew from all that had no split.
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
