"""The API reference: generated from the docstrings, with every public name in it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gtn
import gtn.testing

MAKEFILE = Path(__file__).parents[1] / "Makefile"


def test_the_reference_has_every_public_name(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="the reference is made by pdoc")
    command = re.search(r"-m pdoc (--docformat \S+)", MAKEFILE.read_text())
    assert command is not None
    options = [*command.group(1).split(), "--output-directory", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pdoc", *options, "gtn", "gtn.testing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for module, names in (("gtn", gtn.__all__), ("gtn/testing", gtn.testing.__all__)):
        page = (tmp_path / f"{module}.html").read_text(encoding="utf-8")
        found = set(re.findall(r'id="(\w+)"', page))
        modules = {"dense", "nn"} if module == "gtn" else set()
        assert set(names) - modules <= found, set(names) - modules - found
    for name in ("dense", "nn"):
        assert (tmp_path / "gtn" / f"{name}.html").exists()
