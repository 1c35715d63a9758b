"""Best paths and Viterbi penalties agree with enumerated paths; what a path reads and writes."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_penalties import learning

import gtn
from gtn.errors import GraphError, NegativeCycleError
from gtn.testing import (
    batches,
    graphs,
    paths,
    penalty_by_closure,
    viterbi_by_enumeration,
)

FREE = {"epsilons": True, "acceptor": False}


def assert_close(found, expected, atol=1e-9):
    found = torch.as_tensor(found, dtype=torch.float64)
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=atol)


def assert_cycle_on_path(graph, message):
    """Check that the message names a cycle of the graph on a path; return the arcs of the cycle."""
    nodes, arcs = re.search(r"nodes ([\d >-]+) \(arcs ([\d, ]+)\)", message).groups()
    nodes, arcs = [int(n) for n in nodes.split("->")], [int(a) for a in arcs.split(",")]
    assert list(pairwise(nodes)) == [(graph.src[a], graph.dst[a]) for a in arcs]
    assert nodes[0] == nodes[-1]
    longest = 2 * graph.num_nodes + len(arcs)
    reached, back = set(graph.starts.tolist()), set(graph.finals.tolist())
    for _ in range(longest):
        reached |= {int(graph.dst[a]) for a in range(graph.num_arcs) if graph.src[a] in reached}
        back |= {int(graph.src[a]) for a in range(graph.num_arcs) if graph.dst[a] in back}
    assert nodes[0] in reached & back
    return arcs


# -- Viterbi -----------------------------------------------------------------------------------


def preferred(found):
    """Return the best of enumerated paths; ties go to the lowest final, then, going backwards, to
    starting at a node, then to the lowest arc."""
    least = min(path.penalty for path in found)
    return min(
        (path for path in found if path.penalty == least),
        key=lambda path: (path.final, path.arcs[::-1]),
    )


def assert_is_path(best, graph, expected):
    assert best.sources[0].index.tolist() == list(expected.arcs)
    arcs = list(expected.arcs)
    assert best.ilabels.tolist() == graph.ilabels[arcs].tolist()
    assert best.olabels.tolist() == graph.olabels[arcs].tolist()
    assert torch.equal(best.penalties, graph.penalties[arcs])
    assert best.src.tolist() == list(range(len(arcs)))
    assert best.dst.tolist() == list(range(1, len(arcs) + 1))
    assert (best.starts.tolist(), best.finals.tolist()) == ([0], [len(arcs)])
    for penalties, given_, nodes, node in (
        (best.start_penalties, graph.start_penalties, graph.starts, expected.start),
        (best.final_penalties, graph.final_penalties, graph.finals, expected.final),
    ):
        assert penalties.tolist() == given_[np.flatnonzero(nodes == node)].tolist()
    assert tuple(gtn.path_labels(best, "input").tolist()) == expected.inputs
    assert tuple(gtn.path_labels(best).tolist()) == expected.outputs
    assert best.data.column("name").values().tolist() == arcs


FEW = st.sampled_from([0.0, 1.0, math.inf])
TIED = st.one_of(
    graphs(infinite=True, **FREE),
    graphs(penalties=FEW, max_arcs=10, **FREE),
    graphs(penalties=FEW, max_arcs=10, **FREE),
)


@given(TIED)
@settings(max_examples=200)
def test_viterbi_path_is_the_preferred_best_path(graph):
    graph = graph.with_data(name=np.arange(graph.num_arcs))
    g, leaves = learning(graph)
    value, best, found = gtn.viterbi_penalty(g), gtn.viterbi_path(graph), paths(graph)
    assert value.item() == viterbi_by_enumeration(graph)
    if not found:
        assert (best.num_nodes, best.num_arcs, len(best.starts), len(best.finals)) == (0, 0, 0, 0)
        return
    expected = preferred(found)
    assert_is_path(best, graph, expected)
    (2 * value).backward()
    wanted = torch.zeros(graph.num_arcs, dtype=torch.float64)
    wanted[list(expected.arcs)] = 2
    assert torch.equal(leaves[0].grad, wanted)
    assert leaves[1].grad.tolist() == [2 * (n == expected.start) for n in graph.starts]
    assert leaves[2].grad.tolist() == [2 * (n == expected.final) for n in graph.finals]


@given(graphs(acyclic=False, penalties=st.sampled_from([1.0, 2.0, math.inf]), max_nodes=4, **FREE))
@settings(max_examples=150)
def test_viterbi_path_with_cycles_of_positive_penalty(graph):
    graph = graph.with_data(name=np.arange(graph.num_arcs))
    found = paths(graph, max_length=graph.num_nodes)
    best = gtn.viterbi_path(graph)
    if found:
        assert_is_path(best, graph, preferred(found))
    else:
        assert best.num_nodes == 0


@given(graphs(acyclic=False, penalties=st.sampled_from([0.0, 0.0, 1.0]), max_arcs=10))
@settings(max_examples=150)
def test_viterbi_path_with_cycles_of_penalty_zero(graph):
    expected = penalty_by_closure(graph, semiring="tropical")
    assert gtn.viterbi_penalty(graph).item() == expected
    best = gtn.viterbi_path(graph)
    if expected < math.inf:
        arcs = best.sources[0].index.tolist()
        assert len(arcs) < graph.num_nodes
        nodes = [*graph.src[arcs].tolist(), *graph.dst[arcs[-1:]].tolist()]
        assert graph.dst[arcs[:-1]].tolist() == nodes[1:-1]
        assert best.penalties.sum() + best.start_penalties + best.final_penalties == expected


@given(graphs(acyclic=False, infinite=True, max_nodes=6, max_arcs=12))
@settings(max_examples=200)
def test_negative_cycles_on_paths_are_named(graph):
    try:
        expected = penalty_by_closure(graph, semiring="tropical")
    except NegativeCycleError:
        for verb in (gtn.viterbi_path, gtn.viterbi_penalty):
            with pytest.raises(NegativeCycleError, match="negative") as error:
                verb(graph)
            arcs = assert_cycle_on_path(graph, str(error.value))
            assert graph.penalties[arcs].sum() < 0
    else:
        assert gtn.viterbi_penalty(graph).item() == expected


def test_a_negative_cycle_that_is_forbidden_does_not_matter():
    within = [(0, 1, 1, 1.0), (2, 2, 1, -1.0)]
    ways = [
        ([(1, 2, 1, math.inf), (2, 1, 1, 0.0)], {0: 0.0}, {1: 0.0}),
        ([(0, 2, 1, 0.0), (2, 1, 1, math.inf)], {0: 0.0}, {1: 0.0, 2: math.inf}),
        ([(2, 1, 1, 0.0)], {0: 0.0, 2: math.inf}, {1: 0.0}),
    ]
    for more, starts, finals in ways:
        graph = gtn.Graph.from_arcs(within + more, start=starts, final=finals)
        assert gtn.viterbi_penalty(graph) == 1
        (best,) = gtn.n_best(graph, 3)
        assert gtn.path_labels(best).tolist() == [1]


def test_ties_on_a_graph_with_cycles_go_to_the_lowest_arc():
    arcs = [(2, 1, 7, 0.5), (0, 1, 8, 1.0), (0, 2, 9, 0.5), (1, 1, 5, 1.0)]
    best = gtn.viterbi_path(gtn.Graph.from_arcs(arcs, final=1))
    assert gtn.path_labels(best).tolist() == [9, 7]


def test_a_long_graph_with_cycles():
    length = 500
    nodes = np.arange(length)
    graph = gtn.from_arrays(
        np.r_[nodes, nodes + 1],
        np.r_[nodes + 1, nodes],
        np.r_[nodes, nodes],
        penalties=torch.cat([torch.full((length,), 0.1), torch.zeros(length)]),
        final=length,
    )
    assert gtn.path_labels(gtn.viterbi_path(graph)).tolist() == nodes.tolist()
    worse = graph.with_penalties(graph.penalties - 0.06)
    with pytest.raises(NegativeCycleError, match=r"penalty -0\.02"):
        gtn.viterbi_penalty(worse)


@given(batches(acyclic=False, negative=False, max_graphs=4))
@settings(max_examples=50)
def test_best_paths_of_a_batch_with_cycles(batch):
    assert_close(gtn.viterbi_penalty(batch), penalty_by_closure(batch, semiring="tropical"))


# -- label sequences -----------------------------------------------------------------------------


def test_labels_of_chains_whose_arcs_are_in_no_order():
    table = gtn.SymbolTable("abcd")
    chain = gtn.Graph.from_arcs(
        [(1, 0, "c", None), (3, 2, "a", "b"), (2, 1, None, "d")], start=3, final=0, symbols=table
    )
    assert gtn.path_labels(chain).tolist() == [1, 3]
    assert gtn.path_labels(chain, "input").tolist() == [0, 2]
    assert gtn.path_text(chain) == "bd"
    assert gtn.path_text(chain, "input", separator="-") == "a-c"
    batch = gtn.GraphBatch.from_graphs([chain, gtn.empty(symbols=table), chain])
    assert gtn.path_text(batch) == ["bd", "", "bd"]
    assert [x.tolist() for x in gtn.path_labels(batch, "input")] == [[0, 2], [], [0, 2]]


def test_text_of_labels_without_symbols_is_numbers():
    assert gtn.path_text(gtn.string([3, 14]), separator=" ") == "3 14"
    assert gtn.path_text(gtn.string([])) == ""


@pytest.mark.parametrize(
    ("arcs", "ends", "message"),
    [
        ([(0, 1, 1), (0, 1, 2)], {"final": 1}, "2 arcs leave node 0"),
        ([(0, 2, 1), (1, 2, 2)], {"final": 2}, "2 arcs enter node 2"),
        ([(0, 1, 1), (2, 3, 1)], {"final": 1}, "several pieces"),
        ([(0, 1, 1), (1, 0, 1)], {"final": 1}, "cycle"),
        ([(0, 1, 1), (2, 2, 1)], {"final": 1}, "cycle"),
        ([(0, 1, 1), (1, 2, 1)], {"final": [1, 2]}, r"finals are nodes \[1, 2\]"),
        ([(0, 1, 1), (1, 2, 1)], {"final": 1}, r"last nodes of the chain \[2\]"),
        ([(0, 1, 1), (1, 2, 1)], {"start": 1, "final": 2}, r"starts are nodes \[1\]"),
        ([(0, 1, 1)], {"start": [], "final": 1}, r"starts are nodes \[\]"),
    ],
)
def test_what_is_not_a_single_path_has_no_labels(arcs, ends, message):
    graph = gtn.Graph.from_arcs(arcs, **ends)
    for of in (gtn.path_labels, gtn.path_text):
        with pytest.raises(GraphError, match=message):
            of(graph)
    with pytest.raises(GraphError, match="side"):
        gtn.path_labels(gtn.string([1]), "left")


def test_paths_of_a_list_of_batches():
    several = gtn.n_best(gtn.strings(["ab", "c"]), 2)
    assert gtn.path_text(several) == [["ab"], ["c"]]
    assert [[row.tolist() for row in rows] for rows in gtn.path_labels(several)] == [
        [[0, 1]],
        [[2]],
    ]


@pytest.mark.parametrize(
    "verb",
    [
        gtn.forward_penalty,
        gtn.viterbi_penalty,
        gtn.viterbi_path,
        gtn.arc_posteriors,
        gtn.path_text,
        gtn.path_labels,
        lambda graph: gtn.n_best(graph, 2),
    ],
)
def test_what_is_no_graph_is_told(verb):
    with pytest.raises(GraphError, match=r"needed, not Tensor; gtn\.linear makes one of emissions"):
        verb(torch.zeros(2, 2))
    with pytest.raises(GraphError, match=r"needed, not str; gtn\.string makes one"):
        verb("ab")
    with pytest.raises(GraphError, match=r"needed, not NoneType$"):
        verb(None)
