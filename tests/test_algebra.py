"""docs/algebra.md is true: examples run, pictures show their results, no operation is missing."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import gtn

DOCS = Path(__file__).parents[1] / "docs"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def algebra() -> ModuleType:
    specification = importlib.util.spec_from_file_location("algebra_page", DOCS / "algebra.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def public_operations() -> set[str]:
    """The functions of gtn and gtn.dense, and the modules and functions of gtn.nn."""
    verbs = {f"gtn.{n}" for n in gtn.__all__ if inspect.isfunction(getattr(gtn, n))}
    modules = {f"gtn.nn.{n}" for n in gtn.nn.__all__ if n != "EditAlignment"}  # a result
    dense = {
        f"gtn.dense.{n}" for n in gtn.dense.__all__ if inspect.isfunction(getattr(gtn.dense, n))
    }
    return {n for n in verbs | modules | dense if not n.endswith("_float64")}


def test_every_public_operation_is_in_the_table_once(algebra: ModuleType) -> None:
    named = [name for row in algebra.operations() for name in row["names"]]
    assert len(named) == len(set(named))
    assert public_operations() == set(named)


def test_rows_are_whole(algebra: ModuleType) -> None:
    needed = ("group", "what", "cost", "semirings", "gradients", "source", "example", "draw")
    known = {*needed, *algebra.NEIGHBOURS, "names"}
    for row in algebra.operations():
        assert all(row.get(key) for key in needed), row["names"]
        assert row.keys() <= known, row["names"]
        for author in re.findall(r"\b([A-Z][\wéü]+)(?: et al\.| and \w+)? \d{4}", row["source"]):
            assert author in algebra.SOURCES, row["source"]


def test_the_page_and_its_pictures_are_those_of_the_table(algebra: ModuleType) -> None:
    written = algebra.pages()
    assert {p for p in written if p.suffix == ".svg"} == set((DOCS / "algebra").glob("*.svg"))
    for path, text in written.items():
        found = path.read_text(encoding="utf-8")
        note = f"{path.name} is out of date: python docs/algebra.py"
        if path.suffix == ".md":
            assert found == text, note
        else:  # a layout solves least squares, whose last digit may differ on other machines
            assert NUMBER.sub("#", found) == NUMBER.sub("#", text), note
            pairs = zip(NUMBER.findall(found), NUMBER.findall(text), strict=True)
            assert all(abs(float(a) - float(b)) <= 0.5 for a, b in pairs), note
