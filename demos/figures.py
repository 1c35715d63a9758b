"""Print figures as commands do, in one line of JSON or one line each; keep and load them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from demos.checkpoint import write_whole

__all__ = ["echo_figures", "figures_folder", "keep_figures", "load_figures", "machine", "shown"]


def shown(value: Any) -> str:
    """Return a figure for people to read: counts whole, other numbers to four digits.

    >>> shown(10000), shown(0.123456), shown({"n": 2})
    ('10000', '0.1235', '{"n": 2}')
    """
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def machine() -> str:
    """Describe this machine: the variable GTN_MACHINE, or cores and processor."""
    given = os.environ.get("GTN_MACHINE")
    return given or f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


def keep_figures(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON, the whole file or nothing; create missing folders."""
    write_whole(path, json.dumps(figures, indent=1) + "\n")


def figures_folder(
    given: Path | None, checkpoint: Path | None, shipped: Iterable[Path], published: Path
) -> Path:
    """Return the folder for new figures: the one given, or the place where they belong.

    Figures of a shipped checkpoint (``None``: the default one) go to ``published``, those of any
    other beside it.

    >>> shipped, published = [Path("weights/words.safetensors")], Path("results/words")
    >>> for one in (None, *shipped, Path("runs/mine/words.safetensors")):
    ...     print(figures_folder(None, one, shipped, published).as_posix())
    results/words
    results/words
    runs/mine
    """
    if given is not None:
        return given
    if checkpoint is None or checkpoint.resolve() in {path.resolve() for path in shipped}:
        return published
    return checkpoint.parent


def load_figures(path: Path) -> dict[str, Any]:
    """Return the figures that a command kept in a file.

    Raises:
        ValueError: the file is not JSON, or not an object of named figures; it is named.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, or of text that is not UTF-8
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not figures, which have names")
    return found


def echo_figures(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print figures as one line of JSON, or name and value on a line each."""
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:24} {shown(value)}")
