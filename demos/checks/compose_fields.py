"""``python -m demos.checks.compose_fields OUT``: amount fields composed of small digits.

So that the reader can be tried and trained where no other data is at hand: see
:mod:`recognizers.datasets.penned_amounts`. The folder ``fields`` beside this file holds what
``--part test --count 12 --seed 1998`` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from demos.command_line import Seed, folder_to_write, require_known, run_command
from demos.image_folders import save_labelled
from recognizers.datasets.penned_amounts import PARTS, compose_field

__all__ = ["command", "write_fields"]


def write_fields(out: Path, part: str, count: int, seed: int = 0) -> None:
    """Write ``count`` fields as PNG files, and ``labels.csv``, to a folder.

    The fields before and behind are the same whatever their count.

    Raises:
        ValueError: an unknown part, or a count below 1.
    """
    if count < 1:
        raise ValueError(f"{count} fields: there is nothing to write")
    generators = (np.random.default_rng([seed, list(PARTS).index(part), i]) for i in range(count))
    fields = (compose_field(part, rng) for rng in generators)
    save_labelled(out, ((one.image, one.text) for one in fields), part, count)


def command(
    out: Annotated[
        Path,
        typer.Argument(callback=folder_to_write, help="Folder for the pictures and labels.csv."),
    ],
    part: Annotated[str, typer.Option(help=f"One of {', '.join(PARTS)}.")] = "test",
    count: Annotated[int, typer.Option(min=1, help="How many fields.")] = 12,
    seed: Seed = 0,
) -> None:
    """Compose amount fields of the small handwritten digits that scikit-learn carries."""
    require_known(part, PARTS, "--part")
    write_fields(out, part, count, seed)
    typer.echo(f"{count} fields and labels.csv in {out}")


if __name__ == "__main__":
    run_command(command)
