"""All kernels once with checked indexes: a subprocess with a cache folder of its own.

The flag is read when a kernel is compiled, so a cache that is warm would silently ignore it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
from gtn.errors import CyclicGraphError, GraphError, NegativeCycleError
from gtn.kernels import (
    alignment, beam, blocks, composition, covariances, ctc, delays, dense, determinization,
    difference, edit_distance, epsilons, failure, gathering, layout, lookahead, masses, matching,
    minimization, n_best, n_best_strings,
    reachability, sampling, scoring, shared_labels, string_sets, trimming, weighted_subsets)


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
        gtn.forward_penalty(graph.with_penalties(300 * graph.penalties.detach()))
    except CyclicGraphError:
        pass
    try:
        gtn.forward_penalty(graph).sum().backward(retain_graph=True)
        gtn.arc_posteriors(graph)
        gtn.n_best(graph, 40)
        gtn.n_best(graph, 40, distinct=True)
    except CyclicGraphError:
        pass
    try:
        gtn.shortest_distance(graph.detach(), "backward", "tropical")
        gtn.sample(graph, 5)
        gtn.entropy(graph)
        gtn.prune(graph, beam=1.0)
    except CyclicGraphError:
        pass


def decode(a, b):
    for options in ({"beam": 1.0}, {"max_active": 2}, {}):
        for others in ([b], [b, a], [gtn.GraphBatch.from_graphs([b, b])]):
            try:
                gtn.viterbi_path(a, *others, **options)
                gtn.viterbi_path(gtn.string([0, 1, 1, 0]), *others, failure=2, **options)
            except GraphError:
                pass
    try:
        gtn.compose(gtn.string([0, 1, 1, 0]), b, failure=2)
    except GraphError:
        pass


def densely(graph, classes, frames):
    count = graph.topology.batch_size
    emissions = torch.rand(count, frames, classes, dtype=torch.float64, requires_grad=True)
    lengths = rng.integers(0, frames + 1, count)
    for given in (graph, graph.detach()) if graph.topology.is_batch else (graph,):
        rows = emissions[0] if count == 1 and not given.topology.is_batch else emissions
        try:
            gtn.dense.forward_penalty(rows.detach(), given.detach(), lengths=lengths)
            value = gtn.dense.forward_penalty(rows, given, lengths=lengths)
            first = torch.autograd.grad(value.sum(), emissions, create_graph=True)[0]
            torch.autograd.grad(first.square().sum(), emissions, allow_unused=True)
            gtn.dense.arc_posteriors(rows, given, lengths=lengths)
            gtn.dense.viterbi_path(rows, given, lengths=lengths)
        except CyclicGraphError:
            pass


rng = np.random.default_rng(0)
model = gtn.Graph.from_arcs(
    [(0, 1, 2), (1, 2, 2), (1, 0, 0), (2, 0, 1), (0, 2, None)], final=2).double()
decode(model, model)
for round in range(60):
    a, b = random_graph(rng, round % 2), random_graph(rng, round % 3 == 0)
    for filter in composition.FILTERS:
        result = gtn.compose(a, b, filter=filter)
        gtn.transduce(
            a, b, filter=filter, check=lambda left, right: left >= right,
            fprop=lambda left, right: torch.zeros(len(left.olabels), dtype=torch.float64))
    for graph in (a, result, gtn.GraphBatch.from_graphs([a, b, a])):
        score(graph)
        for classes in (1, 3):
            densely(graph, classes, frames=round % 4)
    decode(a, b)
    negative = a.with_penalties(a.penalties.detach() - 1)
    try:
        gtn.viterbi_path(negative)
    except NegativeCycleError:
        pass
    plain = [random_graph(rng, round % 2, weighted=False) for _ in range(2)]
    for graph in (*plain, gtn.GraphBatch.from_graphs(plain)):
        made = gtn.determinize(graph, semiring="boolean", side="both")
        gtn.minimize(made, semiring="boolean")
        gtn.difference(a, gtn.project(graph))
    if round % 2 == 0:
        gtn.minimize(gtn.determinize(gtn.GraphBatch.from_graphs([a, a]), side="both"))
        if gtn.is_functional(a):
            gtn.determinize(a)
    try:
        gtn.remove_epsilon(a)
    except CyclicGraphError:
        pass
    gtn.closure(a)
# Sizes beyond the first buffers.
length = 900
long = gtn.linear(torch.rand(length, 3, dtype=torch.float64, requires_grad=True))
score(long)
score(gtn.compose(long, gtn.string(rng.integers(0, 3, length), dtype=torch.float64)))
gtn.n_best(long, 300)
gtn.n_best(long, 60, distinct=True)
gtn.compose(long, gtn.closure(gtn.string([0, 1])), max_active=9)
gtn.compose(long, gtn.closure(gtn.string([0, 1, 2] * 500)))
gtn.sample(long, 5)
for ring in (40, 200):
    nodes = np.arange(ring)
    score(gtn.from_arrays(nodes, (nodes + 1) % ring, nodes, final=0,
                          penalties=torch.full((ring,), 0.5, dtype=torch.float64).requires_grad_()))
gtn.dense.viterbi_path(torch.rand(length, 3), gtn.closure(gtn.string([0, 2])))
tables = [gtn.SymbolTable(list(text)) for text in ("abc", "cxab")]
gtn.compose(gtn.string("abc", symbols=tables[0]), gtn.string("abc", symbols=tables[1]))
gtn.nn.ExpectedRiskLoss()(long.detach(), [0, 1])
wide = gtn.from_arrays(rng.integers(0, 40, 2000), rng.integers(0, 40, 2000),
                       rng.integers(-1, 40, 2000), penalties=np.zeros(2000), final=39)
gtn.compose(wide, wide)
for labels, apart in ((4, 1), (40, 1), (40, 97)):  # looked up, walked and searched by turns
    hub, few = (
        gtn.from_arrays(
            *rng.integers(0, nodes, (2, arcs)), rng.integers(0, labels, arcs) * apart,
            penalties=np.zeros(arcs), final=range(nodes), num_nodes=nodes)
        for nodes, arcs in ((3, 900), (400, 700)))
    for a, b in ((hub, few), (few, hub), (few, few), (few, gtn.empty())):
        gtn.compose(a, b)
        gtn.compose(gtn.GraphBatch.from_graphs([a, a]), b)
for classes in (8, 40, 50):  # few labels in common, and a chain of which every node has them all
    chain = gtn.linear(torch.rand(60, classes, dtype=torch.float64))
    gtn.compose(chain, wide)
    gtn.compose(gtn.GraphBatch.from_graphs([chain, chain]), gtn.project(wide))
    gtn.compose(wide, chain)
gtn.compose(gtn.linear(torch.rand(60, 40, dtype=torch.float64)), wide, beam=3.0)
crowd = gtn.from_arrays(
    *np.sort(rng.integers(0, 40, (2, 150)), axis=0), rng.integers(0, 3, 150), final=range(40),
    num_nodes=40)
gtn.minimize(gtn.determinize(crowd, semiring="boolean"), semiring="boolean")
ladder = gtn.from_arcs([(n, n + 1 + k, k, -1 if k else n) for n in range(200) for k in (0, 1)],
                       final=200, dtype=torch.float64)
gtn.minimize(gtn.determinize(ladder))
words = [gtn.string(word) for word in rng.integers(0, 3, (200, 6))]
gtn.minimize(gtn.determinize(gtn.union(*words)))
rows = sorted({tuple(word) for word in rng.integers(0, 30, (900, 5)).tolist()} | {(0,), (0,) * 40})
for outputs in (0, len(rows)):
    string_sets.minimal_automaton(
        np.concatenate(rows).astype(np.int32), np.cumsum([0, *map(len, rows)]),
        rng.integers(0, 5, len(rows)), np.arange(outputs, dtype=np.int32), 40)
alike = [row for row in rows for _ in range(3)]  # each string three times, with outputs of its own
for outputs in (np.arange(0), np.arange(len(alike)), np.tile([0, 1, 2], len(rows))):
    string_sets.minimal_automaton(
        np.concatenate(alike).astype(np.int32), np.cumsum([0, *map(len, alike)]),
        rng.integers(0, 5, len(alike)), outputs.astype(np.int32), 40)

targets = [[1, 2], [2, 2, 3], [], [1] * 5]
logits = torch.randn(4, 12, 5, dtype=torch.float64, requires_grad=True)
gtn.nn.CTCLoss()(logits.log_softmax(2), targets).backward()
left = gtn.from_arcs([(0, 1, 0, 0.5), (0, 1, 1, 0.25), (1, 2, -1, 1.0)], start=0, final=2)
right = gtn.from_arcs([(0, 0, 0, 0.5), (0, 1, 1, 0.25), (1, 1, -1, 0.5)], start=0, final=1)
ways = [gtn.Graph(g.topology, g.penalties.double().requires_grad_()) for g in (left, right)]
gtn.forward_penalty(gtn.compose(*ways)).sum().backward()

for module in (
    alignment, beam, blocks, composition, covariances, ctc, delays, dense, determinization,
    difference, edit_distance, epsilons, failure, gathering, layout, lookahead, masses, matching,
    minimization, n_best, n_best_strings,
    reachability, sampling, scoring, shared_labels, string_sets, trimming, weighted_subsets):
    for name in dir(module):
        kernel = getattr(module, name)
        if hasattr(kernel, "signatures"):
            print(f"{module.__name__}.{name}", "ran" if kernel.signatures else "did not run")
"""


@pytest.mark.first
def test_kernels_stay_within_their_arrays(tmp_path: Path):
    import gtn

    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_OPT": "0",  # compiling is most of it
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
