"""Figures as the commands show them: one line of JSON, or a line for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

__all__ = ["echo_figures", "shown"]


def shown(value: Any) -> str:
    """Return a figure as people read it: counts whole, other numbers to four places.

    >>> shown(10000), shown(0.123456), shown({"n": 2})
    ('10000', '0.1235', '{"n": 2}')
    """
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def echo_figures(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print figures: as one line of JSON, or name and value on a line each."""
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:24} {shown(value)}")
