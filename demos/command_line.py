"""How modules that are one command run: errors of the user's files end in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

__all__ = ["run"]


def run(command: Callable[..., Any]) -> None:
    """Run a function as a command line; what its files lack is one line on standard error."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except (OSError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
