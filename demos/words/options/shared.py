"""The options that several commands share."""

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

Checkpoint = Annotated[
    Path | None, typer.Option(help="Checkpoint of a reader; default: the shipped one.")
]
System = Annotated[
    str | None,
    typer.Option(help=f"A shipped reader: {', '.join(SYSTEMS)} (default: the first)."),
]
Lexicon = Annotated[
    Path | None,
    typer.Option(help="Lexicon, one word per line; default: frequent words of English."),
]
Size = Annotated[
    int | None,
    typer.Option(
        "--words", min=1, help=f"Size of the lexicon of frequent English; default: {SIZE}."
    ),
]
Free = Annotated[
    bool, typer.Option("--free", help="Read any letters, by n-grams of letters, without a lexicon.")
]
Order = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="With --free: letters per n-gram; 0: all letters equally likely; "
        f"default: {SPELLING_ORDER}.",
    ),
]
OrderToo = Annotated[
    int | None,
    typer.Option(
        "--order",
        min=0,
        help="For reading without a lexicon: letters per n-gram; 0: all letters equally likely; "
        f"default: {SPELLING_ORDER}.",
    ),
]
Beam = Annotated[
    float | None,
    typer.Option(min=0.0, help=f"Beam in nats; default: {BEAM:g}, with --free {FREE_BEAM:g}."),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        callback=folder_to_write, help="Folder that caches the UNIPEN data read, for the next run."
    ),
]


def require_reader(
    system: str | None, checkpoint: Path | None, option: str = "--checkpoint"
) -> None:
    """Stop at an unknown shipped reader, one given beside a checkpoint, or a missing checkpoint."""
    if system is not None:
        require_known(system, SYSTEMS, "--system")
        if checkpoint is not None:
            wrong = f"names a shipped reader, but {option} is given, too"
            raise typer.BadParameter(wrong, param_hint="--system")
    require_file(checkpoint)


def require_size(lexicon: Path | None, size: int | None) -> None:
    """Stop if ``--words`` is given with a lexicon."""
    if size is not None and lexicon is not None:
        raise typer.BadParameter(
            "is the size of the English lexicon; it has no effect with --lexicon",
            param_hint="--words",
        )


def require_list(lexicon: Path | None, size: int | None, free: bool, order: int | None) -> None:
    """Stop if options ask for several lexicons, or for a lexicon and for any letters."""
    if free and lexicon is not None:
        raise typer.BadParameter(
            "give --free (any letters) or --lexicon (the words of a file), not both"
        )
    if size is not None and (free or lexicon is not None):
        wrong = "is the size of the English lexicon; it has no effect with --free or --lexicon"
        raise typer.BadParameter(wrong, param_hint="--words")
    if order is not None and not free:
        raise typer.BadParameter("has no effect without --free", param_hint="--order")
