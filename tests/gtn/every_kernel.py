"""Runs every kernel over small graphs, and prints those that did not run.

For test_kernels_bounds.py, in a process in which kernels are interpreted with indexes checked.
"""

import importlib
import itertools
import math
import pkgutil
from contextlib import suppress

import checked_numba
import numpy as np
import torch

import gtn
from gtn import kernels
from gtn.errors import CyclicGraphError, GraphError, NegativeCycleError
from gtn.kernels import obligations, string_sets
from gtn.streaming import PrunedStream
from recognizers.datasets import pages, pasting
from recognizers.online.amap import amap
from recognizers.online.extrema import extrema
from recognizers.online.ink import Ink
from recognizers.online.segmentation import segment_ink

rng = np.random.default_rng(0)
FILTERS = ("sequence", "match", "trivial")


def random_graph(
    *, cyclic: bool, weighted: bool = True, nodes: int = 7, arcs: int = 14
) -> gtn.Graph:
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
        src,
        dst,
        *labels,
        penalties=torch.from_numpy(penalties).requires_grad_(weighted),
        start=starts,
        final=finals,
        num_nodes=n,
    )


def score(graph: gtn.Graph) -> None:
    gtn.viterbi_penalty(graph)
    with suppress(CyclicGraphError):
        gtn.forward_penalty(graph.with_penalties(300 * graph.penalties.detach()))
    with suppress(CyclicGraphError):
        gtn.forward_penalty(graph).sum().backward(retain_graph=True)
        gtn.arc_posteriors(graph)
        gtn.n_best(graph, 40)
        gtn.n_best(graph, 40, distinct=True)
    with suppress(CyclicGraphError):
        gtn.shortest_distance(graph.detach(), "backward", "tropical")
        gtn.sample(graph, 5)
        gtn.entropy(graph)
        gtn.prune(graph, beam=1.0)


def decode(a: gtn.Graph, b: gtn.Graph) -> None:
    word = gtn.string([0, 1, 1, 0])
    for options in ({"beam": 1.0}, {"max_active": 2}, {}):
        for others in ([b], [b, a], [gtn.GraphBatch.from_graphs([b, b])]):
            with suppress(GraphError):
                gtn.viterbi_path(a, *others, **options)
                gtn.viterbi_path(word, *others, failure=2, **options)
    with suppress(GraphError):
        gtn.compose(word, b, failure=2)


def densely(graph: gtn.Graph | gtn.GraphBatch, classes: int, frames: int, scale: float = 1) -> None:
    count, is_batch = graph.topology.batch_size, graph.topology.is_batch
    emissions = scale * torch.rand(count, frames, classes, dtype=torch.float64)
    emissions.requires_grad_()
    lengths = rng.integers(0, frames + 1, count)
    for given in (graph, graph.detach()) if is_batch else (graph,):
        rows = emissions if is_batch else emissions[0]
        with suppress(CyclicGraphError):
            gtn.dense.forward_penalty(rows.detach(), given.detach(), lengths=lengths)
            value = gtn.dense.forward_penalty(rows, given, lengths=lengths)
            first = torch.autograd.grad(value.sum(), emissions, create_graph=True)[0]
            torch.autograd.grad(first.square().sum(), emissions, allow_unused=True)
            gtn.dense.arc_posteriors(rows, given, lengths=lengths)
            gtn.dense.viterbi_path(rows, given, lengths=lengths)


def on_small_graphs(turn: int) -> None:
    a, b = random_graph(cyclic=turn % 2 == 1), random_graph(cyclic=turn % 3 == 0)
    for filter in FILTERS:
        result = gtn.compose(a, b, filter=filter)
        gtn.transduce(
            a,
            b,
            filter=filter,
            check=lambda left, right: left >= right,
            fprop=lambda left, right: torch.zeros(len(left.olabels), dtype=torch.float64),
        )
        with suppress(CyclicGraphError):
            gtn.compose(a, b, filter=filter, beam=2.0)
    for graph in (a, result, gtn.GraphBatch.from_graphs([a, b, a])):
        score(graph)
        for classes, scale in ((4, 1), (3, 1), (3, 500)):
            densely(graph, classes, turn % 4, scale)
    decode(a, b)
    with suppress(NegativeCycleError):
        gtn.viterbi_path(a.with_penalties(a.penalties.detach() - 1))
    plain = [random_graph(cyclic=turn % 2 == 1, weighted=False) for _ in range(2)]
    for graph in (*plain, gtn.GraphBatch.from_graphs(plain)):
        made = gtn.determinize(graph, semiring="boolean", side="both")
        gtn.minimize(made, semiring="boolean")
        gtn.difference(a, gtn.project(graph))
        kept, found = a.topology, gtn.determinize(gtn.project(graph), semiring="boolean").topology
        if len(kept.starts) and len(found.starts):
            obligations.meet(
                *(*kept.outgoing, kept.ilabels, kept.dst, int(kept.starts[0])),
                *(*found.outgoing_by_ilabel, found.ilabels, found.dst, int(found.starts[0])),
                *(found.final_of_nodes >= 0, 2, 40),
            )
    if turn % 2 == 0:
        gtn.minimize(gtn.determinize(gtn.GraphBatch.from_graphs([a, a]), side="both"))
        if gtn.is_functional(a):
            gtn.determinize(a)
    with suppress(CyclicGraphError):
        gtn.remove_epsilon(a)
    gtn.closure(a)


def beyond_the_first_buffers(length: int = 300) -> None:
    long = gtn.linear(torch.rand(length, 3, dtype=torch.float64, requires_grad=True))
    score(long)
    score(gtn.compose(long, gtn.string(rng.integers(0, 3, length), dtype=torch.float64)))
    gtn.n_best(long, 300)
    gtn.n_best(long, 60, distinct=True)
    gtn.compose(long, gtn.closure(gtn.string([0, 1])), max_active=9)
    gtn.compose(long, gtn.closure(gtn.string([0, 1, 2] * length)))
    gtn.sample(long, 5)
    gtn.dense.viterbi_path(torch.rand(length, 3), gtn.closure(gtn.string([0, 2])))
    gtn.nn.ExpectedRiskLoss()(long.detach(), [0, 1])
    for row, target in itertools.product(([], [0, 1, 1]), repeat=2):
        gtn.nn.edit_alignment(row, target[::-1])
    for ring in (40, 200):
        nodes = np.arange(ring)
        penalties = torch.full((ring,), 0.5, dtype=torch.float64).requires_grad_()
        score(gtn.from_arrays(nodes, (nodes + 1) % ring, nodes, final=0, penalties=penalties))


def looked_up_in_turns() -> None:
    wide = gtn.from_arrays(
        *rng.integers(0, 20, (2, 700)), rng.integers(-1, 20, 700), penalties=np.zeros(700), final=19
    )
    gtn.compose(wide, wide)
    gtn.compose(gtn.linear(torch.rand(20, 20, dtype=torch.float64)), wide, beam=3.0)
    for labels, apart in ((4, 1), (40, 1), (40, 97)):  # looked up, walked and searched in turn
        hub, few = (
            gtn.from_arrays(
                *rng.integers(0, nodes, (2, arcs)),
                rng.integers(0, labels, arcs) * apart,
                penalties=np.zeros(arcs),
                final=range(nodes),
                num_nodes=nodes,
            )
            for nodes, arcs in ((3, 300), (140, 250))
        )
        for a, b in ((hub, few), (few, hub), (few, few), (few, gtn.empty())):
            gtn.compose(a, b)
            gtn.compose(gtn.GraphBatch.from_graphs([a, a]), b)
    for classes in (8, 20, 30):  # few labels in common; a chain has them all at each node
        chain = gtn.linear(torch.rand(12, classes, dtype=torch.float64))
        gtn.compose(chain, wide)
        gtn.compose(gtn.GraphBatch.from_graphs([chain, chain]), gtn.project(wide))
        gtn.compose(wide, chain)
        ends = (rng.integers(0, 3, (2, 200)), rng.integers(-1, classes, 200))
        for final in (2, ()):  # many arcs between two nodes; then none that leads to a final
            crowd = gtn.from_arrays(*ends[0], ends[1], penalties=np.zeros(200), final=final)
            gtn.compose(chain, crowd)
    starts = gtn.from_arrays(
        [0] * 40,
        np.arange(1, 41),
        np.arange(40),
        penalties=np.zeros(40),
        start=range(41),
        final=range(41),
    )
    for filter in FILTERS:
        gtn.compose(starts, starts, filter=filter)
    tables = [gtn.SymbolTable(list(text)) for text in ("abc", "cxab")]
    gtn.compose(*(gtn.string("abc", symbols=table) for table in tables))


def determinized() -> None:
    since = [(n, n + (n > 0), label) for n in range(8) for label in (0, 1)]  # 0 eight labels ago
    crowd = gtn.from_arcs([*since, (0, 1, 0)], final=8)
    gtn.minimize(gtn.determinize(crowd, semiring="boolean"), semiring="boolean")
    ladder = [(n, n + 1 + k, k, -1 if k else n) for n in range(200) for k in (0, 1)]
    gtn.minimize(gtn.determinize(gtn.from_arcs(ladder, final=200, dtype=torch.float64)))
    costly = [(*arc, float(rng.gamma(1.0))) for arc in ladder]
    costly += [(n, n + 1, 0, n, float(rng.gamma(1.0))) for n in range(200)]
    for semiring in ("log", "tropical"):
        gtn.determinize(
            gtn.from_arcs(costly, final={200: 0.0, 150: 1.0}, dtype=torch.float64),
            beam=4.0,
            side="both",
            semiring=semiring,
        )
    words = rng.integers(0, 3, (200, 6))
    gtn.minimize(gtn.determinize(gtn.union(*map(gtn.string, words))))
    late = []  # each word is written backwards, partly at once and partly at its end
    for word in np.unique(words, axis=0)[:60].tolist():
        begin = len(late) + 1
        silent = [(begin + 5 + i, begin + 6 + i, -1, label) for i, label in enumerate(word[2::-1])]
        read = [(begin + i - 1 if i else 0, begin + i, label, -1) for i, label in enumerate(word)]
        read[3] = (*read[3][:3], word[5])
        late += [*read, *silent]
    ends = [arc[1] for arc in late if arc[1] not in {other[0] for other in late}]
    late = gtn.from_arcs(late, final=ends, dtype=torch.float64)
    for beam in (math.inf, 1.0):
        gtn.determinize(late, beam=beam)
    unlike = late.with_penalties(torch.from_numpy(rng.uniform(0, 1, late.num_arcs)))
    gtn.determinize(unlike, beam=1.0, semiring="tropical")


def sets_of_strings() -> None:
    rows = sorted({*map(tuple, rng.integers(0, 30, (900, 5)).tolist()), (0,), (0,) * 40})
    alike = [row for row in rows for _ in range(3)]  # each three times, with different outputs
    numbers = np.arange(len(alike))
    for strings, outputs in (
        (rows, numbers[:0]), (rows, numbers[: len(rows)]),
        (alike, numbers[:0]), (alike, numbers), (alike, np.tile([0, 1, 2], len(rows))),
    ):  # fmt: skip
        string_sets.minimal_automaton(
            np.concatenate(strings).astype(np.int32),
            np.cumsum([0, *map(len, strings)]),
            rng.integers(0, 5, len(strings)),
            outputs.astype(np.int32),
            40,
        )


def extremes() -> None:
    """Penalties whose masses a number cannot hold, and input that is refused."""
    model = gtn.from_arcs(
        [(0, 0, 0, 2000.0), (0, 1, 1, 0.0), (1, 0, 0, -1e16), (1, 1, 2, torch.inf)], final=[0, 1],
        dtype=torch.float64)  # fmt: skip
    for value in (0.0, 100.0, -3000.0, 1e17, torch.inf, -torch.inf, torch.nan):
        frames = torch.rand(2, 9, 3, dtype=torch.float64)
        frames[torch.rand(2, 9, 3) < 0.4] = value
        frames.requires_grad_()
        batch = gtn.GraphBatch.from_graphs([model, model])
        for score in (gtn.dense.forward_penalty, gtn.dense.viterbi_path):
            with suppress(ValueError):
                score(frames, batch)
        with suppress(ValueError):
            gtn.dense.forward_penalty(frames, batch).sum().backward()
        for options in ({}, {"beam": 9.0}):
            with suppress(ValueError):
                gtn.viterbi_path(gtn.linear(frames[0].detach()), model, **options)
        with suppress(ValueError):
            gtn.nn.CTCLoss()(frames, [[1], [2, 1]]).backward()


def streamed() -> None:
    frames = torch.from_numpy(rng.integers(0, 40, (80, 2)) / 8)
    words = gtn.closure(gtn.union(*map(gtn.string, ([0, 1], [1, 0, 0], [0, 1, 1, 0]))))
    settled = []
    for readers, beam in itertools.product(([words], [words, gtn.closure(words)]), (math.inf, 1.0)):
        stream = PrunedStream(readers, beam=6.0, max_active=5)
        for piece in frames.split(7):
            stream.add(piece)
            stream.settle(beam=beam)
            stream.graph(finished=False)
        settled.append(stream.settled)
    assert min(settled) > 0, settled


def losses() -> None:
    logits = torch.randn(4, 12, 5, dtype=torch.float64, requires_grad=True)
    gtn.nn.CTCLoss()(logits.log_softmax(2), [[1, 2], [2, 2, 3], [], [1] * 5]).backward()
    left = gtn.from_arcs([(0, 1, 0, 0.5), (0, 1, 1, 0.25), (1, 2, -1, 1.0)], start=0, final=2)
    right = gtn.from_arcs([(0, 0, 0, 0.5), (0, 1, 1, 0.25), (1, 1, -1, 0.5)], start=0, final=1)
    ways = [gtn.Graph(g.topology, g.penalties.double().requires_grad_()) for g in (left, right)]
    gtn.forward_penalty(gtn.compose(*ways)).sum().backward()


def drawn() -> None:
    glyphs = rng.integers(0, 256, (5, 9, 7)).astype(np.uint8)
    glyphs[4] = 0
    turns = rng.normal(0, 1, (9, 2, 3))
    warped = pasting.warped(glyphs, rng.integers(0, 5, 9), turns, 11, 6)
    pasting.extents(warped)
    canvases = np.zeros((3, 12, 14), dtype=np.uint8)
    pasting.paste(
        canvases, warped, rng.integers(0, 3, 9), rng.integers(-12, 16, 9), rng.integers(-12, 16, 9)
    )
    sides = rng.integers(1, 20, (30, 2))
    pages._places(rng.integers(0, 3, 30), sides, 3, 18, rng.random((30, 4, 2)))
    pages._stroke(canvases[0], rng.uniform(-9, 25, (20, 2)), 3.0)
    for strokes, points, spread in itertools.product((1, 4), (1, 2, 30), (0.0, 1.0, 30.0)):
        ink = Ink([np.cumsum(rng.normal(0, spread, (points, 2)), axis=0) for _ in range(strokes)])
        extrema(ink, 2.0)
        amap(ink)
        amap(ink, columns=3)
        with suppress(ValueError):  # no letters in it
            segment_ink(ink)


def main() -> None:
    torch.set_num_threads(1)
    np.seterr(over="ignore")  # hashes wrap around
    for module in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"gtn.kernels.{module.name}")
    model = gtn.Graph.from_arcs(
        [(0, 1, 2), (1, 2, 2), (1, 0, 0), (2, 0, 1), (0, 2, None)], final=2
    ).double()
    decode(model, model)
    for turn in range(40):
        on_small_graphs(turn)
    beyond_the_first_buffers()
    looked_up_in_turns()
    determinized()
    sets_of_strings()
    extremes()
    streamed()
    losses()
    drawn()
    print(*sorted(checked_numba.compiled - checked_numba.ran), sep="\n")
