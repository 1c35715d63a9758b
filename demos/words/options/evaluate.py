"""Options of the command that measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import require_file, require_known
from demos.words.options.shared import Cache, OrderToo, Size, System, require_reader, require_size
from recognizers.online.writers import SIDES

__all__ = ["Evaluate"]


@dataclass(frozen=True)
class Evaluate:
    """Measure on the test writers of the public pack and on all writers that it does not have.

    Of a folder with labels.csv (file,text) all words are read; its files are of
    the formats that the command read takes, one word in each. Files that cannot
    be read are reported and left out. Words that are not in the file of --lexicon
    and texts of other characters than letters are reported and count as errors.
    """

    context: typer.Context
    data: Annotated[
        Path | None,
        typer.Option(
            help="A UNIPEN tree, a folder of archives, or one with labels.csv (file,text) and "
            "files of ink; default: unipen in $GTN_DATA."
        ),
    ] = None
    checkpoint: Annotated[
        Path | None, typer.Option(help="A reader of words; default: the shipped one.")
    ] = None
    characters: Annotated[
        Path | None,
        typer.Option(help="A network of single characters (UNIPEN); default: the shipped one."),
    ] = None
    system: System = None
    lexicon: Annotated[
        Path | None,
        typer.Option(help="A file of words; default: all labels of the data and frequent English."),
    ] = None
    size: Size = None
    order: OrderToo = None
    most: Annotated[
        int | None, typer.Option(min=1, help="Read so many words, evenly from all.")
    ] = None
    holdout: Annotated[
        int,
        typer.Option(min=0, help="The last N names of labels.csv only, which adapt left out."),
    ] = 0
    cache: Cache = None
    as_json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False
    side: Annotated[
        str | None,
        typer.Option(
            help="Whose ink (UNIPEN): test, validation, left-out or train; default: test."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse unknown names, and two readers."""
        if self.side is not None:
            require_known(self.side, SIDES, "--side")
        require_reader(self.system, self.checkpoint)
        require_file(self.characters)
        require_file(self.lexicon)
        require_size(self.lexicon, self.size)
