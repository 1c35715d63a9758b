"""Connecting and topological sorting."""

import numpy as np
import pytest
import torch
from hypothesis import given

import gtn
from gtn.equivalence import equal
from gtn.optimization import connect, topsort
from gtn.testing import assert_derivatives, batches, graphs, paths

ANY = {"epsilons": True, "acceptor": False}


@given(graphs(acyclic=False, **ANY))
def test_connect_keeps_what_paths_pass(g):
    length = 2 * g.num_nodes  # two simple ways, to an arc and on from it, make a path
    through = paths(g, length)
    made = connect(g)
    assert sorted({a for path in through for a in path.arcs}) == made.sources[0].index.tolist()
    nodes = {n for p in through for n in (p.start, p.final)} | {
        int(n) for p in through for a in p.arcs for n in (g.src[a], g.dst[a])
    }
    assert made.num_nodes == len(nodes)
    spelled = [(p.inputs, p.outputs, p.penalty) for p in through]
    assert sorted(spelled) == sorted((p.inputs, p.outputs, p.penalty) for p in paths(made, length))
    assert made.topology.is_connected
    assert equal(connect(made), made)


@given(graphs(**ANY))
def test_topsort_sorts(g):
    made = topsort(g)
    assert (made.src < made.dst).all()
    assert (np.diff(made.src) >= 0).all()
    spelled = [(p.inputs, p.outputs, p.penalty) for p in paths(g)]
    assert sorted(spelled) == sorted((p.inputs, p.outputs, p.penalty) for p in paths(made))
    np.testing.assert_array_equal(made.ilabels, g.ilabels[made.sources[0].index])
    assert equal(topsort(made).detach(), topsort(topsort(made)))


@pytest.mark.parametrize("operation", [connect, topsort])
@given(batch=batches(**ANY))
def test_batches(operation, batch):
    batch = batch.with_data(row=np.arange(batch.num_arcs))
    made = operation(batch)
    expected = gtn.GraphBatch.from_graphs([operation(g) for g in batch])
    assert equal(made, expected)
    np.testing.assert_array_equal(made.data["row"], expected.data["row"])
    np.testing.assert_array_equal(made.data["row"], made.sources[0].index)


@pytest.mark.parametrize("operation", [connect, topsort])
def test_gradients(operation):
    g = gtn.from_arcs(
        [(3, 2, 1, 0.5), (2, 0, 2, 1.5), (3, 0, 3, 2.0), (3, 1, 4, 1.0)],
        start={2: 0.25, 3: 0.5},
        final={0: 0.75, 2: 1.25},
        dtype=torch.float64,
    )
    assert_derivatives(operation, g, order=1)


def test_a_cycle_is_named():
    g = gtn.from_arcs([(0, 1, 1), (1, 2, 2), (2, 1, 3)], final=2)
    with pytest.raises(gtn.CyclicGraphError, match=r"nodes (1 -> 2 -> 1|2 -> 1 -> 2)"):
        topsort(g)


def test_nothing_is_left():
    nothing = connect(gtn.from_arcs([(0, 1, 7)], start=0, final=2, num_nodes=3))
    assert equal(nothing, gtn.empty())
    assert connect(gtn.empty()).num_nodes == topsort(gtn.empty()).num_nodes == 0
