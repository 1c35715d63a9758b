"""Folders of fields composed of small digits (``compose_fields``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from demos.image_folders import save_labelled
from recognizers.datasets.penned_amounts import PARTS, compose_field

__all__ = ["write_fields"]


def write_fields(out: Path, part: str, count: int, seed: int = 0) -> None:
    """Write ``count`` fields as PNG files, and ``labels.csv``, to a folder.

    Each field depends on the part, the seed and its number, but not on the count.

    Raises:
        ValueError: the part is unknown, or the count below 1.
    """
    if count < 1:
        raise ValueError(f"{count} fields: there is nothing to write")
    generators = (np.random.default_rng([seed, list(PARTS).index(part), i]) for i in range(count))
    fields = (compose_field(part, rng) for rng in generators)
    save_labelled(out, ((one.image, one.text) for one in fields), part, count)
