"""``python -m demos.mnist``: the command line of the digit recognizers."""

from __future__ import annotations

import sys

import typer

from demos.checks.checkpoint import CheckpointError
from demos.mnist.results import ResultError

app = typer.Typer(
    help="Handwritten digits: LeNet-5 and its rivals.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def about() -> None:
    """Say what the program is (typer needs this while there is one command)."""


def main() -> None:
    """Run the command line; errors of the user's files end in one line, not in a traceback."""
    try:
        app()
    except (CheckpointError, FileNotFoundError, ResultError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
