"""Options of the commands that read ink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import folder_to_write, page_to_write, refuse_given
from demos.words.options.shared import (
    Beam,
    Checkpoint,
    Free,
    Lexicon,
    Order,
    Size,
    System,
    require_list,
    require_reader,
)

__all__ = ["Demo", "Pad", "Read"]

Page = Annotated[Path, typer.Option(help="Page (HTML) of pictures to write.")]


@dataclass(frozen=True)
class Read:
    """Print the likeliest words of each ink, with posteriors; write a page that shows how."""

    context: typer.Context
    paths: Annotated[
        list[Path], typer.Argument(help="Ink (JSON strokes, InkML, UNIPEN), or folders of it.")
    ]
    checkpoint: Checkpoint = None
    system: System = None
    lexicon: Lexicon = None
    size: Size = None
    free: Free = False
    order: Order = None
    beam: Beam = None
    count: Annotated[int, typer.Option(min=1, help="Number of words to print for each ink.")] = 5
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per word.")] = (
        False
    )
    page: Page = Path("report/words.html")
    pictures: Annotated[bool, typer.Option(help="Write the page.")] = True

    def __post_init__(self) -> None:
        """Refuse overwriting other files, options without effect, two readers, and two lexicons."""
        if self.pictures:
            page_to_write(self.page)
        else:
            refuse_given(self.context, ["page"], "--no-pictures writes no page")
        require_list(self.lexicon, self.size, self.free, self.order)
        require_reader(self.system, self.checkpoint)


@dataclass(frozen=True)
class Pad:
    """Serve a page on this machine to write on with a pen and be read, until interrupted."""

    checkpoint: Checkpoint = None
    system: System = None
    lexicon: Lexicon = None
    size: Size = None
    free: Free = False
    order: Order = None
    beam: Beam = None
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8123
    keep: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write,
            help="Folder for the ink and labels.csv, to adapt a reader to.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse two readers, and two lexicons."""
        require_list(self.lexicon, self.size, self.free, self.order)
        require_reader(self.system, self.checkpoint)


@dataclass(frozen=True)
class Demo:
    """Read the words shipped with the package, which code has written."""

    checkpoint: Checkpoint = None
    system: System = None
    page: Page = Path("report/words.html")

    def __post_init__(self) -> None:
        """Refuse overwriting a file that is not a page, and two readers."""
        page_to_write(self.page)
        require_reader(self.system, self.checkpoint)
