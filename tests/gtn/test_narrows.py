"""Narrows: the nodes that all paths go through, by listing all paths of small graphs."""

from gtn.paths.narrows import common_nodes
from gtn.testing.enumeration import paths
from gtn.testing.openfst import random_graphs


def test_the_nodes_that_all_paths_go_through():
    found = 0
    for acyclic in (True, False):
        sizes = {"max_nodes": 6, "max_arcs": 9} if acyclic else {"max_nodes": 3, "max_arcs": 5}
        for graph in random_graphs(300 if acyclic else 60, seed=3, acyclic=acyclic, **sizes):
            ways = [
                [path.start, *graph.dst[list(path.arcs)].tolist()]
                for path in paths(graph, None if acyclic else 6)
            ]
            wanted = []
            if ways:
                once = [{n for n in way if way.count(n) == 1} for way in ways]
                common = set.intersection(*once)
                wanted = [n for n in ways[0] if n in common]
            assert common_nodes(graph.topology).tolist() == wanted
            found += len(wanted) > 2
    assert found > 20
