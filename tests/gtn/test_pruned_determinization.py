"""Determinization within a beam, compared with the enumeration of all paths."""

import re
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gtn
from gtn.determinization.determinism import nondeterminism
from gtn.testing import (
    assert_derivatives,
    batches,
    exact_penalties,
    graphs,
    path_penalties_by_string,
)
from gtn.testing.openfst import random_graphs

FEW = settings(max_examples=60)
SEMIRINGS = pytest.mark.parametrize("semiring", ["log", "tropical"])
BEAMS = st.integers(0, 64).map(lambda eighths: eighths / 8)
NEAR = exact_penalties(-2, 4)  # the penalties of strings differ by a beam or so
TOTAL = {
    "tropical": min,
    "log": lambda penalties: float(-np.logaddexp.reduce(-np.array(penalties))),
}


def batch_of(graphs):
    return gtn.GraphBatch.from_graphs(list(graphs))


def of_pairs(g):
    """Return the acceptor in which each pair of labels is one symbol."""
    pairs = 4 * (g.ilabels + 1) + g.olabels  # a pair of epsilons becomes -1
    return gtn.from_arrays(
        g.src,
        g.dst,
        pairs,
        penalties=g.penalties,
        start=dict(zip(g.starts.tolist(), g.start_penalties.tolist())),
        final=dict(zip(g.finals.tolist(), g.final_penalties.tolist())),
        num_nodes=g.num_nodes,
    )


def assert_within(made, graph, beam, semiring, max_length=None):
    """Check the strings of a result, path by path; no sum of the penalties is rounded."""
    given_paths = path_penalties_by_string(graph, max_length)
    given_paths = {s: [p for p in values if p < np.inf] for s, values in given_paths.items()}
    given_paths = {s: values for s, values in given_paths.items() if values}
    made_paths = path_penalties_by_string(made, max_length)
    limit = min((values[0] for values in given_paths.values()), default=0.0) + beam
    for string, values in given_paths.items():
        if values[0] <= limit:
            assert string in made_paths, (string, values)
    for string, [penalty] in made_paths.items():
        values = given_paths[string]
        if semiring == "tropical" and values[0] > limit:
            assert penalty in values  # perhaps not the least
        else:
            assert penalty == pytest.approx(TOTAL[semiring](values), abs=1e-12)


# -- what it says -----------------------------------------------------------------------------


@SEMIRINGS
@FEW
@given(
    g=graphs(max_nodes=7, max_arcs=14, labels=2, epsilons=True, infinite=True, penalties=NEAR),
    beam=BEAMS,
)
def test_acceptors(semiring, g, beam):
    made = gtn.determinize(g, beam=beam, semiring=semiring)
    assert_within(made, g, beam, semiring)
    assert nondeterminism(made.topology) is None
    assert made.topology.is_connected


@SEMIRINGS
@pytest.mark.parametrize("beam", [0.0, 1.5, 5.0])
def test_many_acceptors(semiring, beam):
    given_ = random_graphs(
        1500, seed=5, max_nodes=7, max_arcs=16, acceptor=True, most=3.0, least=-1.0
    )
    made = gtn.determinize(given_, beam=beam, semiring=semiring)
    assert made.num_arcs < gtn.determinize(given_, semiring=semiring).num_arcs
    for one, other in zip(made, given_):
        assert_within(one, other, beam, semiring)


@SEMIRINGS
@FEW
@given(g=graphs(labels=2, acceptor=False, epsilons=True, infinite=True, penalties=NEAR), beam=BEAMS)
def test_pairs_of_labels(semiring, g, beam):
    made = gtn.determinize(g, beam=beam, semiring=semiring, side="both")
    assert_within(of_pairs(made), of_pairs(g), beam, semiring)
    assert nondeterminism(made.topology) is None


@SEMIRINGS
@pytest.mark.parametrize("beam", [0.5, 3.0])
def test_functional_transducers(semiring, beam):
    drawn = random_graphs(1500, seed=3, max_arcs=8, most=2.0, least=-1.0)
    functional = batch_of(g for g, ok in zip(drawn, gtn.is_functional(drawn)) if ok)
    made = gtn.determinize(functional, beam=beam, semiring=semiring)
    assert (made.ilabels < 0).any()
    for one, other in zip(made, functional):
        assert_within(one, other, beam, semiring)
        reads = one.ilabels >= 0
        keys = set(zip(one.src[reads].tolist(), one.ilabels[reads].tolist()))
        assert len(keys) == reads.sum()


@FEW
@given(g=graphs(max_nodes=6, max_arcs=12, labels=2, epsilons=True, penalties=NEAR), beam=BEAMS)
def test_nothing_is_left_that_the_same_beam_prunes(g, beam):
    made = gtn.determinize(g, beam=beam, semiring="tropical")
    assert gtn.equal(gtn.prune(made, beam=beam), made)


@SEMIRINGS
@FEW
@given(g=graphs(max_nodes=6, max_arcs=10, labels=2, epsilons=True, penalties=NEAR))
def test_a_beam_in_which_all_is(semiring, g):
    made = gtn.determinize(g, beam=1e4, semiring=semiring)
    whole = gtn.determinize(g, beam=float("inf"), semiring=semiring)
    assert gtn.equal(whole, gtn.determinize(g, semiring=semiring))
    if semiring == "tropical":
        whole = gtn.connect(gtn.prune(whole, beam=1e4))
    # The numbers of nodes and the order of arcs agree, too. Where the best go first, another group
    # may be the first to reach a node, and logarithms are rounded differently.
    assert gtn.equal(made, whole, atol=1e-12 if semiring == "log" else 0.0)


@SEMIRINGS
@FEW
@given(batch=batches(max_graphs=3, labels=2, epsilons=True, penalties=NEAR), beam=BEAMS)
def test_batches(semiring, batch, beam):
    batch = batch.with_data(row=np.arange(batch.num_arcs))
    made = gtn.determinize(batch, beam=beam, semiring=semiring)
    expected = batch_of(gtn.determinize(g, beam=beam, semiring=semiring) for g in batch)
    assert gtn.equal(made, expected, rtol=1e-12, atol=1e-12)
    for how in ("max", "sum"):
        rows = [graph.data.column("row").values(how) for graph in (made, expected)]
        np.testing.assert_array_equal(*rows)


def test_sources_are_arcs_within_the_beam_or_all_that_sum_up():
    arcs = [(0, 1, "a", 1.0), (0, 2, "a", 2.0), (1, 3, "b", 1.0), (2, 3, "c", 0.5)]
    g = gtn.from_arcs(arcs, final=3)
    sources = [
        [gtn.determinize(g, beam=beam, semiring=semiring).sources[0].of(0).tolist()]
        for beam, semiring in ((0.25, "tropical"), (0.5, "tropical"), (0.25, "log"))
    ]
    assert sources == [[[0]], [[0, 1]], [[0, 1]]]


def test_ends_beyond_the_beam_are_none():
    g = gtn.from_arcs([(0, 1, "a"), (1, 2, "b")], final={1: 2.0, 2: 0.0})
    for semiring in ("log", "tropical"):
        assert gtn.determinize(g, beam=1.0, semiring=semiring).finals.tolist() == [2]
        assert gtn.determinize(g, beam=2.0, semiring=semiring).finals.tolist() == [1, 2]


def test_other_outputs_beyond_the_beam_do_not_matter():
    arcs = [(0, 1, "a", "x", 0.0), (0, 1, "a", "y", 3.0), (1, 2, "b", "z", 0.0)]
    g = gtn.from_arcs([*arcs, (0, 3, "b", "x", 0.0)], final={2: 0.0, 3: 0.0})
    made = gtn.determinize(g, beam=2.0, semiring="tropical")
    assert sorted(made.symbol_pair(arc) for arc in range(made.num_arcs)) == ["a:x", "b:x", "b:z"]
    for options in ({"semiring": "tropical", "beam": 3.0}, {"semiring": "log", "beam": 2.0}):
        with pytest.raises(gtn.GraphError, match="node 1 has two different outputs"):
            gtn.determinize(g, **options)


# -- sizes --------------------------------------------------------------------------------------


def confused(length, seed=0, dtype=torch.float64):
    """Return a graph with far more subsets of nodes than it has strings within a few nats."""
    rng = np.random.default_rng(seed)
    arcs = []
    for place in range(length):
        for label in range(3):
            for node in range(4):
                for to in rng.integers(0, 4, 2):
                    penalty = 3.0 * (label != place % 3) + rng.gamma(1.0)
                    arcs.append((4 * place + node, 4 * (place + 1) + to, label, penalty))
    return gtn.from_arcs(arcs, start=range(4), final=range(4 * length, 4 * length + 4), dtype=dtype)


@SEMIRINGS
def test_the_beam_bounds_the_subsets(semiring):
    g = confused(30)
    with pytest.raises(gtn.GraphError, match=r"more than 50000 nodes.*with beam="):
        gtn.determinize(g, semiring=semiring, max_nodes=50_000)
    made = gtn.determinize(g, beam=6.0, semiring=semiring, max_nodes=20_000)
    best = gtn.n_best(g, 100, distinct=True)
    best = best[gtn.viterbi_penalty(best) <= gtn.viterbi_penalty(g) + 6.0]
    assert len(best) > 20
    score = gtn.forward_penalty if semiring == "log" else gtn.viterbi_penalty
    texts = gtn.strings(gtn.path_labels(best), dtype=torch.float64)
    torch.testing.assert_close(score(made @ texts), score(g @ texts))


def test_how_far_the_nodes_went():
    with pytest.raises(
        gtn.GraphError, match=r"more than 300 nodes.*within \d\S* nats.*beam=9"
    ) as no:
        gtn.determinize(confused(30), beam=9.0, semiring="tropical", max_nodes=300)
    reached = float(str(no.value).split("within ")[1].split(" nats")[0])
    made = gtn.determinize(confused(30), beam=reached * 0.95, semiring="tropical", max_nodes=300)
    assert 0 < reached < 9.0
    assert made.num_nodes > 50


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@SEMIRINGS
def test_the_best_string_is_within_a_beam_of_nothing(semiring, dtype):
    for seed in range(5):
        g = confused(60, seed, dtype)
        g = g.with_penalties(g.penalties * 1000 + 0.1)
        made = gtn.determinize(g, beam=0.0, semiring=semiring)
        assert made.num_nodes == 61
        labels = gtn.path_labels(gtn.viterbi_path(g))
        assert gtn.path_labels(gtn.viterbi_path(made)).tolist() == labels.tolist()


def test_ties_at_the_limit():
    # Sums of tenths in different orders: the penalties of paths differ by rounding only.
    arcs = [(i, i + 1 + j, 0, 0.1 * (1 + j)) for i in range(60) for j in (0, 1)]
    for dtype in (torch.float32, torch.float64):
        g = gtn.from_arcs(arcs, final={60: 0.0, 61: 0.0}, dtype=dtype)
        made = gtn.determinize(g, beam=0.0, semiring="tropical", delta=1e-4)
        torch.testing.assert_close(gtn.viterbi_penalty(made), gtn.viterbi_penalty(g))
        assert made.topology.is_connected


@SEMIRINGS
def test_long_sums_of_equal_penalties_keep_the_best_path(semiring):
    # Adding 0.7 again and again drifts: the halves of the sum are more than the whole.
    g = gtn.linear(torch.full((100_000, 1), 0.7, dtype=torch.float64))
    assert gtn.determinize(g, beam=0.0, semiring=semiring).num_arcs == 100_000


@SEMIRINGS
def test_equal_paths_stay_where_epsilons_would_be_rounded_to_float32(semiring):
    penalties = np.random.default_rng(0).gamma(1.0, 3.0, (100, 3)).astype(np.float32)
    for p, q, r in penalties.tolist():
        arcs = [(0, 1, None, p), (1, 2, "a", q), (2, 3, "c", r)]
        arcs += [(0, 4, "b", p), (4, 5, "b", q), (5, 3, "b", r)]
        g = gtn.from_arcs(arcs, final=3)
        made = gtn.determinize(g, beam=0.0, semiring=semiring)
        assert (made.num_arcs, made.penalties.dtype) == (5, torch.float32)


# -- cycles -------------------------------------------------------------------------------------


@SEMIRINGS
def test_cycles_without_twins_end_at_the_beam(semiring):
    # Two loops read the same with different penalties: without a beam there is no finite graph.
    arcs = [(0, 1, 7), (0, 2, 7), (1, 1, 8, 1.0), (2, 2, 8, 2.0), (1, 3, 9), (2, 3, 6)]
    g = gtn.from_arcs(arcs, final=3).double()
    with pytest.raises(gtn.GraphError, match="no end"):
        gtn.determinize(g, semiring=semiring, max_nodes=500)
    made = gtn.determinize(g, beam=6.0, semiring=semiring)
    assert made.num_nodes < 20
    assert_within(made, g, 6.0, semiring, max_length=12)


@SEMIRINGS
@pytest.mark.parametrize("beam", [0.5, 2.0])
def test_random_cycles(semiring, beam):
    least = 1.0 if semiring == "tropical" else 2.5  # so that the sum of exp(-penalty) is finite
    drawn = random_graphs(
        200,
        seed=6,
        max_arcs=7,
        acyclic=False,
        acceptor=True,
        epsilons=semiring == "tropical",  # in the other semiring, a sum of paths is not a path
        least=least,
        most=least + 2,
    )
    made = gtn.determinize(drawn, beam=beam, semiring=semiring)
    for one, other in zip(made, drawn):
        removed = gtn.remove_epsilon(other, semiring=semiring)  # a path has an arc for each label
        assert_within(one, removed, beam, semiring, max_length=5)


@SEMIRINGS
def test_outputs_wait_as_long_as_the_beam_allows(semiring):
    # Which of the loops is taken is known at the end, after any number of 8s.
    arcs = [(0, 1, 7, 1, 0.0), (0, 2, 7, 2, 0.0), (1, 1, 8, 1, 1.0), (2, 2, 8, 2, 1.0)]
    g = gtn.from_arcs([*arcs, (1, 3, 9, 1, 0.0), (2, 3, 6, 2, 0.0)], final=3)
    made = gtn.determinize(g, beam=40.0, semiring=semiring)
    for last, written in ((9, 1), (6, 2)):
        path = gtn.viterbi_path(gtn.string([7, *[8] * 40, last]) @ made)
        assert gtn.path_labels(path, "output").tolist() == [written] * 42
        assert gtn.viterbi_penalty(path) == 40.0
    free = g.with_penalties(torch.zeros(g.num_arcs))
    with pytest.raises(gtn.GraphError, match=r"more than 10000 labels wait.*beam=2 of the best"):
        gtn.determinize(free, beam=2.0, semiring=semiring)


def test_cycles_without_penalty_have_no_end_in_sums():
    g = gtn.from_arcs(
        [(0, 1, 7), (0, 2, 7), (1, 1, 8), (2, 2, 8, 1.0), (1, 3, 9), (2, 3, 6)], final=3
    )
    with pytest.raises(
        gtn.GraphError, match=r"500 nodes.*within 0 nats.*cycles of penalty 0 may be"
    ):
        gtn.determinize(g.double(), beam=2.5, max_nodes=500)


def test_cycles_of_nothing():
    arcs = [(0, 1, 7), (0, 2, 7), (1, 1, 8, 0.0), (2, 2, 8, 1.0), (1, 3, 9), (2, 3, 6)]
    g = gtn.from_arcs(arcs, final=3).double()
    with pytest.raises(gtn.GraphError, match="no end"):
        gtn.determinize(g, semiring="tropical", max_nodes=500)
    made = gtn.determinize(g, beam=2.5, semiring="tropical")
    assert not made.topology.is_acyclic
    assert_within(made, g, 2.5, "tropical", max_length=8)
    negative = gtn.from_arcs([(0, 0, 7, -1.0), (0, 1, 8)], final=1)
    with pytest.raises(gtn.NegativeCycleError, match="negative penalty -1"):
        gtn.determinize(negative, beam=2.5, semiring="tropical")


# -- derivatives and choices ------------------------------------------------------------------


@SEMIRINGS
@pytest.mark.parametrize("acceptor", [True, False])
def test_gradcheck(semiring, acceptor):
    generator = torch.Generator().manual_seed(0)
    drawn = random_graphs(40, seed=4, max_nodes=5, max_arcs=8, acceptor=acceptor)
    topology = gtn.connect(drawn).topology
    arcs, starts, finals = (
        torch.rand(n, generator=generator, dtype=torch.float64)
        for n in (topology.num_arcs, len(topology.starts), len(topology.finals))
    )
    g = gtn.GraphBatch(topology, arcs, start_penalties=starts, final_penalties=finals)
    operation = partial(gtn.determinize, beam=0.5, semiring=semiring, side="both")
    assert 0 < operation(g).num_arcs < gtn.determinize(g, semiring=semiring, side="both").num_arcs
    assert_derivatives(operation, g, fast=True)


def test_gradients_are_those_of_the_best_paths():
    g = confused(12)
    p = g.penalties.clone().requires_grad_()
    made = gtn.determinize(g.with_penalties(p), beam=3.0, semiring="tropical")
    best = gtn.n_best(made, 5)
    (grad,) = torch.autograd.grad(gtn.viterbi_penalty(best).sum(), p)
    q = g.penalties.clone().requires_grad_()
    paths = gtn.n_best(g.with_penalties(q), 5, distinct=True)
    (expected,) = torch.autograd.grad(gtn.viterbi_penalty(paths).sum(), q)
    torch.testing.assert_close(grad, expected)


def test_nothing():
    for g in (gtn.empty(), gtn.from_arcs([(0, 1, 2)], start=[0], final=[], num_nodes=2)):
        for semiring in ("log", "tropical"):
            assert gtn.equal(gtn.determinize(g, beam=1.0, semiring=semiring), gtn.empty())


def test_choices():
    g = gtn.string([1])
    wrong = [(-1.0, gtn.GraphError), (float("nan"), gtn.GraphError)]
    wrong += [(beam, TypeError) for beam in ("8", [8.0], True, torch.ones(2))]
    for beam, kind in wrong:
        for verb in (gtn.determinize, gtn.prune):
            with pytest.raises(kind, match=rf"beam={re.escape(repr(beam))}; it is a"):
                verb(g, beam=beam)
    for beam in (None, 8, np.float32(8.0), torch.tensor(8.0, requires_grad=True), Fraction(1, 2)):
        assert gtn.equal(gtn.determinize(g, beam=beam), g)
    with pytest.raises(gtn.GraphError, match="beam=1, and a boolean determinize"):
        gtn.determinize(g, beam=1.0, semiring="boolean")
    assert gtn.equal(gtn.determinize(g, beam=float("inf"), semiring="boolean"), g)
    backing = gtn.from_arcs([(0, 1, "a"), (0, 1, gtn.BACK_OFF)], final=1)
    assert gtn.determinize(backing).num_arcs == 2
    with pytest.raises(gtn.GraphError, match="failure arc"):
        gtn.determinize(backing, beam=1.0)
