"""Every kernel runs at least once as Python with checked indexes, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import checked_numba
import numpy as np
import pytest

import gtn

PROGRAM = """
import checked_numba
import numba

numba.njit = checked_numba.interpreted

import every_kernel

every_kernel.main()
"""


def test_indexes_are_checked():
    @checked_numba.interpreted(cache=True)
    def at(values, index):
        made = np.zeros(len(values))
        return values[index], values[1:][index], made[index]

    assert at(np.arange(3), 1) == (1, 2, 0)
    for index in (3, 2, -1):  # beyond all, beyond a part, and around
        with pytest.raises(IndexError, match=r"out of bounds|negative index"):
            at(np.arange(3), index)
    with pytest.raises(IndexError, match="negative index"):
        checked_numba.interpreted(lambda values: values[: len(values) - 4])(np.arange(3))
    assert type(checked_numba.interpreted(lambda values: (values,))(np.arange(3))[0]) is np.ndarray


def test_kernels_stay_within_their_arrays():
    folders = [str(Path(gtn.__file__).parents[1]), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [], "these did not run"
