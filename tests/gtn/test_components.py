"""Strongly connected components and reversed graphs."""

import pickle
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

import gtn
from gtn.testing import batches, graphs

ANY = graphs(acyclic=False, epsilons=True, acceptor=False, max_nodes=7, max_arcs=12)


@given(ANY)
@settings(max_examples=150)
def test_components_are_those_of_networkx_in_topological_order(graph):
    t = graph.topology
    links = nx.DiGraph(zip(t.src.tolist(), t.dst.tolist()))
    links.add_nodes_from(range(t.num_nodes))
    nodes, offsets = t.components
    found = [set(nodes[low:high].tolist()) for low, high in pairwise(offsets)]
    assert sorted(map(sorted, found)) == sorted(
        map(sorted, nx.strongly_connected_components(links))
    )
    place = {n: k for k, members in enumerate(found) for n in members}
    assert all(place[s] <= place[d] for s, d in links.edges)


def test_within_a_component_the_order_follows_the_arcs_from_the_start():
    arcs = [(2, 4, 1), (4, 1, 1), (1, 3, 1), (3, 2, 1), (2, 0, 1)]
    nodes, offsets = gtn.Graph.from_arcs(arcs, start=2, final=0).topology.components
    assert nodes.tolist() == [2, 4, 1, 3, 0]
    assert offsets.tolist() == [0, 4, 5]


def test_components_of_long_chains_and_rings_need_no_recursion():
    length = 100_000
    nodes = np.arange(length)
    chain = gtn.from_arrays(nodes, nodes + 1, nodes, final=length).topology
    ring = gtn.from_arrays(nodes, (nodes + 1) % length, nodes, final=0).topology
    assert len(chain.components.offsets) == length + 2
    assert ring.components.offsets.tolist() == [0, length]


@given(batches(acyclic=False, epsilons=True, acceptor=False, max_graphs=3))
@settings(max_examples=50)
def test_a_reversed_topology_keeps_the_numbers_of_arcs(batch):
    t = batch.topology
    turned = t.reversed
    assert turned.src is t.dst
    assert turned.dst is t.src
    assert turned.starts.tolist() == t.finals.tolist()
    assert turned.finals.tolist() == t.starts.tolist()
    assert turned.batch_size == t.batch_size
    for found, expected in (
        (turned.accessible, t.coaccessible),
        (turned.coaccessible, t.accessible),
        (turned.incoming.arcs, t.outgoing.arcs),
        (turned.outgoing.offsets, t.incoming.offsets),
    ):
        assert found.tolist() == expected.tolist()
    again = gtn.Topology(
        t.num_nodes, t.dst, t.src, t.ilabels, t.olabels, starts=t.finals, finals=t.starts
    )
    assert again.outgoing.arcs.tolist() == turned.outgoing.arcs.tolist()


def test_what_is_cached_is_read_only_and_not_copied():
    t = gtn.Graph.from_arcs([(0, 1, 1), (1, 0, 1)], final=1).topology
    assert t.reversed is t.reversed
    assert t.components is t.components
    with pytest.raises(ValueError, match="read-only"):
        t.components.nodes[0] = 1
    copied = pickle.loads(pickle.dumps(t))
    assert not {"components", "reversed"} & copied.__dict__.keys()
    assert copied.components.nodes.tolist() == t.components.nodes.tolist()
