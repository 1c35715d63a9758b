"""The pages that teach run as they stand."""

import doctest
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(("page", "examples"), [("tutorial", 40), ("speech", 60)])
def test_the_page_runs(page: str, examples: int) -> None:
    if page == "tutorial":
        pytest.importorskip("sklearn", reason="the digits of scikit-learn")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    state = torch.random.get_rng_state()
    found = doctest.testfile(str(DOCS / f"{page}.md"), module_relative=False, optionflags=options)
    torch.random.set_rng_state(state)
    assert found.failed == 0
    assert found.attempted > examples
