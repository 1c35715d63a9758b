"""Slices of a batch over threads: each problem once, whatever fails."""

import pytest
import torch

from gtn.threads import in_slices


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1000])
def test_every_problem_is_in_one_slice_in_order(threads, count):
    found = in_slices(lambda first, last: list(range(first, last)), count)
    assert [i for part in found for i in part] == list(range(count))
    assert all(found)


def test_an_error_in_a_slice_reaches_the_caller_and_the_threads_work_on(threads):
    done = []

    def task(first, last):
        done.extend(range(first, last))
        if first <= 20 < last:
            raise ValueError("the twentieth")
        return first

    with pytest.raises(ValueError, match="the twentieth"):
        in_slices(task, 64)
    assert sorted(done) == list(range(64))  # nobody is still at work when the error arrives
    assert sum(in_slices(lambda first, last: last - first, 64)) == 64
