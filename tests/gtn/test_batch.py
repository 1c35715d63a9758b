"""Batches: one disjoint graph, whose parts are the graphs that it was made from."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gtn
from gtn import (
    CyclicGraphError,
    DataError,
    DivergentGraphError,
    Graph,
    GraphBatch,
    GraphError,
    NegativeCycleError,
    Sources,
    SymbolError,
    SymbolTable,
)
from gtn.batch import assemble, gather, rearranged, repeat
from gtn.streaming import PrunedStream
from gtn.testing import assert_equivalent, graphs
from gtn.topology import Topology

ANY = graphs(acyclic=False, epsilons=True, acceptor=False, infinite=True)
SEVERAL = st.lists(ANY, min_size=1, max_size=4)
ARRAYS = ("src", "dst", "ilabels", "olabels", "starts", "finals")


def assert_same(a, b):
    assert a.num_nodes == b.num_nodes
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert not getattr(a, name).flags.writeable
    for name in ("penalties", "start_penalties", "final_penalties"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert a.isymbols == b.isymbols
    assert a.osymbols == b.osymbols


@given(SEVERAL)
def test_what_goes_in_comes_out(several):
    numbered = [g.with_data(number=np.arange(g.num_arcs) + 10 * i) for i, g in enumerate(several)]
    batch = GraphBatch.from_graphs(numbered)
    assert len(batch) == len(several)
    assert batch.num_arcs == sum(g.num_arcs for g in several)
    for i, (one, g) in enumerate(zip(batch, numbered, strict=True)):
        assert type(one) is Graph
        assert not one.topology.is_batch
        assert_same(one, g)
        assert_same(batch[i - len(batch)], g)
        assert one.data["number"].tolist() == g.data["number"].tolist()
        assert (batch.topology.arc_graph[one.sources[0].index] == i).all()
    again = GraphBatch.from_graphs(list(batch))
    assert_same(again, batch)


@given(SEVERAL)
def test_parts_pass_the_checks_of_a_graph(several):
    batch = GraphBatch.from_graphs(several)
    t = batch.topology
    gtn.Topology(
        t.num_nodes,
        t.src,
        t.dst,
        t.ilabels,
        t.olabels,
        starts=t.starts,
        finals=t.finals,
        node_offsets=t.node_offsets,
        arc_offsets=t.arc_offsets,
    )
    for g in batch:
        Graph(g.topology, g.penalties, start_penalties=g.start_penalties)


def test_views_share_memory_and_gradients():
    one, two = (
        gtn.string(labels).with_penalties(torch.zeros(len(labels), requires_grad=True))
        for labels in ([1, 2], [3])
    )
    batch = GraphBatch.from_graphs([one, two])
    assert batch[1].penalties.untyped_storage().data_ptr() == (
        batch.penalties.untyped_storage().data_ptr()
    )
    assert np.shares_memory(batch[1].ilabels, batch.ilabels)
    (2 * batch[0].penalties.sum() + 5 * batch[1].penalties.sum()).backward()
    assert one.penalties.grad.tolist() == [2.0, 2.0]
    assert two.penalties.grad.tolist() == [5.0]


def test_slices_and_indexes():
    batch = GraphBatch.from_graphs([gtn.string([n]) for n in range(4)])
    part = batch[1:3]
    assert isinstance(part, GraphBatch)
    assert [g.ilabels.tolist() for g in part] == [[1], [2]]
    assert [g.ilabels.tolist() for g in batch[::-2]] == [[3], [1]]
    assert batch[-1].ilabels.tolist() == [3]
    assert batch[np.int64(2)].ilabels.tolist() == [2]
    for wrong in (4, -5):
        with pytest.raises(IndexError, match=f"graph {wrong} of a batch of 4"):
            batch[wrong]


def test_what_does_not_make_a_batch():
    one = gtn.string([1])
    with pytest.raises(GraphError, match="at least one graph"):
        GraphBatch.from_graphs([])
    with pytest.raises(GraphError, match="graph 1 is itself a batch"):
        GraphBatch.from_graphs([one, GraphBatch.from_graphs([one])])
    with pytest.raises(GraphError, match=r"graph 1 has torch.float64 penalties.*torch.float32"):
        GraphBatch.from_graphs([one, one.double()])
    with pytest.raises(
        SymbolError, match=r"graph 1 has isymbols SymbolTable.*one table: .*gtn.empty"
    ):
        GraphBatch.from_graphs([one, gtn.string("ab")])
    brought = [gtn.empty(symbols=SymbolTable("ab")) | gtn.string(text) for text in "ab"]
    assert gtn.path_text(GraphBatch.from_graphs(brought)) == ["a", "b"]
    both = one.with_symbols(SymbolTable("ab"))
    half = Graph(one.topology, isymbols=SymbolTable("ab"))
    with pytest.raises(SymbolError, match="graph 1 has osymbols"):
        GraphBatch.from_graphs([both, half])


def test_data_of_a_batch():
    one = gtn.string([1, 2]).with_data(ink=torch.ones(2, 3), time=np.array([1.0, 2.0]))
    two = gtn.string([3]).with_data(ink=torch.full((1, 3), 5.0))
    batch = GraphBatch.from_graphs([one, two])
    assert batch.data["ink"].sum(1).tolist() == [3.0, 3.0, 15.0]
    assert batch.data["time"].tolist() == [1.0, 2.0, 0.0]
    assert batch[1].data["ink"].tolist() == [[5.0, 5.0, 5.0]]
    for wrong, named in (([1.0], "list"), (3, "int"), (torch.tensor(1.0), "a single value")):
        with pytest.raises(DataError, match=f"one row per arc, not {named}$"):
            one.with_data(ink=wrong)
    with pytest.raises(DataError, match="must agree"):
        GraphBatch.from_graphs([one, two.with_data(ink=torch.zeros(1, 4))])


@given(SEVERAL)
def test_copies(several):
    batch = GraphBatch.from_graphs(several)
    for same in (pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        assert type(same) is GraphBatch
        assert_same(same, batch)
        assert len(same) == len(batch)
    assert batch.double().detach().topology is batch.topology
    assert type(batch.with_penalties(batch.penalties)) is GraphBatch


def test_repr():
    batch = GraphBatch.from_graphs([gtn.string([1, 2]), gtn.string([3])])
    head, sizes, *arcs = repr(batch).split("\n")
    assert head == "GraphBatch: 5 nodes, 3 arcs, start 0, 3, final 2, 4"
    assert sizes == "  2 graphs of 2, 1 arcs"
    assert len(arcs) == 3
    one = GraphBatch.from_graphs([gtn.string([3])])
    assert repr(one).split("\n")[:2] == [
        "GraphBatch: 2 nodes, 1 arc, start 0, final 1",
        "  1 graph of 1 arc",
    ]
    assert repr(one[[]]).split("\n") == [
        "GraphBatch: 0 nodes, 0 arcs, start none, final none",
        "  0 graphs",
    ]
    assert "1, … arcs" in repr(GraphBatch.from_graphs([gtn.string([1])] * 9))


# -- building blocks of operations ----------------------------------------------------------------


@given(ANY, st.integers(1, 3))
def test_repeat(g, times):
    batch = repeat(g.with_data(number=np.arange(g.num_arcs)), times)
    assert len(batch) == times
    for one in batch:
        assert_same(one, g)
        assert one.data["number"].tolist() == list(range(g.num_arcs))


def test_gradients_of_all_copies_add_up():
    penalties = torch.zeros(2, requires_grad=True)
    batch = repeat(gtn.string([1, 2]).with_penalties(penalties), 3)
    (batch.penalties * torch.arange(6.0)).sum().backward()
    assert penalties.grad.tolist() == [6.0, 9.0]


def test_what_cannot_be_repeated():
    with pytest.raises(GraphError, match="-1 copies of a graph"):
        repeat(gtn.string([1]), -1)
    assert len(repeat(gtn.string([1]), 0)) == 0
    with pytest.raises(GraphError, match="single graph"):
        repeat(GraphBatch.from_graphs([gtn.string([1])]), 2)


@pytest.mark.parametrize(
    ("index", "expected"), [([2, 0], [3.0, 1.0]), ([1, -1, 1], [2.0, 0.0, 2.0]), ([], [])]
)
def test_gather(index, expected):
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    index = np.array(index, dtype=np.int32)
    found = gather(values, index)
    assert found.tolist() == expected
    found.sum().backward()
    assert values.grad.tolist() == np.bincount(index[index >= 0], minlength=3).tolist()


def test_gather_beside_infinity_and_from_nothing():
    values = torch.tensor([torch.inf, 1.0], requires_grad=True)
    found = gather(values, np.array([-1, 1], np.int32))
    found.sum().backward()
    assert found.tolist() == [0.0, 1.0]
    assert values.grad.tolist() == [0.0, 1.0]
    assert gather(torch.zeros(0), np.array([-1, -1], np.int32)).tolist() == [0.0, 0.0]


@given(ANY)
def test_rearranged_as_it_was(g):
    every = [np.arange(n, dtype=np.int32) for n in (g.num_arcs, len(g.starts), len(g.finals))]
    same = rearranged(g, g.topology, *every)
    assert_same(same, g)
    assert same.sources[0].index.tolist() == list(range(g.num_arcs))


def test_assemble_makes_what_the_topology_is():
    batch = GraphBatch.from_graphs([gtn.string([1])])
    for g in (batch, batch[0]):
        made = assemble(
            g.topology,
            g.penalties,
            g.start_penalties,
            g.final_penalties,
            sources=(Sources(np.zeros(1, np.int32)),),
        )
        assert type(made) is type(g)
        assert_equivalent(made, g)


def test_a_batch_of_a_generator():
    batch = GraphBatch.from_graphs(gtn.string([n]) for n in range(3))
    assert batch.ilabels.tolist() == [0, 1, 2]
    with pytest.raises(GraphError, match="at least one graph"):
        GraphBatch.from_graphs(iter([]))
    with pytest.raises(GraphError, match="item 1 is str, not a graph"):
        GraphBatch.from_graphs([gtn.string([0]), "ab"])


def test_a_slice_may_be_empty():
    batch = GraphBatch.from_graphs([gtn.string("ab").double().with_data(x=np.arange(2))])
    none = batch[1:]
    assert isinstance(none, GraphBatch)
    assert len(none) == 0
    assert none.penalties.dtype == torch.float64
    assert none.isymbols == batch.isymbols
    assert none.data.column("x").values().shape == (0,)
    assert gtn.forward_penalty(none).shape == (0,)
    assert len(none @ gtn.string("ab")) == 0
    assert len(gtn.n_best(gtn.empty(), 5)[:2]) == 0
    assert gtn.to_svg(none).startswith("<svg")


def test_several_indexes_and_masks():
    batch = gtn.strings(["a", "bb", "ccc"])
    mask = np.array([True, False, True])
    for which, expected in (
        ([2, 0], ["ccc", "a"]),
        ([-1], ["ccc"]),
        (np.array([1, 1]), ["bb", "bb"]),
        (torch.tensor([0, 2]), ["a", "ccc"]),
        (mask, ["a", "ccc"]),
        (torch.from_numpy(mask), ["a", "ccc"]),
        (mask.tolist(), ["a", "ccc"]),
        ([], []),
    ):
        chosen = batch[which]
        assert isinstance(chosen, GraphBatch)
        assert [gtn.path_text(g) for g in chosen] == expected
    assert gtn.path_text(batch[torch.tensor(1)]) == "bb"
    with pytest.raises(IndexError):
        batch[[3]]
    with pytest.raises(IndexError):
        batch[[True, False]]
    with pytest.raises(TypeError):
        batch["a"]
    for wrong in (True, np.True_, torch.tensor(True), (), (0, 1)):
        with pytest.raises(IndexError, match="not an index of a batch"):
            batch[wrong]


@given(SEVERAL, st.data())
def test_chosen_graphs_are_those_one_by_one(several, data):
    batch = GraphBatch.from_graphs(several)
    batch = batch.with_data(number=np.arange(batch.num_arcs))
    numbers = data.draw(st.lists(st.integers(-len(several), len(several) - 1), max_size=6))
    chosen, one_by_one = batch[numbers], [batch[i] for i in numbers]
    assert len(chosen) == len(numbers)
    for graph, expected in zip(chosen, one_by_one, strict=True):
        assert gtn.equal(graph, expected)
        assert graph.data["number"].tolist() == expected.data["number"].tolist()
    arcs = [arc for one in one_by_one for arc in one.sources[0].index.tolist()]
    assert [sources.index.tolist() for sources in chosen.sources] == [arcs]


def test_more_graphs_are_chosen_than_a_batch_can_number():
    batch = GraphBatch.from_graphs([gtn.linear(torch.zeros(1000, 1000))])
    with pytest.raises(GraphError, match="3000 graphs with 3000000000 nodes or arcs are too many"):
        batch[np.zeros(3000, dtype=int)]


@pytest.mark.parametrize(
    "together", [gtn.union, gtn.concat, lambda *graphs: GraphBatch.from_graphs(graphs)]
)
def test_more_nodes_than_can_be_numbered(together):
    """They are refused before memory is taken for them; nodes without arcs take none until then."""
    large = gtn.from_arcs([], start=0, final=0, num_nodes=2**30)
    with pytest.raises(GraphError, match=r"2147483648 nodes .* too many for one"):
        together(large, large)


LARGE = torch.zeros(1).expand(2**16, 2**16)
"""Frames of more arcs than are numbered, which take no memory themselves."""


@pytest.mark.parametrize(
    "made",
    [
        lambda: gtn.linear(LARGE),
        lambda: gtn.linear(LARGE[None]),
        lambda: PrunedStream([gtn.string([0])]).add(LARGE),
        lambda: gtn.nn.ctc_topology(2**16),
        lambda: gtn.replace(
            gtn.from_arcs([(0, 1, 0)], final=1, num_nodes=2**30),
            GraphBatch.from_graphs([gtn.from_arcs([], start=0, final=0, num_nodes=2**30)]),
        ),
        lambda: Topology(2**31, [], [], [], starts=[], finals=[], check=False),
    ],
)
def test_more_than_can_be_numbered_is_told_before_memory_is_taken(made):
    with pytest.raises(
        GraphError, match=r"nodes and \d+ arcs are too many for one .* 2147483647 of"
    ):
        made()


def test_numbers_beyond_32_bits_are_no_others():
    g = gtn.string("ab")
    assert len(gtn.n_best(g, 2**70)) == 1
    with pytest.raises(
        GraphError, match=f"failure={2**32} is not a label; labels are 0 to 2147483647"
    ):
        gtn.compose(g, gtn.string([0, 1]), failure=2**32, symbols="ignore")


@given(SEVERAL)
def test_a_batch_is_united(several):
    batch = GraphBatch.from_graphs(several)
    batch = batch.with_data(number=np.arange(batch.num_arcs))
    whole = batch.united()
    assert type(whole) is Graph
    assert gtn.equal(whole, gtn.union(*several))
    assert whole.data["number"].tolist() == list(range(batch.num_arcs))
    assert whole.sources[0].index.tolist() == list(range(batch.num_arcs))
    assert batch[:0].united().num_nodes == 0


def gradient_elements(value):
    """Return how many numbers the gradients hold in the backward pass from a value."""
    seen, left = set(), [value.grad_fn]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        node.register_hook(
            lambda inputs, _: sizes.extend(x.numel() for x in inputs if x is not None)
        )
        left.extend(following for following, _ in node.next_functions)
    sizes = []
    value.backward()
    return sum(sizes)


@pytest.mark.parametrize("choose", [list, lambda batch: batch[::-1], lambda batch: batch[[0, 3]]])
def test_the_gradient_of_many_graphs_is_no_larger_than_the_batch(choose):
    """Slicing out each graph would make a gradient of the whole batch for each of them."""
    penalties = torch.rand(60, 20, 5, dtype=torch.float64, requires_grad=True)
    batch = gtn.linear(penalties)
    chosen = choose(batch)
    value = sum(graph.penalties.square().sum() for graph in chosen)
    assert gradient_elements(value) < 20 * penalties.numel()
    used = torch.zeros_like(penalties)
    used[[0, 3] if len(chosen) == 2 else slice(None)] = 1
    torch.testing.assert_close(penalties.grad, 2 * penalties * used)


@pytest.mark.parametrize(
    ("verb", "arcs", "error"),
    [
        (gtn.forward_penalty, [(0, 0, 1), (0, 1, 2)], DivergentGraphError),
        (gtn.viterbi_penalty, [(0, 0, 1, -1.0), (0, 1, 2)], NegativeCycleError),
        (
            lambda b: gtn.shortest_distance(b, "backward", "tropical"),
            [(0, 0, 1, -1.0), (0, 1, 2)],
            NegativeCycleError,
        ),
        (gtn.topsort, [(0, 1, 1), (1, 0, 2)], CyclicGraphError),
        (gtn.minimize, [(0, 1, 1), (0, 1, 1, 2.0)], GraphError),
        (gtn.minimize, [(0, 1, None)], GraphError),
    ],
)
def test_messages_name_the_graph_of_a_batch(verb, arcs, error):
    wrong, right = gtn.from_arcs(arcs, final=1, num_nodes=2), gtn.string([1, 2])
    batch = gtn.GraphBatch.from_graphs([right, right, wrong, right])
    with pytest.raises(error, match="in graph 2 of the batch"):
        verb(batch)
    with pytest.raises(error, match=r"^((?!batch).)*$"):
        verb(wrong)


def test_one_graph_of_a_large_batch_takes_no_memory_of_the_others():
    batch = gtn.strings([[1, 2]] * 100_000)
    graphs = iter(batch)
    for take in (lambda: batch[50_000], lambda: next(graphs)):
        take()
        tracemalloc.start()
        try:
            take()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 50_000, "all starts were copied"
