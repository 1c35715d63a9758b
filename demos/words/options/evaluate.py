"""Options of the command ``evaluate``."""

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
    """Measure readers on the test writers of the public pack and on writers it does not have.

    In a folder with labels.csv (file,text), the words held out are read, or else all.
    Its files have the formats that the command read takes, one word in each. Files that
    cannot be read are reported and left out. Words that are not in the --lexicon, and
    texts with characters other than letters, are reported and count as errors.
    """

    context: typer.Context
    data: Annotated[
        Path | None,
        typer.Option(
            help="UNIPEN tree, folder of UNIPEN archives, or folder of ink with labels.csv "
            "(file,text); default: unipen in $GTN_DATA."
        ),
    ] = None
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint of a reader; default: the shipped one.")
    ] = None
    characters: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint of a network of characters (UNIPEN); default: the shipped one."
        ),
    ] = None
    system: System = None
    lexicon: Annotated[
        Path | None,
        typer.Option(
            help="Lexicon, one word per line; default: all labels and frequent words of English."
        ),
    ] = None
    size: Size = None
    order: OrderToo = None
    most: Annotated[
        int | None, typer.Option(min=1, help="Read at most N words, sampled evenly from all.")
    ] = None
    holdout: Annotated[
        int,
        typer.Option(
            min=0,
            help="Hold out the last N names of labels.csv, besides its rows of the split test: "
            "train leaves them out, evaluate measures them.",
        ),
    ] = 0
    cache: Cache = None
    as_json: Annotated[
        bool, typer.Option("--json", help="End with the figures as one line of JSON.")
    ] = False
    side: Annotated[
        str | None,
        typer.Option(
            help="Side of the writers (UNIPEN): test, validation, left-out or train; default: test."
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
