"""Draw the pictures of the documentation: ``python docs/pictures.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import gtn
from demos.checks.commands.read import DEMO_FIELDS
from demos.checks.reading.reader import CheckReader, shipped_checkpoint
from demos.checks.report.segments import segment_steps
from recognizers.images import load_field

HERE = Path(__file__).parent


def reading(name: str = "test_009.png") -> None:
    """Draw the segmentation graph of a demo field, each segment with its likeliest class.

    The path that reads the field is red.
    """
    reader = CheckReader.load(shipped_checkpoint("two-stream"))
    steps = segment_steps(reader, load_field(DEMO_FIELDS / name))
    # An arc of the best path is known by its box: the interpretation keeps the segments' data.
    boxes = steps.segments.data["box"].numpy()
    taken = [
        int(np.flatnonzero((boxes == box).all(axis=1))[0]) for box in steps.best.data["box"].numpy()
    ]
    symbols = reader.recognize.symbols
    likeliest = reader.recognize(steps.segments).penalties.detach().reshape(-1, len(symbols))
    labels = likeliest.argmin(dim=1).numpy().astype(np.int32)
    shown = gtn.Graph(
        steps.segments.topology.relabelled(labels, None),
        isymbols=symbols,
        osymbols=symbols,
        data=steps.segments.data,
    )
    gtn.draw(
        shown,
        HERE / "reading.svg",
        images="image",
        highlight=np.array(taken, dtype=np.int32),
    )


if __name__ == "__main__":
    reading()
