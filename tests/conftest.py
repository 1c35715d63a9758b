"""What all tests share: hypothesis profiles and the folder of real data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

BESIDE = Path(__file__).parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: GTN_DATA, or ../shared/data beside the checkout; else skip."""
    folder = Path(os.environ.get("GTN_DATA") or BESIDE).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set GTN_DATA to its folder")
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One torch thread: more of them only get in each other's way on small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
