"""How the command lines run: what is wrong with a user's files or options ends in one line.

A command is declared by its options, a dataclass, and by the name of the function that does it with
them. The options import nothing that takes long, and the function's module is loaded only when the
command is chosen and its options are right: help, and what is wrong with an option, come at once.
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

Mnist = Annotated[Path | None, typer.Option(help="Folder of MNIST; default: mnist in $GTN_DATA.")]
"""The option of what :func:`recognizers.datasets.fields.find_data` finds by the name ``mnist``."""

Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of everything random.")]
"""The option of what all that is random is drawn by; numbers of batches are added to a multiple."""

TablePage = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Page of which the table is to be rewritten."),
]


def run(app: typer.Typer) -> None:
    """Run a command line; errors of the user's files end in one line, not in a traceback.

    Names of files that are no text in the encoding of the output come out as they are.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        is_utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")
    try:
        app()
    except (OSError, ValueError) as error:  # of files and of graphs: all of ours are one of them
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


class Command(NamedTuple):
    """A command as it is declared.

    Attributes:
        name: what it is called on the command line.
        options: a dataclass whose fields are its options and arguments, as typer takes those of
            functions, and whose docstring is its help. What is wrong with the options together,
            ``__post_init__`` refuses.
        does: the function that is called with them, ``"package.module:function"``.
        panel: the heading that it stands under in the help of all commands, if it has one.
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
    """Return the command line of a command that is one by itself."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command(command.name)(_callback(command))
    return app


def _callback(command: Command) -> Callable[..., None]:
    """Return what typer calls with each option by its name."""

    def callback(**given: Any) -> None:
        options = command.options(**given)
        pkgutil.resolve_name(command.does)(options)

    callback.__doc__ = command.options.__doc__
    # typer asks a function for its signature: here it is that of the dataclass.
    vars(callback)["__signature__"] = inspect.signature(command.options, eval_str=True)
    return callback


def require_known(value: str, known: Collection[str], option: str) -> None:
    """Stop with the known values of an option if the given one is none of them."""
    if value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)


def refuse_given(context: typer.Context, names: Collection[str], why: str) -> None:
    """Stop if one of some options was given, which has no effect beside others, and say why."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is not None and source.name != "DEFAULT":
            option = max(parameter.opts, key=len)
            raise typer.BadParameter(f"has no effect here: {why}", param_hint=option)


def require_file(path: Path | None) -> None:
    """Stop if what a command is to read, such as a checkpoint, is no file: say it as readers do.

    Raises:
        FileNotFoundError: there is nothing, or a folder.
    """
    if path is not None and not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {what}")


def labelled(data: Path | None) -> Path | None:
    """Return what ``--data`` names if it is a folder of one's own, with ``labels.csv``."""
    return data if data is not None and (data / "labels.csv").is_file() else None


def require_folder(path: Path | None) -> None:
    """Stop as :func:`require_file`, if what a command is to read is no folder."""
    if path is not None and not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder")


def folder_to_write(path: Path | None) -> Path | None:
    """Stop, before anything is done, if what an option names can be no folder to write to."""
    if path is not None:
        if path.exists() and not path.is_dir():
            raise typer.BadParameter(f"{path} is a file; a folder is written to")
        _require_writable(path)
    return path


def file_to_write(path: Path | None) -> Path | None:
    """Stop, before anything is done, if what an option names can be no file to write."""
    if path is not None:
        if path.is_dir():
            raise typer.BadParameter(f"{path} is a folder; a file is written")
        if path.is_file() or not path.exists():  # a device has its own place
            folder = path.parent
            if path.is_symlink():  # it is written through; no folder is made there
                target = Path(os.path.realpath(path))
                folder = target.parent
                if target.is_symlink() or not folder.is_dir():
                    raise _leads_nowhere(path)
            _require_writable(folder)
    return path


def page_to_write(path: Path | None) -> Path | None:
    """Stop as :func:`file_to_write`, and if there is a file that is no page of HTML."""
    return _to_replace(path, "page of HTML", lambda start: start.lstrip()[:5].lower() == b"<!doc")


def figures_to_write(path: Path | None) -> Path | None:
    """Stop as :func:`file_to_write`, and if there is a file that holds no figures, in JSON."""
    return _to_replace(path, "file of figures", lambda start: start.lstrip()[:1] == b"{")


def checkpoint_to_write(path: Path | None) -> Path | None:
    """Stop as :func:`file_to_write`, and if there is a file that is no checkpoint."""
    return _to_replace(path, "checkpoint", lambda start: start[8:9] == b"{")  # safetensors


def _to_replace(path: Path | None, kind: str, is_of_kind: Callable[[bytes], bool]) -> Path | None:
    """Stop where a file of another kind would be lost, such as one that the command reads."""
    file_to_write(path)
    if path is not None and path.is_file():
        with path.open("rb") as file:
            start = file.read(64)
        if start and not is_of_kind(start):
            raise typer.BadParameter(f"{path} is there, and no {kind}: it would be lost")
    return path


def _require_writable(folder: Path) -> None:
    """Stop if a folder, or the nearest one above it that is there, cannot be written to."""
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
    """Say on the error output what is left out, a line each."""
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)
