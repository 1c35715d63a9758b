"""How the command lines run: what is wrong with a user's files ends in one line; common options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Mnist", "run", "run_command"]

Mnist = Annotated[Path | None, typer.Option(help="Folder of MNIST; default: mnist in $GTN_DATA.")]
"""The option of what :func:`recognizers.datasets.fields.find_data` finds by the name ``mnist``."""


def run(app: typer.Typer) -> None:
    """Run a command line; errors of the user's files end in one line, not in a traceback."""
    try:
        app()
    except (OSError, ValueError) as error:  # of files and of graphs: all of ours are one of them
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


def run_command(command: Callable[..., Any]) -> None:
    """Run a function as a command line of its own, as :func:`run` does."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(command)
    run(app)
