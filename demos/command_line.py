"""How the command lines run: what is wrong with a user's files or options ends in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Mnist", "echo_problems", "require_known", "run", "run_command"]

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


def require_known(value: str, known: Collection[str], option: str) -> None:
    """Stop with the known values of an option if the given one is none of them."""
    if value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)


def echo_problems(problems: Iterable[str]) -> None:
    """Say on the error output what is left out, a line each."""
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
