"""The pages that teach run as they are printed."""

import doctest
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import gtn

DOCS = Path(__file__).parents[1] / "docs"


@cache
def run(page: str) -> tuple[dict[str, Any], int, int]:
    """Run the examples of a page; return its names, how many failed and how many there are."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    test = doctest.DocTestParser().get_doctest(text, names, page, f"{page}.md", 0)
    state = torch.random.get_rng_state()
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    found = doctest.DocTestRunner(optionflags=options).run(test, clear_globs=False)
    torch.random.set_rng_state(state)
    return test.globs, found.failed, found.attempted


@pytest.mark.parametrize(("page", "examples"), [("tutorial", 40), ("speech", 60), ("models", 60)])
def test_the_page_runs(page: str, examples: int) -> None:
    if page == "tutorial":
        pytest.importorskip("sklearn", reason="the digits of scikit-learn")
    _, failed, attempted = run(page)
    assert failed == 0
    assert attempted > examples


@pytest.mark.parametrize("beam", [False, True])
def test_the_other_objectives_of_the_page_on_speech_run(beam: bool) -> None:
    """Each row of its last table runs on both graphs that the page names, with two derivatives."""
    page = (DOCS / "speech.md").read_text(encoding="utf-8")
    text = " ".join(page.partition("## Other objectives")[2].split())
    rows = re.findall(r"\| `([^`]+)` \|", text)
    graphs = re.findall(r"`recognized = ([^`]+)`", text)
    assert len(rows) == 6
    assert len(graphs) == 2
    names = dict(run("speech")[0])
    names["emissions"] = emissions = names["emissions"].double().requires_grad_()
    exec(f"recognized = {graphs[beam]}", names)
    recognized = names["recognized"]
    names["target"] = gtn.string(["see", "the", "sea"], symbols=recognized.osymbols)
    names["values"] = torch.ones(recognized.num_arcs, dtype=torch.float64)
    names["temperature"] = 2.0
    for row in rows:
        exec(f"value = {row}", names)
        value = names["value"]
        if not isinstance(value, torch.Tensor):
            value = gtn.forward_penalty(value)
        (first,) = torch.autograd.grad(value.sum(), emissions, create_graph=True)
        assert first.isfinite().all(), row
        assert first.abs().sum() > 0, row
        if first.requires_grad:
            (second,) = torch.autograd.grad((first**2).sum(), emissions, retain_graph=True)
            assert second.isfinite().all(), row
