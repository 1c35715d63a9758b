"""Pushing: what it keeps, where the penalties then stand, and that OpenFst agrees."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import gtn
from gtn.testing import assert_derivatives, assert_equivalent, exact_penalties, graphs
from gtn.testing.enumeration import paths
from gtn.testing.openfst import assert_same_language, random_graphs, to_openfst

COUNT = 250
FEW = settings(max_examples=40)  # the bulk tests draw thousands
SEMIRINGS = pytest.mark.parametrize("semiring", ["log", "tropical"])
ENDS = pytest.mark.parametrize("to", ["start", "final"])
CYCLIC = graphs(acyclic=False, epsilons=True, acceptor=False, penalties=exact_penalties(2.1, 8))


@SEMIRINGS
@ENDS
@FEW
@given(g=graphs(acceptor=False, epsilons=True, infinite=True))
def test_every_path_keeps_its_penalty(semiring, to, g):
    made = gtn.push(g, to, semiring=semiring)
    assert made.topology is g.topology
    before, after = ({(*p.arcs, p.start, p.final): p.penalty for p in paths(x)} for x in (g, made))
    assert before.keys() == after.keys()
    for path, penalty in before.items():
        assert abs(after[path] - penalty) < 1e-9


@SEMIRINGS
@ENDS
@FEW
@given(g=CYCLIC)
def test_every_string_keeps_its_penalty(semiring, to, g):
    assert_equivalent(gtn.push(g, to, semiring=semiring), g, semiring=semiring, max_length=3)


@SEMIRINGS
@ENDS
@FEW
@given(g=CYCLIC)
def test_what_leaves_a_node_sums_to_zero(semiring, to, g):
    made = gtn.connect(gtn.push(g, to, semiring=semiring))
    ends, starts = (made.src, made.finals) if to == "start" else (made.dst, made.starts)
    own = made.final_penalties if to == "start" else made.start_penalties
    for node in range(made.num_nodes):
        parts = np.r_[made.penalties.numpy()[ends == node], own.numpy()[starts == node]]
        total = -np.logaddexp.reduce(-parts) if semiring == "log" else parts.min()
        assert abs(total) < 1e-9


@SEMIRINGS
@ENDS
@pytest.mark.parametrize("acyclic", [True, False])
def test_openfst(semiring, to, acyclic):
    pytest.importorskip("pynini")
    options = {"infinite": True} if acyclic else {"acyclic": False, "least": 2.5}
    graphs = random_graphs(COUNT, seed=1, max_arcs=5, labels=1, **options)
    made = gtn.push(graphs, to, semiring=semiring)
    # OpenFst stops where distances change by less than delta.
    kind, atol = {"log": ("log64", 1e-8), "tropical": ("tropical", 0.0)}[semiring]
    delta = 1e-12 if semiring == "log" else 2.0**-10
    where = {"start": "to_initial", "final": "to_final"}[to]
    for i, fst in enumerate(to_openfst(graphs, kind)):
        theirs = fst.push(delta=delta, reweight_type=where)
        limit = None if acyclic else 3
        assert_same_language(made[i], theirs, semiring, max_length=limit, atol=atol, note=str(i))


@pytest.mark.parametrize("acyclic", [True, False])
def test_the_penalties_are_those_of_openfst(acyclic):
    # With one start that no arc enters, OpenFst leaves the total on the arcs that leave the start.
    pytest.importorskip("pynini")
    options = {} if acyclic else {"acyclic": False, "least": 2.5}
    graphs = gtn.connect(random_graphs(4 * COUNT, seed=2, max_nodes=5, acceptor=True, **options))
    compared = 0
    for g in graphs:
        if len(g.starts) != 1 or g.starts[0] in g.dst or g.start_penalties[0] != 0:
            continue
        theirs = to_openfst(g).push(delta=2.0**-10)
        made = gtn.push(g, semiring="tropical")
        for node in set(range(g.num_nodes)) - set(g.starts.tolist()):
            ours = made.penalties[torch.from_numpy(g.src == node)].tolist()
            weights = sorted(float(arc.weight) for arc in theirs.arcs(node))  # nine digits
            assert sorted(ours) == pytest.approx(weights, abs=1e-6)
            compared += len(ours)
    assert compared > 150


@SEMIRINGS
@ENDS
def test_gradcheck(semiring, to):
    generator = torch.Generator().manual_seed(0)
    graphs = random_graphs(20, seed=3, max_nodes=5, max_arcs=8, acyclic=False)
    topology = gtn.connect(graphs).topology

    arcs, starts, finals = (
        2.5 + torch.rand(n, generator=generator, dtype=torch.float64)
        for n in (topology.num_arcs, len(topology.starts), len(topology.finals))
    )
    g = gtn.GraphBatch(topology, arcs, start_penalties=starts, final_penalties=finals)
    assert_derivatives(partial(gtn.push, to=to, semiring=semiring), g, fast=True)


@ENDS
def test_what_lies_on_no_path_is_forbidden(to):
    arcs = [(0, 1, 7, 1.0), (0, 2, 8, 1.0), (3, 1, 8, 1.0), (1, 1, 9, np.inf), (2, 2, 7, -5.0)]
    g = gtn.from_arcs(arcs, final=1).with_penalties(
        torch.tensor([1.0, 1.0, 1.0, np.inf, -5.0], requires_grad=True)
    )
    made = gtn.push(g, to)
    assert made.penalties.tolist() == [0.0, *[np.inf] * 4]
    (gradient,) = torch.autograd.grad(gtn.forward_penalty(made), g.penalties)
    assert gradient.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_nothing_and_no_path():
    assert gtn.equal(gtn.push(gtn.empty()), gtn.empty())
    g = gtn.from_arcs([(0, 1, 7, 1.0)], start=0, final=[], num_nodes=2)
    assert gtn.push(g).penalties.tolist() == [np.inf]


def test_a_start_that_is_final():
    g = gtn.from_arcs([(0, 0, 7, 1.0)], start={0: 0.5}, final={0: 0.25}).double()
    for to in ("start", "final"):
        torch.testing.assert_close(gtn.forward_penalty(gtn.push(g, to)), gtn.forward_penalty(g))


def test_divergence_and_choices():
    ring = gtn.from_arcs([(0, 0, 7, -1.0)], final=0)
    with pytest.raises(gtn.DivergentGraphError):
        gtn.push(ring)
    with pytest.raises(gtn.NegativeCycleError):
        gtn.push(ring, semiring="tropical")
    with pytest.raises(gtn.GraphError, match="to='middle'"):
        gtn.push(ring, "middle")
    with pytest.raises(gtn.GraphError, match="semiring='real'"):
        gtn.push(ring, semiring="real")
