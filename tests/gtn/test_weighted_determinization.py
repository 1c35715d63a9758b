"""Weighted determinization, compared with path enumeration and OpenFst."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import gtn
from gtn.determinization.determinism import nondeterminism
from gtn.testing import assert_derivatives, assert_equivalent, batches, exact_penalties, graphs
from gtn.testing.openfst import assert_same_language, random_graphs, to_openfst

COUNT = 1000  # for acceptors and for transducers, in the log and the tropical semiring
FEW = settings(max_examples=40)  # the bulk tests draw thousands
SEMIRINGS = pytest.mark.parametrize("semiring", ["log", "tropical"])
# OpenFst rounds residuals to multiples of delta. That is exact for the multiples of 2^-8 drawn
# here; in the log semiring its results are no nearer than that.
OPENFST = {
    "log": {"kind": "log64", "delta": 1e-9, "atol": 1e-6},
    "tropical": {"kind": "tropical", "delta": 2.0**-10, "atol": 0.0},
}


def batch_of(graphs):
    return gtn.GraphBatch.from_graphs(list(graphs))


# -- what it says -----------------------------------------------------------------------------


@SEMIRINGS
@FEW
@given(g=graphs(max_nodes=6, max_arcs=10, labels=2, epsilons=True, infinite=True))
def test_acceptors(semiring, g):
    made = gtn.determinize(g, semiring=semiring)
    assert_equivalent(made, g, semiring=semiring)
    assert nondeterminism(made.topology) is None
    assert made.topology.is_connected


@SEMIRINGS
@FEW
@given(g=graphs(labels=2, acceptor=False, epsilons=True, infinite=True))
def test_pairs_of_labels(semiring, g):
    made = gtn.determinize(g, semiring=semiring, side="both")
    assert_equivalent(made, g, semiring=semiring)
    assert nondeterminism(made.topology) is None


@SEMIRINGS
@FEW
@given(g=graphs(labels=2, acceptor=False, epsilons=True, infinite=True, max_arcs=6))
def test_functional_transducers(semiring, g):
    # A path of infinite penalty counts for is_functional, but determinize does not follow it.
    if not gtn.is_functional(g):
        return
    made = gtn.determinize(g, semiring=semiring)
    assert_equivalent(made, g, semiring=semiring)
    reads = made.ilabels >= 0
    keys = set(zip(made.src[reads].tolist(), made.ilabels[reads].tolist()))
    assert len(keys) == reads.sum()
    # At most one arc of a node only writes.
    silent = made.src[~reads]
    assert len(set(silent.tolist())) == len(silent)


@SEMIRINGS
@FEW
@given(batch=batches(max_graphs=3, labels=2, epsilons=True, infinite=True))
def test_batches(semiring, batch):
    batch = batch.with_data(row=np.arange(batch.num_arcs))
    made = gtn.determinize(batch, semiring=semiring)
    expected = batch_of(gtn.determinize(g, semiring=semiring) for g in batch)
    assert gtn.equal(made, expected)
    for how in ("max", "sum"):
        rows = [graph.data.column("row").values(how) for graph in (made, expected)]
        np.testing.assert_array_equal(*rows)


def test_batches_of_transducers():
    graphs = random_graphs(300, seed=1, max_arcs=7)
    graphs = batch_of(g for g, ok in zip(graphs, gtn.is_functional(graphs)) if ok)
    made = gtn.determinize(graphs)
    assert (made.ilabels < 0).any()
    assert gtn.equal(made, batch_of(gtn.determinize(g) for g in graphs))


@SEMIRINGS
def test_openfst_acceptors(semiring):
    pynini = pytest.importorskip("pynini")
    graphs = random_graphs(COUNT, seed=2, max_nodes=5, max_arcs=9, infinite=True, acceptor=True)
    made = gtn.determinize(graphs, semiring=semiring)
    how = OPENFST[semiring]
    for graph, ours, fst in zip(graphs, made, to_openfst(graphs, how["kind"])):
        theirs = pynini.determinize(fst.rmepsilon(), delta=how["delta"])
        assert_same_language(ours, graph, semiring, atol=1e-9)
        assert_same_language(ours, theirs, semiring, atol=how["atol"])
        assert ours.num_nodes == theirs.connect().num_states()


@SEMIRINGS
def test_openfst_transducers(semiring):
    pynini = pytest.importorskip("pynini")
    graphs = random_graphs(COUNT, seed=3, max_arcs=7)
    graphs = batch_of(g for g, ok in zip(graphs, gtn.is_functional(graphs)) if ok)
    assert len(graphs) > 600
    how = OPENFST[semiring]
    made = gtn.determinize(graphs, semiring=semiring)
    for graph, ours, fst in zip(graphs, made, to_openfst(graphs, how["kind"])):
        theirs = pynini.determinize(fst.rmepsilon(), delta=how["delta"])
        assert_same_language(ours, graph, semiring, atol=1e-9)
        assert_same_language(ours, theirs, semiring, atol=how["atol"])


@FEW
@given(graphs(max_nodes=6, max_arcs=10, labels=2))
def test_unweighted_is_boolean(g):
    # All penalties are zero, so the least is zero too.
    zero = g.with_penalties(
        torch.zeros_like(g.penalties),
        start_penalties=torch.zeros_like(g.start_penalties),
        final_penalties=torch.zeros_like(g.final_penalties),
    )
    least = gtn.determinize(zero, semiring="tropical")
    assert gtn.equal(least, gtn.determinize(zero, semiring="boolean"))
    for ours, theirs in zip(least.sources, gtn.determinize(zero, semiring="boolean").sources):
        for arc in range(least.num_arcs):
            assert sorted(ours.of(arc)) == sorted(theirs.of(arc))


def test_boolean_transducers_by_their_input():
    g = gtn.from_arcs([(0, 1, "a", "x"), (0, 2, "a", "x"), (1, 3, "b", "y"), (2, 3, "c")], final=3)
    made = gtn.determinize(g, semiring="boolean")
    assert made.num_nodes == 3
    assert (made.penalties == 0).all()


# -- cycles -------------------------------------------------------------------------------------


@SEMIRINGS
def test_twins(semiring):
    # Two loops that read the same at equal penalties: the residuals return to their values.
    arcs = [(0, 1, 7, 1.0), (0, 2, 7, 3.0), (1, 1, 8, 2.0), (2, 2, 8, 2.0), (1, 3, 9), (2, 3, 6)]
    g = gtn.from_arcs(arcs, final=3).double()
    made = gtn.determinize(g, semiring=semiring)
    assert (made.num_nodes, made.num_arcs) == (3, 4)
    assert_equivalent(made, g, semiring=semiring, max_length=5)


@SEMIRINGS
def test_deterministic_cycles_stay(semiring):
    for seed in range(3):
        batch = random_graphs(300, seed, acyclic=False, epsilons=False, acceptor=True, least=2.5)
        kept = [g for g in batch if g.topology.is_deterministic]
        assert len(kept) > 50
        made = gtn.determinize(batch_of(kept), semiring=semiring)
        for ours, theirs in zip(made, kept):
            assert_equivalent(ours, gtn.connect(theirs), semiring=semiring, max_length=4)


@SEMIRINGS
def test_epsilon_cycles(semiring):
    arcs = [(0, 1, None, 1.0), (1, 0, None, 0.5), (0, 2, 7, 1.0), (1, 2, 7, 0.25), (1, 2, 8, 2.0)]
    g = gtn.from_arcs(arcs, final=2).double()
    assert_equivalent(gtn.determinize(g, semiring=semiring), g, semiring=semiring)


def test_converging_residuals_merge_within_delta():
    # After n labels 8, the shares of nodes 1 and 2 converge, by a factor of about 5 with each.
    arcs = [(1, 1, 8, 1.0), (1, 2, 8, 2.0), (2, 1, 8, 2.0), (2, 2, 8, 1.5), (1, 3, 9), (2, 3, 6)]
    g = gtn.from_arcs([(0, 1, 7), (0, 2, 7, 3.0), *arcs], final=3).double()
    sizes = []
    for delta in (1e-3, 1e-6):
        made = gtn.determinize(g, delta=delta)
        sizes.append(made.num_nodes)
        assert_equivalent(made, g, max_length=8, atol=10 * delta)
    assert sizes[0] < sizes[1] < 40


def test_no_end_is_found_out():
    arcs = [(0, 1, 7), (0, 2, 7), (1, 1, 8, 1.0), (2, 2, 8, 2.0), (1, 3, 9), (2, 3, 6)]
    g = gtn.from_arcs(arcs, final=3).double()
    for semiring in ("log", "tropical"):
        with pytest.raises(gtn.GraphError, match=r"more than 500 nodes.*max_nodes.*no end.*delta"):
            gtn.determinize(g, semiring=semiring, max_nodes=500)
    # Outputs that wait forever.
    arcs = [(0, 1, 7, 1), (0, 2, 7, 2), (1, 1, 8, 1), (2, 2, 8, 2), (1, 3, 9, 1), (2, 3, 6, 1)]
    with pytest.raises(gtn.GraphError, match=r"labels wait to be written.*side='both'"):
        gtn.determinize(gtn.from_arcs(arcs, final=3))
    assert gtn.determinize(gtn.from_arcs(arcs, final=3), side="both").num_nodes == 4


# -- strings ------------------------------------------------------------------------------------


def test_output_waits_until_it_is_known():
    arcs = [(0, 1, "a", "x"), (0, 2, "a", "y"), (1, 3, "b", "p"), (2, 3, "c", "q")]
    made = gtn.determinize(gtn.from_arcs(arcs, final=3))
    texts = sorted(made.symbol_pair(a) for a in range(made.num_arcs))
    assert texts == ["a:ε", "b:x", "c:y", "ε:p", "ε:q"]
    assert [len(made.sources[0].of(a)) for a in range(made.num_arcs)] == [2, 1, 1, 0, 0]


def test_output_left_at_the_end():
    arcs = [(0, 1, "a", "x"), (0, 2, "a", "x"), (2, 3, None, "y"), (2, 2, "a", "x")]
    g = gtn.from_arcs([*arcs, (3, 3, "b", "z")], final={3: 0.5})
    made = gtn.determinize(g)
    assert_equivalent(made, g, max_length=4)
    one = gtn.from_arcs([(0, 1, "a", "x"), (1, 2, None, "y")], start={0: 1.0}, final={2: 0.5})
    assert gtn.determinize(one).final_penalties.tolist() == [0.5]


@pytest.mark.parametrize(
    ("arcs", "final"),
    [
        ([(0, 1, "a", "x"), (0, 1, "a", "y")], 1),
        ([(0, 1, "a", "x"), (0, 2, "a", "y")], [1, 2]),
        ([(0, 1, None, "x"), (0, 1, None, "y"), (1, 2, "a")], 2),
        ([(0, 0, None, "x"), (0, 1, "a")], 1),
    ],
)
def test_not_functional(arcs, final):
    g = gtn.from_arcs(arcs, final=final)
    assert not gtn.is_functional(g)
    with pytest.raises(gtn.GraphError, match="not functional"):
        gtn.determinize(g)


def test_the_node_of_two_outputs_is_named_as_the_graph_numbers_it():
    arcs = [(5, 6, "b"), (0, 4, None), (4, 3, "a", "x"), (4, 3, "a", "y")]
    with pytest.raises(gtn.GraphError, match="reaches node 3 has two"):
        gtn.determinize(gtn.from_arcs(arcs, start=0, final=3))


# -- traps ----------------------------------------------------------------------------------------


def test_nothing_and_the_empty_string():
    for g in (gtn.empty(), gtn.from_arcs([(0, 1, 2)], start=[0], final=[], num_nodes=2)):
        assert gtn.equal(gtn.determinize(g), gtn.empty())
    final_start = gtn.from_arcs([(0, 0, 3, 1.0)], start={0: 0.5}, final={0: 0.25}).double()
    assert gtn.equal(gtn.determinize(final_start), final_start, atol=1e-15)
    several = gtn.from_arcs([], start={0: 1.0, 1: 1.0}, final=[0, 1], num_nodes=2).double()
    made = gtn.determinize(several)
    assert made.num_nodes == 1
    total = made.start_penalties + made.final_penalties
    torch.testing.assert_close(total, gtn.forward_penalty(several)[None])


def test_two_epsilons_in_a_row():
    g = gtn.from_arcs([(0, 1, None, 1.0), (1, 2, None, 2.0), (2, 3, 7, 4.0)], final=3)
    assert gtn.determinize(g).penalties.tolist() == [7.0]


def test_all_forbidden():
    g = gtn.from_arcs([(0, 1, 7, np.inf), (0, 1, 8, np.inf)], final=1)
    assert gtn.determinize(g).num_nodes == 0


def test_type_and_long_strings():
    g = gtn.string("abc", dtype=torch.float32)
    assert gtn.equal(gtn.determinize(g), g)
    assert gtn.determinize(g).penalties.dtype == torch.float32
    chain = gtn.linear(torch.rand(3000, 2, dtype=torch.float64) + 5)
    made = gtn.determinize(gtn.union(chain, chain))
    difference = gtn.forward_penalty(made) - gtn.forward_penalty(chain)
    torch.testing.assert_close(difference, -torch.log(torch.tensor(2.0, dtype=torch.float64)))
    assert made.num_nodes == 3001


def test_choices():
    g = gtn.string([1])
    wrong = [("semiring", "real"), ("side", "output"), ("delta", -1.0), ("max_nodes", -1)]
    kinds = [(name, value, gtn.GraphError) for name, value in wrong]
    wrong = [("delta", "0"), ("delta", torch.ones(2)), ("max_nodes", 2.5), ("max_nodes", "8")]
    kinds += [(name, value, TypeError) for name, value in wrong]
    for name, value, kind in kinds:
        with pytest.raises(kind, match=rf"{name}={re.escape(repr(value))}; "):
            gtn.determinize(g, **{name: value})


def test_any_residuals_agree_within_an_infinite_distance():
    arcs = [(0, 1, "a"), (0, 2, "a", 1.0), (0, 4, "b"), (4, 1, "a"), (4, 2, "a", 9.0)]
    g = gtn.from_arcs([*arcs, (1, 3, "b"), (2, 3, "c")], final=3)
    assert gtn.determinize(g, delta=np.inf).num_nodes == gtn.determinize(g).num_nodes - 1


def test_nodes_that_only_write_are_counted():
    arcs = [(0, 1, "a", None), *((n, n + 1, None, "x") for n in range(1, 20))]
    g = gtn.from_arcs(arcs, final=20)
    assert gtn.determinize(g, max_nodes=20).num_nodes == 20
    with pytest.raises(gtn.GraphError, match=r"has 20 nodes, 18 of them to write.*max_nodes=19"):
        gtn.determinize(g, max_nodes=19)


@pytest.mark.parametrize(
    "verb", [gtn.determinize, gtn.minimize, partial(gtn.determinize, beam=1.0)]
)
def test_bad_penalties_are_named_by_their_own_numbers(verb):
    arcs = [(0, 2, 0, 0.1), (0, 0, 2, np.inf), (0, 1, 1, 1.0), (1, 1, 1, 9.0)]
    for part, named in (("penalties", "arc 2"), ("start_penalties", "start 0"),
                        ("final_penalties", "final 1")):  # fmt: skip
        g = gtn.from_arcs(arcs, start=[0], final=[0, 1])
        getattr(g, part)[int(named[-1])] = np.nan
        with pytest.raises(gtn.GraphError, match=f"{named} has penalty nan"):
            verb(g, semiring="tropical")


@SEMIRINGS
def test_gradcheck(semiring):
    generator = torch.Generator().manual_seed(0)
    graphs = random_graphs(40, seed=4, max_nodes=5, max_arcs=8, epsilons=False, acceptor=True)
    topology = gtn.connect(graphs).topology

    arcs, starts, finals = (
        torch.rand(n, generator=generator, dtype=torch.float64)
        for n in (topology.num_arcs, len(topology.starts), len(topology.finals))
    )
    g = gtn.GraphBatch(topology, arcs, start_penalties=starts, final_penalties=finals)
    assert_derivatives(partial(gtn.determinize, semiring=semiring), g, fast=True)


@FEW
@given(graphs(max_nodes=5, max_arcs=8, penalties=exact_penalties(-1, 1)))
def test_penalties_need_no_gradient_to_be_the_same(g):
    free = g.with_penalties(g.penalties.clone().requires_grad_())
    assert gtn.equal(gtn.determinize(free), gtn.determinize(g))


@pytest.mark.parametrize(
    ("dtype", "gap", "merged"),
    [
        (torch.float32, 1e-6, True),
        (torch.float32, 1e-4, False),
        (torch.float64, 1e-10, True),
        (torch.float64, 1e-8, False),
    ],
)
def test_within_what_penalties_are_equal_follows_their_dtype(dtype, gap, merged):
    subsets = gtn.from_arcs(
        [(0, 1, "a", 0.0), (0, 2, "a", gap), (0, 1, "b"), (0, 2, "b"), (1, 3, "c"), (2, 3, "d")],
        final=3, dtype=dtype,
    )  # fmt: skip
    futures = gtn.from_arcs(
        [(0, 1, "a"), (0, 2, "b"), (1, 3, "c"), (2, 3, "c"), (1, 3, "d"), (2, 3, "d", gap)],
        final=3, dtype=dtype,
    )  # fmt: skip
    for made in (gtn.determinize(subsets), gtn.minimize(futures)):
        assert made.num_nodes == (3 if merged else 4)
