"""The map from the paper to the code is true: every name and every command on it exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import typer

PAGE = Path(__file__).parents[1] / "docs" / "paper.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_names_exist() -> None:
    names = re.findall(r"`((?:gtn|recognizers|grammars|demos)\.[\w.]+)`", TEXT)
    assert len(names) > 40
    for name in names:
        assert resolve_name(name) is not None, name


def test_commands_exist() -> None:
    commands = set(re.findall(r"`python -m (demos\.\w+) ([\w-]+)`", TEXT))
    assert len(commands) > 10
    for demo, command in commands:
        app = typer.main.get_command(import_module(f"{demo}.__main__").app)
        assert command in app.commands, f"{demo} {command}"  # type: ignore[attr-defined]


def test_links_lead_to_pages() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PAGE.parent / target).is_file(), target
