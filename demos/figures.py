"""Figures as the commands show them, one line of JSON or a line for each; those that are kept."""

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
    """Return a figure as people read it: counts whole, other numbers to four places.

    >>> shown(10000), shown(0.123456), shown({"n": 2})
    ('10000', '0.1235', '{"n": 2}')
    """
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def machine() -> str:
    """Return where this runs, in words: the variable GTN_MACHINE, or cores and processor."""
    given = os.environ.get("GTN_MACHINE")
    return given or f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


def keep_figures(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures as JSON, the whole file or nothing; missing folders are made."""
    write_whole(path, json.dumps(figures, indent=1) + "\n")


def figures_folder(
    given: Path | None, checkpoint: Path | None, shipped: Iterable[Path], published: Path
) -> Path:
    """Return the folder for what is measured: the one given, or else where the figures belong.

    Those of a shipped checkpoint (``None``: the default one) are published; those of any other
    stand beside it.

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
        ValueError: the file is not of JSON, or of no figures with their names; it is named.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # that of JSON, and that of text which is no UTF-8
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: no figures, which have names")
    return found


def echo_figures(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print figures: as one line of JSON, or name and value on a line each."""
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:24} {shown(value)}")
