"""Graphs as networks of networkx, and back."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich_graphs import ANY, rich

import gtn
from gtn import GraphError
from gtn.testing import graphs


@given(graphs(**ANY), st.booleans(), st.sampled_from([torch.float32, torch.float64]))
def test_networkx_and_back(g, tables, dtype):
    g = g.to(dtype)
    if tables:
        g = g.with_symbols(gtn.SymbolTable("abc"), gtn.SymbolTable("cba"))
    g = g.with_data(row=torch.arange(2 * g.num_arcs).reshape(-1, 2)) if g.num_arcs else g
    back = gtn.from_networkx(gtn.to_networkx(g))
    assert gtn.equal(back, g)
    assert back.penalties.dtype == dtype
    assert (back.isymbols, back.osymbols) == (g.isymbols, g.osymbols)


def test_a_network_of_ones_own():
    network = nx.DiGraph([("s", "t", {"label": 3, "weight": 2}), ("t", "t", {})])
    network.nodes["s"]["start"] = True
    network.nodes["t"]["final"] = 0.5
    g = gtn.from_networkx(network, penalty="weight")
    assert g.ilabels.tolist() == [3, -1]
    assert g.penalties.tolist() == [2, 0]
    assert g.starts.tolist() == [0]
    assert g.final_penalties.tolist() == [0.5]
    again = gtn.from_networkx(network, start=["s", "t"], final={"t": 1.0})
    assert again.starts.tolist() == [0, 1]


def test_networkx_algorithms_see_the_graph():
    g = gtn.Graph.from_arcs([(0, 1, 1, 5.0), (0, 2, 1, 1.0), (2, 1, 1, 1.0)], final=1)
    network = gtn.to_networkx(g)
    assert nx.shortest_path(network, 0, 1, weight="penalty") == [0, 2, 1]


def test_networks_that_are_no_graphs():
    with pytest.raises(gtn.GraphError, match="direction"):
        gtn.from_networkx(nx.Graph())
    with pytest.raises(gtn.GraphError, match="final node 'z' is not in the network"):
        gtn.from_networkx(nx.DiGraph([("a", "b")]), start="a", final="z")
    with pytest.raises(gtn.GraphError, match="one by one"):
        gtn.to_networkx(rich())
    with pytest.raises(gtn.DataError, match="merged"):
        gtn.to_networkx(rich()[0])
    halves = nx.MultiDiGraph([(0, 1, {"data": {"x": 1}}), (0, 1, {})])
    with pytest.raises(gtn.GraphError, match="edge 1 has no data 'x'"):
        gtn.from_networkx(halves, start=0, final=1)
    far = nx.DiGraph([("a", "b", {"penalty": "far"})])
    with pytest.raises(gtn.GraphError, match="edge from 'a' to 'b' has penalty 'far'"):
        gtn.from_networkx(far, start="a", final="b")
    with pytest.raises(gtn.GraphError, match="start node 'a' has penalty None"):
        gtn.from_networkx(nx.DiGraph([("a", "b")]), start={"a": None}, final="b")


def test_truth_values_of_numpy_at_the_nodes_of_a_network():
    network = nx.DiGraph()
    network.add_node("x", start=np.True_, final=np.False_)
    network.add_node("y", start=np.False_, final=np.True_)
    network.add_edge("x", "y", label=1)
    graph = gtn.from_networkx(network)
    assert (graph.starts.tolist(), graph.finals.tolist()) == ([0], [1])
    assert graph.final_penalties.tolist() == [0.0]
    network.add_edge("x", "y", label=1, data="foo")
    with pytest.raises(GraphError, match="edge 0 has data='foo'"):
        gtn.from_networkx(network)
