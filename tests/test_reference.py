"""The API reference, generated from the docstrings, has every public name."""

import re
import shutil
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


def test_modules_of_packages_that_name_what_they_have_are_asked_for_themselves() -> None:
    if shutil.which("make") is None:
        pytest.skip("the Makefile is read by make")
    root = MAKEFILE.parent
    done = subprocess.run(
        ["make", "--dry-run", "docs"], cwd=root, capture_output=True, text=True, check=True
    )
    asked = set(done.stdout.split())
    hiding = [
        package.parent
        for top in ("recognizers", "grammars", "demos")
        for package in (root / top).rglob("__init__.py")
        if "__all__" in package.read_text(encoding="utf-8")
    ]
    hidden = {
        ".".join(module.relative_to(root).with_suffix("").parts)
        for folder in hiding
        for module in folder.glob("[a-z]*.py")
    }
    assert "recognizers.segmentation.cuts" in hidden
    assert hidden <= asked, hidden - asked
