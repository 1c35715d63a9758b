"""Run the command lines, and report errors in a user's files or options in one line.

A command is declared by its options, a dataclass, and by the name of the function that executes it.
The options import nothing slow. The function's module is loaded only once the command is chosen and
its options are valid, so help and errors in options appear at once.
"""

from __future__ import annotations

import codecs
import inspect
import io
import os
import pkgutil
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

__all__ = [
    "Command",
    "Holdout",
    "Mnist",
    "Seed",
    "TablePage",
    "app_of",
    "app_of_one",
    "checkpoint_to_write",
    "echo_problems",
    "figures_to_write",
    "file_to_write",
    "folder_to_write",
    "labelled",
    "page_to_write",
    "refuse_given",
    "require_file",
    "require_folder",
    "require_known",
    "run",
]

Mnist = Annotated[Path | None, typer.Option(help="MNIST folder; default: mnist in $GTN_DATA.")]
"""The MNIST folder; :func:`recognizers.datasets.fields.find_data` finds the default."""

Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of everything random.")]
"""The seed of everything random; batch numbers are added to a multiple of it."""

Holdout = Annotated[
    int,
    typer.Option(
        min=0,
        help="Hold out the last N names of labels.csv, besides its rows of the split test: train "
        "leaves them out, evaluate measures them.",
    ),
]
"""How many names of ``labels.csv`` are held out."""

TablePage = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Markdown page whose table is rewritten."),
]


def run(app: typer.Typer) -> None:
    """Run a command line; errors in the user's files end in one line, not in a traceback.

    File names that are not text in the output encoding are printed all the same: as their bytes in
    UTF-8, escaped otherwise.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        is_utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
    try:
        app()
    except (OSError, ValueError) as error:  # all of our errors are one of these
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


class Command(NamedTuple):
    """Declare a command.

    Attributes:
        name: its name on the command line.
        options: a dataclass whose fields are its options and arguments, annotated as typer expects
            of function parameters, and whose docstring is its help. Its ``__post_init__`` refuses
            combinations of options that are invalid.
        does: the function that is called with them, ``"package.module:function"``.
        panel: the heading that the list of commands shows it under, if any.
    """

    name: str
    options: type
    does: str
    panel: str | None = None


def app_of(help: str, commands: Iterable[Command]) -> typer.Typer:
    """Return the command line of several commands."""
    app = typer.Typer(help=help, no_args_is_help=True, pretty_exceptions_enable=False)
    for one in commands:
        app.command(one.name, rich_help_panel=one.panel)(_callback(one))
    return app


def app_of_one(command: Command) -> typer.Typer:
    """Return the command line of a program with a single command."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command(command.name)(_callback(command))
    return app


def _callback(command: Command) -> Callable[..., None]:
    """Return the function that typer calls with each option by its name."""

    def callback(**given: Any) -> None:
        options = command.options(**given)
        pkgutil.resolve_name(command.does)(options)

    callback.__doc__ = command.options.__doc__
    # typer inspects the signature: give it that of the dataclass.
    vars(callback)["__signature__"] = inspect.signature(command.options, eval_str=True)
    return callback


def require_known(value: str, known: Collection[str], option: str) -> None:
    """Stop if the value of an option is not a known one, and list the known ones."""
    if value not in known:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}", param_hint=option)


def refuse_given(context: typer.Context, names: Collection[str], why: str) -> None:
    """Stop if any of these options was given where it has no effect, and say why."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is not None and source.name != "DEFAULT":
            option = max(parameter.opts, key=len)
            raise typer.BadParameter(f"has no effect here: {why}", param_hint=option)


def require_file(path: Path | None) -> None:
    """Stop, with the message of the readers, if a file to read, such as a checkpoint, is missing.

    Raises:
        FileNotFoundError: the path does not exist, or is a folder.
    """
    if path is not None and not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {what}")


def labelled(data: Path | None) -> Path | None:
    """Return ``--data`` if it is a user's own folder, with ``labels.csv``; ``None`` otherwise."""
    return data if data is not None and (data / "labels.csv").is_file() else None


def require_folder(path: Path | None) -> None:
    """Stop as :func:`require_file` does if a folder to read is missing."""
    if path is not None and not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder")


def folder_to_write(path: Path | None) -> Path | None:
    """Stop before any work if the path cannot be a folder to write to."""
    if path is not None:
        if path.exists() and not path.is_dir():
            raise typer.BadParameter(f"{path} is a file; a folder is written to")
        _require_writable(path)
    return path


def file_to_write(path: Path | None) -> Path | None:
    """Stop before any work if the path cannot be a file to write."""
    if path is not None:
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; a file is written")
        if path.is_file() or not path.exists():  # neither: a device, which needs no folder
            folder = path.parent
            if path.is_symlink():  # written through the link; its folder is not created
                target = Path(os.path.realpath(path))
                folder = target.parent
                if target.is_symlink() or not folder.is_dir():
                    raise _leads_nowhere(path)
            _require_writable(folder)
    return path


def page_to_write(path: Path | None) -> Path | None:
    """Stop as :func:`file_to_write` does, or if the file exists and is not an HTML page."""
    return _to_replace(path, "page of HTML", lambda start: start.lstrip()[:5].lower() == b"<!doc")


def figures_to_write(path: Path | None) -> Path | None:
    """Stop as :func:`file_to_write` does, or if the file exists and is not figures in JSON."""
    return _to_replace(path, "file of figures", lambda start: start.lstrip()[:1] == b"{")


def checkpoint_to_write(path: Path | None) -> Path | None:
    """Stop as :func:`file_to_write` does, or if the file exists and is not a checkpoint."""
    return _to_replace(path, "checkpoint", lambda start: start[8:9] == b"{")  # safetensors


def _to_replace(path: Path | None, kind: str, is_of_kind: Callable[[bytes], bool]) -> Path | None:
    """Stop if a file of another kind, such as an input of the command, would be overwritten."""
    file_to_write(path)
    if path is not None and path.is_file():
        with path.open("rb") as file:
            start = file.read(64)
        if start and not is_of_kind(start):
            raise typer.BadParameter(f"{path} exists and is not a {kind}: it would be lost")
    return path


def _require_writable(folder: Path) -> None:
    """Stop if a folder, or its nearest existing ancestor, cannot be written to."""
    while not folder.exists() and folder != folder.parent:
        if folder.is_symlink():
            raise _leads_nowhere(folder)
        folder = folder.parent
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder} is a file; a folder is needed there")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{folder} cannot be written to")


def _leads_nowhere(link: Path) -> typer.BadParameter:
    return typer.BadParameter(f"{link} is a link that leads nowhere")


def echo_problems(problems: Iterable[str]) -> None:
    """Print what is left out on the error output, one line each."""
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
