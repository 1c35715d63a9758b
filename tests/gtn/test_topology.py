"""Topology: indexes agree with plain loops; checks; immutability."""

import copy
import pickle

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

from gtn import EPSILON, CyclicGraphError, GraphError, Topology
from gtn.indexes import numbered
from gtn.testing import batches, graphs

ANY = graphs(acyclic=False, epsilons=True, acceptor=False)
ARRAYS = ("src", "dst", "ilabels", "olabels", "starts", "finals", "node_offsets", "arc_offsets")


def topology(**changed):
    parts = {"num_nodes": 3, "src": [0, 1], "dst": [1, 2], "ilabels": [7, 8]}
    return Topology(**(parts | {"starts": [0], "finals": [2]} | changed))


def links(t):
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(t.num_nodes))
    graph.add_edges_from(zip(t.src.tolist(), t.dst.tolist(), strict=True))
    return graph


def groups(index):
    pieces = zip(index.offsets[:-1], index.offsets[1:], strict=True)
    return [index.arcs[low:high].tolist() for low, high in pieces]


# -- indexes ------------------------------------------------------------------------------------


@given(ANY)
def test_arcs_by_node(g):
    t = g.topology
    nodes, arcs = range(t.num_nodes), range(t.num_arcs)
    assert groups(t.outgoing) == [[a for a in arcs if t.src[a] == n] for n in nodes]
    assert groups(t.incoming) == [[a for a in arcs if t.dst[a] == n] for n in nodes]


@given(ANY)
def test_arcs_by_node_and_label(g):
    t = g.topology
    for index, labels in ((t.outgoing_by_ilabel, t.ilabels), (t.outgoing_by_olabel, t.olabels)):
        assert groups(index) == [
            sorted((a for a in range(t.num_arcs) if t.src[a] == n), key=lambda a: (labels[a], a))
            for n in range(t.num_nodes)
        ]


def test_arcs_that_stand_by_label_are_not_ordered_again(monkeypatch):
    src, labels = [1, 1, 1, 3, 3, 4], [-1, 2, 2, 0, 5, 0]
    t = Topology(6, src, np.add(src, 1), labels, starts=[0], finals=[5])

    def ordered(*given):
        raise AssertionError

    monkeypatch.setattr("gtn.indexes.grouped", ordered)
    index = t.outgoing_by_ilabel
    assert index.offsets.tolist() == [0, 0, 3, 3, 5, 6, 6]
    assert index.arcs.tolist() == list(range(6))
    assert not any(part.flags.writeable for part in index)


@pytest.mark.parametrize(
    ("src", "labels", "arcs"),
    [([0, 0], [1, 0], [1, 0]), ([1, 0], [0, 1], [1, 0]), ([0, 1, 0], [0, 1, 2], [0, 2, 1])],
)
def test_arcs_that_do_not_stand_by_label_are_ordered(src, labels, arcs):
    t = Topology(2, src, src, labels, starts=[0], finals=[1])
    assert t.outgoing_by_ilabel.arcs.tolist() == arcs


def test_arcs_by_label_where_labels_are_huge():
    t = topology(src=[0, 0, 0], dst=[1, 1, 2], ilabels=[2_000_000_000, 5, EPSILON])
    assert t.outgoing_by_ilabel.arcs.tolist() == [2, 1, 0]


@given(ANY)
def test_order_and_cycles(g):
    t = g.topology
    assert t.is_acyclic == nx.is_directed_acyclic_graph(links(t))
    if t.is_acyclic:
        assert len(t.cycle) == 0
        place = np.empty(t.num_nodes, dtype=int)
        place[t.order] = np.arange(t.num_nodes)
        assert sorted(t.order.tolist()) == list(range(t.num_nodes))
        assert (place[t.src] < place[t.dst]).all()
        return
    cycle = t.cycle
    assert len(cycle) > 0
    assert (t.dst[cycle] == np.roll(t.src[cycle], -1)).all()
    assert len(set(t.src[cycle].tolist())) == len(cycle)
    with pytest.raises(CyclicGraphError) as raised:
        _ = t.order
    assert f"nodes {t.src[cycle[0]]} -> " in str(raised.value)


def test_a_cycle_is_described():
    t = topology(src=[0, 1, 2], dst=[1, 2, 1], ilabels=[7, 8, 9])
    assert t.describe_cycle() == "nodes 1 -> 2 -> 1 (arcs 1, 2)"
    ring = np.arange(20)
    long = Topology(20, ring, (ring + 1) % 20, ring, starts=[0], finals=[0])
    assert long.describe_cycle().startswith("nodes 0 -> 1 -> 2")
    assert "7 -> … (arcs 0, 1, 2, 3, 4, 5, 6, 7, …)" in long.describe_cycle()


@given(batches(acyclic=False))
def test_ends_by_graph_and_by_node(batch):
    t = batch.topology
    for ends, offsets in ((t.starts, t.start_offsets), (t.finals, t.final_offsets)):
        owner = t.graph_of_nodes(ends)
        assert np.diff(offsets).tolist() == np.bincount(owner, minlength=len(batch)).tolist()
        assert offsets[0] == 0
    finals = t.finals.tolist()
    nodes = range(t.num_nodes)
    assert t.final_of_nodes.tolist() == [finals.index(n) if n in finals else -1 for n in nodes]


@given(ANY)
def test_reachability(g):
    t, graph = g.topology, links(g.topology)
    for mask, seeds, direction in (
        (t.accessible, t.starts, graph),
        (t.coaccessible, t.finals, graph.reverse()),
    ):
        reached = set(seeds.tolist()).union(*(nx.descendants(direction, n) for n in seeds.tolist()))
        assert set(np.flatnonzero(mask).tolist()) == reached
    assert t.is_connected == bool((t.accessible & t.coaccessible).all())


@given(ANY)
def test_some_arcs_and_ends(g):
    t = g.topology
    arcs, starts, finals = (np.arange(len(x)) % 3 != 1 for x in (t.src, t.starts, t.finals))
    some = t.only(arcs, starts, finals)
    assert some.num_nodes == t.num_nodes
    assert some.src.tolist() == t.src[arcs].tolist()
    assert some.dst.tolist() == t.dst[arcs].tolist()
    assert some.starts.tolist() == t.starts[starts].tolist()
    assert some.finals.tolist() == t.finals[finals].tolist()
    assert some.on_paths.tolist() == (some.accessible & some.coaccessible).tolist()
    assert t.only(*(np.ones(len(x), dtype=bool) for x in (t.src, t.starts, t.finals))) is t


@given(ANY)
def test_questions(g):
    t = g.topology
    pairs = list(zip(t.ilabels.tolist(), t.olabels.tolist(), strict=True))
    keys = list(zip(t.src.tolist(), t.ilabels.tolist(), strict=True))
    assert t.is_acceptor == all(i == o for i, o in pairs)
    assert t.has_input_epsilons == any(i == EPSILON for i, _ in pairs)
    assert t.has_output_epsilons == any(o == EPSILON for _, o in pairs)
    assert t.has_epsilons == (t.has_input_epsilons or t.has_output_epsilons)
    assert t.is_deterministic == (
        len(t.starts) <= 1 and len(set(keys)) == len(keys) and not t.has_input_epsilons
    )


@given(batches(acceptor=False, epsilons=True, acyclic=False))
def test_a_batch_is_a_disjoint_graph(batch):
    t = batch.topology
    assert t.is_batch
    assert t.batch_size == len(batch)
    assert t.is_acyclic == all(g.topology.is_acyclic for g in batch)
    assert t.is_deterministic == all(g.topology.is_deterministic for g in batch)
    expected = [i for i, g in enumerate(batch) for _ in range(g.num_arcs)]
    assert t.arc_graph.tolist() == expected
    assert t.graph_of_nodes(t.src).tolist() == expected


def test_a_single_graph_is_a_batch_of_one():
    t = topology()
    assert not t.is_batch
    assert t.batch_size == 1
    assert t.node_offsets.tolist() == [0, 3]
    assert t.arc_offsets.tolist() == [0, 2]
    assert t.arc_graph.tolist() == [0, 0]


def test_nothing_at_all():
    t = Topology(0, [], [], [], starts=[], finals=[])
    assert t.is_acyclic
    assert t.is_connected
    assert t.is_deterministic
    assert len(t.order) == len(t.cycle) == len(t.outgoing_by_olabel.arcs) == 0


# -- checks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"src": [0, 3]}, "arc 1 has source node 3, which does not exist: nodes are 0 to 2"),
        ({"dst": [-1, 2]}, "arc 0 has destination node -1, which does not exist"),
        ({"ilabels": [7, -2]}, "arc 1 has ilabel -2; labels are >= 0"),
        ({"olabels": [-5, 8]}, "arc 0 has olabel -5"),
        ({"dst": [1]}, "dst has 1 entries for 2 arcs"),
        ({"olabels": [1, 2, 3]}, "olabels has 3 entries for 2 arcs"),
        ({"starts": [3]}, "start node 3 does not exist"),
        ({"finals": [2, 1]}, "finals must increase strictly, but 2 is followed by 1"),
        ({"starts": [1, 1]}, "starts must increase strictly"),
        ({"src": [0.0, 1.0]}, "src must be a one-dimensional array of integers"),
        ({"src": [[0, 1]]}, r"src must be .* not of shape \(1, 2\)"),
        ({"ilabels": [7, 2**31]}, r"ilabels\[1\] is 2147483648, which does not fit 32 bits"),
        (
            {"node_offsets": [0, 2, 3], "arc_offsets": [0, 1, 2]},
            "arc 1 belongs to graph 1 of the batch but touches node 1 of another",
        ),
    ],
)
def test_wrong_parts(changed, message):
    with pytest.raises(GraphError, match=message):
        topology(**changed)


@pytest.mark.parametrize(
    "offsets",
    [
        {"node_offsets": [0, 3]},
        {"arc_offsets": [0, 2]},
        {"node_offsets": [0, 2], "arc_offsets": [0, 2]},
        {"node_offsets": [0, 3], "arc_offsets": [0, 1]},
        {"node_offsets": [1, 3], "arc_offsets": [0, 2]},
        {"node_offsets": [0, 3, 3], "arc_offsets": [0, 2]},
        {"node_offsets": [0, 4, 3], "arc_offsets": [0, 2, 2]},
    ],
)
def test_wrong_offsets(offsets):
    with pytest.raises(GraphError, match="offsets"):
        topology(**offsets)


# -- immutability ---------------------------------------------------------------------------------


def touch(t):
    """Compute every index and return all arrays that the topology then holds."""
    every = [getattr(t, name) for name in ARRAYS]
    for index in (t.outgoing, t.incoming, t.outgoing_by_ilabel, t.outgoing_by_olabel):
        every += [index.offsets, index.arcs]
    every += [t.accessible, t.coaccessible, t.cycle, t.arc_graph]
    return [*every, t.order] if t.is_acyclic else every


@given(ANY)
def test_nothing_can_be_written(g):
    for array in touch(g.topology):
        assert not array.flags.writeable


def test_parts_of_the_caller_stay_theirs():
    src = np.array([0, 1], dtype=np.int32)
    t = topology(src=src)
    src[0] = 2
    assert t.src.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        t.src[0] = 2
    with pytest.raises(AttributeError, match="does not change; src"):
        t.src = src


@given(ANY)
def test_copies_keep_the_structure_and_drop_the_indexes(g):
    t = g.topology
    touch(t)
    for same in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t)):
        assert {"outgoing", "_kahn", "accessible"}.isdisjoint(vars(same))
        assert same.num_nodes == t.num_nodes
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(same, name), getattr(t, name))
            assert not getattr(same, name).flags.writeable
        for mine, theirs in zip(touch(t), touch(same), strict=True):
            np.testing.assert_array_equal(mine, theirs)
            assert not theirs.flags.writeable
            assert mine.dtype == theirs.dtype


def test_a_copied_acceptor_still_shares_its_labels():
    t = topology()
    for same in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t)):
        assert same.ilabels is same.olabels


def test_relabelled_shares_the_rest():
    t = topology()
    other = t.relabelled(np.array([1, 2], np.int32), np.array([3, 4], np.int32))
    assert other.src is t.src
    assert other.olabels.tolist() == [3, 4]
    assert not other.is_acceptor
    assert repr(other) == "Topology(3 nodes, 2 arcs)"


@pytest.mark.parametrize("top", [1, 40, 2**40], ids=["one key", "few gaps", "large gaps"])
def test_keys_are_numbered_in_order_whatever_the_gaps(top):
    keys = np.random.default_rng(top).integers(0, top, 300)
    keys[5] = keys[250]
    different, numbers = numbered(keys)
    assert different.tolist() == sorted(set(keys.tolist()))
    assert np.array_equal(different[numbers], keys)
    assert numbers.dtype == np.int32
    assert all(len(row) == 0 for row in numbered(keys[:0]))


def test_whether_it_is_a_batch_can_be_said_beside_offsets():
    def made(**options):
        return Topology(2, [0], [1], [7], starts=[0], finals=[1], **options)

    offsets = {"node_offsets": [0, 2], "arc_offsets": [0, 1]}
    assert [made(**offsets).is_batch, made().is_batch] == [True, False]
    single, of_one = made(**offsets, is_batch=False), made(is_batch=True)
    assert [single.is_batch, of_one.is_batch] == [False, True]
    assert single.node_offsets.tolist() == of_one.node_offsets.tolist() == [0, 2]
    with pytest.raises(GraphError, match="offsets of 2 graphs, but is_batch=False needs one"):
        made(node_offsets=[0, 2, 2], arc_offsets=[0, 1, 1], is_batch=False)


def test_labels_of_some_arcs():
    t = Topology(2, [0, 0], [1, 1], [7, 8], [5, 6], starts=[0], finals=[1])
    assert [labels.tolist() for labels in t.labels_of(np.array([1, 0], np.int32))] == [
        [8, 7],
        [6, 5],
    ]
    assert t.relabelled(t.ilabels, None).labels_of(slice(1))[1] is None
