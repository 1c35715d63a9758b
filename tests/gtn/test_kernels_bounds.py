"""All kernels once with checked indexes: a subprocess with a cache folder of its own.

The flag is read when a kernel is compiled, so a cache that is warm would silently ignore it.
"""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = r"""
import numpy as np
import torch
from numba import njit

torch.set_num_threads(1)


@njit
def beyond(values, at):
    return values[at]


try:
    beyond(np.zeros(3), 3)
except IndexError:
    print("indexes are checked")

import gtn
from gtn.errors import CyclicGraphError, NegativeCycleError
from gtn.kernels import composition, determinization, reachability, scoring


def random_graph(rng, cyclic, weighted=True, nodes=7, arcs=14):
    n, count = int(rng.integers(0, nodes)), int(rng.integers(0, arcs))
    if n < 2:
        count = 0
    src, dst = (rng.integers(0, max(n, 1), count) for _ in range(2))
    if not cyclic:
        kept = src != dst
        src, dst = np.minimum(src, dst)[kept], np.maximum(src, dst)[kept]
    labels = [rng.integers(-1, 3, len(src)) for _ in range(2)]
    penalties = rng.integers(0, 8, len(src)) / 4 if weighted else np.zeros(len(src))
    starts, finals = (np.flatnonzero(rng.random(n) < 0.5).tolist() for _ in range(2))
    return gtn.from_arrays(
        src, dst, *labels, penalties=torch.from_numpy(penalties).requires_grad_(weighted),
        start=starts, final=finals, num_nodes=n)


def score(graph):
    gtn.viterbi_penalty(graph)
    try:
        gtn.forward_penalty(graph).sum().backward()
        gtn.arc_posteriors(graph)
        gtn.n_best(graph, 40)
    except CyclicGraphError:
        pass


rng = np.random.default_rng(0)
for round in range(60):
    a, b = random_graph(rng, round % 2), random_graph(rng, round % 3 == 0)
    for filter in composition.FILTERS:
        result = gtn.compose(a, b, filter=filter)
        gtn.transduce(
            a, b, filter=filter, check=lambda left, right: left >= right,
            fprop=lambda left, right: torch.zeros(len(left.olabels), dtype=torch.float64))
    for graph in (a, result, gtn.GraphBatch.from_graphs([a, b, a])):
        score(graph)
    negative = a.with_penalties(a.penalties.detach() - 1)
    try:
        gtn.viterbi_path(negative)
    except NegativeCycleError:
        pass
    plain = [random_graph(rng, round % 2, weighted=False) for _ in range(2)]
    for graph in (*plain, gtn.GraphBatch.from_graphs(plain)):
        gtn.minimize(gtn.determinize(graph))
    gtn.closure(a)
# Sizes beyond the first buffers.
length = 900
long = gtn.linear(torch.rand(length, 3, dtype=torch.float64, requires_grad=True))
score(long)
score(gtn.compose(long, gtn.string(rng.integers(0, 3, length), dtype=torch.float64)))
gtn.n_best(long, 300)
wide = gtn.from_arrays(rng.integers(0, 40, 2000), rng.integers(0, 40, 2000),
                       rng.integers(-1, 40, 2000), penalties=np.zeros(2000), final=39)
gtn.compose(wide, wide)
gtn.minimize(gtn.determinize(gtn.from_arrays(
    *np.sort(rng.integers(0, 40, (2, 150)), axis=0), rng.integers(0, 3, 150), final=range(40),
    num_nodes=40)))

for module in (composition, determinization, reachability, scoring):
    for name in dir(module):
        kernel = getattr(module, name)
        if hasattr(kernel, "signatures"):
            print(f"{module.__name__}.{name}", "ran" if kernel.signatures else "did not run")
"""


def test_kernels_stay_within_their_arrays(tmp_path: Path):
    import gtn

    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(gtn.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "indexes are checked" in lines
    assert len(lines) > 10
    assert [line for line in lines if line.endswith("did not run")] == []
