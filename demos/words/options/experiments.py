"""Options of the commands that measure what ``docs/words.md`` shows, and of that page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import file_to_write, folder_to_write, require_known
from demos.words.choices import RATE, RESULTS, SYSTEMS
from demos.words.options.shared import Cache, Checkpoint, System, require_reader

__all__ = ["Beam", "Hands", "Report", "Spelling"]

Unipen = Annotated[Path | None, typer.Option(help="UNIPEN data; default: unipen in $GTN_DATA.")]
Results = Annotated[
    Path | None,
    typer.Option(
        callback=folder_to_write,
        help=f"Folder for the figures; default: {RESULTS.as_posix()}, or the folder of a "
        "--checkpoint of your own.",
    ),
]


@dataclass(frozen=True)
class Beam:
    """Measure the error and time of decoding test words against the width of the beam."""

    data: Unipen = None
    checkpoint: Checkpoint = None
    system: System = None
    size: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Size of the lexicon; may be repeated; default: 25000 and 250000."
        ),
    ] = None
    count: Annotated[int, typer.Option(min=1, help="Number of words to read.")] = 1000
    cache: Cache = None
    results: Results = None

    def __post_init__(self) -> None:
        """Refuse two readers."""
        require_reader(self.system, self.checkpoint)


@dataclass(frozen=True)
class Spelling:
    """Measure reading test words without a lexicon, by n-grams of letters of several orders."""

    data: Unipen = None
    checkpoint: Checkpoint = None
    system: System = None
    count: Annotated[int, typer.Option(min=1, help="Number of words to read.")] = 1000
    cache: Cache = None
    results: Results = None

    def __post_init__(self) -> None:
        """Refuse two readers."""
        require_reader(self.system, self.checkpoint)


@dataclass(frozen=True)
class Report:
    """Write the page of figures, and of pictures of our own ink, from the results of the runs."""

    checkpoint: Checkpoint = None
    results: Annotated[Path, typer.Option(help="Folder of the figures to use.")] = RESULTS
    page: Annotated[Path, typer.Option(callback=file_to_write, help="The page to write.")] = Path(
        "docs/words.md"
    )


@dataclass(frozen=True)
class Hands:
    """Adapt a shipped reader to each test writer who has 200 words; measure the gain."""

    out: Annotated[Path, typer.Option(callback=folder_to_write, help="Folder for the runs.")] = (
        Path("runs/words/hands")
    )
    data: Unipen = None
    system: Annotated[str, typer.Option(help=f"A shipped reader: {', '.join(SYSTEMS)}.")] = SYSTEMS[
        0
    ]
    cache: Cache = None
    rate: Annotated[float, typer.Option(min=0.0, max=1.0, help="Learning rate.")] = RATE
    results: Annotated[
        Path, typer.Option(callback=folder_to_write, help="Folder for the figures.")
    ] = RESULTS

    def __post_init__(self) -> None:
        """Refuse an unknown system."""
        require_known(self.system, SYSTEMS, "--system")
