"""The tutorial runs as it stands."""

import doctest
from pathlib import Path

import pytest
import torch

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"


def test_the_tutorial_runs() -> None:
    pytest.importorskip("sklearn", reason="the digits of scikit-learn")
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    state = torch.random.get_rng_state()
    found = doctest.testfile(str(TUTORIAL), module_relative=False, optionflags=options)
    torch.random.set_rng_state(state)
    assert found.failed == 0
    assert found.attempted > 40
