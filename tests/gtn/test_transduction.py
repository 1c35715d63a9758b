"""Generalized transduction, of which composition is a case; expansion and replacement of arcs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

import gtn
from gtn.composition import compose
from gtn.errors import DataError, GraphError
from gtn.replacement import replace
from gtn.symbols import EPSILON
from gtn.transduction import expand, transduce


def random_graph(rng, *, nodes=4, arcs=8, labels=2, full=False):
    """A random transducer: epsilons on both sides, cycles, several starts and finals."""
    n = nodes if full else int(rng.integers(1, nodes + 1))
    count = arcs if full else int(rng.integers(arcs // 3, arcs + 1))
    ilabels, olabels = (
        np.where(rng.random(count) < 0.35, EPSILON, rng.integers(0, labels, count))
        for _ in range(2)
    )
    starts, finals = (np.flatnonzero(rng.random(n) < 0.6) for _ in range(2))
    return gtn.from_arrays(
        *rng.integers(0, n, (2, count)),
        ilabels,
        olabels,
        penalties=torch.from_numpy(rng.integers(0, 64, count) / 8),
        start={int(i): float(rng.integers(0, 8)) for i in starts},
        final={int(i): float(rng.integers(0, 8)) for i in finals},
        num_nodes=n,
    )


def readings(g, longest=4):
    """The accepted paths with a bounded number of arcs of each operand: strings and penalties."""
    ends = dict(zip(g.finals.tolist(), g.final_penalties.tolist(), strict=True))
    found = Counter()
    starts = zip(g.starts.tolist(), g.start_penalties.tolist(), strict=True)
    open_ = [(n, (), penalty) for n, penalty in starts]
    while open_:
        node, arcs, penalty = open_.pop()
        pair = [tuple(int(s.index[a]) for a in arcs if s.index[a] >= 0) for s in g.sources]
        if max(map(len, pair), default=0) > longest or (not pair and len(arcs) > longest):
            continue
        if node in ends:
            strings = (tuple(int(x[a]) for a in arcs) for x in (g.ilabels, g.olabels))
            found[*pair, *strings, penalty + ends[node]] += 1
        for arc in np.flatnonzero(g.src == node).tolist():
            open_.append((int(g.dst[arc]), (*arcs, arc), penalty + g.penalties[arc].item()))
    return found


def equal_labels(left, right):
    return left == right


def add(left, right):
    return left.penalties + right.penalties


def assert_same(c, expected):
    """Check that both are trimmed and equally large, and that their paths correspond."""
    assert c.topology.is_connected
    assert (c.num_nodes, c.num_arcs) == (expected.num_nodes, expected.num_arcs)
    assert readings(c) == readings(expected)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("filter", ["sequence", "match", "trivial"])
def test_plain_composition_is_a_case(seed, filter):
    rng = np.random.default_rng(seed)
    a, b = random_graph(rng), random_graph(rng)
    c = transduce(a, b, check=equal_labels, fprop=add, filter=filter)
    assert_same(c, compose(a, b, filter=filter))


@pytest.mark.parametrize("block", [1, 5])
def test_candidates_are_asked_in_blocks(block, monkeypatch):
    rng = np.random.default_rng(100)
    a, b = (random_graph(rng, nodes=8, arcs=40, labels=3, full=True) for _ in range(2))
    expected = transduce(a, b, check=equal_labels, fprop=add)
    monkeypatch.setattr("gtn.product.exploration._BLOCK", block)
    sizes = []

    def check(left, right):
        assert min(left.min(), right.min()) >= 0
        sizes.append(len(left))
        return left == right

    c = transduce(a, b, check=check, fprop=add)
    assert c.num_arcs > 50
    assert len(sizes) > 10
    np.testing.assert_array_equal(c.dst, expected.dst)
    assert torch.equal(c.penalties, expected.penalties)


@pytest.mark.parametrize("which", ["both", "left", "right"])
def test_batches_equal_single_graphs(which):
    rng = np.random.default_rng(5)
    left, right = ([random_graph(rng) for _ in range(5)] for _ in range(2))
    left = left[:1] * 5 if which == "right" else left
    right = right[:1] * 5 if which == "left" else right
    a = left[0] if which == "right" else gtn.GraphBatch.from_graphs(left)
    b = right[0] if which == "left" else gtn.GraphBatch.from_graphs(right)
    c = transduce(a, b, check=equal_labels, fprop=add)
    assert len(c) == 5
    for one, x, y in zip(c, left, right, strict=True):
        expected = transduce(x, y, check=equal_labels, fprop=add)
        for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
            np.testing.assert_array_equal(getattr(one, name), getattr(expected, name))
        assert torch.equal(one.penalties, expected.penalties)
        assert torch.equal(one.start_penalties, expected.start_penalties)


def test_fprop_sees_both_sides_and_where_they_stand_still():
    a = gtn.Graph.from_arcs(
        [(0, 1, 5, 1.0), (1, 2, 6, None, 2.0)], final=2, data={"x": np.array([1.0, 2.0])}
    )
    b = gtn.Graph.from_arcs(
        [(0, 1, 4, 9, 3.0), (1, 2, None, 7, 5.0)], final=2, data={"y": np.array([3.0, 4.0])}
    )
    seen = []

    def fprop(left, right):
        seen.extend((left, right))
        return left.penalties * right.penalties, {"y": np.arange(3), "z": left.penalties}

    c = transduce(a, b, check=lambda x, y: x == y + 1, fprop=fprop)
    left, right = seen
    assert (left.ilabels.tolist(), left.olabels.tolist()) == ([5, 6, -1], [5, -1, -1])
    assert (right.ilabels.tolist(), right.olabels.tolist()) == ([4, -1, -1], [9, -1, 7])
    assert left.penalties.tolist() == [1, 2, 0]
    assert right.penalties.tolist() == [3, 0, 5]
    assert left.mask.tolist() == [True, True, False]
    assert right.mask.tolist() == [True, False, True]
    assert (left.arcs.tolist(), right.arcs.tolist()) == ([0, 1, -1], [0, -1, 1])
    assert left.data["x"].tolist() == [1, 2, 0]
    assert (len(left), len(right)) == (3, 3)
    assert (c.ilabels.tolist(), c.olabels.tolist()) == ([5, 6, -1], [9, -1, 7])
    assert c.penalties.tolist() == [3, 0, 0]
    assert c.data["x"].tolist() == [1, 2, 0]
    assert c.data["y"].tolist() == [0, 1, 2]
    assert c.data["z"].tolist() == [1, 2, 0]


def test_an_infinite_penalty_drops_the_arc_and_what_hangs_on_it():
    a = gtn.Graph.from_arcs(
        [(0, 1, 1, 1.0), (1, 3, 2, 2.0), (0, 2, 3, 4.0), (2, 3, 4, 8.0)],
        start={0: 0.5},
        final={3: 0.25},
        data={"x": np.arange(4)},
    )
    b = gtn.from_arrays([0] * 5, [0] * 5, range(5), final=0)

    def fprop(left, right):
        forbidden = torch.from_numpy(left.olabels == 2)
        return (left.penalties + right.penalties).masked_fill(forbidden, torch.inf)

    for batch in (False, True):
        g = gtn.GraphBatch.from_graphs([a, a]) if batch else a
        c = transduce(g, b, check=equal_labels, fprop=fprop)
        assert c.topology.is_connected
        one = c[1] if batch else c
        assert one.ilabels.tolist() == [3, 4]
        assert (one.src.tolist(), one.dst.tolist()) == ([0, 1], [1, 2])
        assert one.penalties.tolist() == [4, 8]
        assert one.data["x"].tolist() == [2, 3]
        assert (one.start_penalties.item(), one.final_penalties.item()) == (0.5, 0.25)
        assert c.sources[0].index.tolist() == ([2, 3, 6, 7] if batch else [2, 3])
    nothing = transduce(
        a, b, check=equal_labels, fprop=lambda x, y: torch.full((len(x),), torch.inf)
    )
    assert (nothing.num_nodes, nothing.num_arcs) == (0, 0)


def test_gradients_flow_through_fprop():
    a = gtn.linear(torch.rand(3, 4, dtype=torch.float64))
    b = gtn.from_arrays([0] * 4, [0] * 4, range(4), final=0, penalties=torch.rand(4).double())
    table = torch.rand(4, 4, dtype=torch.float64)

    def total(p, q, table):
        def fprop(left, right):
            extra = table[left.olabels, right.ilabels]
            return left.penalties * right.penalties + extra

        g, h = a.with_penalties(p), b.with_penalties(q)
        c = transduce(g, h, check=lambda x, y: abs(x - y) <= 1, fprop=fprop)
        assert c.num_arcs == 30
        return c.penalties.square().sum()

    parts = [x.clone().requires_grad_() for x in (a.penalties, b.penalties, table)]
    assert torch.autograd.gradcheck(total, parts)


def test_wrong_answers_raise():
    a = gtn.string([1, 2])
    with pytest.raises(GraphError, match="check must return 1 booleans"):
        transduce(a, a, check=lambda x, y: x - y, fprop=add)
    with pytest.raises(GraphError, match=r"shape \[2\], not \[1\]"):
        transduce(a, a, check=equal_labels, fprop=lambda x, y: x.penalties[:1])
    with pytest.raises(GraphError, match="arc 0 has penalty nan"):
        transduce(a, a, check=equal_labels, fprop=lambda x, y: x.penalties * torch.nan)
    twice = a.with_data(x=np.arange(2))
    with pytest.raises(DataError, match="suffixes"):
        transduce(twice, twice, check=equal_labels, fprop=add)


def test_empty_operands():
    for a, b in ((gtn.empty(), gtn.string([1])), (gtn.string([1]), gtn.empty())):
        c = transduce(a, b, check=equal_labels, fprop=add)
        assert (c.num_nodes, c.num_arcs) == (0, 0)


# -- expansion ----------------------------------------------------------------------------------


def test_expansion_is_arc_major_and_follows():
    g = gtn.Graph.from_arcs(
        [(0, 1, 0, 1.0), (0, 2, 1, 2.0), (1, 2, 2, 4.0)],
        start={0: 0.5},
        final={2: 0.25},
        data={"image": torch.arange(3)},
    )
    scores = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], dtype=torch.float64)
    c = expand(g, scores, symbols=gtn.SymbolTable("xyz"), labels=[2, EPSILON])
    assert c.src.tolist() == [0, 0, 0, 0, 1, 1]
    assert c.dst.tolist() == [1, 1, 2, 2, 2, 2]
    assert c.ilabels.tolist() == [2, -1, 2, -1, 2, -1]
    assert c.topology.is_acceptor
    assert c.penalties.dtype == c.start_penalties.dtype == torch.float64
    assert c.penalties.tolist() == pytest.approx([1.1, 1.2, 2.3, 2.4, 4.5, 4.6])
    assert c.data["image"].tolist() == [0, 0, 1, 1, 2, 2]
    assert c.sources[0].index.tolist() == [0, 0, 1, 1, 2, 2]
    assert (c.start_penalties.item(), c.final_penalties.item()) == (0.5, 0.25)
    assert c.symbol_pair(0) == "z"


def test_expansion_of_a_batch_and_gradients():
    batch = gtn.GraphBatch.from_graphs([gtn.string([1, 2]), gtn.string([3])])
    scores = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    c = expand(batch, scores)
    assert [g.num_arcs for g in c] == [8, 4]
    assert c[1].dst.tolist() == [1, 1, 1, 1]
    own = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p, q: expand(batch.with_penalties(p), q).penalties.square(), (own, scores)
    )
    assert expand(batch, torch.rand(3, 0)).num_arcs == 0
    assert expand(gtn.empty(), torch.rand(0, 5)).num_arcs == 0


def test_wrong_expansions_raise():
    g = gtn.string([1, 2])
    with pytest.raises(GraphError, match=r"must be \[2, C\]"):
        expand(g, torch.rand(3, 4))
    with pytest.raises(GraphError, match=r"must be \[2, C\]"):
        expand(g, torch.rand(2))
    with pytest.raises(GraphError, match="labels must be"):
        expand(g, torch.rand(2, 3), labels=[1, 2])
    with pytest.raises(GraphError, match="label -2 is negative"):
        expand(g, torch.rand(2, 1), labels=[-2])
    with pytest.raises(GraphError, match="labels must be a one-dimensional array of integers"):
        expand(g, torch.rand(2, 2), labels=[0.5, 1.7])
    with pytest.raises(GraphError, match=r"labels\[1\] is 2147483648, which does not fit 32 bits"):
        expand(g, torch.rand(2, 2), labels=[0, 2**31])
    with pytest.raises(GraphError, match="too many for one graph"):
        expand(g, torch.zeros(1).expand(2, 1 << 30))
    with pytest.raises(GraphError, match="arc 1, class 0 has penalty nan"):
        expand(g, torch.tensor([[0.0, 1.0], [torch.nan, 1.0]]))


# -- replacement --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_replacement_strings_paths_together(seed):
    """The paths are those of g, with each arc replaced by each path of its graph."""
    rng = np.random.default_rng(seed)
    g = gtn.from_arrays(
        [0, 0, 1],
        [1, 2, 2],
        [0, 1, 2],
        penalties=torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64),
        start={0: 0.5},
        final={1: 0.125, 2: 0.25},
    )
    graphs = []
    for _ in range(3):
        drawn = random_graph(rng, nodes=3, arcs=5)
        up = drawn.src < drawn.dst
        graphs.append(
            gtn.from_arrays(
                drawn.src[up],
                drawn.dst[up],
                drawn.ilabels[up],
                drawn.olabels[up],
                penalties=drawn.penalties[torch.from_numpy(up)],
                start=dict(zip(drawn.starts.tolist(), drawn.start_penalties.tolist())),
                final=dict(zip(drawn.finals.tolist(), drawn.final_penalties.tolist())),
                num_nodes=drawn.num_nodes,
            )
        )
    c = replace(g, gtn.GraphBatch.from_graphs(graphs))

    def strings(graph):
        found = Counter()
        for key, count in readings(graph, longest=20).items():
            *_, read, written, penalty = key
            pair = (tuple(x for x in s if x != EPSILON) for s in (read, written))
            found[*pair, penalty] += count
        return found

    inner = [strings(graph) for graph in graphs]
    expected = Counter()
    for arcs, penalty in (((0,), 1.625), ((1,), 2.75), ((0, 2), 5.75)):
        combined = Counter({((), (), penalty): 1})
        for arc in arcs:
            longer = Counter()
            for (r1, w1, p1), n1 in combined.items():
                for (r2, w2, p2), n2 in inner[arc].items():
                    longer[r1 + r2, w1 + w2, p1 + p2] += n1 * n2
            combined = longer
        expected += combined
    assert strings(c) == expected


def test_replacement_keeps_data_sources_and_gradients():
    g = gtn.Graph.from_arcs([(0, 1, 0), (1, 2, 0)], final=2, data={"field": np.array([10, 20])})
    parts = [gtn.string("ab").with_data(image=np.array([1, 2])), gtn.string("ba")]
    parts = [part.with_symbols(gtn.SymbolTable("ab")) for part in parts]
    batch = gtn.GraphBatch.from_graphs(parts)
    c = replace(g, batch)
    assert c.data["field"].tolist() == [10, 0, 0, 0, 20, 0, 0, 0]
    assert c.data["image"].tolist() == [0, 1, 2, 0, 0, 0, 0, 0]
    assert [s.index.tolist() for s in c.sources] == [
        [0, -1, -1, -1, 1, -1, -1, -1],
        [-1, 0, 1, -1, -1, 2, 3, -1],
    ]
    assert c.isymbols == gtn.SymbolTable("ab")
    p, q = torch.rand(2, requires_grad=True), torch.rand(4, requires_grad=True)
    made = replace(g.with_penalties(p), batch.with_penalties(q)).penalties
    assert made.tolist() == [p[0], q[0], q[1], 0, p[1], q[2], q[3], 0]
    ones = torch.autograd.grad(made.sum(), (p, q))
    assert all((gradient == 1).all() for gradient in ones)


def test_replacement_in_a_batch():
    g = gtn.GraphBatch.from_graphs([gtn.string([0]), gtn.string([0, 0])])
    inner = [gtn.string([i, i + 1]) for i in range(3)]
    c = replace(g, gtn.GraphBatch.from_graphs(inner))
    assert len(c) == 2
    for one, expected in zip(
        c,
        (
            replace(gtn.string([0]), gtn.GraphBatch.from_graphs(inner[:1])),
            replace(gtn.string([0, 0]), gtn.GraphBatch.from_graphs(inner[1:])),
        ),
        strict=True,
    ):
        for name in ("src", "dst", "ilabels", "olabels", "starts", "finals"):
            np.testing.assert_array_equal(getattr(one, name), getattr(expected, name))


def test_wrong_replacement_raises():
    with pytest.raises(GraphError, match="1 graph cannot replace 2 arcs"):
        replace(gtn.string([0, 1]), gtn.GraphBatch.from_graphs([gtn.string([1])]))


def test_data_of_another_number_of_rows_is_refused():
    graph = gtn.string([1, 2, 3])
    with pytest.raises(GraphError, match="fprop gave 7 rows of data 'k' for 3 arcs"):
        gtn.transduce(
            graph,
            graph,
            check=lambda x, y: x == y,
            fprop=lambda left, right: (left.penalties, {"k": torch.zeros(7)}),
        )
