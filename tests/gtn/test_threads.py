"""Slices of a batch in threads: each problem is done once, whatever fails."""

import importlib
import pkgutil
import signal
import typing

import pytest
import torch
from numba.core import types
from numba.core.dispatcher import Dispatcher

import gtn
import gtn.kernels
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
    assert sorted(done) == list(range(64))  # no thread is still at work when the error arrives
    assert sum(in_slices(lambda first, last: last - first, 64)) == 64


def test_a_signal_handler_that_only_sets_a_flag_changes_nothing(threads):
    torch.manual_seed(0)
    emissions, topology = torch.randn(4, 30, 5), gtn.nn.ctc_topology(5)

    def work():
        lattice = gtn.linear(emissions) @ topology
        best = gtn.n_best(lattice[0], 3, distinct=True)
        return gtn.nn.CTCLoss()(emissions, [[1, 2]] * 4).item(), gtn.path_text(best)

    wanted, came = work(), []
    before = signal.signal(signal.SIGALRM, lambda *_: came.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        assert all(work() == wanted for _ in range(20))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert came


def test_no_kernel_returns_a_named_tuple():
    """Numba makes one by calling Python, and an interrupt there ended the process."""
    gtn.dense.forward_penalty(torch.rand(3, 2), gtn.string([0, 1]))
    returned, made = {}, []
    for module in pkgutil.iter_modules(gtn.kernels.__path__, "gtn.kernels."):
        kernels = importlib.import_module(module.name)
        for name in kernels.__all__:
            kernel = getattr(kernels, name)
            if isinstance(kernel, Dispatcher):
                full = f"{module.name}.{name}"
                returned[full] = typing.get_type_hints(kernel.py_func)["return"]
                made += [(full, kind.return_type) for kind in kernel.nopython_signatures]
    assert len(returned) > 40
    assert "gtn.kernels.layout.arrange" in dict(made)
    assert not [name for name, kind in made if isinstance(kind, types.BaseNamedTuple)]
    assert not [name for name, kind in returned.items() if hasattr(kind, "_fields")]
