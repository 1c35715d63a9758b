"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demos.command_line import folder_to_write, require_file, require_known
from demos.words.choices import BEAM, FREE_BEAM, SIZE, SPELLING_ORDER, SYSTEMS

__all__ = [
    "Beam",
    "Cache",
    "Checkpoint",
    "Free",
    "Lexicon",
    "Order",
    "OrderToo",
    "Size",
    "System",
    "require_list",
    "require_reader",
    "require_size",
]

Checkpoint = Annotated[Path | None, typer.Option(help="A reader; default: the shipped one.")]
System = Annotated[
    str | None,
    typer.Option(help=f"Of the shipped readers: {', '.join(SYSTEMS)} (the first)."),
]
Lexicon = Annotated[
    Path | None, typer.Option(help="A file with a word to a line; default: frequent English.")
]
Size = Annotated[
    int | None,
    typer.Option("--words", min=1, help=f"How many words of English; default {SIZE}."),
]
Free = Annotated[
    bool, typer.Option("--free", help="Any letters, as they follow each other in words; no list.")
]
Order = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="With --free: of so many letters in a row; 0: all are alike; "
        f"default {SPELLING_ORDER}.",
    ),
]
OrderToo = Annotated[
    int | None,
    typer.Option(
        "--order",
        min=0,
        help="Read without a list, too: of so many letters in a row; 0: all are alike; "
        f"default {SPELLING_ORDER}.",
    ),
]
Beam = Annotated[
    float | None, typer.Option(min=0.0, help=f"In nats; default {BEAM:g}, --free {FREE_BEAM:g}.")
]
Cache = Annotated[
    Path | None,
    typer.Option(
        callback=folder_to_write, help="A folder that keeps what was read, for the next time."
    ),
]


def require_reader(
    system: str | None, checkpoint: Path | None, option: str = "--checkpoint"
) -> None:
    """Stop if no reader is shipped by a name, if it is beside a checkpoint, or if that is none."""
    if system is not None:
        require_known(system, SYSTEMS, "--system")
        if checkpoint is not None:
            wrong = f"names a shipped reader, and {option} another"
            raise typer.BadParameter(wrong, param_hint="--system")
    require_file(checkpoint)


def require_size(lexicon: Path | None, size: int | None) -> None:
    """Stop if a number of words is asked for beside a list of them."""
    if size is not None and lexicon is not None:
        raise typer.BadParameter("of English; not with a --lexicon", param_hint="--words")


def require_list(lexicon: Path | None, size: int | None, free: bool, order: int | None) -> None:
    """Stop if options ask for several lists of words, or for a list and for any letters."""
    if free and lexicon is not None:
        raise typer.BadParameter("any letters, or the words of a file; not both")
    if size is not None and (free or lexicon is not None):
        wrong = "of English; not with --free, nor with a --lexicon"
        raise typer.BadParameter(wrong, param_hint="--words")
    if order is not None and not free:
        raise typer.BadParameter("of any letters; give --free, too", param_hint="--order")
