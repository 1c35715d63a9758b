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
    commands = set(re.findall(r"`python -m (demos\.\w+) ([\w-]+)([^`]*)`", TEXT))
    assert len(commands) > 10
    assert len(commands) == len(set(re.findall(r"`python[^`]*`", TEXT)))
    for demo, command, options in commands:
        app = typer.main.get_command(import_module(f"{demo}.__main__").app)
        assert command in app.commands, f"{demo} {command}"  # type: ignore[attr-defined]
        known = app.commands[command].params  # type: ignore[attr-defined]
        for option in re.findall(r"--[\w-]+", options):
            assert any(option in (*p.opts, *p.secondary_opts) for p in known), f"{command} {option}"


def test_no_equation_or_figure_is_missing() -> None:
    """Each of the 27 equations and 34 figures has a row or is listed as left out."""
    for kind, last in (("eqs?", 27), ("Figs?", 34)):
        found: set[int] = set()
        for numbers in re.findall(rf"{kind}\. (\d+(?:(?:, | and | to )\d+)*)", TEXT):
            for one, to in re.findall(r"(\d+)(?: to (\d+))?", numbers):
                found.update(range(int(one), int(to or one) + 1))
        assert found == set(range(1, last + 1)), kind


def test_links_lead_to_pages() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PAGE.parent / target).is_file(), target
