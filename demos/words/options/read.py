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

Page = Annotated[Path, typer.Option(help="The page of pictures to write.")]


@dataclass(frozen=True)
class Read:
    """Read pen-written words: the likeliest five with posteriors, and a page of how."""

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
    count: Annotated[int, typer.Option(min=1, help="How many words are told.")] = 5
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON per word.")] = False
    page: Page = Path("report/words.html")
    pictures: Annotated[bool, typer.Option(help="Whether to write the page.")] = True

    def __post_init__(self) -> None:
        """Refuse what would be lost or without effect, two readers, and two lists of words."""
        if self.pictures:
            page_to_write(self.page)
        else:
            refuse_given(self.context, ["page"], "--no-pictures has none written")
        require_list(self.lexicon, self.size, self.free, self.order)
        require_reader(self.system, self.checkpoint)


@dataclass(frozen=True)
class Pad:
    """Serve a page on this machine on which one writes and is read, until interrupted."""

    checkpoint: Checkpoint = None
    system: System = None
    lexicon: Lexicon = None
    size: Size = None
    free: Free = False
    order: Order = None
    beam: Beam = None
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8123
    keep: Annotated[
        Path | None,
        typer.Option(
            callback=folder_to_write, help="Folder for what is written, with labels.csv, for adapt."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse two readers, and two lists of words."""
        require_list(self.lexicon, self.size, self.free, self.order)
        require_reader(self.system, self.checkpoint)


@dataclass(frozen=True)
class Demo:
    """Read the words that come with the package, which are written by code."""

    checkpoint: Checkpoint = None
    system: System = None
    page: Page = Path("report/words.html")

    def __post_init__(self) -> None:
        """Refuse a page that is none, and two readers."""
        page_to_write(self.page)
        require_reader(self.system, self.checkpoint)
