"""What all tests share: hypothesis profiles, the folder of real data, and which go first."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that compile kernels for themselves alone first.

    Meanwhile the other worker, which begins in the middle of the list, fills the cache of compiled
    kernels that all tests share. Workers that begin side by side compile the same kernels twice.
    """
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


BESIDE = Path(__file__).parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data: GTN_DATA, or ../shared/data beside the checkout; else skip."""
    folder = Path(os.environ.get("GTN_DATA") or BESIDE).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set GTN_DATA to its folder")
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """One torch thread for tests of networks. The networks are small, and two workers that both run
    a thread on each core can wait for each other a hundred times longer than they compute."""
    before = torch.get_num_threads()
    if request.path.relative_to(Path(__file__).parent).parts[0] in ("demos", "recognizers"):
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
