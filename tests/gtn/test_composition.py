"""Composition has every pair of paths with matching strings exactly once, by brute force."""

from __future__ import annotations

import pickle
from collections import Counter
from functools import partial
from itertools import product

import networkx as nx
import numpy as np
import pytest
import torch

import gtn
from gtn.composition import ComposePlan, compose, intersect
from gtn.errors import DataError, GraphError, SymbolError
from gtn.kernels import composition as kernels
from gtn.product import columns
from gtn.product.sides import operand
from gtn.symbols import EPSILON
from gtn.testing import assert_derivatives
from gtn.testing.openfst import assert_same_language, random_graphs, to_openfst

LONGEST = 3  # arcs of an operand's path; the graphs have cycles


def random_graph(rng, *, nodes=4, arcs=8, labels=2, full=False):
    """A random transducer: epsilons on both sides, several starts and finals, parallel arcs."""
    n = nodes if full else int(rng.integers(1, nodes + 1))
    count = arcs if full else int(rng.integers(arcs // 3, arcs + 1))
    src, dst = rng.integers(0, n, count), rng.integers(0, n, count)
    ends = [np.flatnonzero(rng.random(n) < 0.6) for _ in range(2)]
    return gtn.from_arrays(
        src,
        dst,
        *(
            np.where(rng.random(len(src)) < 0.35, EPSILON, rng.integers(0, labels, len(src)))
            for _ in range(2)
        ),
        penalties=torch.from_numpy(rng.integers(0, 64, len(src)) / 8),
        start={int(i): float(rng.integers(0, 8)) for i in ends[0]},
        final={int(i): float(rng.integers(0, 8)) for i in ends[1]},
        num_nodes=n,
    )


def paths(g, longest=LONGEST):
    """All accepted paths of a graph of at most ``length`` arcs, as (arcs, penalty)."""
    ends = dict(zip(g.finals.tolist(), g.final_penalties.tolist(), strict=True))
    found, open_ = [], []
    for node, penalty in zip(g.starts.tolist(), g.start_penalties.tolist(), strict=True):
        open_.append(((node,), (), penalty))
    while open_:
        nodes, arcs, penalty = open_.pop()
        if nodes[-1] in ends:
            found.append((nodes[0], arcs, penalty + ends[nodes[-1]]))
        if len(arcs) < longest:
            for arc in np.flatnonzero(g.src == nodes[-1]).tolist():
                total = penalty + g.penalties[arc].item()
                open_.append(((*nodes, int(g.dst[arc])), (*arcs, arc), total))
    return found


def string(labels, arcs):
    return tuple(int(labels[a]) for a in arcs if labels[a] != EPSILON)


def expected_pairs(a, b, longest=LONGEST):
    """Pairs of paths where one writes what the other reads, by brute force."""
    pairs = Counter()
    for (_, p, cost_p), (_, q, cost_q) in product(paths(a, longest), paths(b, longest)):
        if string(a.olabels, p) == string(b.ilabels, q):
            pairs[p, q, string(a.ilabels, p), string(b.olabels, q), cost_p + cost_q] += 1
    return pairs


def found_pairs(c, longest=LONGEST):
    """Paths of a composition, each as the pair of operand paths that its sources name."""
    left, right = (sources.index for sources in c.sources)
    pairs = Counter()
    ends = dict(zip(c.finals.tolist(), c.final_penalties.tolist(), strict=True))
    open_ = [(n, (), p) for n, p in zip(c.starts.tolist(), c.start_penalties.tolist(), strict=True)]
    while open_:
        node, arcs, penalty = open_.pop()
        p, q = (tuple(int(s[a]) for a in arcs if s[a] >= 0) for s in (left, right))
        if max(len(p), len(q)) > longest:
            continue
        if node in ends:
            strings = string(c.ilabels, arcs), string(c.olabels, arcs)
            pairs[p, q, *strings, penalty + ends[node]] += 1
        for arc in np.flatnonzero(c.src == node).tolist():
            total = penalty + c.penalties[arc].item()
            open_.append((int(c.dst[arc]), (*arcs, arc), total))
    return pairs


def assert_connected(g):
    assert g.topology.is_connected
    assert np.all(np.diff(g.starts) > 0)
    assert np.all(np.diff(g.finals) > 0)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
def test_composition_pairs_all_paths(seed, filter):
    rng = np.random.default_rng(seed)
    a, b = random_graph(rng), random_graph(rng)
    c = compose(a, b, filter=filter)
    assert_connected(c)
    found, expected = found_pairs(c), expected_pairs(a, b)
    if filter == "trivial":
        assert set(found) == set(expected)
        assert all(found[pair] >= expected[pair] for pair in expected)
    else:
        assert found == expected


def test_the_random_pairs_are_worth_testing():
    counts = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        a, b = random_graph(rng), random_graph(rng)
        trivial = found_pairs(compose(a, b, filter="trivial"))
        counts.append((sum(expected_pairs(a, b).values()), sum(trivial.values())))
    assert sum(once > 0 for once, _ in counts) > 25
    assert any(once > 100 for once, _ in counts)
    assert any(several > once for once, several in counts)


@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
@pytest.mark.parametrize("seed", range(4))
def test_buffers_grow_from_nothing(seed, filter, monkeypatch):
    rng = np.random.default_rng(100 + seed)
    a, b = (random_graph(rng, nodes=12, arcs=60, labels=3, full=True) for _ in range(2))
    large = compose(a, b, filter=filter)
    assert large.num_arcs > 100
    for room in (1, 3):
        monkeypatch.setattr("gtn.composition._ROOM", room)
        small = compose(a, b, filter=filter)
        for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
            np.testing.assert_array_equal(getattr(small, name), getattr(large, name))
        assert torch.equal(small.penalties, large.penalties)


@pytest.mark.parametrize("limit", [1, 5, 40])
def test_a_result_that_is_too_large_raises(limit, monkeypatch):
    rng = np.random.default_rng(101)
    a, b = (random_graph(rng, nodes=12, arcs=60, labels=3, full=True) for _ in range(2))
    monkeypatch.setattr("gtn.composition._LIMIT", limit)
    with pytest.raises(GraphError, match=f"more than {limit} nodes or arcs"):
        compose(a, b)


@pytest.mark.parametrize("filter", [0, 1, 2])
def test_the_table_of_a_batch_is_emptied_between_graphs(filter):
    """Stale entries of earlier graphs must not be found, however much room there is."""
    rng = np.random.default_rng(7)
    graphs = [random_graph(rng, nodes=8, arcs=30, labels=2, full=True) for _ in range(6)]
    other = random_graph(rng, nodes=8, arcs=30, labels=2, full=True)
    batch = gtn.GraphBatch.from_graphs(graphs).topology
    sides = [composition_operand(t) for t in (batch, other.topology, *(g.topology for g in graphs))]
    nodes, arcs, _, offsets, _ = kernels.explore(sides[0], sides[1], 6, filter, 1, 1 << 30)
    for i, side in enumerate(sides[2:]):
        alone = kernels.explore(side, sides[1], 1, filter, 1000, 1 << 30)
        mine = nodes[offsets[i] : offsets[i + 1]] - [batch.node_offsets[i], 0, 0]
        np.testing.assert_array_equal(mine, alone[0])
        chosen = arcs[(arcs[:, 0] >= offsets[i]) & (arcs[:, 0] < offsets[i + 1])]
        np.testing.assert_array_equal(chosen[:, :2] - offsets[i], alone[1][:, :2])


def composition_operand(topology):
    return operand(topology, topology.ilabels, topology.outgoing_by_ilabel)


def test_search_finds_the_first_label_that_is_not_smaller():
    rng = np.random.default_rng(3)
    for _ in range(200):
        labels = np.sort(rng.integers(-1, 9, rng.integers(0, 30))).astype(np.int32)
        order = rng.permutation(len(labels)).astype(np.int32)
        shuffled = np.empty_like(labels)
        shuffled[order] = labels
        shuffled.setflags(write=False)
        order.setflags(write=False)
        begin, label = int(rng.integers(0, len(labels) + 1)), int(rng.integers(-1, 11))
        found = kernels._seek(shuffled, order, begin, len(labels), label)
        assert found == max(begin, int(np.searchsorted(labels, label)))


# -- OpenFst --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter", "semiring"),
    [
        *(("sequence", "tropical"), ("match", "tropical"), ("trivial", "tropical")),
        *(("sequence", "log"), ("match", "log")),
    ],
)
def test_openfst_composes_to_the_same(filter, semiring):
    """2,000 random pairs, half of them cyclic.

    The trivial filter is left out in the log semiring: it counts interleavings, those with the
    epsilons of OpenFst's super-start as well.
    """
    pynini = pytest.importorskip("pynini", reason="OpenFst is compared through pynini")
    for acyclic in (True, False):
        options = {"acyclic": acyclic, "infinite": True, "max_arcs": 5}
        options["least"] = -4.0 if acyclic else 0.0 if semiring == "tropical" else 2.5
        a, b = (random_graphs(1000, seed=seed, **options) for seed in (1, 2))
        ours = compose(a, b, filter=filter)
        kind = "tropical" if semiring == "tropical" else "log64"
        assert np.count_nonzero(np.diff(ours.topology.node_offsets)) > 250
        for i, (c, x, y) in enumerate(zip(ours, to_openfst(a, kind), to_openfst(b, kind))):
            theirs = pynini.compose(x.arcsort("olabel"), y, compose_filter=filter)
            limit = None if acyclic else 3
            assert_same_language(c, theirs, semiring, max_length=limit, note=f"{acyclic} {i}")


# -- batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
@pytest.mark.parametrize("which", ["both", "left", "right"])
def test_batches_equal_single_graphs(seed, filter, which):
    rng = np.random.default_rng(seed)
    left = [random_graph(rng) for _ in range(4)]
    right = [random_graph(rng) for _ in range(4)]
    if which == "left":
        right = right[:1] * 4
    if which == "right":
        left = left[:1] * 4
    a = left[0] if which == "right" else gtn.GraphBatch.from_graphs(left)
    b = right[0] if which == "left" else gtn.GraphBatch.from_graphs(right)
    c = compose(a, b, filter=filter)
    assert isinstance(c, gtn.GraphBatch)
    assert len(c) == 4
    assert_connected(c)
    gtn.Topology(  # checks everything, even that arcs stay within their graph
        *(getattr(c.topology, n) for n in ("num_nodes", "src", "dst", "ilabels", "olabels")),
        **{n: getattr(c.topology, n) for n in ("starts", "finals", "node_offsets", "arc_offsets")},
    )
    for i, (x, y) in enumerate(zip(left, right, strict=True)):
        one, expected = c[i], compose(x, y, filter=filter)
        for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
            np.testing.assert_array_equal(getattr(one, name), getattr(expected, name))
        for name in ("penalties", "start_penalties", "final_penalties"):
            assert torch.equal(getattr(one, name), getattr(expected, name))


def test_batches_of_different_lengths_raise():
    batches = [gtn.GraphBatch.from_graphs([gtn.string([1])] * n) for n in (1, 2)]
    with pytest.raises(GraphError, match="batch of 1 graph meets a batch of 2"):
        compose(*batches)


# -- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
def test_gradients_reach_both_operands(filter):
    rng = np.random.default_rng(8)
    a, b = (random_graph(rng, nodes=5, arcs=12, full=True) for _ in range(2))
    assert compose(a, b, filter=filter).num_arcs > 10
    assert_derivatives(partial(compose, filter=filter), a, b, order=1)


def test_single_graph_collects_gradients_of_a_batch():
    a = gtn.linear(torch.zeros(2, 3, requires_grad=True))
    strings = gtn.GraphBatch.from_graphs([gtn.string([0, 1]), gtn.string([0, 2])])
    c = compose(a, strings)
    (gradient,) = torch.autograd.grad(c.penalties.sum(), a.penalties)
    assert gradient.tolist() == [2, 0, 0, 0, 1, 1]


# -- symbols ------------------------------------------------------------------------------------


def test_symbols_match_across_tables():
    a = gtn.Graph.from_arcs([(0, 1, "x", 1.0), (0, 1, "y", 2.0), (0, 1, "z", 4.0)], final=1)
    b = gtn.Graph.from_arcs([(0, 1, "w", "W"), (0, 1, "z", "Z"), (0, 1, "x", "X")], final=1)
    c = compose(a, b)
    assert c.isymbols is a.isymbols
    assert c.osymbols is b.osymbols
    pairs = {c.symbol_pair(i): c.penalties[i].item() for i in range(c.num_arcs)}
    assert pairs == {"x:X": 1.0, "z:Z": 4.0}


def test_ignored_symbols_match_as_integers():
    a, b = gtn.string("x"), gtn.string("y")
    assert compose(a, b).num_arcs == 0
    assert compose(a, b, symbols="ignore").num_arcs == 1
    assert compose(a, gtn.string([0]), symbols="ignore").num_arcs == 1


@pytest.mark.parametrize("swapped", [False, True])
def test_a_table_against_none_raises(swapped):
    pair = (gtn.string("x"), gtn.string([0]))
    with pytest.raises(SymbolError, match="symbol table where"):
        compose(*(pair[::-1] if swapped else pair))


def test_epsilons_stay_epsilons_when_labels_change():
    a = gtn.Graph.from_arcs([(0, 1, "p"), (1, 2, "q", None), (2, 3, "r")], final=3)
    b = gtn.Graph.from_arcs([(0, 1, "r"), (1, 2, None, "s"), (2, 3, "p")], final=3)
    assert compose(a, b).num_arcs == 0
    b = gtn.Graph.from_arcs([(0, 1, "p"), (1, 2, None, "s"), (2, 3, "r")], final=3)
    c = compose(a, b)
    assert [c.symbol_pair(i) for i in range(c.num_arcs)] == ["p", "q:ε", "ε:s", "r"]


def test_unknown_choices_raise():
    a = gtn.string([0])
    with pytest.raises(GraphError, match="known are 'trivial', 'sequence', 'match'"):
        compose(a, a, filter="alt")
    with pytest.raises(SymbolError, match="'match' and 'ignore'"):
        compose(a, a, symbols="merge")


# -- corners ------------------------------------------------------------------------------------


def test_empty_and_trivial_operands():
    empty, word = gtn.empty(), gtn.string([3, 4])
    point = gtn.from_arrays([], [], [], start=0, final={0: 1.5}, num_nodes=1)
    pairs = (empty, word), (word, empty), (empty, empty), (word, point), (word, gtn.string([3]))
    for a, b in pairs:
        c = compose(a, b)
        assert (c.num_nodes, c.num_arcs, len(c.starts), len(c.finals)) == (0, 0, 0, 0)
    both = compose(point, point)
    assert (both.num_nodes, both.starts.tolist(), both.finals.tolist()) == (1, [0], [0])
    assert both.final_penalties.tolist() == [3.0]


def test_operands_without_labels_go_with_any_table():
    word, silent = gtn.string("ab"), gtn.Graph.from_arcs([(0, 1, None, 0.5)], final=1)
    for nothing in (gtn.empty(), gtn.string([]), silent):
        for a, b in ((word, nothing), (nothing, word)):
            tabled = [g.with_symbols(word.isymbols) for g in (a, b)]
            for join in (compose, intersect, gtn.difference):
                if join is not gtn.difference or b is not silent:  # which has a penalty
                    made = join(a, b)
                    assert made.isymbols == made.osymbols == word.isymbols
                    assert gtn.equal(made, join(*tabled))
            assert gtn.equal(compose(a, b, beam=9.0), compose(*tabled, beam=9.0))
    made = compose(gtn.Graph.from_arcs([(0, 1, 7, EPSILON)], final=1), gtn.string(""))  # reads 7
    assert (made.isymbols, made.osymbols) == (None, gtn.SymbolTable(""))
    assert made.ilabels.tolist() == [7]


def test_infinite_penalties_pass():
    a = gtn.Graph.from_arcs([(0, 1, 5, torch.inf)], final=1)
    assert compose(a, gtn.string([5])).penalties.tolist() == [torch.inf]


def test_data_of_both_sides_follow():
    a = gtn.Graph.from_arcs([(0, 1, 5), (1, 2, 6, None)], final=2, data={"x": np.array([1.0, 2.0])})
    b = gtn.Graph.from_arcs([(0, 1, 5), (1, 2, None, 7)], final=2, data={"y": np.array([3.0, 4.0])})
    c = compose(a, b)
    assert c.data["x"].tolist() == [1, 2, 0]
    assert c.data["y"].tolist() == [3, 0, 4]
    assert [s.index.tolist() for s in c.sources] == [[0, 1, -1], [0, -1, 1]]
    again = b.with_data(x=np.array([8.0, 9.0]))
    with pytest.raises(DataError, match="suffixes"):
        compose(a, again)
    assert compose(a, again, suffixes=("", "_b")).data["x_b"].tolist() == [8, 0, 9]


def test_acceptors_compose_to_acceptors():
    a = gtn.linear(torch.rand(4, 3))
    b = gtn.Graph.from_arcs([(0, 0, 0), (0, 1, 1), (1, 1, None)], final=1)
    c = compose(a, b)
    assert c.olabels is c.ilabels


def either(*texts):
    return gtn.union(*map(gtn.string, texts))


def test_acceptors_with_different_tables_compose_to_acceptors():
    a, b = either("cat", "act", "ox"), either("act", "cat", "tax")
    for found in (a @ b, compose(a, b, beam=10.0), gtn.compose(a @ b, b, max_active=9)):
        assert found.topology.is_acceptor
        assert found.isymbols == found.osymbols == a.isymbols
        assert gtn.equivalent(found, either("cat", "act"))
        assert gtn.equivalent(intersect(found, gtn.string("cat")), gtn.string("cat"))
        assert gtn.equivalent(gtn.difference(a, found), gtn.string("ox"))
        assert gtn.equivalent(gtn.complement(gtn.complement(found)), found)
    left, right = gtn.GraphBatch.from_graphs([a, a]), b
    assert (left @ right).topology.is_acceptor
    same = compose(a, b, symbols="ignore")  # compared as integers, the output is in b's table
    assert same.osymbols == b.isymbols


def test_a_transducer_between_tables_stays_one():
    # Reads in one table and writes in another, with the same labels.
    one, other = gtn.SymbolTable("ab"), gtn.SymbolTable("xy")
    spelled = gtn.Graph.from_arcs([(0, 1, 0), (1, 2, 1)], final=2, isymbols=one, osymbols=other)
    found = gtn.string("ab", symbols=gtn.SymbolTable("ba")) @ spelled
    assert gtn.path_text(found, "output") == "xy"
    with pytest.raises(GraphError, match="a has different input and output symbols"):
        intersect(spelled, spelled)
    moved = gtn.Graph.from_arcs(
        [(0, 1, "b", "b")], final=1, isymbols=one, osymbols=gtn.SymbolTable("b")
    )
    with pytest.raises(GraphError, match="a has different input and output symbols"):
        intersect(moved, gtn.string("b"))
    with pytest.raises(GraphError, match="but has different input and output symbols"):
        gtn.complement(moved)


def test_paper_figure_28():
    recognized = gtn.Graph.from_arcs(
        [
            *((0, 1, x, p) for x, p in (("c", 0.4), ("o", 1.0), ("d", 1.8))),
            *((1, 2, x, p) for x, p in (("a", 0.2), ("u", 0.8), ("x", 0.1))),
            *((2, 3, x, p) for x, p in (("p", 0.2), ("t", 0.8))),
        ],
        final=3,
        dtype=torch.float64,
    )
    builder = gtn.Builder(dtype=torch.float64)
    nodes = {"": builder.add_node(start=True)}
    words = ("bar", "bat", "cap", "car", "cat", "cure", "cut", "cute", "ear", "end", "nap")
    for word in words:
        for i in range(len(word)):
            if word[: i + 1] not in nodes:
                nodes[word[: i + 1]] = builder.add_node(final=word[: i + 1] in words)
                builder.add_arc(nodes[word[:i]], nodes[word[: i + 1]], word[i])
    c = recognized @ builder.build()
    read = {
        "".join(c.isymbols.decode(c.ilabels[list(arcs)])): penalty for _, arcs, penalty in paths(c)
    }
    assert read == pytest.approx({"cap": 0.8, "cat": 1.4, "cut": 2.0})


# -- plans and intersection ---------------------------------------------------------------------


def test_a_plan_is_applied_to_new_penalties_and_to_copies():
    rng = np.random.default_rng(11)
    a, b = (random_graph(rng, nodes=5, arcs=12, full=True) for _ in range(2))
    plan = ComposePlan(a.topology, b.topology, filter="match")
    other = a.with_penalties(a.penalties + 1)
    expected = compose(other, b, filter="match")
    for p, x, y in ((plan, other, b), pickle.loads(pickle.dumps((plan, other, b)))):
        c = p(x, y)
        assert c.topology is p.topology
        assert torch.equal(c.penalties, expected.penalties)
        np.testing.assert_array_equal(c.dst, expected.dst)
        np.testing.assert_array_equal(c.sources[0].index, p.sources[0].index)
    assert torch.equal(plan(*pickle.loads(pickle.dumps((other, b)))).penalties, expected.penalties)
    with pytest.raises(GraphError, match=r"a has .* not the .* planned for"):
        plan(b, b)
    # A batch of one has the same arrays as its graph, but the result is a batch.
    of_one = gtn.GraphBatch.from_graphs([b])
    with pytest.raises(GraphError, match=r"b has .* not the .* planned for"):
        plan(a, of_one)
    with pytest.raises(GraphError, match=r"b has .* not the .* planned for"):
        ComposePlan(a.topology, of_one.topology)(a, b)


def test_intersection_of_acceptors():
    a = gtn.Graph.from_arcs([(0, 0, "x", 1.0), (0, 1, "y", 2.0), (0, 1, None, 0.5)], final=1)
    b = gtn.Graph.from_arcs([(0, 1, "y", 4.0), (1, 2, "x", 8.0), (0, 2, "x")], final=2)
    c = intersect(a, b)
    assert c.topology.is_acceptor
    assert c.osymbols is c.isymbols
    assert [c.symbol_pair(i) for i in range(c.num_arcs)] == ["x", "ε"]
    assert c.penalties.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
def test_an_intersection_is_the_composition_in_the_first_table(filter):
    tables = gtn.SymbolTable("pq"), gtn.SymbolTable("qp")
    options = {"filter": filter, "symbols": "ignore", "suffixes": ("_a", "_b")}
    rng = np.random.default_rng(5)
    compared = 0
    for _ in range(20):
        a, b = (gtn.project(random_graph(rng)).with_symbols(table) for table in tables)
        a, b = (g.with_data(row=np.arange(g.num_arcs) + 1) for g in (a, b))
        found, whole = intersect(a, b, **options), compose(a, b, **options)
        assert found.isymbols == found.osymbols == a.isymbols
        assert found.olabels.tolist() == whole.ilabels.tolist()
        for name in ("src", "dst", "ilabels", "starts", "finals"):
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
        for name in ("penalties", "start_penalties", "final_penalties"):
            assert torch.equal(getattr(found, name), getattr(whole, name))
        for one, other in zip(found.sources, whole.sources, strict=True):
            np.testing.assert_array_equal(one.index, other.index)
        assert sorted(found.data) == ["row_a", "row_b"]
        for key in found.data:
            np.testing.assert_array_equal(found.data[key], whole.data[key])
        compared += bool(found.num_arcs)
    assert compared > 5
    with pytest.raises(DataError, match="suffixes"):
        intersect(a, b, symbols="ignore")


def test_intersection_of_transducers_raises():
    a = gtn.Graph.from_arcs([(0, 1, "x"), (1, 2, "x", "y")], final=2)
    with pytest.raises(GraphError, match=r"arc 1 of b reads and writes x:y"):
        intersect(gtn.string("x"), a)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("hub", ["first", "second"])
def test_a_hub_of_many_arcs_meets_a_node_of_few(seed, hub):
    # One side's labels are dense or sparse; the other has far more or far fewer arcs at a node.
    rng = np.random.default_rng(seed)

    def graph(nodes, arcs, labels):
        return gtn.from_arrays(
            rng.integers(0, nodes, arcs),
            rng.integers(0, nodes, arcs),
            rng.integers(0, labels, arcs) * (1 + 50 * (seed % 2)),
            penalties=torch.from_numpy(rng.normal(size=arcs)),
            final=nodes - 1,
            num_nodes=nodes,
        )

    few, many = graph(4, 12, 4), graph(2, 600, 5 + 300 * (seed % 3))
    a, b = (many, few) if hub == "first" else (few, many)
    made = gtn.compose(a, b)
    left, right = (one.index for one in made.sources)
    assert np.array_equal(a.ilabels[left], b.ilabels[right])
    expected = a.penalties[left.astype(np.int64)] + b.penalties[right.astype(np.int64)]
    torch.testing.assert_close(made.penalties, expected)
    # Every pair of arcs with the same label between pairs of nodes that lie on a path.
    pairs = {
        ((a.src[i], b.src[j]), (a.dst[i], b.dst[j]), i, j)
        for i in range(a.num_arcs)
        for j in np.flatnonzero(b.ilabels == a.ilabels[i]).tolist()
    }
    walk = nx.MultiDiGraph()
    walk.add_nodes_from([(0, 0), (a.num_nodes - 1, b.num_nodes - 1)])
    walk.add_edges_from((src, dst) for src, dst, _, _ in pairs)
    final = (a.num_nodes - 1, b.num_nodes - 1)
    useful = ({(0, 0)} | nx.descendants(walk, (0, 0))) & ({final} | nx.ancestors(walk, final))
    on_path = {(i, j) for src, dst, i, j in pairs if src in useful and dst in useful}
    assert {(int(i), int(j)) for i, j in zip(left, right, strict=True)} == on_path
    assert made.num_arcs == len(on_path)


@pytest.mark.parametrize("labels", [2, 30, 3000])
def test_matching_finds_what_exploring_with_a_filter_finds(labels, monkeypatch):
    rng = np.random.default_rng(labels)

    def explored(left, right, graphs, room, limit):
        *rows, too_many = kernels.explore(
            left, right, graphs, kernels.FILTERS["sequence"], room, limit
        )
        return *columns(*rows), too_many

    def graph(epsilons):
        nodes = int(rng.integers(1, 40))
        arcs = int(rng.integers(0, 8 * nodes))
        return gtn.from_arrays(
            *rng.integers(0, nodes, (2, arcs)),
            *rng.integers(-1 if epsilons else 0, labels, (2, arcs)),
            penalties=np.zeros(arcs),
            start=sorted(set(rng.integers(0, nodes, 2).tolist())),
            final=sorted(set(rng.integers(0, nodes, 2).tolist())),
            num_nodes=nodes,
        )

    for turn in range(120):
        side = turn % 3  # epsilons in the first, in the second, in neither
        pairs = [(graph(side == 0), graph(side == 1)) for _ in range(2)]
        a, b = (gtn.GraphBatch.from_graphs(list(some)) for some in zip(*pairs, strict=True))
        for left, right in (*pairs, (a, b), (a, pairs[0][1]), (pairs[0][0], b)):
            matched = compose(left, right)
            with monkeypatch.context() as patch:
                patch.setattr("gtn.composition.match", explored)
                other = compose(left, right)
            for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
                assert np.array_equal(
                    getattr(matched.topology, name), getattr(other.topology, name)
                ), name
            for one, two in zip(matched.sources, other.sources, strict=True):
                assert np.array_equal(one.index, two.index)


@pytest.mark.parametrize("room", [1, 1024])
def test_finals_behind_many_ways_back_are_found(monkeypatch, room):
    """Whether a node is kept depends on arcs to lower numbers, time and again."""
    monkeypatch.setattr("gtn.composition._ROOM", room)
    length = 30
    chain = gtn.linear(torch.zeros(length, 2))
    nodes = np.arange(40)
    back = gtn.from_arrays(  # forward on 0, anywhere back on an epsilon, and a dead end on 1
        np.concatenate((nodes[:-1], nodes[1:], nodes)),
        np.concatenate((nodes[1:], (nodes[1:] * 7) % nodes[1:], np.full(40, 40))),
        np.repeat([0, -1, 1], [39, 39, 40]),
        final=3,
        num_nodes=41,
    )
    found = gtn.compose(chain, back)
    assert found.num_arcs > 0
    assert found.topology.is_connected
    assert (found.ilabels <= 0).all()
    assert gtn.equal(found, gtn.connect(found))


def test_a_plan_does_not_take_numbers_for_symbols():
    a, b = (gtn.string("a", symbols=gtn.SymbolTable(text)) for text in ("ab", "ba"))
    plan = gtn.ComposePlan(a.topology, b.topology)
    with pytest.raises(SymbolError, match=r"plan with ComposePlan\.of\(a, b\)"):
        plan(a, b)
    assert plan(a, b, symbols="ignore").num_arcs == 0
    with pytest.raises(SymbolError, match="symbols='none'"):
        plan(a, b, symbols="none")
    relabelled = gtn.ComposePlan(a.topology, b.topology, relabel=a.osymbols.merge(b.isymbols)[1])
    assert relabelled(a, b).num_arcs == (a @ b).num_arcs == 1


def test_a_plan_of_graphs_is_that_of_their_composition():
    """Also for different tables, failure arcs, graphs without labels or tables, and batches."""
    letters = gtn.linear(torch.rand(3, 3), symbols=gtn.SymbolTable("-ab"))
    arcs = [(0, 1, "b", 0.5), (0, 0, "a", 0.25), (1, 0, gtn.BACK_OFF, 1.0)]
    backs_off = gtn.from_arcs(arcs, final={1: 0.5})
    marked = gtn.from_arcs([(0, 1, "b"), (1, 0, "#", None)], final=1)
    doubled = gtn.from_arcs([(0, 0, "a", "aa", 0.5), (0, 0, "b", None)], final=0)
    silent = gtn.from_arcs([(0, 1, None, 2.0)], final=1)
    batch = gtn.strings(["ab", "b", ""])
    pairs = [(letters, backs_off), (doubled, batch[2]), (letters, doubled), (batch, backs_off)]
    pairs += [(silent, letters), (letters, silent), (batch, letters), (letters, gtn.string("ba"))]
    for a, b in pairs:
        plan = ComposePlan.of(a, b)
        assert gtn.equal(plan(a, b), a @ b)
        other = a.with_penalties(a.penalties + 1)
        assert gtn.equal(plan(other, b), other @ b)
        assert gtn.equal(pickle.loads(pickle.dumps(plan))(a, b), a @ b)
    plan = ComposePlan.of(letters, marked, failure="#")
    assert gtn.equal(plan(letters, marked), compose(letters, marked, failure="#"))
    with pytest.raises(GraphError, match="writes the failure label"):
        ComposePlan.of(backs_off, backs_off)
    with pytest.raises(SymbolError, match="give b one"):
        ComposePlan.of(letters, gtn.string([0]))
    with pytest.raises(GraphError, match="a graph is needed"):
        ComposePlan.of(letters.topology, letters.topology)


@pytest.mark.parametrize("seed", range(10))
def test_a_plan_relabels_by_an_array_or_by_pairs(seed):
    """Labels that the relabelling does not name match nothing, wherever they lie."""
    rng = np.random.default_rng(seed)
    old = np.sort(rng.choice(20, int(rng.integers(0, 8)), replace=False))
    new = rng.permutation(20)[: len(old)]
    array = np.full(old.max(initial=-1) + 2, -2, dtype=np.int32)
    array[0], array[old + 1] = EPSILON, new
    pair = tuple(np.append(EPSILON, part).astype(np.int32) for part in (old, new))
    every = np.arange(-1, 25)
    a, b = (
        gtn.from_arrays(every * 0, every * 0 + 1, every[::step], final=1, num_nodes=2)
        for step in (1, -1)
    )
    expected = {(EPSILON, EPSILON), *zip(new.tolist(), old.tolist(), strict=True)}
    for relabel in (array, pair):
        c = ComposePlan(a.topology, b.topology, relabel=relabel)(a, b)
        assert {*zip(c.ilabels.tolist(), c.olabels.tolist(), strict=True)} == expected
