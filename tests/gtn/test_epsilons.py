"""Removal of epsilons, compared with path enumeration and OpenFst."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import gtn
from gtn.testing import assert_derivatives, assert_equivalent, batches, exact_penalties, graphs
from gtn.testing.openfst import assert_same_language, random_graphs, to_openfst

COUNT = 500
FEW = settings(max_examples=40)  # the bulk tests draw thousands
SEMIRINGS = pytest.mark.parametrize("semiring", ["log", "tropical"])


def is_silent(g):
    return (g.ilabels == gtn.EPSILON) & (g.olabels == gtn.EPSILON)


@SEMIRINGS
@FEW
@given(g=graphs(max_nodes=6, max_arcs=10, labels=1, acceptor=False, epsilons=True, infinite=True))
def test_acyclic(semiring, g):
    made = gtn.remove_epsilon(g, semiring=semiring)
    assert not is_silent(made).any()
    assert made.topology.is_connected
    assert_equivalent(made, g, semiring=semiring)


@SEMIRINGS
@FEW
@given(
    g=graphs(
        acyclic=False, labels=1, acceptor=False, epsilons=True, penalties=exact_penalties(2.1, 8)
    )
)
def test_cyclic(semiring, g):
    made = gtn.remove_epsilon(g, semiring=semiring)
    assert not is_silent(made).any()
    assert_equivalent(made, g, semiring=semiring, max_length=3)


@SEMIRINGS
@FEW
@given(batch=batches(acyclic=False, epsilons=True, penalties=exact_penalties(2.1, 8)))
def test_batches(semiring, batch):
    batch = batch.with_data(row=np.arange(batch.num_arcs))
    made = gtn.remove_epsilon(batch, semiring=semiring)
    single = [gtn.remove_epsilon(g, semiring=semiring) for g in batch]
    expected = gtn.GraphBatch.from_graphs(single)
    assert gtn.equal(made, expected, atol=1e-12)
    np.testing.assert_array_equal(made.data["row"], expected.data["row"])
    assert (made.ilabels == batch.ilabels[made.data["row"]]).all()


@SEMIRINGS
@pytest.mark.parametrize("acyclic", [True, False])
def test_openfst(semiring, acyclic):
    pytest.importorskip("pynini")
    options = {"infinite": True} if acyclic else {"acyclic": False, "least": 2.5}
    graphs = random_graphs(COUNT, seed=1, max_nodes=5, labels=1, **options)
    made = gtn.remove_epsilon(graphs, semiring=semiring)
    kind, atol = {"log": ("log64", 1e-8), "tropical": ("tropical", 0.0)}[semiring]
    for i, fst in enumerate(to_openfst(graphs, kind)):
        theirs = fst.rmepsilon(delta=1e-12) if semiring == "log" else fst.rmepsilon()
        limit = None if acyclic else 3
        assert_same_language(made[i], theirs, semiring, max_length=limit, atol=atol, note=str(i))


@SEMIRINGS
def test_gradcheck(semiring):
    generator = torch.Generator().manual_seed(0)
    graphs = random_graphs(30, seed=2, max_nodes=5, max_arcs=8, acyclic=False, acceptor=True)
    topology = gtn.connect(graphs).topology

    arcs, starts, finals = (
        2.5 + torch.rand(n, generator=generator, dtype=torch.float64)
        for n in (topology.num_arcs, len(topology.starts), len(topology.finals))
    )
    g = gtn.GraphBatch(topology, arcs, start_penalties=starts, final_penalties=finals)
    assert_derivatives(partial(gtn.remove_epsilon, semiring=semiring), g, fast=True)


# -- traps ----------------------------------------------------------------------------------------


def test_penalties_stay():
    # gtn drops them: 7.0 became 0.0.
    g = gtn.from_arcs([(0, 1, None, 7.0), (1, 2, 5, 0.5)], final={2: 0.25})
    made = gtn.remove_epsilon(g)
    assert made.penalties.tolist() == [7.5]
    assert made.final_penalties.tolist() == [0.25]


def test_two_epsilons_in_a_row():
    arcs = [(0, 1, None, 1.0), (1, 2, None, 2.0), (2, 3, 5, 4.0), (3, 4, None), (4, 5, None, 8.0)]
    made = gtn.remove_epsilon(gtn.from_arcs(arcs, final={5: 16.0}))
    assert made.penalties.tolist() == [7.0]
    assert made.final_penalties.tolist() == [24.0]
    assert made.sources[0].index.tolist() == [2]


def test_a_cycle_of_epsilons_is_summed_exactly():
    g = gtn.from_arcs([(0, 0, None, 1.0), (0, 1, 5, 0.0)], final=1).double()
    penalty = gtn.remove_epsilon(g).penalties
    assert abs(penalty.item() - np.log1p(-np.exp(-1.0))) < 1e-12
    assert gtn.remove_epsilon(g, semiring="tropical").penalties.item() == 0.0


def test_cycles_without_a_sum_are_named():
    arcs = [(9, 3, 7), (3, 4, None, 0.5), (4, 3, None, -0.75), (4, 5, 8)]
    g = gtn.from_arcs(arcs, start=9, final=5).double()
    with pytest.raises(gtn.DivergentGraphError, match="3"):
        gtn.remove_epsilon(g)
    with pytest.raises(gtn.NegativeCycleError, match=r"nodes (3 -> 4 -> 3|4 -> 3 -> 4)"):
        gtn.remove_epsilon(g, semiring="tropical")
    # A cycle that lies on no path does not matter.
    dead = gtn.from_arcs([(0, 1, 7), (0, 2, None), (2, 2, None, -1.0)], final=1)
    assert gtn.remove_epsilon(dead).num_arcs == 1


@pytest.mark.parametrize("semiring", ["log", "tropical"])
@pytest.mark.parametrize("label", [5, None])
@pytest.mark.parametrize("forbidden", [0, 2])
def test_a_cycle_without_a_sum_on_forbidden_paths_does_not_matter(semiring, label, forbidden):
    arcs = [(0, 1, None, 1.0), (1, 1, None, -1.0), (1, 2, label, 1.0), (0, 2, 6, 1.5)]
    arcs[forbidden] = (*arcs[forbidden][:3], np.inf)
    g = gtn.from_arcs(arcs, final=2)
    assert gtn.forward_penalty(g).item() == 1.5
    assert gtn.forward_penalty(gtn.remove_epsilon(g, semiring=semiring)).item() == 1.5


@pytest.mark.parametrize("label", [5, None])
def test_choices_and_penalties_are_checked_with_epsilons_and_without(label):
    g = gtn.from_arcs([(0, 1, label, 1.0)], final=1)
    with pytest.raises(gtn.GraphError, match="semiring='real'"):
        gtn.remove_epsilon(g, semiring="real")
    g.penalties[0] = np.nan
    with pytest.raises(gtn.GraphError, match="arc 0 has penalty nan"):
        gtn.remove_epsilon(g)


def test_the_empty_string():
    assert gtn.equal(gtn.remove_epsilon(gtn.empty()), gtn.empty())
    g = gtn.from_arcs([(0, 1, None, 1.0)], start={0: 0.5}, final={0: 3.0, 1: 2.0}).double()
    made = gtn.remove_epsilon(g)
    assert (made.num_nodes, made.num_arcs) == (1, 0)
    torch.testing.assert_close(gtn.forward_penalty(made), gtn.forward_penalty(g))
    none = gtn.from_arcs([(0, 1, None)], start=0, final=[], num_nodes=2)
    assert gtn.remove_epsilon(none).num_nodes == 0


def test_one_epsilon_is_something():
    g = gtn.from_arcs([(0, 1, 7, None), (1, 2, None, 8)], final=2)
    assert gtn.equal(gtn.remove_epsilon(g), g)


def test_type_symbols_and_data_stay():
    g = gtn.from_arcs([(0, 1, None), (1, 2, "a")], final=2).with_data(time=np.array([5.0, 6.0]))
    made = gtn.remove_epsilon(g)
    assert made.data["time"].tolist() == [6.0]
    assert gtn.path_text(made) == "a"
    assert made.penalties.dtype == torch.float32


def test_parallel_ways_stay_apart():
    g = gtn.from_arcs([(0, 1, None, 1.0), (0, 2, None, 2.0), (1, 3, 7), (2, 3, 7)], final=3)
    made = gtn.remove_epsilon(g)
    assert made.penalties.tolist() == [1.0, 2.0]
    assert made.sources[0].index.tolist() == [2, 3]


def test_too_many_arcs():
    many = gtn.from_arrays(
        np.arange(100),
        np.arange(100) + 100,
        np.arange(100),
        start=range(100),
        final=range(100, 200),
    )
    assert gtn.remove_epsilon(gtn.closure(many)).num_arcs == 101 * 100
    for limit in (5000, 10_050):
        with pytest.raises(gtn.GraphError, match=f"more than {limit} arcs"):
            gtn.remove_epsilon(gtn.closure(many), max_arcs=limit)
    # 100 ways on from each end and from the start; before that, one from each end to the start.
    assert gtn.remove_epsilon(gtn.closure(many), max_arcs=10_200).num_arcs == 101 * 100
    with pytest.raises(gtn.GraphError, match="or follows more"):
        gtn.remove_epsilon(gtn.closure(many), max_arcs=10_199)
