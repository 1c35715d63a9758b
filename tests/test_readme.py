"""The README is true: its program runs and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_shortest_useful_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    program = re.search(r"```python\n(.*?)```", README.read_text(), re.S)
    assert program is not None
    names: dict[str, object] = {}
    exec(program.group(1), names)
    word, penalty = capsys.readouterr().out.split()
    assert word == "cat"
    assert float(penalty) == pytest.approx(0.8)
    assert names["scores"].grad.abs().sum() > 0  # type: ignore[attr-defined]


def test_files_that_it_links_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (README.parent / target).exists(), target
